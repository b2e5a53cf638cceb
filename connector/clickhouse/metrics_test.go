package clickhouse

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
)

// handComputed returns the rows of testdata/metrics.txt by metric.
func handComputed(t testing.TB) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows, name := map[string][]string{}, ""
	for line := range strings.SplitSeq(string(b), "\n") {
		if after, ok := strings.CutPrefix(line, "== "); ok {
			name = after
		} else if name != "" && line != "" {
			rows[name] = append(rows[name], line)
		}
	}
	return rows
}

// readRows returns the rows of a query, each value as text and 6 digits of a fraction.
func readRows(t testing.TB, conn driver.Conn, query string, params map[string]string) []string {
	t.Helper()
	ctx := chgo.Context(t.Context(), chgo.WithParameters(params))
	var names []string
	rows, err := conn.Query(ctx, query)
	if err != nil {
		t.Fatalf("%s\n%v", query, err)
	}
	for _, c := range rows.ColumnTypes() {
		text := "toString(" + c.Name() + ")"
		if strings.Contains(c.DatabaseTypeName(), "Float") {
			text = "toString(round(" + c.Name() + ", 6))"
		}
		names = append(names, "ifNull("+text+", 'NULL')")
	}
	_ = rows.Close()
	var list []string
	err = conn.QueryRow(ctx, "SELECT groupArray(arrayStringConcat(["+strings.Join(names, ", ")+"], '\\t')) FROM ("+query+")").Scan(&list)
	if err != nil {
		t.Fatalf("%s\n%v", query, err)
	}
	return list
}

func TestMetricsAreWhatTheyAreByHand(t *testing.T) {
	conn, cfg := sampled(t)
	want := handComputed(t)
	for i := range Metrics {
		m := &Metrics[i]
		t.Run(m.Name, func(t *testing.T) {
			got := readRows(t, conn, "SELECT * FROM "+cfg.Database+"."+m.View()+" ORDER BY ALL", nil)
			if d := cmp.Diff(want[m.Name], got); d != "" || len(got) == 0 {
				t.Errorf("%s (-by hand +view):\n%s", m.View(), d)
			}
			if m.Repeats { // the bound counts calls out, and not a caller's calls before it
				bound := cfg.Database + "." + m.SinceView()
				for _, since := range []string{"2000-01-01", "2025-10-02", "2025-10-08"} {
					whole := readRows(t, conn, "SELECT * FROM "+cfg.Database+"."+m.View()+" WHERE day >= '"+since+"' ORDER BY ALL", nil)
					if d := cmp.Diff(whole, readRows(t, conn, "SELECT * FROM "+bound+"(since = toDate('"+since+"')) ORDER BY ALL", nil)); d != "" || len(whole) == 0 {
						t.Errorf("since %s (-view +with the bound within):\n%s", since, d)
					}
				}
			}
			// The same, asked for as the API does.
			sql, params, err := m.SQL(Query{Database: cfg.Database, GroupBy: []string{"tenant", "day"}})
			if err != nil {
				t.Fatal(err)
			}
			asked := readRows(t, conn, sql, params)
			slices.Sort(asked)
			slices.Sort(got)
			if d := cmp.Diff(got, asked); d != "" {
				t.Errorf("the query gives other rows than the view (-view +query):\n%s", d)
			}
		})
		delete(want, m.Name)
	}
	for name := range want {
		t.Errorf("testdata/metrics.txt has %s, which is no metric", name)
	}
}

// Repeats are looked for around the time asked for, and a call whose 7 days are not over says nothing yet.
func TestRepeatsReachBeyondTheTimeAskedFor(t *testing.T) {
	conn, cfg := sampled(t)
	l := loader(t, cfg)
	recent := delivery{id: "r1", start: time.Now().UTC().Add(-RepeatWindow + time.Hour).Format(time.RFC3339), phone: "P9"}
	over := delivery{id: "r2", start: time.Now().UTC().Add(-RepeatWindow - time.Hour).Format(time.RFC3339), phone: "P8"}
	load(t, l, "recent", recent.event(t, 1), over.event(t, 1))
	day := func(d int) time.Time { return time.Date(2025, 10, d, 0, 0, 0, 0, time.UTC) }
	f := func(metric string, from, to time.Time, want ...string) {
		t.Helper()
		m, ok := FindMetric(metric)
		if !ok {
			t.Fatal(metric)
		}
		sql, params, err := m.SQL(Query{Database: cfg.Database, From: from, To: to, Tenant: "default"})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, readRows(t, conn, sql, params)); d != "" {
			t.Errorf("%s from %s to %s: %s", metric, from, to, d)
		}
	}
	f("first_call_resolution", day(25), day(26), "5\t2\t0.4") // a1, a2, a4, a5 and b1, of which a5 and b1 are resolved
	f("repeat_callers", day(26), day(27), "2\t1\t0.5")        // b2, and b3 after a2 the day before
	f("first_call_resolution", time.Now().Add(-2*RepeatWindow), time.Time{}, "1\t1\t1")
	f("calls", day(27), day(28), "0\tNULL")
	f("containment", day(27), day(28), "0\t0\tNULL")
	f("handle_time", day(27), day(28), "0\tNULL\tNULL\tNULL\tNULL")
}

