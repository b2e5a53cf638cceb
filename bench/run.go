package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// result is one run.
type result struct {
	Name   string             `json:"name"`
	Plan   plan               `json:"plan"`
	Load   loadResult         `json:"load"`
	Stored float64            `json:"stored_per_second"` // from the first delivery until both stores had all
	CPU    float64            `json:"cpu_seconds_per_1000"`
	CPUBy  map[string]float64 `json:"cpu_seconds_per_1000_by_program,omitempty"`
	Peak   float64            `json:"rss_peak_mib,omitempty"`
	PeakBy map[string]float64 `json:"rss_peak_mib_by_program,omitempty"`
	Wrote  float64            `json:"bytes_written_per_body_byte,omitempty"`
	// Syncs are per event.
	Syncs     float64   `json:"syncs_per_event,omitempty"`
	SyncsFrom string    `json:"syncs_from,omitempty"` // counted, strace, or metrics (frames and sealed batches)
	Frames    float64   `json:"events_per_frame,omitempty"`
	Batches   float64   `json:"events_per_batch,omitempty"`
	IntakeCPU float64   `json:"cpu_seconds_per_1000_until_answered"`
	Peaks     []float64 `json:"rss_peak_mib_by_phase,omitempty"` // each quarter of the deliveries, then the rest until all are stored
	Drained   float64   `json:"drained_per_second,omitempty"`    // after an outage
	Stages    []cost    `json:"stages,omitempty"`
	Missing   int       `json:"missing"` // of both stores, when the run ended
	Twice     int       `json:"twice"`
}

func (r result) accepted() float64 { return float64(r.Load.Accepted) / r.Load.Seconds }

const (
	stall = 30 * time.Second // nothing new for so long: what is missing is lost
	limit = 2 * time.Minute  // from the last answer, or 10 ms an event; a peer can be slow for longer than anyone wants to wait
)

// measure delivers to a running program and waits until both stores have everything. It ends the program.
func measure(ctx context.Context, label string, t *target, st stores, c *calls, p plan) (result, error) {
	r := result{Name: label, Plan: p}
	if err := st.begin(ctx, c.run, p.Events); err != nil {
		return r, errors.Join(err, t.stop())
	}
	before := t.usage()
	byName, _ := t.byName()
	var accepted atomic.Int64
	progressCtx, stopProgress := context.WithCancel(ctx)
	defer stopProgress()
	go progress(progressCtx, label, st, &accepted, p.Events)
	stand, _ := st.(*standIns)
	if p.Outage {
		stand.setDown(true)
	}
	var prof *profiler
	if p.Stages {
		var err error
		if prof, err = profileOf(ctx, t.admin); err != nil {
			return r, errors.Join(err, t.stop())
		}
	}
	start := time.Now()
	if p.Frozen {
		t.signalPlugins(syscall.SIGSTOP)
	}
	phases := t.phases(&accepted, p.Events)
	deliver := p.deliver
	if deliver == nil {
		deliver = func(ctx context.Context, t *target, accepted *atomic.Int64) (loadResult, error) {
			return load(ctx, t.addr, t.path, secret, c, p, accepted)
		}
	}
	var err error
	if r.Load, err = deliver(ctx, t, &accepted); err != nil {
		return r, errors.Join(err, t.failure(), t.stop())
	}
	answered := t.usage()
	if p.Frozen {
		t.signalPlugins(syscall.SIGCONT)
	}
	if p.Outage {
		stand.setDown(false)
	}
	back := time.Now()
	_, _, err = settle(ctx, t, st, r.Load.Accepted)
	r.Stored = float64(r.Load.Accepted) / time.Since(start).Seconds()
	if p.Outage {
		r.Drained = float64(r.Load.Accepted) / time.Since(back).Seconds()
	}
	r.Peaks = phases()
	after := t.usage()
	perThousand := 1000 / float64(max(r.Load.Accepted, 1))
	r.CPU = (after.CPU - before.CPU) * perThousand
	r.IntakeCPU = (answered.CPU - before.CPU) * perThousand
	r.CPUBy, r.PeakBy = t.byName()
	for n, s := range r.CPUBy {
		r.CPUBy[n] = (s - byName[n]) * perThousand
	}
	if prof != nil {
		var perr error
		r.Stages, perr = prof.costs(ctx, r.CPUBy, r.Load.Accepted)
		err = errors.Join(err, perr)
	}
	r.Peak = float64(after.Peak) / (1 << 20)
	r.Wrote = float64(after.Written-before.Written) / float64(c.size()*max(r.Load.Accepted, 1))
	if t.metrics != nil && err == nil {
		if m, merr := t.metrics(ctx); merr == nil {
			frames, batches := m["postcall_intake_frames_total"], m["postcall_batches_sealed_total"]
			n := float64(r.Load.Accepted)
			r.Frames, r.Batches = n/max(frames, 1), n/max(batches, 1)
			r.Syncs, r.SyncsFrom = (frames+batches)/n, "metrics"
		}
	}
	stopProgress()
	if serr := t.stop(); serr != nil {
		err = errors.Join(err, fmt.Errorf("stop: %w", serr))
	}
	ch, es, twice, cerr := st.counts(ctx)
	err, r.Twice = errors.Join(err, cerr), twice
	r.Missing = r.Load.Accepted*2 - ch - es
	if r.Missing != 0 || r.Twice != 0 {
		err = errors.Join(err, fmt.Errorf("%s: %d accepted, %d in ClickHouse, %d in Elasticsearch, %d stored twice", label, r.Load.Accepted, ch, es, r.Twice))
	}
	return r, err
}

