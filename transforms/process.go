package transforms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// process is one run of a plugin, started and configured.
type process struct {
	runner  *execRunner
	client  *plugin.Client
	conn    *grpc.ClientConn
	name    string // that it reported, like version
	version string
	dir     string // of its socket, and its working folder

	memory atomic.Int64 // bytes, as last looked at
	over   atomic.Int64 // bytes at which it was killed for them, else 0

	cleaning sync.Once
	gone     chan struct{} // closed when everything of it is cleaned up
}

// folderPrefix begins the name of a plugin's folder, in the folder for temporary files.
const folderPrefix = "postcall-plugin-"

// Times that a plugin gets: to finish by itself, and to be cleaned up after it was killed.
const (
	stopTimeout = 2 * time.Second
	killTimeout = time.Second
)

// startProcess starts and configures the plugin. Whatever fails, nothing of it is left.
func startProcess(ctx context.Context, spec Spec) (*process, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, spec.StartTimeout, fmt.Errorf("not ready within %s", spec.StartTimeout))
	defer cancel()
	path, err := check(spec)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, err
	}
	p := &process{dir: dir, runner: newRunner(spec, path, dir), gone: make(chan struct{})}
	defer context.AfterFunc(ctx, func() { _ = p.runner.Kill(ctx) })()
	go p.watchMemory(spec)
	if err := p.connect(ctx, spec); err != nil {
		p.kill()
		switch {
		case p.over.Load() > 0:
			return nil, p.ended(err)
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		}
		return nil, p.runner.explain(err)
	}
	return p, nil
}

func (p *process) connect(ctx context.Context, spec Spec) error {
	security, certificate, err := clientTLS()
	if err != nil {
		return err
	}
	p.runner.cmd.Env = append(p.runner.cmd.Env, "PLUGIN_CLIENT_CERT="+string(certificate))
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: handshake,
		Plugins:         plugin.PluginSet{"transform": &bridge{}},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			p.runner.cmd.Env = append(p.runner.cmd.Env, cmd.Env...)
			return p.runner, nil
		},
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.dir},
		StartTimeout:     spec.StartTimeout,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		TLSConfig:        security,
		SkipHostEnv:      true,
		GRPCDialOptions:  dialOptions(),
		Logger:           hclog.NewNullLogger(),
		Stderr:           p.runner.stderrLog,
		SyncStdout:       p.runner.stdoutLog,
		SyncStderr:       p.runner.stderrLog,
	})
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	g, ok := protocol.(*plugin.GRPCClient)
	if !ok {
		return errors.New("the plugin does not speak gRPC")
	}
	p.conn = g.Conn
	answer, err := callConfigure(ctx, p.conn, spec.Name, spec.Settings)
	if err != nil {
		return errors.New(status.Convert(err).Message())
	}
	p.name, p.version = answer.GetName(), answer.GetVersion()
	return nil
}

// check finds what is to be run, and what would otherwise show as a plugin that doesn't answer.
func check(spec Spec) (path string, err error) {
	if !filepath.IsAbs(spec.Path) {
		return "", fmt.Errorf("%q is not an absolute path", spec.Path)
	}
	if path, err = executable(spec.Path); err != nil || spec.SHA256 == nil {
		return path, err
	}
	got, err := Checksum(spec.Path)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(got, spec.SHA256) {
		return "", fmt.Errorf("%w: %s has SHA-256 %x, not %x; put the right one back, or accept this one with `postcall plugin lock` and start postcall again",
			ErrNotLocked, spec.Path, got, spec.SHA256)
	}
	return path, nil
}

// ended adds to the error of a call why the process is gone, where that shows soon.
func (p *process) ended(err error) error {
	if over := p.over.Load(); over > 0 {
		return fmt.Errorf("%w: %w: it had %d MiB", ErrPluginGone, ErrPluginMemory, over>>20)
	}
	select {
	case <-p.runner.exited:
		return fmt.Errorf("%w: %w", ErrPluginGone, p.runner.exit())
	case <-time.After(drainTimeout):
		return err
	}
}

func (p *process) dead() bool {
	select {
	case <-p.runner.exited:
		return true
	default:
		return false
	}
}

// stop asks the plugin to end and kills it where it doesn't.
func (p *process) stop() {
	done := p.cleanUp()
	select {
	case <-done:
	case <-time.After(stopTimeout):
		p.kill()
	}
}

// kill kills the plugin's process group and returns when it is cleaned up, or after killTimeout, whichever is first.
func (p *process) kill() {
	_ = p.runner.Kill(context.Background())
	select {
	case <-p.cleanUp():
	case <-time.After(killTimeout):
	}
}

// cleanUp begins, once, to end the process and to remove its folder. go-plugin first asks the plugin to end; this can
// take as long as the plugin lives.
func (p *process) cleanUp() <-chan struct{} {
	p.cleaning.Do(func() {
		go func() {
			defer close(p.gone)
			p.client.Kill()
			_ = os.RemoveAll(p.dir)
		}()
	})
	return p.gone
}
