package clickhouse

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"
)

// Metric is an entry of the catalogue: what it means, what it counts, and how. Everything else is made of it: the view
// metric_NAME with its comments, docs/metrics.md, the panels of Grafana and the answers of the API.
//
// Tests never count, a call counts once however often it is delivered, and one that was erased doesn't, since metrics
// read the view call_facts. A call that a transform split counts once for each part.
type Metric struct {
	Name       string
	Definition string // one sentence
	// Key are dimensions without which the metric has no meaning. Every answer is grouped by them.
	Key     []string
	Columns []Column
	// Repeats is set where the metric asks for the other calls of a caller. It then counts only calls of known callers
	// that are not outbound, and its columns can use called_before and called_after: whether
	// another call of the caller began in the RepeatWindow before this one, or after it.
	Repeats bool
}

// Column is a number of a metric.
type Column struct {
	Name    string // no name of a column of calls, since ClickHouse would mix them up
	Type    string // Nullable where there may be nothing to count: an unknown rate must not be 0
	Unit    Unit
	Comment string // one line
	SQL     string // an aggregate over the columns of calls; {{others}} are the dimensions besides the key
}

// Unit is what a column counts, or is measured in.
type Unit string

// The units.
const (
	Calls       Unit = "calls"
	Callers     Unit = "callers"
	Items       Unit = "items"
	Seconds     Unit = "seconds"
	Minutes     Unit = "minutes"
	Share       Unit = "share" // 0 to 1
	Score       Unit = "score" // -1 to 1
	Turns       Unit = "turns"
	WordsMinute Unit = "words/min"
	Moment      Unit = "time"
)

// Dimension is what calls can be told apart by.
type Dimension struct {
	Name, Type, Comment string
	SQL                 string // over the columns of calls, which are called c
	Own                 bool   // only of the metrics that have it in their key
}

// RepeatWindow is how long after a call another one of the same caller counts as the same concern.
const RepeatWindow = 7 * 24 * time.Hour

// metricSource is the view that all metrics read: what they need of the view calls, under the same names, several times as fast.
const metricSource = "call_facts"

// Query is what is asked of a metric. The zero value asks for all calls together.
type Query struct {
	Database string    // empty is postcall
	GroupBy  []string  // names of m.Dimensions; the key is added
	From, To time.Time // calls that started from From on and before To; the zero time is no bound
	Tenant   string    // empty is all
	Limit    int       // of rows; 0 is none
	// RedactedBy are transforms of which a call must have been through one to count; empty counts all.
	RedactedBy []string
}

