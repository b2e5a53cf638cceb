package clickhouse

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// aged is a call with everything set, delivered some days ago.
func aged(id string, days int) transforms.Event {
	e := full()
	e.Tenant, e.CallID, e.IsTest = "default", id, false
	e.ReceivedAt = time.Now().UTC().Truncate(time.Microsecond).AddDate(0, 0, -days)
	e.Version, e.CallStarted = e.ReceivedAt.UnixMicro(), e.ReceivedAt.Add(-time.Hour)
	e.CallerName, e.LongSummary = "[PERSON_1]", "long"
	return e
}

// keep brings a retention into a database and returns how many steps that took.
func keep(t *testing.T, cfg connector.ClickHouseConfig, days, personalDays int) int {
	t.Helper()
	cfg.KeepDays, cfg.KeepPersonalDays = days, personalDays
	done, err := migrator(t, cfg).Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for i := range done {
		if strings.HasPrefix(done[i].String(), "retention") { // the views may not be there yet
			steps++
		}
	}
	return steps
}

func mergeAll(t *testing.T, conn driver.Conn, database string) {
	t.Helper()
	for _, name := range []string{table, factsTable} {
		exec(t, conn, "SYSTEM START MERGES "+database+"."+name)
		exec(t, conn, "OPTIMIZE TABLE "+database+"."+name+" FINAL")
	}
}

func TestRetentionRemovesCallsAndEmptiesWhatIsPersonal(t *testing.T) {
	l, conn, cfg := migratedBut(t, "")
	if n := keep(t, cfg, 30, 10); n != 2 {
		t.Fatalf("%d steps, want one for each table", n)
	}
	if n := keep(t, cfg, 30, 10); n != 0 {
		t.Fatalf("the second time there were %d steps", n)
	}
	load(t, l, "t1", aged("old", 40), aged("middle", 20), aged("new", 1), aged("corrected", 20))
	load(t, l, "t2", aged("corrected", 1))
	erased := time.Now().AddDate(0, 0, -40).UnixMicro()
	exec(t, conn, fmt.Sprintf("INSERT INTO %s.calls_raw (tenant, call_id, version, is_deleted) SELECT 'default', 'erased', %d, 1", cfg.Database, erased))
	mergeAll(t, conn, cfg.Database)

	if got := one[[]string](t, conn, "SELECT arraySort(groupArray(call_id)) FROM "+cfg.Database+".calls"); !slices.Equal(got, []string{"corrected", "middle", "new"}) {
		t.Errorf("calls has %v", got)
	}
	for _, name := range []string{table, factsTable} {
		if n := one[uint64](t, conn, "SELECT count() FROM "+cfg.Database+"."+name); n != 4 {
			t.Errorf("%s has %d rows, want those of three calls and the tombstone", name, n)
		}
	}
	for _, c := range personal[table] {
		check := func(id string, empty bool) {
			if got := one[bool](t, conn, "SELECT toBool(empty("+c+")) FROM "+cfg.Database+".calls WHERE call_id = '"+id+"'"); got != empty {
				t.Errorf("%s of call %s is empty: %t", c, id, got)
			}
		}
		check("middle", true)
		check("new", false)
		check("corrected", false)
	}
	got := one[string](t, conn, "SELECT formatRow('CSV', duration, topics, agent_name, empty(topic), empty(unanswered_questions), unanswered_count, caller) FROM "+
		cfg.Database+".call_facts WHERE call_key = sipHash64('default', 'middle')")
	if want := "83.5,\"['appointments','billing']\",\"Ava\",1,1,14,0\n"; got != want {
		t.Errorf("the numbers of a call without what is personal are %q, want %q", got, want)
	}
}

// Set on a table that has calls, it reaches those too, without any merge asked for.
func TestRetentionReachesWhatIsThere(t *testing.T) {
	l, conn, cfg := migratedBut(t, "")
	for _, name := range []string{table, factsTable} {
		exec(t, conn, "SYSTEM START MERGES "+cfg.Database+"."+name)
	}
	load(t, l, "t1", aged("old", 40), aged("middle", 20), aged("new", 1))
	keep(t, cfg, 30, 10)
	left := "SELECT count() = 2 AND countIf(summary = '') = 1 FROM " + cfg.Database + ".calls_raw"
	for deadline := time.Now().Add(30 * time.Second); !one[bool](t, conn, left); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s there is %s", one[string](t, conn, "SELECT toString(groupArray((call_id, summary))) FROM "+cfg.Database+".calls_raw"))
		}
	}
}

