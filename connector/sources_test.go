package connector

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/postcall/postcall/transforms"
)

const testSources = `
sources:
- {name: phonely, auth_needs: any, auth: [{type: bearer, secrets: [token]}, {type: path, secrets: [token]}]}
- {name: retell, tenant: hotel, mapping: retell, auth: [{type: retell, secrets: [token]}]}
- {name: vapi, mapping: vapi, auth: [{type: vapi, secrets: [token]}]}
- {name: elevenlabs, mapping: elevenlabs, auth: [{type: elevenlabs, secrets: [token]}]}
- name: crm
  mapping: |
    {
      callId: .id,
      agentName: .agent,
      duration: .seconds
    }
  test: .sample == true
  split: if has("calls") then .calls[] else . end
  auth: [{type: bearer, secrets: [token]}]
- {name: slow, rate: {per_second: 0.01, burst: 2}, auth: [{type: bearer, secrets: [token]}]}
- {name: near, allow: [192.0.2.0/24], auth: [{type: bearer, secrets: [token]}]}
`

const testToken = "token-of-the-tests-1"

// sourcesFile writes a file of sources beside its secrets.
func sourcesFile(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"token": testToken, "whsec": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "sources.yaml": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "sources.yaml")
}

// eventStore is a store that keeps the events.
type eventStore struct {
	*store
	mu     sync.Mutex
	events map[string]transforms.Event
}

func (l *eventStore) Load(ctx context.Context, b Batch) error {
	l.mu.Lock()
	for _, e := range b.Events {
		l.events[e.Tenant+"/"+e.CallID] = e
	}
	l.mu.Unlock()
	return l.store.Load(ctx, b)
}

func (l *eventStore) event(key string) (transforms.Event, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.events[key]
	return e, ok
}

func newEventStore() *eventStore {
	return &eventStore{store: newStore(), events: map[string]transforms.Event{}}
}

func (r *running) base() string { return strings.TrimSuffix(r.url, WebhookPath) }

