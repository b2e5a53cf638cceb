package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// options are the flags.
type options struct {
	scale
	bin, dir string
	keep     bool
}

// harness runs rows, one after the other, on one ClickHouse and one Elasticsearch.
type harness struct {
	options
	root          string
	clickhouse    *engine
	elasticsearch *engine
	temporary     bool
	worlds        []*world // of the row at hand
	builds        map[string]string
	results       []result
}

// row is one line of the table.
type row struct {
	name  string
	about string
	kills bool // it kills, and is part of FAULTS=long
	root  bool // it mounts, or cuts networks
	apart bool // it runs where its name is asked for, and takes its time
	run   func(ctx context.Context, r *running) error
	// shows, where it is set, says whether the table shows what the row's build lacks. The row is right then, and only then.
	shows func(*tally) bool
}

// running is a row that runs.
type running struct {
	*harness
	row
	events  int
	expect  expect
	w       *world // the one that the table shows
	remarks []string
	checks  []func() error // once everything has settled
	afters  []func()
}

// after is done when the row has been checked.
func (r *running) after(f func()) { r.afters = append(r.afters, f) }

// remark adds a line below the table.
func (r *running) remark(format string, args ...any) {
	r.remarks = append(r.remarks, fmt.Sprintf(format, args...))
}

type result struct {
	row     row
	tally   *tally
	err     error
	verdict string
	took    time.Duration
}

