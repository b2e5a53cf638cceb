package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postcall/postcall/transforms"
)

// TransformStatus says how a transform of a running connector does.
type TransformStatus struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	State   string `json:"state"`          // TransformRuns, TransformFails, TransformHolds or TransformSkipped
	Skip    bool   `json:"skip,omitempty"` // events go on without it while it can't run

	transforms.Stats
}

// The states of a transform.
const (
	TransformRuns    = "runs"
	TransformFails   = "fails"   // its last call failed
	TransformHolds   = "holds"   // it can't run; its events wait
	TransformSkipped = "skipped" // it can't run; events go on without it
)

func (s *step) status() TransformStatus {
	t := TransformStatus{Name: s.Name, State: TransformRuns, Skip: s.skip}
	switch open := s.isOpen(); {
	case open && s.skip:
		t.State = TransformSkipped
	case open:
		t.State = TransformHolds
	case s.failing.Load():
		t.State = TransformFails
	}
	if p, ok := s.Transformer.(*transforms.Plugin); ok {
		t.Version, t.Stats = p.Version(), p.Stats()
	}
	return t
}

func (c *chain) status() []TransformStatus {
	list := make([]TransformStatus, len(c.steps))
	for i, s := range c.steps {
		list[i] = s.status()
	}
	return list
}

const transformsPath = "/transforms"

// serveStatus answers the states of the transforms on the admin port.
func (c *chain) serveStatus(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(c.status()) // whoever asked may be gone
}

// ReadTransforms asks the connector that runs at POSTCALL_ADMIN_ADDR for its transforms.
func ReadTransforms(ctx context.Context, cfg Config) ([]TransformStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+cfg.AdminAddr+transformsPath, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", req.URL, res.Status)
	}
	var list []TransformStatus
	err = json.NewDecoder(res.Body).Decode(&list)
	return list, err
}

// pluginCollector shows the counts of plugins as metrics.
type pluginCollector struct {
	steps []*step
	descs map[string]*prometheus.Desc
}

// pluginMetrics are what a pluginCollector shows.
var pluginMetrics = []metric{
	{"plugin_processes", "gauge", "Processes of a plugin that run.", []string{"transform"}},
	{"plugin_memory_bytes", "gauge", "Memory of a plugin's processes and of their children, in bytes.", []string{"transform"}},
	{"plugin_starts_total", "counter", "Starts of a plugin's processes.", []string{"transform"}},
	{"plugin_ends_total", "counter", "Processes of a plugin that ended: by themselves (crash), killed without an answer in time (timeout), killed above their bound (memory).", []string{"transform", "reason"}},
	{"plugin_log_lines_cut_total", "counter", "Lines of a plugin that were left out of the log, because there were too many.", []string{"transform"}},
}

func newPluginCollector(steps []*step) *pluginCollector {
	c := &pluginCollector{steps: steps, descs: map[string]*prometheus.Desc{}}
	for _, m := range pluginMetrics {
		c.descs[strings.TrimPrefix(m.name, "plugin_")] = prometheus.NewDesc("postcall_"+m.name, m.help, m.labels, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *pluginCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *pluginCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.steps {
		p, ok := s.Transformer.(*transforms.Plugin)
		if !ok {
			continue
		}
		send := func(name string, kind prometheus.ValueType, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(c.descs[name], kind, v, append([]string{s.Name}, labels...)...)
		}
		st := p.Stats()
		send("processes", prometheus.GaugeValue, float64(st.Running))
		send("memory_bytes", prometheus.GaugeValue, float64(st.Memory))
		send("starts_total", prometheus.CounterValue, float64(st.Starts))
		send("ends_total", prometheus.CounterValue, float64(st.Crashed), "crash")
		send("ends_total", prometheus.CounterValue, float64(st.Hung), "timeout")
		send("ends_total", prometheus.CounterValue, float64(st.Oversized), "memory")
		send("log_lines_cut_total", prometheus.CounterValue, float64(st.LogLost))
	}
}
