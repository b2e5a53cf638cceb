package elastic

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
)

// config is the one that a loader of the real engine was opened with.
func config(l *Loader) connector.ElasticsearchConfig {
	cfg := connector.ElasticsearchConfig{URL: strings.Split(os.Getenv("POSTCALL_ELASTICSEARCH_URL"), ","), Index: l.c.alias, Timeout: time.Minute}
	if l.c.byMonth {
		cfg.IndexBy = "month"
	}
	return cfg
}

func bodyOf(s string) any {
	if s == "" {
		return nil
	}
	return jsonBody(s)
}

// through opens a loader of the same indices behind a proxy, which asks answer first whether it answers itself.
func through(t *testing.T, l *Loader, answer func(w http.ResponseWriter, r *http.Request) bool) *Loader {
	t.Helper()
	cfg := config(l)
	target, err := url.Parse(cfg.URL[0])
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answer(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	cfg.URL = []string{srv.URL}
	return open(t, cfg)
}

// between returns a loader whose bulk requests fail on their way while fail is set.
func between(t *testing.T, l *Loader) (broken *Loader, fail *atomic.Bool) {
	t.Helper()
	fail = new(atomic.Bool)
	return through(t, l, func(w http.ResponseWriter, r *http.Request) bool {
		if !fail.Load() || !strings.HasSuffix(r.URL.Path, "/_bulk") {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	}), fail
}

func wantPaused(t *testing.T, err error, texts ...string) {
	t.Helper()
	if !errors.Is(err, connector.ErrPaused) {
		t.Errorf("got %v, want the sink to pause", err)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is missing in: %v", text, err)
		}
	}
}

// The key may write, but not create: the answer is Elasticsearch's own to such a key.
func TestKeyThatMayNotCreateAMonthPauses(t *testing.T) {
	whole := byMonth(t)
	load(t, whole, started("c1", "2026-01", 1))
	l := through(t, whole, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		reason := "action [indices:admin/create] is unauthorized for API key id [z2MF] of user [admin] on indices [" + r.URL.Path[1:] + "], this action is granted by the index privileges [create_index,manage,all]"
		fmt.Fprintf(w, `{"error":{"root_cause":[{"type":"security_exception","reason":%q}],"type":"security_exception","reason":%[1]q},"status":403}`, reason)
		return true
	})
	err := l.Load(t.Context(), batch(started("c2", "2026-02", 2), started("c1", "2026-02", 3)))
	wantPaused(t, err, "-2026-02 is missing", "create_index on "+whole.c.alias+"-*", "PUT /"+whole.c.alias+"-2026-02")
	if strings.Contains(err.Error(), "z2MF") {
		t.Errorf("the error names the key: %v", err)
	}
	wantWhere(t, whole, "nothing was written", "2026-01 default:c1 version 1")
	load(t, l, started("c1", "2026-02", 3)) // a call whose index is there
	// The cure.
	if err := whole.c.do(t.Context(), http.MethodPut, "/"+whole.c.alias+"-2026-02", nil, nil); err != nil {
		t.Fatal(explain(err))
	}
	load(t, l, started("c2", "2026-02", 2))
	wantWhere(t, whole, "after the cure", "2026-01 default:c1 version 3", "2026-02 default:c2 version 2")
}

// Without the template an index would have guessed types and no alias: it is not created.
func TestMonthIsNotMadeWithoutItsTemplate(t *testing.T) {
	l := byMonth(t)
	if err := l.c.do(t.Context(), http.MethodDelete, "/_index_template/"+l.c.alias, nil, nil); err != nil {
		t.Fatal(err)
	}
	wantPaused(t, l.Load(t.Context(), batch(started("c1", "2026-01", 1))), "[needs_the_template]", "postcall migrate apply")
	if got := months(t, l); len(got) != 1 {
		t.Errorf("indices %v, want this month's alone", got)
	}
	if _, err := Apply(t.Context(), config(l)); err != nil {
		t.Fatal(err)
	}
	load(t, l, started("c1", "2026-01", 1))
	wantWhere(t, l, "after the cure", "2026-01 default:c1 version 1")
}

