package connector

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

// Each of these failed before the bug it is about was mended.

func streamDir(dir, name string) string {
	return filepath.Join(dir, "jetstream", "jetstream", "$G", "streams", name)
}

// what is too large as a dead letter stops its consumer for ever.
func TestLargeDamagedBatchStallsNothing(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("before")
	r.eventually("loaded", func() bool { return s.calls() == 1 })
	o := operator(t, cfg, "a")
	at, seq, err := o.st.lastSealed(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	m := sealMessage(subject(subjectBatches, 0), &sealed{Intake: at.Intake, Position: at.Position, Version: at.Version, Counts: at.Counts}, []byte("payload"), nil)
	m.Data = append(m.Data, make([]byte, 6500<<10)...)
	if _, err := o.st.js.PublishMsg(t.Context(), m, jetstream.WithExpectLastSequencePerSubject(seq)); err != nil {
		t.Fatal(err)
	}
	r.deliver("after")
	deadline := time.Now().Add(10 * time.Second)
	for !s.has("after") && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	if !s.has("after") {
		t.Errorf("the sink is stuck behind a damaged batch")
		for l := range strings.Lines(r.log.String()) {
			if strings.Contains(l, "not finished") {
				t.Log(l)
			}
		}
	}
}

// a tool that reads a stream hangs when what it is about to read is purged meanwhile, or its end is deleted.
func TestReadingAStreamThatShrinksEnds(t *testing.T) {
	t.Parallel()
	for name, shrink := range map[string]func(context.Context, jetstream.Stream) error{
		"purged": func(ctx context.Context, st jetstream.Stream) error { return st.Purge(ctx) },
		"end deleted": func(ctx context.Context, st jetstream.Stream) (err error) {
			for seq := uint64(2); seq <= 60; seq++ { // what is fetched ahead says that more is to come
				err = errors.Join(err, st.DeleteMsg(ctx, seq))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, err := openStreams(t.Context(), testConfig(t.TempDir()), discard())
			if err != nil {
				t.Fatal(err)
			}
			defer st.close()
			for range 60 {
				if _, err := st.js.PublishMsg(t.Context(), msgWith(subject(subjectIntake, 0), frameOf(someDeliveries(1)...), "1")); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			n := 0
			err = st.each(ctx, streamIntake, 1, false, func(jetstream.Msg, *jetstream.MsgMetadata) error {
				if n++; n == 1 {
					return shrink(ctx, st.intake)
				}
				return nil
			})
			if err != nil {
				t.Errorf("after %d messages: %v", n, err)
			}
		})
	}
}

// alignIntake reads the stream before the position.
func TestAlignIntakeBesideARunningSealerLosesNothing(t *testing.T) {
	t.Parallel()
	st, err := openStreams(t.Context(), testConfig(t.TempDir()), discard())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var frames, sealedUpTo atomic.Uint64
	var lost atomic.Int32
	wg.Go(func() {
		s := &sealer{st: st, cfg: testConfig(""), m: newMetrics(buildInfo{}), log: discard(), at: sealed{Intake: st.intakeID, Position: position{Seq: 1}}}
		for ctx.Err() == nil {
			ack, err := st.js.PublishMsg(ctx, msgWith(subject(subjectIntake, 0), frameOf(someDeliveries(1)...), "1"))
			if err != nil {
				return
			}
			frames.Store(ack.Sequence)
			next := s.begin()
			next.Position.Seq = ack.Sequence + 1
			if err := s.publish(ctx, next, newPayload(nil)); err != nil {
				return
			}
			sealedUpTo.Store(ack.Sequence)
			// the next frame is there, not sealed yet
			if ack, err = st.js.PublishMsg(ctx, msgWith(subject(subjectIntake, 0), frameOf(someDeliveries(1)...), "1")); err != nil {
				return
			}
			time.Sleep(200 * time.Microsecond)
			if _, err := st.intake.GetMsg(ctx, ack.Sequence); errors.Is(err, jetstream.ErrMsgNotFound) {
				lost.Add(1)
			}
			next = s.begin()
			next.Position.Seq = ack.Sequence + 1
			if err := s.publish(ctx, next, newPayload(nil)); err != nil {
				return
			}
		}
	})
	m := newMetrics(buildInfo{})
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		if err := st.alignIntake(ctx, discard(), m); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
	if lost.Load() > 0 {
		t.Errorf("%d acknowledged frames purged by a second process's start, of %d", lost.Load(), frames.Load())
	}
}

// a dead letter replayed by the tool, with nothing running, into an intake that was rolled back.
func TestReplayIntoARolledBackIntakeArrives(t *testing.T) {
	t.Parallel()
	dir, s := t.TempDir(), newStore()
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
	cfg := testConfig(dir)
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps}
	r := start(t, c)
	r.deliver("old")
	r.eventually("loaded", func() bool { return s.calls() == 1 })
	r.stop()
	intake, saved := streamDir(dir, streamIntake), filepath.Join(t.TempDir(), "saved")
	if err := os.CopyFS(saved, os.DirFS(intake)); err != nil {
		t.Fatal(err)
	}
	r = start(t, c)
	r.deliver("odd")
	r.deliver(ids("mid", 30)...)
	r.eventually("loaded", func() bool { return s.calls() == 31 })
	r.stop()
	if err := errors.Join(os.RemoveAll(intake), os.CopyFS(intake, os.DirFS(saved))); err != nil {
		t.Fatal(err)
	}
	strict.Store(false)
	o := operator(t, cfg, "a")
	ls := deadLettersOf(t, o, DeadFilter{})
	if len(ls) != 1 {
		t.Fatal(ls)
	}
	if err := o.ReplayDead(t.Context(), &ls[0], nil); err != nil {
		t.Fatal(err)
	}
	o.Close()
	r = start(t, c)
	r.deliver("new")
	r.eventually("new", func() bool { return s.has("new") })
	time.Sleep(time.Second)
	if !s.has("odd") {
		t.Errorf("the replayed event is lost; its dead letter is closed")
	}
}

// an orderly stop with a backlog longer than the deadline ends with errors, and waits for no stage.
func TestStopWithABacklogIsOrderly(t *testing.T) {
	t.Parallel()
	s := newStore()
	var in, after atomic.Int32
	var ended atomic.Bool
	s.load = func(Batch) error {
		in.Add(1)
		time.Sleep(300 * time.Millisecond)
		if ended.Load() {
			after.Add(1)
		}
		return nil
	}
	cfg := testConfig(t.TempDir())
	cfg.ShutdownTimeout = 3 * time.Second
	cfg.Batch.MaxEvents = 1
	ctx, cancel := context.WithCancel(t.Context())
	up := make(chan struct{})
	r := &running{t: t, done: make(chan error, 1), log: &lockedBuffer{}}
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Log: slog.New(slog.NewTextHandler(r.log, nil))}
	c.Started = func(h, a net.Addr) { r.url = "http://" + h.String() + WebhookPath; close(up) }
	go func() { r.done <- c.Run(ctx) }()
	<-up
	r.deliver(ids("c", 20)...)
	cancel()
	err := <-r.done
	ended.Store(true)
	time.Sleep(time.Second)
	if err != nil {
		t.Errorf("an orderly stop ends with: %v", err)
	}
	t.Logf("loads running after Run had returned: %d", after.Load())
}

