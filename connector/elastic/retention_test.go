package elastic

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

var retentionNow = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// aged is a call of so many days ago.
func aged(callID string, daysAgo int, version int64) transforms.Event {
	e := full(callID, version)
	e.CallStarted = retentionNow.AddDate(0, 0, -daysAgo)
	e.ReceivedAt = e.CallStarted
	return e
}

// retained returns the calls that are there, those without personal text in brackets.
func retained(t *testing.T, l *Loader) string {
	t.Helper()
	var all []string
	for _, h := range search(t, l, `{"size":100,"sort":["call_id"],"query":{"match_all":{}}}`).Hits {
		id := h.Source["call_id"].(string)
		if h.Source["personal_erased_at"] != nil {
			id = "(" + id + ")"
		}
		all = append(all, id)
	}
	return strings.Join(all, " ")
}

func planned(plan []Removal) string {
	var all []string
	for _, r := range plan {
		all = append(all, fmt.Sprintf("%s: %s %d", r.Index[strings.LastIndex(r.Index, "transcripts")+len("transcripts"):], r.Action, r.Calls))
	}
	return strings.Join(all, "; ")
}

func applyRetention(t *testing.T, cfg connector.ElasticsearchConfig) ([]Removal, int) {
	t.Helper()
	parts := 0
	plan, err := ApplyRetention(t.Context(), cfg, retentionNow, func(Removal) { parts++ })
	if err != nil {
		t.Fatal(explain(err))
	}
	for _, r := range plan {
		if r.Done != r.Calls {
			t.Errorf("%s of %s: %d of %d", r.Action, r.Index, r.Done, r.Calls)
		}
	}
	return plan, parts
}

func TestRetentionOfOneIndex(t *testing.T) {
	l := migrated(t)
	cfg := config(l)
	cfg.IndexBy, cfg.KeepDays, cfg.KeepPersonalDays = "none", 90, 30
	noStart := aged("c6", 100, 1)
	noStart.CallStarted = time.Time{}
	load(t, l, aged("c1", 91, 1), aged("c2", 89, 1), aged("c3", 31, 1), aged("c4", 29, 1), aged("c5", 0, 1), noStart)
	search(t, l, `{"query":{"match_all":{}}}`) // refreshes

	const want = "-v1: delete the calls 2; -v1: erase what is personal 2"
	plan, err := PlanRetention(t.Context(), cfg, retentionNow)
	if got := planned(plan); err != nil || got != want {
		t.Errorf("plan: %s, %v", got, err)
	}
	if got := retained(t, l); got != "c1 c2 c3 c4 c5 c6" {
		t.Errorf("a plan has removed something: %s", got)
	}
	if plan, _ := applyRetention(t, cfg); planned(plan) != want {
		t.Errorf("apply: %s", planned(plan))
	}
	if got := retained(t, l); got != "(c2) (c3) c4 c5" {
		t.Errorf("left: %s", got)
	}
	if plan, _ := applyRetention(t, cfg); len(plan) != 0 {
		t.Errorf("a second time: %s", planned(plan))
	}
	load(t, l, aged("c2", 89, 1)) // delivered again: the erased one is newer
	if got := retained(t, l); got != "(c2) (c3) c4 c5" {
		t.Errorf("after a redelivery: %s", got)
	}
	load(t, l, aged("c2", 89, 1_000)) // a correction brings its text, until the next time
	if got := retained(t, l); got != "c2 (c3) c4 c5" {
		t.Errorf("after a correction: %s", got)
	}
	if versions, err := l.Versions(t.Context(), []connector.SinkKey{{Tenant: "default", CallID: "c3"}}); err != nil || versions[0] < 1 {
		t.Errorf("audit would miss c3: %v, %v", versions, err)
	}
}

