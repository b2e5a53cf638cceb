package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

const byCall = `{"query":{"term":{"call_id":%q}}}`

func load(t *testing.T, l *Loader, events ...transforms.Event) {
	t.Helper()
	if err := l.Load(t.Context(), batch(events...)); err != nil {
		t.Fatal(err)
	}
}

func TestLoadedCallHasEveryField(t *testing.T) {
	l := migrated(t)
	load(t, l, full("c1", 1765000000000001))
	got := search(t, l, byCall, "c1")
	if len(got.Hits) != 1 {
		t.Fatalf("found %d documents", len(got.Hits))
	}
	h := got.Hits[0]
	if diff := cmp.Diff(wantFull("c1", 1765000000000001), h.Source); diff != "" {
		t.Error(diff)
	}
	if h.ID != "default:c1" || h.Version != 1765000000000001 {
		t.Errorf("id %q, version %d", h.ID, h.Version)
	}
}

func TestOneDocumentACall(t *testing.T) {
	l := migrated(t)
	version := func(v int64, summary string) transforms.Event {
		e := full("c1", v)
		e.Summary = summary
		return e
	}
	f := func(name string, e transforms.Event, want string) {
		t.Helper()
		load(t, l, e)
		got := search(t, l, `{"query":{"match_all":{}}}`)
		if got.Total.Value != 1 || got.Hits[0].Source["summary"] != want {
			t.Errorf("%s: %d documents, summary %v, want one with %q", name, got.Total.Value, got.Hits[0].Source["summary"], want)
		}
	}
	f("first", version(5, "first"), "first")
	f("the same again", version(5, "first"), "first")
	f("corrected", version(6, "corrected"), "corrected")
	f("stale", version(4, "stale"), "corrected")
	f("no version", version(0, "stale"), "corrected")
}

func TestTenantsDoNotCollide(t *testing.T) {
	l := migrated(t)
	var events []transforms.Event
	for i, key := range [][2]string{{"a", "b:c"}, {"a:b", "c"}, {"a", strings.Repeat("x", 3000)}, {"b", strings.Repeat("x", 3000)}, {"", "c"}} {
		e := full(key[1], int64(i+1))
		e.Tenant = key[0]
		events = append(events, e)
	}
	load(t, l, events...)
	if got := search(t, l, `{"query":{"match_all":{}}}`).Total.Value; got != len(events) {
		t.Errorf("%d documents, want %d", got, len(events))
	}
	if got := search(t, l, `{"query":{"bool":{"filter":[{"term":{"tenant":"b"}},{"term":{"call_id":%q}}]}}}`, strings.Repeat("x", 3000)).Total.Value; got != 1 {
		t.Errorf("the long call id finds %d documents", got)
	}
}

