package connector

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestWebhookRefusesWithAProblemThatHelps(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.WebhookSecret = "first-secret, second-secret"
	cfg.Intake.MaxBody = 1 << 20
	s := newStore()
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	good := `{"callId":"c1"}`
	tests := []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		names                    string // what the answer must name
	}{
		{"no secret", "POST", WebhookPath, good, map[string]string{"Authorization": ""}, 401, ""},
		{"wrong secret", "POST", WebhookPath, good, map[string]string{"Authorization": "Bearer nope"}, 401, ""},
		{"basic instead of bearer", "POST", WebhookPath, good, map[string]string{"Authorization": "Basic first-secret"}, 401, ""},
		{"secret in the header", "POST", WebhookPath, good, map[string]string{"Authorization": "", SecretHeader: "first-secret"}, 200, ""},
		{"secret being rotated", "POST", WebhookPath, good, map[string]string{"Authorization": "bearer second-secret"}, 200, ""},
		{"both secrets as one", "POST", WebhookPath, good, map[string]string{"Authorization": "Bearer first-secret, second-secret"}, 401, ""},
		{"other path", "POST", "/elsewhere", good, nil, 404, "no source"},
		{"wrong method", "GET", WebhookPath, "", nil, 405, "POST"},
		{"wrong content type", "POST", WebhookPath, good, map[string]string{"Content-Type": "text/plain"}, 415, "application/json"},
		{"compressed", "POST", WebhookPath, good, map[string]string{"Content-Encoding": "br"}, 415, "gzip, deflate or zstd"},
		{"foreign charset", "POST", WebhookPath, good, map[string]string{"Content-Type": "application/json; charset=latin1"}, 415, "UTF-8"},
		{"not JSON", "POST", WebhookPath, "callId=c1", nil, 400, ""},
		{"cut short", "POST", WebhookPath, `{"callId":"c1"`, nil, 400, ""},
		{"empty", "POST", WebhookPath, "", nil, 400, ""},
		{"no callId", "POST", WebhookPath, `{"agentName":"Ann"}`, nil, 422, "callId"},
		{"callId of a wrong type", "POST", WebhookPath, `{"callId":{"secret":"4111111111111111"}}`, nil, 422, "callId"},
		{"wrong type deep inside", "POST", WebhookPath, `{"callId":"c1","keyPoints":["a",7]}`, nil, 422, "keyPoints/1"},
		{"10 MB", "POST", WebhookPath, `{"callId":"` + strings.Repeat("x", 10<<20) + `"}`, nil, 413, "POSTCALL_INTAKE_MAX_BODY"},
		{"good", "POST", WebhookPath, good, nil, 200, "c1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(tt.method, strings.TrimSuffix(r.url, WebhookPath)+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer first-secret")
			for k, v := range tt.header {
				req.Header.Set(k, v)
				if v == "" {
					req.Header.Del(k)
				}
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			answer, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status || !strings.Contains(string(answer), tt.names) {
				t.Errorf("answered %d %s, want %d naming %q", res.StatusCode, answer, tt.status, tt.names)
			}
			if tt.status == 200 {
				return
			}
			var p problem
			if err := json.Unmarshal(answer, &p); err != nil || p.RequestID != res.Header.Get(RequestIDHeader) || p.Status != tt.status || p.Title == "" || res.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("not a problem+json: %s (%v)", answer, err)
			}
		})
	}
	for _, secret := range []string{"4111111111111111", "first-secret", "nope"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
	if got := r.metric(`postcall_webhook_refused_total{reason="secret"}`); got != "4" {
		t.Errorf("refused for the secret counts %q, want 4", got)
	}
}

func TestChunkedBodyIsTakenAndBounded(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Intake.MaxBody = 4 << 10
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}})
	for body, want := range map[string]int{
		`{"callId":"c1"}`: 200,
		`{"callId":"c2","summary":"` + strings.Repeat("x", 8<<10) + `"}`: 413,
	} {
		res, err := http.Post(r.url, "application/json", struct{ io.Reader }{strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%d bytes in chunks answered %d, want %d", len(body), res.StatusCode, want)
		}
	}
}

func TestHealthSaysWhatItMeans(t *testing.T) {
	s := newStore()
	s.check = func() error { return Paused(io.ErrUnexpectedEOF) }
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1")
	for _, path := range []string{"/livez", "/readyz", "/metrics"} { // with the store unusable
		res, err := http.Get(r.admin + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%s answered %d", path, res.StatusCode)
		}
	}
}

// A body that was let in but can't be mapped is answered 4xx, and kept.
func TestRefusedBodyIsKept(t *testing.T) {
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", newStore(), 1}}})
	if code := r.post(`{"callId":["not a string"]}`); code != 422 {
		t.Fatalf("answered %d", code)
	}
	if got := r.metric(`postcall_events_dead_total{sink="",stage="webhook"}`); got != "1" {
		t.Errorf("refused bodies kept: %q, want 1", got)
	}
}
