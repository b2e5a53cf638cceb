package connector

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// eights makes batches of eight events; the ninth closes the first.
func eights(t *testing.T) Config {
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge, cfg.Batch.MaxEvents = time.Minute, 8
	return cfg
}

var errMemory = errors.New("code 241: memory limit")

// DELIVERY.md, rule 18: what is too much for the store is tried again, then halved, and never dies of it.
func TestExhaustedStoreIsTriedAgainAndThenTheBatchIsHalved(t *testing.T) {
	t.Parallel()
	s := newStore()
	var mu sync.Mutex
	var order []string // tokens of the attempts
	s.load = func(b Batch) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, b.Token)
		if len(b.Events) > 4 {
			return Exhausted(errMemory)
		}
		return nil
	}
	cfg := eights(t)
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver(ids("c", 9)...)
	r.eventually("all is loaded", func() bool { return s.calls() == 8 })
	mu.Lock()
	defer mu.Unlock()
	for i, token := range order {
		if (token == order[0]) != (i < exhaustedPatience) {
			t.Fatalf("attempts %v, want %d at the whole batch and then one at each half", order, exhaustedPatience)
		}
	}
	if len(order) != exhaustedPatience+2 || len(s.twice()) > 0 {
		t.Errorf("%d attempts, loaded twice: %v", len(order), s.twice())
	}
	if got := r.metric(`postcall_events_dead_total{sink="a",stage="load"}`); got != "" {
		t.Errorf("%s events died", got)
	}
}

// A server that is short of memory for a moment makes no cut.
func TestPassingShortageHalvesNothing(t *testing.T) {
	t.Parallel()
	s := newStore()
	var n atomic.Int32
	s.load = func(Batch) error {
		if n.Add(1) < exhaustedPatience {
			return Exhausted(errMemory)
		}
		return nil
	}
	cfg := eights(t)
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver(ids("c", 9)...)
	r.eventually("all is loaded", func() bool { return s.calls() == 8 })
	if len(s.loads) != 1 || n.Load() != exhaustedPatience {
		t.Errorf("%d attempts, loaded as %d inserts, want one", n.Load(), len(s.loads))
	}
}

// A single event has no halves: it waits for the store with an alarm, and what is behind it as well.
func TestSingleEventIsTriedForEver(t *testing.T) {
	t.Parallel()
	s := newStore()
	var short atomic.Bool
	short.Store(true)
	s.load = func(Batch) error {
		if short.Load() {
			return Exhausted(errMemory)
		}
		return nil
	}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", canaryStore{s, func() error { return nil }}, 1}}})
	r.deliver("huge")
	r.eventually("the alarm", func() bool {
		n := r.metric(`postcall_alarms_total{kind="exhausted"}`)
		return n != "" && n != "1"
	})
	if got := r.metric(`postcall_events_dead_total{sink="a",stage="load"}`); got != "" {
		t.Errorf("%s events died", got)
	}
	short.Store(false)
	r.eventually("it is loaded", func() bool { return s.has("huge") })
}

// A batch out of which an event is erased while it waits is cut where it was cut before, too.
func TestRedeliveredBatchWithAnErasedEventIsCutAtTheSamePlaces(t *testing.T) {
	t.Parallel()
	s := newStore()
	var short atomic.Bool
	short.Store(true)
	tried, erased := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(tried); <-erased })
	s.load = func(b Batch) error {
		first()
		if short.Load() && len(b.Events) > 4 {
			return Exhausted(errMemory)
		}
		return nil
	}
	cfg := eights(t)
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	o := operator(t, cfg, "a")
	r.deliver(ids("c", 9)...)
	<-tried
	if err := o.st.erase(t.Context(), erasure{Hash: callHash(cfg.RedactKeys()[0], defaultTenant, "c002"), At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // it is followed
	close(erased)
	r.eventually("the others are loaded", func() bool { return s.calls() == 7 })
	short.Store(false)
	// Acks are not durable: after a crash the whole batch may come again.
	if _, err := o.st.js.ResetConsumerToSequence(t.Context(), streamBatches, "a", 1); err != nil {
		t.Fatal(err)
	}
	r.deliver(ids("d", 8)...)
	r.eventually("the next batch is loaded", func() bool { return s.has("d006") })
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
}

func TestPatienceWithABatch(t *testing.T) {
	outage, suspect, exhausted := errors.New("connection refused"), Suspect(errMemory), Exhausted(errMemory)
	many := func(n int, err error) (errs []error) {
		for range n {
			errs = append(errs, err)
		}
		return errs
	}
	f := func(what string, doubted bool, errs []error, halves, refused, stuck bool) {
		t.Helper()
		k := strikes{doubted: doubted}
		for _, err := range errs {
			k.count(err)
		}
		last := errs[len(errs)-1]
		if h, r, s := k.halves(last), k.refused(last), k.stuck(last); h != halves || r != refused || s != stuck {
			t.Errorf("%s: halves %v, refused %v, stuck %v", what, h, r, s)
		}
	}
	f("an outage", false, many(100, outage), false, false, false)
	f("refused", false, many(1, Refused(errMemory)), true, true, false)
	f("too large", false, many(1, TooLarge(errMemory)), true, false, false)
	f("too large for ever", false, many(exhaustedPatience, TooLarge(errMemory)), true, false, true)
	f("exhausted a few times", false, many(exhaustedPatience-1, exhausted), false, false, false)
	f("exhausted", false, many(exhaustedPatience, exhausted), true, false, true)
	f("exhausted after an outage", false, append(many(100, outage), exhausted), false, false, false)
	f("an outage after that", false, append(many(100, exhausted), outage), false, false, false)
	f("suspect a few times", false, many(suspectPatience-1, suspect), false, false, false)
	f("suspect", false, many(suspectPatience, suspect), true, true, false)
	f("suspect after an outage", false, append(many(100, outage), suspect), false, false, false)
	f("a half of a suspect batch", true, many(1, suspect), true, false, false)
	f("the last event of a suspect batch", true, many(soleSuspect, suspect), true, true, false)
	f("a half of a suspect batch, exhausted", true, many(1, exhausted), false, false, false)
}
