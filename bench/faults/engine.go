package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// engine is a ClickHouse or an Elasticsearch of this program's own, by `local engine`. It keeps its ports and its data
// over restarts. When it ends unasked it is started again, which is noted.
type engine struct {
	name string
	argv []string
	log  string

	mu     sync.Mutex
	p      *process
	pid    int // of the process that holds the data
	env    map[string]string
	frozen bool
	deaths int
	watch  sync.WaitGroup
}

func newEngine(local, name, dir string) (*engine, error) {
	e := &engine{name: name, log: filepath.Join(dir, name+".log")}
	e.argv = []string{local, "engine", name, "--with-parent", "--data", filepath.Join(dir, name)}
	ports := map[string][]string{"clickhouse": {"--tcp-port", "--http-port"}, "elasticsearch": {"--port"}}[name]
	for _, flag := range ports {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(addr)
		e.argv = append(e.argv, flag, port)
	}
	if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil { // Elasticsearch may run as another user
		return nil, err
	}
	return e, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start starts the engine and waits until it is healthy. One that runs is left alone.
func (e *engine) start() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.p != nil && !e.p.ended() {
		return nil
	}
	log, err := os.OpenFile(e.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(e.argv[0], e.argv[1:]...)
	cmd.Stderr = log
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout = in
	p, err := start(cmd)
	_ = in.Close()
	if err != nil {
		return fmt.Errorf("start %s: %w", e.name, err)
	}
	var line struct {
		PID int
		Env []string
	}
	if err := json.NewDecoder(out).Decode(&line); err != nil {
		p.kill()
		return fmt.Errorf("%s did not become healthy: %w\n%s", e.name, err, tail(e.log, 2000))
	}
	e.p, e.pid, e.frozen, e.env = p, line.PID, false, map[string]string{}
	for _, v := range line.Env {
		name, value, _ := strings.Cut(v, "=")
		e.env[name] = value
	}
	e.watch.Go(func() { e.revive(p) })
	return nil
}

// revive starts the engine again when p ends unasked.
func (e *engine) revive(p *process) {
	<-p.done
	e.mu.Lock()
	off := p.expected.Load()
	if !off {
		e.deaths++
	}
	e.mu.Unlock()
	if off {
		return
	}
	fmt.Fprintf(os.Stderr, "faults: %s ended by itself and is started again: %s\n", e.name, lastLine(e.log))
	if err := e.start(); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
}

func lastLine(path string) string {
	lines := strings.Split(strings.TrimSpace(tail(path, 2000)), "\n")
	return lines[len(lines)-1]
}

// kill is SIGKILL to the process that holds the data.
func (e *engine) kill() {
	e.mu.Lock()
	p, pid := e.p, e.pid
	e.mu.Unlock()
	if p == nil {
		return
	}
	p.expected.Store(true)
	_ = syscall.Kill(pid, syscall.SIGKILL)
	select { // what started it ends by itself then
	case <-p.done:
	case <-time.After(15 * time.Second):
		p.kill()
	}
}

// stop ends the engine in order.
func (e *engine) stop() error {
	e.thaw()
	e.mu.Lock()
	p := e.p
	e.mu.Unlock()
	if p == nil || p.ended() {
		return nil
	}
	return p.terminate(40 * time.Second)
}

// freeze stops the process without ending it: its connections stay open and nothing answers.
func (e *engine) freeze() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.frozen = true
	_ = syscall.Kill(e.pid, syscall.SIGSTOP)
}

func (e *engine) thaw() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.frozen {
		e.frozen = false
		_ = syscall.Kill(e.pid, syscall.SIGCONT)
	}
}

// close ends the engine for good. It can be called at any time.
func (e *engine) close() { e.kill(); e.watch.Wait() }

// fit makes sure that a row begins with the engine up.
func (e *engine) fit(ctx context.Context) error {
	e.thaw()
	for try := 0; ; try++ {
		err := e.start()
		if err == nil || try == 2 || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
}

func (e *engine) variable(name string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.env[name]
}