// Every metric can be grouped by all that it says it can, and by nothing; calls by each alone.
func TestMetricsByEveryDimension(t *testing.T) {
	conn, cfg := sampled(t)
	for i := range Metrics {
		m := &Metrics[i]
		all := dimensionNames(m.Dimensions())
		groups := [][]string{all, nil}
		if m.Name == "calls" {
			groups = slices.AppendSeq(groups, slices.Chunk(all, 1))
		}
		for _, by := range groups {
			sql, params, err := m.SQL(Query{Database: cfg.Database, GroupBy: by, From: start.AddDate(-2, 0, 0), To: start, Tenant: "default", Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if got := readRows(t, conn, sql, params); len(got) == 0 {
				t.Errorf("%s by %v has no rows", m.Name, by)
			}
		}
	}
	m, _ := FindMetric("calls")
	if _, _, err := m.SQL(Query{GroupBy: []string{"1; DROP TABLE x"}}); err == nil || !strings.Contains(err.Error(), "choose of tenant, day") {
		t.Errorf("got %v", err)
	}
	if _, ok := FindMetric("nonsense"); ok {
		t.Error("there is no such metric")
	}
}

// What the catalogue says is what the database says of its views.
func TestMetricCommentsAndTypes(t *testing.T) {
	_, conn, cfg := migratedBut(t, "")
	calls := one[[]string](t, conn, "SELECT groupArray(name) FROM system.columns WHERE database = '"+cfg.Database+"' AND table = 'calls'")
	for i := range Metrics {
		m := &Metrics[i]
		of := " WHERE database = '" + cfg.Database + "' AND "
		if got := one[string](t, conn, "SELECT comment FROM system.tables"+of+"name = '"+m.View()+"'"); got != m.Definition {
			t.Errorf("%s has the comment %q", m.View(), got)
		}
		got := one[map[string]string](t, conn, "SELECT mapFromArrays(groupArray(name), groupArray(comment)) FROM system.columns"+of+"table = '"+m.View()+"'")
		for _, c := range m.Columns {
			if got[c.Name] != c.Comment {
				t.Errorf("%s.%s has the comment %q", m.View(), c.Name, got[c.Name])
			}
			if slices.Contains(calls, c.Name) {
				t.Errorf("%s.%s is also a column of calls", m.View(), c.Name)
			}
			if strings.HasPrefix(c.SQL, "avg") && !strings.HasPrefix(c.Type, "Nullable") {
				t.Errorf("%s.%s must be Nullable: an unknown one would be 0", m.View(), c.Name)
			}
		}
	}
}

// The senders name the same ending in many ways.
func TestEndings(t *testing.T) {
	_, conn, _ := migrated(t)
	for want, reasons := range map[string][]string{
		"":          {""},
		"caller":    {"caller_hangup", "Caller hung up", "customer-ended-call", "user_hangup", "Client disconnected: 1000"},
		"agent":     {"agent_hangup", "assistant-ended-call", "end_call tool was called."},
		"transfer":  {"transfer", "call_transfer", "call_transferred", "Transferred", "assistant-forwarded-call"},
		"voicemail": {"voicemail", "voicemail_reached", "machine_detected"},
		"unreached": {"customer-did-not-answer", "dial_no_answer", "dial_busy", "customer-busy"},
		"error":     {"error", "error_llm_websocket_open", "pipeline-error-openai-llm-failed", "dial_failed"},
		"other":     {"silence-timed-out", "max_duration_reached", "inactivity"},
	} {
		for _, reason := range reasons {
			got := one[string](t, conn, "SELECT "+ending+" FROM (SELECT toLowCardinality("+literal(reason)+") AS ended_reason)")
			if got != want {
				t.Errorf("%q is %q, want %q", reason, got, want)
			}
		}
	}
}
