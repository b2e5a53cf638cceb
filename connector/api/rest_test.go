package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
)

func TestEventIsAsItWasLoaded(t *testing.T) {
	w := newWorld(t, nil)
	want := sampleEvent("call-07", noon.Add(7*time.Hour))
	b, err := want.CanonicalJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.get("/phonely/events/call-07").text; got != string(b)+"\n" {
		t.Error(cmp.Diff(string(b)+"\n", got))
	}
	if got := w.get("/phonely/events/a%20test").json; got["isTest"] != true { // whoever has the id may see a test
		t.Errorf("got %v", got)
	}
	w.refused("/phonely/events/nobody", 404, "no such call")
	w.refused("/phonely/events/plain", 404, "no such call") // never redacted
	w.refused("/phonely/events/a%2Fb", 404, "no such call")
	w.refused("/phonely/events/%2E%2E", 404, "no such call")
	w.refused("/phonely/events/%FF", 400, "not UTF-8")
	w.refused("/phonely/events/"+strings.Repeat("x", maxCallID+1), 400, "callId takes a text of 1 to")
	w.refused("/phonely/events/call-07?a=b", 400, "it has none")
	w.refused("/phonely/events/", 404, "no such route")
	w.refused("/phonely/events/a/b", 404, "no such route")
	w.refused("/", 404, openAPIPath)
}

