package main

import (
	"os"
	"testing"
)

// The smoke of `make faults`: a few rows, on engines of their own. Everything else of it is run by hand and at night.
func TestFaults(t *testing.T) {
	o := options{scale: scales["short"], dir: t.TempDir()}
	// Elasticsearch may run as another user, which has to get to its folder.
	for _, dir := range []string{o.dir, o.dir + "/.."} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h, err := newHarness(o)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	rows, err := choose("^(kill -9 between insert and ack|poison at the webhook|SIGTERM after acks)$", o.scale)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.run(t.Context(), rows); err != nil {
		for _, r := range h.results {
			t.Errorf("%s: %s: %v", r.row.name, r.verdict, r.lines())
		}
		t.Fatal(err)
	}
}

func TestLedgerPlansOneInTwentyAgain(t *testing.T) {
	for _, n := range []int{500, 20_000, 100_000} {
		l := newLedger("run", n)
		if got := l.planned(); got != n {
			t.Errorf("%d deliveries are planned as %d", n, got)
		}
		if got := n - len(l.calls); got != n/20 {
			t.Errorf("%d of %d deliveries repeat or correct a call", got, n)
		}
	}
}

// A table that is as it has to be says so, and each thing that can be off says so too.
func TestCompareSeesWhatIsOff(t *testing.T) {
	for _, tc := range []struct {
		name               string
		change             func(*world, map[string]found)
		lost, stale, twice int
		notes              int
	}{
		{"nothing", func(*world, map[string]found) {}, 0, 0, 0, 0},
		{"a missing call", func(w *world, have map[string]found) { delete(have, w.id(0)) }, 1, 0, 0, 0},
		{"an older content", func(w *world, have map[string]found) { have[w.id(1)] = found{serial: 1, rows: 2} }, 0, 1, 0, 1},
		{"a content nobody sent", func(w *world, have map[string]found) { have[w.id(1)] = found{serial: 9, rows: 2} }, 0, 1, 0, 1},
		{"a repeated row", func(w *world, have map[string]found) { have[w.id(0)] = found{serial: 1, rows: 2, repeated: 1} }, 0, 0, 1, 1},
		{"more rows than attempts", func(w *world, have map[string]found) { have[w.id(0)] = found{serial: 1, rows: 3} }, 0, 0, 2, 1},
		{"an unknown call", func(_ *world, have map[string]found) { have["other"] = found{serial: 1, rows: 1} }, 0, 0, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &world{ledger: newLedger("run", 2)}
			w.calls[0] = call{attempts: 1, tried: 1, acked: 1}
			w.calls[1] = call{attempts: 2, tried: 2, acked: 2}
			have := map[string]found{w.id(0): {serial: 1, rows: 1}, w.id(1): {serial: 2, rows: 2}}
			tc.change(w, have)
			got, lost := &tally{in: map[string]int{}}, map[int]string{}
			w.compare(got, "clickhouse", have, expect{}, lost)
			if len(lost) != tc.lost || got.stale != tc.stale || got.twice != tc.twice || len(got.notes) != tc.notes {
				t.Errorf("%d lost, %d stale, %d twice, notes %q; want %d, %d, %d and %d notes", len(lost), got.stale, got.twice, got.notes, tc.lost, tc.stale, tc.twice, tc.notes)
			}
		})
	}
}
