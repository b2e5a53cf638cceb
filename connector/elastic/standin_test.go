package elastic

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// bulkItem is one action of a _bulk body with its document.
type bulkItem struct {
	Index struct {
		ID          string `json:"_id"`
		Version     int64
		VersionType string `json:"version_type"`
	}
	doc map[string]any
}

// standIn serves _bulk: it decodes the body strictly and lets answer write what Elasticsearch would.
func standIn(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, items []bulkItem)) *Loader {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/call-transcripts/_bulk" || r.URL.Query().Get("require_alias") != "true" || r.ContentLength <= 0 {
			t.Errorf("request %s with length %d", r.URL, r.ContentLength)
		}
		var items []bulkItem
		lines := bufio.NewScanner(r.Body)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var it bulkItem
			if err := json.Unmarshal(lines.Bytes(), &it); err != nil {
				t.Errorf("action: %v", err)
			}
			if !lines.Scan() {
				t.Error("an action without a document")
			}
			if err := json.Unmarshal(lines.Bytes(), &it.doc); err != nil {
				t.Errorf("document: %v", err)
			}
			items = append(items, it)
		}
		w.Header().Set("Content-Type", "application/json")
		answer(w, r, items)
	}))
	t.Cleanup(srv.Close)
	return open(t, connector.ElasticsearchConfig{URL: []string{srv.URL}, Index: "call-transcripts", APIKey: "key==", Timeout: 5 * time.Second})
}

// kind names the kind of an error of Load; "" is a plain one.
func kind(err error) string {
	var p *connector.PartialError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &p):
		return "partial"
	case errors.Is(err, connector.ErrPaused):
		return "paused"
	case errors.Is(err, connector.ErrRefused):
		return "refused"
	case errors.Is(err, connector.ErrTooLarge):
		return "too large"
	}
	return ""
}