func TestLatestEvents(t *testing.T) {
	w := newWorld(t, nil)
	f := func(query string, want ...string) {
		t.Helper()
		var got []string
		for _, e := range w.get("/phonely/events?" + query).json["events"].([]any) {
			got = append(got, e.(map[string]any)["callId"].(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	f("latest=1", "hostile")
	f("latest=3", "hostile", "long", "call-29")
	f("latest=2&tests=true", "a test", "hostile")
	w.refused("/phonely/events", 400, "latest is missing")
	for _, wrong := range []string{"latest=0", "latest=11", "latest=one", "latest=1&latest=2", "latest=1&tests=1", "latest=%zz", "latest=1&lates=2"} {
		w.refused("/phonely/events?"+wrong, 400, "")
	}
}

func TestSearchFindsAndMarks(t *testing.T) {
	w := newWorld(t, nil)
	got := w.get("/calls?" + november + "&query=garages&role=user&limit=2")
	var page calls
	if err := json.Unmarshal([]byte(got.text), &page); err != nil {
		t.Fatal(err)
	}
	if page.Total != 31 || len(page.Calls) != 2 || page.NextCursor == "" || page.From != "2026-11-01T00:00:00-04:00" {
		t.Errorf("got %s", got.text)
	}
	want := highlight{Field: "turn", Turn: 2, Role: "user", Text: "Where is your &lt;<em>garage</em>&gt;?"}
	if h := page.Calls[0].Highlights; len(h) == 0 || h[0] != want {
		t.Errorf("got %+v", h)
	}
	count := func(query string, want int) {
		t.Helper()
		if got := w.get("/calls?" + query).json["total"]; got != float64(want) {
			t.Errorf("%s: %v calls, want %d", query, got, want)
		}
	}
	count(november, 32)
	count(november+"&tests=true", 33)
	count(november+"&agent=ava&topic=parking&sentiment=positive", 32)
	count(november+"&agent=bob", 0)
	count(november+"&sentiment=negative", 0)
	count("from=2026-11-02T12:00:00Z&to=2026-11-02T14:00:00Z", 2)
	count("from=2026-11-02T12:00:00Z&to=2026-11-02T14:00:00.001Z", 3)
	count(november+"&query="+url.QueryEscape(`"for call-03"`), 1)
	count(november+"&query="+url.QueryEscape(`") OR 1=1 {{}} \ * ~ "`)+"&limit=50", 0)
	for query, detail := range map[string]string{
		"limit=51": "1 to 50", "query=" + strings.Repeat("x", maxWords+1): "0 to 300", "role=everybody": "user, agent", "sentiment=meh": "neutral", "agent=": "1 to 200",
		"q=x": "it has query, role", "%00=1": "parameter",
	} {
		w.refused("/calls?"+query, 400, detail)
	}
	for query, detail := range map[string]string{
		"from=yesterday-": "from is no day", "to=1999-12-31": "to is no day", "from=2026-11-02&to=2026-11-02": "not before", "from=2024-01-01&to=2026-01-01": "POSTCALL_API_MAX_RANGE",
		"cursor=abc": "none that this token was given", "cursor=abc&query=x": "leave out query",
	} {
		w.refused("/calls?"+query, 422, detail)
	}
}

func TestPagesThroughTheCursor(t *testing.T) {
	w := newWorld(t, nil)
	other := w.token("other", "default", time.Time{}, ScopeCalls)
	var ids []string
	path, pages := "/calls?"+november+"&query=garage&limit=7", 0
	for ; path != ""; pages++ {
		var page calls
		if err := json.Unmarshal([]byte(w.get(path).text), &page); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Calls {
			ids = append(ids, c.CallID)
		}
		if path = ""; page.NextCursor != "" {
			path = "/calls?limit=7&cursor=" + page.NextCursor
			if a := w.do(http.MethodGet, path, other); a.status != 422 {
				t.Errorf("another token's cursor answered %d", a.status)
			}
			forged := []byte(page.NextCursor)
			forged[len(forged)/2] ^= 1
			w.refused("/calls?cursor="+string(forged), 422, "cursor")
		}
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(ids)))); pages != 5 || len(ids) != 31 || n != 31 {
		t.Errorf("%d pages, %d calls, %d different ones", pages, len(ids), n)
	}
}

func TestMetricsAreGroupedAndBounded(t *testing.T) {
	w := newWorld(t, nil)
	got := w.get("/metrics/calls?" + november + "&group_by=day,agent_name&limit=1")
	var n numbers
	if err := json.Unmarshal([]byte(got.text), &n); err != nil {
		t.Fatal(err)
	}
	if len(n.Rows) != 1 || n.Rows[0]["day"] != "2026-11-02" || n.Rows[0]["calls"] != 12.0 || n.Rows[0]["minutes"] != 12.0 || !n.More || len(n.Columns) != 4 || n.Columns[3].Unit != "minutes" {
		t.Errorf("got %s", got.text)
	}
	if got := w.get("/metrics/unanswered_questions?" + november + "&limit=1").json["rows"].([]any)[0].(map[string]any); got["asked"] != 31.0 || got["question"] != "is the garage open at night" {
		t.Errorf("got %v", got)
	}
	for _, m := range w.get("/metrics").json["metrics"].([]any) {
		name := m.(map[string]any)["name"].(string)
		if rows := w.get("/metrics/" + name + "?" + november).json["rows"].([]any); len(rows) == 0 && name != "action_items" {
			t.Errorf("%s has no rows", name)
		}
	}
	w.refused("/metrics/nosuch", 404, "no such metric")
	w.refused("/metrics/calls?group_by=tenant", 400, "group_by takes")
	w.refused("/metrics/calls?group_by=", 400, "group_by takes")
	w.refused("/metrics/calls?group_by=question", 422, "can't be grouped")
	w.refused("/metrics/calls?group_by=day,day", 400, "different")
	w.refused("/metrics/calls?group_by=day,week,month,hour,source", 400, "at most 4")
	w.refused("/metrics/calls?group_by="+url.QueryEscape("day; DROP TABLE x"), 400, "group_by takes")
	w.refused("/metrics/calls?limit=1001", 400, "1 to 1000")
}

func TestOnlyTheTokensTenantAndScope(t *testing.T) {
	w := newWorld(t, nil)
	acme := w.token("acme", "acme", time.Time{}, Scopes...)
	if a := w.do("GET", "/phonely/events/call-00", acme); a.json["summary"] != "of another tenant" {
		t.Errorf("acme sees %s", a.text)
	}
	if a := w.do("GET", "/phonely/events/call-01", acme); a.status != 404 {
		t.Errorf("acme sees %s", a.text)
	}
	if a := w.do("GET", "/calls?"+november, acme); a.json["total"] != 1.0 {
		t.Errorf("acme finds %s", a.text)
	}
	if a := w.do("GET", "/metrics/calls?"+november, acme); !strings.Contains(a.text, `"calls":1`) {
		t.Errorf("acme counts %s", a.text)
	}
	paths := map[Scope][]string{ScopeEvents: {"/phonely/events/call-00", "/phonely/events?latest=1"}, ScopeCalls: {"/calls"}, ScopeMetrics: {"/metrics", "/metrics/calls"}}
	for scope := range paths {
		token := w.token("only-"+string(scope), "default", time.Time{}, scope)
		for needs, list := range paths {
			for _, path := range list {
				a := w.do("GET", path, token)
				if needs == scope && a.status != 200 {
					t.Errorf("%s with %s: %d %s", path, scope, a.status, a.text)
				}
				if needs != scope {
					w.problem(path, a, 403, string(needs))
					if h := a.header.Get("WWW-Authenticate"); !strings.Contains(h, `error="insufficient_scope", scope="`+string(needs)) {
						t.Errorf("challenge %q", h)
					}
				}
			}
		}
	}
}

func TestTokensThatAreNotValid(t *testing.T) {
	w := newWorld(t, nil)
	gone := w.token("gone", "default", time.Now().Add(-time.Second), Scopes...)
	w.problem("none", w.do("GET", "/calls", ""), 401, "Authorization: Bearer")
	w.problem("basic", w.do("GET", "/calls", "", "Authorization", "Basic eDp5"), 401, "Authorization: Bearer")
	for _, token := range []string{"x", gone, w.all + "x", w.all[:len(w.all)-1], hash(w.all)} {
		a := w.do("GET", "/calls", token)
		w.problem("wrong", a, 401, "not valid")
		if a.header.Get("WWW-Authenticate") != `Bearer realm="postcall", error="invalid_token"` {
			t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
		}
	}
	if err := os.WriteFile(w.tok.path, []byte("broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tok.reload(); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("got %v", err)
	}
	w.get("/calls") // those before are still valid
	if err := os.WriteFile(w.tok.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tok.reload(); err != nil {
		t.Fatal(err)
	}
	w.refused("/calls", 401, "not valid") // revoked
}

func TestATokenHasItsRate(t *testing.T) {
	w := newWorld(t, func(c *connector.APIConfig) { c.Rate = 1 })
	other := w.token("other", "default", time.Time{}, ScopeMetrics)
	statuses := map[int]int{}
	for range 8 {
		a := w.do("GET", "/metrics", w.all)
		if statuses[a.status]++; a.status == 429 && a.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	}
	if statuses[200] < 4 || statuses[200] > 5 || statuses[200]+statuses[429] != 8 {
		t.Errorf("got %v", statuses)
	}
	if a := w.do("GET", "/metrics", other); a.status != 200 {
		t.Errorf("another token waits too: %d", a.status)
	}
}

func TestAnAnswerThatTheClientHas(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/phonely/events/call-00", "/phonely/events?latest=2", "/calls?query=garage", "/metrics", "/metrics/calls", openAPIPath} {
		a := w.get(path)
		tag := a.header.Get("ETag")
		if tag == "" || tag != w.get(path).header.Get("ETag") || a.header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%s: %v", path, a.header)
		}
		for _, header := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			if a := w.do("GET", path, w.all, "If-None-Match", header); a.status != 304 || a.text != "" || a.header.Get("ETag") != tag {
				t.Errorf("%s, %s: %d %s", path, header, a.status, a.text)
			}
		}
		if a := w.do("GET", path, w.all, "If-None-Match", `"other"`); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
		if h := w.do("HEAD", path, w.all); h.status != 200 || h.text != "" || h.header.Get("Content-Length") != fmt.Sprint(len(a.text)) {
			t.Errorf("HEAD %s: %d %s", path, h.status, h.text)
		}
		if p := w.do("POST", path, w.all); p.status != 405 || p.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d", path, p.status)
		}
	}
}

