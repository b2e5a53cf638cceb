package clickhouse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/connector"
)

// shown is what the tests read of a dashboard.
type shown struct {
	UID, Title, Description string
	SchemaVersion           int
	Templating              struct{ List []shownVariable }
	Panels                  []shownPanel
}

type shownVariable struct {
	Name, Type, Query, Definition string
	Datasource                    struct{ Type, UID string }
}

// UnmarshalJSON takes both kinds of queries.
func (v *shownVariable) UnmarshalJSON(b []byte) error {
	type plain shownVariable
	var raw struct {
		plain
		Query any
	}
	err := json.Unmarshal(b, &raw)
	*v = shownVariable(raw.plain)
	v.Query, _ = raw.Query.(string)
	return err
}

type shownPanel struct {
	ID                                 int
	Type, Title, Description, Interval string
	GridPos                            struct{ X, Y, W, H int }
	Datasource                         struct{ Type, UID string }
	Targets                            []struct {
		RefID, RawSQL, Expr string
		Format              int
	}
	FieldConfig struct {
		Defaults  struct{ Unit string }
		Overrides []struct{ Matcher struct{ ID, Options string } }
	}
}

func dashboards(t testing.TB, database string) map[string]shown {
	t.Helper()
	ds, err := GrafanaDashboards(database)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]shown{}
	for _, d := range ds {
		var s shown
		if err := json.Unmarshal(d.JSON, &s); err != nil {
			t.Fatal(err)
		}
		if s.UID != d.UID || s.Title != d.Title {
			t.Errorf("dashboard %s is %s, %s inside", d.Name, s.UID, s.Title)
		}
		all[d.Name] = s
	}
	return all
}

func TestGrafanaFilesAreTheGenerators(t *testing.T) {
	ds, err := GrafanaDashboards("postcall")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		file := "../../deploy/grafana/" + d.Name + ".json"
		if *update {
			if err := os.WriteFile(file, d.JSON, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, d.JSON) {
			t.Errorf("%s is not what GrafanaDashboards returns: run go test ./connector/clickhouse -run Grafana -update (%v)", file, err)
		}
	}
}

