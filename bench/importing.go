package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// runImport compares `postcall import` of a file with `postcall send` of it, in turns, the plugins frozen until all is on
// disk: what is compared is the way there. Then it imports o.imported calls while the pipeline is at work, ended by
// kill -9 after a third and by Ctrl-C after two, and holds both stores to every one of them, once.
func runImport(ctx context.Context, o options, st stores, size int, p *report) error {
	dir, err := os.MkdirTemp(o.dir, "postcall-bench-")
	if err != nil {
		return err
	}
	defer removeDir(dir)
	file := filepath.Join(dir, "calls.ndjson")
	one := func(label string, pl plan, deliver func(context.Context, *target, *atomic.Int64) error) error {
		c := newCalls(newRun(), pl.Size, 1)
		if err := writeCalls(file, c, pl.Events); err != nil {
			return err
		}
		pl.deliver = func(ctx context.Context, t *target, accepted *atomic.Int64) (loadResult, error) {
			start := time.Now()
			err := deliver(ctx, t, accepted)
			return loadResult{Accepted: pl.Events, Seconds: time.Since(start).Seconds()}, err
		}
		say("%s, %d calls of %d KiB", label, pl.Events, pl.Size>>10)
		r, err := runPostcall(ctx, o, label, st, c, pl)
		p.Results = append(p.Results, r)
		return err
	}
	whole := func(args ...string) func(context.Context, *target, *atomic.Int64) error {
		return func(ctx context.Context, t *target, _ *atomic.Int64) error { return t.tool(ctx, args...).Run() }
	}
	frozen := plan{Size: size, Events: o.events, Frozen: true, Env: []string{"POSTCALL_INTAKE_MAX_BYTES=16GiB"}}
	for range o.rounds {
		if err := one("postcall send", frozen, whole("send", file)); err != nil {
			return err
		}
		if err := one("postcall import", frozen, whole("import", file)); err != nil {
			return err
		}
	}
	return one("postcall import, ended twice", plan{Size: size, Events: o.imported}, func(ctx context.Context, t *target, accepted *atomic.Int64) error {
		for i, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
			if err := t.importUntil(ctx, file, int64((i+1)*o.imported/3), sig, accepted); err != nil {
				return err
			}
		}
		return t.tool(ctx, "import", file).Run()
	})
}

// writeCalls writes calls to a file, one a line.
func writeCalls(path string, c *calls, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	var b []byte
	for i := range n {
		b = append(c.appendCall(b[:0], i), '\n')
		if _, err := w.Write(b); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

// tool is the program beside the one that serves. What it prints goes to the console.
func (t *target) tool(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, t.cmd.Path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = t.cmd.Env, os.Stderr, os.Stderr
	return cmd
}

// importUntil ends an import once its file says that so many lines are done.
func (t *target) importUntil(ctx context.Context, file string, lines int64, sig syscall.Signal, accepted *atomic.Int64) error {
	cmd := t.tool(ctx, "import", file)
	if err := cmd.Start(); err != nil {
		return err
	}
	var ending error
	ended := make(chan struct{})
	go func() {
		ending = cmd.Wait()
		close(ended)
	}()
	for {
		select {
		case <-ended:
			return fmt.Errorf("the import ended before it was to be ended by %v (%w)", sig, ending)
		case <-time.After(10 * time.Millisecond):
		}
		done, err := linesDone(t.data)
		if err != nil {
			return err
		}
		accepted.Store(done)
		if done >= lines {
			say("  %v after %d lines", sig, done)
			_ = cmd.Process.Signal(sig) // where it has just gone, its end says so
			<-ended
			return nil
		}
	}
}

// linesDone is how far the import of the only file has come.
func linesDone(data string) (int64, error) {
	files, err := filepath.Glob(filepath.Join(data, "imports", "*.json"))
	if err != nil || len(files) == 0 {
		return 0, err
	}
	b, err := os.ReadFile(files[0])
	var state struct{ Lines int64 }
	if err != nil || len(b) == 0 || json.Unmarshal(b, &state) != nil { // caught while it is written
		return 0, err
	}
	return state.Lines, nil
}
