package connector

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what /metrics shows. Counters start at zero with the process; the cumulative counts in the sealed headers
// are the ones that survive it.
type metrics struct {
	registry *prometheus.Registry

	requests     *prometheus.CounterVec // by status code
	refused      *prometheus.CounterVec // bodies answered 4xx, by reason
	received     prometheus.Counter
	frames       prometheus.Counter
	frameSeconds prometheus.Histogram

	sealed      *prometheus.CounterVec // events by outcome: kept, dead, dropped, damaged
	batches     prometheus.Counter
	sealSeconds prometheus.Histogram
	transformed *prometheus.CounterVec // failed attempts by transform
	open        *prometheus.GaugeVec   // 1 while a transform can't run at all
	skipped     *prometheus.CounterVec // events that went on without a transform
	topicOther  prometheus.Counter

	delivered   *prometheus.CounterVec   // events by sink
	superseded  *prometheus.CounterVec   // events replaced by a later one of their batch, by sink
	loads       *prometheus.CounterVec   // attempts by sink and result
	loadSeconds *prometheus.HistogramVec // by sink
	paused      *prometheus.GaugeVec     // 1 while a sink waits for its operator
	dead        *prometheus.CounterVec   // by stage and sink
	alarms      *prometheus.CounterVec   // by kind; README's table lists them
	pending     *prometheus.GaugeVec     // sealed batches not yet acknowledged, by sink
	streamBytes *prometheus.GaugeVec     // by stream
	streamMsgs  *prometheus.GaugeVec     // by stream
	streamUse   *prometheus.GaugeVec     // by stream
	diskFree    prometheus.Gauge
}

func newMetrics(version string) *metrics {
	r := prometheus.NewRegistry()
	f := promauto.With(r)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f.NewGaugeVec(prometheus.GaugeOpts{Name: "postcall_build_info", Help: "1, labelled with the version."}, []string{"version"}).
		WithLabelValues(version).Set(1)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "postcall_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: "postcall_" + name, Help: help}, labels)
	}
	seconds := prometheus.ExponentialBuckets(0.001, 2, 16)
	return &metrics{
		registry:     r,
		requests:     counter("webhook_requests_total", "Webhook requests by status code.", "code"),
		refused:      counter("webhook_refused_total", "Webhook requests refused with a 4xx, by reason.", "reason"),
		received:     f.NewCounter(prometheus.CounterOpts{Name: "postcall_events_received_total", Help: "Events made durable by the intake."}),
		frames:       f.NewCounter(prometheus.CounterOpts{Name: "postcall_intake_frames_total", Help: "Frames written, each with one fsync."}),
		frameSeconds: f.NewHistogram(prometheus.HistogramOpts{Name: "postcall_intake_frame_seconds", Help: "Time to make a frame durable.", Buckets: seconds}),
		sealed:       counter("events_sealed_total", "Events that left the sealer, by outcome.", "outcome"),
		batches:      f.NewCounter(prometheus.CounterOpts{Name: "postcall_batches_sealed_total", Help: "Sealed batches written."}),
		sealSeconds:  f.NewHistogram(prometheus.HistogramOpts{Name: "postcall_batch_seal_seconds", Help: "Time to transform, seal and write a batch.", Buckets: seconds}),
		transformed:  counter("transform_failures_total", "Failed calls of a transform; its events wait and are tried again.", "transform"),
		open:         gauge("transform_open", "1 while a transform can't run at all: its events wait, or go on without it (on_failure: skip).", "transform"),
		skipped:      counter("transform_skipped_total", "Events that went on without a transform that could not run (on_failure: skip).", "transform"),
		topicOther:   f.NewCounter(prometheus.CounterOpts{Name: "postcall_topic_other_total", Help: "Events with the topic other: the one map-topics gives where no rule matched."}),
		delivered:    counter("events_delivered_total", "Events a sink's store has.", "sink"),
		superseded:   counter("events_superseded_total", "Events that a later one of the same batch replaces.", "sink"),
		loads:        counter("loads_total", "Attempts to load a batch, by result.", "sink", "result"),
		loadSeconds:  f.NewHistogramVec(prometheus.HistogramOpts{Name: "postcall_load_seconds", Help: "Time of one load.", Buckets: seconds}, []string{"sink"}),
		paused:       gauge("sink_paused", "1 while a sink waits for its operator (schema, credentials).", "sink"),
		dead:         counter("events_dead_total", "Dead letters written, in events.", "stage", "sink"),
		alarms:       counter("alarms_total", "Things an operator has to look at, by kind.", "kind"),
		pending:      gauge("sink_pending_batches", "Sealed batches a sink has not acknowledged.", "sink"),
		streamBytes:  gauge("stream_bytes", "Bytes of a stream.", "stream"),
		diskFree:     f.NewGauge(prometheus.GaugeOpts{Name: "postcall_disk_free_bytes", Help: "Free space of the data directory's volume."}),
		streamMsgs:   gauge("stream_messages", "Messages of a stream.", "stream"),
		streamUse:    gauge("stream_use_ratio", "The fuller of bytes and messages of a stream against its limits, 0 to 1; predict_linear of it says when it is full.", "stream"),
	}
}
