package clickhouse

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

var update = flag.Bool("update", false, "write the golden files")

func wantRows(t *testing.T, l *Loader, where string, physical, visible uint64) {
	t.Helper()
	if got := one[uint64](t, l.conn, "SELECT count() FROM "+l.database+".calls_raw WHERE "+where); got != physical {
		t.Errorf("%d rows in calls_raw where %s, want %d", got, where, physical)
	}
	if got := one[uint64](t, l.conn, "SELECT count() FROM "+l.database+".calls WHERE "+where); got != visible {
		t.Errorf("%d rows in calls where %s, want %d", got, where, visible)
	}
}

// wantParts counts parts: an insert must be one block, which is one part.
func wantParts(t *testing.T, l *Loader, want uint64) {
	t.Helper()
	if n := one[uint64](t, l.conn, "SELECT count() FROM system.parts WHERE active AND database = '"+l.database+"' AND table = '"+table+"'"); n != want {
		t.Errorf("%d parts, want %d", n, want)
	}
}

func TestEveryFieldIsReadBack(t *testing.T) {
	l, conn, cfg := migrated(t)
	load(t, l, "t1", full())
	got := one[string](t, conn, "SELECT formatRow('PrettyJSONEachRow', * EXCEPT loaded_at) FROM "+cfg.Database+".calls_raw")
	golden(t, "testdata/row.golden", got)
	turns := one[string](t, conn, "SELECT arrayStringConcat(groupArray(formatRow('TSV', *))) FROM (SELECT * FROM "+cfg.Database+".call_turns ORDER BY seq)")
	golden(t, "testdata/turns.golden", turns)
	if lag := time.Since(one[time.Time](t, conn, "SELECT loaded_at FROM "+cfg.Database+".calls")); lag < -time.Minute || lag > time.Minute {
		t.Errorf("loaded_at is off by %s", lag)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, d)
	}
}

func TestNullsAndEmptyValues(t *testing.T) {
	l, conn, cfg := migrated(t)
	bare := transforms.Event{CallID: "bare", Version: 1762162300123456, CallStarted: start}
	load(t, l, "t1", call("other", 1), bare)
	golden(t, "testdata/bare.golden", one[string](t, conn,
		"SELECT formatRow('PrettyJSONEachRow', * EXCEPT loaded_at) FROM "+cfg.Database+".calls_raw WHERE call_id = 'bare'"))
}

func TestSameBatchAgainIsOneRow(t *testing.T) {
	l, _, cfg := migrated(t)
	for range 3 {
		load(t, l, "t1", calls(50)...)
	}
	load(t, loader(t, cfg), "t1", calls(50)...) // another process
	wantRows(t, l, "1", 50, 50)
	wantParts(t, l, 1)
	load(t, l, "t2", calls(50)...) // other rows for all we know: the token decides
	wantRows(t, l, "1", 100, 50)
}

