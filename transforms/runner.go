package transforms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// execRunner runs a plugin's process for go-plugin, which by itself would hand on the host's stdin, kill only the one
// process, wait forever for a grandchild that holds stdout, take the first line on stdout for the handshake whatever it
// is, and stop reading stdout at a long line.
type execRunner struct {
	cmd                  *exec.Cmd
	stdoutLog, stderrLog *lineLog
	last                 *tail // of stderr, for the error of a failed start

	stdin          *os.File // held open: the plugin sees its end when the host dies
	stdout, stderr *os.File
	handshake      *io.PipeReader
	exited         chan struct{} // closed when the process is gone and its group killed
	waitErr        error         // valid after exited

	mu              sync.Mutex
	started, killed bool
}

var _ runner.Runner = (*execRunner)(nil)

// drainTimeout is how long the output of a dead plugin is still read, where a process it left behind holds it open.
const drainTimeout = 300 * time.Millisecond

// inherited are the variables of the host that a plugin sees.
var inherited = []string{"PATH", "TZ", "LANG"}

func newRunner(spec Spec, path, dir string) *execRunner {
	log := spec.Logger.With("plugin", spec.Name)
	r := &execRunner{
		cmd:       exec.Command(path, spec.Args...),
		stdoutLog: newLineLog(log, spec.limits, "stdout"),
		stderrLog: newLineLog(log, spec.limits, "stderr"),
		last:      new(tail),
		exited:    make(chan struct{}),
	}
	r.stderrLog.also = r.last.add
	r.cmd.Dir = dir
	r.cmd.Env = []string{stdinVariable + "=" + stdinHold}
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			r.cmd.Env = append(r.cmd.Env, name+"="+v)
		}
	}
	if spec.Memory > 0 { // a plugin in Go then collects its garbage before it is killed for it
		r.cmd.Env = append(r.cmd.Env, fmt.Sprintf("GOMEMLIMIT=%d", spec.Memory/10*9))
	}
	// A Go plugin's garbage comes in bursts of a batch: collecting it at half of Go's default pace of growth is a fifth less
	// memory for some 2 % of its CPU. A spec's own GOGC follows, and wins.
	r.cmd.Env = append(r.cmd.Env, "GOGC=50")
	r.cmd.Env = append(r.cmd.Env, spec.Env...)
	ownGroup(r.cmd)
	return r
}

// Start starts the process with pipes of its own.
func (r *execRunner) Start(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killed {
		return context.Canceled
	}
	var files []*os.File // ours and theirs, in turn
	for range 3 {
		read, write, err := os.Pipe()
		if err != nil {
			closeAll(files...)
			return err
		}
		files = append(files, read, write)
	}
	theirs := []*os.File{files[0], files[3], files[5]}
	r.stdin, r.stdout, r.stderr = files[1], files[2], files[4]
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = theirs[0], theirs[1], theirs[2]
	err := r.cmd.Start()
	closeAll(theirs...)
	if err != nil {
		closeAll(r.stdin, r.stdout, r.stderr)
		return err
	}
	r.started = true
	go r.reap()
	r.readStdout()
	return nil
}

// reap waits for the process, kills what is left of its group, and closes the pipes after what they still hold was read.
func (r *execRunner) reap() {
	r.waitErr = r.cmd.Wait()
	r.mu.Lock()
	r.killed = true
	killGroup(r.cmd.Process)
	r.mu.Unlock()
	close(r.exited)
	time.AfterFunc(drainTimeout, func() { closeAll(r.stdin, r.stdout, r.stderr) })
}

// readStdout finds the line of the handshake and logs the others, for as long as there are any.
func (r *execRunner) readStdout() {
	read, write := io.Pipe()
	r.handshake = read
	shaken := false
	lines := &lineLog{emit: func(line []byte) {
		if !shaken && isHandshake(line) {
			shaken = true
			_, _ = fmt.Fprintf(write, "%s\n", line)
			return
		}
		_, _ = r.stdoutLog.Write(append(line, '\n'))
	}}
	go func() {
		_, _ = io.Copy(lines, r.stdout)
		lines.flush()
		_ = write.Close()
	}()
}

// isHandshake recognizes a line like 1|1|unix|/tmp/plugin1|grpc|CERTIFICATE.
func isHandshake(line []byte) bool {
	parts := bytes.SplitN(line, []byte("|"), 5)
	if len(parts) < 4 {
		return false
	}
	_, err := strconv.Atoi(string(parts[0]))
	return err == nil && (string(parts[2]) == "unix" || string(parts[2]) == "tcp")
}

// Kill kills the whole process group. It doesn't wait.
func (r *execRunner) Kill(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started && !r.killed {
		killGroup(r.cmd.Process)
	}
	r.killed = r.killed || !r.started
	return nil
}

// Wait returns when the process is gone.
func (r *execRunner) Wait(context.Context) error {
	<-r.exited
	return r.waitErr
}

// exit says how the process ended; it is valid once exited is closed.
func (r *execRunner) exit() error {
	if r.waitErr == nil {
		return errors.New("it ended by itself")
	}
	return r.waitErr
}

func (r *execRunner) pid() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return 0
	}
	return r.cmd.Process.Pid
}

// explain puts the error of a failed start in words and adds what the plugin last said.
func (r *execRunner) explain(err error) error {
	msg, _, _ := strings.Cut(err.Error(), "\n") // go-plugin adds a page of advice
	if strings.HasPrefix(msg, "Unrecognized remote plugin message") || strings.HasPrefix(msg, "plugin exited") {
		msg = "it ended without a handshake: is it a plugin?"
	}
	if last := r.last.String(); last != "" {
		msg += "; its last words: " + last
	}
	return &startError{msg, err}
}

type startError struct {
	msg string
	err error
}

func (e *startError) Error() string { return e.msg }
func (e *startError) Unwrap() error { return e.err }

// The rest of runner.Runner.

func (r *execRunner) Stdout() io.ReadCloser           { return r.handshake }
func (r *execRunner) Stderr() io.ReadCloser           { return r.stderr }
func (r *execRunner) Name() string                    { return r.cmd.Path }
func (r *execRunner) Diagnose(context.Context) string { return "" }

func (r *execRunner) ID() string {
	if pid := r.pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

func (r *execRunner) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

func (r *execRunner) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
