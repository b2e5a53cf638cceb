package connector

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/redact"
)

// event copies what the scan kept. All texts share one allocation.
func (s *scan) event(received time.Time) transforms.Event {
	k := keeper{s: s}
	k.text.Grow(s.size)
	e := transforms.Event{
		CallID:              strings.TrimSpace(k.field(fieldCallID)),
		AgentName:           k.field(fieldAgentName),
		CallerName:          k.field(fieldCallerName),
		CallDirection:       k.field(fieldCallDirection),
		BusinessPhoneNumber: strings.TrimSpace(k.field(fieldBusinessPhoneNumber)),
		CustomerPhoneNumber: strings.TrimSpace(k.field(fieldCustomerPhoneNumber)),
		MentionedEmail:      strings.TrimSpace(k.field(fieldMentionedEmail)),
		MentionedDate:       k.field(fieldMentionedDate),
		MentionedTime:       k.field(fieldMentionedTime),
		Summary:             k.field(fieldSummary),
		LongSummary:         k.field(fieldLongSummary),
		Purpose:             k.field(fieldPurpose),
		Topic:               k.field(fieldTopic),
		Sentiment:           k.field(fieldSentiment),
		FollowUp:            k.field(fieldFollowUp),
		FollowUpReason:      k.field(fieldFollowUpReason),
		AISuccess:           k.field(fieldAISuccess),
		RecordingURL:        k.field(fieldRecordingURL),
		DashboardURL:        k.field(fieldDashboardURL),
		EndedReason:         k.field(fieldEndedReason),
		Transcript:          k.turns(),
		Extra:               s.extraJSON(),
		IsTest:              s.test,
	}
	k.lists(&e)
	s.transcriptText(&e)
	s.times(&e, received)
	return e
}

// keeper copies texts out of the body, one behind the other.
type keeper struct {
	s    *scan
	text strings.Builder
}

func (k *keeper) keep(value []byte) string {
	from := k.text.Len()
	k.text.Write(k.s.unquote(value))
	return k.text.String()[from:]
}

func (k *keeper) field(f field) string { return k.keep(k.s.texts[f]) }

func (k *keeper) turns() []transforms.Turn {
	if len(k.s.turns) == 0 {
		return nil
	}
	turns := make([]transforms.Turn, len(k.s.turns))
	for i, raw := range k.s.turns {
		turns[i].Role = canonicalRole(bytes.TrimSpace(k.s.unquote(raw.role)))
		if turns[i].Role == "" {
			turns[i].Role = roleOf(k.keep(raw.role))
		}
		turns[i].Content = k.keep(raw.content)
	}
	return turns
}

// roleOf is the role of a turn whose sender's word for it is none of the known ones.
func roleOf(word string) string {
	if word = strings.ToLower(strings.TrimSpace(word)); word != "" {
		return word
	}
	return roleUnknown
}

// lists sets the lists of the event. They share one allocation, but none can grow into the next.
func (k *keeper) lists(e *transforms.Event) {
	if len(k.s.items) == 0 {
		return
	}
	all := make([]string, len(k.s.items))
	for i, v := range k.s.items {
		all[i] = k.keep(v)
	}
	part := func(f field) []string {
		if l := k.s.lists[f]; l.from < l.to {
			return all[l.from:l.to:l.to]
		}
		return nil
	}
	e.KeyPoints, e.UnansweredQuestions, e.ActionItems = part(fieldKeyPoints), part(fieldUnansweredQuestions), part(fieldActionItems)
}

// transcriptText keeps the sender's rendering where it says more than the turns, and makes turns of it where there are
// none.
func (s *scan) transcriptText(e *transforms.Event) {
	text := s.unquote(s.texts[fieldTranscriptText])
	switch {
	case len(text) == 0:
	case len(e.Transcript) == 0:
		kept := string(text)
		e.Transcript = parseTranscript(kept)
		if e.Transcript[0].Role == roleUnknown { // rendering would put a label there that nobody wrote
			e.TranscriptText = kept
		}
	case !isRendering(text, e.Transcript) && !saysTheSame(text, e.Transcript):
		e.TranscriptText = string(text)
	}
}

