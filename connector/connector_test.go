package connector

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

func TestEveryDeliveryReachesEverySinkOnce(t *testing.T) {
	a, b := newStore(), newStore()
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", a, 2}, {"b", b, 1}}})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() { r.deliver(ids(fmt.Sprint("w", w, "-"), 25)...) })
	}
	wg.Wait()
	r.eventually("200 calls in both stores", func() bool { return a.calls() == 200 && b.calls() == 200 })
	if got := append(a.twice(), b.twice()...); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
	if got := r.metric("postcall_events_received_total"); got != "200" {
		t.Errorf("received counts %s, want 200", got)
	}
	if got := r.metric(`postcall_events_delivered_total{sink="a"}`); got != "200" {
		t.Errorf("delivered to a counts %s, want 200", got)
	}
}

func TestRestartLoadsWhatWasLeftAndNothingTwice(t *testing.T) {
	dir, s := t.TempDir(), newStore()
	var down atomic.Bool
	s.load = func(Batch) error {
		if down.Load() {
			return errors.New("down")
		}
		return nil
	}
	c := Connector{Config: testConfig(dir), Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	r.deliver(ids("first", 20)...)
	r.eventually("first calls loaded", func() bool { return s.calls() == 20 })
	down.Store(true)
	r.deliver(ids("second", 20)...)
	r.stop()
	down.Store(false)
	r = start(t, c)
	r.deliver(ids("third", 20)...)
	r.eventually("all calls loaded", func() bool { return s.calls() == 60 })
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
}

func TestSinkThatIsDownHoldsUpNoOther(t *testing.T) {
	up, down := newStore(), newStore()
	var broken atomic.Bool
	broken.Store(true)
	down.load = func(Batch) error {
		if broken.Load() {
			return errors.New("connection refused")
		}
		return nil
	}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"up", up, 1}, {"down", down, 1}}})
	r.deliver(ids("c", 50)...)
	r.eventually("the other sink has all", func() bool { return up.calls() == 50 })
	if down.calls() != 0 {
		t.Error("the broken sink took events")
	}
	broken.Store(false)
	r.eventually("it catches up", func() bool { return down.calls() == 50 })
}

func TestOneRefusedEventIsHeldBackAlone(t *testing.T) {
	s := newStore()
	s.load = func(b Batch) error {
		for i := range b.Events {
			if b.Events[i].CallID == "poison" {
				return Refused(errors.New("code 53: type mismatch"))
			}
		}
		return nil
	}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	r.deliver(append(append(ids("a", 20), "poison"), ids("b", 20)...)...)
	r.eventually("its neighbours are loaded", func() bool { return s.calls() == 40 })
	r.eventually("it is a dead letter", func() bool {
		return r.metric(`postcall_events_dead_total{sink="a",stage="load"}`) == "1"
	})
}

func TestPartialErrorHoldsTheNamedAndRetriesTheBusy(t *testing.T) {
	s := newStore()
	var busy atomic.Int32
	s.load = func(b Batch) error {
		p := &PartialError{Failed: map[int]error{}, Retry: map[int]error{}}
		for i := range b.Events {
			switch id := b.Events[i].CallID; {
			case id == "poison":
				p.Failed[i] = errors.New("mapping")
			case id == "busy" && busy.Add(1) < 3:
				p.Retry[i] = errors.New("429")
			}
		}
		if len(p.Failed)+len(p.Retry) == 0 {
			return nil
		}
		return p
	}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1", "poison", "busy", "c2")
	r.eventually("the rest is loaded", func() bool { return s.calls() == 3 && s.has("busy") })
	r.eventually("it is a dead letter", func() bool {
		return r.metric(`postcall_events_dead_total{sink="a",stage="load"}`) == "1"
	})
}

func TestWrongSchemaPausesAndKeepsEverything(t *testing.T) {
	s := newStore()
	var fixed atomic.Bool
	s.check = func() error {
		if fixed.Load() {
			return nil
		}
		return Paused(errors.New("table is missing; run: postcall migrate apply"))
	}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	r.deliver(ids("c", 10)...)
	r.eventually("the alarm", func() bool { return r.metric(`postcall_sink_paused{sink="a"}`) == "1" })
	if s.calls() != 0 {
		t.Error("loaded into a store that is not fit")
	}
	fixed.Store(true)
	r.eventually("all is loaded", func() bool { return s.calls() == 10 })
	if got := r.metric(`postcall_events_dead_total{sink="a",stage="load"}`); got != "" {
		t.Errorf("%s good events were dead-lettered", got)
	}
}

func TestPluginThatFailsHoldsBackOnlyThePoison(t *testing.T) {
	s := newStore()
	steps := []Transform{{"fragile", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		for i := range b {
			if b[i].CallID == "poison" {
				return nil, errors.New("boom")
			}
		}
		return b, nil
	})}}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.deliver("c1", "poison", "c2")
	r.eventually("its neighbours are loaded", func() bool { return s.calls() == 2 })
	r.eventually("it is a dead letter", func() bool {
		return r.metric(`postcall_events_dead_total{sink="",stage="transform"}`) == "1"
	})
}

