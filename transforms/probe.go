package transforms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"time"

	"google.golang.org/grpc"

	"github.com/postcall/postcall/transforms/wire"
)

// ProtocolVersion is the version of wire/transform.proto that this package speaks.
const ProtocolVersion = protocolVersion

// Probe is one process of a plugin, as it is: it isn't started again, and its answers aren't checked. It is meant for
// tests of plugins (package transformtest); a Plugin is what runs transforms. It is safe for concurrent use.
type Probe struct {
	spec Spec
	proc *process
}

// OpenProbe starts the plugin and configures it, as Open does. Close it.
func OpenProbe(ctx context.Context, spec Spec) (*Probe, error) {
	if spec.StartTimeout <= 0 {
		spec.StartTimeout = 30 * time.Second
	}
	if spec.Logger == nil {
		spec.Logger = slog.New(slog.DiscardHandler)
	}
	proc, err := startProcess(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("start plugin %s: %w", spec.Name, err)
	}
	return &Probe{spec, proc}, nil
}

// Exchange hands a serialized wire.Events message to the plugin and returns the message it answers. It keeps nothing of
// message. Errors are those of Plugin.Transform; nothing is killed when ctx ends.
func (p *Probe) Exchange(ctx context.Context, message []byte) ([]byte, error) {
	answer, err := exchange(ctx, p.proc.conn, message)
	if errors.Is(err, ErrPluginGone) {
		return nil, p.proc.runner.explain(p.proc.ended(err))
	}
	return answer, err
}

// Name returns the name that the plugin reported.
func (p *Probe) Name() string { return p.proc.name }

// Version returns the version that the plugin reported.
func (p *Probe) Version() string { return p.proc.version }

// PID returns the process id of the plugin.
func (p *Probe) PID() int { return p.proc.runner.pid() }

// Memory returns the bytes that the process and its children have, as last looked at; 0 where that can't be known.
func (p *Probe) Memory() int64 { return p.proc.memory.Load() }

// Close ends the plugin. An error says that it didn't end by itself within two seconds and was killed.
func (p *Probe) Close() error {
	p.proc.stop()
	select {
	case <-p.proc.runner.exited:
	case <-time.After(killTimeout):
		return fmt.Errorf("plugin %s can't be killed", p.spec.Name)
	}
	var exit *exec.ExitError
	if errors.As(p.proc.runner.waitErr, &exit) && exit.ExitCode() < 0 {
		return fmt.Errorf("plugin %s did not end within %s after it was asked to, and was killed", p.spec.Name, stopTimeout)
	}
	return nil
}

func exchange(ctx context.Context, conn grpc.ClientConnInterface, message []byte) ([]byte, error) {
	var answer raw
	err := conn.Invoke(ctx, wire.Transformer_Transform_FullMethodName, &raw{b: message}, &answer, grpc.ForceCodecV2(wireCodec))
	if err != nil {
		return nil, fromStatus(err)
	}
	return answer.b, nil
}
