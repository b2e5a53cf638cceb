package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/postcall/postcall/transforms"
)

// scrape reads /metrics as a Prometheus that takes native histograms does, or as text.
func (r *running) scrape(format expfmt.Format) []byte {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, r.admin+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Accept", string(format))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		r.t.Fatalf("/metrics answered %d: %v", res.StatusCode, err)
	}
	return b
}

// families decodes the protobuf form, the only one with native histograms.
func (r *running) families() map[string]*dto.MetricFamily {
	r.t.Helper()
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	dec := expfmt.NewDecoder(bytes.NewReader(r.scrape(format)), format)
	all := map[string]*dto.MetricFamily{}
	for {
		var f dto.MetricFamily
		if err := dec.Decode(&f); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			r.t.Fatal(err)
		}
		all[f.GetName()] = &f
	}
}

// metered runs a connector in which every metric has a series: two sinks of which one refuses an event, a real plugin, a
// refused body, TLS.
func metered(t *testing.T) *running {
	t.Helper()
	store := newStore()
	store.load = func(b Batch) error {
		for i := range b.Events {
			if b.Events[i].CallID == "poison" {
				return &PartialError{Failed: map[int]error{i: errors.New("no")}}
			}
		}
		return nil
	}
	cfg := testConfig(t.TempDir())
	cfg.PluginDir, cfg.Transforms = pluginFolder(t, "metered", "fault"), []string{"metered"}
	var once atomic.Bool
	flaky := transformFunc(func(ctx context.Context, b []transforms.Event) ([]transforms.Event, error) {
		if once.CompareAndSwap(false, true) {
			return nil, errors.New("not now")
		}
		return b, nil
	})
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", store, 1}, {"b", newStore(), 1}}, Transforms: append(open(t, cfg).Default, Transform{"flaky", flaky}), Version: "1.2.3", Commit: "abc"})
	r.deliver("c1", "c2", "poison", "c3")
	if code := r.post(`{"callId":["not a string"]}`); code != 422 {
		t.Errorf("answered %d", code)
	}
	r.eventually("all is loaded", func() bool {
		return r.metric(`postcall_events_delivered_total{sink="a"}`) == "3" && r.metric(`postcall_events_delivered_total{sink="b"}`) == "4"
	})
	return r
}

func TestMetricsKeepTheConventions(t *testing.T) {
	r := metered(t)
	problems, err := promlint.New(bytes.NewReader(r.scrape(expfmt.NewFormat(expfmt.TypeTextPlain)))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Every metric that is described is there, and none besides. Where a store is down or a tenant is new, no series follow:
// all labels have values that the code or the configuration names.
func TestMetricsAreAsDescribed(t *testing.T) {
	r := metered(t)
	live := r.families()
	labels := map[string][]string{}
	for _, m := range newMetrics(buildInfo{}).described {
		labels["postcall_"+m.name] = slices.Sorted(slices.Values(m.labels))
	}
	for name, f := range live {
		if !strings.HasPrefix(name, "postcall_") {
			continue
		}
		want, ok := labels[name]
		if !ok {
			t.Errorf("%s is not described", name)
		}
		for _, m := range f.Metric {
			var got []string
			for _, l := range m.Label {
				got = append(got, l.GetName())
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s has labels %v, described are %v", name, got, want)
			}
		}
		if n := len(f.Metric); n > 30 {
			t.Errorf("%s has %d series", name, n)
		}
	}
	// Not with plain HTTP (TestRotationUnderLoad has it), and while no transform is skipped.
	absent := []string{"postcall_tls_certificate_expiry_timestamp_seconds", "postcall_transform_skipped_total"}
	for name := range labels {
		if live[name] == nil && !slices.Contains(absent, name) {
			t.Errorf("%s is described and not there", name)
		}
	}
}

func TestHistogramsAreNativeAndClassic(t *testing.T) {
	r := metered(t)
	all := r.families()
	for name, sinks := range map[string]int{
		"postcall_webhook_ack_seconds": 0, "postcall_lag_seconds": 2, "postcall_load_seconds": 2, "postcall_batch_seal_seconds": 0,
		"postcall_intake_frame_seconds": 0, "postcall_transform_seconds": 2,
	} {
		f := all[name]
		if f == nil || len(f.Metric) != max(sinks, 1) {
			t.Errorf("%s: %v", name, f)
			continue
		}
		for _, m := range f.Metric {
			h := m.Histogram
			if h.GetSampleCount() == 0 || len(h.PositiveSpan) == 0 || len(h.Bucket) != 20 {
				t.Errorf("%s: %v", name, h)
			}
		}
	}
	lag := all["postcall_lag_seconds"].Metric
	if n := lag[0].Histogram.GetSampleCount(); n != 3 { // the event that was refused has not arrived
		t.Errorf("lag of a counts %d events, want 3", n)
	}
	if sum := lag[1].Histogram.GetSampleSum(); sum <= 0 || sum > 60 {
		t.Errorf("lag of b sums up to %g s", sum)
	}
}

// A counter that appears with its first count never rises from zero, so no alert on its rise would see it.
func TestCountersOfTroubleStartAtZero(t *testing.T) {
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", newStore(), 1}}})
	text := string(r.scrape(expfmt.NewFormat(expfmt.TypeTextPlain)))
	for _, kind := range alarmKinds {
		for _, want := range []string{fmt.Sprintf("postcall_alarms_total{kind=%q} 0\n", kind), fmt.Sprintf("postcall_alarm_last_timestamp_seconds{kind=%q} 0\n", kind)} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s", want)
			}
		}
	}
	for _, want := range []string{`postcall_events_dead_total{sink="a",stage="load"} 0`, `postcall_loads_total{result="error",sink="a"} 0`, `postcall_webhook_requests_total{code="503"} 0`} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

// Every kind that the code raises is one of alarmKinds, README's table has each, and nothing goes around alarm.
func TestAlarmsAreKnown(t *testing.T) {
	raised := map[string]bool{}
	for name, text := range sources(t, ".") {
		for _, m := range regexp.MustCompile(`\.alarm\("([^"]*)"`).FindAllStringSubmatch(text, -1) {
			raised[m[1]] = true
		}
		if name != "metrics.go" && strings.Contains(text, "alarms.WithLabelValues") {
			t.Errorf("%s counts an alarm without its time: use metrics.alarm", name)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range alarmKinds {
		if !raised[kind] {
			t.Errorf("nothing raises %s", kind)
		}
		if !strings.Contains(string(readme), "\n| `"+kind+"` |") {
			t.Errorf("README does not say what to do about %s", kind)
		}
		delete(raised, kind)
	}
	for kind := range raised {
		t.Errorf("alarm %q is none of alarmKinds", kind)
	}
}

// sources are the Go files of a folder, without tests, by name.
func sources(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".go") && !strings.HasSuffix(f.Name(), "_test.go") {
			b, err := os.ReadFile(dir + "/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			all[f.Name()] = string(b)
		}
	}
	return all
}

// The age of what a sink lacks is known while its store is down: the histogram of the lag says nothing then.
func TestBacklogOfADeadStoreGetsOlder(t *testing.T) {
	s := newStore()
	var down atomic.Bool
	down.Store(true)
	s.load = func(Batch) error {
		if down.Load() {
			return errors.New("down")
		}
		return nil
	}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}, {"b", newStore(), 1}}})
	r.deliver("c1")
	age := func(sink string) (n float64) {
		_, _ = fmt.Sscan(r.metric(`postcall_sink_backlog_age_seconds{sink="`+sink+`"}`), &n)
		return n
	}
	r.eventually("the backlog has an age", func() bool { return age("a") > 0.5 })
	if got := age("b"); got != 0 {
		t.Errorf("the other sink is %g s behind", got)
	}
	down.Store(false)
	r.eventually("it is gone", func() bool { return s.has("c1") && age("a") == 0 })
}