// Privacy fails closed: while a transform can't run at all, nothing passes and nothing dies.
func TestBrokenPluginLetsEventsWait(t *testing.T) {
	t.Parallel()
	s := newStore()
	var broken atomic.Bool
	broken.Store(true)
	var calls atomic.Int32
	steps := []Transform{{"redact", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		calls.Add(1)
		if broken.Load() {
			return nil, errors.New("plugin is gone")
		}
		return b, nil
	})}}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.deliver(ids("c", 4)...)
	r.eventually("it was tried often", func() bool { return calls.Load() > 8 })
	if s.calls() != 0 {
		t.Fatal("an event passed a broken transform")
	}
	broken.Store(false)
	r.eventually("all is loaded", func() bool { return s.calls() == 4 })
	if got := r.metric(`postcall_events_dead_total{sink="",stage="transform"}`); got != "" {
		t.Errorf("%s events died of a broken plugin", got)
	}
}

func TestTransformMayDropRejectAndSplit(t *testing.T) {
	s := newStore()
	steps := []Transform{{"sorter", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		var out []transforms.Event
		for _, e := range b {
			switch e.CallID {
			case "drop":
				e.Drop("test call")
			case "reject":
				e.Reject("no agent")
			}
			out = append(out, e)
			if e.CallID == "split" {
				child := e
				child.CallID, child.ParentCallID = "split#1", "split"
				out = append(out, child)
			}
		}
		return out, nil
	})}}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.deliver("keep", "drop", "reject", "split", "last")
	r.eventually("the rest is loaded", func() bool { return s.calls() == 4 && s.has("split#1") && s.has("last") })
	r.eventually("the rejected one is a dead letter", func() bool {
		return r.metric(`postcall_events_dead_total{sink="",stage="transform"}`) == "1"
	})
	if got := r.metric(`postcall_events_sealed_total{outcome="dropped"}`); got != "1" {
		t.Errorf("dropped counts %q, want 1", got)
	}
}

func TestFullIntakeAnswers503AndRecovers(t *testing.T) {
	s := newStore()
	var open atomic.Bool
	s.load = func(Batch) error {
		if !open.Load() {
			return errors.New("down")
		}
		return nil
	}
	cfg := testConfig(t.TempDir())
	cfg.Intake.MaxBytes, cfg.Batch.MaxBytes, cfg.Batch.MaxEvents = 200<<10, 100<<10, 1
	var hold atomic.Bool
	hold.Store(true)
	steps := []Transform{{"slow", transformFunc(func(ctx context.Context, b []transforms.Event) ([]transforms.Event, error) {
		if hold.Load() {
			return nil, errors.New("not now")
		}
		return b, nil
	})}}
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	accepted, refused := 0, 0
	for i := range 60 {
		switch code := r.post(fmt.Sprintf(`{"callId":"c%d","summary":%q}`, i, incompressible(8<<10))); code {
		case 200:
			accepted++
		case 503:
			refused++
		default:
			t.Fatalf("answered %d", code)
		}
	}
	if accepted == 0 || refused == 0 {
		t.Fatalf("%d accepted, %d refused; want some of both", accepted, refused)
	}
	hold.Store(false)
	open.Store(true)
	r.eventually("what was accepted is loaded", func() bool { return s.calls() == accepted })
	r.eventually("deliveries are taken again", func() bool { return r.post(`{"callId":"after"}`) == 200 })
}

// incompressible is text of n bytes that a frame does not make smaller than three quarters.
func incompressible(n int) string {
	b := make([]byte, n/4*3)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return base64.StdEncoding.EncodeToString(b)
}

func TestSecondConnectorOnOneDirectoryRefuses(t *testing.T) {
	dir := t.TempDir()
	start(t, Connector{Config: testConfig(dir), Sinks: []Sink{{"a", newStore(), 1}}})
	c := Connector{Config: testConfig(dir), Sinks: []Sink{{"a", newStore(), 1}}, Log: discard()}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another postcall uses the data directory") {
		t.Errorf("second connector: %v", err)
	}
}

// DELIVERY.md, rule 1: streams are made in an empty directory only.
func TestLostStreamIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	for _, name := range []string{streamIntake, streamBatches, streamDead, streamRefused, streamErased} {
		dir, s := t.TempDir(), newStore()
		c := Connector{Config: testConfig(dir), Sinks: []Sink{{"a", s, 1}}, Log: discard()}
		r := start(t, c)
		r.deliver("c1")
		r.eventually("loaded", func() bool { return s.calls() == 1 })
		r.stop()
		if err := os.RemoveAll(filepath.Join(dir, "jetstream", "jetstream", "$G", "streams", name)); err != nil {
			t.Fatal(err)
		}
		if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s lost: %v, want an error that names it", name, err)
		}
	}
}

