package elastic

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

func said(callID string, words ...string) transforms.Event {
	e := transforms.Event{Tenant: "default", CallID: callID, Version: 1}
	for _, w := range words {
		e.Transcript = append(e.Transcript, transforms.Turn{Role: transforms.RoleUser, Content: w})
	}
	return e
}

func synonymFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "synonyms.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// apply brings the schema up to date, twice, of which the second has nothing left to do, and returns what was done.
func apply(t *testing.T, cfg connector.ElasticsearchConfig) string {
	t.Helper()
	steps, err := Apply(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Plan(t.Context(), cfg)
	for _, s := range again {
		if err != nil || s.Action != "" {
			t.Errorf("after apply there is still %v, %v", s, err)
		}
	}
	return fmt.Sprint(steps)
}

func found(t *testing.T, l *Loader, query string) string {
	t.Helper()
	var ids []string
	for _, h := range search(t, l, `{"sort":["call_id"],"query":%s}`, query).Hits {
		ids = append(ids, h.Source["call_id"].(string))
	}
	return strings.Join(ids, " ")
}

// Synonyms come, change and go on an index that is live, and what is in quotes is looked for as it stands.
func TestSynonymsOnALiveIndex(t *testing.T) {
	cfg := engine(t)
	apply(t, cfg)
	l := open(t, cfg)
	load(t, l, said("c1", "I want to call off my visit"), said("c2", "Cancel the appointments"), said("c3", "I lost my invoices"))
	typed := func(words string) string { return found(t, l, `{"multi_match":{"query":"`+words+`"}}`) }
	quoted := func(words string) string { return found(t, l, `{"multi_match":{"query":"`+words+`","type":"phrase"}}`) }
	if got := typed("cancelling"); got != "c2" {
		t.Errorf("without synonyms: %s", got)
	}

	cfg.Synonyms = synonymFile(t, "# what our callers say\n\ncancel, call off\nbill => invoice, statement\n")
	if got := apply(t, cfg); !strings.Contains(got, "no synonyms, wanted some close, give its synonyms to, and open") {
		t.Errorf("added: %s", got)
	}
	for words, want := range map[string]string{"cancelling": "c1 c2", "call off": "c1 c2", "bills": "c3"} {
		if got := typed(words); got != want {
			t.Errorf("%s: found %s, want %s", words, got, want)
		}
	}
	if got := quoted("cancelling"); got != "c2" {
		t.Errorf("quoted: %s", got)
	}
	load(t, l, said("c4", "Where is my bill?")) // the sink goes on
	if got := typed("bills"); got != "c3" {
		t.Errorf("bill => invoice: found %s", got)
	}

	cfg.Synonyms = synonymFile(t, "bill, invoice")
	if got := apply(t, cfg); !strings.Contains(got, "other synonyms close") {
		t.Errorf("changed: %s", got)
	}
	if bills, cancel := typed("bills"), typed("cancel"); bills != "c3 c4" || cancel != "c2" {
		t.Errorf("changed: %s, %s", bills, cancel)
	}

	cfg.Synonyms = ""
	if got := apply(t, cfg); strings.Contains(got, "close") {
		t.Errorf("removed: %s", got)
	}
	if got := typed("bills"); got != "c4" {
		t.Errorf("removed: %s", got)
	}
}

func TestSynonymsFromTheStart(t *testing.T) {
	for _, language := range []string{"german", "persian", "cjk"} {
		cfg := engine(t)
		cfg.Language, cfg.Synonyms = language, synonymFile(t, "absagen, stornieren\n")
		apply(t, cfg)
		l := open(t, cfg)
		load(t, l, said("c1", "Ich möchte den Termin absagen"))
		if got := found(t, l, `{"match":{"transcript_text":"stornieren"}}`); got != "c1" {
			t.Errorf("%s: found %q", language, got)
		}
	}
}

func TestBadSynonymsChangeNothing(t *testing.T) {
	cfg := engine(t)
	f := func(text, want string) {
		t.Helper()
		cfg.Synonyms = synonymFile(t, text)
		steps, err := Apply(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "POSTCALL_ELASTICSEARCH_SYNONYMS") || len(steps) > 0 {
			t.Errorf("%q: %v, %v", text, steps, err)
		}
	}
	f("a, b\nalone\n", "line 2 is no rule")
	f("a => b => c", "line 1 is no rule")
	f("\na,,b", "line 2 has a comma")
	f("a =>", "line 1 has a comma")
	f("bill, invoice\nbroken, out of order\n", `"broken, out of order" is no rule in english`)
	f(strings.Repeat("a, b\n", maxSynonyms+1), "more than 10000 rules")
	f(strings.Repeat("#", maxSynonymBytes+1), "larger than")
	cfg.Synonyms = "/nowhere/synonyms.txt"
	if _, err := Plan(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "POSTCALL_ELASTICSEARCH_SYNONYMS") {
		t.Errorf("got %v", err)
	}
}

// An index keeps the language that its words are stored in, and says so; a new month takes the new one.
func TestLanguageOfALiveIndex(t *testing.T) {
	cfg := engine(t)
	cfg.IndexBy = "month"
	apply(t, cfg)
	old := said("c1", "In welcher der großen Straßen?")
	old.ReceivedAt = time.Date(2026, 1, 9, 0, 0, 0, 0, time.UTC)
	load(t, open(t, cfg), old)
	cfg.Language = "german"
	got := apply(t, cfg)
	if !strings.Contains(got, "language english, wanted german update") || !strings.Contains(got, "its language is english, and german is for new indices: reindex it") {
		t.Errorf("got %s", got)
	}
	next := said("c2", "In welcher der großen Straßen?")
	next.ReceivedAt = time.Date(2026, 2, 9, 0, 0, 0, 0, time.UTC)
	l := open(t, cfg)
	load(t, l, next)
	if got := found(t, l, `{"match":{"transcript_text":"strasse"}}`); got != "c2" {
		t.Errorf("found %s", got)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	advice, err := l.Advice(t.Context())
	if err != nil || !strings.Contains(strings.Join(advice, "\n"), "-2026-01: its language is english") {
		t.Errorf("advice: %q, %v", advice, err)
	}
	cfg.Language = "klingon"
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "POSTCALL_ELASTICSEARCH_LANGUAGE") {
		t.Errorf("got %v", err)
	}
}

// Where searches look is a setting, which a mapping's update doesn't reach.
func TestDefaultFieldsOfALiveIndexFollow(t *testing.T) {
	for custom, want := range map[string]string{"": "call_id", `{"template":{"settings":{"index.query.default_field":["summary"]}}}`: "[summary]"} {
		l := migrated(t)
		cfg := engine(t)
		cfg.Index = l.c.alias
		do := func(method, path, body string) {
			t.Helper()
			if err := l.c.do(t.Context(), method, path, jsonBody(body), nil); err != nil {
				t.Fatal(explain(err))
			}
		}
		if custom != "" {
			do(http.MethodPut, "/_component_template/"+cfg.Index+"@custom", custom)
		}
		do(http.MethodPut, "/"+cfg.Index+"/_settings", `{"index.query.default_field":["topic"]}`)
		do(http.MethodPut, "/"+cfg.Index+"/_mapping", `{"_meta":{"template_version":0}}`)
		apply(t, cfg)
		var got map[string]struct {
			Settings struct {
				Index struct{ Query map[string]any }
			}
		}
		if err := l.c.do(t.Context(), http.MethodGet, "/"+cfg.Index+"/_settings", nil, &got); err != nil {
			t.Fatal(err)
		}
		if s := fmt.Sprint(got[indexName(cfg.Index)].Settings.Index.Query["default_field"]); !strings.Contains(s, want) {
			t.Errorf("default fields are %s", s)
		}
	}
}

// A process that ends while the index is closed, or a cluster that refuses the change, must not leave calls unreachable.
func TestSynonymsInterrupted(t *testing.T) {
	cfg := engine(t)
	apply(t, cfg)
	l := open(t, cfg)
	load(t, l, said("c1", "I want to call off my visit"))
	target, err := url.Parse(cfg.URL[0])
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_settings") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer srv.Close()
	refused := cfg
	refused.URL, refused.Synonyms = []string{srv.URL}, synonymFile(t, "cancel, call off")
	if _, err := Apply(t.Context(), refused); err == nil || !strings.Contains(err.Error(), "HTTP 503") {
		t.Errorf("got %v", err)
	}
	if got := found(t, l, `{"match_all":{}}`); got != "c1" {
		t.Errorf("the index is not open again: %q", got)
	}

	if err := l.c.do(t.Context(), http.MethodPost, "/"+indexName(cfg.Index)+"/_close", nil, nil); err != nil { // and then killed
		t.Fatal(err)
	}
	cfg.Synonyms = refused.Synonyms
	apply(t, cfg)
	if got := found(t, l, `{"multi_match":{"query":"cancelling"}}`); got != "c1" {
		t.Errorf("after the second apply: %q", got)
	}
}
