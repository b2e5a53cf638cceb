// Command noskip reads `go test -json` and prints what `go test` prints: the closing line of each package, and the
// output of what failed. It fails when a test failed, and also when one was skipped: a test that is skipped because
// something is missing proves nothing.
//
//	go test -json ./... | noskip
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() { os.Exit(run(os.Stdin, os.Stdout)) }

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// report collects what the events say.
type report struct {
	out                     io.Writer
	output                  map[[2]string]*strings.Builder // of the tests that still run
	passed, failed, skipped int
	broken                  bool // a package failed: a test in it, its build, or a crash
}

// run returns the exit code.
func run(in io.Reader, out io.Writer) int {
	r := &report{out: out, output: map[[2]string]*strings.Builder{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.line(line)
		}
		if err != nil {
			return r.close()
		}
	}
}

func (r *report) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		_, _ = r.out.Write(line) // of another program on the same pipe
		return
	}
	key := [2]string{e.Package, e.Test}
	switch {
	case e.Action == "output" && e.Test != "":
		if r.output[key] == nil {
			r.output[key] = &strings.Builder{}
		}
		r.output[key].WriteString(e.Output)
	case e.Action == "output" || e.Action == "build-output":
		if e.Output != "PASS\n" { // the package's own line follows
			_, _ = io.WriteString(r.out, e.Output)
		}
	case e.Test == "":
		r.broken = r.broken || e.Action == "fail" || e.Action == "build-fail"
	case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
		r.test(key, e.Action)
	}
}

func (r *report) test(key [2]string, action string) {
	switch action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
	case "skip":
		r.skipped++
	}
	if text := r.output[key]; text != nil && action != "pass" {
		_, _ = io.WriteString(r.out, text.String())
	}
	delete(r.output, key)
}

func (r *report) close() int {
	for key, text := range r.output { // they never ended: the process died, or ran into its deadline
		_, _ = fmt.Fprintf(r.out, "%s %s did not end:\n%s", key[0], key[1], text)
	}
	if r.passed+r.failed+r.skipped > 0 {
		_, _ = fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	}
	if r.skipped > 0 {
		_, _ = fmt.Fprintln(r.out, "noskip: a skipped test counts as failed")
	}
	if r.broken || r.failed > 0 || r.skipped > 0 || len(r.output) > 0 {
		return 1
	}
	return 0
}
