package clickhouse

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// sums are what a manager reads: for each day its calls, the seconds they took, and how many were negative.
func sums(t *testing.T, conn driver.Conn, database, source string) string {
	t.Helper()
	return strings.Join(one[[]string](t, conn, "SELECT groupArray(line) FROM (SELECT concat(toString(day), ' ', toString(count()), ' ', "+
		"toString(sum(duration)), ' ', toString(countIf(sentiment = 'negative')), ' ', toString(uniqExact(caller))) AS line FROM "+
		database+"."+source+" WHERE NOT is_test GROUP BY day ORDER BY day)"), "; ")
}

// wantSums compares with what was counted by hand: in the view of metrics, in the view of calls, and before and after
// the parts are merged.
func wantSums(t *testing.T, conn driver.Conn, database, after, want string) {
	t.Helper()
	for _, source := range []string{"call_facts", "calls"} {
		if got := sums(t, conn, database, source); got != want {
			t.Errorf("after %s %s has\n  %s, want\n  %s", after, source, got, want)
		}
	}
}

func fact(id string, version int64, day int32, seconds float64, sentiment, customer string) transforms.Event {
	e := call(id, version)
	e.CallStarted = start.AddDate(0, 0, int(day))
	e.Metrics.Weekday = int32((int(e.CallStarted.Weekday())+6)%7 + 1)
	e.Duration, e.SentimentKind, e.CustomerKey = &seconds, sentiment, customer
	return e
}

// DELIVERY.md, rules 5 and 13, for what metrics read: a redelivery, a correction, a stale delivery and an erasure, each with
// the sums that were made by hand.
func TestFactsStayRight(t *testing.T) {
	l, conn, cfg := migrated(t)
	exec(t, conn, "SYSTEM STOP MERGES "+cfg.Database+".call_facts_raw")
	test := fact("test", 105, 0, 1000, "negative", "x")
	test.IsTest = true
	first := []transforms.Event{
		fact("a", 100, 0, 60, "positive", "ann"), fact("b", 101, 0, 30, "negative", "bob"),
		fact("c", 102, 1, 45, "negative", "ann"), fact("d", 103, 1, 15, "", ""), test,
	}
	load(t, l, "t1", first...)
	wantSums(t, conn, cfg.Database, "the first delivery", "2026-11-03 2 90 1 2; 2026-11-04 2 60 1 2")

	load(t, l, "t1", first...) // the batch again, as after a lost answer
	load(t, l, "t2", first...) // and as one that nobody remembers
	wantSums(t, conn, cfg.Database, "redeliveries", "2026-11-03 2 90 1 2; 2026-11-04 2 60 1 2")

	// b started in the month before, took twice as long and was not negative; c is another caller's.
	load(t, l, "t3", fact("b", 201, -31, 60, "neutral", "bob"), fact("c", 202, 1, 45, "negative", "bob"))
	wantSums(t, conn, cfg.Database, "corrections", "2026-10-03 1 60 0 1; 2026-11-03 1 60 0 1; 2026-11-04 2 60 1 2")

	load(t, l, "t4", fact("b", 150, 5, 999, "negative", "eve"), fact("a", 99, 5, 999, "negative", "eve"))
	wantSums(t, conn, cfg.Database, "stale deliveries", "2026-10-03 1 60 0 1; 2026-11-03 1 60 0 1; 2026-11-04 2 60 1 2")

	erase := func(id string, version uint64) {
		exec(t, conn, fmt.Sprintf("INSERT INTO %s.calls_raw (tenant, call_id, version, is_deleted) SELECT 'default', '%s', %d, 1", cfg.Database, id, version))
	}
	erase("c", 300)
	load(t, l, "t5", fact("c", 250, 1, 45, "negative", "bob")) // delivered late
	want := "2026-10-03 1 60 0 1; 2026-11-03 1 60 0 1; 2026-11-04 1 15 0 1"
	wantSums(t, conn, cfg.Database, "an erasure", want)

	for _, table := range []string{"calls_raw", "call_facts_raw"} {
		exec(t, conn, "SYSTEM START MERGES "+cfg.Database+"."+table)
		exec(t, conn, "OPTIMIZE TABLE "+cfg.Database+"."+table+" FINAL")
	}
	wantSums(t, conn, cfg.Database, "merges", want)
	// After merges one row of an erased call is left, and it holds nothing but the key.
	left := one[string](t, conn, "SELECT arrayStringConcat(groupArray(formatRow('CSV', is_deleted, duration, sentiment, caller, agent_name)), '') FROM "+
		cfg.Database+".call_facts_raw WHERE call_key = sipHash64('default', 'c')")
	if left != "1,\\N,\"\",0,\"\"\n" {
		t.Errorf("of the erased call there is %q", left)
	}
}

