package transforms

import (
	"errors"
	"sync"
	"testing"
	"time"
)

func TestProcessesShareTheCalls(t *testing.T) {
	p, _ := openFault(t, func(s *Spec) { s.Processes = 3 })
	var wg sync.WaitGroup
	var mu sync.Mutex
	by := map[string]int{}
	for range 6 {
		wg.Go(func() {
			out, err := p.Transform(t.Context(), batchOf("", "pid", ""))
			if err != nil || len(out) != 3 || out[0].CallID != "a" || out[2].CallID != "c" {
				t.Errorf("%d events, error %v", len(out), err)
				return
			}
			mu.Lock()
			by[out[1].LongSummary]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(by) != 3 {
		t.Errorf("calls by process: %v", by)
	}
	if s := p.Stats(); s.Starts != 3 || s.Running != 3 {
		t.Errorf("stats %+v", s)
	}
}

// TestDeathOfOneProcessFailsItsOwnCallsOnly kills one of three while each has a call.
func TestDeathOfOneProcessFailsItsOwnCallsOnly(t *testing.T) {
	p, _ := openFault(t, func(s *Spec) { s.Processes = 3 })
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := p.Transform(t.Context(), batchOf("leak 1")); err != nil { // it takes a second
				t.Errorf("a call in another process: %v", err)
			}
		})
	}
	for p.workers[0].calls.Load() == 0 || p.workers[1].calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := p.Transform(t.Context(), batchOf("die")); !errors.Is(err, ErrPluginGone) {
		t.Errorf("error %v, want ErrPluginGone", err)
	}
	for range 8 { // none of them waits for a start while others live
		if _, err := p.Transform(t.Context(), batchOf("")); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if s := p.Stats(); s.Crashed != 1 || s.Running != 2 || s.Starts != 3 {
		t.Errorf("stats %+v", s)
	}
}
