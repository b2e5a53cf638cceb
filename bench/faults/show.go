package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// show tells on the terminal how far the row is, in place; elsewhere it writes a line every 15 s.
func (w *world) show(ctx context.Context) (stop func()) {
	fi, err := os.Stderr.Stat()
	tty := err == nil && fi.Mode()&os.ModeCharDevice != 0
	every := 15 * time.Second
	if tty {
		every = 200 * time.Millisecond
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for sleep(ctx, every) == nil {
			w.mu.Lock()
			what := w.what
			w.mu.Unlock()
			line := fmt.Sprintf("    %d of %d acknowledged; %s", w.acked.Load(), w.total, what)
			if tty {
				fmt.Fprintf(os.Stderr, "\r\x1b[K%.110s", line)
			} else {
				fmt.Fprintln(os.Stderr, line)
			}
		}
		if tty {
			fmt.Fprint(os.Stderr, "\r\x1b[K")
		}
	})
	return func() { cancel(); wg.Wait() }
}