func TestAStoreThatIsNotEnabled(t *testing.T) {
	w := newWorld(t, func(c *connector.APIConfig) { c.ClickHouse.Addr = nil })
	w.refused("/metrics", 501, "POSTCALL_API_CLICKHOUSE_ADDR")
	w.refused("/metrics/calls", 501, "ClickHouse is not enabled")
	w.get("/calls")
	w = newWorld(t, func(c *connector.APIConfig) { c.Elasticsearch.URL = nil })
	w.refused("/phonely/events/call-00", 501, "POSTCALL_API_ELASTICSEARCH_URL")
	w.refused("/phonely/events?latest=1", 501, "")
	w.refused("/calls", 501, "")
	w.get("/metrics/calls")
	if _, err := Open(connector.Config{}, nil, ""); err == nil || !strings.Contains(err.Error(), "POSTCALL_API_CLICKHOUSE_ADDR") {
		t.Errorf("without a store: %v", err)
	}
}

func TestAStoreThatIsAway(t *testing.T) {
	w := newWorld(t, func(c *connector.APIConfig) {
		c.ClickHouse.Addr, c.Elasticsearch.URL = []string{"127.0.0.1:1"}, []string{"http://127.0.0.1:1"}
	})
	for _, path := range []string{"/calls?query=secretword", "/metrics/calls", "/phonely/events/secretword"} {
		a := w.do("GET", path, w.all)
		w.problem(path, a, 503, "no answer now")
		if a.header.Get("Retry-After") != "5" || strings.Contains(a.text, "127.0.0.1") {
			t.Errorf("%s: %s", path, a.text)
		}
	}
	if log := w.logs.String(); strings.Contains(log, "secretword") || strings.Count(log, "could not be answered") != 3 {
		t.Errorf("the log says\n%s", log)
	}
	if err := w.a.Ping(t.Context()); err == nil {
		t.Error("ready without a store")
	}
}

