package clickhouse

// Dimensions are what metrics can be grouped by.
var Dimensions = []Dimension{
	{Name: "tenant", Type: "LowCardinality(String)", Comment: "Tenant of the source that delivered the call", SQL: "c.tenant"},
	{Name: "day", Type: "Date", Comment: "Day of the call in the business time zone", SQL: "c.day"},
	{Name: "week", Type: "Date", Comment: "Monday of the week of the call in the business time zone", SQL: "toMonday(c.day)"},
	{Name: "month", Type: "Date", Comment: "First day of the month of the call in the business time zone", SQL: "toStartOfMonth(c.day)"},
	{Name: "weekday", Type: "UInt8", Comment: "Weekday of the call in the business time zone, 1 Monday to 7 Sunday", SQL: "c.weekday"},
	{Name: "hour", Type: "UInt8", Comment: "Hour of the call in the business time zone, 0 to 23", SQL: "c.hour"},
	{Name: "source", Type: "LowCardinality(String)", Comment: "Kind of the sender, for example phonely", SQL: "c.source"},
	{Name: "agent_name", Type: "LowCardinality(String)", Comment: "Name of the AI agent that spoke", SQL: "c.agent_name"},
	{Name: "call_direction", Type: "LowCardinality(String)", Comment: "Direction as the sender names it", SQL: "c.call_direction"},
	{Name: "business_phone_number", Type: "LowCardinality(String)", Comment: "Number of the business", SQL: "c.business_phone_number"},
	{Name: "topic", Type: "String", Comment: "Topic of the taxonomy (map-topics); without one the sender's own words", SQL: "arrayJoin(if(empty(c.topics), [c.topic], c.topics))"},
	{Name: "sentiment", Type: "LowCardinality(String)", Comment: "positive, neutral, negative, mixed, or empty", SQL: "c.sentiment"},
	{Name: "ended_reason", Type: "LowCardinality(String)", Comment: "How the call ended, in the words of the sender", SQL: "c.ended_reason"},
	{
		Name: "ending", Type: "LowCardinality(String)", SQL: ending,
		Comment: "How the call ended: caller, agent, transfer, voicemail, unreached, error or other; empty where not known",
	},
	{
		Name: "question", Type: "String", Own: true, SQL: normal("unanswered_questions"),
		Comment: "Question the agent could not answer, without case and punctuation at its end",
	},
	{
		Name: "action_item", Type: "String", Own: true, SQL: normal("action_items"),
		Comment: "What is to be done, without case and punctuation at its end",
	},
}

// normal has the elements of a list in one spelling.
func normal(list string) string {
	return `arrayJoin(arrayMap(x -> trimBoth(replaceRegexpAll(lowerUTF8(x), '\\s+|[\\s.?!]+\\z', ' ')), c.` + list + `))`
}
