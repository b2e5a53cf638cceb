package elastic

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/transforms"
)

// sampleCalls reads testdata/calls.ndjson, made-up calls of a doctors' practice.
func sampleCalls(t *testing.T) []transforms.Event {
	t.Helper()
	f, err := os.Open("testdata/calls.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var events []transforms.Event
	for dec := json.NewDecoder(f); dec.More(); {
		var e transforms.Event
		if err := dec.Decode(&e); err != nil {
			t.Fatal(err)
		}
		e.Tenant, e.Version = "default", int64(len(events)+1)
		events = append(events, e)
	}
	return events
}

// questions reads testdata/questions.txt.
func questions(t *testing.T) (list [][2]string) {
	t.Helper()
	f, err := os.Open("testdata/questions.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if q, call, is := strings.Cut(lines.Text(), "|"); is && q[0] != '#' {
			list = append(list, [2]string{strings.TrimSpace(q), strings.TrimSpace(call)})
		}
	}
	return list
}

// What people's words become: in Kibana's search box (KQL, and Lucene's syntax), and in other programs. None names a
// field, so all go through index.query.default_field and its weights.
var searchBoxes = []string{
	`{"multi_match":{"type":"best_fields","query":%q,"lenient":true}}`,
	`{"query_string":{"query":%q,"analyze_wildcard":true}}`,
	`{"simple_query_string":{"query":%q}}`,
}

func TestTheRightCallComesFirst(t *testing.T) {
	l := migrated(t)
	load(t, l, sampleCalls(t)...)
	list := questions(t)
	if len(list) < 30 {
		t.Fatalf("%d questions", len(list))
	}
	for _, q := range list {
		for _, box := range searchBoxes {
			got := search(t, l, `{"_source":["call_id"],"size":3,"query":`+box+`}`, q[0]).Hits
			var ids []string
			for _, h := range got {
				ids = append(ids, h.Source["call_id"].(string))
			}
			if len(ids) == 0 || ids[0] != q[1] {
				t.Errorf("%s, %s: %v before %s", q[0], box[:12], ids, q[1])
			}
		}
	}
}

// Among hundreds of calls of other businesses, some of which are about the same, nearly all questions still find their call.
func TestTheRightCallComesFirstAmongMany(t *testing.T) {
	l := migrated(t)
	load(t, l, demoCalls(t, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))...)
	load(t, l, sampleCalls(t)...)
	first, list := 0, questions(t)
	for _, q := range list {
		got := search(t, l, `{"_source":["call_id","summary"],"size":1,"query":`+searchBoxes[0]+`}`, q[0]).Hits
		if len(got) == 1 && got[0].Source["call_id"] == q[1] {
			first++
			continue
		}
		t.Logf("%s: %v", q[0], got)
	}
	if first < len(list)*85/100 {
		t.Errorf("%d of %d come first", first, len(list))
	}
}

// The very turn is named and marked, in the words that were said.
func TestTheRightTurnIsMarked(t *testing.T) {
	l := migrated(t)
	load(t, l, sampleCalls(t)...)
	for _, c := range []struct {
		words, call string
		seq         float64
		marked      string
	}{
		{"cancelling check-ups", "cancel-no-reason", 2, "<em>cancel</em>"},
		{"refunded business days", "double-charge", 5, "<em>refund</em>"},
		{"garages", "parking", 2, "<em>garage</em>"},
		{"peanut rashes", "allergy-nuts", 2, "<em>peanuts</em>"},
		{"wheelchairs", "wheelchair", 2, "<em>wheelchair</em>"},
	} {
		got := search(t, l, `{"query":{"nested":{"path":"turns","score_mode":"max","query":{"match":{"turns.content":%q}},
			"inner_hits":{"size":1,"highlight":{"fields":{"turns.content":{"number_of_fragments":0}}}}}},
			"highlight":{"fields":{"transcript_text":{}}}}`, c.words).Hits
		if len(got) == 0 || got[0].Source["call_id"] != c.call {
			t.Errorf("%s: got %v", c.words, got)
			continue
		}
		turn := got[0].Inner["turns"].Hits.Hits[0]
		if turn.Source["seq"] != c.seq || !strings.Contains(turn.Highlight["turns.content"][0], c.marked) {
			t.Errorf("%s: turn %v, %v", c.words, turn.Source["seq"], turn.Highlight)
		}
	}
}

// In quotes the words stand together in their order, and .exact takes them as they are written.
func TestPhrasesAsTheyWereSaid(t *testing.T) {
	l := migrated(t)
	load(t, l, sampleCalls(t)...)
	const kql = `{"multi_match":{"type":"phrase","query":%q,"lenient":true}}`
	f := func(query, words, want string) {
		t.Helper()
		var ids []string
		for _, h := range search(t, l, `{"sort":["call_id"],"query":`+query+`}`, words).Hits {
			ids = append(ids, h.Source["call_id"].(string))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: got %q, want %q", words, got, want)
		}
	}
	f(kql, "on hold", "angry-hold")
	f(kql, "person real", "")
	f(kql, "real person", "angry-hold")
	const exact = `{"match_phrase":{"transcript_text.exact":%q}}`
	f(exact, "I need to cancel", "cancel-no-reason")
	f(exact, "I need to cancelled", "")
	f(`{"match_phrase":{"transcript_text":%q}}`, "I need to cancelled", "cancel-no-reason") // stems
	f(exact, "not right now", "cancel-no-reason")                                           // a word that english leaves out
	f(exact, "NO PROBLEM", "running-late")
	// What Kibana sends for: user_text : refund or user_text : money
	f(`{"bool":{"should":[{"match":{"user_text":"refund"}},{"match":{"user_text":%q}}],"minimum_should_match":1}}`, "money", "double-charge")
}
