package main

import (
	"fmt"
	"os"
	"time"
)

// progress is one line on standard error while something long goes on. On a terminal it is redrawn; elsewhere it is
// a line at the start and one at the end.
type progress struct {
	text   string
	detail func() string // what is added to the line; may be nil
	began  time.Time
	stop   chan struct{}
	idle   chan struct{}
}

func startProgress(text string, detail func() string) *progress {
	p := &progress{text: text, detail: detail, began: time.Now(), stop: make(chan struct{}), idle: make(chan struct{})}
	go p.draw()
	return p
}

func (p *progress) draw() {
	defer close(p.idle)
	every := 200 * time.Millisecond
	if !terminal(os.Stderr) {
		fmt.Fprintf(os.Stderr, "%s ...\n", p.text)
		every = 15 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.line()
		}
	}
}

func (p *progress) line() {
	more := ""
	if p.detail != nil {
		more = p.detail() + ", "
	}
	text := fmt.Sprintf("%s ... %s%s", p.text, more, time.Since(p.began).Round(time.Second))
	if terminal(os.Stderr) {
		fmt.Fprintf(os.Stderr, "\r\033[K%s", text)
		return
	}
	fmt.Fprintln(os.Stderr, text)
}

// done ends the line with how it went.
func (p *progress) done(err error) {
	close(p.stop)
	<-p.idle
	how := "done"
	if err != nil {
		how = "failed"
	}
	if terminal(os.Stderr) {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
	fmt.Fprintf(os.Stderr, "%s: %s after %s\n", p.text, how, time.Since(p.began).Round(100*time.Millisecond))
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