// send posts a body with headers, given as name, value, name, value.
func (r *running) send(path, body string, headers ...string) (int, string, http.Header) {
	r.t.Helper()
	req, err := http.NewRequest("POST", r.base()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, _ := io.ReadAll(res.Body)
	return res.StatusCode, strings.TrimSpace(string(answer)), res.Header
}

var withToken = []string{"Authorization", "Bearer " + testToken}

// The vendors' bodies, signed as the vendors sign, become events of their tenants.
func TestEveryShippedSourceBecomesAnEvent(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Sources = sourcesFile(t, testSources)
	set, err := cfg.OpenSources()
	if err != nil {
		t.Fatal(err)
	}
	s := newEventStore()
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	for file, key := range map[string]string{
		"retell.json": "hotel/call_a4441234567890777c4a4a123e6", "retell-outbound.json": "hotel/call_outbound_1",
		"vapi.json": "default/0f8fad5b-d9cb-469f-a165-70867728950e", "vapi-text-only.json": "default/call-2",
		"elevenlabs.json": "default/conv_01jv8example", "phonely.json": "default/c-1", "phonely-assistant.json": "default/c-2",
	} {
		body, err := os.ReadFile("source/testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(file, ".json"), "-")
		src := set.Named(name)
		deliver := func() {
			req, err := http.NewRequest("POST", r.base()+src.Route, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if err := src.Sign(req, body, time.Now()); err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if _, id, _ := strings.Cut(key, "/"); res.StatusCode != 200 || !strings.Contains(string(answer), `"callId":"`+id+`"`) {
				t.Errorf("%s answered %d %s", file, res.StatusCode, answer)
			}
		}
		deliver()
		deliver() // a repetition, and for the signed ones a replay within the window: harmless
		r.eventually(key+" is loaded", func() bool { _, ok := s.event(key); return ok })
		e, _ := s.event(key)
		if e.Source != name || e.CallStarted.Year() != 2026 && !strings.HasPrefix(file, "phonely-a") || len(e.Transcript) == 0 && file != "retell-outbound.json" {
			t.Errorf("%s became %+v", file, e)
		}
	}
	e, _ := s.event("hotel/call_a4441234567890777c4a4a123e6")
	if e.BusinessPhoneNumber != "+14155550100" || *e.Duration != 69.5 || !*e.AISuccessBool || e.SentimentKind != "positive" {
		t.Errorf("retell: %+v", e)
	}
	if n := s.calls(); n != 7 {
		t.Errorf("%d calls, want 7", n)
	}
	code, answer, _ := r.send("/hooks/vapi", `{"message":{"type":"status-update"}}`, "X-Vapi-Secret", testToken)
	if code != 200 || answer != `{"status":"ignored"}` {
		t.Errorf("another message answered %d %s", code, answer)
	}
}

func TestWhatAMappedSourceAnswers(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Sources = sourcesFile(t, testSources)
	s := newEventStore()
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	tests := []struct {
		name, path, body string
		header           []string
		status           int
		want             string // the answer, without its request id
	}{
		{"mapped", "/hooks/crm", `{"id":"m1","agent":"Ann","seconds":12}`, withToken, 200, `{"status":"stored","callId":"m1"}`},
		{"a test", "/hooks/crm", `{"id":"m2","sample":true}`, withToken, 200, `{"status":"stored","callId":"m2","test":true}`},
		{
			"a test with wrong fields", "/hooks/crm", `{"id":"{{callId}}","seconds":"{{duration}}","sample":true}`, withToken, 200,
			`{"status":"test","test":true,"errors":[{"pointer":"/duration","detail":"found a string that is no duration; send seconds as a number from 0 to 2592000 (source crm sets it on line 4 of its mapping)"}]}`,
		},
		{
			"every wrong field", "/hooks/crm", `{"id":7,"seconds":"soon"}`, withToken, 422,
			`"errors":[{"pointer":"/callId","detail":"found a number; send the id of the call as a string of 1 to 512 bytes (source crm sets it on line 2 of its mapping)"},` +
				`{"pointer":"/duration","detail":"found a string that is no duration; send seconds as a number from 0 to 2592000 (source crm sets it on line 4 of its mapping)"}]`,
		},
		{"not signed", "/hooks/retell", `{"event":"call_analyzed","call":7}`, nil, 401, `"status":401`},
		{
			"several, one bad", "/hooks/crm", `{"calls":[{"id":"m3"},{"agent":"Ann"},{"id":"m4","sample":true}]}`, withToken, 200,
			`{"status":"stored","events":[{"index":0,"status":"stored","callId":"m3"},{"index":1,"status":"refused","errors":[{"pointer":"/callId",` +
				`"detail":"found no value; send the id of the call: it is the one field that is required (source crm sets it on line 2 of its mapping)"}]},` +
				`{"index":2,"status":"stored","callId":"m4","test":true}]}`,
		},
		{"several, all bad", "/hooks/crm", `{"calls":[{"id":1},{"agent":"Ann"}]}`, withToken, 422, `"event":1`},
		{"an array", WebhookPath, `[{"callId":"p1"},{"callId":"p2"}]`, withToken, 200, `{"status":"stored","events":[{"index":0,"status":"stored","callId":"p1"},{"index":1,"status":"stored","callId":"p2"}]}`},
		{
			"lines", WebhookPath, "{\"callId\":\"p3\"}\n{\"callId\":\n\n{\"callId\":\"p4\"}", append([]string{"Content-Type", "application/x-ndjson"}, withToken...), 200,
			`{"status":"stored","events":[{"index":0,"status":"stored","callId":"p3"},{"index":1,"status":"refused","errors":[{"pointer":"/callId","detail":"found the end of the body; send the whole JSON object"}]},{"index":2,"status":"stored","callId":"p4"}]}`,
		},
		{"an empty array", WebhookPath, `[]`, withToken, 422, "an array without an event"},
		{"the sender's own flag", WebhookPath, `{"callId":"p5","isTest":"yes"}`, withToken, 200, `{"status":"stored","callId":"p5","test":true}`},
		{"a secret in the path", WebhookPath + "/" + testToken, `{"callId":"p6"}`, nil, 200, `{"status":"stored","callId":"p6"}`},
		{"a wrong secret in the path", WebhookPath + "/" + testToken + "2", `{"callId":"p7"}`, nil, 401, `"status":401`},
		{"from afar", "/hooks/near", `{"callId":"p8"}`, withToken, 403, `{"type":"about:blank","title":"Forbidden","status":403,"requestId":"`},
		{"no source", "/hooks/nobody", `{"callId":"p9"}`, withToken, 404, `"status":404`},
		{"at the rate", "/hooks/slow", `{"callId":"s1"}`, withToken, 200, `{"status":"stored","callId":"s1"}`},
		{"at the rate still", "/hooks/slow", `{"callId":"s2"}`, withToken, 200, `{"status":"stored","callId":"s2"}`},
		{"above the rate", "/hooks/slow", `{"callId":"s3"}`, withToken, 429, `"status":429`},
		{"a stranger above the rate", "/hooks/slow", `{"callId":"s3"}`, nil, 401, `"status":401`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer, h := r.send(tt.path, tt.body, tt.header...)
			if status != tt.status || !strings.Contains(answer, tt.want) {
				t.Errorf("answered %d %s\nwant %d %s", status, answer, tt.status, tt.want)
			}
			if status == 429 && h.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
	for key, test := range map[string]bool{"default/m1": false, "default/m2": true, "default/m3": false, "default/m4": true, "default/p1": false, "default/p4": false, "default/p5": true} {
		r.eventually(key+" is loaded", func() bool { _, ok := s.event(key); return ok })
		if e, _ := s.event(key); e.IsTest != test {
			t.Errorf("%s: test %t", key, e.IsTest)
		}
	}
	// Each refused event is a dead letter of its own: two wrong fields in one, one of three, both of two, a line, an array.
	if got := r.metric(`postcall_events_dead_total{sink="",stage="webhook"}`); got != "6" {
		t.Errorf("kept %s refused bodies, want 6", got)
	}
	for _, secret := range []string{testToken, "Ann", "{{callId}}"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}

// What was stored under a source that is gone is held, with the reason, and comes back with the source.
func TestASourceThatIsGoneLosesNothing(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Sources = sourcesFile(t, testSources)
	cfg.MaxDeadShare = 0
	gate := make(chan struct{})
	wait := transformFunc(func(ctx context.Context, b []transforms.Event) ([]transforms.Event, error) {
		select {
		case <-gate:
			return b, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	cfg.ShutdownTimeout = 2 * time.Second
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newEventStore(), 1}}, Transforms: []Transform{{"wait", wait}}})
	if code, answer, _ := r.send("/hooks/crm", `{"id":"gone-1","agent":"Ann"}`, withToken...); code != 200 {
		t.Fatalf("answered %d %s", code, answer)
	}
	r.cancel()
	<-r.done // with the event still in the intake
	r.done <- nil

	without := cfg
	without.Sources = ""
	s := newEventStore()
	r = start(t, Connector{Config: without, Sinks: []Sink{{"a", s, 1}}})
	r.eventually("the event is held", func() bool { return r.metric(`postcall_events_dead_total{sink="",stage="normalize"}`) == "1" })
	r.stop()

	r = start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	o, err := OpenOperator(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	var held []DeadLetter
	if err := o.Dead(t.Context(), DeadFilter{}, func(l *DeadLetter) error { held = append(held, *l); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(held) != 1 || !strings.Contains(held[0].Reason, "its source is not in POSTCALL_SOURCES any more") || held[0].Source != "crm" {
		t.Fatalf("held: %+v", held)
	}
	if err := o.ReplayDead(t.Context(), &held[0], nil); err != nil {
		t.Fatal(err)
	}
	r.eventually("the event is loaded", func() bool { e, ok := s.event("default/gone-1"); return ok && e.AgentName == "Ann" })
}

func TestCompressedBodies(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Intake.MaxBody = 64 << 10
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}})
	good := []byte(`{"callId":"c1","summary":"` + strings.Repeat("a", 20<<10) + `"}`)
	bomb := append(bytes.Repeat([]byte(" "), 10<<20), good...)
	pack := func(encoding string, b []byte) string {
		var out bytes.Buffer
		var w io.WriteCloser
		switch encoding {
		case "gzip":
			w = gzip.NewWriter(&out)
		case "deflate":
			w = zlib.NewWriter(&out)
		default:
			w, _ = zstd.NewWriter(&out)
		}
		_, _ = w.Write(b)
		_ = w.Close()
		return out.String()
	}
	for _, encoding := range []string{"gzip", "deflate", "zstd"} {
		for name, tt := range map[string]struct {
			body string
			want int
		}{
			"good":       {pack(encoding, good), 200},
			"bomb":       {pack(encoding, bomb), 413},
			"cut short":  {pack(encoding, good)[:30], 400},
			"not packed": {string(good), 400},
			"empty":      {"", 400},
		} {
			if code, answer, _ := r.send(WebhookPath, tt.body, "Content-Encoding", encoding); code != tt.want {
				t.Errorf("%s, %s: answered %d %s, want %d", encoding, name, code, answer, tt.want)
			}
		}
	}
	if code, _, _ := r.send(WebhookPath, string(good), "Content-Encoding", "gzip, gzip"); code != 415 {
		t.Errorf("packed twice answered %d", code)
	}
}

// The built-in source's secret is read again from its file, as those of POSTCALL_SOURCES are.
func TestTheBuiltInSecretIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	put(t, file, []byte("first-secret"))
	environment(t, "POSTCALL_WEBHOOK_SECRET_FILE="+file)
	cfg, err := LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	loaded := cfg
	cfg = testConfig(t.TempDir())
	cfg.WebhookSecret, cfg.webhookSecretFile = loaded.WebhookSecret, loaded.webhookSecretFile
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}})
	try := func(secret string) int {
		code, _, _ := r.send(WebhookPath, `{"callId":"a"}`, "Authorization", "Bearer "+secret)
		return code
	}
	if code := try("first-secret"); code != 200 {
		t.Fatalf("answered %d", code)
	}
	put(t, file, []byte("first-secret,second-secret"))
	r.eventually("the second secret is taken", func() bool { return try("second-secret") == 200 })
	put(t, file, []byte("second-secret"))
	r.eventually("the first secret is refused", func() bool { return try("first-secret") == 401 })
}

func TestAnOpenSourceNeedsLoopback(t *testing.T) {
	cfg := testConfig(t.TempDir())
	for _, tt := range []struct {
		addr, sources string
		allow         bool
		want          string
	}{
		{"127.0.0.1:0", "", false, ""},
		{"0.0.0.0:0", "", false, "anyone could deliver to phonely"},
		{"0.0.0.0:0", "", true, ""},
		{"0.0.0.0:0", "sources:\n- {name: acme}\n- {name: other, allow: [192.0.2.1]}", false, "anyone could deliver to acme, and"},
		{"0.0.0.0:0", "sources:\n- {name: acme, auth: [{type: bearer, secrets: [token]}]}", false, ""},
	} {
		cfg.HTTPAddr, cfg.HTTP.AllowUnauthenticated, cfg.Sources = tt.addr, tt.allow, ""
		if tt.sources != "" {
			cfg.Sources = sourcesFile(t, tt.sources)
		}
		_, err := cfg.OpenSources()
		if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// The shipped mappings' events are ones that the normalizer takes, whole.
func TestShippedMappingsMakeCanonicalEvents(t *testing.T) {
	files, err := filepath.Glob("source/testdata/*.golden.json")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e, err := testNormalizer.Normalize(body, "default", "x", testReceived)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		b, err := e.CanonicalJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_ = json.Indent(&out, b, "", "  ")
		out.WriteByte('\n')
		golden := filepath.Join("testdata/sources", strings.TrimSuffix(filepath.Base(file), ".golden.json")+".json")
		if *update {
			_ = os.MkdirAll(filepath.Dir(golden), 0o755)
			if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("%s: %s", golden, diff)
		}
	}
}
