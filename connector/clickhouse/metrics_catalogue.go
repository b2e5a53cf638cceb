package clickhouse

// What is said of calls in more than one metric.
const (
	inbound = "lower(call_direction) != 'outbound'"

	// ending reads how a call ended out of the words of the senders.
	ending = `multiIf(ended_reason = '', '', ` +
		`match(lower(ended_reason), 'transfer|forwarded'), 'transfer', ` +
		`match(lower(ended_reason), 'voicemail|mailbox|machine'), 'voicemail', ` +
		`match(lower(ended_reason), '(no|not).answer|busy'), 'unreached', ` +
		`match(lower(ended_reason), 'error|failed'), 'error', ` +
		`match(lower(ended_reason), '^(caller|user|customer|client).*(hang|hung|ended|disconnect)'), 'caller', ` +
		`match(lower(ended_reason), '^(agent|assistant|bot|ai)[^a-z].*(hang|hung|ended)|end_call'), 'agent', 'other')`

	abandoned = ending + " = 'caller' AND (duration < 10 OR turns > 0 AND user_turns = 0)"
	contained = ending + " IN ('caller', 'agent', 'other') AND NOT ifNull(" + abandoned + ", false) AND NOT ifNull(follow_up, false)"
	firstCall = "NOT called_before AND c.call_started <= now() - " + repeatInterval
)

