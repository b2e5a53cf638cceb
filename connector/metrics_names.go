package connector

import (
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

var descRE = regexp.MustCompile(`^Desc\{fqName: "(\w+)".*variableLabels: \{([^}]*)\}\}$`)

// MetricNames returns the name of every metric that /metrics can show, with its labels, so that dashboards and alerts can
// be checked. A histogram has its base name.
func MetricNames() map[string][]string {
	r := newMetrics(buildInfo{}).registry
	r.MustRegister(newPluginCollector(nil))
	descs := make(chan *prometheus.Desc)
	go func() {
		r.Describe(descs)
		close(descs)
	}()
	names := map[string][]string{}
	for d := range descs {
		if m := descRE.FindStringSubmatch(d.String()); m != nil {
			names[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
		}
	}
	return names
}
