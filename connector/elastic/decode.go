package elastic

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postcall/postcall/transforms"
)

// document is what encode.go writes of a call, for reading it back.
type document struct {
	Tenant              string    `json:"tenant"`
	Source              string    `json:"source"`
	CallID              string    `json:"call_id"`
	ParentCallID        string    `json:"parent_call_id"`
	Version             int64     `json:"version"`
	ReceivedAt          time.Time `json:"received_at"`
	AgentName           string    `json:"agent_name"`
	CallerName          string    `json:"caller_name"`
	CallDirection       string    `json:"call_direction"`
	CallStarted         time.Time `json:"call_started"`
	CallEnded           time.Time `json:"call_ended"`
	Duration            *float64  `json:"duration"`
	BusinessPhoneNumber string    `json:"business_phone_number"`
	CustomerPhoneNumber string    `json:"customer_phone_number"`
	CustomerKey         string    `json:"customer_key"`
	MentionedEmail      string    `json:"mentioned_email"`
	EmailKey            string    `json:"email_key"`
	MentionedDate       string    `json:"mentioned_date"`
	MentionedTime       string    `json:"mentioned_time"`
	RecordingURL        string    `json:"recording_url"`
	DashboardURL        string    `json:"dashboard_url"`
	EndedReason         string    `json:"ended_reason"`
	EndedReasonRaw      string    `json:"ended_reason_raw"`
	Topic               string    `json:"topic"`
	Topics              []string  `json:"topics"`
	TopicConfidence     float64   `json:"topic_confidence"`
	TopicRule           string    `json:"topic_rule"`
	Sentiment           string    `json:"sentiment"`
	SentimentRaw        string    `json:"sentiment_raw"`
	FollowUp            *bool     `json:"follow_up"`
	FollowUpRaw         string    `json:"follow_up_raw"`
	FollowUpReason      string    `json:"follow_up_reason"`
	AISuccess           *bool     `json:"ai_success"`
	AISuccessRaw        string    `json:"ai_success_raw"`
	Turns               []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"turns"`
	TranscriptText      string   `json:"transcript_text"`
	Summary             string   `json:"summary"`
	LongSummary         string   `json:"long_summary"`
	Purpose             string   `json:"purpose"`
	KeyPoints           []string `json:"key_points"`
	UnansweredQuestions []string `json:"unanswered_questions"`
	ActionItems         []string `json:"action_items"`
	TurnCount           int32    `json:"turn_count"`
	AgentTurns          int32    `json:"agent_turns"`
	UserTurns           int32    `json:"user_turns"`
	AgentWords          int32    `json:"agent_words"`
	UserWords           int32    `json:"user_words"`
	TalkRatio           *float64 `json:"talk_ratio"`
	WordsPerMinute      *float64 `json:"words_per_minute"`
	UnansweredCount     int32    `json:"unanswered_count"`
	ActionItemCount     int32    `json:"action_item_count"`
	Hour                string   `json:"hour"`
	Weekday             string   `json:"weekday"`
	Transforms          []string `json:"transforms"`
	IsTest              bool     `json:"is_test"`
	Extra               string   `json:"extra"`
}

// event is the call as it was loaded. Words of turns are not stored, so they are 0; a kind of the end that is the sender's
// word itself can't be told from none, and is left out.
func (d *document) event() transforms.Event {
	e := transforms.Event{
		Tenant: d.Tenant, Source: d.Source, CallID: d.CallID, ParentCallID: d.ParentCallID, Version: d.Version, ReceivedAt: d.ReceivedAt,
		AgentName: d.AgentName, CallerName: d.CallerName, CallDirection: d.CallDirection, CallStarted: d.CallStarted, CallEnded: d.CallEnded,
		Duration: d.Duration, BusinessPhoneNumber: d.BusinessPhoneNumber, CustomerPhoneNumber: d.CustomerPhoneNumber, CustomerKey: d.CustomerKey,
		MentionedEmail: d.MentionedEmail, EmailKey: d.EmailKey, MentionedDate: d.MentionedDate, MentionedTime: d.MentionedTime,
		RecordingURL: d.RecordingURL, DashboardURL: d.DashboardURL, EndedReason: cmp.Or(d.EndedReasonRaw, d.EndedReason), Topic: d.Topic,
		Topics: d.Topics, TopicConfidence: d.TopicConfidence, TopicRule: d.TopicRule,
		SentimentKind: d.Sentiment, Sentiment: d.SentimentRaw, FollowUpBool: d.FollowUp, FollowUp: d.FollowUpRaw, FollowUpReason: d.FollowUpReason,
		AISuccessBool: d.AISuccess, AISuccess: d.AISuccessRaw, Summary: d.Summary, LongSummary: d.LongSummary, Purpose: d.Purpose,
		KeyPoints: d.KeyPoints, UnansweredQuestions: d.UnansweredQuestions, ActionItems: d.ActionItems, IsTest: d.IsTest,
		Metrics: transforms.Metrics{
			Turns: d.TurnCount, AgentTurns: d.AgentTurns, UserTurns: d.UserTurns, AgentWords: d.AgentWords, UserWords: d.UserWords,
			TalkRatio: d.TalkRatio, WordsPerMinute: d.WordsPerMinute, UnansweredQuestions: d.UnansweredCount, ActionItems: d.ActionItemCount,
			Weekday: int32(slices.Index(weekdays[:], d.Weekday) + 1),
		},
	}
	if d.EndedReason != e.EndedReason {
		e.EndedReasonKind = d.EndedReason
	}
	if hour, err := strconv.ParseInt(d.Hour, 10, 32); err == nil {
		e.Metrics.Hour = int32(hour)
	}
	for _, t := range d.Turns {
		e.Transcript = append(e.Transcript, transforms.Turn{Role: t.Role, Content: t.Content})
	}
	if d.TranscriptText != transforms.RenderTranscript(e.Transcript) {
		e.TranscriptText = d.TranscriptText
	}
	for _, t := range d.Transforms {
		i := max(strings.LastIndexByte(t, '@'), 0)
		e.Transforms = append(e.Transforms, transforms.Applied{Name: t[:i], Version: strings.TrimPrefix(t[i:], "@")})
	}
	if json.Valid([]byte(d.Extra)) {
		e.Extra = json.RawMessage(d.Extra)
	}
	return e
}
