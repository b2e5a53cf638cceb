package clickhouse

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// walk reads all pages.
func walk(t testing.TB, l *Loader) (calls []connector.StoredCall, pages int) {
	t.Helper()
	for after := ""; ; pages++ {
		page, err := l.ReadCalls(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, page.Calls...)
		if after = page.Next; after == "" {
			return calls, pages + 1
		}
	}
}

func TestReadCallsReturnsEachCallOnceAsItIsValid(t *testing.T) {
	l, conn, cfg := migrated(t)
	var events []transforms.Event
	for i := range pageCalls + pageCalls/2 {
		e := call(fmt.Sprintf("call-%05d", i), 2)
		e.Tenant = []string{"acme", "default"}[i%2]
		e.Summary = "second"
		events = append(events, e)
	}
	load(t, l, "second", events...)
	for i := range events {
		events[i].Version, events[i].Summary = 1, "first"
	}
	load(t, l, "first", events...) // later, and stale
	exec(t, conn, "INSERT INTO "+cfg.Database+".calls_raw (tenant, call_id, version, is_deleted) VALUES ('acme', 'call-00000', 3, 1)")
	calls, pages := walk(t, l)
	if len(calls) != len(events)-1 || pages < 3 {
		t.Fatalf("%d calls on %d pages, want %d", len(calls), pages, len(events)-1)
	}
	seen := map[connector.SinkKey]bool{}
	for _, c := range calls {
		if seen[c.Key] || c.Text.Summary != "second" || c.Version != 2 {
			t.Fatalf("%+v", c)
		}
		seen[c.Key] = true
	}
	if n, err := l.CountCalls(t.Context()); err != nil || n < len(calls) {
		t.Errorf("about %d calls, %v", n, err)
	}
}

// A call is mapped to and fro, with nothing merged: the mapping is the last one, and everything else is as it was.
func TestRemapChangesTheMappingAndNothingElse(t *testing.T) {
	l, conn, cfg := migrated(t)
	e := full()
	exec(t, conn, "CREATE MATERIALIZED VIEW "+cfg.Database+".copy ENGINE = ReplacingMergeTree(version) ORDER BY call_id AS SELECT call_id, version, topics FROM "+cfg.Database+".calls_raw")
	load(t, l, "one", e, call("other", 1))
	const columns = "* EXCEPT (topics, topic_confidence, topic_rule, sentiment, follow_up, ai_success, ended_reason, ended_reason_raw)"
	row := func() string {
		return one[string](t, conn, "SELECT toString(tuple("+columns+")) FROM "+cfg.Database+".calls_raw FINAL WHERE call_id = 'call-1'")
	}
	before := row()
	for i, m := range []connector.Mapped{
		{Topics: []string{"A/B", "C"}, Confidence: 0.97, Rule: `any "x" in topic`, Sentiment: "mixed", FollowUp: new(false), EndedReason: "gone"},
		{Topics: []string{"D"}, AISuccess: new(true), Sentiment: "negative", EndedReason: "user_hangup"},
		{Topics: []string{"A/B", "C"}, Confidence: 0.97, Rule: `any "x" in topic`, Sentiment: "mixed", FollowUp: new(false), EndedReason: "gone"},
	} {
		calls, _ := walk(t, l)
		for _, c := range calls {
			if c.Key.CallID != e.CallID {
				continue
			}
			if c.EndedReason != e.EndedReason || c.Sentiment != e.Sentiment || c.Old {
				t.Errorf("%d: the sender's words are %+v", i, c)
			}
			if err := l.Remap(t.Context(), []connector.StoredCall{c}, []connector.Mapped{m}); err != nil {
				t.Fatal(err)
			}
		}
		calls, _ = walk(t, l)
		if len(calls) != 2 {
			t.Fatalf("%d calls", len(calls))
		}
		for _, c := range calls {
			if c.Key.CallID != e.CallID {
				continue
			}
			c.Was.Confidence = float64(int(c.Was.Confidence*100+0.5)) / 100
			if d := cmp.Diff(m, c.Was); d != "" {
				t.Errorf("%d: %s", i, d)
			}
		}
		if now := row(); now != before {
			t.Errorf("%d: the row was\n%s and is\n%s", i, before, now)
		}
		if n := one[uint64](t, conn, "SELECT count() FROM "+cfg.Database+".copy FINAL WHERE topics[1] = '"+m.Topics[0]+"'"); n != 1 {
			t.Errorf("%d: a copy by a materialized view has %d calls of topic %s", i, n, m.Topics[0])
		}
	}
}

func TestRemapLeavesACorrectedAndAGoneCallAlone(t *testing.T) {
	l, conn, cfg := migrated(t)
	load(t, l, "one", calls(3)...)
	stored, _ := walk(t, l)
	corrected := call("call-1", 2)
	corrected.Topics = []string{"corrected"}
	load(t, l, "two", corrected)
	exec(t, conn, "SYSTEM START MERGES "+cfg.Database+".calls_raw") // a deletion is one
	exec(t, conn, "DELETE FROM "+cfg.Database+".calls_raw WHERE call_id = 'call-2'")
	to := make([]connector.Mapped, len(stored))
	for i := range to {
		to[i].Topics = []string{"again"}
	}
	if err := l.Remap(t.Context(), stored, to); err != nil {
		t.Fatal(err)
	}
	got := one[map[string][]string](t, conn, "SELECT mapFromArrays(groupArray(call_id), groupArray(topics)) FROM "+cfg.Database+".calls")
	if d := cmp.Diff(map[string][]string{"call-0": {"again"}, "call-1": {"corrected"}}, got); d != "" {
		t.Error(d)
	}
}

// Rows of before 0007 have the sender's word in ended_reason.
func TestReadCallsKnowsRowsOfAnEarlierRelease(t *testing.T) {
	l, conn, cfg := migrated(t)
	exec(t, conn, "INSERT INTO "+cfg.Database+".calls_raw (tenant, call_id, version, call_started, ended_reason) VALUES ('default', 'old', 1, now(), 'Caller hung up')")
	stored, _ := walk(t, l)
	if len(stored) != 1 || !stored[0].Old || stored[0].EndedReason != "Caller hung up" {
		t.Fatalf("%+v", stored)
	}
	if err := l.Remap(t.Context(), stored, []connector.Mapped{{Topics: []string{"other"}, EndedReason: "caller_hangup"}}); err != nil {
		t.Fatal(err)
	}
	if stored, _ = walk(t, l); stored[0].Old || stored[0].EndedReason != "Caller hung up" || stored[0].Was.EndedReason != "caller_hangup" {
		t.Errorf("%+v", stored[0])
	}
}
