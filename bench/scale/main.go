// Command scale measures what analysts wait for when there is much: every metric view over ten million calls in ClickHouse, an
// insert with and without what metrics read, and a full-text search over a million transcripts in Elasticsearch.
//
//	make scale                                  half an hour on two cores that nobody else uses, 25 GB of disk
//	bin/local up --bench -- bin/scale -help     the rest: fewer calls, one store alone
//
// The calls are made in ClickHouse by INSERT ... SELECT (calls.sql), the transcripts by the generator of demo-data and straight
// _bulk requests: what is measured is reading. Every figure is the best of several repeats, since other programs can only make it
// worse; the load average stands beside it. A target that is missed is exit code 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	postcall                    string
	calls, transcripts, repeats int
	out                         string
	there                       bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

var errMissed = errors.New("a target is missed: see the table")

func run(ctx context.Context, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var o options
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.StringVar(&o.postcall, "postcall", filepath.Join(filepath.Dir(self), "postcall"), "the built program")
	f.IntVar(&o.calls, "calls", 10_000_000, "calls in ClickHouse; 0 leaves it out")
	f.IntVar(&o.transcripts, "transcripts", 1_000_000, "transcripts in Elasticsearch; 0 leaves it out")
	f.IntVar(&o.repeats, "repeats", 5, "times that each is measured; the best one counts")
	f.BoolVar(&o.there, "there", false, "write nothing, and measure reading what is there: run it against a database of your own")
	f.StringVar(&o.out, "out", "", "file to append the tables to")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.repeats < 1 || o.calls < 0 || o.transcripts < 0 {
		return errors.New("-repeats is at least 1, and -calls and -transcripts are not negative")
	}
	if !o.there {
		if err := migrate(ctx, o.postcall); err != nil {
			return err
		}
	}
	w := io.Writer(os.Stdout)
	if o.out != "" {
		file, err := os.OpenFile(o.out, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer file.Close()
		w = io.MultiWriter(os.Stdout, file)
	}
	return measure(ctx, o, w)
}

// measure goes on with the second store where the first one misses a target.
func measure(ctx context.Context, o options, w io.Writer) error {
	fmt.Fprintf(w, "%s, load average %s at the start\n", machine(), loadAverage())
	var missed error
	for _, part := range []struct {
		n   int
		run func(context.Context, options, io.Writer) error
	}{{o.calls, clickhouse}, {o.transcripts, elasticsearch}} {
		if part.n == 0 {
			continue
		}
		switch err := part.run(ctx, o, w); {
		case errors.Is(err, errMissed):
			missed = err
		case err != nil:
			return err
		}
	}
	fmt.Fprintf(w, "\nLoad average %s at the end.\n", loadAverage())
	return missed
}

// migrate makes the tables, the views and the index.
func migrate(ctx context.Context, postcall string) error {
	out, err := exec.CommandContext(ctx, postcall, "migrate", "apply").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s migrate apply: %w\n%s", postcall, err, out)
	}
	return nil
}

// verdict says whether a figure keeps its target.
func verdict(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}

func machine() string {
	memory := "unknown memory"
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kib); err == nil {
			memory = fmt.Sprintf("%d GiB of memory", (kib+1<<19)>>20)
		}
	}
	return fmt.Sprintf("%d cores, %s, %s/%s", runtime.NumCPU(), memory, runtime.GOOS, runtime.GOARCH)
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:2], " ")
}
