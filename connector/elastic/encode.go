package elastic

import (
	"cmp"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/postcall/postcall/transforms"
)

// doc appends one JSON object. Nothing is written for a value that is not known: a missing field is what exists queries
// and Kibana understand.
type doc struct {
	b     []byte
	turns []span // where the escaped text of each turn stands in b, so that it is escaped once and copied after that
}

type span struct{ from, to int }

func (d *doc) event(e *transforms.Event) {
	d.b = append(d.b, '{')
	d.text("tenant", e.Tenant)
	d.text("source", e.Source)
	d.text("call_id", e.CallID)
	d.text("parent_call_id", e.ParentCallID)
	d.int("version", e.Version)
	d.time("received_at", e.ReceivedAt)

	d.text("agent_name", e.AgentName)
	d.text("caller_name", e.CallerName)
	d.text("call_direction", e.CallDirection)
	d.time("call_started", e.CallStarted)
	d.time("call_ended", e.CallEnded)
	d.float("duration", e.Duration)
	d.text("business_phone_number", e.BusinessPhoneNumber)
	d.text("customer_phone_number", e.CustomerPhoneNumber)
	d.text("customer_key", e.CustomerKey)
	d.text("mentioned_email", e.MentionedEmail)
	d.text("email_key", e.EmailKey)
	d.text("mentioned_date", e.MentionedDate)
	d.text("mentioned_time", e.MentionedTime)
	d.text("recording_url", e.RecordingURL)
	d.text("dashboard_url", e.DashboardURL)
	d.text("ended_reason", cmp.Or(e.EndedReasonKind, e.EndedReason))
	d.text("ended_reason_raw", e.EndedReason)

	d.text("topic", e.Topic)
	d.topics(e)
	d.text("sentiment", e.SentimentKind)
	d.text("sentiment_raw", e.Sentiment)
	d.bool("follow_up", e.FollowUpBool)
	d.text("follow_up_raw", e.FollowUp)
	d.text("follow_up_reason", e.FollowUpReason)
	d.bool("ai_success", e.AISuccessBool)
	d.text("ai_success_raw", e.AISuccess)

	d.transcript(e)
	d.text("summary", e.Summary)
	d.text("long_summary", e.LongSummary)
	d.text("purpose", e.Purpose)
	d.texts("key_points", e.KeyPoints)
	d.texts("unanswered_questions", e.UnansweredQuestions)
	d.texts("action_items", e.ActionItems)

	d.metrics(&e.Metrics)
	d.transforms(e.Transforms)
	if e.IsTest {
		d.bool("is_test", &e.IsTest)
	}
	if len(e.Extra) > 0 {
		d.key("extra")
		d.b = append(appendEscaped(append(d.b, '"'), e.Extra), '"')
	}
	d.b = append(d.b, '}')
}

// topics stand with the main one apart, since a list of keywords has no order in an aggregation.
func (d *doc) topics(e *transforms.Event) {
	if len(e.Topics) == 0 {
		return
	}
	d.texts("topics", e.Topics)
	d.text("main_topic", e.Topics[0])
	d.float("topic_confidence", &e.TopicConfidence)
	d.text("topic_rule", e.TopicRule)
}

func (d *doc) metrics(m *transforms.Metrics) {
	d.int("turn_count", int64(m.Turns))
	d.int("agent_turns", int64(m.AgentTurns))
	d.int("user_turns", int64(m.UserTurns))
	d.int("agent_words", int64(m.AgentWords))
	d.int("user_words", int64(m.UserWords))
	d.float("talk_ratio", m.TalkRatio)
	d.float("words_per_minute", m.WordsPerMinute)
	d.int("unanswered_count", int64(m.UnansweredQuestions))
	d.int("action_item_count", int64(m.ActionItems))
	if m.Hour >= 0 && m.Hour < 24 {
		d.key("hour")
		d.b = append(d.b, '"', byte('0'+m.Hour/10), byte('0'+m.Hour%10), '"')
	}
	if m.Weekday >= 1 && m.Weekday <= 7 {
		d.text("weekday", weekdays[m.Weekday-1])
	}
}

// weekdays sort as text in the order of the week.
var weekdays = [...]string{"1 Mon", "2 Tue", "3 Wed", "4 Thu", "5 Fri", "6 Sat", "7 Sun"}

func (d *doc) transforms(applied []transforms.Applied) {
	if len(applied) == 0 {
		return
	}
	d.key("transforms")
	d.b = append(d.b, '[')
	for i := range applied {
		if i > 0 {
			d.b = append(d.b, ',')
		}
		d.b = appendEscaped(append(d.b, '"'), applied[i].Name)
		d.b = appendEscaped(append(d.b, '@'), applied[i].Version)
		d.b = append(d.b, '"')
	}
	d.b = append(d.b, ']')
}

// key appends a comma where one is due, and the name of a field, which must need no escaping.
func (d *doc) key(name string) {
	if d.b[len(d.b)-1] != '{' {
		d.b = append(d.b, ',')
	}
	d.b = append(d.b, '"')
	d.b = append(d.b, name...)
	d.b = append(d.b, '"', ':')
}

func (d *doc) text(name, v string) {
	if v == "" {
		return
	}
	d.key(name)
	d.b = append(appendEscaped(append(d.b, '"'), v), '"')
}

func (d *doc) texts(name string, vs []string) {
	if len(vs) == 0 {
		return
	}
	d.key(name)
	d.b = append(d.b, '[')
	for i, v := range vs {
		if i > 0 {
			d.b = append(d.b, ',')
		}
		d.b = append(appendEscaped(append(d.b, '"'), v), '"')
	}
	d.b = append(d.b, ']')
}

func (d *doc) int(name string, v int64) {
	d.key(name)
	d.b = strconv.AppendInt(d.b, v, 10)
}

func (d *doc) float(name string, v *float64) {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return
	}
	d.key(name)
	d.b = strconv.AppendFloat(d.b, *v, 'g', -1, 64)
}

func (d *doc) bool(name string, v *bool) {
	if v == nil {
		return
	}
	d.key(name)
	d.b = strconv.AppendBool(d.b, *v)
}

func (d *doc) time(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	d.key(name)
	d.b = append(d.b, '"')
	d.b = t.UTC().AppendFormat(d.b, time.RFC3339Nano)
	d.b = append(d.b, '"')
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends the inside of a JSON string. A byte that is not UTF-8 becomes U+FFFD.
func appendEscaped[T ~string | ~[]byte](dst []byte, s T) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if c >= ' ' && c != '"' && c != '\\' {
				continue
			}
			dst = append(dst, s[start:i-1]...)
			start = i
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			start = i + 1
		}
		i += n
	}
	return append(dst, s[start:]...)
}