// The template of one index knows of no alias: calls in an index that is not behind it would be seen by nobody.
func TestMonthThatIsNotBehindTheAliasIsNotWritten(t *testing.T) {
	one := migrated(t)
	cfg := config(one)
	cfg.IndexBy = "month" // and no migrate apply
	l := open(t, cfg)
	for range 2 {
		wantPaused(t, l.Load(t.Context(), batch(started("c1", "2026-01", 1))), "-2026-01 is not behind the alias", "postcall migrate apply")
	}
	if _, err := Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	load(t, l, started("c1", "2026-01", 1))
	wantWhere(t, l, "after the cure", "2026-01 default:c1 version 1")
}

// The template of an older release lacks fields: a month that it makes would refuse calls that have them.
func TestMonthOfAnOlderTemplateIsNotWritten(t *testing.T) {
	l := byMonth(t)
	older := parsed()
	older.Mappings = maps.Clone(older.Mappings)
	older.Mappings["_meta"] = meta{Version: templateVersion - 1, Checksum: "older"}
	body := map[string]any{"_meta": older.Mappings["_meta"], "template": map[string]any{"settings": older.Settings, "mappings": older.Mappings}}
	if err := l.c.do(t.Context(), http.MethodPut, "/_component_template/"+l.c.alias+"@template", body, nil); err != nil {
		t.Fatal(explain(err))
	}
	wantPaused(t, l.Load(t.Context(), batch(started("c1", "2026-01", 1))), "-2026-01 has mapping version 0", "postcall migrate apply")
	if _, err := Apply(t.Context(), config(l)); err != nil {
		t.Fatal(err)
	}
	load(t, l, started("c1", "2026-01", 1))
	wantWhere(t, l, "after the cure", "2026-01 default:c1 version 1")
}

func TestMissingAliasPausesByMonth(t *testing.T) {
	cfg := engine(t)
	cfg.IndexBy = "month"
	l := open(t, cfg)
	wantPaused(t, l.Load(t.Context(), batch(started("c1", "2026-01", 1))), "postcall migrate apply")
	wantPaused(t, l.Check(t.Context()), "postcall migrate apply")
	if got := months(t, l); len(got) != 0 {
		t.Errorf("made %v", got)
	}
}

// A month that an operator deleted comes back with the next call of it.
func TestDeletedMonthIsMadeAgain(t *testing.T) {
	l := byMonth(t)
	load(t, l, started("c1", "2026-01", 1))
	if err := l.c.do(t.Context(), http.MethodDelete, "/"+l.c.alias+"-2026-01", nil, nil); err != nil {
		t.Fatal(err)
	}
	load(t, l, started("c1", "2026-01", 1), started("c2", "2026-01", 1))
	wantWhere(t, l, "made again", "2026-01 default:c1 version 1", "2026-01 default:c2 version 1")
}

// An index that can't say which calls it has must not be taken for one without them.
func TestMonthThatCanNotBeReadPauses(t *testing.T) {
	l := byMonth(t)
	load(t, l, started("c1", "2026-01", 1))
	index := "/" + l.c.alias + "-2026-01"
	do := func(method, path, body string) {
		t.Helper()
		if err := l.c.do(t.Context(), method, index+path, bodyOf(body), nil); err != nil {
			t.Fatal(explain(err))
		}
	}
	f := func(what string) {
		t.Helper()
		wantPaused(t, l.Load(t.Context(), batch(started("c1", "2026-03", 2))), "-2026-01", "knows which calls")
	}
	do(http.MethodPost, "/_close", "")
	f("closed")
	do(http.MethodPost, "/_open", "")
	do(http.MethodPut, "/_settings", `{"index.blocks.read":true}`)
	f("blocked")
	do(http.MethodPut, "/_settings", `{"index.blocks.read":null,"index.blocks.write":true}`)
	wantPaused(t, l.Load(t.Context(), batch(started("c1", "2026-03", 2))), "-2026-01 is not writable")
	load(t, l, started("c2", "2026-03", 2)) // what belongs elsewhere is not held up by it
	do(http.MethodPut, "/_settings", `{"index.blocks.write":null}`)
	load(t, l, started("c1", "2026-03", 2))
	wantWhere(t, l, "open again", "2026-01 default:c1 version 2", "2026-03 default:c2 version 2")
}

