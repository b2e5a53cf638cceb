package elastic

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// engine returns the configuration of the real Elasticsearch, with an alias of the test's own that is removed after it.
func engine(tb testing.TB) connector.ElasticsearchConfig {
	tb.Helper()
	addr := os.Getenv("POSTCALL_ELASTICSEARCH_URL")
	if addr == "" {
		tb.Fatal("POSTCALL_ELASTICSEARCH_URL is not set: run `make test`, or `local up -- go test ./connector/elastic`, which start a real Elasticsearch")
	}
	cfg := connector.ElasticsearchConfig{
		URL:      strings.Split(addr, ","),
		Username: os.Getenv("POSTCALL_ELASTICSEARCH_USERNAME"),
		Password: connector.Secret(os.Getenv("POSTCALL_ELASTICSEARCH_PASSWORD")),
		APIKey:   connector.Secret(os.Getenv("POSTCALL_ELASTICSEARCH_API_KEY")),
		Index:    "t" + strings.ToLower(rand.Text()[:10]) + "-call-transcripts",
		Timeout:  time.Minute,
	}
	c, err := newClient(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		defer c.close()
		ctx := context.Background()
		found, err := c.look(ctx, c.alias+"*")
		if err != nil {
			tb.Error(err)
		}
		for name := range found {
			if err := c.do(ctx, http.MethodDelete, "/"+name, nil, nil); err != nil {
				tb.Error(err)
			}
		}
		for _, path := range []string{"/_index_template/" + c.alias, "/_component_template/" + c.alias + "@template", "/_component_template/" + c.alias + "@custom"} {
			_ = c.do(ctx, http.MethodDelete, path, nil, nil) // missing where the test made none
		}
	})
	return cfg
}

// migrated returns an open loader on a schema that is set up.
func migrated(tb testing.TB) *Loader {
	tb.Helper()
	cfg := engine(tb)
	if _, err := Apply(tb.Context(), cfg); err != nil {
		tb.Fatal(err)
	}
	return open(tb, cfg)
}

func open(tb testing.TB, cfg connector.ElasticsearchConfig) *Loader {
	tb.Helper()
	l, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

// hit is a document that a search found.
type hit struct {
	Index     string                         `json:"_index"`
	ID        string                         `json:"_id"`
	Version   int64                          `json:"_version"`
	Source    map[string]any                 `json:"_source"`
	Highlight map[string][]string            `json:"highlight"`
	Inner     map[string]struct{ Hits hits } `json:"inner_hits"`
}

type hits struct {
	Total struct{ Value int }
	Hits  []hit
}

// search refreshes the alias and searches it with a body in Elasticsearch's own JSON.
func search(tb testing.TB, l *Loader, body string, args ...any) hits {
	tb.Helper()
	if err := l.c.do(tb.Context(), http.MethodPost, "/"+l.c.alias+"/_refresh", nil, nil); err != nil {
		tb.Fatal(err)
	}
	var a struct{ Hits hits }
	if err := l.c.do(tb.Context(), http.MethodPost, "/"+l.c.alias+"/_search?version=true", json.RawMessage(fmt.Sprintf(body, args...)), &a); err != nil {
		tb.Fatal(explain(err))
	}
	return a.Hits
}

func batch(events ...transforms.Event) connector.Batch {
	return connector.Batch{Token: "test", Events: events}
}

// full returns an event in which every field is set.
func full(callID string, version int64) transforms.Event {
	started := time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)
	return transforms.Event{
		Tenant: "default", Source: "phonely", CallID: callID, ParentCallID: "parent-" + callID, Version: version,
		ReceivedAt: started.Add(4*time.Minute + 123456*time.Microsecond),
		AgentName:  "Nora", CallerName: "[PERSON]", CallDirection: "inbound",
		CallStarted: started, CallEnded: started.Add(3 * time.Minute), Duration: new(182.5),
		BusinessPhoneNumber: "+15550100", CustomerPhoneNumber: "[PHONE]", MentionedEmail: "[EMAIL]",
		MentionedDate: "2026-11-05", MentionedTime: "10:00",
		Transcript: []transforms.Turn{
			{Role: transforms.RoleAgent, Content: "Thank you for calling Rivera Dental, how can I help?"},
			{Role: transforms.RoleUser, Content: "I'd like to reschedule my cleanings at the café, \"please\"."},
			{Role: transforms.RoleAgent, Content: "Of course. Does Thursday suit you?"},
			{Role: "system", Content: "transfer requested"},
		},
		Summary: "Caller rescheduled a cleaning.", LongSummary: "The caller rescheduled a cleaning to Thursday.",
		Purpose: "Reschedule an appointment", Topic: "Scheduling question", Sentiment: "Positive!",
		KeyPoints: []string{"reschedule", "Thursday"}, UnansweredQuestions: []string{"Is parking free?"},
		ActionItems: []string{"Send a confirmation"}, FollowUp: "yes please", FollowUpReason: "Confirm the parking",
		AISuccess: "true", RecordingURL: "https://example.com/r/1", DashboardURL: "https://example.com/d/1",
		EndedReason: "caller_hangup", Extra: json.RawMessage(`{"crm":{"id":7},"crm":2}`),
		SentimentKind: "positive", FollowUpBool: new(true), AISuccessBool: new(false), Topics: []string{"scheduling", "billing"},
		TopicConfidence: 0.75, TopicRule: `any "schedul*" in topic`, EndedReasonKind: "user_hangup",
		CustomerKey: "ck1", EmailKey: "ek1", IsTest: true,
		Metrics: transforms.Metrics{
			Turns: 4, AgentTurns: 2, UserTurns: 1, AgentWords: 15, UserWords: 9, TalkRatio: new(0.625), WordsPerMinute: new(7.9),
			UnansweredQuestions: 1, ActionItems: 1, Hour: 9, Weekday: 1,
		},
		Transforms: []transforms.Applied{{Name: "redact-pii", Version: "0.1.0"}, {Name: "map-topics", Version: "0.2.0"}},
	}
}

