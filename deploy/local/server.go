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

// server is one process: an engine, or the connector. It dies with us: the kernel kills it when we end in whatever
// way (Pdeathsig), and its standard input is a pipe of ours that closes then, which both engines end by as well.
type server struct {
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
func (s *server) start(ctx context.Context) error {
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(s.argv[0], s.argv[1:]...)
	s.cmd.Dir, s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.workdir, s.env, log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if s.unprivileged {
		s.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	s.done = make(chan struct{})
	started := make(chan error)
	go func() {
		// The kernel's "parent died" means the thread that forked, so this one has to stay.
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.err = s.cmd.Wait()
			close(s.done)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	if s.gate != nil {
		go s.gate.serve()
	}
	if err := s.awaitHealth(ctx); err != nil {
		s.kill()
		return err
	}
	return nil
}

func (s *server) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("%s was not healthy after %s; its log is %s", s.name, startTimeout, s.log()))
	defer cancel()
	for {
		if s.healthy(ctx) == nil {
			return nil
		}
		select {
		case <-s.done:
			return s.failure()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// close ends the engine in order, and by force if that takes too long.
func (s *server) close() error {
	if s.cmd == nil || s.cmd.Process == nil {
		return nil
	}
	if s.gate != nil {
		defer s.gate.close()
	}
	if s.stop != 0 {
		_ = s.cmd.Process.Signal(s.stop)
	} else {
		_ = s.stdin.Close()
	}
	select {
	case <-s.done:
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // a child that it left behind
		return nil
	case <-time.After(stopTimeout):
		s.kill()
		return fmt.Errorf("%s did not end in %s and was killed", s.name, stopTimeout)
	}
}

// kill ends the engine's whole process group at once.
func (s *server) kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.done
	if s.gate != nil {
		s.gate.close()
	}
}

// failure says how a server ended that nobody asked to.
func (s *server) failure() error {
	return fmt.Errorf("%s ended by itself (%w); the end of %s:\n%s", s.name, ended(s.err), s.log(), tail(s.log(), 20))
}

// ended is err, or what stands for none.
func ended(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func (s *server) log() string { return filepath.Join(s.dir, "server.log") }

// pid is the process that holds the data: the one to freeze or to kill in a fault test. Elasticsearch's is the
// child of its launcher.
func (s *server) pid() int {
	own := s.cmd.Process.Pid
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", own))
	for _, list := range lists {
		children, _ := os.ReadFile(list) // a thread that is gone has none
		for f := range strings.FieldsSeq(string(children)) {
			if pid, err := strconv.Atoi(f); err == nil {
				return pid
			}
		}
	}
	return own
}

// describe is the line that `local engine` prints when its engine is healthy.
func (s *server) describe() ([]byte, error) {
	return json.Marshal(struct {
		Engine string   `json:"engine"`
		PID    int      `json:"pid"`
		Addr   string   `json:"addr"`
		Log    string   `json:"log"`
		Env    []string `json:"env"`
	}{s.name, s.pid(), s.addr, s.log(), s.exports})
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
func startAll(ctx context.Context, engines []*server) error {
	errs := make(chan error, len(engines))
	for _, e := range engines {
		go func() { errs <- e.start(ctx) }()
	}
	var all error
	for range engines {
		all = errors.Join(all, <-errs)
	}
	if all != nil {
		all = errors.Join(all, closeAll(engines))
	}
	return all
}

// closeAll ends the engines at the same time.
func closeAll(engines []*server) error {
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
