package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// attempts notes when a store was tried, and with which events.
type attempts struct {
	mu     sync.Mutex
	at     []time.Time
	events []string
}

func (a *attempts) note(b Batch) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ids []string
	for i := range b.Events {
		ids = append(ids, b.Events[i].CallID)
	}
	a.at, a.events = append(a.at, time.Now()), append(a.events, strings.Join(ids, ","))
	return len(a.at)
}

// wantGaps checks that each wait is at least half of the one that backoff doubles.
func (a *attempts) wantGaps(t *testing.T, n int) {
	t.Helper()
	if len(a.at) != n {
		t.Fatalf("%d attempts, want %d", len(a.at), n)
	}
	least := 50 * time.Millisecond
	for i := 1; i < n; i++ {
		if gap := a.at[i].Sub(a.at[i-1]); gap < least {
			t.Errorf("attempt %d came %s after the one before, want %s at least", i+1, gap, least)
		}
		least *= 2
	}
}

// What a busy store sends back is tried again alone, later and later: its neighbours are stored.
func TestBusyEventsAloneAreTriedAgainWithBackoff(t *testing.T) {
	t.Parallel()
	s := newStore()
	var tries attempts
	s.load = func(b Batch) error {
		if tries.note(b) == 5 {
			return nil
		}
		p := &PartialError{Retry: map[int]error{}}
		for i := range b.Events {
			if b.Events[i].CallID == "c003" || b.Events[i].CallID == "c005" {
				p.Retry[i] = errors.New("status 429")
			}
		}
		return p
	}
	r := start(t, Connector{Config: eights(t), Sinks: []Sink{{"a", s, 1}}})
	r.deliver(ids("c", 9)...)
	r.eventually("all is loaded", func() bool { return s.calls() == 8 })
	tries.wantGaps(t, 5)
	for i, events := range tries.events {
		if want := map[bool]string{true: "c000,c001,c002,c003,c004,c005,c006,c007", false: "c003,c005"}[i == 0]; events != want {
			t.Errorf("attempt %d is at %s, want %s", i+1, events, want)
		}
	}
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
}

// A store that fails is not hammered.
func TestFailedLoadIsTriedAgainWithBackoff(t *testing.T) {
	t.Parallel()
	s := newStore()
	var tries attempts
	s.load = func(b Batch) error {
		if tries.note(b) < 5 {
			return errors.New("HTTP 503")
		}
		return nil
	}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1")
	r.eventually("it is loaded", func() bool { return s.calls() == 1 })
	tries.wantGaps(t, 5)
}

func TestBackoffDoublesWithJitterUpToItsLimit(t *testing.T) {
	for attempt, want := range map[int]time.Duration{1: 100, 2: 200, 4: 800, 7: 5000, 100: 5000} {
		want *= time.Millisecond
		seen := map[time.Duration]bool{}
		for range 50 {
			d := backoff(attempt, 100*time.Millisecond, 5*time.Second)
			if d < want/2 || d > want {
				t.Errorf("attempt %d waits %s, want %s to %s", attempt, d, want/2, want)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("attempt %d waits %d different times of 50: no jitter", attempt, len(seen))
		}
	}
}

func TestKeepTrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		calls, begin := 0, time.Now()
		f := func() error {
			if calls++; calls < 4 {
				return fmt.Errorf("down %d", calls)
			}
			return nil
		}
		err := keepTrying(t.Context(), time.Second, f, func(attempt int, err error) { log = append(log, fmt.Sprint(attempt, " ", err)) })
		if got := strings.Join(log, ", "); err != nil || got != "1 down 1, 2 down 2, 3 down 3" {
			t.Errorf("%v after %s", err, got)
		}
		if waited := time.Since(begin); waited < 3500*time.Millisecond || waited > 7*time.Second {
			t.Errorf("it waited %s between 4 attempts, want 1 s, 2 s and 4 s at most, and half of that at least", waited)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := keepTrying(ctx, time.Second, func() error { return errors.New("down") }, func(int, error) {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("at the end of its context: %v", err)
		}
	})
}
