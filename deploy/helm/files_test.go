package helm

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
)

// TestAlertsAndDashboards puts files into a copy of the chart: they arrive as they are, though they have Go templates of
// their own.
func TestAlertsAndDashboards(t *testing.T) {
	const rules = `# alerts
groups:
  - name: postcall
    rules:
      - alert: PostcallSinkPaused
        expr: postcall_sink_paused > 0
        for: 5m
        labels: {severity: critical}
        annotations:
          summary: "{{ $labels.sink }} waits"
`
	const board = `{"title": "Calls", "legend": "{{sink}}"}`
	chart := chartCopy(t, map[string]string{"alerts/postcall.rules.yaml": rules, "dashboards/calls.json": board})
	out, stderr, err := helmChart(chart, "-f", "postcall/ci/cluster-values.yaml")
	if err != nil {
		t.Fatal(stderr)
	}
	var ruled, shown bool
	for _, o := range decoded(t, out) {
		switch o := o.(type) {
		case *monitoring.PrometheusRule:
			r := o.Spec.Groups[0].Rules[0]
			ruled = r.Alert == "PostcallSinkPaused" && r.Annotations["summary"] == "{{ $labels.sink }} waits" && o.Labels["release"] == "prometheus"
		case *corev1.ConfigMap:
			if o.Name == "release-postcall-calls" {
				shown = o.Data["calls.json"] == board && o.Labels["grafana_dashboard"] == "1" && o.Annotations["grafana_folder"] == "postcall"
			}
		}
	}
	if !ruled || !shown {
		t.Errorf("the rules arrive: %t, the dashboard: %t\n%s", ruled, shown, out)
	}
}

// TestDashboardsAreCopies: the chart has what deploy/grafana has, and nothing too large for a ConfigMap.
func TestDashboardsAreCopies(t *testing.T) {
	const from, to = "../grafana", "postcall/dashboards"
	sources, copies := jsonFiles(t, from), jsonFiles(t, to)
	if *update {
		for name, data := range sources {
			if err := os.WriteFile(filepath.Join(to, name), []byte(data), 0o644); err != nil { //nolint:gosec // a file that everybody may read
				t.Fatal(err)
			}
		}
		copies = jsonFiles(t, to)
	}
	if a, b := slices.Sorted(maps.Keys(sources)), slices.Sorted(maps.Keys(copies)); !slices.Equal(a, b) {
		t.Errorf("%s has %v, %s has %v: (cd deploy/helm && go test -run Copies -update), and remove what is gone", from, a, to, b)
	}
	for name := range sources {
		if sources[name] != copies[name] {
			t.Errorf("%s/%s is stale: (cd deploy/helm && go test -run Copies -update)", to, name)
		}
		if len(sources[name]) > 900<<10 {
			t.Errorf("%s/%s has %d bytes, and a ConfigMap takes a MiB", from, name, len(sources[name]))
		}
	}
}

func jsonFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = string(data)
	}
	return all
}

// `make chart` writes the commit into Chart.yaml, and what is installed is labelled with it; the pods are not, since they
// would restart for it.
func TestPackageCarriesTheCommit(t *testing.T) {
	about, err := os.ReadFile("postcall/Chart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	chart := chartCopy(t, map[string]string{"Chart.yaml": string(about) + "  org.opencontainers.image.revision: \"0123456789ab\"\n"})
	out, stderr, err := helmChart(chart, "-f", minimal)
	if err != nil {
		t.Fatal(stderr)
	}
	set := parse(t, strings.NewReader(out)).one(t, "StatefulSet")
	if got := set.object("metadata.labels"); got["postcall/commit"] != "0123456789ab" || got["app.kubernetes.io/version"] == nil {
		t.Errorf("labels %v", got)
	}
	if got := set.object("spec.template.metadata.labels"); got["postcall/commit"] != nil || got["app.kubernetes.io/version"] == nil {
		t.Errorf("labels of the pod %v", got)
	}
}
