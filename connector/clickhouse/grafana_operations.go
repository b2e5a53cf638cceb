package clickhouse

import (
	"fmt"
	"maps"
	"slices"
)

// operationsDashboard shows the pipeline, out of what /metrics exposes. docs/runbook.md says what to do.
func operationsDashboard() dashboard {
	return dashboard{
		name: "operations", title: "postcall: operations", source: "prometheus", from: "now-6h",
		description: "Whether calls get through: intake, sealer, sinks, buffer. Each event is received once and delivered, dead, dropped or pending.",
		variables: []object{{
			"name": "instance", "label": "Instance", "type": "query", "datasource": object{"type": "prometheus", "uid": "${datasource}"},
			"query":      object{"query": "label_values(postcall_build_info, instance)", "refId": "instance"},
			"definition": "label_values(postcall_build_info, instance)", "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*",
			"hide": 0, "regex": "", "options": []any{}, "current": object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}},
		}},
		rows: []section{
			{"Does somebody have to act?", []panel{
				alarm("Sinks paused", "Sinks that wait for their operator: schema, credentials. postcall doctor says why.", "sum(postcall_sink_paused%s)"),
				alarm("Transforms that can't run", "Their events wait on disk, or go on without them (on_failure: skip).", "sum(postcall_transform_open%s)"),
				alarm("Alarms", "Alarms in the time shown. The runbook says what each kind asks for.", "sum(increase(postcall_alarms_total%s[$__range]))"),
				alarm("Dead letters", "Events held back in the time shown. postcall dead list says why.", "sum(increase(postcall_events_dead_total%s[$__range]))"),
				number("Batches waiting", "Sealed batches that the slowest sink has not acknowledged.", "short", "max(sum by (sink) (postcall_sink_pending_batches%s))"),
				number("Free space", "Free space of the data directory's volume, of the fullest instance.", "bytes", "min(postcall_disk_free_bytes%s)"),
				alarm("Not ready", "Instances that answer 503: a full intake, a full disk, a stop under way.", "sum(1 - postcall_ready%s)"),
				number("Last event", "Time since an event was made durable. As old as the process where none came.", "s", "time() - max(postcall_last_received_timestamp_seconds%s > 0)"),
				number("Oldest event not sealed", "While it rises, the intake fills up.", "s", "max(postcall_seal_backlog_age_seconds%s)"),
				number("Oldest batch not loaded", "Age of the oldest sealed batch that a sink is at.", "s", "max(postcall_sink_backlog_age_seconds%s)"),
				alarm("Erasures that failed", "Attempts to erase that failed in the time shown; they are tried again.", "sum(increase(postcall_erasure_failures_total%s[$__range]))"),
				number("Certificate ends in", "Time until the first certificate in use ends; empty with plain HTTP.", "s", "min(postcall_tls_certificate_expiry_timestamp_seconds%s) - time()"),
			}},
			{"Intake", []panel{
				graph("Events received", "Events made durable, a second.", "eps", "", "sum(rate(postcall_events_received_total%s[$__rate_interval]))"),
				graph("Answers", "Webhook requests a second, by status code.", "reqps", "{{code}}", "sum by (code) (rate(postcall_webhook_requests_total%s[$__rate_interval]))"),
				graph("Refused", "Bodies answered 4xx a second, by reason.", "reqps", "{{reason}}", "sum by (reason) (rate(postcall_webhook_refused_total%s[$__rate_interval]))"),
				quantiles("Time to answer", "From a delivery's header to its 200, which is when it is on disk.", "postcall_webhook_ack_seconds"),
				quantiles("Time to make a frame durable", "One fsync for all bodies that waited; the sender waits for it.", "postcall_intake_frame_seconds"),
				graph("Events per frame", "How many events share one fsync.", "short", "",
					"sum(rate(postcall_events_received_total%[1]s[$__rate_interval])) / sum(rate(postcall_intake_frames_total%[1]s[$__rate_interval]))"),
			}},
			{"Sealer and transforms", []panel{
				graph("Fates", "Events that left the sealer a second, by outcome.", "eps", "{{outcome}}", "sum by (outcome) (rate(postcall_events_sealed_total%s[$__rate_interval]))"),
				quantiles("Time to transform and seal a batch", "Redaction and the other transforms are part of it.", "postcall_batch_seal_seconds"),
				graph("Batches sealed", "Sealed batches a second.", "ops", "", "sum(rate(postcall_batches_sealed_total%s[$__rate_interval]))"),
				graph("Oldest event not sealed", "While it rises, the intake fills up.", "s", "{{instance}}", "max by (instance) (postcall_seal_backlog_age_seconds%s)"),
				graph("Time of a transform", "Of 95 in 100 calls at most; a call has several events.", "s", "{{transform}}",
					"histogram_quantile(0.95, sum by (le, transform) (rate(postcall_transform_seconds_bucket%s[$__rate_interval])))"),
				graph("Failed calls of transforms", "They are tried again; the events wait.", "ops", "{{transform}}", "sum by (transform) (rate(postcall_transform_failures_total%s[$__rate_interval]))"),
				graph("Events without a transform", "Went on without a transform that could not run (on_failure: skip), a second.", "eps", "{{transform}}",
					"sum by (transform) (rate(postcall_transform_skipped_total%s[$__rate_interval]))"),
				graph("Topic other", "Events for whose topic no rule of map-topics matched, a second.", "eps", "", "sum(rate(postcall_topic_other_total%s[$__rate_interval]))"),
				graph("Memory of plugins", "Of the processes of a plugin and their children.", "bytes", "{{transform}}", "sum by (transform) (postcall_plugin_memory_bytes%s)"),
				graph("Ends of plugins", "Processes of plugins that ended, by reason, in five minutes.", "short", "{{transform}} {{reason}}",
					"sum by (transform, reason) (increase(postcall_plugin_ends_total%s[5m]))"),
				graph("Partitions", "Partitions that each pod of a cluster seals, and one more for the pod that keeps house.", "short", "{{instance}}", "sum by (instance) (postcall_cluster_tasks%s)"),
			}},
			{"Sinks", []panel{
				graph("Delivered", "Events a store has taken, a second.", "eps", "{{sink}}", "sum by (sink) (rate(postcall_events_delivered_total%s[$__rate_interval]))"),
				graph("Batches waiting", "Sealed batches not acknowledged. Each sink has its own pace.", "short", "{{sink}}", "sum by (sink) (postcall_sink_pending_batches%s)"),
				graph("Oldest batch", "Age of the oldest sealed batch that a sink is at.", "s", "{{sink}}", "max by (sink) (postcall_sink_backlog_age_seconds%s)"),
				graph("From receipt to store", "Of 95 in 100 events at most.", "s", "{{sink}}", "histogram_quantile(0.95, sum by (le, sink) (rate(postcall_lag_seconds_bucket%s[$__rate_interval])))"),
				graph("Loads", "Attempts to load a batch a second, by result.", "ops", "{{sink}} {{result}}", "sum by (sink, result) (rate(postcall_loads_total%s[$__rate_interval]))"),
				graph("Time of a load", "Of 95 in 100 loads at most.", "s", "{{sink}}", "histogram_quantile(0.95, sum by (le, sink) (rate(postcall_load_seconds_bucket%s[$__rate_interval])))"),
				graph("Dead letters", "Events held back in five minutes, by stage and sink.", "short", "{{stage}} {{sink}}", "sum by (stage, sink) (increase(postcall_events_dead_total%s[5m]))"),
				graph("Alarms", "Alarms in five minutes, by kind.", "short", "{{kind}}", "sum by (kind) (increase(postcall_alarms_total%s[5m]))"),
				graph("Erasures under way", "Entries of the erasure list that are not known to be carried out; each takes ten minutes at least.", "short", "", "max(postcall_erasures_pending%s)"),
				graph("Oldest erasure", "Age of the oldest entry of the erasure list that is not known to be carried out.", "s", "", "max(postcall_erasure_backlog_age_seconds%s)"),
			}},
			{"Buffer and process", []panel{
				graph("Streams", "Bytes of each stream of the buffer.", "bytes", "{{stream}}", "sum by (stream) (postcall_stream_bytes%s)"),
				graph("Use of streams", "How full each stream is. Full batches stop the sealer, a full intake answers 503.", "percentunit", "{{stream}}", "max by (stream) (postcall_stream_use_ratio%s)"),
				lines("Disk", "Of the data directory's volume. Under the reserve, deliveries are answered 503.", "bytes", map[string]string{
					"free": "min(postcall_disk_free_bytes%s)", "reserve": "max(postcall_disk_reserve_bytes%s)", "size": "min(postcall_disk_size_bytes%s)",
				}),
				graph("CPU", "Cores in use, without plugins.", "short", "{{instance}}", "sum by (instance) (rate(process_cpu_seconds_total%s[$__rate_interval]))"),
				graph("Memory", "Resident memory, without plugins.", "bytes", "{{instance}}", "sum by (instance) (process_resident_memory_bytes%s)"),
				graph("Goroutines", "A number that only rises is a leak.", "short", "{{instance}}", "sum by (instance) (go_goroutines%s)"),
			}},
		},
	}
}

