package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// expect is what a row makes on purpose. Everything else is off.
type expect struct {
	dead    int            // dead letters
	missing map[string]int // by store: calls that it refused
	lossy   bool           // files were damaged: calls may be lost, but an alarm has to say so
	patient time.Duration  // how long the stores may make no progress; 0 is a minute
	refused int            // deliveries answered 4xx
}

// tally is what the table shows of a row.
type tally struct {
	planned, acked, calls, denied int
	in                            map[string]int // calls by store
	dead, lost, stale, twice      int
	worst                         time.Duration
	notes                         []string // why the row is off
	remarks                       []string // what else is worth a line
}

func (t *tally) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// settle waits until the stores hold what they have to, or make no progress any more, and everything is acknowledged to
// the streams; then it takes stock.
func (w *world) settle(ctx context.Context, want expect) (*tally, error) {
	patience := want.patient
	if patience == 0 {
		patience = time.Minute
	}
	moved, looked, last := time.Now(), time.Now(), [2]int{}
	for time.Since(moved) < patience {
		ch, es := w.counts(ctx)
		if now := [2]int{ch, es}; now != last {
			last, moved = now, time.Now()
		}
		w.doing("%d calls in ClickHouse, %d in Elasticsearch, of %d", ch, es, len(w.calls)-want.refused)
		if w.full("clickhouse", ch, want) && w.full("elasticsearch", es, want) || time.Since(looked) > 5*time.Second {
			looked = time.Now()
			if t, err := w.take(ctx, want); err == nil && t.lost+t.stale == 0 {
				break
			}
		}
		if err := sleep(ctx, 300*time.Millisecond); err != nil {
			return nil, err
		}
	}
	idle := w.idle(ctx, patience)
	t, err := w.take(ctx, want)
	if err != nil {
		return nil, err
	}
	if idle != nil && t.lost+t.stale == 0 {
		t.note("%v", idle)
	}
	return t, ctx.Err()
}

// full reports whether a store has as many calls as it will get.
func (w *world) full(store string, calls int, want expect) bool {
	return !w.has(store) || calls >= len(w.calls)-want.refused-want.missing[store]
}

func (w *world) has(store string) bool { return slices.Contains(w.sinks, store) }

// idle waits until no sealed batch waits for a sink. The gauges are refreshed every 5 s.
func (w *world) idle(ctx context.Context, limit time.Duration) error {
	if p := w.process(); p == nil || p.ended() {
		return errors.New("postcall does not run any more")
	}
	w.doing("waits for the sinks' last acknowledgements")
	if err := sleep(ctx, 5500*time.Millisecond); err != nil {
		return err
	}
	return until(ctx, "no sealed batch waits for a sink", limit, func() bool {
		return w.metric("postcall_sink_pending_batches") == 0
	})
}

// take compares the ledger with the stores.
func (w *world) take(ctx context.Context, want expect) (*tally, error) {
	t := &tally{
		planned: w.planned(), acked: int(w.acked.Load()), denied: int(w.denied.Load()), calls: len(w.calls), in: map[string]int{},
	}
	var err error
	if t.dead, err = w.dead(ctx); err != nil {
		t.note("%v", err)
	}
	if worst := w.worst.Load(); worst != nil {
		t.worst = worst[0]
	}
	lost := map[int]string{}
	for store, read := range map[string]func(context.Context) (map[string]found, error){"clickhouse": w.rows, "elasticsearch": w.documents} {
		if !w.has(store) {
			continue
		}
		have, err := read(ctx)
		if err != nil {
			return nil, err
		}
		w.compare(t, store, have, want, lost)
	}
	t.lost = len(lost)
	if ids := slices.Sorted(maps.Keys(lost)); len(ids) > 0 {
		t.note("lost: %s", some(ids, func(i int) string {
			return fmt.Sprintf("%s (acknowledged %s,%s)", w.id(i), w.calls[i].at.Format("15:04:05.000"), lost[i])
		}))
	}
	w.judge(t, want)
	return t, nil
}

// dead counts the dead letters.
func (w *world) dead(ctx context.Context) (int, error) {
	var stdout, stderr bytes.Buffer
	cmd := w.command(ctx, "dead", "list", "--json", "--limit", "1000000")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return 0, fmt.Errorf("postcall dead list: %w: %s", err, lines[len(lines)-1])
	}
	var letters []struct{ ID string }
	if err := json.Unmarshal(stdout.Bytes(), &letters); err != nil {
		return 0, fmt.Errorf("postcall dead list --json: %w", err)
	}
	return len(letters), nil
}

// compare looks at one store.
func (w *world) compare(t *tally, store string, have map[string]found, want expect, lost map[int]string) {
	var twice, stale []int
	missing := 0
	t.in[store] = 0
	for i := range w.calls {
		e, f := &w.calls[i], have[w.id(i)]
		delete(have, w.id(i))
		switch {
		case f.rows > 0:
			t.in[store]++
		case e.acked > 0 && w.poison(i) && want.missing[store] > 0:
			missing++
		case e.acked > 0:
			lost[i] += " not in " + store
		}
		if f.rows > 0 && (f.serial < e.acked || f.serial > e.tried) {
			stale = append(stale, i)
		}
		if n := f.repeated + max(0, f.rows-f.repeated-e.attempts); n > 0 {
			t.twice += n
			twice = append(twice, i)
		}
	}
	t.stale += len(stale)
	if len(stale) > 0 {
		t.note("stale in %s: %s", store, some(stale, func(i int) string {
			return fmt.Sprintf("%s (acknowledged %d, tried %d)", w.id(i), w.calls[i].acked, w.calls[i].tried)
		}))
	}
	if len(twice) > 0 {
		t.note("twice in %s: %s", store, some(twice, w.id))
	}
	if len(have) > 0 {
		t.note("%d calls in %s that nobody sent", len(have), store)
	}
	if missing != want.missing[store] {
		t.note("%s lacks %d of the refused calls, not %d", store, missing, want.missing[store])
	}
}

// judge says what is off besides.
func (w *world) judge(t *tally, want expect) {
	if t.acked+t.denied != t.planned {
		t.note("%d of %d deliveries acknowledged", t.acked+t.denied, t.planned)
	}
	if t.dead != want.dead && !want.lossy {
		t.note("%d dead letters, %d expected", t.dead, want.dead)
	}
	if t.denied != want.refused {
		t.note("%d deliveries answered 4xx, not %d", t.denied, want.refused)
	}
	if n := w.bare.Load(); n > 0 {
		t.note("%d answers 503 without Retry-After", n)
	}
	if t.twice > 0 {
		t.note("%d rows twice", t.twice)
	}
}

func some(of []int, show func(int) string) string {
	var parts []string
	for _, i := range of[:min(3, len(of))] {
		parts = append(parts, show(i))
	}
	s := strings.Join(parts, ", ")
	if len(of) > 3 {
		s += fmt.Sprintf(" and %d more", len(of)-3)
	}
	return s
}
