package connector

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postcall/postcall/transforms"
)

func (s *store) Versions(_ context.Context, keys []SinkKey) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]int64, len(keys))
	for i, k := range keys {
		out[i] = s.newest[k.CallID]
	}
	return out, nil
}

// operator connects to the running connector of a data directory, as the command line does.
func operator(t *testing.T, cfg Config, sinks ...string) *Operator {
	t.Helper()
	cfg.Sinks = sinks
	o, err := OpenOperator(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func deadLettersOf(t *testing.T, o *Operator, f DeadFilter) (out []DeadLetter) {
	t.Helper()
	if err := o.Dead(t.Context(), f, func(l *DeadLetter) error { out = append(out, *l); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func refusing(bad *atomic.Bool) func(Batch) error {
	return func(b Batch) error {
		for i := range b.Events {
			if strings.HasPrefix(b.Events[i].CallID, "poison") && bad.Load() {
				return Refused(errors.New("code 53"))
			}
		}
		return nil
	}
}

func TestDeadLetterOfASinkIsReplayedToThatSinkAlone(t *testing.T) {
	a, b := newStore(), newStore()
	var bad atomic.Bool
	bad.Store(true)
	a.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", a, 1}, {"b", b, 1}}})
	r.deliver("c1", "poison", "c2")
	o := operator(t, cfg, "a", "b")
	r.eventually("one dead letter", func() bool { return a.calls() == 2 && len(deadLettersOf(t, o, DeadFilter{})) == 1 })
	l := deadLettersOf(t, o, DeadFilter{})[0]
	if l.Sink != "a" || l.Stage != StageLoad || l.CallID != "poison" || l.Version == 0 || l.Attempts == 0 {
		t.Errorf("dead letter says %+v", l)
	}
	sinks := []Sink{{"b", b, 1}, {"a", a, 1}}
	if err := o.ReplayDead(t.Context(), &l, sinks); !errors.Is(err, ErrRefused) {
		t.Errorf("replay of what is still refused: %v", err)
	}
	bad.Store(false)
	loads := len(b.loads)
	if err := o.ReplayDead(t.Context(), &l, sinks); err != nil {
		t.Fatal(err)
	}
	if got := a.newest["poison"]; got != l.Version {
		t.Errorf("loaded under version %d, want the original %d", got, l.Version)
	}
	if len(b.loads) != loads {
		t.Error("the other sink got it as well")
	}
	if left := deadLettersOf(t, o, DeadFilter{}); len(left) != 0 {
		t.Errorf("%d dead letters are still held", len(left))
	}
	if closed := deadLettersOf(t, o, DeadFilter{Closed: true}); len(closed) != 1 || closed[0].State != DeadReplayed || len(closed[0].Event) > 0 {
		t.Errorf("what is left of it: %+v", closed)
	}
}

func TestDeadLetterFromBeforeSealingGoesThroughTheTransformsAgain(t *testing.T) {
	s := newStore()
	var strict atomic.Bool
	strict.Store(true)
	steps := []Transform{{"strict", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		for i := range b {
			if b[i].CallID == "odd" && strict.Load() {
				b[i].Reject("no agent")
			}
		}
		return b, nil
	})}}
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.deliver("odd", "even")
	o := operator(t, cfg, "a")
	r.eventually("one dead letter", func() bool { return s.calls() == 1 && len(deadLettersOf(t, o, DeadFilter{})) == 1 })
	l := deadLettersOf(t, o, DeadFilter{})[0]
	if l.Stage != StageTransform || l.Reason != "strict: no agent" {
		t.Errorf("dead letter says %+v", l)
	}
	if strings.Contains(string(l.Body), "hello") {
		t.Error("the raw body is stored readable")
	}
	if body, err := o.DeadBody(&l); err != nil || !strings.Contains(string(body), "hello") {
		t.Errorf("the body can't be read back: %s (%v)", body, err)
	}
	strict.Store(false)
	r.deliver("odd") // a newer delivery of the call, which has to win
	r.eventually("loaded", func() bool { return s.calls() == 2 })
	newest := s.newest["odd"]
	if err := o.ReplayDead(t.Context(), &l, nil); err != nil {
		t.Fatal(err)
	}
	r.eventually("the replayed one is loaded under its own version", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.events) == 3
	})
	if s.newest["odd"] != newest || l.Version >= newest {
		t.Errorf("version %d replaced %d", l.Version, newest)
	}
	st, err := o.Status(t.Context())
	if err != nil || st.Counts.Received != 3 || st.Counts.Replayed != 1 {
		t.Errorf("counts %+v (%v), want 3 received and 1 replayed", st.Counts, err)
	}
}

func TestPurgedDeadLetterStaysPurged(t *testing.T) {
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	r.deliver("c1", "poison")
	o := operator(t, cfg, "a")
	r.eventually("one dead letter", func() bool { return len(deadLettersOf(t, o, DeadFilter{})) == 1 })
	l := deadLettersOf(t, o, DeadFilter{})[0]
	if err := o.PurgeDead(t.Context(), &l); err != nil {
		t.Fatal(err)
	}
	// A redelivery of its batch must not write it anew.
	k := &deadLetters{js: o.st.js, cipher: o.cipher, log: discard(), m: newMetrics(buildInfo{})}
	if err := k.put(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if got := deadLettersOf(t, o, DeadFilter{}); len(got) != 0 {
		t.Errorf("%d dead letters are back", len(got))
	}
}

func TestStatusAddsUp(t *testing.T) {
	a, b := newStore(), newStore()
	var bad, down atomic.Bool
	bad.Store(true)
	down.Store(true)
	a.load = refusing(&bad)
	b.load = func(Batch) error {
		if down.Load() {
			return errors.New("down")
		}
		return nil
	}
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", a, 1}, {"b", b, 1}}})
	r.deliver(append(ids("c", 20), "poison1", "poison2")...)
	o := operator(t, cfg, "a", "b")
	status := func() *Status {
		s, err := o.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r.eventually("a is done", func() bool { s := status(); return s.Sinks[0].Pending == 0 && s.Sinks[0].Dead == 2 })
	s := status()
	if s.Counts.Received != 22 || s.Counts.Kept != 22 || s.Sinks[0].Delivered != 20 {
		t.Errorf("a: %+v of %+v", s.Sinks[0], s.Counts)
	}
	if s.Sinks[1].Pending != 22 || s.Sinks[1].Delivered != 0 || s.Sinks[1].Oldest.IsZero() {
		t.Errorf("b: %+v, want 22 pending", s.Sinks[1])
	}
	down.Store(false)
	r.eventually("b is done", func() bool { s := status(); return s.Sinks[1].Pending == 0 && s.Sinks[1].Delivered == 22 })
}

func TestAuditNamesWhatIsMissing(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver(ids("c", 30)...)
	r.eventually("loaded", func() bool { return s.calls() == 30 })
	o := operator(t, cfg, "a")
	sink := Sink{"a", s, 1}
	r.eventually("all acknowledged", func() bool {
		st, err := o.Status(t.Context())
		return err == nil && st.Sinks[0].Pending == 0
	})
	res, err := o.Audit(t.Context(), sink, nil)
	if err != nil || res.Events != 30 || len(res.Missing) != 0 {
		t.Fatalf("audit: %+v (%v), want 30 events and none missing", res, err)
	}
	s.mu.Lock()
	delete(s.newest, "c007")
	s.newest["c008"]-- // an older version
	s.mu.Unlock()
	res, err = o.Audit(t.Context(), sink, nil)
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, m := range res.Missing {
		missing = append(missing, m.CallID)
	}
	slices.Sort(missing)
	if !slices.Equal(missing, []string{"c007", "c008"}) {
		t.Errorf("missing %v, want c007 and c008", missing)
	}
	if _, err := o.Replay(t.Context(), sink, "r1", time.Now().Add(-time.Hour), time.Time{}, nil); err != nil {
		t.Fatal(err)
	}
	if res, err = o.Audit(t.Context(), sink, nil); err != nil || len(res.Missing) != 0 {
		t.Errorf("after a replay: %+v (%v)", res, err)
	}
}

func TestToolsWorkWhileNothingRuns(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1")
	r.eventually("loaded", func() bool { return s.calls() == 1 })
	r.stop()
	o := operator(t, cfg, "a")
	if st, err := o.Status(t.Context()); err != nil || st.Counts.Received != 1 {
		t.Errorf("status: %+v (%v)", st, err)
	}
}

func TestToolsNameAWrongDirectory(t *testing.T) {
	cfg := testConfig(t.TempDir())
	if _, err := OpenOperator(t.Context(), cfg, discard()); err == nil || !strings.Contains(err.Error(), "POSTCALL_DATA_DIR") {
		t.Errorf("empty directory: %v", err)
	}
}

func TestRecordsGoWhenNoBatchNeedsThem(t *testing.T) {
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge = 300 * time.Millisecond
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1", "poison1", "c2", "poison2")
	o := operator(t, cfg, "a")
	r.eventually("two dead letters", func() bool { return len(deadLettersOf(t, o, DeadFilter{})) == 2 })
	l := deadLettersOf(t, o, DeadFilter{})[0]
	if err := o.PurgeDead(t.Context(), &l); err != nil {
		t.Fatal(err)
	}
	ret := &retention{st: o.st, sinks: []string{"a", consumerFates}, retain: time.Hour, log: discard()}
	if err := ret.sweepRecords(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if n := len(deadLettersOf(t, o, DeadFilter{Closed: true})); n != 2 {
		t.Errorf("%d entries are left while their batch is, want 2", n)
	}
	if err := ret.sweepRecords(t.Context(), farFuture()); err != nil {
		t.Fatal(err)
	}
	if left := deadLettersOf(t, o, DeadFilter{Closed: true}); len(left) != 1 || left[0].ID == l.ID {
		t.Errorf("what is left: %+v, want the one that is held", left)
	}
	info, err := o.st.js.Stream(t.Context(), streamDead)
	if err != nil || info.CachedInfo().State.Msgs != 2 {
		t.Errorf("%d messages are left, want the dead letter and the count of the purged", info.CachedInfo().State.Msgs)
	}
	if st, err := o.Status(t.Context()); err != nil || st.Sinks[0].Dead != 2 || st.Sinks[0].Delivered != 2 {
		t.Errorf("status says %+v (%v), want 2 delivered and 2 dead", st.Sinks[0], err)
	}
}

// JetStream takes a thousand consumers a stream and keeps a reader's for five minutes: `postcall status` alone would use
// them up.
func TestToolsLeaveNoConsumerBehind(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1")
	r.eventually("loaded", func() bool { return s.calls() == 1 })
	o := operator(t, cfg, "a")
	for range 20 {
		if _, err := o.Audit(t.Context(), Sink{"a", s, 1}, nil); err != nil {
			t.Fatal(err)
		}
	}
	info, err := o.st.batches.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := info.State.Consumers; n > 2 {
		t.Errorf("the stream has %d consumers, want those of the sink and of the dead letters", n)
	}
}
