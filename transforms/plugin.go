package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
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

	Processes int   // that share the calls; 0 is 1
	Memory    int64 // bytes of one process and its children, above which it is killed; 0 is no bound

	Timeout      time.Duration // for one batch, after which the plugin is killed; 0 is 30 s
	StartTimeout time.Duration // for a start with Configure; 0 is 30 s

	Logger *slog.Logger // for what the plugin writes; nil discards it
	limits *logLimits   // of what is logged of it; nil is no limit
}

// Plugin runs a transform in processes of its own, one unless Spec.Processes says more. It is itself a Transformer, safe
// for concurrent use.
//
// A process that dies, needs too much memory, or doesn't answer in time and is killed, fails the calls it had with
// ErrPluginGone or ErrPluginTimeout; nothing of their batches is decided. The next call starts it anew: at once after a
// success, with growing pauses otherwise.
type Plugin struct {
	spec    Spec
	workers []*worker
	stats   stats
	close   context.CancelFunc

	mu      sync.Mutex
	version string
}

var _ Transformer = (*Plugin)(nil)

// Open starts the plugin's processes and configures them. What is wrong with its path, checksum or settings shows here.
// Close it.
func Open(ctx context.Context, spec Spec) (*Plugin, error) {
	if spec.Timeout <= 0 {
		spec.Timeout = 30 * time.Second
	}
	if spec.StartTimeout <= 0 {
		spec.StartTimeout = 30 * time.Second
	}
	if spec.Logger == nil {
		spec.Logger = slog.New(slog.DiscardHandler)
	}
	closing, end := context.WithCancel(context.Background())
	spec.limits = newLogLimits()
	p := &Plugin{spec: spec, close: end}
	var starts sync.WaitGroup
	errs := make([]error, max(spec.Processes, 1))
	for i := range errs {
		w := &worker{plugin: p, starting: make(chan struct{}, 1), closing: closing}
		p.workers = append(p.workers, w)
		starts.Go(func() { _, errs[i] = w.running(ctx) })
	}
	starts.Wait()
	for _, err := range errs {
		if err != nil { // the others hardly say anything else
			_ = p.Close()
			return nil, err
		}
	}
	return p, nil
}

// Transform hands the batch to the plugin and checks the answer; see Transformer for what it must hold. It leaves batch
// as it is. An error is permanent (IsPermanent) where this batch would fail again, and then the rest of it may pass
// without the event that is at fault.
//
// When Spec.Timeout or a deadline of ctx passes, the process is killed: the only way to end a transform that hangs. When
// ctx is canceled, it is told and lives on.
func (p *Plugin) Transform(ctx context.Context, batch []Event) ([]Event, error) {
	groups, err := p.apply(ctx, encode(batch))
	return flatten(groups), err
}

// apply is Transform for Apply.
func (p *Plugin) apply(ctx context.Context, batch []Encoded) ([][]Encoded, error) {
	if len(batch) == 0 {
		return nil, ctx.Err()
	}
	return p.hand(ctx, batch, p.spec.Timeout)
}

func (p *Plugin) hand(ctx context.Context, batch []Encoded, limit time.Duration) ([][]Encoded, error) {
	out, version, err := p.pick().call(ctx, batch, limit)
	if err != nil {
		return nil, err
	}
	return group(p.spec.Name, &Applied{p.spec.Name, version}, batch, out)
}

// canaryTimeout is how long a plugin may take for a canary, where Spec.Timeout isn't shorter.
const canaryTimeout = 10 * time.Second

// Canary checks that the plugin takes an event with nothing but an id: one that hangs still answers health checks. A
// process that doesn't answer in 10 seconds, or in Spec.Timeout, is killed.
func (p *Plugin) Canary(ctx context.Context) error {
	canary := []Encoded{{Event: Event{Tenant: "postcall", CallID: "canary"}}}
	_, err := p.hand(ctx, canary, min(canaryTimeout, p.spec.Timeout))
	return err
}

// Ping checks by an empty batch that each process answers.
func (p *Plugin) Ping(ctx context.Context) error {
	for _, w := range p.workers {
		if _, _, err := w.call(ctx, nil, p.spec.Timeout); err != nil {
			return err
		}
	}
	return nil
}

// Processes returns how many processes share the plugin's calls.
func (p *Plugin) Processes() int { return len(p.workers) }

// Name returns what the operator calls the plugin.
func (p *Plugin) Name() string { return p.spec.Name }

// Version returns the version that the plugin last reported.
func (p *Plugin) Version() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version
}

// PID returns the process id of the plugin, of its first process where it has several, or 0 while that isn't running.
func (p *Plugin) PID() int {
	if proc := p.workers[0].living(); proc != nil {
		return proc.runner.pid()
	}
	return 0
}

// Close ends the plugin: its processes may finish for two seconds, then their groups are killed. Calls under way fail.
func (p *Plugin) Close() error {
	p.close()
	var wg sync.WaitGroup
	for _, w := range p.workers {
		wg.Go(w.stop)
	}
	wg.Wait()
	return nil
}

// pick chooses the process for a call: one that can begin at once before one that has to be started, the least busy, and
// the first of those.
func (p *Plugin) pick() *worker {
	best, least := p.workers[0], p.workers[0].burden()
	for _, w := range p.workers[1:] {
		if n := w.burden(); n < least {
			best, least = w, n
		}
	}
	return best
}

func (p *Plugin) errorf(format string, args ...any) error {
	return fmt.Errorf("plugin %s: "+format, append([]any{p.spec.Name}, args...)...)
}
