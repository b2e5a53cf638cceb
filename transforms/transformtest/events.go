package transformtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/postcall/postcall/transforms"
)

// Events returns the events that every transform must take: what postcall makes of real senders' payloads, a typical
// call, a long one, one with nothing but its id, and others that have broken transforms before. Each call returns new ones.
func Events() []transforms.Event { return append(written(), golden()...) }

func written() []transforms.Event {
	start := time.Date(2026, 10, 25, 0, 59, 30, 123000000, time.UTC)
	base := func(id string) transforms.Event {
		return transforms.Event{
			Tenant: "default", Source: "phonely", CallID: id, Version: start.UnixMicro(), ReceivedAt: start.Add(5 * time.Minute),
			CallStarted: start, CallEnded: start.Add(4 * time.Minute), Duration: new(240.0),
			CustomerKey: strings.Repeat("0a", 16), EmailKey: strings.Repeat("0b", 16),
		}
	}
	typical := base("typical")
	typical.AgentName, typical.CallerName, typical.CallDirection = "Ava", "Jordan Smith", "inbound"
	typical.BusinessPhoneNumber, typical.CustomerPhoneNumber = "+14155550100", "+14155550123"
	typical.MentionedEmail, typical.MentionedDate, typical.MentionedTime = "jordan@example.com", "2026-10-27", "3 pm"
	typical.Transcript = []transforms.Turn{
		{Role: transforms.RoleAgent, Content: "Thanks for calling, this is Ava. How can I help?", Words: 9},
		{Role: transforms.RoleUser, Content: "Hi, I'm Jordan Smith, my number is 415 555 0123, and I'd like my money back.", Words: 15},
		{Role: transforms.RoleAgent, Content: "I can help with that refund. Shall I write to jordan@example.com?", Words: 11},
		{Role: transforms.RoleUser, Content: "Yes, tomorrow please.", Words: 3},
	}
	typical.Summary, typical.LongSummary, typical.Purpose = "Jordan Smith wants a refund.", "The caller wants a refund by e-mail.", "refund"
	typical.Topic, typical.Sentiment, typical.SentimentKind = "Billing", "positive", "positive"
	typical.Topics, typical.TopicConfidence, typical.TopicRule = []string{"Billing/Refund"}, 0.7, `any "refund*" in summary`
	typical.KeyPoints, typical.ActionItems = []string{"refund wanted"}, []string{"write to jordan@example.com"}
	typical.UnansweredQuestions = []string{"When will the money arrive?"}
	typical.FollowUp, typical.FollowUpBool, typical.FollowUpReason = "yes", new(true), "refund"
	typical.AISuccess, typical.AISuccessBool = "true", new(true)
	typical.RecordingURL, typical.EndedReason = "https://example.com/r/1.wav", "caller_hangup"
	typical.EndedReasonKind = "caller_hangup"
	typical.Extra = json.RawMessage(`{"campaign":"autumn","nested":{"list":[1,null,"x"]}}`)
	typical.Metrics = transforms.Metrics{
		Turns: 4, AgentTurns: 2, UserTurns: 2, AgentWords: 20, UserWords: 18,
		TalkRatio: new(0.526), WordsPerMinute: new(9.5), UnansweredQuestions: 1, ActionItems: 1, Hour: 2, Weekday: 7,
	}
	typical.Transforms = []transforms.Applied{{Name: "another", Version: "1.0.0"}}

	unicode := base("unicode \u65e5\u672c \U0001F469\u200d\U0001F469\u200d\U0001F467")
	unicode.Summary = "\u00dcbung\u2028e\u0301 \u202eltr \ufeff \u0000 \ufffd \U0001F600"
	unicode.Transcript = []transforms.Turn{{Role: "user", Content: "\u0417\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439\u0442\u0435, \u4f60\u597d, \u0645\u0631\u062d\u0628\u0627"}, {Role: "\u4e3b", Content: "\u3000"}}

	odd := base("odd")
	odd.Transcript = []transforms.Turn{{}, {Role: "user"}, {Content: "no role"}, {Role: "system", Content: strings.Repeat("\n", 50)}}
	odd.KeyPoints, odd.Topics, odd.Extra = []string{"", " "}, []string{}, json.RawMessage(`{}`)
	odd.CallStarted, odd.CallEnded, odd.Duration = time.UnixMicro(0).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), new(-1.0)

	textOnly := base("text only")
	textOnly.TranscriptText = "Agent: hello\nUser: my card is 4242 4242 4242 4242"

	child := base("parent#1")
	child.ParentCallID = "parent"

	long := base("long")
	for i := range 800 {
		long.Transcript = append(long.Transcript, transforms.Turn{
			Role:    []string{transforms.RoleAgent, transforms.RoleUser}[i%2],
			Content: fmt.Sprintf("turn %d: %s", i, strings.Repeat("and so on, 555-01", 10)), Words: 32,
		})
	}
	return []transforms.Event{typical, {CallID: "only an id"}, unicode, odd, textOnly, child, long}
}