// What stays of a call whose personal data is erased is what reports are made of.
func TestErasedCallsKeepTheirNumbers(t *testing.T) {
	l := migrated(t)
	cfg := config(l)
	cfg.IndexBy, cfg.KeepPersonalDays = "none", 30
	load(t, l, aged("c1", 31, 1))
	search(t, l, `{"query":{"match_all":{}}}`)
	applyRetention(t, cfg)
	got := search(t, l, `{"query":{"match_all":{}}}`).Hits[0].Source
	want := wantFull("c1", 1)
	for _, name := range personalFields {
		delete(want, name)
	}
	want["personal_erased_at"] = "2026-11-27T12:00:00Z"
	for name := range want {
		if name != "call_started" && name != "received_at" && fmt.Sprint(got[name]) != fmt.Sprint(want[name]) {
			t.Errorf("%s is %v, want %v", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("got the fields %v", slices.Sorted(maps.Keys(got)))
	}
	for _, words := range []string{"cleaning", "Thursday", "PERSON"} {
		if n := search(t, l, `{"query":{"multi_match":{"query":%q,"fields":["*"],"lenient":true}}}`, words).Total.Value; n != 0 {
			t.Errorf("%s is still found", words)
		}
	}
}

// Every field is either erased with the personal ones or known to hold nothing personal: a new one has to be put somewhere.
func TestEveryFieldIsPersonalOrNot(t *testing.T) {
	kept := strings.Fields(`tenant source call_id parent_call_id version received_at agent_name call_direction call_started call_ended
		duration hour weekday business_phone_number customer_key email_key ended_reason topic topics sentiment sentiment_raw follow_up
		follow_up_raw ai_success ai_success_raw turn_count agent_turns user_turns agent_words user_words talk_ratio words_per_minute
		unanswered_count action_item_count transforms is_test personal_erased_at labels
		main_topic topic_confidence topic_rule ended_reason_raw`)
	for name := range parsed().Mappings["properties"].(map[string]any) {
		if slices.Contains(kept, name) == slices.Contains(personalFields, name) {
			t.Errorf("field %s: put it into personalFields, or here into kept", name)
		}
	}
}

// Whole months go at once, and the alias never goes with them.
func TestRetentionByMonth(t *testing.T) {
	l := byMonth(t)
	cfg := config(l)
	cfg.KeepDays = 90
	load(t, l, aged("c1", 300, 1), aged("c2", 301, 1), aged("c3", 100, 1), aged("c4", 80, 1), aged("c5", 1, 1))
	moved := aged("c2", 2, 2) // corrected to a later month, it stays where it is
	load(t, l, moved, aged("c6", 400, 1))
	search(t, l, `{"query":{"match_all":{}}}`)
	plan, _ := applyRetention(t, cfg)
	if got, want := planned(plan), "-2025-10: drop the index 1; -2026-01: delete the calls 1; -2026-08: drop the index 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := retained(t, l); got != "c2 c4 c5" {
		t.Errorf("left: %s", got)
	}
	load(t, l, aged("c1", 300, 1)) // an old delivery comes back, and goes again
	search(t, l, `{"query":{"match_all":{}}}`)
	applyRetention(t, cfg)
	if got := retained(t, l); got != "c2 c4 c5" {
		t.Errorf("left: %s", got)
	}

	// Years later all are too old. Calls go, but an index stays, or deliveries would wait for an alias.
	if _, err := ApplyRetention(t.Context(), cfg, retentionNow.AddDate(9, 0, 0), func(Removal) {}); err != nil {
		t.Fatal(err)
	}
	if got := retained(t, l); got != "" {
		t.Errorf("left: %s", got)
	}
	if left := months(t, l); len(left) != 1 {
		t.Errorf("indices %v, want one", left)
	}
}

func TestRetentionInParts(t *testing.T) {
	l := migrated(t)
	cfg := config(l)
	cfg.IndexBy, cfg.KeepDays = "none", 10
	var old []transforms.Event
	for i := range retentionChunk + 10 {
		e := said(fmt.Sprint("c", i), "x")
		e.CallStarted = retentionNow.AddDate(0, 0, -20)
		old = append(old, e)
	}
	load(t, l, old...)
	search(t, l, `{"query":{"match_all":{}}}`)
	if plan, parts := applyRetention(t, cfg); parts != 2 || plan[0].Done != retentionChunk+10 {
		t.Errorf("%d parts: %v", parts, plan)
	}
}

func TestRetentionNeedsTheAlias(t *testing.T) {
	cfg := engine(t)
	cfg.KeepDays = 1
	if _, err := PlanRetention(t.Context(), cfg, retentionNow); err == nil || !strings.Contains(err.Error(), "migrate apply") {
		t.Errorf("got %v", err)
	}
}