// settle waits until both stores have n events, or until nothing new has come for a while, and returns what they have.
func settle(ctx context.Context, t *target, st stores, n int) (ch, es int, err error) {
	pause, look := 10*time.Millisecond, func() (int, int, error) {
		ch, es, _, err := st.counts(ctx)
		return ch, es, err
	}
	if _, ok := st.(*standIns); !ok { // counting in an engine costs it time: the program says when to
		pause, look = 100*time.Millisecond, func() (int, int, error) {
			m, err := t.metrics(ctx)
			return int(m[`postcall_events_delivered_total{sink="clickhouse"}`]), int(m[`postcall_events_delivered_total{sink="elasticsearch"}`]), err
		}
	}
	last, since, end := -1, time.Now(), time.Now().Add(max(limit, time.Duration(n)*10*time.Millisecond))
	for {
		if ch, es, err = look(); err != nil || (ch >= n && es >= n) {
			break
		}
		if ch+es != last {
			last, since = ch+es, time.Now()
		}
		if err = errors.Join(t.failure(), ctx.Err()); err != nil || time.Since(since) > stall || time.Now().After(end) {
			break
		}
		time.Sleep(pause)
	}
	return ch, es, err
}

// progress prints a line every two seconds.
func progress(ctx context.Context, label string, st stores, accepted *atomic.Int64, events int) {
	t := time.NewTicker(2 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			_, counted := st.(*standIns) // counting in an engine costs it time
			line := fmt.Sprintf("  %s: %d of %d accepted", label, accepted.Load(), events)
			if counted {
				ch, es, _, _ := st.counts(ctx)
				line += fmt.Sprintf(", %d in ClickHouse, %d in Elasticsearch", ch, es)
			}
			fmt.Fprintln(os.Stderr, line)
		}
	}
}

// removeDir removes a run's folder; what is left of it is in the way of nobody.
func removeDir(dir string) { _ = os.RemoveAll(dir) }

// runPostcall starts the built program on a new folder and measures it.
func runPostcall(ctx context.Context, o options, label string, st stores, c *calls, p plan) (result, error) {
	dir, err := os.MkdirTemp(o.dir, "postcall-bench-")
	if err != nil {
		return result{}, err
	}
	defer removeDir(dir)
	t, err := startPostcall(ctx, o.bin, dir, st, p.Env)
	if err != nil {
		return result{}, err
	}
	return measure(ctx, label, t, st, c, p)
}

// countSyncs is a run under strace, whose times don't count. It returns fsync and fdatasync calls per event, or false where
// strace can't be used.
func countSyncs(ctx context.Context, o options, st stores, c *calls, p plan) (float64, bool, error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return 0, false, nil
	}
	dir, err := os.MkdirTemp(o.dir, "postcall-bench-")
	if err != nil {
		return 0, false, err
	}
	defer removeDir(dir)
	out := filepath.Join(dir, "strace")
	wrap := []string{strace, "-f", "--seccomp-bpf", "-c", "-e", "trace=fsync,fdatasync", "-o", out}
	t, err := startPostcall(ctx, o.bin, dir, st, nil, wrap...)
	if err != nil {
		fmt.Fprintf(os.Stderr, "  strace can't be used: %v\n", err)
		return 0, false, nil
	}
	if _, err := measure(ctx, "under strace", t, st, c, p); err != nil {
		return 0, false, err
	}
	calls, err := straceCalls(out)
	return float64(calls) / float64(p.Events), err == nil, err
}

// straceCalls adds up the column "calls" of strace's summary.
func straceCalls(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	sum := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) < 5 || (f[len(f)-1] != "fsync" && f[len(f)-1] != "fdatasync") {
			continue
		}
		n, err := strconv.Atoi(f[3])
		if err != nil {
			return 0, fmt.Errorf("strace's summary: %w", err)
		}
		sum += n
	}
	return sum, nil
}
