package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postcall/postcall/transforms"
)

// marks is a transform that writes its name into the topic, and counts its calls.
func marks(name string, calls *atomic.Int32) Transform {
	return Transform{name, transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		if calls != nil {
			calls.Add(1)
		}
		for i := range b {
			b[i].Topic += name
		}
		return b, nil
	})}
}

// loaded is a store that keeps the events it is given, in order.
type loaded struct {
	*store
	mu     sync.Mutex
	events []transforms.Event
}

func newLoaded() *loaded {
	l := &loaded{store: newStore()}
	l.load = func(b Batch) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, b.Events...)
		return nil
	}
	return l
}

func (l *loaded) all() []transforms.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// TestChainsBySource sends two sources in turns: each goes through its own chain, in whole batches, and the sealed batch
// keeps the order they came in.
func TestChainsBySource(t *testing.T) {
	l := newLoaded()
	var calls [3]atomic.Int32
	a, b, c := marks("a", &calls[0]), marks("b", &calls[1]), marks("c", &calls[2])
	cfg := testConfig(t.TempDir())
	cfg.Transform.Events = 10
	cfg.Sources = sourcesFile(t, "sources: [{name: phonely}, {name: chat}, {name: raw}]")
	r := start(t, Connector{
		Config: cfg, Sinks: []Sink{{"x", l, 1}}, Transforms: []Transform{a, b},
		Sources: map[string][]Transform{"chat": {c, a}, "raw": {}},
	})
	o := operator(t, cfg, "x")
	var ds []delivery
	topics := map[string]string{"phonely": "ab", "chat": "ca", "raw": ""}
	for i := range 60 {
		source := []string{"phonely", "chat", "raw"}[i%3]
		ds = append(ds, delivery{Tenant: "default", Source: source, Received: time.Now(), Body: fmt.Appendf(nil, `{"callId":"c%02d"}`, i)})
	}
	if _, err := o.st.js.PublishMsg(t.Context(), msgWith(subject(subjectIntake, 0), frameOf(ds...), "60")); err != nil {
		t.Fatal(err)
	}
	r.eventually("all is loaded", func() bool { return len(l.all()) == 60 })
	for i, e := range l.all() {
		if want := fmt.Sprintf("c%02d", i); e.CallID != want || e.Topic != topics[e.Source] {
			t.Errorf("event %d is %s of %s with topic %q, want %s with %q", i, e.CallID, e.Source, e.Topic, want, topics[e.Source])
		}
	}
	// 20 events of each source, 10 at once: a chain's events are handed over together, however they are mixed.
	for i, want := range []int32{4, 2, 2} {
		if got := calls[i].Load(); got != want {
			t.Errorf("transform %c had %d calls, want %d", 'a'+i, got, want)
		}
	}
}

// TestBreakerHoldsEventsWhileATransformCannotRun: it opens, sounds the alarm, lets nothing pass and nothing die, tries
// canaries only, and closes by itself.
func TestBreakerHoldsEventsWhileATransformCannotRun(t *testing.T) {
	t.Parallel()
	l := newLoaded()
	var broken atomic.Bool
	broken.Store(true)
	var calls atomic.Int32
	steps := []Transform{{"redact", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		if b[0].CallID != "canary" {
			calls.Add(1)
		}
		if broken.Load() {
			return nil, errors.New("can't")
		}
		return b, nil
	})}}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"x", l, 1}}, Transforms: steps})
	r.deliver(ids("c", 5)...)
	r.eventually("it opens", func() bool { return r.metric(`postcall_transform_open{transform="redact"}`) == "1" })
	if got := r.metric(`postcall_alarms_total{kind="transform"}`); got != "1" {
		t.Errorf("the alarm counts %q", got)
	}
	cfg := Config{AdminAddr: r.admin[len("http://"):]}
	if st, err := ReadTransforms(t.Context(), cfg); err != nil || len(st) != 1 || st[0].State != TransformHolds {
		t.Errorf("status %+v, error %v", st, err)
	}
	before := calls.Load()
	time.Sleep(2 * time.Second)
	if after := calls.Load(); after != before {
		t.Errorf("%d calls while it was open", after-before)
	}
	if n := len(l.all()); n > 0 {
		t.Errorf("%d events passed", n)
	}
	broken.Store(false)
	r.eventually("all is loaded", func() bool { return l.calls() == 5 })
	if got := r.metric(`postcall_transform_open{transform="redact"}`); got != "0" {
		t.Errorf("it is open: %q", got)
	}
	if st, err := ReadTransforms(t.Context(), cfg); err != nil || st[0].State != TransformRuns {
		t.Errorf("status %+v, error %v", st, err)
	}
	if got := r.metric(`postcall_events_dead_total{sink="",stage="transform"}`); got != "" {
		t.Errorf("%s events died", got)
	}
}

