package clickhouse

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// delivery is what a sender says about a call of the fixed data, in short.
type delivery struct {
	id, start, agent, phone string
	seconds                 int // 0 is not known
	late                    int // seconds from the end to the webhook
	ended, success, follow  string
	sentiment, topic        string
	turns                   string // "a3 u1": the agent says three words, the caller one
	questions, items        []string
	also                    map[string]any
}

// sampleCalls are the calls whose metrics are computed by hand in testdata/metrics.txt, as they are in the end. The zone is
// Europe/Berlin: its clocks go back on 26 October 2025 at 01:00 UTC. P1 to P6 are callers.
var sampleCalls = []delivery{
	{"a1", "2025-10-25T08:00:00Z", "Ava", "P1", 60, 11, "caller_hangup", "true", "no", "positive", "billing", "a3 u1", []string{"Is parking free?"}, []string{"Call back."}, nil},
	{"a2", "2025-10-25T09:00:00Z", "Ava", "P2", 120, 22, "call_transferred", "no", "yes", "negative", "[billing hours]", "a2 u2", []string{"is  parking free", "Open on Sunday?"}, nil, nil},
	{"a3", "2025-10-25T10:00:00Z", "Bob", "P1", 5, 3, "Caller hung up", "", "", "", "", "", nil, nil, nil},
	{"a4", "2025-10-25T11:00:00Z", "Bob", "P5", 40, 4, "agent_hangup", "yes", "no", "neutral", "hours", "a6 u2 a2", nil, []string{"call back"}, nil},
	{"a5", "2025-10-25T12:00:00Z", "Ava", "P6", 30, 5, "caller_hangup", "yes", "no", "positive", "hours", "a5", nil, nil, nil},
	{"a6", "2025-10-25T13:00:00Z", "Bob", "P4", 20, 6, "caller_hangup", "no", "no", "negative", "", "", nil, nil, map[string]any{"callDirection": "outbound"}},
	{"b1", "2025-10-25T22:30:00Z", "Bob", "P3", 180, 10, "voicemail", "maybe", "perhaps", "meh", "", "", nil, nil, nil},
	{"b2", "2025-10-26T00:30:00Z", "Ava", "P4", 300, 20, "error", "false", "no", "mixed", "hours", "a4 u4", nil, nil, nil},
	{"b3", "2025-10-26T01:30:00Z", "Ava", "P2", 0, 30, "", "", "", "", "", "", nil, nil, nil},
	{"n1", "2025-11-01T11:00:00Z", "Bob", "P5", 50, 1, "transfer", "true", "no", "neutral", "hours", "", nil, nil, map[string]any{"callEnded": "2025-11-01T10:59:00Z"}},
	{"n2", "2025-11-01T12:00:00.001Z", "Ava", "P6", 70, 2, "caller_hangup", "true", "no", "positive", "hours", "", nil, nil, nil},
	{"n3", "2025-11-01T12:30:00Z", "Ava", "", 80, 3, "agent_hangup", "true", "yes", "negative", "billing", "", nil, nil, nil},
	{"acme/a1", "2025-10-25T08:00:00Z", "Zoe", "P1", 0, 30, "", "", "", "", "", "", nil, nil, nil},
}

// sampleNoise must change nothing: a1 and a2 as they were delivered at first, a call that is erased, and a test.
var sampleNoise = []delivery{
	{"a1", "2025-10-25T08:00:00Z", "Ava", "P1", 60, 1, "caller_hangup", "true", "no", "positive", "billing", "a3 u1", []string{"Is parking free?"}, []string{"Call back."}, nil},
	{"a2", "2025-10-20T09:00:00Z", "Bob", "P1", 999, 2, "caller_hangup", "yes", "no", "positive", "weather", "a9 u9", []string{"Is parking free?"}, []string{"Call back"}, nil},
	{"x1", "2025-10-25T08:45:00Z", "Ava", "P1", 999, 999, "transfer", "no", "yes", "negative", "billing", "a9 u9", []string{"Is parking free?"}, []string{"Call back"}, nil},
	{"t1", "2025-10-25T08:30:00Z", "Ava", "P1", 999, 999, "transfer", "no", "yes", "negative", "billing", "a9 u9", []string{"Is parking free?"}, []string{"Call back"}, map[string]any{"isTest": true}},
}

// event makes the event of a delivery as serve does.
func (d delivery) event(t testing.TB, version int64) transforms.Event {
	t.Helper()
	tenant, id, ok := strings.Cut(d.id, "/")
	if !ok {
		tenant, id = "default", d.id
	}
	started, err := time.Parse(time.RFC3339, d.start)
	if err != nil {
		t.Fatal(err)
	}
	ended := started.Add(time.Duration(d.seconds) * time.Second)
	body := map[string]any{
		"callId": id, "callStarted": d.start, "agentName": d.agent, "endedReason": d.ended, "ai_success": d.success, "followUp": d.follow,
		"sentiment": d.sentiment, "topic": strings.Trim(d.topic, "[]"), "unansweredQuestions": d.questions, "actionItems": d.items, "transcript": d.transcript(),
	}
	if d.phone != "" {
		body["customerPhoneNumber"] = "+1202555010" + strings.TrimPrefix(d.phone, "P")
	}
	if d.seconds > 0 {
		body["duration"], body["callEnded"] = d.seconds, ended.Format(time.RFC3339Nano)
	}
	maps.Copy(body, d.also)
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := d.also["callEnded"].(string); ok {
		if ended, err = time.Parse(time.RFC3339, at); err != nil {
			t.Fatal(err)
		}
	}
	e, err := berlin(t).Normalize(b, tenant, "phonely", ended.Add(time.Duration(d.late)*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if topics, ok := strings.CutPrefix(d.topic, "["); ok { // as map-topics sets them
		e.Topics = strings.Fields(strings.TrimSuffix(topics, "]"))
	}
	e.Version = version
	return e
}

func (d delivery) transcript() []map[string]string {
	var turns []map[string]string
	for turn := range strings.FieldsSeq(d.turns) {
		words := 0
		_, _ = fmt.Sscan(turn[1:], &words)
		role := map[byte]string{'a': "agent", 'u': "user"}[turn[0]]
		turns = append(turns, map[string]string{"role": role, "content": strings.TrimSpace(strings.Repeat("word ", words))})
	}
	return turns
}

func berlin(t testing.TB) *connector.Normalizer {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return connector.NewNormalizer(zone, [][]byte{[]byte("0123456789abcdef0123456789abcdef")})
}

// sampled returns a database with the fixed data: loaded in several batches, with repeats, stale deliveries, an erasure and
// a test in between, and nothing merged.
func sampled(t testing.TB) (driver.Conn, connector.ClickHouseConfig) {
	t.Helper()
	l, conn, cfg := migratedBut(t, "")
	exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw MODIFY COLUMN loaded_at DEFAULT received_at + INTERVAL 2 SECOND")
	events := func(version int64, ds []delivery) (list []transforms.Event) {
		for _, d := range ds {
			list = append(list, d.event(t, version))
		}
		return list
	}
	first, last := events(1, sampleNoise), events(2, sampleCalls)
	load(t, l, "first", first...)
	load(t, l, "last", last...)
	load(t, l, "last", last...)                    // the same batch
	load(t, l, "again", events(2, sampleCalls)...) // the same calls in another batch
	exec(t, conn, "INSERT INTO "+cfg.Database+".calls_raw (tenant, call_id, version, is_deleted) VALUES ('default', 'x1', 3, 1)")
	load(t, l, "stale", first...)
	return conn, cfg
}
