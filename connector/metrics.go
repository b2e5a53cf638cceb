package connector

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what /metrics shows. Counters start at zero with the process; the cumulative counts in the sealed headers
// are the ones that survive it. Labels are bounded: what can be one is named by the configuration or by the code.
// docs/runbook.md lists the metrics, which a test holds to.
type metrics struct {
	registry  *prometheus.Registry
	described []metric

	requests     *prometheus.CounterVec // by status code
	refused      *prometheus.CounterVec // requests not answered 2xx, by reason
	ackSeconds   prometheus.Observer
	ready        prometheus.Gauge
	received     prometheus.Counter
	lastReceived prometheus.Gauge
	frames       prometheus.Counter
	frameSeconds prometheus.Observer
	certExpiry   *prometheus.GaugeVec // without labels; there is no series where postcall speaks plain HTTP

	sealed           *prometheus.CounterVec // events by outcome: kept, dead, dropped, damaged
	batches          prometheus.Counter
	sealSeconds      prometheus.Observer
	sealAge          prometheus.Gauge
	transformed      *prometheus.CounterVec // failed attempts by transform
	transformSeconds *prometheus.HistogramVec
	open             *prometheus.GaugeVec   // 1 while a transform can't run at all
	skipped          *prometheus.CounterVec // events that went on without a transform
	topicOther       prometheus.Counter

	delivered   *prometheus.CounterVec   // events by sink
	superseded  *prometheus.CounterVec   // events replaced by a later one of their batch, by sink
	loads       *prometheus.CounterVec   // attempts by sink and result
	loadSeconds *prometheus.HistogramVec // by sink
	lagSeconds  *prometheus.HistogramVec // by sink
	paused      *prometheus.GaugeVec     // 1 while a sink waits for its operator
	dead        *prometheus.CounterVec   // by stage and sink
	alarms      *prometheus.CounterVec   // by kind; use alarm
	lastAlarm   *prometheus.GaugeVec     // by kind
	pending     *prometheus.GaugeVec     // sealed batches not yet acknowledged, by sink
	pendingAge  *prometheus.GaugeVec     // of the oldest one under way, by sink
	streamBytes *prometheus.GaugeVec     // by stream
	streamMsgs  *prometheus.GaugeVec     // by stream
	streamUse   *prometheus.GaugeVec     // by stream
	diskFree    prometheus.Gauge
	diskSize    prometheus.Gauge
	diskReserve prometheus.Gauge
	tasks       prometheus.Gauge

	erasures        prometheus.Gauge
	erasureAge      prometheus.Gauge
	erasureFailures prometheus.Counter
}

// buildInfo says which program runs, for the metric and the traces.
type buildInfo struct{ version, commit string }

func newMetrics(build buildInfo) *metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &metrics{registry: r, described: slices.Clone(pluginMetrics)}
	d := define{promauto.With(r), &m.described}
	d.gauges("build_info", "1, labelled with version and commit.", "version", "commit").WithLabelValues(build.version, build.commit).Set(1)
	m.defineEdge(d)
	m.definePipeline(d)
	m.defineSinks(d)
	m.defineOperation(d)
	m.zero()
	return m
}

func (m *metrics) defineEdge(d define) {
	m.requests = d.counters("webhook_requests_total", "Webhook requests by status code.", "code")
	m.refused = d.counters("webhook_refused_total", "Webhook requests that were not taken, by reason.", "reason")
	m.ackSeconds = d.seconds("webhook_ack_seconds", "Time from the header of a delivery to its 200, which is when it is on disk.").WithLabelValues()
	m.ready = d.gauge("ready", "1 while deliveries are taken, as /readyz says.")
	m.received = d.counter("events_received_total", "Events made durable by the intake.")
	m.lastReceived = d.gauge("last_received_timestamp_seconds", "When the last event was made durable, Unix time; 0 for none since the start.")
	m.frames = d.counter("intake_frames_total", "Frames written, each with one fsync.")
	m.frameSeconds = d.seconds("intake_frame_seconds", "Time to make a frame durable.").WithLabelValues()
	m.certExpiry = d.gauges("tls_certificate_expiry_timestamp_seconds", "When the certificate in use ends, Unix time; absent with plain HTTP.")
}

func (m *metrics) definePipeline(d define) {
	m.sealed = d.counters("events_sealed_total", "Events that left the sealer, by outcome.", "outcome")
	m.batches = d.counter("batches_sealed_total", "Sealed batches written.")
	m.sealSeconds = d.seconds("batch_seal_seconds", "Time to transform, seal and write a batch.").WithLabelValues()
	m.sealAge = d.gauge("seal_backlog_age_seconds", "Age of the oldest event that is not sealed; 0 for none.")
	m.transformed = d.counters("transform_failures_total", "Failed calls of a transform; its events wait and are tried again.", "transform")
	m.transformSeconds = d.seconds("transform_seconds", "Time of one call of a transform, with several events.", "transform")
	m.open = d.gauges("transform_open", "1 while a transform can't run at all: its events wait, or go on without it (on_failure: skip).", "transform")
	m.skipped = d.counters("transform_skipped_total", "Events that went on without a transform that could not run (on_failure: skip).", "transform")
	m.topicOther = d.counter("topic_other_total", "Events with the topic other: the one map-topics gives where no rule matched.")
}