// the stream of sealed batches loses its tail (rule 2: 20 -> 17), the consumers' state does not.
func TestBatchesThatLostTheirTailSwallowNothingNew(t *testing.T) {
	t.Parallel()
	dir, s := t.TempDir(), newStore()
	c := Connector{Config: testConfig(dir), Sinks: []Sink{{"a", s, 1}}}
	one := func(r *running, id string) {
		r.deliver(id)
		r.eventually("loaded "+id, func() bool { return s.has(id) })
	}
	r := start(t, c)
	for _, id := range ids("a", 3) {
		one(r, id)
	}
	r.stop()
	msgs, saved := filepath.Join(streamDir(dir, streamBatches), "msgs"), filepath.Join(t.TempDir(), "saved")
	if err := os.CopyFS(saved, os.DirFS(msgs)); err != nil {
		t.Fatal(err)
	}
	r = start(t, c)
	for _, id := range ids("b", 5) {
		one(r, id)
	}
	r.stop()
	if err := errors.Join(os.RemoveAll(msgs), os.CopyFS(msgs, os.DirFS(saved))); err != nil {
		t.Fatal(err)
	}
	r = start(t, c)
	for _, id := range ids("n", 8) { // one batch each
		r.deliver(id)
		time.Sleep(60 * time.Millisecond)
	}
	time.Sleep(3 * time.Second)
	missing := 0
	for _, id := range ids("n", 8) {
		if !s.has(id) {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of 8 acknowledged calls never reach the sink; pending gauge %q; alarms %q", missing,
			r.metric(`postcall_sink_pending_batches{sink="a"}`), r.metric(`postcall_alarms_total{kind="gap"}`))
	}
}
