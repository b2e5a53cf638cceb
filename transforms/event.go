package transforms

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The roles a turn can have after normalizing. Any other role a sender uses is kept, in lower case.
const (
	RoleAgent = "agent"
	RoleUser  = "user"
)

// Event is one call as postcall knows it: what the sender said about it, and what was derived from that.
//
// The JSON names are Phonely's where Phonely has one. Only CallID is required of a sender; an empty string or slice, a
// nil pointer and a zero time mean "not known". Free text can hold anything a caller said: treat it as personal data.
//
// A Transformer owns the events it is handed and may change them in place; see the package documentation for the rest
// of the contract.
type Event struct {
	Tenant       string    `json:"tenant,omitempty"`       // the tenant of the source; part of every key
	Source       string    `json:"source,omitempty"`       // the sender's kind, for example "phonely"
	CallID       string    `json:"callId"`                 // unique within the tenant; a transform must not change it
	ParentCallID string    `json:"parentCallId,omitempty"` // set on the children of a split only
	Version      int64     `json:"version,omitempty"`      // microseconds; the highest version of a call wins in both stores
	ReceivedAt   time.Time `json:"receivedAt,omitzero"`    // when the webhook took the delivery, UTC

	AgentName           string    `json:"agentName,omitempty"`
	CallerName          string    `json:"callerName,omitempty"`
	CallDirection       string    `json:"callDirection,omitempty"`
	CallStarted         time.Time `json:"callStarted,omitzero"` // UTC; never zero after normalizing
	CallEnded           time.Time `json:"callEnded,omitzero"`   // UTC
	Duration            *float64  `json:"duration,omitempty"`   // seconds
	BusinessPhoneNumber string    `json:"businessPhoneNumber,omitempty"`
	CustomerPhoneNumber string    `json:"customerPhoneNumber,omitempty"`
	MentionedEmail      string    `json:"mentionedEmail,omitempty"`
	MentionedDate       string    `json:"mentionedDate,omitempty"`
	MentionedTime       string    `json:"mentionedTime,omitempty"`
	// TranscriptText is the sender's own rendering of the call, kept only where it says something else than Transcript.
	// When it is empty, RenderTranscript(Transcript) is the text.
	TranscriptText      string   `json:"transcriptText,omitempty"`
	Transcript          []Turn   `json:"transcript"`
	Summary             string   `json:"summary,omitempty"`
	LongSummary         string   `json:"longSummary,omitempty"`
	Purpose             string   `json:"purpose,omitempty"`
	Topic               string   `json:"topic,omitempty"` // the sender's free-text topic
	Sentiment           string   `json:"sentiment,omitempty"`
	KeyPoints           []string `json:"keyPoints,omitempty"`
	UnansweredQuestions []string `json:"unansweredQuestions,omitempty"`
	ActionItems         []string `json:"actionItems,omitempty"`
	FollowUp            string   `json:"followUp,omitempty"`
	FollowUpReason      string   `json:"followUpReason,omitempty"`
	AISuccess           string   `json:"ai_success,omitempty"`
	RecordingURL        string   `json:"recordingUrl,omitempty"`
	DashboardURL        string   `json:"dashboardUrl,omitempty"`
	EndedReason         string   `json:"endedReason,omitempty"`

	// Extra is a JSON object of every field the sender added, or nil. Transforms may add fields to it.
	Extra json.RawMessage `json:"extra,omitempty"`

	// SentimentKind is Sentiment in postcall's vocabulary: positive, neutral, negative, mixed, or "" where it is none of them.
	SentimentKind string `json:"sentimentKind,omitempty"`
	FollowUpBool  *bool  `json:"followUpBool,omitempty"`   // FollowUp read as yes or no; nil where it is neither
	AISuccessBool *bool  `json:"ai_successBool,omitempty"` // AISuccess read as yes or no; nil where it is neither
	// Topics are the topics of the operator's taxonomy (map-topics), the main one first, never nil after that transform.
	// A part of a topic is "Billing/Refund".
	Topics          []string `json:"topics,omitempty"`
	TopicConfidence float64  `json:"topicConfidence,omitempty"` // of the first topic, 0 to 1; 0 where no rule matched
	TopicRule       string   `json:"topicRule,omitempty"`       // the rule that made it; "" where none did
	// EndedReasonKind is EndedReason in the vocabulary of map-topics, for example caller_hangup; "" where it has no word for it.
	EndedReasonKind string `json:"endedReasonKind,omitempty"`

	// Keyed hashes of the structured personal values, made before any transform from POSTCALL_REDACT_KEY. They let
	// repeat callers be counted and a person be forgotten when the value itself is long gone.
	CustomerKey string `json:"customerKey,omitempty"` // of CustomerPhoneNumber
	EmailKey    string `json:"emailKey,omitempty"`    // of MentionedEmail

	// IsTest marks a call that the sender, or a rule about the sender, calls a test: it is stored, and left out of every
	// metric.
	IsTest bool `json:"isTest,omitempty"`

	Metrics    Metrics   `json:"metrics"`
	Transforms []Applied `json:"transforms,omitempty"` // the transforms the event went through, in order

	// Outcome is what becomes of the event; the zero value keeps it.
	Outcome Outcome `json:"-"`
}