// What a sender can put into a call must never refuse it.
func TestExtremeCallsAreLoaded(t *testing.T) {
	l := migrated(t)
	huge := strings.Repeat("é", 40_000)
	e := full("c1", 1)
	for _, s := range []*string{
		&e.AgentName, &e.CallerName, &e.CallDirection, &e.BusinessPhoneNumber, &e.CustomerPhoneNumber, &e.MentionedEmail, &e.MentionedDate,
		&e.MentionedTime, &e.Summary, &e.LongSummary, &e.Purpose, &e.Topic, &e.Sentiment, &e.FollowUp, &e.FollowUpReason, &e.AISuccess,
		&e.RecordingURL, &e.DashboardURL, &e.EndedReason, &e.SentimentKind, &e.CustomerKey, &e.EmailKey, &e.Source, &e.ParentCallID,
		&e.KeyPoints[0], &e.UnansweredQuestions[0], &e.ActionItems[0], &e.Topics[0], &e.Transforms[0].Name, &e.Transcript[0].Role, &e.Transcript[1].Content,
	} {
		*s = huge
	}
	e.Extra = []byte(`{"deep":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `,"big":"` + huge + `","a":1,"a":2}`)
	e.Duration, e.Metrics.WordsPerMinute = new(1e300), new(1e-300)
	for range 20_000 {
		e.Transcript = append(e.Transcript, transforms.Turn{Role: transforms.RoleUser, Content: "\xffuh\x00 "})
	}
	f := full(strings.Repeat("c", 40_000), 2)
	f.Tenant = strings.Repeat("t", 40_000)
	load(t, l, e, f)
	got := search(t, l, byCall, "c1").Hits
	if len(got) != 1 || got[0].Source["extra"] != string(e.Extra) || got[0].Source["agent_name"] != huge {
		t.Errorf("found %d documents, or they lost a value", len(got))
	}
}

func TestOneBadCallIsRefusedAlone(t *testing.T) {
	l := migrated(t)
	l.limit = 10 << 10 // several requests, to see that indices hold across them
	var events []transforms.Event
	for i := range 20 {
		events = append(events, full(fmt.Sprint("c", i), int64(i+1)))
	}
	events[3].CallStarted = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	events[17].Version = -1
	var partial *connector.PartialError
	err := l.Load(t.Context(), batch(events...))
	if !errors.As(err, &partial) || len(partial.Failed) != 2 || len(partial.Retry) != 0 {
		t.Fatalf("got %#v", err)
	}
	if got := fmt.Sprint(partial.Failed[3]); got != "status 400 document_parsing_exception in field call_started (illegal_argument_exception)" {
		t.Errorf("reason: %s", got)
	}
	if got := fmt.Sprint(partial.Failed[17]); got != "version is negative" {
		t.Errorf("reason: %s", got)
	}
	if got := search(t, l, `{"query":{"match_all":{}}}`).Total.Value; got != 18 {
		t.Errorf("%d neighbours loaded, want 18", got)
	}
}

func TestMissingAliasPausesAndCreatesNothing(t *testing.T) {
	cfg := engine(t)
	l := open(t, cfg)
	f := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, connector.ErrPaused) || !strings.Contains(err.Error(), "postcall migrate apply") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	f("load", l.Load(t.Context(), batch(full("c1", 1), full("c2", 1))))
	f("check", l.Check(t.Context()))
	if found, err := l.c.look(t.Context(), cfg.Index+"*"); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	// The index alone, without the alias, isn't enough either.
	if err := l.c.do(t.Context(), http.MethodPut, "/"+cfg.Index, nil, nil); err != nil {
		t.Fatal(err)
	}
	f("load into an index", l.Load(t.Context(), batch(full("c1", 1))))
	f("check of an index", l.Check(t.Context()))
}

func TestBlockedOrClosedOrForeignIndexPauses(t *testing.T) {
	l := migrated(t)
	name := indexName(l.c.alias)
	f := func(what, method, path, body string) {
		t.Helper()
		if err := l.c.do(t.Context(), method, path, jsonBody(body), nil); err != nil {
			t.Fatal(explain(err))
		}
		for call, err := range map[string]error{"load": l.Load(t.Context(), batch(full("c1", 1))), "check": l.Check(t.Context())} {
			if !errors.Is(err, connector.ErrPaused) {
				t.Errorf("%s: %s: got %v", what, call, err)
			}
		}
	}
	f("flood stage", http.MethodPut, "/"+name+"/_settings", `{"index.blocks.read_only_allow_delete":true}`)
	f("read only", http.MethodPut, "/"+name+"/_settings", `{"index.blocks.read_only_allow_delete":null,"index.blocks.read_only":true}`)
	if err := l.c.do(t.Context(), http.MethodPut, "/"+name+"/_settings", jsonBody(`{"index.blocks.read_only":null}`), nil); err != nil {
		t.Fatal(explain(err))
	}
	if err := l.Check(t.Context()); err != nil {
		t.Errorf("check after the blocks went: %v", err)
	}
	f("no write index", http.MethodPost, "/_aliases", fmt.Sprintf(`{"actions":[{"add":{"index":%q,"alias":%q,"is_write_index":false}}]}`, name, l.c.alias))
}

// An index of the right name and alias, but with a mapping that is not ours.
func TestForeignMappingPauses(t *testing.T) {
	cfg := engine(t)
	l := open(t, cfg)
	body := fmt.Sprintf(`{"mappings":{"dynamic":"strict","properties":{"tenant":{"type":"keyword"}}},"aliases":{%q:{}}}`, cfg.Index)
	if err := l.c.do(t.Context(), http.MethodPut, "/"+indexName(cfg.Index), jsonBody(body), nil); err != nil {
		t.Fatal(explain(err))
	}
	for call, err := range map[string]error{"load": l.Load(t.Context(), batch(full("c1", 1))), "check": l.Check(t.Context())} {
		if !errors.Is(err, connector.ErrPaused) {
			t.Errorf("%s: got %v", call, err)
		}
	}
}

func TestEngineDownIsRetried(t *testing.T) {
	cfg := connector.ElasticsearchConfig{URL: []string{"http://127.0.0.1:1"}, Index: "call-transcripts", Timeout: time.Second}
	l := open(t, cfg) // opens with every engine down
	for call, err := range map[string]error{"load": l.Load(t.Context(), batch(full("c1", 1))), "check": l.Check(t.Context())} {
		if err == nil || kind(err) != "" {
			t.Errorf("%s: got %v, want a plain error", call, err)
		}
	}
}

func TestLoadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("shutting down")
	cancel(gone)
	l := open(t, connector.ElasticsearchConfig{URL: []string{"http://127.0.0.1:1"}, Index: "x"})
	if err := l.Load(ctx, batch(full("c1", 1))); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	_, err := Open(connector.ElasticsearchConfig{URL: []string{"http://u:hunter2@a b/"}, Index: "A*", IndexBy: "year"})
	for _, want := range []string{"POSTCALL_ELASTICSEARCH_URL: address 1", "POSTCALL_ELASTICSEARCH_INDEX ", "POSTCALL_ELASTICSEARCH_INDEX_BY must be"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Error("the error holds the password")
	}
}
