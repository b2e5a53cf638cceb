package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/connector/elastic"
	"github.com/postcall/postcall/transforms"
)

// noon is when the calls of these tests begin.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// november is the time that has them all.
const november = "from=2026-11-01&to=2026-12-01"

// The engines' own database and index, made once for all tests: they only read.
var stores = sync.OnceValues(func() (connector.Config, error) {
	name := "api_" + strings.ToLower(rand.Text()[:12])
	var cfg connector.Config
	for v, p := range map[string]*[]string{"POSTCALL_CLICKHOUSE_ADDR": &cfg.API.ClickHouse.Addr, "POSTCALL_ELASTICSEARCH_URL": &cfg.API.Elasticsearch.URL} {
		if os.Getenv(v) == "" {
			return cfg, fmt.Errorf("%s is not set: these tests need real engines; run `make test`, or `bin/local up -- go test ./connector/api`", v)
		}
		*p = strings.Split(os.Getenv(v), ",")
	}
	cfg.Timezone = "America/New_York"
	c := &cfg.API
	c.Rate, c.MaxRequests, c.MaxRange, c.Timeout, c.RedactedBy = 1000, 16, 366*24*time.Hour, 30*time.Second, []string{"redact-pii"}
	c.ClickHouse.Username, c.ClickHouse.Password = os.Getenv("POSTCALL_CLICKHOUSE_USERNAME"), connector.Secret(os.Getenv("POSTCALL_CLICKHOUSE_PASSWORD"))
	c.ClickHouse.Database, c.Elasticsearch.Index = name, strings.ReplaceAll(name, "_", "-")
	return cfg, fill(cfg.API)
})

