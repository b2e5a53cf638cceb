package transforms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Spec says which plugin to run and how.
type Spec struct {
	Name     string          // what the operator calls it; in logs, errors and every event's transforms
	Path     string          // of its executable file, or of its folder (see Executable), absolute
	Args     []string        // its arguments, rarely any
	Settings json.RawMessage // a JSON object, handed over once over the encrypted channel; nil is the same as {}
	SHA256   []byte          // what Checksum(Path) must be at each start of a process; nil checks nothing
	// Env holds NAME=value pairs for the plugin's process. Of the host's own environment it sees PATH, TZ and LANG only.
	Env []string

	Timeout      time.Duration // for one batch, after which the plugin is killed; 0 is 30 s
	StartTimeout time.Duration // for a start with Configure; 0 is 15 s

	Logger *slog.Logger // for what the plugin writes; nil discards it
}

// Plugin runs a transform in a process of its own. It is itself a Transformer, safe for concurrent use.
//
// A plugin that dies, or doesn't answer in time and is killed, fails the calls it had with ErrPluginGone or
// ErrPluginTimeout; nothing of their batches is decided. The next call starts it anew: at once after a success, with
// growing pauses otherwise.
type Plugin struct {
	spec     Spec
	starting chan struct{}   // holds a token while a process is being started
	closing  context.Context // ends with Close, and with it a start that is under way
	close    context.CancelFunc

	mu        sync.Mutex
	current   *process
	version   string
	failures  int       // since the last success
	notBefore time.Time // of the next start
}

var _ Transformer = (*Plugin)(nil)

// Open starts the plugin and configures it. What is wrong with its path, checksum or settings shows here. Close it.
func Open(ctx context.Context, spec Spec) (*Plugin, error) {
	if spec.Timeout <= 0 {
		spec.Timeout = 30 * time.Second
	}
	if spec.StartTimeout <= 0 {
		spec.StartTimeout = 15 * time.Second
	}
	if spec.Logger == nil {
		spec.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Plugin{spec: spec, starting: make(chan struct{}, 1)}
	p.closing, p.close = context.WithCancel(context.Background())
	if _, err := p.running(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// Transform hands the batch to the plugin and checks the answer; see Transformer for what it must hold. It leaves batch
// as it is. An error is permanent (IsPermanent) where this batch would fail again, and then the rest of it may pass
// without the event that is at fault.
//
// When Spec.Timeout or a deadline of ctx passes, the plugin is killed: the only way to end a transform that hangs. When
// ctx is canceled, it is told and lives on.
func (p *Plugin) Transform(ctx context.Context, batch []Event) ([]Event, error) {
	if len(batch) == 0 {
		return batch, ctx.Err()
	}
	return p.transform(ctx, batch)
}

// Ping checks by an empty batch that the plugin works; a plugin that hangs still answers health checks.
func (p *Plugin) Ping(ctx context.Context) error {
	_, err := p.transform(ctx, nil)
	return err
}

// Name returns what the operator calls the plugin.
func (p *Plugin) Name() string { return p.spec.Name }

// Version returns the version that the plugin last reported.
func (p *Plugin) Version() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version
}

// PID returns the process id of the plugin, or 0 while it isn't running.
func (p *Plugin) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || p.current.dead() {
		return 0
	}
	return p.current.runner.pid()
}

// Close ends the plugin: it may finish for two seconds, then its process group is killed. Calls under way fail.
func (p *Plugin) Close() error {
	p.close()
	p.starting <- struct{}{} // a start under way has ended now, and no other begins
	defer func() { <-p.starting }()
	p.mu.Lock()
	proc := p.current
	p.current = nil
	p.mu.Unlock()
	if proc != nil {
		proc.stop()
	}
	return nil
}

func (p *Plugin) transform(ctx context.Context, batch []Event) ([]Event, error) {
	proc, err := p.running(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	within, cancel := context.WithTimeoutCause(ctx, p.spec.Timeout, ErrPluginTimeout)
	defer cancel()
	out, err := callTransform(within, proc.conn, batch)
	switch {
	case err == nil:
		p.succeeded(proc)
		return checkAnswer(p.spec.Name, proc.version, batch, out)
	case errors.Is(within.Err(), context.Canceled):
		return nil, context.Cause(ctx)
	case within.Err() != nil, errors.Is(err, context.DeadlineExceeded) && nearDeadline(within):
		p.discard(proc)
		return nil, fmt.Errorf("plugin %s: %w: %d events in %s", p.spec.Name, ErrPluginTimeout, len(batch), time.Since(began).Round(time.Millisecond))
	case errors.Is(err, ErrPluginGone):
		p.discard(proc)
	}
	return nil, fmt.Errorf("plugin %s: %w", p.spec.Name, err)
}

// nearDeadline reports whether the plugin's clock can have seen the deadline of ctx pass before ours did.
func nearDeadline(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < 100*time.Millisecond
}

// running returns the living process, or starts one.
func (p *Plugin) running(ctx context.Context) (*process, error) {
	if proc := p.alive(); proc != nil {
		return proc, nil
	}
	select {
	case p.starting <- struct{}{}:
		defer func() { <-p.starting }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if p.closing.Err() != nil {
		return nil, fmt.Errorf("plugin %s: %w", p.spec.Name, ErrClosed)
	}
	if proc := p.alive(); proc != nil {
		return proc, nil // somebody else started it meanwhile
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.closing, cancel)()
	if err := p.pause(ctx); err != nil {
		return nil, err
	}
	proc, err := startProcess(ctx, p.spec)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			p.failed()
		}
		return nil, fmt.Errorf("start plugin %s: %w: %w", p.spec.Name, ErrPluginGone, err)
	}
	p.current, p.version = proc, proc.version
	return proc, nil
}

// alive returns the current process, after parting with one that has died.
func (p *Plugin) alive() *process {
	p.mu.Lock()
	proc := p.current
	p.mu.Unlock()
	if proc != nil && proc.dead() {
		p.discard(proc)
		return nil
	}
	return proc
}

// discard kills the process and counts a failure, once however many calls it failed.
func (p *Plugin) discard(proc *process) {
	p.mu.Lock()
	if p.current == proc {
		p.current = nil
		p.failed()
	}
	p.mu.Unlock()
	proc.kill()
}

func (p *Plugin) succeeded(proc *process) {
	p.mu.Lock()
	if p.current == proc {
		p.failures = 0
	}
	p.mu.Unlock()
}

// The pauses before a start, after the first failure, double from minPause to maxPause.
const minPause, maxPause = 100 * time.Millisecond, 5 * time.Second

// failed sets when the next start may be: at once after the first failure, which is all that a batch being bisected
// needs, later from the second on. The caller holds mu.
func (p *Plugin) failed() {
	p.failures++
	if p.failures < 2 {
		p.notBefore = time.Time{}
		return
	}
	d := min(minPause<<min(p.failures-2, 10), maxPause)
	p.notBefore = time.Now().Add(d/2 + rand.N(d/2))
}

func (p *Plugin) pause(ctx context.Context) error {
	p.mu.Lock()
	d := time.Until(p.notBefore)
	p.mu.Unlock()
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		if p.closing.Err() != nil {
			return fmt.Errorf("plugin %s: %w", p.spec.Name, ErrClosed)
		}
		return context.Cause(ctx)
	}
}
