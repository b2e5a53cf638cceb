package clickhouse

import (
	"cmp"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/transforms"
)

const (
	// table is where rows go.
	table = "calls_raw"
	// factsTable is where the materialized view factsCopy puts what metrics need of them, since factsMigration.
	factsTable, factsCopy, factsMigration = "call_facts_raw", "call_facts_copy", 5
)

// column is a column of the insert: its name in the table and how it is filled from the events of a scratch.
// Filling copies: nothing of an event is kept.
type column struct {
	name   string
	append func(dst driver.BatchColumn, s *scratch) error
}

// columns are the columns of the insert, each beside what it is made of. Those with a default (is_deleted, loaded_at,
// day) are the server's.
var columns = []column{
	dimension("tenant", func(e *transforms.Event) string { return e.Tenant }),
	text("call_id", func(e *transforms.Event) string { return e.CallID }),
	plain("version", func(e *transforms.Event) uint64 { return uint64(e.Version) }),
	plain("received_at", received),
	dimension("source", func(e *transforms.Event) string { return e.Source }),
	text("parent_call_id", func(e *transforms.Event) string { return e.ParentCallID }),

	dimension("agent_name", func(e *transforms.Event) string { return e.AgentName }),
	text("caller_name", func(e *transforms.Event) string { return e.CallerName }),
	dimension("call_direction", func(e *transforms.Event) string { return e.CallDirection }),
	plain("call_started", func(e *transforms.Event) time.Time { return e.CallStarted }),
	plain("call_ended", func(e *transforms.Event) *time.Time { return known(&e.CallEnded) }),
	plain("duration", func(e *transforms.Event) *float64 { return e.Duration }),
	dimension("business_phone_number", func(e *transforms.Event) string { return e.BusinessPhoneNumber }),
	text("customer_phone_number", func(e *transforms.Event) string { return e.CustomerPhoneNumber }),
	text("mentioned_email", func(e *transforms.Event) string { return e.MentionedEmail }),
	text("mentioned_date", func(e *transforms.Event) string { return e.MentionedDate }),
	text("mentioned_time", func(e *transforms.Event) string { return e.MentionedTime }),
	text("summary", func(e *transforms.Event) string { return e.Summary }),
	text("long_summary", func(e *transforms.Event) string { return e.LongSummary }),
	text("purpose", func(e *transforms.Event) string { return e.Purpose }),
	text("topic", func(e *transforms.Event) string { return e.Topic }),
	dimensions("topics", func(e *transforms.Event, s *scratch) {
		for _, t := range e.Topics {
			s.refs = append(s.refs, s.intern(t))
		}
	}),
	plain("topic_confidence", func(e *transforms.Event) float32 { return float32(e.TopicConfidence) }),
	dimension("topic_rule", func(e *transforms.Event) string { return e.TopicRule }),
	dimension("sentiment", func(e *transforms.Event) string { return e.SentimentKind }),
	dimension("sentiment_raw", func(e *transforms.Event) string { return e.Sentiment }),
	texts("key_points", func(e *transforms.Event) []string { return e.KeyPoints }),
	texts("unanswered_questions", func(e *transforms.Event) []string { return e.UnansweredQuestions }),
	texts("action_items", func(e *transforms.Event) []string { return e.ActionItems }),
	plain("follow_up", func(e *transforms.Event) *bool { return e.FollowUpBool }),
	dimension("follow_up_raw", func(e *transforms.Event) string { return e.FollowUp }),
	text("follow_up_reason", func(e *transforms.Event) string { return e.FollowUpReason }),
	plain("ai_success", func(e *transforms.Event) *bool { return e.AISuccessBool }),
	dimension("ai_success_raw", func(e *transforms.Event) string { return e.AISuccess }),
	dimension("ended_reason", func(e *transforms.Event) string { return cmp.Or(e.EndedReasonKind, e.EndedReason) }),
	dimension("ended_reason_raw", func(e *transforms.Event) string { return e.EndedReason }),
	text("recording_url", func(e *transforms.Event) string { return e.RecordingURL }),
	text("dashboard_url", func(e *transforms.Event) string { return e.DashboardURL }),
	{"extra", appendExtra},

	plain("turns", func(e *transforms.Event) uint32 { return uint32(e.Metrics.Turns) }),
	plain("agent_turns", func(e *transforms.Event) uint32 { return uint32(e.Metrics.AgentTurns) }),
	plain("user_turns", func(e *transforms.Event) uint32 { return uint32(e.Metrics.UserTurns) }),
	plain("agent_words", func(e *transforms.Event) uint32 { return uint32(e.Metrics.AgentWords) }),
	plain("user_words", func(e *transforms.Event) uint32 { return uint32(e.Metrics.UserWords) }),
	plain("talk_ratio", func(e *transforms.Event) *float64 { return e.Metrics.TalkRatio }),
	plain("words_per_minute", func(e *transforms.Event) *float64 { return e.Metrics.WordsPerMinute }),
	plain("unanswered_count", func(e *transforms.Event) uint32 { return uint32(e.Metrics.UnansweredQuestions) }),
	plain("action_item_count", func(e *transforms.Event) uint32 { return uint32(e.Metrics.ActionItems) }),
	plain("hour", func(e *transforms.Event) uint8 { return uint8(e.Metrics.Hour) }),
	plain("weekday", func(e *transforms.Event) uint8 { return uint8(e.Metrics.Weekday) }),
	dimensions("turn_roles", func(e *transforms.Event, s *scratch) {
		for i := range e.Transcript {
			s.refs = append(s.refs, s.intern(e.Transcript[i].Role))
		}
	}),
	{"turn_words", appendTurnWords},

	text("customer_key", func(e *transforms.Event) string { return e.CustomerKey }),
	text("email_key", func(e *transforms.Event) string { return e.EmailKey }),
	dimensions("transforms", func(e *transforms.Event, s *scratch) {
		for _, a := range e.Transforms {
			s.refs = append(s.refs, s.internApplied(a))
		}
	}),
	plain("is_test", func(e *transforms.Event) bool { return e.IsTest }),
}

