package clickhouse

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

func openReader(t *testing.T, cfg connector.ClickHouseConfig) *Reader {
	t.Helper()
	r, err := OpenReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestReaderAnswersInPlainValues(t *testing.T) {
	_, cfg := sampled(t)
	r := openReader(t, cfg)
	if err := r.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := func(name string, q Query, wantMore bool, want ...Row) {
		t.Helper()
		m, _ := FindMetric(name)
		got, more, err := r.Metric(t.Context(), &m, q)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" || more != wantMore {
			t.Errorf("%s: more %t (-want +got)\n%s", name, more, d)
		}
	}
	day := func(d int) time.Time { return time.Date(2025, 10, d, 0, 0, 0, 0, time.UTC) }
	f("calls", Query{Tenant: "default", From: day(27), To: day(28)}, false, Row{"calls": uint64(0), "minutes": nil})
	f("calls", Query{Tenant: "default", From: day(25), To: day(27), GroupBy: []string{"day", "agent_name"}, Limit: 3}, true,
		Row{"day": "2025-10-25", "agent_name": "Ava", "calls": uint64(3), "minutes": 3.5},
		Row{"day": "2025-10-25", "agent_name": "Bob", "calls": uint64(3), "minutes": 65.0 / 60},
		Row{"day": "2025-10-26", "agent_name": "Ava", "calls": uint64(2), "minutes": 5.0})
	f("unanswered_questions", Query{Tenant: "default", Limit: 5}, false,
		Row{"question": "is parking free", "asked": uint64(2), "last_asked": time.Date(2025, 10, 25, 9, 0, 0, 0, time.UTC)},
		Row{"question": "open on sunday", "asked": uint64(1), "last_asked": time.Date(2025, 10, 25, 9, 0, 0, 0, time.UTC)})
	f("calls_by_hour", Query{Tenant: "acme"}, false, Row{"weekday": uint64(6), "hour": uint64(10), "calls": uint64(1)})
}

// A call that no redaction went through counts nowhere, neither as a call nor as one that somebody repeated.
func TestOnlyRedactedCallsCount(t *testing.T) {
	l, _, cfg := migrated(t)
	r := openReader(t, cfg)
	through := func(id, name string, at time.Time) transforms.Event {
		e := call(id, 1)
		e.CallStarted, e.CustomerKey = at, "caller"
		e.Transforms = []transforms.Applied{{Name: "map-topics", Version: "1"}, {Name: name, Version: "redact-pii@1"}}
		return e
	}
	load(t, l, "b", through("a", "redact-pii", start), through("b", "own's", start.Add(time.Hour)), through("c", "none", start.Add(2*time.Hour)))
	f := func(metric, column string, by []string, want any) {
		t.Helper()
		m, _ := FindMetric(metric)
		got, _, err := r.Metric(t.Context(), &m, Query{RedactedBy: by, Tenant: "default", From: start.AddDate(0, 0, -1), To: start.AddDate(0, 0, 1)})
		if err != nil || len(got) != 1 || got[0][column] != want {
			t.Errorf("%s of %v: %v, %v; want %v", metric, by, got, err, want)
		}
	}
	f("calls", "calls", nil, uint64(3))
	f("calls", "calls", []string{"redact-pii"}, uint64(1))
	f("calls", "calls", []string{"redact-pii", "own's"}, uint64(2))
	f("calls", "calls", []string{"redact"}, uint64(0))
	f("repeat_callers", "repeaters", []string{"redact-pii", "own's"}, uint64(1))
	f("repeat_callers", "repeaters", []string{"redact-pii"}, uint64(0))
}

// Every metric of redacted calls is the same out of call_facts, which is read, and out of calls, which has what was delivered:
// also where a correction went through another transform than the delivery before it, and where a call was erased.
func TestRedactedCallsAreTheSameInFactsAndCalls(t *testing.T) {
	l, conn, cfg := migrated(t)
	r := openReader(t, cfg)
	var first, corrected []transforms.Event
	for i, e := range calls(60) {
		e.CallStarted, e.CallEnded = start.Add(time.Duration(i)*7*time.Hour), start.Add(time.Duration(i)*7*time.Hour+time.Minute)
		e.CustomerKey, e.AgentName = string(rune('a'+i%7)), string(rune('A'+i%3))
		e.Duration, e.AISuccessBool, e.UnansweredQuestions = new(float64(i)), new(i%2 == 0), []string{"is parking free", string(rune('p' + i%4))}
		e.Metrics.UnansweredQuestions = 2
		e.Transforms = []transforms.Applied{{Name: []string{"redact-pii", "none"}[i%2], Version: "1"}}
		first = append(first, e)
		if i%5 == 0 {
			e.Version += 1000
			e.Transforms = []transforms.Applied{{Name: []string{"none", "own"}[i%2], Version: "2"}, {Name: "map-topics", Version: "1"}}
			corrected = append(corrected, e)
		}
	}
	load(t, l, "first", first...)
	load(t, l, "corrected", corrected...)
	exec(t, conn, "INSERT INTO "+cfg.Database+".calls_raw (tenant, call_id, version, is_deleted) SELECT 'default', 'call-2', 9000, 1")
	answered := 0
	for _, m := range Metrics {
		for _, by := range [][]string{{"redact-pii"}, {"redact-pii", "own"}, {"own"}} {
			sql, params, err := m.SQL(Query{Database: cfg.Database, RedactedBy: by, Tenant: "default", From: start.AddDate(0, 0, 2), To: start.AddDate(0, 0, 15)})
			if err != nil || !strings.Contains(sql, cfg.Database+".call_facts") {
				t.Fatalf("%s: %v\n%s", m.Name, err, sql)
			}
			ctx, cancel := r.limit(t.Context(), params)
			defer cancel()
			facts, err := r.rows(ctx, sql)
			if err != nil {
				t.Fatal(m.Name, err)
			}
			whole, err := r.rows(ctx, strings.ReplaceAll(sql, cfg.Database+".call_facts", cfg.Database+".calls"))
			if err != nil {
				t.Fatal(m.Name, err)
			}
			if d := cmp.Diff(whole, facts); d != "" {
				t.Errorf("%s of %v (-calls +call_facts)\n%s", m.Name, by, d)
			}
			answered += len(facts)
		}
	}
	if answered < 70 {
		t.Errorf("only %d rows were compared", answered)
	}
}

// With the rights to write, a reader still can't, and its errors don't quote the question.
func TestReaderChangesNothing(t *testing.T) {
	_, cfg := sampled(t)
	r := openReader(t, cfg)
	ctx, cancel := r.limit(t.Context(), nil)
	defer cancel()
	for _, sql := range []string{
		"INSERT INTO " + cfg.Database + ".calls_raw (call_id) SELECT 'x'", "DROP TABLE " + cfg.Database + ".calls_raw",
		"ALTER TABLE " + cfg.Database + ".calls_raw DELETE WHERE true", "SELECT 1 SETTINGS readonly = 0",
	} {
		if err := r.conn.Exec(ctx, sql); !isCode(err, 164) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	m, _ := FindMetric("calls")
	cfg.Database = "nosuch"
	_, _, err := openReader(t, cfg).Metric(t.Context(), &m, Query{Tenant: "a secret tenant"})
	if err == nil || !strings.Contains(err.Error(), "postcall migrate apply") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	cfg.Addr = []string{"127.0.0.1:1"}
	if err := openReader(t, cfg).Ping(t.Context()); err == nil {
		t.Error("nobody listens there")
	}
}
