package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postcall/postcall/transforms"
)

// Each of these failed before the bug it is about was mended.

type sharedProcess struct {
	mu      sync.Mutex
	startMu sync.Mutex
	cur     *procSim
}

type procSim struct {
	dead chan struct{}
	once sync.Once
}

func (p *sharedProcess) get() *procSim {
	p.startMu.Lock()
	defer p.startMu.Unlock()
	p.mu.Lock()
	c := p.cur
	p.mu.Unlock()
	if c != nil {
		select {
		case <-c.dead:
		default:
			return c
		}
	}
	time.Sleep(100 * time.Millisecond) // start of a process
	c = &procSim{dead: make(chan struct{})}
	p.mu.Lock()
	p.cur = c
	p.mu.Unlock()
	return c
}

func (p *sharedProcess) Transform(ctx context.Context, b []transforms.Event) ([]transforms.Event, error) {
	c := p.get()
	for i := range b {
		if b[i].CallID == "poison" {
			time.Sleep(5 * time.Millisecond)
			c.once.Do(func() { close(c.dead) })
			return nil, transforms.ErrPluginGone
		}
	}
	select {
	case <-c.dead:
		return nil, transforms.ErrPluginGone
	case <-time.After(10 * time.Millisecond):
		return b, nil
	}
}

func TestNoInnocentDiesBesideAnEventThatKillsThePlugin(t *testing.T) {
	t.Parallel()
	total := 0
	for round := range 4 {
		m := newMetrics(buildInfo{})
		p := &sharedProcess{}
		ch := newChain(Chains{Default: []Transform{{"p", p}}}, TransformConfig{Concurrency: 2}, discard(), m)
		mk := func(prefix string, poison bool) []transforms.Event {
			var es []transforms.Event
			for _, id := range ids(prefix, 8) {
				es = append(es, transforms.Event{CallID: id})
			}
			if poison {
				es[0].CallID = "poison"
			}
			return es
		}
		var wg sync.WaitGroup
		var died atomic.Int32
		for i := range 2 {
			wg.Go(func() {
				rs, err := ch.apply(t.Context(), "", mk(fmt.Sprint("w", i), i == 0))
				if err != nil {
					t.Error(err)
				}
				for _, r := range rs {
					for _, f := range r.fates {
						if f.CallID != "poison" {
							died.Add(1)
						}
					}
				}
			})
		}
		wg.Wait()
		t.Logf("round %d: %d innocents died", round, died.Load())
		total += int(died.Load())
	}
	if total > 0 {
		t.Errorf("%d innocent events were dead-lettered", total)
	}
}

// the idle timer drops a batch that is being collected from the rest of a frame.
func TestIdleTimerKeepsTheRestOfAFrame(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxEvents, cfg.Batch.MaxAge, cfg.Retain = 2, 400*time.Millisecond, 100*time.Millisecond
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	time.Sleep(300 * time.Millisecond)
	o := operator(t, cfg, "a")
	var ds []delivery
	for _, id := range ids("c", 3) {
		ds = append(ds, delivery{Tenant: "default", Source: "phonely", Received: time.Now(), Body: fmt.Appendf(nil, `{"callId":%q}`, id)})
	}
	if _, err := o.st.js.PublishMsg(t.Context(), msgWith(subject(subjectIntake, 0), frameOf(ds...), "3")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond)
	r.deliver("later")
	r.eventually("later", func() bool { return s.has("later") })
	time.Sleep(500 * time.Millisecond)
	if s.calls() != 4 {
		t.Errorf("%d of 4 calls are loaded", s.calls())
	}
	at, _, _ := o.st.lastSealed(t.Context(), 0)
	t.Logf("position %s, counts %+v", at.Position, at.Counts)
}