func TestOnlySoManyAtOnce(t *testing.T) {
	w := newWorld(t, func(c *connector.APIConfig) { c.MaxRequests = 1 })
	done, err := w.a.take()
	if err != nil {
		t.Fatal(err)
	}
	w.refused("/calls", 503, "busy")
	done()
	w.get("/calls")
}

// Where the operator says so, calls that nothing redacted are shown too.
func TestUnredactedCallsAreShownOnRequestAlone(t *testing.T) {
	w := newWorld(t, func(c *connector.APIConfig) { c.RedactedBy = nil })
	if got := w.get("/phonely/events/plain").json["summary"]; got != "never redacted" {
		t.Errorf("got %v", got)
	}
	if got := w.get("/calls?" + november).json["total"]; got != 33.0 {
		t.Errorf("got %v", got)
	}
	w = newWorld(t, nil)
	if got := w.get("/calls?" + november + "&query=redacted"); strings.Contains(got.text, "never redacted") {
		t.Errorf("got %s", got.text)
	}
	if got := w.get("/metrics/calls?" + november).text; !strings.Contains(got, `"calls":32`) {
		t.Errorf("got %s", got)
	}
}

func TestTheFileOfTokens(t *testing.T) {
	dir := t.TempDir()
	good := "a default events,calls sha256:" + strings.Repeat("0", 64)
	f := func(text, want string) {
		t.Helper()
		path := filepath.Join(dir, "t")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := openTokens(path, 1)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "zz")) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	f("# comment\n\n"+good+" # why\n", "")
	f(good+" 2030-01-01T00:00:00Z", "")
	f(good+"\nzz", "line 2: a line is")
	f(good+"\n"+good, "line 2: its name or its hash is there twice")
	f("zz default everything sha256:"+strings.Repeat("0", 64), "scopes are of events,calls,metrics")
	f("a default events postcall_zz", "the token itself does not belong here")
	f("zz! default events sha256:"+strings.Repeat("0", 64), "a name is")
	f(good+" zz", "the end is a time")
	if _, err := openTokens("", 1); err == nil || !strings.Contains(err.Error(), "POSTCALL_API_TOKENS is empty") {
		t.Errorf("got %v", err)
	}
	if _, err := openTokens(filepath.Join(dir, "none"), 1); err == nil || !strings.Contains(err.Error(), "can't be opened") {
		t.Errorf("got %v", err)
	}
}