func TestSameBatchAtOnceIsOneRow(t *testing.T) {
	l, _, _ := migrated(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := l.Load(t.Context(), connector.Batch{Token: "t1", Events: calls(200)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantRows(t, l, "1", 200, 200)
}

func TestALargeBatchIsOneBlock(t *testing.T) {
	l, _, _ := migrated(t)
	events := make([]transforms.Event, 5000)
	for i := range events {
		events[i] = full()
		events[i].CallID = fmt.Sprint(i)
		events[i].LongSummary = strings.Repeat(fmt.Sprint(i, " "), 1000)
	}
	load(t, l, "t1", events...)
	load(t, l, "t1", events...)
	wantRows(t, l, "1", 5000, 5000)
	wantParts(t, l, 1)
}

// A profile of the server must not be able to switch the tokens off.
func TestTokensHoldAgainstTheServersDefaults(t *testing.T) {
	l, _, cfg := migrated(t)
	o, err := options(cfg)
	if err != nil {
		t.Fatal(err)
	}
	o.Settings = chgo.Settings{
		"deduplicate_insert": "disable", "insert_deduplicate": 0, "async_insert": 1, "wait_for_async_insert": 0,
		"use_strict_insert_block_limits": 1, "max_insert_block_size": 7,
	}
	if l.conn, err = chgo.Open(o); err != nil {
		t.Fatal(err)
	}
	defer l.conn.Close()
	for range 2 {
		load(t, l, "t1", calls(50)...)
		wantRows(t, l, "1", 50, 50)
	}
	wantParts(t, l, 1)
}

func TestACorrectionReplacesAndAStaleOneDoesNot(t *testing.T) {
	l, conn, cfg := migrated(t)
	corrected := call("a", 200)
	corrected.Summary, corrected.CallStarted = "corrected", start.AddDate(0, -1, 0) // in another month, too
	stale := call("a", 100)
	stale.Summary = "stale"
	other := call("a", 50)
	other.Tenant, other.Summary = "other", "another tenant's"
	first := call("a", 150)
	load(t, l, "t1", first)
	load(t, l, "t2", corrected)
	load(t, l, "t3", stale, other)
	wantRows(t, l, "tenant = 'default'", 3, 1)
	wantRows(t, l, "tenant = 'other'", 1, 1)
	if got := one[string](t, conn, "SELECT summary FROM "+cfg.Database+".calls WHERE tenant = 'default'"); got != "corrected" {
		t.Errorf("the call's summary is %q", got)
	}
	// A filter that only the stale version passes must not bring it back through the minmax index.
	wantRows(t, l, "tenant = 'default' AND call_started > '2026-11-01 00:00:00'", 2, 0)
}

// An erased call leaves the views, and a late delivery of an older version doesn't bring it back.
func TestAnErasedCallStaysErased(t *testing.T) {
	l, conn, cfg := migrated(t)
	load(t, l, "t1", call("a", 100), call("b", 101))
	exec(t, conn, "INSERT INTO "+cfg.Database+".calls_raw (tenant, call_id, version, is_deleted) SELECT 'default', 'a', 200, 1")
	load(t, l, "t2", call("a", 150))
	wantRows(t, l, "call_id = 'a'", 3, 0)
	exec(t, conn, "SYSTEM START MERGES "+cfg.Database+".calls_raw")
	exec(t, conn, "OPTIMIZE TABLE "+cfg.Database+".calls_raw FINAL")
	wantRows(t, l, "call_id = 'a'", 1, 0)
	load(t, l, "t3", call("a", 160))
	wantRows(t, l, "call_id = 'a'", 2, 0)
	wantRows(t, l, "call_id = 'b'", 1, 1)
}

func TestBadRowsAreRefusedAlone(t *testing.T) {
	l, _, _ := migrated(t)
	events := calls(6)
	events[1].CallStarted = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	events[4].Metrics.UserWords = -1
	for range 2 { // the same on each attempt
		err := l.Load(t.Context(), connector.Batch{Token: "t1", Events: events})
		var partial *connector.PartialError
		if !errors.As(err, &partial) {
			t.Fatalf("got %v, want a PartialError", err)
		}
		if got := slices.Sorted(maps.Keys(partial.Failed)); !slices.Equal(got, []int{1, 4}) || len(partial.Retry) > 0 {
			t.Fatalf("refused %v, to retry %v", got, partial.Retry)
		}
	}
	wantRows(t, l, "1", 4, 4)

	err := l.Load(t.Context(), connector.Batch{Token: "t2", Events: []transforms.Event{{CallID: "x"}}})
	var partial *connector.PartialError
	if !errors.As(err, &partial) || len(partial.Failed) != 1 {
		t.Errorf("a batch of bad rows only: %v", err)
	}
	load(t, l, "t3") // no events at all
	wantRows(t, l, "1", 4, 4)
}

func TestAbandonedInsertsLeaveTheTokenFree(t *testing.T) {
	l, _, _ := migrated(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopping"))
	if err := l.Load(ctx, connector.Batch{Token: "t1", Events: calls(3)}); err == nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("got %v", err)
	}
	set, err := l.insertSettings(t.Context(), "t1")
	if err != nil {
		t.Fatal(err)
	}
	insertNothing(t, l, set)
	load(t, l, "t1", calls(3)...)
	wantRows(t, l, "1", 3, 3)
}
