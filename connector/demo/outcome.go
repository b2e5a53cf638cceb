package demo

// spellings are the ways in which the models behind a sender write one thing, the usual ones more than once.
type spellings []string

var (
	yes = spellings{"true", "true", "true", "true", "true", "true", "true", "yes", "True", "Yes", "successful", "not available"}
	no  = spellings{"false", "false", "false", "false", "false", "no", "False", "No.", "failed", "not available", "partially"}

	followYes = spellings{"yes", "yes", "yes", "yes", "yes", "Yes", "true", "Yes.", "follow up needed"}
	followNo  = spellings{"no", "no", "no", "no", "no", "no", "No", "false", "not available", "none"}

	moods = [4]spellings{
		{"positive", "positive", "positive", "positive", "positive", "Positive", "very positive", "happy"},
		{"neutral", "neutral", "neutral", "neutral", "neutral", "Neutral", "not available"},
		{"negative", "negative", "negative", "negative", "Negative", "somewhat negative", "frustrated"},
		{"mixed", "mixed", "mixed", "Mixed", "mixed.", "mostly positive"},
	}

	hungUp    = spellings{"caller_hangup", "caller_hangup", "caller_hangup", "caller_hangup", "caller_hangup", "caller_hangup", "caller_hangup", "Caller hung up", "customer-ended-call"}
	agentEnds = spellings{"agent_hangup", "agent_hangup", "agent_hangup", "agent_hangup", "assistant-ended-call"}
	transfers = spellings{"transfer", "transfer", "transfer", "transfer", "transfer", "call_transferred", "Transferred"}
	mailboxes = spellings{"voicemail", "voicemail", "voicemail", "voicemail", "voicemail_reached"}
	faults    = spellings{"error", "error", "error", "pipeline-error", "silence-timed-out"}
)

func (s spellings) of(c *call, what uint64) string { return s[c.roll(what, uint64(len(s)))] }

// unknown is what the sender writes for what it has no value of.
const unknown = "not available"

// outcome appends what the sender's models say of the call.
func (w *writer) outcome(b []byte, d *delivery) []byte {
	c := &d.call
	switch c.kind {
	case kindShort:
		b = text(b, "summary", [...]string{"The caller hung up before saying anything.", unknown}[c.roll(rollSummary, 2)])
		b = text(text(text(b, "purpose", unknown), "topic", unknown), "sentiment", unknown)
		b = w.lists(b, c, ending{})
		return text(text(text(b, "followUp", "no"), "ai_success", unknown), "endedReason", hungUp.of(c, rollEnd))
	case kindVoicemail:
		b = w.fill(append(b, `","summary":"`...), c, "A reminder of the {item} on {day} was left in the mailbox of {name}.")
		b = w.fill(append(b, `","purpose":"`...), c, c.about.purposes[0])
		b = text(text(b, "topic", c.topic()), "sentiment", "neutral")
		b = w.lists(b, c, ending{points: []string{"Message left"}})
		return text(text(text(b, "followUp", "no"), "ai_success", unknown), "endedReason", mailboxes.of(c, rollEnd))
	case kindError:
		b = text(b, "summary", [...]string{unknown, "The call was cut off by an error."}[c.roll(rollSummary, 2)])
		b = w.fill(append(b, `","purpose":"`...), c, c.about.purposes[0])
		b = text(text(b, "topic", c.topic()), "sentiment", moods[1].of(c, rollMood))
		b = w.lists(b, c, ending{action: "Call {name} back at {num}, the call was cut off"})
		return text(text(text(b, "followUp", "yes"), "ai_success", no.of(c, rollSpelling)), "endedReason", faults.of(c, rollEnd))
	}
	return w.told(b, d)
}

// told appends what the models say of a call that went to its end.
func (w *writer) told(b []byte, d *delivery) []byte {
	c := &d.call
	end := c.about.ends[c.outcome]
	b = append(b, `","summary":"`...)
	b = w.summary(b, d, end)
	if c.roll(rollText, 3) > 0 {
		b = append(b, `","longSummary":"`...)
		b = w.fill(b, c, "{name} called {biz} from {num}. ")
		b = w.summary(b, d, end)
	}
	b = w.fill(append(b, `","purpose":"`...), c, c.about.purposes[c.roll(rollPurpose, uint64(len(c.about.purposes)))])
	b = text(b, "topic", c.topic())
	mood, success, follow := c.mood, yes, followNo
	if c.outcome == failed || c.outcome == handed && c.roll(rollSpelling+40, 3) > 0 {
		success = no
	}
	if c.asked != nil || end.action != "" && c.roll(rollFollowUp+40, 5) > 0 {
		follow = followYes
	}
	if d.corrected {
		mood, success, follow = 1, yes, followNo
	}
	b = text(b, "sentiment", moods[mood].of(c, rollMood))
	b = w.lists(b, c, end)
	b = text(b, "followUp", follow.of(c, rollFollowUp))
	if &follow[0] == &followYes[0] {
		if c.asked != nil {
			b = append(append(b, `","followUpReason":"The caller asked about `...), c.asked.about...)
		} else {
			b = text(b, "followUpReason", end.reason)
		}
	}
	b = text(b, "ai_success", success.of(c, rollSpelling))
	switch {
	case c.outcome == handed:
		return text(b, "endedReason", transfers.of(c, rollEnd))
	case c.roll(rollEnd+40, 4) == 0 || c.about == &spam:
		return text(b, "endedReason", agentEnds.of(c, rollEnd))
	}
	return text(b, "endedReason", hungUp.of(c, rollEnd))
}

func (w *writer) summary(b []byte, d *delivery, end ending) []byte {
	c := &d.call
	b = w.fill(b, c, end.summary[c.roll(rollSummary, uint64(len(end.summary)))])
	if c.again {
		b = w.fill(b, c, " It was not the first call about it, the last one was on {since}.")
	}
	if c.asked != nil {
		b = append(append(append(b, " The question about "...), c.asked.about...), " stayed open."...)
	}
	if d.corrected {
		b = append(b, " Checked afterwards: it is settled now."...)
	}
	return b
}

func (c *call) topic() string {
	// The usual spelling stands for half of them.
	t := c.about.topics
	return t[max(0, c.roll(rollTopic, uint64(2*len(t)))-len(t))]
}

// lists appends key points, open questions and action items, and leaves a member open.
func (w *writer) lists(b []byte, c *call, end ending) []byte {
	b = append(b, `","keyPoints":[`...)
	for i, p := range end.points {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(w.fill(append(b, '"'), c, p), '"')
	}
	b = append(b, `],"unansweredQuestions":[`...)
	if c.asked != nil {
		b = append(append(append(b, '"'), c.asked.title...), '"')
	}
	b = append(b, `],"actionItems":[`...)
	if end.action != "" {
		b = append(w.fill(append(b, '"'), c, end.action), '"')
	}
	if c.asked != nil {
		if end.action != "" {
			b = append(b, ',')
		}
		b = append(append(append(b, `"Answer the question about `...), c.asked.about...), '"')
	}
	return append(b, `],"workflow":"main`...)
}
