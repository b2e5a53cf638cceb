package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// bar shows on stderr how far something is: a line that is written over on a terminal, a line every half minute elsewhere.
type bar struct {
	what        string
	total       int
	began, said time.Time
	terminal    bool
}

func newBar(what string, total int) *bar {
	info, err := os.Stderr.Stat()
	return &bar{what: what, total: total, began: time.Now(), terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// at says that n are done.
func (b *bar) at(n int) {
	pause := 30 * time.Second
	if b.terminal {
		pause = 200 * time.Millisecond
	}
	if n < b.total && time.Since(b.said) < pause {
		return
	}
	b.said = time.Now()
	line := fmt.Sprintf("%-34s [%-30s] %3d %%  %s", b.what, strings.Repeat("#", 30*n/max(b.total, 1)), 100*n/max(b.total, 1), b.left(n))
	switch {
	case !b.terminal:
		fmt.Fprintln(os.Stderr, line)
	case n < b.total:
		fmt.Fprint(os.Stderr, "\r"+line)
	default:
		fmt.Fprint(os.Stderr, "\r"+line+"\n")
	}
}

func (b *bar) left(n int) string {
	spent := time.Since(b.began)
	if n == 0 || n >= b.total {
		return spent.Round(time.Second).String() + " so far"
	}
	return time.Duration(float64(spent)/float64(n)*float64(b.total-n)).Round(time.Second).String() + " left   "
}