func ready(r *running) (int, string) {
	r.t.Helper()
	res, err := http.Get(r.admin + "/readyz")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, strings.TrimSpace(string(b))
}

// Not ready while the intake is full, alive all the same, and ready again although nobody delivers to what isn't.
func TestNotReadyWhileTheIntakeRefuses(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Intake.MaxBytes, cfg.Batch.MaxEvents = 200<<10, 1
	var hold atomic.Bool
	hold.Store(true)
	steps := []Transform{{"slow", transformFunc(func(ctx context.Context, b []transforms.Event) ([]transforms.Event, error) {
		if hold.Load() {
			return nil, errors.New("not now")
		}
		return b, nil
	})}}
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}, Transforms: steps})
	if code, why := ready(r); code != 200 || r.metric("postcall_ready") != "1" {
		t.Errorf("answered %d %s at the start", code, why)
	}
	for i := 0; r.post(fmt.Sprintf(`{"callId":"c%d","summary":%q}`, i, incompressible(8<<10))) == 200; i++ {
		if i > 60 {
			t.Fatal("the intake is not full")
		}
	}
	if code, why := ready(r); code != 503 || why != "not ready: the intake is full" || r.metric("postcall_ready") != "0" {
		t.Errorf("a full intake answered %d %q", code, why)
	}
	if res, err := http.Get(r.admin + "/livez"); err != nil || res.StatusCode != 200 {
		t.Errorf("/livez: %v %v", res, err)
	} else {
		_ = res.Body.Close()
	}
	hold.Store(false)
	r.eventually("ready again, without a delivery", func() bool { code, _ := ready(r); return code == 200 })
}

func TestReadinessOfAFullDiskAndOfFailedWrites(t *testing.T) {
	in := newIntake(&streams{partitions: 1}, IntakeConfig{MaxInFlight: 100}, discard(), newMetrics(buildInfo{}))
	now := time.Now()
	f := func(what, want string, at time.Time) {
		t.Helper()
		if got := in.refusing(at); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	f("at the start", "", now)
	in.trouble.note(ErrUnavailable)
	f("after a failed write", "the last deliveries could not be stored", time.Now())
	f("a while later", "", time.Now().Add(troubleFor))
	in.trouble.note(nil)
	f("after a good one", "", time.Now())
	in.disk = &diskWatch{}
	in.disk.full.Store(true)
	f("with a full disk", "the volume of POSTCALL_DATA_DIR is nearly full", now)
}

func TestProfilesAreThereOnlyWhenAskedFor(t *testing.T) {
	for _, on := range []bool{false, true} {
		cfg := testConfig(t.TempDir())
		cfg.AdminPprof = on
		r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}})
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=1", "/debug/pprof/profile?seconds=1"} {
			res, err := http.Get(r.admin + path)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if want := map[bool]int{false: 404, true: 200}[on]; res.StatusCode != want || on && len(b) == 0 {
				t.Errorf("%s with pprof %t answered %d with %d bytes", path, on, res.StatusCode, len(b))
			}
		}
		res, err := http.Get(strings.TrimSuffix(r.url, WebhookPath) + "/debug/pprof/") // never where senders are
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode == 200 {
			t.Error("profiles are on the port of the webhook")
		}
		r.stop()
	}
}
