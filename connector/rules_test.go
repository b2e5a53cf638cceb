package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

// A stop waits for what was taken to be loaded, where the sink works.
func TestStopDrains(t *testing.T) {
	s := newStore()
	s.load = func(Batch) error { time.Sleep(20 * time.Millisecond); return nil }
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge, cfg.Batch.MaxEvents = time.Hour, 10 // only the stop closes the last batch
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver(ids("c", 95)...)
	r.stop()
	if s.calls() != 95 {
		t.Errorf("%d of 95 calls are loaded after the stop", s.calls())
	}
}

// It does not wait for a sink that is down.
func TestStopDoesNotWaitForABrokenSink(t *testing.T) {
	up, down := newStore(), newStore()
	down.load = func(Batch) error { return errors.New("down") }
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"up", up, 1}, {"down", down, 1}}})
	r.deliver(ids("c", 5)...)
	r.eventually("tried", func() bool { return r.metric(`postcall_loads_total{result="error",sink="down"}`) != "" })
	from := time.Now()
	r.stop()
	if d := time.Since(from); d > 5*time.Second {
		t.Errorf("the stop took %s", d)
	}
	if up.calls() != 5 {
		t.Errorf("%d of 5 calls are loaded", up.calls())
	}
}

// DELIVERY.md, rule 6: no caller's data stays for want of new calls.
func TestIdlePartitionKeepsNoCallersData(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	cfg.Retain = 100 * time.Millisecond
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	r.deliver("c1")
	r.eventually("loaded", func() bool { return s.calls() == 1 })
	r.eventually("an empty message took its place", func() bool {
		o := operator(t, cfg, "a")
		raw, err := o.st.batches.GetLastMsgForSubject(t.Context(), subject(subjectBatches, 0))
		return err == nil && raw.Header.Get(headerEvents) == "0"
	})
	r.stop()
	st, err := openStreams(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	ret := &retention{st: st, sinks: []string{"a", consumerFates}, retain: 0, log: discard()}
	for range 100 { // acks arrive
		if err := ret.sweep(t.Context(), farFuture()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := st.batches.Info(t.Context())
	if err != nil || info.State.Msgs != 1 {
		t.Errorf("%d messages are left (%v), want the empty one", info.State.Msgs, err)
	}
	if at, _, err := st.lastSealed(t.Context(), 0); err != nil || at.Counts.Kept != 1 {
		t.Errorf("the position was lost: %+v (%v)", at, err)
	}
}

// JetStream skips damaged messages silently; a gap in the sequence is the only sign.
func TestMissingFrameSoundsTheAlarm(t *testing.T) {
	s := newStore()
	var hold atomic.Bool
	hold.Store(true)
	steps := []Transform{{"slow", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		if hold.Load() {
			return nil, errors.New("not now")
		}
		return b, nil
	})}}
	cfg := testConfig(t.TempDir())
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps}
	r := start(t, c)
	r.deliver("c1", "c2", "c3", "c4")
	r.stop()
	st, err := openStreams(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.intake.SecureDeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	st.close()
	hold.Store(false)
	r = start(t, c)
	r.eventually("the others are loaded", func() bool { return s.calls() == 3 })
	if got := r.metric(`postcall_alarms_total{kind="gap"}`); got != "1" {
		t.Errorf("gap alarm counts %q, want 1", got)
	}
}

// DELIVERY.md, rule 8: a release that breaks everything pauses instead of dead-lettering everything.
func TestSealingPausesWhenTooMuchWouldDie(t *testing.T) {
	s := newStore()
	var broken atomic.Bool
	broken.Store(true)
	steps := []Transform{{"release", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		for i := range b {
			if broken.Load() {
				b[i].Reject("bug")
			}
		}
		return b, nil
	})}}
	cfg := testConfig(t.TempDir())
	cfg.MaxDeadShare = 0.5
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.deliver(ids("c", 200)...)
	r.eventually("the alarm", func() bool { return r.metric(`postcall_alarms_total{kind="refusals"}`) != "" })
	broken.Store(false)
	r.eventually("most is loaded", func() bool { return s.calls() >= 100 })
	r.eventually("few died", func() bool {
		var dead int
		_, _ = fmt.Sscan(r.metric(`postcall_events_sealed_total{outcome="dead"}`), &dead)
		return s.calls()+dead == 200 && dead <= 100
	})
}

// canaryStore is a store that takes canaries.
type canaryStore struct {
	*store
	canary func() error
}

func (s canaryStore) Canary(context.Context) error { return s.canary() }