func newHarness(o options) (*harness, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	h := &harness{options: o, root: root, builds: map[string]string{}}
	if h.bin == "" {
		h.bin = filepath.Join(root, "bin")
	}
	if h.bin, err = filepath.Abs(h.bin); err != nil {
		return nil, err
	}
	for _, name := range []string{"postcall", "local", "plugins/redact-pii", "plugins/map-topics"} {
		if _, err := os.Stat(filepath.Join(h.bin, name)); err != nil {
			return nil, fmt.Errorf("%w: `make build bin/local` builds it", err)
		}
	}
	if h.dir == "" {
		if h.dir, err = os.MkdirTemp("", "postcall-faults-"); err != nil {
			return nil, err
		}
		h.temporary = true
	}
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.Chmod(h.dir, 0o755); err != nil { // Elasticsearch may run as another user
		return nil, err
	}
	for name, e := range map[string]**engine{"clickhouse": &h.clickhouse, "elasticsearch": &h.elasticsearch} {
		if *e, err = newEngine(filepath.Join(h.bin, "local"), name, h.dir); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// close ends everything and, unless -keep, removes it.
func (h *harness) close() {
	h.dropWorlds()
	h.clickhouse.close()
	h.elasticsearch.close()
	if h.temporary && !h.keep {
		_ = os.RemoveAll(h.dir)
	} else {
		fmt.Fprintln(os.Stderr, "faults: data and logs are in", h.dir)
	}
}

func (h *harness) dropWorlds() {
	for _, w := range h.worlds {
		w.drop()
	}
	h.worlds = nil
}

// run runs the rows and prints the table. It returns errOff when one is off.
func (h *harness) run(ctx context.Context, rows []row) error {
	fmt.Fprintf(os.Stderr, "faults: starts ClickHouse and Elasticsearch; %d rows of %d deliveries follow\n", len(rows), h.events)
	started := make(chan error, 2)
	for _, e := range []*engine{h.clickhouse, h.elasticsearch} {
		go func() { started <- e.start() }()
	}
	if err := errors.Join(<-started, <-started); err != nil {
		return err
	}
	off := false
	for i, r := range rows {
		fmt.Fprintf(os.Stderr, "faults: %d of %d: %s\n", i+1, len(rows), r.name)
		res := h.one(ctx, r)
		h.results = append(h.results, res)
		off = off || res.verdict != "ok" && res.verdict != "caught" && res.verdict != "skipped"
		fmt.Fprintf(os.Stderr, "faults: %s: %s after %s\n", r.name, res.verdict, res.took.Round(100*time.Millisecond))
		for _, n := range res.lines() {
			fmt.Fprintln(os.Stderr, "   ", n)
		}
		if ctx.Err() != nil {
			break
		}
	}
	h.print()
	if err := ctx.Err(); err != nil {
		return errors.New("interrupted")
	}
	if off {
		return errOff
	}
	return nil
}

// one runs a row and judges it.
func (h *harness) one(ctx context.Context, r row) result {
	begun := time.Now()
	res := result{row: r, verdict: "skipped"}
	if r.root && os.Geteuid() != 0 {
		res.err = errors.New("it mounts or cuts networks, which needs root")
		return res
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer h.dropWorlds()
	deaths := h.clickhouse.deaths + h.elasticsearch.deaths
	run := &running{harness: h, row: r, events: h.events}
	defer func() {
		for _, f := range run.afters {
			f()
		}
	}()
	res.err = r.run(ctx, run)
	for _, e := range []*engine{h.clickhouse, h.elasticsearch} {
		res.err = errors.Join(res.err, e.fit(ctx))
	}
	if res.err != nil {
		run.expect.patient = 10 * time.Second // the numbers are of use, and no more than that
	}
	if run.w != nil && ctx.Err() == nil {
		stop := run.w.show(ctx)
		t, err := run.w.settle(ctx, run.expect)
		stop()
		res.tally = t
		res.err = errors.Join(res.err, err)
		for _, f := range run.checks {
			res.err = errors.Join(res.err, f())
		}
	}
	if res.tally != nil {
		res.tally.remarks = run.remarks
		if n := h.clickhouse.deaths + h.elasticsearch.deaths - deaths; n > 0 {
			res.tally.remarks = append(res.tally.remarks, fmt.Sprintf("an engine ended by itself %d times and was started again", n))
		}
	}
	res.judge(run)
	res.took = time.Since(begun)
	if res.verdict == "OFF" && run.w != nil {
		h.saveLog(run.w)
	}
	return res
}

// judge gives the verdict.
func (r *result) judge(run *running) {
	t := r.tally
	if t != nil && run.expect.lossy && t.lost+t.stale > 0 {
		t.judgeLoss(run.w)
	}
	off := r.err != nil || t == nil && run.w != nil || t != nil && len(t.notes) > 0
	switch {
	case r.row.shows != nil && t != nil && r.row.shows(t):
		r.verdict = "caught"
	case r.row.shows != nil:
		r.verdict = "MISSED"
	case off:
		r.verdict = "OFF"
	default:
		r.verdict = "ok"
	}
}

// judgeLoss lets a loss pass where an alarm told of it.
func (t *tally) judgeLoss(w *world) {
	alarms := w.metric("postcall_alarms_total")
	if alarms == 0 {
		t.note("%d calls lost and %d stale with the damaged file, and no alarm tells of it: postcall_alarms_total is 0", t.lost, t.stale)
		return
	}
	t.notes = slices.DeleteFunc(t.notes, func(n string) bool { return strings.HasPrefix(n, "lost: ") || strings.HasPrefix(n, "stale in ") })
	t.remarks = append(t.remarks, fmt.Sprintf("%d calls lost and %d stale with the damaged file; postcall_alarms_total is %g", t.lost, t.stale, alarms))
}

// saveLog keeps the log of a row that is off.
func (h *harness) saveLog(w *world) {
	b, err := os.ReadFile(w.log())
	if err != nil {
		return
	}
	f, err := os.CreateTemp("", "postcall-faults-*.log")
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		fmt.Fprintln(os.Stderr, "    postcall's log of this row is kept:", f.Name())
	}
}

// lines are what there is to say below the row.
func (r *result) lines() []string {
	var lines []string
	if r.err != nil {
		lines = append(lines, strings.Split(strings.TrimSpace(r.err.Error()), "\n")...)
	}
	if r.tally != nil {
		lines = append(lines, r.tally.notes...)
		lines = append(lines, r.tally.remarks...)
	}
	return lines
}

func (h *harness) print() {
	fmt.Println()
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join([]string{"fault", "events", "acked", "calls", "in ClickHouse", "in Elasticsearch", "dead", "lost", "stale", "twice", "worst ack", "", ""}, "\t"))
	for _, r := range h.results {
		if r.tally == nil {
			fmt.Fprintf(t, "%s\t\t\t\t\t\t\t\t\t\t\t%s\t\n", r.row.name, r.verdict)
			continue
		}
		y := r.tally
		store := func(name string) string {
			if n, ok := y.in[name]; ok {
				return fmt.Sprint(n)
			}
			return "-"
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t\n", r.row.name, y.planned, y.acked, y.calls,
			store("clickhouse"), store("elasticsearch"), y.dead, y.lost, y.stale, y.twice, y.worst.Round(time.Millisecond), r.verdict)
	}
	_ = t.Flush()
	for _, r := range h.results {
		for i, l := range r.lines() {
			if i == 0 {
				fmt.Printf("\n%s:\n", r.row.name)
			}
			fmt.Println("   ", l)
		}
	}
}
