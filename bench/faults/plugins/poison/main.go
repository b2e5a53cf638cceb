// Command poison is a plugin that fails on an event in the way that its own file name says: poison-error, poison-crash,
// poison-exit, poison-hang or poison-hog (for memory). An event is poison when its purpose is. Called hold, it passes every
// event on once no file called "held" is beside it; called leak, it keeps a MiB of every event; called child, it leaves a
// process behind that holds its stdio; called good, it does nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/postcall/postcall/transforms"
)

type poison struct{ name, dir string }

func (p poison) Transform(ctx context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	if p.name == "hold" {
		return batch, p.hold(ctx)
	}
	for i := range batch {
		if batch[i].Purpose == "poison" {
			return batch, p.fail()
		}
		if p.name == "leak" {
			keep(1)
		}
	}
	return batch, nil
}

var kept [][]byte

// keep takes so many MiB and writes into each page, so that they are there.
func keep(mib int) {
	b := make([]byte, mib<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	kept = append(kept, b)
}

// child starts a process in a session of its own, which a kill of the plugin's group doesn't reach, and writes down its id.
func child(dir string) error {
	c := exec.Command("sleep", "600")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Start(); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "children"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, c.Process.Pid)
	return errors.Join(err, f.Close())
}

func (p poison) fail() error {
	switch p.name {
	case "poison-crash":
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "poison-exit":
		os.Exit(1)
	case "poison-hog":
		for range 60 { // until it is noticed
			keep(10)
			time.Sleep(50 * time.Millisecond)
		}
	case "poison-hang":
		select {} // deaf to its context
	}
	return errors.New("poison")
}

func (p poison) hold(ctx context.Context) error {
	for {
		if _, err := os.Stat(filepath.Join(p.dir, "held")); err != nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func main() {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	p := poison{filepath.Base(exe), filepath.Dir(exe)}
	if p.name == "child" {
		if err := child(p.dir); err != nil {
			panic(err)
		}
	}
	transforms.Serve(p.name, "0.0.0", func(context.Context, struct{}) (transforms.Transformer, error) { return p, nil })
}