// Turn is one utterance.
type Turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
	// Words counts the words of Content as it was spoken, before redaction.
	Words int32 `json:"-"`
}

// Metrics are derived from the call as it was received, before any transform: redaction changes no count.
type Metrics struct {
	Turns      int32 `json:"turns"`
	AgentTurns int32 `json:"agentTurns"`
	UserTurns  int32 `json:"userTurns"`
	AgentWords int32 `json:"agentWords"`
	UserWords  int32 `json:"userWords"`
	// TalkRatio is the agent's share of all words, 0 to 1; nil where nobody spoke.
	TalkRatio *float64 `json:"talkRatio,omitempty"`
	// WordsPerMinute counts the words of both sides over Duration; nil where the duration is not known or zero.
	WordsPerMinute      *float64 `json:"wordsPerMinute,omitempty"`
	UnansweredQuestions int32    `json:"unansweredQuestions"`
	ActionItems         int32    `json:"actionItems"`
	Hour                int32    `json:"hour"`    // 0 to 23, of CallStarted in the business time zone
	Weekday             int32    `json:"weekday"` // 1 Monday to 7 Sunday, likewise
}

// Applied names a transform an event went through.
type Applied struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Decision is what a transform makes of an event.
type Decision int32

// The decisions. Keep is the zero value.
const (
	Keep   Decision = iota // go on to the next transform, at last to the sinks
	Drop                   // leave the event out, counted by reason
	Reject                 // hold the event back as a dead letter with its reason
)

// Outcome is a decision with its reason. A reason is a short phrase for operators and holds no personal data.
type Outcome struct {
	Decision Decision
	Reason   string
}

// Drop marks the event as one to leave out.
func (e *Event) Drop(reason string) { e.Outcome = Outcome{Drop, reason} }

// Reject marks the event as one to hold back as a dead letter.
func (e *Event) Reject(reason string) { e.Outcome = Outcome{Reject, reason} }

// Split returns the event followed by the children, which it makes children of the event: it sets their CallID to
// "<CallID>#1", "#2" and so on, and their ParentCallID. A transform appends all of them to its answer in place of the
// event. What a child leaves empty of tenant, source, version, received time and keys it inherits. Drop the event too
// where only its parts should go on.
//
// A child that begins as a plain copy of the event shares its slices: give it new ones, or begin with Clone.
func (e *Event) Split(children ...Event) []Event {
	out := append(make([]Event, 0, 1+len(children)), *e)
	for i, c := range children {
		c.ParentCallID, c.CallID = e.CallID, e.CallID+"#"+strconv.Itoa(i+1)
		out = append(out, c)
	}
	return out
}

// Clone returns a copy that shares no memory which either side could change.
func (e *Event) Clone() Event {
	c := *e
	for _, list := range []*[]string{&c.KeyPoints, &c.UnansweredQuestions, &c.ActionItems, &c.Topics} {
		*list = slices.Clone(*list)
	}
	c.Transcript, c.Transforms, c.Extra = slices.Clone(e.Transcript), slices.Clone(e.Transforms), slices.Clone(e.Extra)
	for _, n := range []**float64{&c.Duration, &c.Metrics.TalkRatio, &c.Metrics.WordsPerMinute} {
		*n = clonePointer(*n)
	}
	c.FollowUpBool, c.AISuccessBool = clonePointer(e.FollowUpBool), clonePointer(e.AISuccessBool)
	return c
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

// CanonicalJSON appends the event as one JSON object, in which transcriptText is always present, and returns the
// extended buffer.
func (e *Event) CanonicalJSON(dst []byte) ([]byte, error) {
	c := *e
	if c.TranscriptText == "" {
		c.TranscriptText = RenderTranscript(c.Transcript)
	}
	if c.Transcript == nil {
		c.Transcript = []Turn{}
	}
	var b appender = dst
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&c); err != nil {
		return dst, err
	}
	return b[:len(b)-1], nil // without Encode's newline
}

type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// RenderTranscript writes turns the way Phonely's transcriptText does: "Agent: ..." and "User: ..." on lines of their own.
func RenderTranscript(turns []Turn) string {
	if len(turns) == 0 {
		return ""
	}
	n := 0
	for i := range turns {
		n += len(turns[i].Role) + len(turns[i].Content) + 3
	}
	var b strings.Builder
	b.Grow(n)
	for i := range turns {
		if i > 0 {
			b.WriteByte('\n')
		}
		switch r := turns[i].Role; r {
		case RoleAgent:
			b.WriteString("Agent")
		case RoleUser:
			b.WriteString("User")
		default:
			b.WriteString(r)
		}
		b.WriteString(": ")
		b.WriteString(turns[i].Content)
	}
	return b.String()
}
