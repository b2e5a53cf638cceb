package clickhouse

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// engine returns the configuration of a database of the test's own on the real engine, dropped at the end.
func engine(t testing.TB) connector.ClickHouseConfig {
	t.Helper()
	addr := os.Getenv("POSTCALL_CLICKHOUSE_ADDR")
	if addr == "" {
		t.Fatal("POSTCALL_CLICKHOUSE_ADDR is not set: these tests need a real ClickHouse; run `make test`, which starts one")
	}
	cfg := connector.ClickHouseConfig{
		Addr:     strings.Split(addr, ","),
		Username: os.Getenv("POSTCALL_CLICKHOUSE_USERNAME"),
		Password: connector.Secret(os.Getenv("POSTCALL_CLICKHOUSE_PASSWORD")),
		Database: "pc_test_" + strings.ToLower(rand.Text()[:12]),
		Timeout:  60 * time.Second,
		Workers:  4,
	}
	conn, err := open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		exec(t, conn, "DROP DATABASE IF EXISTS "+cfg.Database+" SYNC")
		_ = conn.Close()
	})
	return cfg
}

// migrated returns a loader into a freshly migrated database in which nothing is merged, and a connection to look at it.
// The metrics, which take most of the time to make, are left out.
func migrated(t testing.TB) (*Loader, driver.Conn, connector.ClickHouseConfig) {
	t.Helper()
	return migratedBut(t, "metric_")
}

// migratedBut leaves out the views of that prefix; with an empty one none.
func migratedBut(t testing.TB, prefix string) (*Loader, driver.Conn, connector.ClickHouseConfig) {
	t.Helper()
	cfg := engine(t)
	m := migrator(t, cfg)
	plan, err := m.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range plan {
		if prefix != "" && strings.HasPrefix(plan[i].Name, prefix) {
			continue
		}
		if err := m.apply(t.Context(), &plan[i]); err != nil {
			t.Fatal(err)
		}
	}
	exec(t, m.conn, "SYSTEM STOP MERGES "+cfg.Database+".calls_raw")
	return loader(t, cfg), m.conn, cfg
}

func loader(t testing.TB, cfg connector.ClickHouseConfig) *Loader {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func migrator(t testing.TB, cfg connector.ClickHouseConfig) *Migrator {
	t.Helper()
	m, err := OpenMigrator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func exec(t testing.TB, conn driver.Conn, query string) {
	t.Helper()
	if err := conn.Exec(context.Background(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// one returns the single value that a query selects.
func one[T any](t testing.TB, conn driver.Conn, query string) (v T) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func load(t testing.TB, l *Loader, token string, events ...transforms.Event) {
	t.Helper()
	if err := l.Load(t.Context(), connector.Batch{Token: token, Events: events}); err != nil {
		t.Fatal(err)
	}
}

var start = time.Date(2026, 11, 3, 9, 30, 0, 250e6, time.UTC)

// call returns a small event.
func call(id string, version int64) transforms.Event {
	return transforms.Event{Tenant: "default", CallID: id, Version: version, CallStarted: start, ReceivedAt: start.Add(time.Minute)}
}

func calls(n int) []transforms.Event {
	events := make([]transforms.Event, n)
	for i := range events {
		events[i] = call(fmt.Sprintf("call-%d", i), 1)
	}
	return events
}

// full returns an event with every stored field set, none of them to a value that another field has.
func full() transforms.Event {
	return transforms.Event{
		Tenant: "acme", Source: "phonely", CallID: "call-1", ParentCallID: "call-0",
		Version: 1762162300123456, ReceivedAt: start.Add(90*time.Second + 456789*time.Microsecond),
		AgentName: "Ava", CallerName: "[name]", CallDirection: "inbound",
		CallStarted: start, CallEnded: start.Add(83500 * time.Millisecond), Duration: new(83.5),
		BusinessPhoneNumber: "+12025550100", CustomerPhoneNumber: "[phone]", MentionedEmail: "[email]",
		MentionedDate: "2026-11-05", MentionedTime: "9:15 AM",
		Transcript: []transforms.Turn{
			{Role: "agent", Content: "Good morning, Bright Dental.", Words: 4},
			{Role: "user", Content: "Hi.", Words: 1},
			{Role: "supervisor", Content: "...", Words: 300},
		},
		Summary: "Wants a cleaning – soon", LongSummary: "Longer.", Purpose: "Book", Topic: "Cleaning",
		Sentiment: "Very positive!", KeyPoints: []string{"new patient", "", "tooth 14"},
		UnansweredQuestions: []string{"Is parking free?"}, ActionItems: []string{"call back", "send form"},
		FollowUp: "Yes, please", FollowUpReason: "wants a price", AISuccess: "true",
		RecordingURL: "https://example.com/r/1", DashboardURL: "https://example.com/d/1", EndedReason: "caller_hangup",
		Extra:         []byte(`{"campaign":"autumn","nested":{"a":[1,2]}}`),
		SentimentKind: "positive", FollowUpBool: new(true), AISuccessBool: new(false), Topics: []string{"appointments", "billing"},
		TopicConfidence: 0.75, TopicRule: `any "cleaning" in topic`, EndedReasonKind: "user_hangup",
		CustomerKey: "ck1", EmailKey: "ek1", IsTest: true,
		Metrics: transforms.Metrics{
			Turns: 3, AgentTurns: 11, UserTurns: 12, AgentWords: 4000000, UserWords: 13, TalkRatio: new(0.8), WordsPerMinute: new(151.25),
			UnansweredQuestions: 14, ActionItems: 15, Hour: 10, Weekday: 2,
		},
		Transforms: []transforms.Applied{{Name: "redact-pii", Version: "1.2.0"}, {Name: "map-topics", Version: "0.3.1"}},
	}
}

// insertNothing ends an insert before any row, as a Load does whose column can't be appended.
func insertNothing(t testing.TB, l *Loader, set chgo.Settings) {
	t.Helper()
	batch, err := l.conn.PrepareBatch(chgo.Context(t.Context(), chgo.WithSettings(set)), "INSERT INTO "+l.database+"."+table+" (call_id) VALUES")
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Close(); err != nil {
		t.Fatal(err)
	}
}