// TestSkippedTransformLetsEventsGoOn: events go on without a transform that may be skipped and can't run, counted, and
// through it again once it can.
func TestSkippedTransformLetsEventsGoOn(t *testing.T) {
	t.Parallel()
	l := newLoaded()
	var broken atomic.Bool
	broken.Store(true)
	fragile := Transform{"map", transformFunc(func(ctx context.Context, b []transforms.Event) ([]transforms.Event, error) {
		if broken.Load() {
			return nil, errors.New("can't")
		}
		for i := range b {
			b[i].Topic += "map"
		}
		return b, nil
	})}
	r := start(t, Connector{
		Config: testConfig(t.TempDir()), Sinks: []Sink{{"x", l, 1}},
		Transforms: []Transform{marks("first,", nil), fragile, marks(",last", nil)}, Skip: map[string]bool{"map": true},
	})
	r.deliver(ids("c", 5)...)
	r.eventually("they are loaded", func() bool { return l.calls() == 5 })
	for _, e := range l.all() {
		if e.Topic != "first,,last" {
			t.Errorf("topic %q", e.Topic)
		}
	}
	if got := r.metric(`postcall_transform_skipped_total{transform="map"}`); got != "5" {
		t.Errorf("%q events count as skipped", got)
	}
	if st, err := ReadTransforms(t.Context(), Config{AdminAddr: r.admin[len("http://"):]}); err != nil || st[1].State != TransformSkipped {
		t.Errorf("status %+v, error %v", st, err)
	}
	broken.Store(false)
	r.eventually("it closes", func() bool { return r.metric(`postcall_transform_open{transform="map"}`) == "0" })
	r.deliver("later")
	r.eventually("it is loaded", func() bool { return l.calls() == 6 })
	if all := l.all(); all[5].Topic != "first,map,last" {
		t.Errorf("topic %q", all[5].Topic)
	}
}

// TestSkipIsForTransformsThatCannotRun: an event that a transform fails on alone is held back, skip or not.
func TestSkipIsForTransformsThatCannotRun(t *testing.T) {
	t.Parallel()
	l := newLoaded()
	fragile := Transform{"map", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		for i := range b {
			if b[i].CallID == "poison" {
				return nil, errors.New("can't")
			}
		}
		return b, nil
	})}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"x", l, 1}}, Transforms: []Transform{fragile}, Skip: map[string]bool{"map": true}})
	r.deliver("c1", "poison", "c2")
	r.eventually("its neighbours are loaded", func() bool { return l.calls() == 2 })
	r.eventually("it is a dead letter", func() bool { return r.metric(`postcall_events_dead_total{sink="",stage="transform"}`) == "1" })
	if got := r.metric(`postcall_transform_skipped_total{transform="map"}`); got != "" {
		t.Errorf("%q events count as skipped", got)
	}
}

// TestNothingDiesOfOneAnswer: also an error that is said to be the batch's own has to come back when the transform has
// nothing else to do; a plugin may mix up calls that are under way at once.
func TestNothingDiesOfOneAnswer(t *testing.T) {
	var calls atomic.Int32
	mixed := Transform{"mixed", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		if b[0].CallID == "c" && calls.Add(1) == 1 {
			return nil, transforms.Permanent(errors.New("not mine"))
		}
		return b, nil
	})}
	ch := newChain(Chains{Default: []Transform{mixed}}, TransformConfig{Concurrency: 2}, discard(), newMetrics(buildInfo{}))
	rs, err := ch.apply(t.Context(), "", []transforms.Event{{CallID: "c"}})
	if err != nil || len(rs) != 1 || len(rs[0].events) != 1 || len(rs[0].fates) != 0 {
		t.Errorf("%+v, error %v", rs, err)
	}
}

func TestBreaker(t *testing.T) {
	b := breaker{opened: make(chan struct{}, 1)}
	for range maxFailed - 1 {
		if b.fail() || b.isOpen() {
			t.Error("it opens too early")
		}
	}
	if b.pass() {
		t.Error("it closes without having been open")
	}
	for i := range maxFailed + 2 {
		if got := b.fail(); got != (i == maxFailed-1) || b.isOpen() != (i >= maxFailed-1) {
			t.Errorf("failure %d: opens %v, is open %v", i, got, b.isOpen())
		}
	}
	closed := b.whenClosed()
	if !b.pass() || b.isOpen() {
		t.Error("it doesn't close")
	}
	select {
	case <-closed:
	default:
		t.Error("nobody was told that it closes")
	}
}