// columnNames lists the columns for an INSERT.
var columnNames = func() string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}()

// received is when the webhook took the event; an imported record has only its version, which is a time as well.
func received(e *transforms.Event) time.Time {
	if e.ReceivedAt.IsZero() {
		return time.UnixMicro(e.Version)
	}
	return e.ReceivedAt
}

func known(t *time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return t
}

// scratch holds what an insert needs besides the driver's block. Its slices are used for one column after the other.
type scratch struct {
	events  []*transforms.Event // the rows
	texts   []string
	refs    []*string
	words   []uint32
	values  map[string]*string // one address per distinct value of a dimension
	applied map[transforms.Applied]*string
}

var scratches = sync.Pool{New: func() any {
	return &scratch{values: map[string]*string{}, applied: map[transforms.Applied]*string{}}
}}

// free gives the scratch back without what would keep a batch's memory alive.
func (s *scratch) free() {
	clear(s.events[:cap(s.events)])
	clear(s.texts[:cap(s.texts)])
	clear(s.refs[:cap(s.refs)])
	clear(s.values)
	clear(s.applied)
	scratches.Put(s)
}

// intern returns the one address of a value, or nil for the empty one. The driver keeps a dictionary per LowCardinality
// column, keyed by what it is handed: by addresses it costs no allocation a row, but only if equal values share theirs.
func (s *scratch) intern(v string) *string {
	if v == "" {
		return nil
	}
	p := s.values[v]
	if p == nil {
		value := v // v itself would be moved to the heap on every call
		p = &value
		s.values[v] = p
	}
	return p
}

func (s *scratch) internApplied(a transforms.Applied) *string {
	p := s.applied[a]
	if p == nil {
		p = s.intern(a.Name + "@" + a.Version)
		s.applied[a] = p
	}
	return p
}