// FindMetric returns the metric of that name.
func FindMetric(name string) (Metric, bool) {
	i := slices.IndexFunc(Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return Metrics[i], true
}

// View is the name of its view.
func (m *Metric) View() string { return "metric_" + m.Name }

// SinceView is the name of the view of a metric with Repeats whose parameter since, a day, bounds what it reads.
func (m *Metric) SinceView() string { return m.View() + "_since" }

// Dimensions are those it can be grouped by.
func (m *Metric) Dimensions() []Dimension {
	var can []Dimension
	for _, d := range Dimensions {
		if !d.Own || slices.Contains(m.Key, d.Name) {
			can = append(can, d)
		}
	}
	return can
}

// SQL returns the question as a statement with the values of its {parameters}. Rows come in the order of time, then with
// the largest first number first.
func (m *Metric) SQL(q Query) (sql string, params map[string]string, err error) {
	dims, err := m.dimensions(q.GroupBy)
	if err != nil {
		return "", nil, err
	}
	params = map[string]string{}
	s := selection{table: cmp.Or(q.Database, "postcall") + "." + metricSource, dims: dims}
	const layout = "2006-01-02 15:04:05.000"
	if !q.From.IsZero() {
		params["from"] = q.From.UTC().Format(layout)
		s.where = append(s.where, "c.call_started >= {from:DateTime64(3, 'UTC')}")
		s.near = append(s.near, "call_started >= {from:DateTime64(3, 'UTC')} - "+repeatInterval)
	}
	if !q.To.IsZero() {
		params["to"] = q.To.UTC().Format(layout)
		s.where = append(s.where, "c.call_started < {to:DateTime64(3, 'UTC')}")
		s.near = append(s.near, "call_started < {to:DateTime64(3, 'UTC')} + "+repeatInterval)
	}
	if q.Tenant != "" {
		params["tenant"] = q.Tenant
		s.where = append(s.where, "c.tenant = {tenant:String}")
		s.near = append(s.near, "tenant = {tenant:String}")
	}
	if len(q.RedactedBy) > 0 {
		params["redacted_by"] = array(q.RedactedBy)
		const through = "hasAny(arrayMap(t -> splitByChar('@', toString(t))[1], %stransforms), {redacted_by:Array(String)})"
		s.where = append(s.where, fmt.Sprintf(through, "c."))
		s.near = append(s.near, fmt.Sprintf(through, ""))
	}
	sql, err = m.statement(s)
	if err != nil {
		return "", nil, err
	}
	order := append(append(timely(dims), m.Columns[0].Name+" DESC"), dimensionNames(dims)...) // the same order each time
	sql += "\nORDER BY " + strings.Join(order, ", ")
	if q.Limit > 0 {
		sql += fmt.Sprintf("\nLIMIT %d", q.Limit)
	}
	return sql, params, nil
}

// array writes texts as the value of a parameter.
func array(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// dimensions finds the dimensions of an answer: those asked for, then the key.
func (m *Metric) dimensions(names []string) ([]Dimension, error) {
	can := m.Dimensions()
	var dims []Dimension
	for _, name := range append(slices.Clone(names), m.Key...) {
		i := slices.IndexFunc(can, func(d Dimension) bool { return d.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("metric %s can't be grouped by %q: choose of %s", m.Name, name, strings.Join(dimensionNames(can), ", "))
		}
		if !slices.ContainsFunc(dims, func(d Dimension) bool { return d.Name == name }) {
			dims = append(dims, can[i])
		}
	}
	return dims, nil
}

// selection is what a statement reads and how it groups it.
type selection struct {
	table string
	dims  []Dimension
	where []string // over calls, which are called c
	near  []string // over the calls among which repeats are looked for
}

const repeatInterval = "INTERVAL 7 DAY"

// statement returns the SELECT. Names of dimensions and columns come from the catalogue alone.
func (m *Metric) statement(s selection) (string, error) {
	var b strings.Builder
	b.WriteString("SELECT\n")
	for _, d := range s.dims {
		fmt.Fprintf(&b, "    %s AS %s,\n", d.SQL, d.Name)
	}
	others := m.others(s.dims)
	for i, c := range m.Columns {
		t, err := template.New(c.Name).Funcs(template.FuncMap{"others": func() string { return others }}).Parse(c.SQL)
		if err != nil {
			return "", fmt.Errorf("metric %s: %w", m.Name, err)
		}
		b.WriteString("    ")
		if err := t.Execute(&b, nil); err != nil {
			return "", fmt.Errorf("metric %s: %w", m.Name, err)
		}
		b.WriteString(" AS " + c.Name)
		if i < len(m.Columns)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("FROM " + m.from(s) + " AS c\nWHERE " + strings.Join(append([]string{"NOT c.is_test"}, s.where...), " AND "))
	if len(s.dims) > 0 {
		b.WriteString("\nGROUP BY " + strings.Join(dimensionNames(s.dims), ", "))
	}
	return b.String(), nil
}

// from is what is selected from.
func (m *Metric) from(s selection) string {
	if !m.Repeats {
		return s.table
	}
	// One number to sort and to part by, and the nearest call instead of a count of all in the window: with ten million calls
	// that takes less than half of the time. Calls at the same moment are parts of one, which a transform split.
	const nearest = "(%s(toUnixTimestamp64Milli(call_started)) OVER (PARTITION BY " + callerKey +
		" ORDER BY toUnixTimestamp64Milli(call_started) RANGE BETWEEN %s) - toUnixTimestamp64Milli(call_started)) * %d BETWEEN 1 AND %d AS %s"
	ms := RepeatWindow.Milliseconds()
	where := append([]string{"NOT is_test", "caller != 0", inbound}, s.near...)
	return "(\n    SELECT *,\n        " +
		fmt.Sprintf(nearest, "max", "UNBOUNDED PRECEDING AND 1 PRECEDING", -1, ms, "called_before") + ",\n        " +
		fmt.Sprintf(nearest, "min", "1 FOLLOWING AND UNBOUNDED FOLLOWING", 1, ms, "called_after") +
		"\n    FROM " + s.table + "\n    WHERE " + strings.Join(where, " AND ") + "\n)"
}

// callerKey is one number for a caller, who is another one for another tenant.
const callerKey = "sipHash64(tenant, caller)"

// others is the PARTITION BY of a window over an answer that takes the values of the key together.
func (m *Metric) others(dims []Dimension) string {
	names := slices.DeleteFunc(dimensionNames(dims), func(n string) bool { return slices.Contains(m.Key, n) })
	if len(names) == 0 {
		return ""
	}
	return "PARTITION BY " + strings.Join(names, ", ")
}

func timely(dims []Dimension) []string {
	return slices.DeleteFunc(dimensionNames(dims), func(n string) bool {
		return !slices.Contains([]string{"day", "week", "month", "weekday", "hour"}, n)
	})
}

func dimensionNames(dims []Dimension) []string {
	names := make([]string, len(dims))
	for i, d := range dims {
		names[i] = d.Name
	}
	return names
}
