package alerts

import "time"

// example is series that somebody made up, and when they should ring. Values are as promtool writes them: 0+1x10 is 0, 1,
// 2 to 10, and 5x3 is 5 four times.
type example struct {
	alert, what, series string
	step                time.Duration // between samples and evaluations; 0 is a minute
	fires, silent       []time.Duration
}

func minutes(all ...int) []time.Duration {
	out := make([]time.Duration, len(all))
	for i, m := range all {
		out[i] = time.Duration(m) * time.Minute
	}
	return out
}

// raised is the time of an alarm that is raised in minute 30.
func raised(kind string) string {
	return `postcall_alarm_last_timestamp_seconds{kind="` + kind + `",instance="a"} 0x29 1800x200`
}

// repeated is that of one that is raised every minute from 30 to 60.
func repeated(kind string) string {
	return `postcall_alarm_last_timestamp_seconds{kind="` + kind + `",instance="a"} 0x29 1800+60x30 3600x100`
}

var cases = []example{
	{alert: "PostcallAbsent", what: "gone and back", series: `postcall_build_info{version="1",commit="c"} 1x10 _x30 1x30`, fires: minutes(30, 35), silent: minutes(5, 15, 45)},
	{alert: "PostcallNotReady", what: "full and not", series: `postcall_ready{instance="a"} 1x9 0x9 1x30`, fires: minutes(12, 19), silent: minutes(5, 10, 11, 25)},
	{
		alert: "PostcallRestarts", what: "three starts", fires: minutes(20, 25), silent: minutes(5, 60),
		series: `process_start_time_seconds{instance="a"} 1x4 2x4 3x4 4x80
postcall_build_info{instance="a"} 1x100`,
	},
	{
		alert: "PostcallRestarts", what: "of another program", silent: minutes(20, 25),
		series: `process_start_time_seconds{instance="b"} 1x4 2x4 3x4 4x80
postcall_build_info{instance="a"} 1x100`,
	},
	{
		alert: "PostcallAnswers5xx", what: "one of ten", fires: minutes(30, 39), silent: minutes(5, 60),
		series: `postcall_webhook_requests_total{job="p",code="200"} 0+90x100
postcall_webhook_requests_total{job="p",code="503"} 0x19 0+10x20 200x60`,
	},
	{
		alert: "PostcallRefusesDeliveries", what: "a wrong secret", fires: minutes(60, 70), silent: minutes(10, 30, 120),
		series: `postcall_webhook_requests_total{job="p",code="200"} 0+50x150
postcall_webhook_requests_total{job="p",code="401"} 0x29 0+50x40 2000x80`,
	},
	{
		alert: "PostcallAckSlow", what: "by classic buckets", fires: minutes(40), silent: minutes(10, 90),
		series: `postcall_webhook_ack_seconds_bucket{job="p",le="1.024"} 0+100x19 1900x30 1900+100x50
postcall_webhook_ack_seconds_bucket{job="p",le="4.096"} 0+100x100
postcall_webhook_ack_seconds_bucket{job="p",le="+Inf"} 0+100x100`,
	},
	{
		alert: "PostcallAckSlow", what: "by native histograms", fires: minutes(30), silent: minutes(90),
		series: `postcall_webhook_ack_seconds{job="p"} {{schema:0 sum:0 count:0 buckets:[0 0 0 0 0]}}+{{schema:0 sum:300 count:100 buckets:[0 0 0 100 0]}}x40 {{schema:0 sum:12000 count:4000 buckets:[0 0 0 4000 0]}}+{{schema:0 sum:50 count:100 buckets:[100 0 0 0 0]}}x60`,
	},
	{
		alert: "PostcallNoDeliveries", what: "a quiet day", step: time.Hour, series: `postcall_events_received_total{job="p"} 0+10x48 480x30 480+10x40`,
		fires: []time.Duration{74 * time.Hour}, silent: []time.Duration{40 * time.Hour, 60 * time.Hour, 90 * time.Hour},
	},
	{
		alert: "PostcallNoDeliveries", what: "nothing ever", step: time.Hour, series: `postcall_events_received_total{job="p"} 0x100`,
		silent: []time.Duration{30 * time.Hour, 90 * time.Hour},
	},
	{alert: "PostcallCertificateExpires", what: "renewed late", series: `postcall_tls_certificate_expiry_timestamp_seconds{instance="a"} 600000x199 9000000x100`, fires: minutes(61, 180), silent: minutes(30, 250)},

	{alert: "PostcallSealingBehind", what: "a plugin is broken", series: `postcall_seal_backlog_age_seconds{instance="a"} 0+60x30 0x30`, fires: minutes(12, 29), silent: minutes(4, 8, 40)},
	{alert: "PostcallTransformOpen", what: "broken and fixed", series: `postcall_transform_open{transform="redact-pii"} 0x9 1x9 0x20`, fires: minutes(12, 18), silent: minutes(5, 25)},
	{alert: "PostcallTransformSkipped", what: "some", series: `postcall_transform_skipped_total{job="p",transform="map-topics"} 0x9 0+5x5 25x60`, fires: minutes(12, 20), silent: minutes(5, 45)},
	{
		alert: "PostcallPluginRestarts", what: "a crash a minute", fires: minutes(16, 20), silent: minutes(5, 60),
		series: `postcall_plugin_ends_total{instance="a",transform="own",reason="crash"} 0x9 0+1x10 10x60
postcall_plugin_ends_total{instance="a",transform="own",reason="memory"} 0x80`,
	},
	{alert: "PostcallPluginRestarts", what: "one", series: `postcall_plugin_ends_total{instance="a",transform="own",reason="crash"} 0x9 1x60`, silent: minutes(12, 20)},
	{alert: "PostcallTooMuchRefused", what: "a bad release", series: repeated("refusals"), fires: minutes(31, 60, 64), silent: minutes(20, 70)},
	{alert: "PostcallDeadLetters", what: "one", series: `postcall_events_dead_total{job="p",stage="load",sink="clickhouse"} 0x9 1x60`, fires: minutes(11, 20), silent: minutes(5, 45)},
	{alert: "PostcallDeadLetters", what: "only bodies answered 4xx", series: `postcall_events_dead_total{job="p",stage="webhook",sink=""} 0+1x60`, silent: minutes(11, 45)},
	{
		alert: "PostcallDeadLettersGrow", what: "two of a hundred", fires: minutes(80, 100), silent: minutes(20, 240),
		series: `postcall_events_dead_total{job="p",stage="load",sink="clickhouse"} 0x29 0+2x60 120x200
postcall_events_received_total{job="p"} 0+100x300`,
	},
	{alert: "PostcallDeadLettersFull", what: "full and purged", series: repeated("dead-letters"), fires: minutes(31, 60), silent: minutes(20, 70)},

	{alert: "PostcallSinkPaused", what: "a missing column", series: `postcall_sink_paused{sink="clickhouse"} 0x9 1x9 0x20`, fires: minutes(12, 18), silent: minutes(5, 25)},
	{alert: "PostcallSinkBehind", what: "a store is down", series: `postcall_sink_backlog_age_seconds{sink="elasticsearch"} 0+60x60 0x30`, fires: minutes(25, 59), silent: minutes(10, 18, 70)},
	{
		alert: "PostcallLoadsFail", what: "most", fires: minutes(35, 45), silent: minutes(10, 80),
		series: `postcall_loads_total{job="p",sink="clickhouse",result="ok"} 0+10x15 150x30 150+10x60
postcall_loads_total{job="p",sink="clickhouse",result="error"} 0x15 0+10x30 300x60`,
	},
	{alert: "PostcallStoreExhausted", what: "and given memory", series: repeated("exhausted"), fires: minutes(36, 60), silent: minutes(20, 32, 70)},

	{
		alert: "PostcallStreamFillsUp", what: "a store is down", fires: minutes(100, 150), silent: minutes(30, 300),
		series: `postcall_stream_use_ratio{stream="POSTCALL_BATCHES"} 0.2x29 0.2+0.005x130 0.3x200`,
	},
	{alert: "PostcallStreamFillsUp", what: "steady at the bound of retention", series: `postcall_stream_use_ratio{stream="POSTCALL_BATCHES"} 0.7x200`, silent: minutes(100, 180)},
	{alert: "PostcallStreamFillsUp", what: "one that drops its oldest", series: `postcall_stream_use_ratio{stream="POSTCALL_REFUSED"} 0.2+0.005x160`, silent: minutes(100, 150)},
	{alert: "PostcallStreamFull", what: "full and not", series: `postcall_stream_use_ratio{stream="POSTCALL_INTAKE"} 0.5x9 0.95x20 0.5x30`, fires: minutes(16, 28), silent: minutes(5, 12, 40)},
	{
		alert: "PostcallDiskFillsUp", what: "4 GB in two hours", fires: minutes(100, 115), silent: minutes(10, 200),
		series: `postcall_disk_free_bytes{instance="a"} 8e9-5e7x120 8e9x120
postcall_disk_size_bytes{instance="a"} 1e10x240
postcall_disk_reserve_bytes{instance="a"} 5e8x240`,
	},
	{
		alert: "PostcallDiskFull", what: "full and emptied", fires: minutes(15), silent: minutes(5, 30),
		series: `postcall_disk_free_bytes{instance="a"} 8e9x9 1e8x9 8e9x30
postcall_disk_reserve_bytes{instance="a"} 5e8x60`,
	},

	{alert: "PostcallEventsLost", what: "found while it runs", series: raised("gap"), fires: minutes(31, 80), silent: minutes(20, 95)},
	{alert: "PostcallEventsLost", what: "found at the start, before the first scrape", series: `postcall_alarm_last_timestamp_seconds{kind="gap",instance="new"} _x30 1790x100`, fires: minutes(32, 80), silent: minutes(20, 95)},
	{alert: "PostcallRolledBack", what: "once", series: raised("rollback"), fires: minutes(31, 80), silent: minutes(20, 95)},
	{alert: "PostcallDamaged", what: "once", series: raised("damaged"), fires: minutes(31, 80), silent: minutes(20, 95)},
	{alert: "PostcallDamaged", what: "another kind", series: raised("paused"), silent: minutes(31, 80)},

	{alert: "PostcallErasuresLate", what: "stuck and done", series: `postcall_erasure_backlog_age_seconds{instance="a"} 0+60x100 0x30`, fires: minutes(70, 99), silent: minutes(30, 62, 110)},
	{alert: "PostcallErasuresLate", what: "in time", series: `postcall_erasure_backlog_age_seconds{instance="a"} 0+60x12 0x30`, silent: minutes(12, 30)},

	{
		alert: "PostcallAPIAnswers5xx", what: "a store is down", fires: minutes(35, 45), silent: minutes(5, 25, 70),
		series: `postcall_api_requests_total{job="a",route="calls",status="200"} 0+90x100
postcall_api_requests_total{job="a",route="calls",status="503"} 0x19 0+10x30 300x60`,
	},
	{
		alert: "PostcallAPIAnswers5xx", what: "somebody asks for a store that is not enabled", silent: minutes(20, 60),
		series: `postcall_api_requests_total{job="a",route="metrics",status="501"} 0+90x100`,
	},
	{
		alert: "PostcallAPISlow", what: "and quick again", fires: minutes(45), silent: minutes(10, 90),
		series: `postcall_api_request_seconds_bucket{job="a",route="calls",le="5"} 0+100x19 1900x30 1900+100x60
postcall_api_request_seconds_bucket{job="a",route="calls",le="10"} 0+100x110
postcall_api_request_seconds_bucket{job="a",route="calls",le="+Inf"} 0+100x110`,
	},
	{
		alert: "PostcallAPISlow", what: "streams of MCP, which stay open", silent: minutes(45, 90),
		series: `postcall_api_request_seconds_bucket{job="a",route="mcp",le="5"} 0x110
postcall_api_request_seconds_bucket{job="a",route="mcp",le="15"} 0+100x110
postcall_api_request_seconds_bucket{job="a",route="mcp",le="+Inf"} 0+100x110`,
	},
}