// Another tenant's call of the same id is another call.
func TestFactsKeepTenantsApart(t *testing.T) {
	l, conn, cfg := migrated(t)
	other := fact("a", 100, 0, 30, "", "ann")
	other.Tenant = "other"
	load(t, l, "t1", fact("a", 100, 0, 60, "", "ann"), other)
	wantSums(t, conn, cfg.Database, "two tenants' calls", "2026-11-03 2 90 0 1")
}

// An insert that ended between the two tables is completed by its next attempt, and by it alone.
func TestFactsCatchUpAfterAHalfInsert(t *testing.T) {
	l, conn, cfg := migrated(t)
	facts := cfg.Database + ".call_facts_raw"
	exec(t, conn, "ALTER TABLE "+facts+" ADD CONSTRAINT broken CHECK duration > 1000")
	batch := connector.Batch{Token: "t1", Events: []transforms.Event{fact("a", 100, 0, 60, "", "ann"), fact("b", 101, 0, 30, "", "bob")}}
	if err := l.Load(t.Context(), batch); err == nil {
		t.Fatal("an insert whose copy fails is reported as done")
	}
	exec(t, conn, "ALTER TABLE "+facts+" DROP CONSTRAINT broken")
	for range 2 {
		if err := l.Load(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"calls_raw", "call_facts_raw"} {
		if n := one[uint64](t, conn, "SELECT count() FROM "+cfg.Database+"."+table); n != 2 {
			t.Errorf("%s has %d rows, want 2", table, n)
		}
	}
	wantSums(t, conn, cfg.Database, "the second attempt", "2026-11-03 2 90 0 2")
}

// What was loaded before migration 5 is there after it, erased calls and old versions included, however often it is run.
func TestFactsOfCallsLoadedBefore(t *testing.T) {
	cfg := engine(t)
	m := migrator(t, cfg)
	plan, err := m.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range plan {
		if v := plan[i].Version; v > 0 && v != factsMigration && v != factsMigration+1 { // that one changes its table
			if err := m.apply(t.Context(), &plan[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	l := loader(t, cfg)
	exec(t, m.conn, "SYSTEM STOP MERGES "+cfg.Database+".calls_raw")
	load(t, l, "t1", fact("a", 100, 0, 60, "", "ann"), fact("b", 101, 0, 30, "", "bob"), fact("c", 102, 1, 45, "negative", ""))
	load(t, l, "t2", fact("b", 201, 1, 20, "", "bob"))
	exec(t, m.conn, "INSERT INTO "+cfg.Database+".calls_raw (tenant, call_id, version, is_deleted) SELECT 'default', 'c', 300, 1")
	for range 3 {
		if _, err := m.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantSums(t, m.conn, cfg.Database, "the migration", "2026-11-03 1 60 0 1; 2026-11-04 1 20 0 1")
		load(t, l, "t3", fact("c", 250, 1, 45, "negative", "")) // an erased call is known to be one
		exec(t, m.conn, fmt.Sprintf("DELETE FROM %s.schema_migrations WHERE version = %d", cfg.Database, factsMigration))
	}
}

// What both views have is the same in both, and call_facts_raw lacks nothing of what its view shows.
func TestFactsAreDescribedAsCallsAre(t *testing.T) {
	_, conn, cfg := migrated(t)
	differ := one[[]string](t, conn, "SELECT groupArray(f.name) FROM system.columns f INNER JOIN system.columns c ON f.name = c.name AND f.database = c.database "+
		"WHERE f.database = '"+cfg.Database+"' AND f.table = 'call_facts' AND c.table = 'calls' AND f.name != 'tenant' AND (f.comment != c.comment OR f.type != c.type)")
	if len(differ) > 0 {
		t.Errorf("call_facts differs from calls in the types or comments of %v", differ)
	}
	columns := func(table string) []string {
		return one[[]string](t, conn, "SELECT arraySort(groupArray(concat(name, ' ', type))) FROM system.columns WHERE name NOT IN ('version', 'is_deleted') AND "+
			"database = '"+cfg.Database+"' AND table = '"+table+"'")
	}
	if raw, view := columns("call_facts_raw"), columns("call_facts"); !slices.Equal(raw, view) || !slices.Equal(raw, columns(factsCopy)) {
		t.Errorf("call_facts_raw has %v, call_facts %v, %s %v", raw, view, factsCopy, columns(factsCopy))
	}
}

func TestCheckFindsThatMetricsMissCalls(t *testing.T) {
	l, conn, cfg := migrated(t)
	exec(t, conn, "DROP VIEW "+cfg.Database+"."+factsCopy)
	wantKind(t, l.Check(t.Context()), connector.ErrPaused, "metrics would miss calls")
	exec(t, conn, fmt.Sprintf("DELETE FROM %s.schema_migrations WHERE version = %d", cfg.Database, factsMigration))
	if _, err := migrator(t, cfg).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Errorf("after what the error says: %v", err)
	}
}
