package clickhouse

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const docFile = "../../docs/metrics.md"

const docHead = `<!-- Made of the catalogue in connector/clickhouse by go test ./connector/clickhouse -run MetricsDoc -update. Don't edit. -->

# Metrics

A metric is a view of the database ` + "`postcall`" + ` with a row for each tenant, business day and key (a topic, an agent, ...):

` + "```sql\nSELECT day, calls, mean_seconds, p95_seconds FROM postcall.metric_handle_time WHERE day >= today() - 30 ORDER BY day\n```" + `

Counts of several rows can be added up. Shares, means and percentiles can't: take the expression of the column over the view
` + "`call_facts`" + ` instead, grouped by what you like.

` + "```sql\nSELECT agent_name, avg(duration) AS mean, quantileExactInclusive(0.95)(duration) AS p95 FROM postcall.call_facts\nWHERE NOT is_test AND day >= today() - 30 GROUP BY agent_name\n```" + `

A share is between 0 and 1, and NULL where there is nothing to take a share of. Tests never count. A call counts once however often it
is delivered or corrected, and one that was erased doesn't count. A call that a transform split counts once for each part.
Days, hours and weekdays are those of the business time zone (POSTCALL_TIMEZONE) at the time of the delivery. Reading a view needs SELECT on it alone.

`

// doc renders the catalogue.
func doc() []byte {
	var b bytes.Buffer
	b.WriteString(docHead + "| metric | |\n|---|---|\n")
	for i := range Metrics {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", Metrics[i].Name, Metrics[i].Name, Metrics[i].Definition)
	}
	b.WriteString("\n## Dimensions\n\nWhat metrics can be grouped by. Those with a star belong to one metric.\n\n| dimension | | expression over `call_facts AS c` |\n|---|---|---|\n")
	for _, d := range Dimensions {
		star := ""
		if d.Own {
			star = "*"
		}
		fmt.Fprintf(&b, "| %s%s | %s | %s |\n", d.Name, star, d.Comment, code(d.SQL))
	}
	for i := range Metrics {
		m := &Metrics[i]
		fmt.Fprintf(&b, "\n## %s\n\n%s. View `%s`, a row for each tenant, day", m.Name, m.Definition, m.View())
		for _, k := range m.Key {
			fmt.Fprintf(&b, ", %s", k)
		}
		b.WriteString(".\n\n| column | unit | | expression |\n|---|---|---|---|\n")
		for _, c := range m.Columns {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.Name, c.Unit, c.Comment, code(strings.NewReplacer("{{others}}", "PARTITION BY tenant, day", ending, "ending").Replace(c.SQL)))
		}
		if m.Repeats {
			fmt.Fprintf(&b, "\nOver calls of known callers that are not outbound; `called_before` and `called_after` say whether another call\nof the same caller began in the %d days before or after.\n"+
				"A bound on `day` spares this view nothing. With it as a parameter the answer takes a quarter of the time:\n\n```sql\n%s\n```\n",
				int(RepeatWindow.Hours()/24), sinceQuery(m))
		}
	}
	return b.Bytes()
}

func sinceQuery(m *Metric) string {
	return "SELECT * FROM postcall." + m.SinceView() + "(since = today() - 30)"
}

func code(sql string) string { return "`" + strings.ReplaceAll(sql, "|", `\|`) + "`" }

func TestMetricsDoc(t *testing.T) {
	want := doc()
	if *update {
		if err := os.WriteFile(docFile, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("docs/metrics.md is stale; run go test ./connector/clickhouse -run MetricsDoc -update (-want +got):\n%s", d)
	}
}

// The queries of the documentation work.
func TestMetricsDocQueries(t *testing.T) {
	conn, cfg := sampled(t)
	queries := regexp.MustCompile("(?s)```sql\n(.*?)\n```").FindAllStringSubmatch(string(doc()), -1)
	if len(queries) < 4 {
		t.Fatal("there are none")
	}
	for _, q := range queries {
		readRows(t, conn, strings.ReplaceAll(strings.ReplaceAll(q[1], "postcall.", cfg.Database+"."), "today() - 30", "toDate('2025-10-01')"), nil)
	}
}
