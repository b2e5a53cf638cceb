package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/elastic"
	"github.com/postcall/postcall/transforms"
)

// TestSearchDocs does what docs/search.md shows, on the sample calls that its answers are about.
func TestSearchDocs(t *testing.T) {
	es := os.Getenv("POSTCALL_ELASTICSEARCH_URL")
	if es == "" {
		t.Fatal("POSTCALL_ELASTICSEARCH_URL is not set: run the tests by `make test`, or `bin/local up -- go test ./...`")
	}
	page, err := os.ReadFile("../../docs/search.md")
	if err != nil {
		t.Fatal(err)
	}
	const alias = "call-transcripts"
	clean := func() {
		for _, path := range []string{
			alias + "-v1", alias + "-v2", "_index_template/" + alias, "_component_template/" + alias + "@template", "_component_template/" + alias + "@custom",
		} {
			req, _ := http.NewRequest(http.MethodDelete, es+"/"+path, nil)
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
			}
		}
	}
	clean() // of a run that was killed
	t.Cleanup(clean)
	cfg := connector.ElasticsearchConfig{URL: []string{es}, Index: alias, Timeout: time.Minute}
	if _, err := elastic.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	l, err := elastic.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	keys := loadSamples(t, l)
	r := newReader(t)
	r.env = append(r.env, "ES="+es, "POSTCALL_ELASTICSEARCH_URL="+es, "POSTCALL_SINKS=elasticsearch", "POSTCALL_TRANSFORMS=none",
		"POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef", "POSTCALL_ADMIN_ADDR="+freeAddr(t))
	// The page is about calls that are there for a while.
	r.run(`curl -fsS -X POST "$ES/call-transcripts/_refresh"; curl -fsS "$ES/call-transcripts/_count"`)
	if want := fmt.Sprintf(`{"count":%d,`, len(keys)); !strings.Contains(r.seen, want) {
		t.Fatalf("want %s, got %s", want, r.seen)
	}
	for _, b := range blocks(string(page)) {
		if strings.Contains(b.text, "KEEP_DAYS") { // the last look at what was reindexed, before it goes
			versions, err := l.Versions(t.Context(), keys)
			for i, v := range versions {
				if want := int64(i + 1); err != nil || v != want {
					t.Errorf("%s has version %d after reindexing, want %d: %v", keys[i].CallID, v, want, err)
				}
			}
		}
		r.follow([]block{b})
	}
}

// loadSamples stores the calls of testdata, which are long over.
func loadSamples(t *testing.T, l *elastic.Loader) (keys []connector.SinkKey) {
	t.Helper()
	f, err := os.Open("../../connector/elastic/testdata/calls.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b := connector.Batch{Token: "samples"}
	for dec := json.NewDecoder(f); dec.More(); {
		var e transforms.Event
		if err := dec.Decode(&e); err != nil {
			t.Fatal(err)
		}
		e.Tenant, e.Version, e.CallStarted = "default", int64(len(b.Events)+1), time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
		b.Events = append(b.Events, e)
		keys = append(keys, connector.SinkKey{Tenant: e.Tenant, CallID: e.CallID})
	}
	if err := l.Load(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return keys
}