func (m *metrics) defineSinks(d define) {
	m.delivered = d.counters("events_delivered_total", "Events a sink's store has.", "sink")
	m.superseded = d.counters("events_superseded_total", "Events that a later one of the same batch replaces.", "sink")
	m.loads = d.counters("loads_total", "Attempts to load a batch, by result.", "sink", "result")
	m.loadSeconds = d.seconds("load_seconds", "Time of one load.", "sink")
	m.lagSeconds = d.seconds("lag_seconds", "Time from the receipt of an event to when a sink's store has it. A dead letter that is replayed counts from its first receipt.", "sink")
	m.paused = d.gauges("sink_paused", "1 while a sink waits for its operator (schema, credentials).", "sink")
	m.dead = d.counters("events_dead_total", "Dead letters written, in events.", "stage", "sink")
	m.pending = d.gauges("sink_pending_batches", "Sealed batches a sink has not acknowledged.", "sink")
	m.pendingAge = d.gauges("sink_backlog_age_seconds", "Age of the oldest sealed batch that a sink is at; 0 for none.", "sink")
}

func (m *metrics) defineOperation(d define) {
	m.alarms = d.counters("alarms_total", "Things an operator has to look at, by kind.", "kind")
	m.lastAlarm = d.gauges("alarm_last_timestamp_seconds", "When an alarm of the kind was last raised, Unix time; 0 for none since the start.", "kind")
	m.streamBytes = d.gauges("stream_bytes", "Bytes of a stream.", "stream")
	m.streamMsgs = d.gauges("stream_messages", "Messages of a stream.", "stream")
	m.streamUse = d.gauges("stream_use_ratio", "The fuller of bytes and messages of a stream against its limits, 0 to 1; predict_linear of it says when it is full.", "stream")
	m.diskFree = d.gauge("disk_free_bytes", "Free space of the data directory's volume.")
	m.diskSize = d.gauge("disk_size_bytes", "Size of the data directory's volume.")
	m.diskReserve = d.gauge("disk_reserve_bytes", "Free space below which deliveries are answered 503.")
	m.tasks = d.gauge("cluster_tasks", "Partitions that this pod of a cluster seals, and one more for the pod that keeps house.")
	m.erasures = d.gauge("erasures_pending", "Entries of the erasure list that are not known to be carried out; each takes ten minutes at least.")
	m.erasureAge = d.gauge("erasure_backlog_age_seconds", "Age of the oldest entry of the erasure list that is not known to be carried out; 0 for none.")
	m.erasureFailures = d.counter("erasure_failures_total", "Attempts to carry out erasures that failed; they are tried again.")
}

// alarmKinds are the kinds of alarms. README's table and docs/runbook.md say what to do for each.
var alarmKinds = []string{"damaged", "dead-letters", "disk", "exhausted", "gap", "paused", "refusals", "rollback", "transform"}

// zero makes the series whose first count has to be seen: what appears with a one never rises from zero.
func (m *metrics) zero() {
	for _, kind := range alarmKinds {
		m.alarms.WithLabelValues(kind)
		m.lastAlarm.WithLabelValues(kind)
	}
	for _, outcome := range []string{fateKept, fateDead, fateDropped, fateDamaged} {
		m.sealed.WithLabelValues(outcome)
	}
	for _, stage := range deadStages {
		m.dead.WithLabelValues(stage, "")
	}
	for _, code := range []string{"200", "503"} {
		m.requests.WithLabelValues(code)
	}
}

// zeroSink does the same for a sink.
func (m *metrics) zeroSink(name string) {
	m.delivered.WithLabelValues(name)
	m.superseded.WithLabelValues(name)
	m.dead.WithLabelValues(StageLoad, name)
	m.loads.WithLabelValues(name, "ok")
	m.loads.WithLabelValues(name, "error")
	m.paused.WithLabelValues(name)
	m.pending.WithLabelValues(name)
	m.pendingAge.WithLabelValues(name)
}

// alarm counts n times an alarm of one of alarmKinds.
func (m *metrics) alarm(kind string, n float64) {
	m.alarms.WithLabelValues(kind).Add(n)
	m.lastAlarm.WithLabelValues(kind).Set(float64(time.Now().Unix()))
}

// metric describes a metric for docs/runbook.md.
type metric struct {
	name   string // without postcall_
	kind   string
	help   string
	labels []string
}

// define makes metrics named postcall_*, and keeps what they are.
type define struct {
	promauto.Factory
	list *[]metric
}

func (d define) counters(name, help string, labels ...string) *prometheus.CounterVec {
	*d.list = append(*d.list, metric{name, "counter", help, labels})
	return d.NewCounterVec(prometheus.CounterOpts{Name: "postcall_" + name, Help: help}, labels)
}

func (d define) counter(name, help string) prometheus.Counter {
	return d.counters(name, help).WithLabelValues()
}

func (d define) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	*d.list = append(*d.list, metric{name, "gauge", help, labels})
	return d.NewGaugeVec(prometheus.GaugeOpts{Name: "postcall_" + name, Help: help}, labels)
}

func (d define) gauge(name, help string) prometheus.Gauge {
	return d.gauges(name, help).WithLabelValues()
}

// seconds is a histogram both native, for a Prometheus that takes those (buckets a tenth apart, 160 of them at most), and
// with the classic buckets that dashboards know: 1 ms to 33 s by twos, and up to nine hours for a backlog.
func (d define) seconds(name, help string, labels ...string) *prometheus.HistogramVec {
	*d.list = append(*d.list, metric{name, "histogram", help, labels})
	return d.NewHistogramVec(prometheus.HistogramOpts{
		Name: "postcall_" + name, Help: help, Buckets: append(prometheus.ExponentialBuckets(0.001, 2, 16), 120, 600, 3600, 32400),
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}