func TestDirectoryWithoutMarkerIsRefused(t *testing.T) {
	dir := t.TempDir()
	c := Connector{Config: testConfig(dir), Sinks: []Sink{{"a", newStore(), 1}}, Log: discard()}
	start(t, c).stop()
	if err := os.Remove(filepath.Join(dir, markerName)); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), markerName) {
		t.Errorf("no marker: %v", err)
	}
}

// DELIVERY.md, rule 3: an intake that falls behind the sealer's position does not swallow what comes.
func TestIntakeRolledBackSwallowsNothing(t *testing.T) {
	dir, s := t.TempDir(), newStore()
	c := Connector{Config: testConfig(dir), Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	r.deliver("old")
	r.eventually("loaded", func() bool { return s.calls() == 1 })
	r.stop()
	intake, saved := filepath.Join(dir, "jetstream", "jetstream", "$G", "streams", streamIntake), filepath.Join(t.TempDir(), "saved")
	if err := os.CopyFS(saved, os.DirFS(intake)); err != nil {
		t.Fatal(err)
	}
	r = start(t, c)
	r.deliver(ids("mid", 30)...)
	r.eventually("loaded", func() bool { return s.calls() == 31 })
	r.stop()
	if err := errors.Join(os.RemoveAll(intake), os.CopyFS(intake, os.DirFS(saved))); err != nil {
		t.Fatal(err)
	}
	r = start(t, c)
	if got := r.metric(`postcall_alarms_total{kind="rollback"}`); got != "1" {
		t.Errorf("rollback alarm counts %q, want 1\n%s", got, r.log)
	}
	r.deliver(ids("new", 10)...)
	r.eventually("what came after the rollback is loaded", func() bool { return s.calls() == 41 })
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
}

// DELIVERY.md, rule 14: a sealer whose partition moved on writes nothing.
func TestStaleSealerIsFenced(t *testing.T) {
	st, err := openStreams(t.Context(), testConfig(t.TempDir()), discard())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	mk := func() *sealer {
		return &sealer{st: st, cfg: testConfig(""), m: newMetrics(buildInfo{}), log: discard(), at: sealed{Intake: st.intakeID, Position: position{Seq: 1}}}
	}
	a, b := mk(), mk()
	next := a.begin()
	next.Position.Seq = 2
	if err := a.publish(t.Context(), next, newPayload(nil)); err != nil {
		t.Fatal(err)
	}
	if err := b.publish(t.Context(), next, newPayload(nil)); !errors.Is(err, errFenced) {
		t.Errorf("the second sealer got %v, want errFenced", err)
	}
}

// DELIVERY.md, rule 6: the newest sealed message holds the position and stays.
func TestRetentionKeepsTheNewestSealedMessage(t *testing.T) {
	dir, s := t.TempDir(), newStore()
	c := Connector{Config: testConfig(dir), Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	for _, id := range ids("c", 5) {
		r.deliver(id)
		r.eventually("loaded", func() bool { return s.has(id) })
	}
	r.stop()
	st, err := openStreams(t.Context(), c.Config, discard())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	ret := &retention{st: st, sinks: []string{"a", consumerFates}, retain: 0, log: discard()}
	if err := ret.sweep(t.Context(), farFuture()); err != nil {
		t.Fatal(err)
	}
	info, err := st.batches.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 1 || info.State.FirstSeq != info.State.LastSeq {
		t.Errorf("%d messages left, want the newest alone", info.State.Msgs)
	}
	at, _, err := st.lastSealed(t.Context(), 0)
	if err != nil || at.Counts.Kept != 5 {
		t.Errorf("position counts %d kept, want 5 (%v)", at.Counts.Kept, err)
	}
}

func TestRetentionWaitsForEverySink(t *testing.T) {
	st, err := openStreams(t.Context(), testConfig(t.TempDir()), discard())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	if _, err := st.consumer(t.Context(), "slow", 1, false); err != nil {
		t.Fatal(err)
	}
	s := &sealer{st: st, cfg: testConfig(""), m: newMetrics(buildInfo{}), log: discard(), at: sealed{Intake: st.intakeID, Position: position{Seq: 1}}}
	for range 3 {
		next := s.begin()
		next.Position.Seq++
		if err := s.publish(t.Context(), next, newPayload(nil)); err != nil {
			t.Fatal(err)
		}
	}
	ret := &retention{st: st, sinks: []string{"slow"}, retain: 0, log: discard()}
	if err := ret.sweep(t.Context(), farFuture()); err != nil {
		t.Fatal(err)
	}
	if info, err := st.batches.Info(t.Context(), jetstream.WithSubjectFilter(subjectBatches+"*")); err != nil || info.State.Msgs != 3 {
		t.Errorf("%d messages left, want 3: a sink still needs them (%v)", info.State.Msgs, err)
	}
}
