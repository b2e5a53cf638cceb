package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The first look of docs/runbook.md, line by line, beside a connector that runs.
func TestRunbookFirstLook(t *testing.T) {
	page, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	var script string
	for _, b := range blocks(string(page)) {
		if b.lang == "sh" {
			script += b.text
		}
	}
	if n := strings.Count(script, "\n"); n < 6 {
		t.Fatalf("the runbook has %d commands", n)
	}
	w := newWorld(t)
	w.migrate()
	w.serve()
	w.deliver(call("c1", "x"))
	w.eventually("the call is loaded", func() bool { return w.rows() == "1\t1" && w.documents() == 1 })
	for line := range strings.Lines(script) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, "bash", "-c", line)
		cmd.Env = append(append(os.Environ(), w.env...), "PATH="+w.bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil || len(out) == 0 {
			t.Errorf("%s%v\n%s", line, err, out)
		}
	}
}