// Metrics are the catalogue. To add one, add an entry, then run `go test ./connector/clickhouse -run Metrics -update`, which
// writes its documentation, and add its hand-computed values to testdata/metrics.
var Metrics = []Metric{
	{
		Name: "calls", Definition: "How many calls there were, and how long they took together",
		Columns: []Column{
			count("calls", "Calls", "true"),
			{"minutes", "Nullable(Float64)", Minutes, "Length of all calls together; NULL where no duration is known", "sum(duration) / 60"},
		},
	},
	{
		Name: "handle_time", Definition: "Average handle time (AHT): how long a call takes, with percentiles",
		Columns: append([]Column{count("calls", "Calls whose duration is known", "duration IS NOT NULL")},
			spread("seconds", Seconds, "Duration of a call", "duration")...),
	},
	{
		Name: "ended_reasons", Definition: "How calls end", Key: []string{"ending"},
		Columns: []Column{
			count("calls", "Calls", "true"),
			{"call_share", "Float64", Share, "Share of all calls of the same day", "count() / sum(count()) OVER ({{others}})"},
		},
	},
	{
		Name: "abandonment", Definition: "Calls that the caller hangs up within 10 seconds, or without having said a word, among all but outbound ones",
		Columns: rate("abandoned", "abandonment_rate", "Calls not outbound whose ending is known", inbound+" AND ended_reason != ''", "Calls that were abandoned", abandoned),
	},
	{
		Name: "transfers", Definition: "Calls that are handed to a person",
		Columns: rate("transferred", "transfer_rate", "Calls whose ending is known", "ended_reason != ''", "Calls that were transferred", ending+" = 'transfer'"),
	},
	{
		Name: "containment", Definition: "Calls that need no person: not transferred, failed or abandoned, and nobody has to follow up, among those that reached somebody",
		Columns: rate("contained", "containment_rate", "Calls whose ending is known, without voicemail and calls not answered", ending+" NOT IN ('', 'voicemail', 'unreached')", "Calls that needed no person", contained),
	},
	{
		Name: "ai_success", Definition: "Calls in which the agent reached its goal, among those that say so or not",
		Columns: rate("successful", "success_rate", "Calls that say whether the agent reached its goal", "ai_success IS NOT NULL", "Calls in which it did", "ai_success"),
	},
	{
		Name: "follow_up", Definition: "Calls after which somebody has to follow up, among those that say so or not",
		Columns: rate("to_follow_up", "follow_up_rate", "Calls that say whether somebody has to follow up", "follow_up IS NOT NULL", "Calls after which somebody has to", "follow_up"),
	},
	{Name: "sentiment_by_topic", Definition: "Mood of the callers by topic; a call of several topics counts for each", Key: []string{"topic"}, Columns: mood},
	{Name: "sentiment_by_agent", Definition: "Mood of the callers by agent", Key: []string{"agent_name"}, Columns: mood},
	{
		Name: "first_call_resolution", Repeats: true,
		Definition: "First calls of a caller (none in the 7 days before) that no other call of theirs follows within 7 days; calls of the last 7 days don't count yet",
		Columns:    rate("resolved", "resolution_rate", "First calls whose 7 days are over", firstCall, "First calls that no other one followed", "NOT called_after"),
	},
	{
		Name: "repeat_callers", Repeats: true, Definition: "Callers who had also called within the 7 days before; outbound calls and unknown callers don't count",
		Columns: []Column{
			{"callers", "UInt64", Callers, "Different callers", "uniqExact(" + callerKey + ")"},
			{"repeaters", "UInt64", Callers, "Callers who had also called within the 7 days before", "uniqExactIf(" + callerKey + ", called_before)"},
			{
				"repeat_rate", "Nullable(Float64)", Share, "Share of repeaters in callers",
				"uniqExactIf(" + callerKey + ", called_before) / nullIf(uniqExact(" + callerKey + "), 0)",
			},
		},
	},
	{
		Name: "calls_by_hour", Definition: "When calls come: by weekday and hour in the business time zone", Key: []string{"weekday", "hour"},
		Columns: []Column{count("calls", "Calls that started in that hour; 02 comes twice when the clocks go back", "true")},
	},
	{
		Name: "talk_ratio", Definition: "Share of the agent in the words of a call",
		Columns: append([]Column{count("calls", "Calls in which somebody spoke", "talk_ratio IS NOT NULL")},
			spread("ratio", Share, "Share of the agent in the words of a call", "talk_ratio")...),
	},
	{
		Name: "words_per_minute", Definition: "How fast both sides talk: their words per minute of the call",
		Columns: append([]Column{count("calls", "Calls with a transcript and a duration", "words_per_minute IS NOT NULL")},
			spread("wpm", WordsMinute, "Words of both sides per minute", "words_per_minute")...),
	},
	{
		Name: "turns", Definition: "How often the speakers take turns in a call",
		Columns: append([]Column{count("calls", "Calls with a transcript", "turns > 0")},
			spread("turns", Turns, "Turns of a call with a transcript", "nullIf(turns, 0)")...),
	},
	{
		Name: "unanswered_questions", Definition: "Questions the agent could not answer; order by asked for the top ones", Key: []string{"question"},
		Columns: []Column{
			{"asked", "UInt64", Items, "How often it was asked and not answered", "count()"},
			{"last_asked", "DateTime64(3, 'UTC')", Moment, "Start of the last call in which it was", "max(c.call_started)"},
		},
	},
	{
		Name: "action_items", Definition: "What is to be done after calls; order by noted for the most frequent", Key: []string{"action_item"},
		Columns: []Column{
			{"noted", "UInt64", Items, "How often it was noted", "count()"},
			{"last_noted", "DateTime64(3, 'UTC')", Moment, "Start of the last call in which it was", "max(c.call_started)"},
		},
	},
	{
		Name: "open_points", Definition: "What calls leave open: unanswered questions and action items",
		Columns: []Column{
			count("calls", "Calls", "true"),
			{"questions", "UInt64", Items, "Unanswered questions", "sum(unanswered_count)"},
			{"items", "UInt64", Items, "Action items", "sum(action_item_count)"},
			share("unanswered_rate", "Share of calls with an unanswered question", "unanswered_count > 0", "true"),
			share("action_item_rate", "Share of calls with an action item", "action_item_count > 0", "true"),
		},
	},
	{
		Name: "delivery_lag", Definition: "How late calls arrive: from their end to the webhook, and from there into ClickHouse, of the delivery that is valid",
		Columns: []Column{
			count("calls", "Calls whose end is known", "call_ended IS NOT NULL"),
			quantile("lag_p50", Seconds, "Median of the time from the end of the call to the webhook", arrival, "0.5"),
			quantile("lag_p95", Seconds, "The same, of 95 in 100 calls at most", arrival, "0.95"),
			quantile("load_p50", Seconds, "Median of the time from the webhook to this table", loading, "0.5"),
			quantile("load_p95", Seconds, "The same, of 95 in 100 calls at most", loading, "0.95"),
		},
	},
	{
		Name: "data_quality", Definition: "What the senders leave out, or say in words that are not understood",
		Columns: []Column{
			count("calls", "Calls", "true"),
			count("without_duration", "Calls without a duration", "duration IS NULL"),
			count("without_transcript", "Calls without a transcript", "turns = 0"),
			count("without_ending", "Calls that don't say how they ended", "ended_reason = ''"),
			count("without_caller", "Calls without the number of the caller", "caller = 0"),
			count("without_topic", "Calls without any topic", "topic = '' AND empty(topics)"),
			count("unread_sentiment", "Calls whose sentiment is not understood", "sentiment_raw != '' AND sentiment = ''"),
			count("unread_success", "Calls whose ai_success is neither yes nor no", "ai_success_raw != '' AND ai_success IS NULL"),
			count("unread_follow_up", "Calls whose followUp is neither yes nor no", "follow_up_raw != '' AND follow_up IS NULL"),
			count("wrong_times", "Calls that end before they start, or arrive before they end", "call_ended < c.call_started OR received_at < call_ended"),
			share("complete_rate", "Share of calls with a duration, a transcript, an ending, a caller and a topic",
				"duration IS NOT NULL AND turns > 0 AND ended_reason != '' AND caller != 0 AND (topic != '' OR notEmpty(topics))", "true"),
		},
	},
}