func fill(cfg connector.APIConfig) error {
	ch, es := cfg.MetricsStore(), cfg.CallStore()
	m, err := clickhouse.OpenMigrator(ch)
	if err != nil {
		return err
	}
	defer m.Close()
	ctx := context.Background()
	if _, err := m.Apply(ctx); err != nil {
		return err
	}
	if _, err := elastic.Apply(ctx, es); err != nil {
		return err
	}
	l1, err := clickhouse.Open(ch)
	if err != nil {
		return err
	}
	defer l1.Close()
	l2, err := elastic.Open(es)
	if err != nil {
		return err
	}
	defer l2.Close()
	for _, l := range []connector.Loader{l1, l2} {
		if err := l.Load(ctx, connector.Batch{Token: "api", Events: sampleEvents()}); err != nil {
			return err
		}
	}
	res, err := http.Post(cfg.Elasticsearch.URL[0]+"/"+cfg.Elasticsearch.Index+"/_refresh", "application/json", nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// sampleEvents are thirty calls of the default tenant, one each of a test, of another tenant, and of one without redaction.
func sampleEvents() (all []transforms.Event) {
	for i := range 30 {
		all = append(all, sampleEvent(fmt.Sprintf("call-%02d", i), noon.Add(time.Duration(i)*time.Hour)))
	}
	hostile, long, test, other, plain := sampleEvent("hostile", noon.Add(40*time.Hour)), sampleEvent("long", noon.Add(39*time.Hour)),
		sampleEvent("a test", noon.Add(50*time.Hour)), sampleEvent("call-00", noon), sampleEvent("plain", noon.Add(60*time.Hour))
	hostile.Transcript, hostile.Summary, hostile.UnansweredQuestions = hostileTurns, hostileText, []string{hostileText}
	for i := range 40 {
		long.Transcript = append(long.Transcript, transforms.Turn{Role: "user", Content: fmt.Sprintf("turn %d %s", i+3, strings.Repeat("é", 990))})
	}
	test.IsTest = true
	other.Tenant, other.Summary = "acme", "of another tenant"
	plain.Transforms, plain.Summary = nil, "never redacted"
	return append(all, hostile, long, test, other, plain)
}

func sampleEvent(id string, at time.Time) transforms.Event {
	return transforms.Event{
		Tenant: "default", Source: "phonely", CallID: id, Version: 1, ReceivedAt: at.Add(time.Minute), CallStarted: at, AgentName: "Ava", CallDirection: "inbound",
		Duration: new(60.0), Topic: "Parking", Topics: []string{"parking"}, SentimentKind: "positive", Sentiment: "positive", AISuccess: "true", AISuccessBool: new(true),
		Summary: "Asked about the garage for " + id, UnansweredQuestions: []string{"Is the garage open at night?"}, Purpose: "Parking", EndedReason: "caller_hangup",
		Transcript: []transforms.Turn{{Role: "agent", Content: "Rivera Dental, how can I help?"}, {Role: "user", Content: "Where is your <garage>?"}},
		Extra:      json.RawMessage(`{"campaign":"autumn"}`),
		Metrics:    transforms.Metrics{Turns: 2, AgentTurns: 1, UserTurns: 1, AgentWords: 6, UserWords: 4, Hour: int32(at.Hour()), Weekday: int32(at.Weekday()), UnansweredQuestions: 1},
		Transforms: []transforms.Applied{{Name: "redact-pii", Version: "1"}},
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if cfg, err := stores(); err == nil {
		cleanUp(cfg.API)
	}
	os.Exit(code)
}

func cleanUp(c connector.APIConfig) {
	for _, path := range []string{"/" + c.Elasticsearch.Index + "-v1", "/_index_template/" + c.Elasticsearch.Index} {
		req, _ := http.NewRequest(http.MethodDelete, c.Elasticsearch.URL[0]+path, nil)
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}
	req, _ := http.NewRequest(http.MethodPost, os.Getenv("POSTCALL_TEST_CLICKHOUSE_HTTP"), strings.NewReader("DROP DATABASE IF EXISTS "+c.ClickHouse.Database))
	req.SetBasicAuth(c.ClickHouse.Username, c.ClickHouse.Password.Reveal())
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
	}
}

// world is the API over the stores, with tokens of its own.
type world struct {
	t    *testing.T
	a    *API
	tok  *tokens
	http *httptest.Server
	logs *bytes.Buffer
	all  string // a token with every scope
}

// newWorld serves the API. change can change the configuration.
func newWorld(t *testing.T, change func(*connector.APIConfig)) *world {
	t.Helper()
	cfg, err := stores()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&cfg.API)
	}
	w := &world{t: t, logs: &bytes.Buffer{}}
	if w.a, err = Open(cfg, slog.New(slog.NewTextHandler(w.logs, nil)), "1.2.3"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.a.Close() })
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte("# tokens\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w.tok, err = openTokens(path, cfg.API.Rate); err != nil {
		t.Fatal(err)
	}
	w.all = w.token("all", "default", time.Time{}, Scopes...)
	w.http = httptest.NewServer(w.a.handler(w.tok, true))
	t.Cleanup(w.http.Close)
	return w
}

// token makes a token and stores its line.
func (w *world) token(name, tenant string, expires time.Time, scopes ...Scope) string {
	w.t.Helper()
	token, line, err := NewToken(name, tenant, scopes, expires)
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := os.OpenFile(w.tok.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(line + "\n"); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.tok.reload(); err != nil {
		w.t.Fatal(err)
	}
	return token
}

// answer is one of REST.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (w *world) do(method, path, token string, header ...string) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.http.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(b)}
	_ = json.Unmarshal(b, &a.json)
	return a
}

// get asks with every scope and wants 200.
func (w *world) get(path string) answer {
	w.t.Helper()
	a := w.do(http.MethodGet, path, w.all)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s answered %d %s", path, a.status, a.text)
	}
	return a
}

// refused asks with every scope and wants a problem of that status whose detail holds a text.
func (w *world) refused(path string, status int, detail string) {
	w.t.Helper()
	a := w.do(http.MethodGet, path, w.all)
	w.problem(path, a, status, detail)
}

func (w *world) problem(path string, a answer, status int, detail string) {
	w.t.Helper()
	got, _ := a.json["detail"].(string)
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(got, detail) ||
		a.json["status"] != float64(status) || a.json["requestId"] != a.header.Get(requestIDHeader) || a.json["title"] != http.StatusText(status) {
		w.t.Errorf("%s answered %d %s, want %d with %q", path, a.status, a.text, status, detail)
	}
}
