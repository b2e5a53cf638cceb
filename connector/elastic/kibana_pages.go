package elastic

// The ids of what people open. They are stable, so that an import replaces the earlier one and links go on working.
const (
	kibanaCalls      = "postcall-calls"
	kibanaFollowUp   = "postcall-follow-up"
	kibanaNegative   = "postcall-negative"
	kibanaUnanswered = "postcall-unanswered"
	kibanaOverview   = "postcall-overview"
	kibanaQuality    = "postcall-quality"
)

func kibanaSearches() []savedSearch {
	return []savedSearch{
		{
			id: kibanaCalls, title: "Calls: all",
			description: "All calls, newest first. Type words into the search box to search what was said, or a field, such as user_text : refund.",
			columns:     []string{"agent_name", "topics", "duration", "sentiment", "ai_success", "follow_up", "ended_reason", "summary", "recording_url"},
		},
		{
			id: kibanaFollowUp, title: "Calls: needs follow-up", query: "follow_up : true and not is_test : true",
			description: "Calls after which somebody has to do something, newest first.",
			columns:     []string{"agent_name", "customer_phone_number", "topics", "follow_up_reason", "action_items", "summary", "recording_url"},
		},
		{
			id: kibanaNegative, title: "Calls: negative", query: "sentiment : negative and not is_test : true",
			description: "Calls whose sentiment is negative, newest first.",
			columns:     []string{"agent_name", "topics", "duration", "ended_reason", "ai_success", "summary", "recording_url"},
		},
		{
			id: kibanaUnanswered, title: "Calls: unanswered questions", query: "unanswered_count > 0 and not is_test : true",
			description: "Calls with questions that the agent could not answer, newest first.",
			columns:     []string{"agent_name", "topics", "unanswered_questions", "summary", "recording_url"},
		},
	}
}

func kibanaDashboards() []dashboard { return []dashboard{overviewPage(), qualityPage()} }

func aiSuccess() column {
	return rate("success", "AI success", "ai_success : true", "ai_success : *")
}

func followUp() column {
	return rate("followup", "Needs follow-up", "follow_up : true", "follow_up : *")
}

func negative() column {
	return rate("negative", "Negative", "sentiment : negative", "sentiment : *")
}

func calls() column { return count("calls", "Calls", "") }

func commonControls() []control {
	return []control{
		{"agent", "agent_name", "Agent"},
		{"topic", "topics", "Topic"},
		{"direction", "call_direction", "Direction"},
		{"sentiment", "sentiment", "Sentiment"},
		{"ended", "ended_reason", "Ended by"},
	}
}

func overviewPage() dashboard {
	duration := number("duration", "average", "duration", "Average duration")
	return dashboard{
		id: kibanaOverview, title: "Calls: overview", controls: commonControls(),
		description: "How many calls, when, about what, and how they went.",
		panels: []panel{
			{id: "calls", title: "Calls", x: 0, y: 0, w: 8, h: 6, chart: metric(calls())},
			{id: "duration", title: "Average duration", x: 8, y: 0, w: 8, h: 6, chart: metric(duration)},
			{id: "ai-success", title: "AI success", x: 16, y: 0, w: 8, h: 6, chart: metric(aiSuccess())},
			{id: "follow-up", title: "Needs follow-up", x: 24, y: 0, w: 8, h: 6, chart: metric(followUp())},
			{id: "negative", title: "Negative", x: 32, y: 0, w: 8, h: 6, chart: metric(negative())},
			{id: "transferred", title: "Transferred", x: 40, y: 0, w: 8, h: 6, chart: metric(
				rate("transferred", "Transferred", "ended_reason : transfer", "ended_reason : *"))},
			{id: "over-time", title: "Calls over time, by sentiment", x: 0, y: 6, w: 28, h: 12, chart: xy("bar_stacked", over("time"), sentiments()...)},
			{id: "hours", title: "Calls by hour and weekday", x: 28, y: 6, w: 20, h: 12, chart: heat(
				by("hour", "hour", "Hour of day", 24, "", false), by("weekday", "weekday", "Weekday", 7, "", false), calls())},
			{id: "topics", title: "Topics", x: 0, y: 18, w: 16, h: 13, chart: xy("bar_horizontal",
				by("topic", "topics", "Topic", 12, "calls", false), series{calls(), ""})},
			{id: "sentiment-topic", title: "Sentiment by topic", x: 16, y: 18, w: 16, h: 13, chart: xy("bar_horizontal_percentage_stacked",
				by("topic", "topics", "Topic", 12, "negative", false), sentiments()...)},
			{id: "ended", title: "How calls end", x: 32, y: 18, w: 16, h: 13, chart: donut(by("ended", "ended_reason", "Ended by", 8, "calls", true), calls())},
			{id: "agents", title: "Agents", x: 0, y: 31, w: 48, h: 11, chart: table("calls",
				by("agent", "agent_name", "Agent", 50, "calls", false), calls(), duration, aiSuccess(), followUp(), negative())},
			{id: "to-do", title: "Needs follow-up", x: 0, y: 42, w: 48, h: 16, search: kibanaFollowUp},
		},
	}
}

