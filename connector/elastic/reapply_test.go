package elastic

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// walk reads all pages of what a refresh shows.
func walk(t testing.TB, l *Loader) (calls []connector.StoredCall, pages int) {
	t.Helper()
	if err := l.c.do(t.Context(), http.MethodPost, "/"+l.c.alias+"/_refresh", nil, nil); err != nil {
		t.Fatal(err)
	}
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

func mustLoad(t testing.TB, l *Loader, events ...transforms.Event) {
	t.Helper()
	if err := l.Load(t.Context(), batch(events...)); err != nil {
		t.Fatal(err)
	}
}

func TestReadCallsReturnsEachCallOnce(t *testing.T) {
	for _, by := range []string{"none", "month"} {
		t.Run(by, func(t *testing.T) {
			cfg := engine(t)
			cfg.IndexBy = by
			if _, err := Apply(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			l := open(t, cfg)
			var events []transforms.Event
			for i := range 2*pageDocs + 7 {
				e := full(fmt.Sprintf("c%d", i/2), int64(i+1))
				e.Tenant = []string{"acme", "default"}[i%2]
				e.CallStarted = e.CallStarted.AddDate(0, -(i % 3), 0)
				events = append(events, e)
			}
			mustLoad(t, l, events...)
			calls, pages := walk(t, l)
			seen := map[connector.SinkKey]bool{}
			for _, c := range calls {
				if seen[c.Key] || !c.Turns || len(c.Text.Turns) != 4 || c.Text.Summary == "" || c.Sentiment != "Positive!" {
					t.Fatalf("%+v", c)
				}
				seen[c.Key] = true
			}
			if len(calls) != len(events) || pages < 3 {
				t.Errorf("%d calls on %d pages, want %d", len(calls), pages, len(events))
			}
			if n, err := l.CountCalls(t.Context()); err != nil || n != len(events) {
				t.Errorf("%d calls are counted, %v", n, err)
			}
			var keys []connector.SinkKey
			for _, e := range events {
				keys = append(keys, connector.SinkKey{Tenant: e.Tenant, CallID: e.CallID})
			}
			turns, err := l.Turns(t.Context(), append(keys, connector.SinkKey{Tenant: "default", CallID: "nobody"}))
			if err != nil || len(turns) != len(events) || len(turns[keys[0]]) != 4 || turns[keys[0]][0].Role != "agent" {
				t.Errorf("turns of %d calls, %v", len(turns), err)
			}
		})
	}
}

func TestRemapChangesTheMappingAndNothingElse(t *testing.T) {
	l := migrated(t)
	mustLoad(t, l, full("c1", 100))
	m := connector.Mapped{Topics: []string{"A/B", "C"}, Confidence: 0.97, Rule: `any "x" in topic`, Sentiment: "mixed", EndedReason: "gone"}
	calls, _ := walk(t, l)
	if err := l.Remap(t.Context(), calls, []connector.Mapped{m}); err != nil {
		t.Fatal(err)
	}
	found := search(t, l, `{}`)
	if len(found.Hits) != 1 || found.Hits[0].Version != 100 {
		t.Fatalf("%+v", found)
	}
	want := wantFull("c1", 100)
	want["topics"], want["main_topic"], want["topic_confidence"], want["topic_rule"] = []any{"A/B", "C"}, "A/B", 0.97, m.Rule
	want["sentiment"], want["ended_reason"], want["version"] = "mixed", "gone", found.Hits[0].Source["version"]
	delete(want, "follow_up")
	delete(want, "ai_success")
	if d := cmp.Diff(want, found.Hits[0].Source); d != "" {
		t.Error(d)
	}
	calls, _ = walk(t, l)
	if d := cmp.Diff(m, calls[0].Was); d != "" || calls[0].Old || calls[0].EndedReason != "caller_hangup" {
		t.Errorf("%s, old: %v, ended by %q", d, calls[0].Old, calls[0].EndedReason)
	}
	// An import can correct a call under the version that it has.
	corrected := full("c1", 100)
	corrected.Summary = "Corrected."
	mustLoad(t, l, corrected)
	if found = search(t, l, `{}`); found.Hits[0].Source["summary"] != "Corrected." {
		t.Error("a correction under the same version is refused after the calls were mapped again")
	}
}

// Where retention has erased the texts, they are not taken for texts that never were.
func TestReadCallsKnowsWhatRetentionErased(t *testing.T) {
	cfg := engine(t)
	if _, err := Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	l := open(t, cfg)
	mustLoad(t, l, full("c1", 100))
	walk(t, l) // refreshes
	cfg.KeepPersonalDays = 30
	if _, err := ApplyRetention(t.Context(), cfg, time.Now().AddDate(1, 0, 0), func(Removal) {}); err != nil {
		t.Fatal(err)
	}
	calls, _ := walk(t, l)
	if len(calls) != 1 || calls[0].Texts || calls[0].Turns || calls[0].Text.Topic == "" {
		t.Errorf("%+v", calls)
	}
	turns, err := l.Turns(t.Context(), []connector.SinkKey{{Tenant: "default", CallID: "c1"}})
	if err != nil || len(turns) > 0 {
		t.Errorf("turns %v, %v", turns, err)
	}
}

// What changed between the reading and the writing is not written over, and what was deleted does not come back.
func TestRemapLeavesACorrectedAndAGoneCallAlone(t *testing.T) {
	l := migrated(t)
	mustLoad(t, l, full("c1", 100), full("c2", 100), full("c3", 100))
	calls, _ := walk(t, l)
	corrected := full("c1", 101)
	corrected.Topics = []string{"corrected"}
	mustLoad(t, l, corrected)
	if _, err := l.Erase(t.Context(), &connector.Subject{Tenant: "default", CallID: "c2"}); err != nil {
		t.Fatal(err)
	}
	to := make([]connector.Mapped, len(calls))
	for i := range to {
		to[i].Topics = []string{"again"}
	}
	if err := l.Remap(t.Context(), calls, to); err != nil {
		t.Fatal(err)
	}
	got := map[any]any{}
	for _, h := range search(t, l, `{}`).Hits {
		got[h.Source["call_id"]] = h.Source["main_topic"]
	}
	if d := cmp.Diff(map[any]any{"c1": "corrected", "c3": "again"}, got); d != "" {
		t.Error(d)
	}
	for i := range calls {
		calls[i].Origin.(*storedDoc).read = time.Now().Add(-pageAge)
	}
	if err := l.Remap(t.Context(), calls, to); err == nil {
		t.Error("what was read long ago is written")
	}
}