// times sets the three times, each from the others where it can be.
func (s *scan) times(e *transforms.Event, received time.Time) {
	e.CallStarted, e.CallEnded = s.started, s.ended
	duration := s.duration
	if between := s.ended.Sub(s.started); duration < 0 && !s.started.IsZero() && !s.ended.IsZero() && between >= 0 && between <= maxDuration {
		duration = between.Seconds()
	}
	if duration >= 0 {
		e.Duration = &duration
	}
	switch {
	case !s.started.IsZero():
	case !s.ended.IsZero():
		e.CallStarted = s.ended.Add(-time.Duration(max(duration, 0) * float64(time.Second))).Truncate(time.Millisecond)
		if e.CallStarted.Before(firstTime) {
			e.CallStarted = firstTime
		}
	default:
		e.CallStarted = received.UTC().Truncate(time.Millisecond)
	}
}

// extraJSON renders what has no place in an event as one JSON object, or nil.
func (s *scan) extraJSON() []byte {
	if len(s.extras) == 0 && len(s.turnExtras) == 0 {
		return nil
	}
	size := len(`{"transcript":{}}`)
	for _, m := range s.extras {
		size += len(m.name) + len(m.value) + 2
	}
	for _, m := range s.turnExtras {
		size += len(m.name) + len(m.value) + len(`"12345":{},`) + 2
	}
	b := append(make([]byte, 0, size), '{')
	for i, m := range s.extras {
		b = appendMember(b, m, i == 0)
	}
	if len(s.turnExtras) > 0 {
		if len(s.extras) > 0 {
			b = append(b, ',')
		}
		b = append(b, `"transcript":{`...)
		b = s.appendTurnExtras(b)
		b = append(b, '}')
	}
	return append(b, '}')
}

func (s *scan) appendTurnExtras(b []byte) []byte {
	for i, m := range s.turnExtras {
		first := i == 0 || s.turnExtras[i-1].turn != m.turn
		if first {
			if i > 0 {
				b = append(b, '}', ',')
			}
			b = append(strconv.AppendInt(append(b, '"'), int64(m.turn), 10), `":{`...)
		}
		b = appendMember(b, m.member, first)
	}
	return append(b, '}')
}

func appendMember(b []byte, m member, first bool) []byte {
	if !first {
		b = append(b, ',')
	}
	b = append(append(b, m.name...), ':')
	quoted := false
	for i := 0; i < len(m.value); i++ {
		c := m.value[i]
		switch {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			b = append(b, c)
			i++
			c = m.value[i]
		case !quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		}
		b = append(b, c)
	}
	return b
}

// derive sets what follows from the call itself.
func (n *Normalizer) derive(e *transforms.Event) {
	e.SentimentKind = sentimentKind(e.Sentiment)
	e.FollowUpBool, e.AISuccessBool = readBool(e.FollowUp), readBool(e.AISuccess)
	if n.key != nil {
		e.CustomerKey = redact.Hash(n.key, redact.KindPhone, e.CustomerPhoneNumber)
		e.EmailKey = redact.Hash(n.key, redact.KindEmail, e.MentionedEmail)
	}
	m := &e.Metrics
	var all int32
	for i := range e.Transcript {
		t := &e.Transcript[i]
		t.Words = countWords(t.Content)
		all += t.Words
		switch t.Role {
		case transforms.RoleAgent:
			m.AgentTurns++
			m.AgentWords += t.Words
		case transforms.RoleUser:
			m.UserTurns++
			m.UserWords += t.Words
		}
	}
	m.Turns = int32(len(e.Transcript))
	if all > 0 {
		ratio := float64(m.AgentWords) / float64(all)
		m.TalkRatio = &ratio
	}
	if e.Duration != nil && *e.Duration > 0 && len(e.Transcript) > 0 {
		rate := float64(m.AgentWords+m.UserWords) * 60 / *e.Duration
		m.WordsPerMinute = &rate
	}
	m.UnansweredQuestions, m.ActionItems = int32(len(e.UnansweredQuestions)), int32(len(e.ActionItems))
	local := e.CallStarted.In(n.loc)
	m.Hour, m.Weekday = int32(local.Hour()), int32(local.Weekday()+6)%7+1
}
