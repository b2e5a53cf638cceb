package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a child that the kernel kills when this program ends in whatever way.
type process struct {
	cmd      *exec.Cmd
	done     chan struct{} // closed when it has ended
	err      error         // how; read after done
	expected atomic.Bool   // it was asked to end
}

func start(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // Ctrl-C is for this program alone
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel's "parent died" means the thread that forked
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// kill ends it at once: no handler runs, nothing is flushed.
func (p *process) kill() {
	p.expected.Store(true)
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop freezes it, and returns when none of its threads runs any more. One that is inside the kernel may finish there.
func (p *process) stop() error {
	pid := p.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	for limit := time.Now().Add(5 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if !p.running() {
			return nil
		}
	}
	return errors.New("postcall did not stop on SIGSTOP")
}

// running reports whether a thread of it is in user space, or may be.
func (p *process) running() bool {
	stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // the thread is gone
		}
		if i := bytes.LastIndexByte(b, ')'); i < 0 || i+2 >= len(b) || !bytes.ContainsRune([]byte("TtDZX"), rune(b[i+2])) {
			return true
		}
	}
	return false
}

// terminate asks it to end and returns how it did.
func (p *process) terminate(within time.Duration) error {
	p.expected.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(within):
		p.kill()
		return errors.New("it did not end within " + within.String() + " of SIGTERM")
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail is the end of a file.
func tail(path string, bytes int64) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, end-bytes), io.SeekStart)
	}
	b, _ := io.ReadAll(f)
	return string(b)
}