// an event and its child die: one dead letter is lost.
func TestParentAndChildHaveFatesOfTheirOwn(t *testing.T) {
	s := newStore()
	steps := []Transform{{"x", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		var out []transforms.Event
		for _, e := range b {
			child := e
			child.CallID, child.ParentCallID = e.CallID+"#1", e.CallID
			e.Drop("only its parts count")
			child.Reject("bad part")
			out = append(out, e, child)
		}
		return out, nil
	})}}
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.deliver("c1")
	o := operator(t, cfg, "a")
	r.eventually("dead", func() bool { return len(deadLettersOf(t, o, DeadFilter{})) > 0 })
	time.Sleep(200 * time.Millisecond)
	st, _ := o.Status(t.Context())
	t.Logf("dead letters %d, counts %+v", len(deadLettersOf(t, o, DeadFilter{})), st.Counts)
	if st.Counts.Dropped != 1 {
		t.Errorf("the dropped parent counts as %+v", st.Counts)
	}
}

// a batch that waits in its sink while a call in it is erased.
func TestErasedWhileItsBatchWaits(t *testing.T) {
	s := newStore()
	var down atomic.Bool
	var tried atomic.Int32
	down.Store(true)
	s.load = func(Batch) error {
		tried.Add(1)
		if down.Load() {
			return errors.New("down")
		}
		return nil
	}
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("secret")
	r.eventually("tried", func() bool { return tried.Load() > 0 })
	r.deliver("other")
	o := operator(t, cfg, "a")
	if err := o.st.erase(t.Context(), erasure{Hash: callHash(cfg.RedactKeys()[0], defaultTenant, "secret"), At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // it is followed
	down.Store(false)
	r.eventually("other", func() bool { return s.has("other") })
	if s.has("secret") {
		t.Error("the erased call is loaded")
	}
}

func outage(t *testing.T, kind func(error) error) {
	t.Parallel()
	s := newStore()
	var full atomic.Bool
	s.load = func(Batch) error {
		if full.Load() {
			return kind(errors.New("code 243: not enough space"))
		}
		return nil
	}
	cfg := testConfig(t.TempDir())
	cfg.MaxDeadShare = 0.5
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", canaryStore{s, func() error {
		if full.Load() {
			return errors.New("code 243")
		}
		return nil
	}}, 1}}})
	r.deliver(ids("ok", 300)...)
	r.eventually("loaded", func() bool { return s.calls() == 300 })
	full.Store(true)
	r.deliver(ids("bad", 200)...)
	time.Sleep(6 * time.Second)
	if got := r.metric(`postcall_events_dead_total{sink="a",stage="load"}`); got != "" {
		t.Errorf("%s good events were dead-lettered while the store takes nothing, not even a canary", got)
	}
}

// a store that takes nothing for a while, with a code nobody knows, or one of data.
func TestOutageWithUnknownErrorsKillsNothing(t *testing.T) { outage(t, Suspect) }

func TestOutageThatLooksLikeBadDataKillsNothing(t *testing.T) { outage(t, Refused) }

// a store that passes its check but refuses as a schema problem is hammered.
func TestPausedLoadIsNotHammered(t *testing.T) {
	t.Parallel()
	s := newStore()
	var loads atomic.Int32
	s.load = func(Batch) error { loads.Add(1); return Paused(errors.New("code 497: not enough privileges")) }
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1")
	time.Sleep(6 * time.Second)
	if n := loads.Load(); n > 6 {
		t.Errorf("%d loads and alarms %s in 6 s", n, r.metric(`postcall_alarms_total{kind="paused"}`))
	}
}

// a replay of batches writes the dead letters of its sink a second time.
func TestReplayDoublesNoDeadLetter(t *testing.T) {
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1", "poison", "c2")
	o := operator(t, cfg, "a")
	r.eventually("one dead letter", func() bool { return s.calls() == 2 && len(deadLettersOf(t, o, DeadFilter{})) == 1 })
	if _, err := o.Replay(t.Context(), Sink{"a", s, 1}, "r1", time.Now().Add(-time.Hour), time.Time{}, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(deadLettersOf(t, o, DeadFilter{})); n != 1 {
		t.Errorf("%d dead letters for one event", n)
	}
	st, err := o.Status(t.Context())
	if err != nil || st.Sinks[0].Delivered != 2 {
		t.Errorf("status says %+v of %d kept, want 2 delivered (%v)", st.Sinks[0], st.Counts.Kept, err)
	}
}
