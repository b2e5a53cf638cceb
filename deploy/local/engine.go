package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 3 * time.Minute  // a cold start on a busy machine
	stopTimeout  = 30 * time.Second // then the engine is killed
)

// engine is one server process. It dies with us: the kernel kills it when we end in whatever way (Pdeathsig), and its
// standard input is a pipe of ours, which both engines take the closing of as a request to end.
type engine struct {
	name         string
	addr         string // the address that clients use
	dir          string // its folder, with its log
	argv         []string
	env          []string
	workdir      string
	unprivileged bool           // run as nobody
	stop         syscall.Signal // 0: closing standard input is the request to end
	exports      []string       // what its clients find in their environment
	healthy      func(context.Context) error
	gate         *gate // what listens on addr in front of the engine, or nil

	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{} // closed when the process has ended
	err   error         // why it ended; read after done
}

// start starts the process and waits until it is healthy, it ends or ctx does.
func (e *engine) start(ctx context.Context) error {
	log, err := os.Create(e.log())
	if err != nil {
		return err
	}
	defer log.Close()
	e.cmd = exec.Command(e.argv[0], e.argv[1:]...)
	e.cmd.Dir, e.cmd.Env, e.cmd.Stdout, e.cmd.Stderr = e.workdir, e.env, log, log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if e.unprivileged {
		e.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	if e.stdin, err = e.cmd.StdinPipe(); err != nil {
		return err
	}
	e.done = make(chan struct{})
	started := make(chan error)
	go func() {
		// The kernel's "parent died" means the thread that forked, so this one has to stay.
		runtime.LockOSThread()
		err := e.cmd.Start()
		started <- err
		if err == nil {
			e.err = e.cmd.Wait()
			close(e.done)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", e.name, err)
	}
	if e.gate != nil {
		go e.gate.serve()
	}
	if err := e.awaitHealth(ctx); err != nil {
		e.kill()
		return err
	}
	return nil
}

func (e *engine) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("%s was not healthy after %s; its log is %s", e.name, startTimeout, e.log()))
	defer cancel()
	for {
		if e.healthy(ctx) == nil {
			return nil
		}
		select {
		case <-e.done:
			return fmt.Errorf("%s ended while starting (%v); the end of %s:\n%s", e.name, e.err, e.log(), tail(e.log(), 15))
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// close ends the engine in order, and by force if that takes too long.
func (e *engine) close() error {
	if e.cmd == nil || e.cmd.Process == nil {
		return nil
	}
	if e.gate != nil {
		defer e.gate.close()
	}
	if e.stop != 0 {
		_ = e.cmd.Process.Signal(e.stop)
	} else {
		_ = e.stdin.Close()
	}
	select {
	case <-e.done:
		_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL) // a child that it left behind
		return nil
	case <-time.After(stopTimeout):
		e.kill()
		return fmt.Errorf("%s did not end in %s and was killed", e.name, stopTimeout)
	}
}

// kill ends the engine's whole process group at once.
func (e *engine) kill() {
	_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL)
	<-e.done
	if e.gate != nil {
		e.gate.close()
	}
}

func (e *engine) log() string { return filepath.Join(e.dir, "server.log") }

// pid is the process that holds the data: the one to freeze or to kill in a fault test. Elasticsearch's is the
// child of its launcher.
func (e *engine) pid() int {
	own := e.cmd.Process.Pid
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", own))
	for _, list := range lists {
		children, _ := os.ReadFile(list) // a thread that is gone has none
		for _, f := range strings.Fields(string(children)) {
			if pid, err := strconv.Atoi(f); err == nil {
				return pid
			}
		}
	}
	return own
}

// describe is the line that `local engine` prints when its engine is healthy.
func (e *engine) describe() ([]byte, error) {
	return json.Marshal(struct {
		Engine string   `json:"engine"`
		PID    int      `json:"pid"`
		Addr   string   `json:"addr"`
		Log    string   `json:"log"`
		Env    []string `json:"env"`
	}{e.name, e.pid(), e.addr, e.log(), e.exports})
}

// tail returns the last n lines of a file, or why it can't be read.
func tail(path string, n int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}

// startAll starts the engines at the same time. If one fails, it ends the others.
func startAll(ctx context.Context, engines []*engine) error {
	errs := make(chan error, len(engines))
	for _, e := range engines {
		go func() { errs <- e.start(ctx) }()
	}
	var all error
	for range engines {
		all = errors.Join(all, <-errs)
	}
	if all != nil {
		closeAll(engines)
	}
	return all
}

// closeAll ends the engines at the same time.
func closeAll(engines []*engine) error {
	errs := make(chan error, len(engines))
	for _, e := range engines {
		go func() { errs <- e.close() }()
	}
	var all error
	for range engines {
		all = errors.Join(all, <-errs)
	}
	return all
}
