package elastic

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/postcall/postcall/transforms"
)

func jsonBody(s string) any { return json.RawMessage(s) }

func TestSearchFindsTheTurn(t *testing.T) {
	l := migrated(t)
	other := full("c2", 2)
	other.Transcript = []transforms.Turn{{Role: transforms.RoleUser, Content: "What does an invoice cost?"}, {Role: transforms.RoleAgent, Content: "It is free."}}
	load(t, l, full("c1", 1), other)

	got := search(t, l, `{"query":{"nested":{"path":"turns","query":{"match":{"turns.content":"reschedules cleaning"}},
		"inner_hits":{"highlight":{"fields":{"turns.content":{"number_of_fragments":0}}}}}}}`)
	if len(got.Hits) != 1 || got.Hits[0].Source["call_id"] != "c1" {
		t.Fatalf("got %+v", got)
	}
	inner := got.Hits[0].Inner["turns"].Hits
	if inner.Total.Value != 1 || inner.Hits[0].Source["seq"] != 2.0 || inner.Hits[0].Source["role"] != "user" {
		t.Fatalf("inner hits: %+v", inner)
	}
	if mark := inner.Hits[0].Highlight["turns.content"][0]; !strings.Contains(mark, "<em>reschedule</em>") || !strings.Contains(mark, "<em>cleanings</em>") {
		t.Errorf("highlight: %s", mark)
	}
}

func TestSearchBySideAndExactWord(t *testing.T) {
	l := migrated(t)
	load(t, l, full("c1", 1))
	f := func(query string, want int) {
		t.Helper()
		if got := search(t, l, `{"query":%s}`, query).Total.Value; got != want {
			t.Errorf("%s: %d hits, want %d", query, got, want)
		}
	}
	f(`{"match":{"user_text":"cleaning"}}`, 1)
	f(`{"match":{"agent_text":"cleaning"}}`, 0)
	f(`{"match":{"agent_text":"thursdays"}}`, 1)
	f(`{"match":{"transcript_text":"transferred"}}`, 1)       // the english stem, in another role's turn
	f(`{"match":{"transcript_text.exact":"transferred"}}`, 0) // no stem
	f(`{"match":{"user_text.exact":"CAFE"}}`, 1)              // letter case and accents folded
	f(`{"match":{"user_text.exact":"cleaning"}}`, 0)
	f(`{"match_phrase":{"turns.content.exact":"does thursday"}}`, 0) // nested: needs a nested query
	f(`{"nested":{"path":"turns","query":{"match_phrase":{"turns.content.exact":"does thursday"}}}}`, 1)
	f(`{"term":{"ai_success":false}}`, 1)
	f(`{"term":{"ai_success_raw":"true"}}`, 1)
	f(`{"terms":{"topics":["billing"]}}`, 1)
	f(`{"term":{"weekday":"1 Mon"}}`, 1)
	f(`{"term":{"purpose.raw":"Reschedule an appointment"}}`, 1)
	f(`{"range":{"call_started":{"gte":"2026-11-02","lt":"2026-11-03"}}}`, 1)
	// What a person types into Kibana's search box, without a field.
	for _, words := range []string{"cleaning", "parking", "scheduling", "c1"} {
		f(`{"multi_match":{"query":"`+words+`","type":"best_fields","lenient":true}}`, 1)
		f(`{"query_string":{"query":"`+words+`"}}`, 1)
	}
}

// Highlighting a field of more than a million characters is refused by default.
func TestLongTranscriptIsHighlighted(t *testing.T) {
	l := migrated(t)
	e := full("c1", 1)
	e.Transcript = []transforms.Turn{{Role: transforms.RoleUser, Content: strings.Repeat("nothing to see here ", 60_000) + "needle"}}
	load(t, l, e)
	got := search(t, l, `{"_source":false,"query":{"match":{"user_text":"needle"}},"highlight":{"fields":{"*":{}}}}`)
	if len(got.Hits) != 1 || !strings.Contains(strings.Join(got.Hits[0].Highlight["user_text"], ""), "<em>needle</em>") {
		t.Errorf("got %+v", got)
	}
}

func TestLabelsAreKeywords(t *testing.T) {
	l := migrated(t)
	if err := l.c.do(t.Context(), http.MethodPost, "/"+l.c.alias+"/_doc", jsonBody(`{"labels":{"campaign":"spring","budget":5,"vip":true}}`), nil); err != nil {
		t.Fatal(explain(err))
	}
	for _, field := range []string{"campaign", "budget", "vip"} {
		if got := search(t, l, `{"size":0,"query":{"exists":{"field":"labels.%s"}},"aggs":{"x":{"terms":{"field":"labels.%[1]s"}}}}`, field).Total.Value; got != 1 {
			t.Errorf("labels.%s: %d hits", field, got)
		}
	}
	if err := l.c.do(t.Context(), http.MethodPost, "/"+l.c.alias+"/_doc", jsonBody(`{"typo":1}`), nil); err == nil {
		t.Error("a field that nobody declared was taken")
	}
}
