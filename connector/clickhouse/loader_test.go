package clickhouse

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

var update = flag.Bool("update", false, "write the golden files")

func wantKind(t *testing.T, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want one of kind %q with %q", err, kind, text)
	}
}

func wantRows(t *testing.T, l *Loader, where string, physical, visible uint64) {
	t.Helper()
	if got := one[uint64](t, l.conn, "SELECT count() FROM "+l.database+".calls_raw WHERE "+where); got != physical {
		t.Errorf("%d rows in calls_raw where %s, want %d", got, where, physical)
	}
	if got := one[uint64](t, l.conn, "SELECT count() FROM "+l.database+".calls WHERE "+where); got != visible {
		t.Errorf("%d rows in calls where %s, want %d", got, where, visible)
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
	if n := one[uint64](t, l.conn, "SELECT count() FROM system.parts WHERE active AND database = '"+cfg.Database+"' AND table = 'calls_raw'"); n != 1 {
		t.Errorf("%d parts, want 1: an insert must be one block", n)
	}
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
	l, _, cfg := migrated(t)
	events := make([]transforms.Event, 5000)
	for i := range events {
		events[i] = full()
		events[i].CallID = fmt.Sprint(i)
		events[i].LongSummary = strings.Repeat(fmt.Sprint(i, " "), 1000)
	}
	load(t, l, "t1", events...)
	load(t, l, "t1", events...)
	wantRows(t, l, "1", 5000, 5000)
	if n := one[uint64](t, l.conn, "SELECT count() FROM system.parts WHERE active AND database = '"+cfg.Database+"' AND table = 'calls_raw'"); n != 1 {
		t.Errorf("%d parts, want 1", n)
	}
}

// A profile of the server must not be able to switch the tokens off.
func TestTokensHoldAgainstTheServersDefaults(t *testing.T) {
	l, _, _ := migrated(t)
	set, err := l.insertSettings(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"insert_deduplicate": 1, "deduplicate_insert": "enable", "async_insert": 0} {
		if set[name] != want {
			t.Errorf("%s = %v, want %v", name, set[name], want)
		}
	}
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

func TestSchemaFaultsPause(t *testing.T) {
	load1 := func(l *Loader) error {
		return l.Load(context.Background(), connector.Batch{Token: "t1", Events: calls(1)})
	}
	t.Run("not migrated", func(t *testing.T) {
		l := loader(t, engine(t))
		wantKind(t, load1(l), connector.ErrPaused, "postcall migrate apply")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "postcall migrate apply")
	})
	t.Run("table dropped", func(t *testing.T) {
		l, conn, cfg := migrated(t)
		exec(t, conn, "DROP TABLE "+cfg.Database+".calls_raw SYNC")
		wantKind(t, load1(l), connector.ErrPaused, "code 60: Table")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "calls_raw is missing")
	})
	t.Run("column dropped", func(t *testing.T) {
		l, conn, cfg := migrated(t)
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw DROP COLUMN summary, DROP COLUMN hour")
		wantKind(t, load1(l), connector.ErrPaused, "code 16")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "lacks the columns summary, hour")
	})
	t.Run("column of another type", func(t *testing.T) {
		l, conn, cfg := migrated(t)
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw MODIFY COLUMN summary UInt8")
		wantKind(t, load1(l), connector.ErrPaused, "column summary")
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw MODIFY COLUMN summary String")
		if err := load1(l); err != nil {
			t.Error("after the cure:", err)
		}
	})
	t.Run("window too small", func(t *testing.T) {
		l, conn, cfg := migrated(t)
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw MODIFY SETTING non_replicated_deduplication_window = 100")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "MODIFY SETTING non_replicated_deduplication_window = 100000")
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw RESET SETTING non_replicated_deduplication_window")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "MODIFY SETTING")
	})
}

func TestAServerThatIsDownIsRetried(t *testing.T) {
	cfg := connector.ClickHouseConfig{Addr: []string{closedPort(t)}, Database: "postcall", Timeout: 5 * time.Second, Workers: 1}
	l := loader(t, cfg)
	m := migrator(t, cfg)
	_, applyErr := m.Apply(t.Context())
	_, pingErr := l.Ping(t.Context())
	for act, err := range map[string]error{
		"load":  l.Load(t.Context(), connector.Batch{Token: "t1", Events: calls(1)}),
		"check": l.Check(t.Context()),
		"ping":  pingErr,
		"apply": applyErr,
	} {
		if err == nil || errors.Is(err, connector.ErrPaused) || errors.Is(err, connector.ErrRefused) || errors.Is(err, connector.ErrTooLarge) {
			t.Errorf("%s: %v, want a plain error", act, err)
		}
	}
}

// A server that takes the connection and says nothing.
func TestASilentServerEndsAtTheDeadline(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l := loader(t, connector.ClickHouseConfig{Addr: []string{ln.Addr().String()}, Database: "postcall", Timeout: 200 * time.Millisecond, Workers: 1})
	begin := time.Now()
	err = l.Load(t.Context(), connector.Batch{Token: "t1", Events: calls(1)})
	if took := time.Since(begin); err == nil || took > 5*time.Second {
		t.Errorf("%v after %s", err, took)
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	ok := connector.ClickHouseConfig{Addr: []string{"127.0.0.1:1"}, Database: "postcall", Timeout: time.Second}
	for name, change := range map[string]func(*connector.ClickHouseConfig){
		"POSTCALL_CLICKHOUSE_ADDR":     func(c *connector.ClickHouseConfig) { c.Addr = nil },
		"POSTCALL_CLICKHOUSE_DATABASE": func(c *connector.ClickHouseConfig) { c.Database = "a`b; DROP" },
		"POSTCALL_CLICKHOUSE_TIMEOUT":  func(c *connector.ClickHouseConfig) { c.Timeout = 0 },
	} {
		cfg := ok
		change(&cfg)
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