// A first event that is refused dies only when the store takes something else.
func TestFirstRefusedEventNeedsACanaryToDie(t *testing.T) {
	t.Parallel()
	var fit atomic.Bool
	var asked atomic.Int32
	s := canaryStore{newStore(), func() error {
		asked.Add(1)
		if !fit.Load() {
			return errors.New("code 53")
		}
		return nil
	}}
	s.load = func(Batch) error { return Refused(errors.New("code 53")) }
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	r.deliver("poison")
	r.eventually("canaries", func() bool { return asked.Load() >= 2 })
	if got := r.metric(`postcall_events_dead_total{sink="a",stage="load"}`); got != "" {
		t.Errorf("%s events died while nothing passes", got)
	}
	fit.Store(true)
	r.eventually("it is held back", func() bool { return r.metric(`postcall_events_dead_total{sink="a",stage="load"}`) == "1" })
}

// What is too large is split at once, and never dies of it.
func TestTooLargeBatchIsSplitAndNothingDies(t *testing.T) {
	s := newStore()
	s.load = func(b Batch) error {
		if len(b.Events) > 3 {
			return TooLarge(errors.New("HTTP 413"))
		}
		return nil
	}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	r.deliver(ids("c", 40)...)
	r.eventually("all is loaded", func() bool { return s.calls() == 40 })
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
}

// DELIVERY.md, rule 7: an event that no sealed message can hold is held back, and stalls nobody.
func TestOversizedEventStallsNothing(t *testing.T) {
	s := newStore()
	steps := []Transform{{"grow", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		for i := range b {
			if b[i].CallID == "huge" {
				b[i].Summary = strings.Repeat("x", embeddedMaxPayload)
			}
		}
		return b, nil
	})}}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.deliver("c1", "huge", "c2")
	r.eventually("its neighbours are loaded", func() bool { return s.calls() == 2 })
	r.eventually("it is held back", func() bool { return r.metric(`postcall_events_dead_total{sink="",stage="seal"}`) == "1" })
}

// A batch that outgrows one message becomes several, and a position in the middle of a frame is kept.
func TestBatchThatOutgrowsAMessageIsSealedInParts(t *testing.T) {
	s := newStore()
	steps := []Transform{{"grow", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		for i := range b {
			b[i].Summary = strings.Repeat("x", 1<<20)
		}
		return b, nil
	})}}
	cfg := testConfig(t.TempDir())
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps}
	r := start(t, c)
	r.deliver(ids("c", 30)...)
	r.eventually("all is loaded", func() bool { return s.calls() == 30 })
	r.stop()
	r = start(t, c)
	r.deliver("last")
	r.eventually("it goes on", func() bool { return s.has("last") })
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
}

// DELIVERY.md, rule 9: versions rise with the order of arrival, also when the clock goes back.
func TestVersionsRiseWhenTheClockGoesBack(t *testing.T) {
	s := &sealer{cfg: testConfig(""), at: sealed{Version: 6_500_000}, st: &streams{maxPayload: embeddedMaxPayload}, m: newMetrics(buildInfo{}), log: discard()}
	frames := make(chan intakeFrame, 1)
	s.frames = frames
	var ds []delivery
	for _, us := range []int64{6_000_000, 1_000_000, 1_000_000, 7_000_000} {
		ds = append(ds, delivery{Received: time.UnixMicro(us), Body: []byte("{}")})
	}
	ds = append(ds, delivery{Received: time.UnixMicro(9_000_000), Version: 42, Body: []byte("{}")}) // replayed: it keeps its own
	ds = append(ds, delivery{Received: time.UnixMicro(1), Body: []byte("{}")})
	frames <- intakeFrame{seq: 1, data: frameOf(ds...)}
	batch, err := s.collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for i := range batch {
		got = append(got, batch[i].version)
	}
	if fmt.Sprint(got) != "[6500001 6500002 6500003 7000000 42 7000001]" {
		t.Errorf("versions %v", got)
	}
}

