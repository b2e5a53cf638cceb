package elastic

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postcall/postcall/transforms"
)

// everyone sees the calls of the default tenant that redaction went through, tests as well.
var everyone = Visible{Tenant: "default", RedactedBy: []string{"redact-pii"}, Tests: true}

// reader returns one over the loader's index, which is refreshed.
func reader(t *testing.T, l *Loader) *Reader {
	t.Helper()
	if err := l.c.do(t.Context(), http.MethodPost, "/"+l.c.alias+"/_refresh", nil, nil); err != nil {
		t.Fatal(err)
	}
	return &Reader{l.c}
}

func find(t *testing.T, r *Reader, v Visible, s Search) *Page {
	t.Helper()
	if s.Limit == 0 {
		s.Limit = 10
	}
	p, err := r.Search(t.Context(), v, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ids(p *Page) (all []string) {
	for _, h := range p.Hits {
		all = append(all, h.Event.CallID)
	}
	return all
}

// What is read is what was loaded, field by field.
func TestAnEventIsReadAsItWasLoaded(t *testing.T) {
	l := migrated(t)
	said := full("said", 3)
	said.TranscriptText = "not what the turns say"
	bare := transforms.Event{Tenant: "default", CallID: "bare", Version: 1, CallStarted: said.CallStarted, Transforms: said.Transforms, Metrics: transforms.Metrics{Weekday: 1}}
	want := []transforms.Event{full("c:1/%?#ü", 7), said, bare}
	load(t, l, want...)
	r := reader(t, l)
	for _, w := range want {
		got, err := r.Event(t.Context(), everyone, w.CallID)
		if err != nil || got == nil {
			t.Fatalf("%s: %v, %v", w.CallID, got, err)
		}
		if d := cmp.Diff(w, *got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("(-loaded +read):\n%s", d)
		}
	}
	if got, err := r.Event(t.Context(), everyone, "nobody"); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhatIsNotVisibleIsNotThere(t *testing.T) {
	l := migrated(t)
	mine, other, plain, test := full("mine", 1), full("other", 1), full("plain", 1), full("test", 1)
	mine.IsTest, other.IsTest, plain.IsTest = false, false, false
	other.Tenant = "acme"
	plain.Transforms = []transforms.Applied{{Name: "redact-pii-not", Version: "1"}, {Name: "map-topics", Version: "1"}}
	load(t, l, mine, other, plain, test)
	r := reader(t, l)
	f := func(v Visible, want ...string) {
		t.Helper()
		latest, err := r.Latest(t.Context(), v, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range latest {
			got = append(got, e.CallID)
		}
		found := ids(find(t, r, v, Search{Words: "cleanings"}))
		slices.Sort(found)
		if !slices.Equal(got, want) || !slices.Equal(found, want) {
			t.Errorf("%+v: latest %v, found %v, want %v", v, got, found, want)
		}
	}
	f(Visible{Tenant: "default", RedactedBy: []string{"redact-pii"}}, "mine")
	f(everyone, "mine", "test")
	f(Visible{Tenant: "default"}, "mine", "plain")
	f(Visible{Tenant: "default", RedactedBy: []string{"own", "map-topics"}}, "mine", "plain")
	f(Visible{Tenant: "acme", RedactedBy: []string{"redact-pii"}}, "other")
	f(Visible{})
	for id, want := range map[string]bool{"mine": true, "test": true, "other": false, "plain": false} {
		e, err := r.Event(t.Context(), Visible{Tenant: "default", RedactedBy: []string{"redact-pii"}}, id)
		if err != nil || (e != nil) != want {
			t.Errorf("%s: %v, %v", id, e, err)
		}
	}
}

func TestSearchByEveryFilter(t *testing.T) {
	l := migrated(t)
	a, b := full("a", 1), full("b", 1)
	b.AgentName, b.Topic, b.Topics, b.SentimentKind = "Ava", "Parking", nil, "negative"
	b.CallStarted = a.CallStarted.Add(time.Hour)
	b.Transcript = []transforms.Turn{{Role: "user", Content: "Where do I <b>park</b> the zeppelin?"}, {Role: "agent", Content: "Behind the cleaning shop."}}
	load(t, l, a, b)
	r := reader(t, l)
	f := func(s Search, want ...string) {
		t.Helper()
		if got := ids(find(t, r, everyone, s)); !slices.Equal(got, want) {
			t.Errorf("%+v: got %v, want %v", s, got, want)
		}
	}
	f(Search{}, "b", "a") // the newest first
	f(Search{From: b.CallStarted}, "b")
	f(Search{To: b.CallStarted}, "a")
	f(Search{Agent: "aVa"}, "b")
	f(Search{Topic: "scheduling"}, "a")
	f(Search{Topic: "parking"}, "b")
	f(Search{Sentiment: "negative"}, "b")
	f(Search{Words: "zeppelin"}, "b")
	f(Search{Words: "zeppelin", Sentiment: "positive"})
	f(Search{Words: "cleaning", Role: "user"}, "a")
	f(Search{Words: "cleaning", Role: "agent"}, "b")
	f(Search{Role: "system"}, "a")
	f(Search{Words: `"park zeppelin"`})
	f(Search{Words: `cleaning -zeppelin`}, "a")
	f(Search{Words: `-"the zeppelin"`}, "a")
	f(Search{Words: `-zeppelin`, Role: "user"}, "a")
	f(Search{Words: `drive-in well-being zeppelin`}, "b")
	f(Search{Words: `((("\ AND || ~ * zeppelin~9 +`}, "b") // no syntax is an error
	f(Search{Words: strings.Repeat("of zeppelin ", 30)}, "b")
	f(Search{Words: "zepp*"})
}

func TestHighlightsNameTheTurn(t *testing.T) {
	l := migrated(t)
	e := full("c1", 1)
	e.Transcript[1].Content = `I <script>alert(1)</script> want a cleaning & more`
	load(t, l, e)
	r := reader(t, l)
	p := find(t, r, everyone, Search{Words: "cleanings", Mark: Mark{"<em>", "</em>", true}})
	want := []Highlight{
		{Field: "turn", Turn: 2, Role: "user", Text: "I &lt;script&gt;alert(1)&lt;&#x2F;script&gt; want a <em>cleaning</em> &amp; more"},
		{Field: "summary", Text: "Caller rescheduled a <em>cleaning</em>."},
	}
	if d := cmp.Diff(want, p.Hits[0].Highlights); d != "" || p.Hits[0].Score == 0 {
		t.Errorf("%s (score %v)", d, p.Hits[0].Score)
	}
	p = find(t, r, everyone, Search{Words: "cleanings", Role: "user", Mark: Mark{"**", "**", false}})
	want = []Highlight{{Field: "turn", Turn: 2, Role: "user", Text: "I <script>alert(1)</script> want a **cleaning** & more"}}
	if d := cmp.Diff(want, p.Hits[0].Highlights); d != "" {
		t.Error(d)
	}
	if e := p.Hits[0].Event; e.Transcript != nil || e.TranscriptText != "" || e.LongSummary != "" || e.Extra != nil {
		t.Errorf("a hit has texts that were not asked for: %+v", e)
	}
}

// Pages show each call once, also of one that ends, one that came in between, and when the point in time is gone.
func TestPagesShowEachCallOnce(t *testing.T) {
	l := migrated(t)
	var events []transforms.Event
	for i := range 25 {
		e := full(fmt.Sprintf("c%02d", i), 1)
		e.CallStarted = e.CallStarted.Add(time.Duration(i/2) * time.Minute) // two at each time
		events = append(events, e)
	}
	load(t, l, events...)
	r := reader(t, l)
	walk := func(s Search, between func(*Position)) (all []string) {
		t.Helper()
		s.Limit = 10
		for range 5 {
			p := find(t, r, everyone, s)
			all = append(all, ids(p)...)
			if p.Next == nil {
				return all
			}
			if p.Total < 25 || p.AtLeast {
				t.Errorf("%d calls, more: %t", p.Total, p.AtLeast)
			}
			s.After = *p.Next
			between(&s.After)
		}
		t.Fatal("no end")
		return nil
	}
	once := func(got []string) {
		t.Helper()
		if u := slices.Compact(slices.Sorted(slices.Values(got))); len(got) != 25 || len(u) != 25 {
			t.Errorf("%d calls, %d different ones: %v", len(got), len(u), got)
		}
	}
	for _, words := range []string{"", "cleaning"} {
		once(walk(Search{Words: words}, func(*Position) {}))
		once(walk(Search{Words: words}, func(p *Position) {
			if p.PIT != "" {
				r.unpin(t.Context(), p.PIT)
			}
		}))
	}
	pages := 0
	once(walk(Search{}, func(p *Position) {
		if pages++; pages == 2 { // the point in time is there from the second page on
			late := full("c10b", 1)
			late.CallStarted = events[4].CallStarted
			load(t, l, late)
			reader(t, l)
		}
	}))
}

func TestReaderSaysWhatIsMissing(t *testing.T) {
	cfg := engine(t)
	r, err := OpenReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "postcall migrate apply") {
		t.Errorf("without an alias: %v", err)
	}
	if _, err := Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := r.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	cfg.URL = []string{"http://127.0.0.1:1"}
	r, err = OpenReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Search(t.Context(), everyone, Search{Words: "secret words", Limit: 1}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