func qualityPage() dashboard {
	median, p95 := percentile("median", "duration", "Median duration", 50), percentile("p95", "duration", "95 % are shorter than", 95)
	return dashboard{
		id: kibanaQuality, title: "Calls: quality", controls: commonControls(),
		description: "How well the agents do: success, unanswered questions, talk, and what to look at.",
		panels: []panel{
			{id: "ai-success", title: "AI success", x: 0, y: 0, w: 8, h: 6, chart: metric(aiSuccess())},
			{id: "unanswered", title: "With unanswered questions", x: 8, y: 0, w: 8, h: 6, chart: metric(
				rate("unanswered", "With unanswered questions", "unanswered_count > 0", "unanswered_count : *"))},
			{id: "median", title: "Median duration", x: 16, y: 0, w: 8, h: 6, chart: metric(median)},
			{id: "p95", title: "95 % are shorter than", x: 24, y: 0, w: 8, h: 6, chart: metric(p95)},
			{id: "talk", title: "Agent talk share", x: 32, y: 0, w: 8, h: 6, chart: metric(number("talk", "average", "talk_ratio", "Agent talk share"))},
			{id: "callers", title: "Callers", x: 40, y: 0, w: 8, h: 6, chart: metric(number("callers", "unique_count", "customer_key", "Callers"))},
			{id: "success-time", title: "AI success over time", x: 0, y: 6, w: 24, h: 12, chart: xy("line", over("time"), series{aiSuccess(), "#00756B"})},
			{id: "sentiment-time", title: "Sentiment over time", x: 24, y: 6, w: 24, h: 12, chart: xy("bar_percentage_stacked", over("time"), sentiments()...)},
			{id: "questions", title: "Top unanswered questions", x: 0, y: 18, w: 24, h: 13, chart: table("calls",
				by("question", "unanswered_questions.raw", "Unanswered question", 20, "calls", false), calls())},
			{id: "actions", title: "Top action items", x: 24, y: 18, w: 24, h: 13, chart: table("calls",
				by("action", "action_items.raw", "Action item", 20, "calls", false), calls())},
			{id: "topics", title: "Topics", x: 0, y: 31, w: 28, h: 13, chart: table("calls",
				by("topic", "topics", "Topic", 30, "calls", false), calls(), aiSuccess(), negative(), median, p95)},
			{id: "talk-agents", title: "Agent talk share, by agent", x: 28, y: 31, w: 20, h: 13, chart: xy("bar_horizontal",
				by("agent", "agent_name", "Agent", 15, "talk", false), series{number("talk", "average", "talk_ratio", "Agent talk share"), "#2F7FC1"})},
			{id: "repeat", title: "Callers who call most", x: 0, y: 44, w: 48, h: 11, chart: table("calls",
				by("customer", "customer_key", "Customer (hashed)", 20, "calls", false), calls(), number("last", "max", "call_started", "Last call"),
				aiSuccess(), negative(), followUp())},
			{id: "unanswered-calls", title: "Calls with unanswered questions", x: 0, y: 55, w: 24, h: 16, search: kibanaUnanswered},
			{id: "negative-calls", title: "Negative calls", x: 24, y: 55, w: 24, h: 16, search: kibanaNegative},
		},
	}
}
