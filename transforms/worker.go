package transforms

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// worker keeps one process of a plugin running.
type worker struct {
	plugin   *Plugin
	closing  context.Context // ends with Plugin.Close, and with it a start that is under way
	starting chan struct{}   // holds a token while a process is being started
	calls    atomic.Int64    // under way

	mu        sync.Mutex
	current   *process
	failures  int       // since the last success
	notBefore time.Time // of the next start
}

// call hands a batch to the process, which has to answer within limit. It returns the version of the plugin that answered.
func (w *worker) call(ctx context.Context, batch []Encoded, limit time.Duration) ([]Encoded, string, error) {
	w.calls.Add(1)
	defer w.calls.Add(-1)
	proc, err := w.running(ctx)
	if err != nil {
		return nil, "", err
	}
	p, began := w.plugin, time.Now()
	within, cancel := context.WithTimeoutCause(ctx, limit, ErrPluginTimeout)
	defer cancel()
	out, err := callTransform(within, proc.conn, batch)
	switch {
	case err == nil:
		w.succeeded(proc)
		return out, proc.version, nil
	case errors.Is(within.Err(), context.Canceled):
		return nil, "", context.Cause(ctx)
	case within.Err() != nil, errors.Is(err, context.DeadlineExceeded) && nearDeadline(within):
		w.discard(proc, &p.stats.hung)
		return nil, "", p.errorf("%w: %d events in %s", ErrPluginTimeout, len(batch), time.Since(began).Round(time.Millisecond))
	case errors.Is(err, ErrPluginGone):
		err = proc.ended(err)
		w.discard(proc, &p.stats.crashed)
	}
	return nil, "", p.errorf("%w", err)
}

// nearDeadline reports whether the plugin's clock can have seen the deadline of ctx pass before ours did.
func nearDeadline(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < 100*time.Millisecond
}

// burden is how long a call would wait, in calls: those under way, and many where a process has to be started first.
func (w *worker) burden() int64 {
	n := w.calls.Load()
	if w.living() == nil {
		n += 1 << 20
	}
	return n
}

// running returns the living process, or starts one.
func (w *worker) running(ctx context.Context) (*process, error) {
	if proc := w.alive(); proc != nil {
		return proc, nil
	}
	select {
	case w.starting <- struct{}{}:
		defer func() { <-w.starting }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p := w.plugin
	if w.closing.Err() != nil {
		return nil, p.errorf("%w", ErrClosed)
	}
	if proc := w.alive(); proc != nil {
		return proc, nil // somebody else started it meanwhile
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.closing, cancel)()
	if err := w.pause(ctx); err != nil {
		return nil, err
	}
	proc, err := startProcess(ctx, p.spec)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			w.failed()
		}
		if errors.Is(err, ErrPluginMemory) {
			p.stats.oversized.Add(1)
		}
		return nil, fmt.Errorf("start plugin %s: %w: %w", p.spec.Name, ErrPluginGone, err)
	}
	p.started(proc)
	w.current = proc
	return proc, nil
}

// living returns the current process, unless it has died.
func (w *worker) living() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current == nil || w.current.dead() {
		return nil
	}
	return w.current
}

// alive returns the current process, after parting with one that has died.
func (w *worker) alive() *process {
	w.mu.Lock()
	proc := w.current
	w.mu.Unlock()
	if proc != nil && proc.dead() {
		w.discard(proc, &w.plugin.stats.crashed)
		return nil
	}
	return proc
}

// discard kills the process and counts a failure and its kind, once however many calls it failed.
func (w *worker) discard(proc *process, kind *atomic.Uint64) {
	w.mu.Lock()
	if w.current == proc {
		w.current = nil
		w.failed()
		if proc.over.Load() > 0 {
			kind = &w.plugin.stats.oversized
		}
		kind.Add(1)
	}
	w.mu.Unlock()
	proc.kill()
}

func (w *worker) succeeded(proc *process) {
	w.mu.Lock()
	if w.current == proc {
		w.failures = 0
	}
	w.mu.Unlock()
}

// stop ends the process. No other is started.
func (w *worker) stop() {
	w.starting <- struct{}{} // a start under way has ended now, and no other begins
	defer func() { <-w.starting }()
	w.mu.Lock()
	proc := w.current
	w.current = nil
	w.mu.Unlock()
	if proc != nil {
		proc.stop()
	}
}

// The pauses before a start, after the first failure, double from minPause to maxPause.
const minPause, maxPause = 100 * time.Millisecond, 5 * time.Second

// failed sets when the next start may be: at once after the first failure, which is all that a batch being bisected
// needs, later from the second on. The caller holds mu.
func (w *worker) failed() {
	w.failures++
	if w.failures < 2 {
		w.notBefore = time.Time{}
		return
	}
	d := min(minPause<<min(w.failures-2, 10), maxPause)
	w.notBefore = time.Now().Add(d/2 + rand.N(d/2))
}

func (w *worker) pause(ctx context.Context) error {
	w.mu.Lock()
	d := time.Until(w.notBefore)
	w.mu.Unlock()
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		if w.closing.Err() != nil {
			return w.plugin.errorf("%w", ErrClosed)
		}
		return context.Cause(ctx)
	}
}
