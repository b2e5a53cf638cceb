package connector

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// exclusiveStore is a store whose loads must not overlap; it counts those that do.
type exclusiveStore struct {
	*store
	under, overlaps atomic.Int32
}

func (s *exclusiveStore) Exclusive() bool { return true }

func (s *exclusiveStore) Load(ctx context.Context, b Batch) error {
	if s.under.Add(1) > 1 {
		s.overlaps.Add(1)
	}
	defer s.under.Add(-1)
	time.Sleep(20 * time.Millisecond)
	return s.store.Load(ctx, b)
}

// DELIVERY.md, rule 10: one batch at a time, whatever the number of workers says, and over all pods.
func TestExclusiveSinkHasOneBatchAtATime(t *testing.T) {
	s := &exclusiveStore{store: newStore()}
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxEvents, cfg.Batch.MaxAge = 1, time.Millisecond
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 8}}})
	r.deliver(ids("c", 40)...)
	r.eventually("all is loaded", func() bool { return s.calls() == 40 })
	if n := s.overlaps.Load(); n > 0 {
		t.Errorf("%d loads overlapped another", n)
	}
	c, err := operator(t, cfg, "a").st.batches.Consumer(t.Context(), "a")
	if err != nil || c.CachedInfo().Config.MaxAckPending != 1 {
		t.Errorf("the consumer hands out %d batches at once (%v)", c.CachedInfo().Config.MaxAckPending, err)
	}
}

// Tools load into the same store from another process: not beside the sink, nor beside each other.
func TestToolsLoadIntoAnExclusiveSinkAlone(t *testing.T) {
	t.Parallel()
	s := &exclusiveStore{store: newStore()}
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxEvents, cfg.Batch.MaxAge = 1, time.Millisecond
	sink := Sink{"a", s, 1}
	r := start(t, Connector{Config: cfg, Sinks: []Sink{sink}})
	r.deliver(append(ids("c", 5), "poison")...)
	o := operator(t, cfg, "a")
	r.eventually("one dead letter", func() bool { return s.calls() == 5 && len(deadLettersOf(t, o, DeadFilter{})) == 1 })
	bad.Store(false)
	dead := deadLettersOf(t, o, DeadFilter{})[0]
	var wg sync.WaitGroup
	for _, id := range []string{"r1", "r2"} {
		op := operator(t, cfg, "a")
		wg.Go(func() {
			if res, err := op.Replay(t.Context(), sink, id, time.Now().Add(-time.Hour), time.Time{}, nil); err != nil || res.Batches == 0 {
				t.Errorf("replay %s: %+v, %v", id, res, err)
			}
		})
	}
	wg.Go(func() {
		if err := o.ReplayDead(t.Context(), &dead, []Sink{sink}); err != nil {
			t.Error(err)
		}
	})
	r.deliver(ids("d", 30)...)
	wg.Wait()
	r.eventually("the sink goes on", func() bool { return s.calls() == 36 })
	if n := s.overlaps.Load(); n > 0 {
		t.Errorf("%d loads overlapped another", n)
	}
}

// A tool doesn't load while the sink is at a batch, and gives up in the end.
func TestToolWaitsForTheBatchThatTheSinkIsAt(t *testing.T) {
	t.Parallel()
	s := &exclusiveStore{store: newStore()}
	stuck := make(chan struct{})
	s.load = func(Batch) error { <-stuck; return nil }
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1")
	o := operator(t, cfg, "a")
	r.eventually("the sink is at it", func() bool { return s.under.Load() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	called := false
	if err := o.alone(ctx, &Sink{"a", s, 1}, func(context.Context) error { called = true; return nil }); err == nil || called {
		t.Errorf("it was let in: %v", err)
	}
	close(stuck)
	r.eventually("loaded", func() bool { return s.calls() == 1 })
	r.deliver("c2") // the sink was let go
	r.eventually("the next is loaded", func() bool { return s.calls() == 2 })
}

// The sink stands still for as long as the tool takes, which is longer than one pause.
func TestSinkStandsStillWhileAToolLoads(t *testing.T) {
	t.Parallel()
	s := &exclusiveStore{store: newStore()}
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	h := &hold{st: operator(t, cfg, "a").st, name: "a", still: time.Second}
	err := h.run(t.Context(), func(ctx context.Context) error {
		r.deliver("c1")
		if err := sleep(ctx, 3*time.Second); err != nil {
			return err
		}
		if s.calls() > 0 {
			t.Error("the sink loaded meanwhile")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("it is loaded then", func() bool { return s.calls() == 1 })
	// A tool that dies holds it up for the length of a pause only.
	if err := h.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.deliver("c2")
	r.eventually("it is loaded then", func() bool { return s.calls() == 2 })
}

// A tool whose lease is gone must not go on.
func TestToolEndsWhereItCanNotKeepTheSinkStill(t *testing.T) {
	t.Parallel()
	s := &exclusiveStore{store: newStore()}
	cfg := testConfig(t.TempDir())
	start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	h := &hold{st: operator(t, cfg, "a").st, name: "a", still: time.Second}
	err := h.run(t.Context(), func(ctx context.Context) error {
		if err := h.kv.Purge(ctx, "a"); err != nil {
			t.Error(err)
		}
		return sleep(ctx, 10*time.Second)
	})
	if err == nil || !strings.Contains(err.Error(), "can't be kept still") {
		t.Errorf("it went on: %v", err)
	}
}