const (
	arrival = "dateDiff('millisecond', call_ended, received_at) / 1000"
	loading = "toNullable(dateDiff('millisecond', received_at, loaded_at)) / 1000"
)

// mood is counted the same way by topic and by agent.
var mood = []Column{
	count("calls", "Calls whose sentiment is known", "sentiment != ''"),
	count("positive", "Positive ones", "sentiment = 'positive'"),
	count("neutral", "Neutral ones", "sentiment = 'neutral'"),
	count("mixed", "Mixed ones", "sentiment = 'mixed'"),
	count("negative", "Negative ones", "sentiment = 'negative'"),
	share("negative_rate", "Share of negative ones", "sentiment = 'negative'", "sentiment != ''"),
	{
		"net_sentiment", "Nullable(Float64)", Score, "Share of positive ones less share of negative ones",
		"avgOrNullIf((sentiment = 'positive') - (sentiment = 'negative'), sentiment != '')",
	},
}

// count counts the calls of which a condition is true.
func count(name, comment, condition string) Column {
	return Column{name, "UInt64", Calls, comment, "countIf(" + condition + ")"}
}

// share is how many of some calls a condition is true of; NULL where there are none of them.
func share(name, comment, condition, of string) Column {
	return Column{name, "Nullable(Float64)", Share, comment, "avgOrNullIf(ifNull(" + condition + ", false), " + of + ")"}
}

// rate are three columns: the calls that a share is of, those of which a condition is true, and the share.
func rate(name, rateName, ofComment, of, comment, condition string) []Column {
	return []Column{
		count("calls", ofComment, of),
		count(name, comment, "("+of+") AND ("+condition+")"),
		share(rateName, "Share of "+name+" in calls; NULL where there are none", condition, of),
	}
}

// spread are the mean and the percentiles of an expression that is NULL where it is not known.
func spread(suffix string, unit Unit, what, expression string) []Column {
	return []Column{
		{"mean_" + suffix, "Nullable(Float64)", unit, what + ", on average", "avg(" + expression + ")"},
		quantile("p50_"+suffix, unit, what+", the median", expression, "0.5"),
		quantile("p90_"+suffix, unit, what+", of 90 in 100 calls at most", expression, "0.9"),
		quantile("p95_"+suffix, unit, what+", of 95 in 100 calls at most", expression, "0.95"),
	}
}

func quantile(name string, unit Unit, comment, expression, level string) Column {
	return Column{name, "Nullable(Float64)", unit, comment, "quantileExactInclusive(" + level + ")(" + expression + ")"}
}
