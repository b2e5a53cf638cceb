package alerts

import (
	"context"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
)

const (
	rulesFile = "../../deploy/helm/postcall/alerts/postcall.rules.yaml"
	runbook   = "../../docs/runbook.md"
	readme    = "../../README.md"
)

// plain is what a Prometheus without feature flags takes.
var plain = parser.NewParser(parser.Options{})

func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation, plain, slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	var all []rulefmt.Rule
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var anchor = regexp.MustCompile(`(?m)^#+ (\w+)$`)

// Each alert says how bad it is, what is the matter and where to read on, and the runbook has a section of its name.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	sections := map[string]bool{}
	for _, m := range anchor.FindAllStringSubmatch(text(t, runbook), -1) {
		sections[m[1]] = true
	}
	named := map[string]bool{}
	for _, r := range rules(t) {
		if !strings.HasPrefix(r.Alert, "Postcall") || named[r.Alert] {
			t.Errorf("alert %q: give it a name of its own that begins with Postcall", r.Alert)
		}
		named[r.Alert] = true
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		for _, key := range []string{"summary", "description"} {
			if s := r.Annotations[key]; len(s) < 20 || !strings.HasSuffix(s, ".") {
				t.Errorf("%s: its %s is no sentence: %q", r.Alert, key, s)
			}
		}
		if want := "https://github.com/postcall/postcall/blob/main/docs/runbook.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %s, want %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !sections[r.Alert] {
			t.Errorf("docs/runbook.md has no section %s", r.Alert)
		}
	}
	for name := range sections {
		if strings.HasPrefix(name, "Postcall") && !named[name] {
			t.Errorf("docs/runbook.md has a section %s, which is no alert", name)
		}
	}
}

// The table of docs/runbook.md is what the program registers: a test of connector holds the two together.
var row = regexp.MustCompile("(?m)^\\| `(postcall_[a-z_0-9]+)` \\| (counter|gauge|histogram) \\| ([^|]*) \\|")

func TestExpressionsNameMetricsAndLabelsThatExist(t *testing.T) {
	labels := map[string][]string{"process_start_time_seconds": {}}
	for _, m := range row.FindAllStringSubmatch(text(t, runbook), -1) {
		names := []string{m[1]}
		if m[2] == "histogram" {
			names = append(names, m[1]+"_bucket", m[1]+"_sum", m[1]+"_count")
		}
		for _, n := range names {
			labels[n] = strings.Split(strings.NewReplacer("`", "", " ", "").Replace(m[3]), ",")
		}
	}
	if len(labels) < 40 {
		t.Fatalf("docs/runbook.md lists %d metrics", len(labels))
	}
	target := []string{"namespace", "job", "instance", "le"} // what scraping adds, and the buckets
	for _, r := range rules(t) {
		expr, err := plain.ParseExpr(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		known := slices.Clone(target)
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if v, ok := n.(*parser.VectorSelector); ok {
				have, found := labels[v.Name]
				if !found {
					t.Errorf("%s: there is no metric %s", r.Alert, v.Name)
				}
				known = append(known, have...)
				for _, m := range v.LabelMatchers {
					if m.Name != model.MetricNameLabel && !slices.Contains(have, m.Name) {
						t.Errorf("%s: %s has no label %s", r.Alert, v.Name, m.Name)
					}
				}
			}
			return nil
		})
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if a, ok := n.(*parser.AggregateExpr); ok {
				for _, l := range a.Grouping {
					if !slices.Contains(known, l) {
						t.Errorf("%s groups by %s, which none of its metrics has", r.Alert, l)
					}
				}
			}
			return nil
		})
		for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s shows the label %s, which it has not", r.Alert, m[1])
			}
		}
	}
}

// README's alarms each have an alert that watches them: by their kind, or by the gauge that lasts as long as they do.
func TestEveryAlarmHasItsAlert(t *testing.T) {
	gauge := map[string]string{"paused": "postcall_sink_paused", "disk": "postcall_disk_free_bytes", "transform": "postcall_transform_open"}
	var all strings.Builder
	for _, r := range rules(t) {
		all.WriteString(r.Expr + "\n")
	}
	kinds := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(text(t, readme), -1)
	if len(kinds) < 9 {
		t.Fatalf("README lists %d alarms", len(kinds))
	}
	for _, m := range kinds {
		want := gauge[m[1]]
		if want == "" {
			want = `kind="` + m[1] + `"`
		}
		if !strings.Contains(all.String(), want) {
			t.Errorf("no alert watches the alarm %s", m[1])
		}
	}
}

// timeline evaluates a rule every step, as Prometheus does, and returns when it fires.
type timeline struct {
	rule    rulefmt.Rule
	engine  *promql.Engine
	storage storage.Queryable
	step    time.Duration
}

// firing says for each moment, in steps from the start, whether any series of the rule fires.
func (l *timeline) firing(t *testing.T, until time.Duration) func(time.Duration) bool {
	t.Helper()
	fires := map[time.Duration]bool{}
	active := map[string]time.Duration{} // since when
	for at := time.Duration(0); at <= until; at += l.step {
		q, err := l.engine.NewInstantQuery(context.Background(), l.storage, nil, l.rule.Expr, time.Unix(0, 0).Add(at))
		if err != nil {
			t.Fatal(err)
		}
		res := q.Exec(context.Background())
		v, err := res.Vector()
		if err != nil {
			t.Fatalf("%s at %s: %v", l.rule.Alert, at, err)
		}
		now := map[string]time.Duration{}
		for _, s := range v {
			key := s.Metric.String()
			now[key] = at
			if since, ok := active[key]; ok {
				now[key] = since
			}
			if at-now[key] >= time.Duration(l.rule.For) {
				fires[at] = true
			}
		}
		active = now
		q.Close()
	}
	return func(at time.Duration) bool { return fires[at.Truncate(l.step)] }
}

func TestAlertsFireAndClear(t *testing.T) {
	tested := map[string]bool{}
	all := map[string]rulefmt.Rule{}
	for _, r := range rules(t) {
		all[r.Alert] = r
	}
	for _, c := range cases {
		t.Run(c.alert+" "+c.what, func(t *testing.T) {
			r, ok := all[c.alert]
			if !ok {
				t.Fatal("there is no such alert")
			}
			step := c.step
			if step == 0 {
				step = time.Minute
			}
			st := promqltest.LoadedStorage(t, "load "+step.String()+"\n  "+strings.ReplaceAll(strings.TrimSpace(c.series), "\n", "\n  "))
			l := &timeline{rule: r, engine: promqltest.NewTestEngine(t, false, 5*step, 1e6), storage: st, step: step}
			fires := l.firing(t, slices.Max(slices.Concat(c.fires, c.silent)))
			for _, at := range c.fires {
				if !fires(at) {
					t.Errorf("silent after %s", at)
				}
			}
			for _, at := range c.silent {
				if fires(at) {
					t.Errorf("fires after %s", at)
				}
			}
			if len(c.fires) > 0 && len(c.silent) > 0 && slices.Max(c.silent) > slices.Max(c.fires) {
				tested[c.alert] = true
			}
		})
	}
	for name := range all {
		if !tested[name] {
			t.Errorf("no case has %s fire and clear", name)
		}
	}
}
