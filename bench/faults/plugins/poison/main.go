// Command poison is a plugin that fails on an event in the way that its own file name says: poison-error, poison-crash
// or poison-hang. An event is poison when its purpose is. Called hold, it passes every event on once no file called "held"
// is beside it.
package main

import (
	"context"
	"errors"
	"os"
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
	}
	return batch, nil
}

func (p poison) fail() error {
	switch p.name {
	case "poison-crash":
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
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
	transforms.Serve(p.name, "0.0.0", func(context.Context, struct{}) (transforms.Transformer, error) { return p, nil })
}
