package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// importBar shows how far an import is: drawn on a terminal, a line now and then elsewhere.
type importBar struct {
	w     io.Writer
	p     *mpb.Progress // nil where it is not a terminal
	b     *mpb.Bar
	total int64
	start time.Time
	calls atomic.Int64
	mu    sync.Mutex
	why   string // it waits
	next  time.Time
}

// lineEvery is the time between two lines where no bar can be drawn.
const lineEvery = 10 * time.Second

func newImportBar(w io.Writer, total int64) *importBar {
	b := &importBar{w: w, total: total, start: time.Now(), next: time.Now().Add(lineEvery)}
	if !isTerminal(w) || total == 0 {
		return b
	}
	b.p = mpb.New(mpb.WithOutput(w))
	b.b = b.p.AddBar(total,
		mpb.PrependDecorators(decor.Name("imported "), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.Any(func(decor.Statistics) string { return b.rate() }),
			decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace), decor.Any(func(decor.Statistics) string { return b.waits() })))
	return b
}

func (b *importBar) rate() string {
	n := b.calls.Load()
	return fmt.Sprintf("  %d calls, %.0f/s ", n, float64(n)/time.Since(b.start).Seconds())
}

func (b *importBar) waits() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why == "" {
		return ""
	}
	return "  waits: " + b.why
}

// waiting says why nothing is written for a while, or "" when it goes on.
func (b *importBar) waiting(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why == why {
		return
	}
	b.why = why
	if b.p == nil && why != "" {
		_, _ = fmt.Fprintf(b.w, "postcall: the import waits: %s\n", why)
	}
}

// to moves to a place in a file; calls are those that came on disk since.
func (b *importBar) to(in *input, read int64, calls int) {
	n := b.calls.Add(int64(calls))
	if b.b != nil {
		b.b.SetCurrent(in.from + read)
		return
	}
	if now := time.Now(); now.After(b.next) {
		b.next = now.Add(lineEvery)
		done := ""
		if b.total > 0 {
			done = fmt.Sprintf(", %.0f%% of the files", 100*float64(in.from+read)/float64(b.total))
		}
		_, _ = fmt.Fprintf(b.w, "postcall: %d calls on disk%s, %.0f/s\n", n, done, float64(n)/now.Sub(b.start).Seconds())
	}
}

// skip counts a file that is done already.
func (b *importBar) skip(in *input) {
	if b.b != nil {
		b.b.SetCurrent(in.from + in.size)
	}
}

// say writes a line above the bar.
func (b *importBar) say(line string) {
	if b.p != nil {
		_, _ = b.p.Write([]byte(line))
		return
	}
	_, _ = io.WriteString(b.w, line)
}

func (b *importBar) done() {
	if b.b != nil {
		b.b.Abort(false)
		b.p.Wait()
	}
}