func TestGrafanaDashboardsAreWhole(t *testing.T) {
	for name, d := range dashboards(t, "postcall") {
		if err := checkDashboard(d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, spoil := range map[string]func(*shown){
		"lies over":      func(d *shown) { d.Panels[2].GridPos.X-- },
		"out of":         func(d *shown) { d.Panels[6].GridPos.W++ },
		"is there twice": func(d *shown) { d.Panels[3].ID = 1 },
		"no description": func(d *shown) { d.Panels[1].Description = "" },
		"no unit":        func(d *shown) { d.Panels[1].FieldConfig.Defaults.Unit = "" },
		"data source":    func(d *shown) { d.Panels[1].Datasource.UID = "abc" },
		"no variable":    func(d *shown) { d.Panels[1].Targets[0].RawSQL = "SELECT $nothing" },
		"asks nothing":   func(d *shown) { d.Panels[1].Targets = nil },
	} {
		d := dashboards(t, "postcall")["calls"]
		spoil(&d)
		if err := checkDashboard(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// checkDashboard finds what Grafana takes and then shows wrong.
func checkDashboard(d shown) error {
	var errs []error
	fail := func(p shownPanel, format string, args ...any) {
		errs = append(errs, fmt.Errorf("panel %d %q: "+format, append([]any{p.ID, p.Title}, args...)...))
	}
	variables := map[string]bool{}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
	}
	if d.SchemaVersion != 39 || !variables["datasource"] || d.Description == "" {
		errs = append(errs, errors.New("schema version, data source variable or description are missing"))
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			fail(p, "its number is there twice")
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if over := taken[[2]int{x, y}]; over != "" {
					fail(p, "lies over %q", over)
					x = gridWidth
					break
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.GridPos.X < 0 || p.GridPos.X+p.GridPos.W > gridWidth || p.GridPos.W < 3 || p.Title == "" {
			fail(p, "is out of the grid, or has no title")
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" {
			fail(p, "has no description")
		}
		if p.FieldConfig.Defaults.Unit == "" {
			fail(p, "has no unit")
		}
		if p.Datasource.UID != "${datasource}" {
			fail(p, "its data source is not the variable")
		}
		if len(p.Targets) == 0 {
			fail(p, "asks nothing")
		}
		for _, q := range p.Targets {
			for _, m := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(q.RawSQL+q.Expr, -1) {
				if !variables[m[1]] && !strings.HasPrefix(m[1], "__") {
					fail(p, "there is no variable %s", m[1])
				}
			}
		}
	}
	return errors.Join(errs...)
}

// Every name and label of the operations dashboard is one that /metrics exposes.
func TestGrafanaUsesMetricsThatExist(t *testing.T) {
	names := connector.MetricNames()
	used := map[string]bool{}
	for _, p := range dashboards(t, "postcall")["operations"].Panels {
		for _, q := range p.Targets {
			if err := checkPromQL(q.Expr, names, used); err != nil {
				t.Errorf("panel %q: %v", p.Title, err)
			}
		}
	}
	for name := range names {
		elsewhere := []string{"postcall_build_info", "postcall_events_superseded_total", "postcall_stream_messages", "postcall_plugin_processes", "postcall_plugin_starts_total", "postcall_plugin_log_lines_cut_total"}
		elsewhere = append(elsewhere, "postcall_alarm_last_timestamp_seconds") // of which alerts are made
		if strings.HasPrefix(name, "postcall_") && !used[name] && !slices.Contains(elsewhere, name) {
			t.Errorf("%s is on no panel: add it, or say here that it isn't worth one", name)
		}
	}
	for _, bad := range []string{"sum(postcall_nothing)", "sum by (nothing) (rate(postcall_loads_total[5m]))", "sum(rate(postcall_loads_total[5m])", `postcall_loads_total{color="x"}`} {
		if checkPromQL(bad, names, used) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

var (
	nameRE  = regexp.MustCompile(`\b(postcall|go|process)_\w+`)
	byRE    = regexp.MustCompile(`\bby \(([^)]*)\)`)
	labelRE = regexp.MustCompile(`\{(\w+)[=!]`)
	knownRE = regexp.MustCompile(`\b(?:sum|max|min|time|rate|increase|histogram_quantile|by|le|instance|\$?__range|\$?__rate_interval)\b|[\w$]*[0-9.]+m?|"[^"]*"`)
)

// checkPromQL checks an expression of one metric, or of several with the same labels.
func checkPromQL(expression string, names map[string][]string, used map[string]bool) error {
	labels := []string{"instance"} // Prometheus adds it
	for _, name := range nameRE.FindAllString(expression, -1) {
		base := strings.TrimSuffix(name, "_bucket")
		if _, ok := names[base]; !ok {
			return fmt.Errorf("/metrics has no %s", name)
		}
		if base != name {
			labels = append(labels, "le")
		}
		labels = append(labels, names[base]...)
		used[base] = true
	}
	var asked []string
	for _, m := range byRE.FindAllStringSubmatch(expression, -1) {
		asked = append(asked, strings.Split(m[1], ", ")...)
	}
	for _, m := range labelRE.FindAllStringSubmatch(expression, -1) {
		asked = append(asked, m[1])
	}
	for _, l := range asked {
		if !slices.Contains(labels, l) {
			return fmt.Errorf("there is no label %s in %s", l, expression)
		}
	}
	for _, pair := range []string{"()", "[]", "{}"} {
		if strings.Count(expression, pair[:1]) != strings.Count(expression, pair[1:]) {
			return fmt.Errorf("%s has %s that don't match", expression, pair)
		}
	}
	rest := expression
	for _, re := range []*regexp.Regexp{byRE, nameRE, knownRE} {
		rest = re.ReplaceAllString(rest, "")
	}
	if strings.Trim(rest, "(){}[]=~,/$<>*- ") != "" {
		return fmt.Errorf("%q of %s is not known to this test", rest, expression)
	}
	return nil
}

// Every query of the calls dashboard runs, finds something, and has the columns that the panel speaks of.
func TestGrafanaQueriesRun(t *testing.T) {
	conn, cfg := sampled(t)
	d := dashboards(t, cfg.Database)["calls"]
	if len(d.Panels) < 20 {
		t.Fatalf("%d panels", len(d.Panels))
	}
	for _, p := range d.Panels {
		columns := []string{}
		for _, q := range p.Targets {
			for chosen, want := range map[string]int{"": 1, "Ava": 1, `O'Hara\`: 0} {
				got, rows := ask(t, conn, expand(t, q.RawSQL, p.Interval, chosen))
				if len(rows) < want {
					t.Errorf("panel %q finds nothing for the agent %q:\n%s", p.Title, chosen, q.RawSQL)
				}
				if q.Format == asSeries && got[0] != "time" {
					t.Errorf("panel %q: its first column is %s, not the time", p.Title, got[0])
				}
				columns = append(columns, got...)
			}
		}
		for _, o := range p.FieldConfig.Overrides {
			if !slices.Contains(columns, o.Matcher.Options) {
				t.Errorf("panel %q speaks of %s, and has %v", p.Title, o.Matcher.Options, columns)
			}
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			if _, rows := ask(t, conn, expand(t, v.Query, "", "")); len(rows) < 2 || v.Query != v.Definition {
				t.Errorf("variable %s has the choices %v", v.Name, rows)
			}
		}
	}
}

// The numbers are those of the catalogue, within the time and the choice of the dashboard.
func TestGrafanaNumbers(t *testing.T) {
	conn, cfg := sampled(t)
	d := dashboards(t, cfg.Database)["calls"]
	f := func(title, chosen string, want ...string) {
		t.Helper()
		i := slices.IndexFunc(d.Panels, func(p shownPanel) bool { return p.Title == title && p.Type != "row" })
		p := d.Panels[i]
		if _, got := ask(t, conn, expand(t, p.Targets[0].RawSQL, p.Interval, chosen)); !slices.Equal(got, want) {
			t.Errorf("%s of %q: got %q, want %q", title, chosen, got, want)
		}
	}
	f("Calls", "", "13")   // 12 of the default tenant and acme's one
	f("Calls", "Ava", "7") // a1 a2 a5 b2 b3 n2 n3
	f("Calls", `O'Hara\`, "0")
	f("Contained", "Ava", "0.3333333333333333") // a1 and n2 of a1 a2 a5 b2 n2 n3
	f("Hour by weekday", "Zoe", "10 0 0 0 0 0 1 0")
	f("How calls end", "Bob", "caller 2", "agent 1", "transfer 1", "voicemail 1")
}

// ask returns the columns of an answer, and its rows as text.
func ask(t testing.TB, conn driver.Conn, query string) (columns, rows []string) {
	t.Helper()
	list, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatalf("%s\n%v", query, err)
	}
	columns = list.Columns()
	_ = list.Close()
	var texts []string
	for _, c := range columns {
		texts = append(texts, "ifNull(toString("+c+"), 'NULL')")
	}
	err = conn.QueryRow(t.Context(), "SELECT groupArray(arrayStringConcat(["+strings.Join(texts, ", ")+"], ' ')) FROM ("+query+")").Scan(&rows)
	if err != nil {
		t.Fatalf("%s\n%v", query, err)
	}
	return columns, rows
}

// expand does what Grafana and its plugin for ClickHouse do before they send a query: the macros of pkg/macros and
// src/data/CHDatasource.ts. The agent is what somebody has chosen; empty is all.
func expand(t testing.TB, sql, interval, agent string) string {
	t.Helper()
	from, to := time.Date(2025, 10, 20, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2025, 11, 5, 0, 0, 0, 0, time.UTC).Unix()
	seconds := map[string]int{"": 1800, "1h": 3600, "1d": 86400}[interval]
	sql = regexp.MustCompile(`\$__conditionalAll\((.*?\)), \$(\w+)\)`).ReplaceAllStringFunc(sql, func(macro string) string {
		m := regexp.MustCompile(`\$__conditionalAll\((.*?\)), \$(\w+)\)`).FindStringSubmatch(macro)
		if m[2] != "agent_name" || agent == "" {
			return "1=1"
		}
		return m[1]
	})
	sql = strings.ReplaceAll(sql, "${agent_name:singlequote}", literal(agent))
	sql = regexp.MustCompile(`\$__timeFilter\(([\w.]+)\)`).ReplaceAllString(sql, fmt.Sprintf("${1} >= toDateTime(%d) AND ${1} <= toDateTime(%d)", from, to))
	sql = regexp.MustCompile(`\$__timeInterval\(([\w.]+)\)`).ReplaceAllString(sql, fmt.Sprintf("toStartOfInterval(toDateTime(${1}), INTERVAL %d second)", seconds))
	sql = strings.NewReplacer("$__fromTime", fmt.Sprintf("toDateTime(%d)", from), "$__toTime", fmt.Sprintf("toDateTime(%d)", to)).Replace(sql)
	if strings.Contains(sql, "$") {
		t.Errorf("this is left of the macros: %s", sql[strings.Index(sql, "$"):])
	}
	return sql
}