// wantFull is the document of full.
func wantFull(callID string, version int64) map[string]any {
	return map[string]any{
		"is_test": true, "tenant": "default", "source": "phonely", "call_id": callID, "parent_call_id": "parent-" + callID, "version": float64(version),
		"received_at": "2026-11-02T09:34:00.123456Z",
		"agent_name":  "Nora", "caller_name": "[PERSON]", "call_direction": "inbound",
		"call_started": "2026-11-02T09:30:00Z", "call_ended": "2026-11-02T09:33:00Z", "duration": 182.5,
		"business_phone_number": "+15550100", "customer_phone_number": "[PHONE]", "mentioned_email": "[EMAIL]",
		"mentioned_date": "2026-11-05", "mentioned_time": "10:00",
		"turns": []any{
			map[string]any{"seq": 1.0, "role": "agent", "content": "Thank you for calling Rivera Dental, how can I help?"},
			map[string]any{"seq": 2.0, "role": "user", "content": "I'd like to reschedule my cleanings at the café, \"please\"."},
			map[string]any{"seq": 3.0, "role": "agent", "content": "Of course. Does Thursday suit you?"},
			map[string]any{"seq": 4.0, "role": "system", "content": "transfer requested"},
		},
		"user_text":  "I'd like to reschedule my cleanings at the café, \"please\".",
		"agent_text": "Thank you for calling Rivera Dental, how can I help?\nOf course. Does Thursday suit you?",
		"transcript_text": "Agent: Thank you for calling Rivera Dental, how can I help?\n" +
			"User: I'd like to reschedule my cleanings at the café, \"please\".\n" +
			"Agent: Of course. Does Thursday suit you?\nsystem: transfer requested",
		"summary": "Caller rescheduled a cleaning.", "long_summary": "The caller rescheduled a cleaning to Thursday.",
		"purpose": "Reschedule an appointment", "topic": "Scheduling question", "sentiment": "positive", "sentiment_raw": "Positive!",
		"key_points": []any{"reschedule", "Thursday"}, "unanswered_questions": []any{"Is parking free?"},
		"action_items": []any{"Send a confirmation"}, "follow_up": true, "follow_up_raw": "yes please", "follow_up_reason": "Confirm the parking",
		"ai_success": false, "ai_success_raw": "true", "recording_url": "https://example.com/r/1", "dashboard_url": "https://example.com/d/1",
		"ended_reason": "user_hangup", "ended_reason_raw": "caller_hangup", "extra": `{"crm":{"id":7},"crm":2}`, "topics": []any{"scheduling", "billing"},
		"main_topic": "scheduling", "topic_confidence": 0.75, "topic_rule": `any "schedul*" in topic`,
		"customer_key": "ck1", "email_key": "ek1",
		"turn_count": 4.0, "agent_turns": 2.0, "user_turns": 1.0, "agent_words": 15.0, "user_words": 9.0, "talk_ratio": 0.625,
		"words_per_minute": 7.9, "unanswered_count": 1.0, "action_item_count": 1.0, "hour": "09", "weekday": "1 Mon",
		"transforms": []any{"redact-pii@0.1.0", "map-topics@0.2.0"},
	}
}