func TestLookupsByKind(t *testing.T) {
	for _, c := range []struct {
		name, list, found, made string
		want                    string
	}{
		{name: "found", found: `{"found":true,"_version":3}`, want: "ok"},
		{name: "no shard", found: `{"error":{"type":"no_shard_available_action_exception"}}`, want: ""},
		{name: "deleted meanwhile", found: `{"error":{"type":"index_not_found_exception"}}`, want: ""},
		{name: "closed", found: `{"error":{"type":"index_closed_exception"}}`, want: "paused"},
		{name: "no right to read", found: `{"error":{"type":"security_exception"}}`, want: "paused"},
		{name: "too few", found: `{"found":false},{"found":false}`, want: ""},
		{name: "overload", found: `429`, want: ""},
		{name: "no right to look up", found: `403`, want: "paused"},
		{name: "no right to list", list: `403`, want: "paused"},
		{name: "wrong password", list: `401`, want: "paused"},
		{name: "no master", list: `503`, want: ""},
		{name: "no alias", list: `404`, want: "paused"},
		{name: "too many shards", found: `{"found":false}`, made: `400`, want: "paused"},
		{name: "no right to create", found: `{"found":false}`, made: `403`, want: "paused"},
		{name: "no master to create", found: `{"found":false}`, made: `503`, want: ""},
		{name: "too busy to create", found: `{"found":false}`, made: `429`, want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bulks := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				reply := func(text, good string) {
					var status int
					if _, err := fmt.Sscanf(text, "%d", &status); err == nil {
						w.WriteHeader(status)
						text, good = "", `{"error":{"type":"some_exception","reason":"x"}}`
					}
					io.WriteString(w, text+good)
				}
				switch {
				case strings.HasPrefix(r.URL.Path, "/_alias/"):
					reply(c.list, `{"calls-2026-01":{}}`)
				case r.URL.Path == "/_mget":
					if q := r.URL.Query(); q.Get("realtime") != "true" || q.Get("_source") != "false" {
						t.Errorf("lookup %s", r.URL)
					}
					if strings.HasPrefix(c.found, "{") {
						c.found = `{"docs":[` + c.found + `]}`
					}
					reply(c.found, "")
				case r.Method == http.MethodPut:
					reply(c.made, "")
				default:
					bulks++
					io.WriteString(w, `{"items":[{"index":{"status":200}}]}`)
				}
			}))
			defer srv.Close()
			l := open(t, connector.ElasticsearchConfig{URL: []string{srv.URL}, Index: "calls", IndexBy: "month", Timeout: 5 * time.Second})
			err := l.Load(t.Context(), batch(started("c1", "2026-03", 3)))
			if got := kind(err); got != c.want || (bulks > 0) != (c.want == "ok") {
				t.Errorf("got %q (%v) and %d bulk requests, want %q", got, err, bulks, c.want)
			}
		})
	}
}

// However many months and calls there are, a lookup is bounded, and asks for each call in each month once.
func TestLookupsAreBounded(t *testing.T) {
	asked, requests := map[string]int{}, 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Docs []struct {
				Index string `json:"_index"`
				ID    string `json:"_id"`
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || len(q.Docs) > maxGets {
			t.Errorf("a lookup of %d documents (%v)", len(q.Docs), err)
		}
		requests++
		var found []string
		for _, d := range q.Docs {
			asked[d.Index+"/"+d.ID]++
			found = append(found, fmt.Sprintf(`{"found":%v,"_version":1}`, d.Index == "calls-"+d.ID))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"docs":[%s]}`, strings.Join(found, ","))
	}))
	defer srv.Close()
	l := open(t, connector.ElasticsearchConfig{URL: []string{srv.URL}, Index: "calls", IndexBy: "month", Timeout: 5 * time.Second})
	var indices, ids []string
	for i := range 60 {
		indices = append(indices, fmt.Sprint("calls-", i))
	}
	for i := range 1000 {
		ids = append(ids, fmt.Sprint(i))
	}
	places, err := l.c.find(t.Context(), indices, ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range places {
		if want := "calls-" + ids[i]; (p.index == want) != (i < 60) || (p.index == "") != (i >= 60) {
			t.Fatalf("call %d is in %q", i, p.index)
		}
	}
	if len(asked) != 60*1000 || requests > 7 {
		t.Errorf("%d documents in %d requests", len(asked), requests)
	}
}