func TestRetentionIsChangedAndTakenBack(t *testing.T) {
	_, conn, cfg := migratedBut(t, "")
	plan := func(days, personalDays int) string {
		t.Helper()
		cfg := cfg
		cfg.KeepDays, cfg.KeepPersonalDays = days, personalDays
		steps, err := migrator(t, cfg).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for i := range steps {
			if strings.HasPrefix(steps[i].String(), "view ") { // not made in most tests
				continue
			}
			b.WriteString(steps[i].String() + "\n" + strings.Join(steps[i].Statements, "\n") + "\n")
		}
		return b.String()
	}
	if got := plan(0, 0); got != "" {
		t.Errorf("without a retention the plan is\n%s", got)
	}
	got := plan(400, 90)
	for _, want := range []string{
		"retention of calls_raw: calls for 400 days, what is personal for 90", "MODIFY COLUMN email_key TTL toDateTime(intDiv(version, 1000000)) + toIntervalDay(90)",
		"retention of call_facts_raw", "call_facts_raw MODIFY TTL toDateTime(intDiv(version, 1000000)) + toIntervalDay(400) WHERE is_deleted = 0",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the plan lacks %q:\n%s", want, got)
		}
	}
	keep(t, cfg, 400, 90)
	if got := plan(400, 60); strings.Contains(got, "400") && strings.Contains(got, "MODIFY TTL") || !strings.Contains(got, "toIntervalDay(60)") {
		t.Errorf("a change of the personal days alone is\n%s", got)
	}
	for _, c := range []struct{ days, personal int }{{30, 20}, {30, 10}, {0, 10}, {0, 0}} {
		if n := keep(t, cfg, c.days, c.personal); n != 2 {
			t.Errorf("to %v there were %d steps", c, n)
		}
		if got := plan(c.days, c.personal); got != "" {
			t.Errorf("after %v there is still\n%s", c, got)
		}
	}
	if n := one[uint64](t, conn, "SELECT countIf(create_table_query LIKE '%TTL%') FROM system.tables WHERE database = '"+cfg.Database+"'"); n != 0 {
		t.Errorf("%d tables have a TTL that was taken back", n)
	}
	if n := one[uint64](t, conn, "SELECT countIf(comment = '') FROM system.columns WHERE database = '"+cfg.Database+"' AND table = 'calls_raw'"); n != 0 {
		t.Errorf("%d columns lost their comment", n)
	}
}

// What somebody else has set stays as long as nothing else is asked for.
func TestRetentionOfSomebodyElseStays(t *testing.T) {
	_, conn, cfg := migratedBut(t, "")
	exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw MODIFY TTL toDateTime(received_at) + INTERVAL 5 YEAR")
	exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw MODIFY COLUMN summary TTL toDateTime(received_at) + INTERVAL 1 YEAR")
	if n := keep(t, cfg, 0, 0); n != 0 {
		t.Errorf("%d steps that nobody asked for", n)
	}
	if n := keep(t, cfg, 30, 10); n != 2 {
		t.Errorf("%d steps, want 2", n)
	}
	if n := keep(t, cfg, 30, 10); n != 0 {
		t.Errorf("%d steps the second time", n)
	}
}

// A column that is added has to be put on one of the two lists.
func TestEveryTextIsKnownToBePersonalOrNot(t *testing.T) {
	_, conn, cfg := migrated(t)
	not := map[string][]string{
		table: {
			"tenant", "call_id", "source", "parent_call_id", "agent_name", "call_direction", "business_phone_number", "topics", "sentiment",
			"sentiment_raw", "follow_up_raw", "ai_success_raw", "ended_reason", "ended_reason_raw", "topic_rule", "turn_roles", "transforms",
		},
		factsTable: {
			"tenant", "source", "agent_name", "call_direction", "business_phone_number", "topics", "sentiment", "sentiment_raw", "follow_up_raw",
			"ai_success_raw", "ended_reason", "call_key", "transforms",
		},
	}
	for name, known := range not {
		texts := one[[]string](t, conn, "SELECT groupArray(name) FROM system.columns WHERE (type LIKE '%String%' OR name IN ('caller', 'call_key')) AND database = '"+
			cfg.Database+"' AND table = '"+name+"'")
		for _, c := range texts {
			if slices.Contains(known, c) == slices.Contains(personal[name], c) {
				t.Errorf("%s.%s is on none of the lists, or on both: is it personal?", name, c)
			}
		}
		for _, c := range slices.Concat(known, personal[name]) {
			if !slices.Contains(texts, c) {
				t.Errorf("%s has no text %s", name, c)
			}
		}
	}
}