// chosen are the instances that are looked at.
const chosen = `{instance=~"$instance"}`

// graph is an expression over time; its %s is where the choice of instances goes.
func graph(title, description, unit, legend, expression string) panel {
	if legend == "" {
		legend = title
	}
	return panel{
		title: title, description: description, kind: "timeseries", unit: unit, width: 8, height: 7,
		targets: []object{promTarget(fmt.Sprintf(expression, chosen), legend, false)}, options: lineOptions(),
		custom: object{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"},
	}
}

// lines is a graph of several expressions, by the legend of each.
func lines(title, description, unit string, expressions map[string]string) (p panel) {
	for _, legend := range slices.Sorted(maps.Keys(expressions)) {
		g := graph(title, description, unit, legend, expressions[legend])
		g.targets = append(p.targets, g.targets...)
		p = g
	}
	return p
}

// quantiles are the median and the 99th percentile of a histogram in seconds.
func quantiles(title, description, histogram string) panel {
	of := func(q string) string {
		return "histogram_quantile(" + q + ", sum by (le) (rate(" + histogram + "_bucket%s[$__rate_interval])))"
	}
	return lines(title, description, "s", map[string]string{"p50": of("0.5"), "p99": of("0.99")})
}

func number(title, description, unit, expression string) panel {
	return panel{
		title: title, description: description, kind: "stat", unit: unit, width: 4, height: 4,
		targets: []object{promTarget(fmt.Sprintf(expression, chosen), title, true)}, options: statOptions(),
	}
}

// alarm is a number that is red from 1 on.
func alarm(title, description, expression string) panel {
	p := number(title, description, "short", expression)
	p.thresholds = []object{{"color": "green", "value": nil}, {"color": "red", "value": 1}}
	return p
}

func promTarget(expression, legend string, instant bool) object {
	return object{"expr": expression, "legendFormat": legend, "instant": instant, "range": !instant, "editorMode": "code"}
}