func TestItemsByKind(t *testing.T) {
	const pii = "john@example.com"
	fail := func(status int, typ, reason string) string {
		return fmt.Sprintf(`{"index":{"status":%d,"error":{"type":%q,"reason":%q,"caused_by":{"type":"x_y","reason":%[3]q}}}}`, status, typ, reason)
	}
	cases := []struct {
		name, item, want string
		failed, retry    string
	}{
		{name: "created", item: `{"index":{"status":201}}`, want: "ok"},
		{name: "updated", item: `{"index":{"status":200,"failure_store":"not_applicable_or_unknown"}}`, want: "ok"},
		{name: "stale", item: fail(409, "version_conflict_engine_exception", pii), want: "ok"},
		{name: "failure store", item: `{"index":{"status":201,"failure_store":"used"}}`, want: "partial", failed: "the document went to the failure store: status 201"},
		{name: "overload", item: fail(429, "es_rejected_execution_exception", pii), want: "partial", retry: "status 429 es_rejected_execution_exception (x_y)"},
		{name: "no shard", item: fail(503, "unavailable_shards_exception", pii), want: "partial", retry: "status 503 unavailable_shards_exception (x_y)"},
		{name: "unknown", item: fail(500, pii, pii), want: "partial", retry: "status 500 (x_y)"},
		{
			name: "bad value", item: fail(400, "document_parsing_exception", "[1:2] failed to parse field [duration] of type [double] in document with id '"+pii+"'. Preview: '"+pii+"'"),
			want: "partial", failed: "status 400 document_parsing_exception in field duration (x_y)",
		},
		{name: "a value that looks like a field", item: fail(400, "document_parsing_exception", "failed to parse field [john.smith] of type [x]"), want: "partial", failed: "status 400 document_parsing_exception (x_y)"},
		{name: "too large", item: fail(413, "x", pii), want: "partial", failed: "status 413 x (x_y)"},
		{name: "flood stage", item: fail(429, "cluster_block_exception", pii), want: "paused"},
		{name: "cluster starting", item: fail(503, "cluster_block_exception", pii), want: "partial", retry: "status 503 cluster_block_exception (x_y)"},
		{name: "index blocked", item: fail(403, "cluster_block_exception", pii), want: "paused"},
		{name: "wrong credentials", item: fail(401, "security_exception", pii), want: "paused"},
		{name: "no right to write", item: fail(403, "security_exception", pii), want: "paused"},
		{name: "index missing", item: fail(404, "index_not_found_exception", pii), want: "paused"},
		{name: "index closed", item: fail(400, "index_closed_exception", pii), want: "paused"},
		{name: "older mapping", item: fail(400, "strict_dynamic_mapping_exception", pii), want: "paused"},
		{name: "no write index", item: fail(400, "illegal_argument_exception", "no write index is defined for alias [x]"), want: "paused"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := standIn(t, func(w http.ResponseWriter, r *http.Request, items []bulkItem) {
				if got := r.Header.Get("Authorization"); got != "APIKey key==" {
					t.Errorf("authorization %q", got)
				}
				fmt.Fprintf(w, `{"errors":true,"items":[{"index":{"status":201}},%s,{"index":{"status":200}}]}`, c.item)
			})
			err := l.Load(t.Context(), batch(full("c0", 1), full("c1", 1), full("c2", 1)))
			if got := kind(err); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
			if p, is := errors.AsType[*connector.PartialError](err); is {
				want := [2]string{c.failed, c.retry}
				got := [2]string{text(p.Failed[1]), text(p.Retry[1])}
				if len(p.Failed)+len(p.Retry) != 1 || got != want {
					t.Errorf("got %q of %v, want %q", got, p, want)
				}
			}
			if strings.Contains(fmt.Sprint(err), "john") {
				t.Errorf("personal data in %v", err)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRequestsByKind(t *testing.T) {
	whole := func(status int) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			io.WriteString(w, `{"error":{"type":"some_exception","reason":"about john"},"status":1}`)
		}
	}
	raw := func(body string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) { io.WriteString(w, body) }
	}
	for _, c := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		want   string
	}{
		{"400", whole(400), "refused"},
		{"401", whole(401), "paused"},
		{"403", whole(403), "paused"},
		{"404", whole(404), "paused"},
		{"413", whole(413), "too large"},
		{"429", whole(429), ""},
		{"500", whole(500), ""},
		{"502", whole(502), ""},
		{"503", whole(503), ""},
		{"redirect", whole(302), ""},
		{"not JSON", raw("<html>john"), ""},
		{"empty", raw(""), ""},
		{"cut off", raw(`{"items":[{"index":{"status":201}},{"index":{"sta`), ""},
		{"too few items", raw(`{"items":[{"index":{"status":201}}]}`), ""},
		{"no items", raw(`{}`), ""},
		{"item without status", raw(`{"items":[{"index":{"status":201}},{"create":{"status":201}}]}`), ""},
		{"broken connection", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"items":[`)
			panic(http.ErrAbortHandler)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls atomic.Int32
			l := standIn(t, func(w http.ResponseWriter, _ *http.Request, _ []bulkItem) { calls.Add(1); c.answer(w) })
			err := l.Load(t.Context(), batch(full("c0", 1), full("c1", 1)))
			if got := kind(err); err == nil || got != c.want {
				t.Errorf("got %s (%v), want %q", got, err, c.want)
			}
			if strings.Contains(fmt.Sprint(err), "john") {
				t.Errorf("personal data in %v", err)
			}
			if calls.Load() != 1 {
				t.Errorf("%d attempts, want one", calls.Load())
			}
		})
	}
}

func TestGiantCallIsRefusedAlone(t *testing.T) {
	l := standIn(t, func(w http.ResponseWriter, _ *http.Request, items []bulkItem) {
		if len(items[0].doc["user_text"].(string)) > 1000 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		ok(w, items)
	})
	l.limit = 3000
	events := []transforms.Event{full("c0", 1), full("c1", 1), full("c2", 1)}
	events[1].Transcript[1].Content = strings.Repeat("x", 5000)
	var p *connector.PartialError
	if err := l.Load(t.Context(), batch(events...)); !errors.As(err, &p) || len(p.Failed) != 1 || p.Failed[1] == nil {
		t.Errorf("got %v", err)
	}
}

func ok(w io.Writer, items []bulkItem) {
	io.WriteString(w, `{"items":[`+strings.TrimSuffix(strings.Repeat(`{"index":{"status":201}},`, len(items)), ",")+`]}`)
}

func TestRequestsAreSplitBySize(t *testing.T) {
	var ids []string
	var versions []int64
	requests := 0
	l := standIn(t, func(w http.ResponseWriter, r *http.Request, items []bulkItem) {
		requests++
		if r.ContentLength > 20_000 {
			t.Errorf("a request of %d bytes", r.ContentLength)
		}
		for _, it := range items {
			if it.Index.VersionType != "external_gte" || it.doc["version"] != float64(it.Index.Version) {
				t.Errorf("item %+v", it.Index)
			}
			ids, versions = append(ids, it.Index.ID), append(versions, it.Index.Version)
		}
		ok(w, items)
	})
	l.limit = 20_000
	var events []transforms.Event
	var wantIDs []string
	var wantVersions []int64
	for i := range 50 {
		events = append(events, full(fmt.Sprint("c", i), int64(i)))
		wantIDs, wantVersions = append(wantIDs, fmt.Sprint("default:c", i)), append(wantVersions, int64(i))
	}
	load(t, l, events...)
	if diff := cmp.Diff(wantIDs, ids) + cmp.Diff(wantVersions, versions); diff != "" {
		t.Error(diff)
	}
	if requests < 5 || requests > 20 {
		t.Errorf("%d requests", requests)
	}
	load(t, l) // an empty batch is no request
}

func TestDeadlineSaysSo(t *testing.T) {
	release := make(chan struct{})
	l := standIn(t, func(http.ResponseWriter, *http.Request, []bulkItem) { <-release })
	defer close(release)
	l.c.timeout = 50 * time.Millisecond
	err := l.Load(t.Context(), batch(full("c1", 1)))
	if kind(err) != "" || !strings.Contains(fmt.Sprint(err), "no answer within 50ms") {
		t.Errorf("got %v", err)
	}
}