// DELIVERY.md, rule 19: a damaged frame is kept whole, with its count, and the position moves on.
func TestDamagedFrameIsKeptAndCounted(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	r.deliver("before")
	o := operator(t, cfg, "a")
	bad := frameOf(someDeliveries(7)...)
	bad[len(bad)-2] ^= 1
	msg := msgWith(subject(subjectIntake, 0), bad, "7")
	if _, err := o.st.js.PublishMsg(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	r.deliver("after")
	r.eventually("what follows is loaded", func() bool { return s.calls() == 2 })
	r.eventually("it is a dead letter of 7 events", func() bool {
		ls := deadLettersOf(t, o, DeadFilter{Stage: StageIntake})
		return len(ls) == 1 && ls[0].Events == 7
	})
	st, err := o.Status(t.Context())
	if err != nil || st.Counts.Damaged != 7 || st.Counts.Received != 9 {
		t.Errorf("counts %+v (%v), want 7 damaged of 9", st.Counts, err)
	}
}

func TestDamagedSealedBatchIsKeptAndTheNextGoesOn(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("before")
	r.eventually("loaded", func() bool { return s.calls() == 1 })
	r.stop()
	st, err := openStreams(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	at, seq, err := st.lastSealed(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	m := sealMessage(subject(subjectBatches, 0), &sealed{Intake: at.Intake, Position: at.Position, Version: at.Version, Counts: at.Counts}, []byte("payload"), nil)
	m.Data[len(m.Data)-1] ^= 1
	if _, err := st.js.PublishMsg(t.Context(), m, jetstream.WithExpectLastSequencePerSubject(seq)); err != nil {
		t.Fatal(err)
	}
	st.close()
	r = start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("after")
	r.eventually("the next batch is loaded", func() bool { return s.has("after") })
	o := operator(t, cfg, "a")
	r.eventually("it is one dead letter", func() bool { return len(deadLettersOf(t, o, DeadFilter{Stage: StageLoad})) == 1 })
}

func TestNearlyFullVolumeClosesTheIntake(t *testing.T) {
	d := &diskWatch{dir: t.TempDir(), log: discard(), m: newMetrics(buildInfo{})}
	if err := d.look(); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[uint64]uint64{1 << 20: 64 << 20, 10 << 30: 512 << 20, 1 << 40: 1 << 30} {
		if got := reserve(size); got != want {
			t.Errorf("reserve of %d is %d, want %d", size, got, want)
		}
	}
	in := &intake{disk: d}
	d.full.Store(true)
	if err := in.accept(t.Context(), delivery{}, 0); !errors.Is(err, ErrFull) {
		t.Errorf("accept on a full disk: %v, want ErrFull", err)
	}
}

// An error that may be the data's or the store's is retried first, and then bisected.
func TestSuspectErrorIsBisectedInTheEnd(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.load = func(b Batch) error {
		for i := range b.Events {
			if b.Events[i].CallID == "poison" {
				return Suspect(errors.New("code 32"))
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

// DELIVERY.md, rule 17: a redelivered batch is cut where it was cut before, also when it would pass whole by now.
func TestRedeliveredBatchIsCutAtTheSamePlaces(t *testing.T) {
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}}
	cfg.Batch.MaxAge = 300 * time.Millisecond
	c.Config = cfg
	r := start(t, c)
	r.deliver(append(ids("c", 20), "poison")...)
	r.eventually("its neighbours are loaded", func() bool { return s.calls() == 20 })
	o := operator(t, cfg, "a")
	r.eventually("one dead letter", func() bool { return len(deadLettersOf(t, o, DeadFilter{})) == 1 })
	bad.Store(false)
	l := deadLettersOf(t, o, DeadFilter{})[0]
	if err := o.ReplayDead(t.Context(), &l, c.Sinks); err != nil {
		t.Fatal(err)
	}
	// Acks are not durable: after a crash the whole batch may come again.
	if _, err := o.st.js.ResetConsumerToSequence(t.Context(), streamBatches, "a", 1); err != nil {
		t.Fatal(err)
	}
	r.deliver("last")
	r.eventually("the next batch is loaded", func() bool { return s.has("last") })
	r.eventually("everything is acknowledged", func() bool {
		st, err := o.Status(t.Context())
		return err == nil && st.Sinks[0].Pending == 0
	})
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
}

// DELIVERY.md, rule 20: a sink that was removed is named, and holds up no retention.
func TestRemovedSinkIsNamed(t *testing.T) {
	cfg := testConfig(t.TempDir())
	a, b := newStore(), newStore()
	b.load = func(Batch) error { return errors.New("down") }
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"clickhouse", a, 1}, {"elasticsearch", b, 1}}})
	r.deliver("c1")
	r.eventually("loaded", func() bool { return a.calls() == 1 })
	r.stop()
	cfg.Retain = time.Millisecond
	r = start(t, Connector{Config: cfg, Sinks: []Sink{{"clickhouse", a, 1}}})
	if !strings.Contains(r.log.String(), "elasticsearch") {
		t.Errorf("the log does not name the removed sink:\n%s", r.log)
	}
	o := operator(t, cfg, "clickhouse")
	st := statusOf(t, o)
	if len(st.Unused) != 1 || st.Unused[0] != "elasticsearch" {
		t.Errorf("status names %v", st.Unused)
	}
	r.deliver("c2")
	r.eventually("what the removed sink lacks is removed", func() bool {
		return statusOf(t, o).Batches.Messages == 1
	})
}

// What is sealed leaves the intake, the last of it too: a full intake recovers without a new call.
func TestIntakeIsEmptiedBehindTheLastBatch(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	o := operator(t, cfg, "a")
	for i := range 3 {
		r.deliver(fmt.Sprint("c", i)) // the second and third within a second of the first one's purge
		r.eventually("loaded", func() bool { return s.calls() == i+1 })
	}
	r.eventually("the intake is empty", func() bool {
		st, err := o.Status(t.Context())
		return err == nil && st.Intake.Messages == 0
	})
}
