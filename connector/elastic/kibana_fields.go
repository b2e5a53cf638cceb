package elastic

import "strings"

// kibanaLabels names every field of the mapping for people. The label of a sub-field follows from its parent's.
func kibanaLabels() map[string]string {
	labels := map[string]string{}
	for name := range fieldTypes() {
		parent, sub := name, ""
		for suffix, text := range subFields {
			if p, is := strings.CutSuffix(name, suffix); is {
				parent, sub = p, text
			}
		}
		if label := fieldLabels[parent]; label != "" {
			labels[name] = label + sub
		}
	}
	return labels
}

var subFields = map[string]string{".exact": " (exact words)", ".raw": " (whole value)", ".text": " (words)"}

// fieldLabels says what a field is in a supervisor's words. Objects (turns, labels) aren't fields of a data view.
var fieldLabels = map[string]string{
	"tenant":                "Tenant",
	"source":                "Source",
	"call_id":               "Call ID",
	"parent_call_id":        "Parent call ID",
	"version":               "Version",
	"received_at":           "Received",
	"agent_name":            "Agent",
	"caller_name":           "Caller",
	"call_direction":        "Direction",
	"call_started":          "Call started",
	"call_ended":            "Call ended",
	"duration":              "Duration",
	"hour":                  "Hour of day",
	"weekday":               "Weekday",
	"business_phone_number": "Business number",
	"customer_phone_number": "Customer number",
	"customer_key":          "Customer (hashed)",
	"mentioned_email":       "E-mail mentioned",
	"email_key":             "E-mail (hashed)",
	"mentioned_date":        "Date mentioned",
	"mentioned_time":        "Time mentioned",
	"recording_url":         "Recording",
	"dashboard_url":         "Dashboard",
	"ended_reason":          "Ended by",
	"ended_reason_raw":      "Ended by, as sent",
	"topic":                 "Topic as sent",
	"topics":                "Topics",
	"main_topic":            "Main topic",
	"topic_confidence":      "Main topic, confidence",
	"topic_rule":            "Main topic, rule",
	"sentiment":             "Sentiment",
	"sentiment_raw":         "Sentiment as sent",
	"follow_up":             "Needs follow-up",
	"follow_up_raw":         "Follow-up as sent",
	"follow_up_reason":      "Follow-up reason",
	"ai_success":            "AI success",
	"ai_success_raw":        "AI success as sent",
	"turns.seq":             "Turn number",
	"turns.role":            "Turn speaker",
	"turns.content":         "Turn text",
	"transcript_text":       "Transcript",
	"user_text":             "What the caller said",
	"agent_text":            "What the agent said",
	"summary":               "Summary",
	"long_summary":          "Long summary",
	"purpose":               "Purpose",
	"key_points":            "Key points",
	"unanswered_questions":  "Unanswered questions",
	"action_items":          "Action items",
	"turn_count":            "Turns",
	"agent_turns":           "Agent turns",
	"user_turns":            "Caller turns",
	"agent_words":           "Agent words",
	"user_words":            "Caller words",
	"talk_ratio":            "Agent talk share",
	"words_per_minute":      "Words per minute",
	"unanswered_count":      "Unanswered questions, number",
	"action_item_count":     "Action items, number",
	"transforms":            "Transforms",
	"is_test":               "Test call",
	"personal_erased_at":    "Personal data erased",
	"extra":                 "Other fields as sent",
}

type format struct {
	ID     string         `json:"id"`
	Params map[string]any `json:"params"`
}

// kibanaFormats says how Kibana shows a value. Colours keep a contrast of 4.5:1.
var kibanaFormats = map[string]format{
	"duration": {"duration", map[string]any{
		"inputFormat": "seconds", "outputFormat": "humanizePrecise", "outputPrecision": 1, "useShortSuffix": true,
	}},
	"talk_ratio":       {"percent", map[string]any{"pattern": "0.0%"}},
	"words_per_minute": {"number", map[string]any{"pattern": "0,0.[0]"}},
	"version":          {"number", map[string]any{"pattern": "0"}},
	"recording_url":    link("Listen"),
	"dashboard_url":    link("Open"),
	"sentiment": {"color", map[string]any{"fieldType": "string", "colors": []any{
		color("positive", "#FFFFFF", "#00756B"), color("neutral", "#1A1C21", "#D3DAE6"),
		color("negative", "#FFFFFF", "#BD271E"), color("mixed", "#1A1C21", "#FEC514"),
	}}},
}

func link(label string) format {
	return format{"url", map[string]any{"type": "a", "labelTemplate": label, "openLinkInCurrentTab": false}}
}

func color(value, text, background string) map[string]any {
	return map[string]any{"range": "-Infinity:Infinity", "regex": "^" + value + "$", "text": text, "background": background}
}
