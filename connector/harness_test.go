package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/postcall/postcall/transforms"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		os.Exit(killedForget(dir))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if builtPlugins != "" {
			_ = os.RemoveAll(builtPlugins)
		}
		os.Exit(code)
	}))
}

// store is a Loader that remembers what was loaded; its hooks make it fail. It stands in for faults only: the real
// engines have their own packages.
type store struct {
	load  func(Batch) error // before remembering; nil succeeds
	check func() error

	mu     sync.Mutex
	loads  map[string]int // by token
	events map[string]int // by "tenant/callId@version": how many loads with a new token brought it
	newest map[string]int64
}

func newStore() *store {
	return &store{loads: map[string]int{}, events: map[string]int{}, newest: map[string]int64{}}
}

func (s *store) Load(_ context.Context, b Batch) error {
	var partial *PartialError
	if s.load != nil {
		if err := s.load(b); err != nil && !errors.As(err, &partial) {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if partial == nil {
		s.loads[b.Token]++
	}
	if s.loads[b.Token] > 1 {
		return nil // as ClickHouse: the same token is the same insert
	}
	for i := range b.Events {
		if partial != nil && (partial.Failed[i] != nil || partial.Retry[i] != nil) {
			continue
		}
		e := &b.Events[i]
		s.events[fmt.Sprintf("%s/%s@%d", e.Tenant, e.CallID, e.Version)]++
		s.newest[e.CallID] = max(s.newest[e.CallID], e.Version)
	}
	if partial != nil {
		return partial
	}
	return nil
}

func (s *store) Check(context.Context) error {
	if s.check != nil {
		return s.check()
	}
	return nil
}

func (s *store) has(callID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.newest[callID]
	return ok
}

func (s *store) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.newest)
}

// twice are events that were loaded by two different inserts.
func (s *store) twice() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, n := range s.events {
		if n > 1 {
			keys = append(keys, k)
		}
	}
	return keys
}

// transformFunc is a Transformer in this process.
type transformFunc func(context.Context, []transforms.Event) ([]transforms.Event, error)

func (f transformFunc) Transform(ctx context.Context, b []transforms.Event) ([]transforms.Event, error) {
	return f(ctx, b)
}

// running is a connector under test, with the real embedded streams.
type running struct {
	t      testing.TB
	url    string
	admin  string
	hook   http.Handler
	cancel context.CancelFunc
	done   chan error
	log    *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func testConfig(dir string) Config {
	return Config{
		DataDir: dir, HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", RedactKey: "0123456789abcdef0123456789abcdef",
		Timezone: "UTC", Retain: time.Hour, ShutdownTimeout: 10 * time.Second,
		Intake:    IntakeConfig{MaxBytes: 64 << 20, MaxInFlight: 16 << 20},
		Batch:     BatchConfig{MaxEvents: 500, MaxAge: 20 * time.Millisecond, MaxBytes: 256 << 20, DeadBytes: 16 << 20},
		Transform: TransformConfig{Events: 50, Concurrency: 2, Timeout: 2 * time.Second},
	}
}

// start runs a connector until the test ends or stop is called.
func start(t testing.TB, c Connector) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, cancel: cancel, done: make(chan error, 1), log: &lockedBuffer{}}
	up := make(chan struct{})
	c.Log = slog.New(slog.NewTextHandler(r.log, nil))
	c.Started = func(h, a net.Addr) {
		r.url, r.admin = "http://"+h.String()+WebhookPath, "http://"+a.String()
		close(up)
	}
	c.tap = func(h http.Handler) { r.hook = h }
	go func() { r.done <- c.Run(ctx) }()
	t.Cleanup(func() { r.stop() })
	select {
	case <-up:
	case err := <-r.done:
		r.done <- err
		t.Fatalf("connector did not start: %v\n%s", err, r.log)
	case <-time.After(30 * time.Second):
		t.Fatalf("connector did not start in 30 s\n%s", r.log)
	}
	return r
}

func (r *running) stop() {
	r.cancel()
	err := <-r.done
	r.done <- nil
	if err != nil {
		r.t.Errorf("connector ended with: %v\n%s", err, r.log)
	}
	http.DefaultClient.CloseIdleConnections()
}

func (r *running) post(body string) int {
	r.t.Helper()
	res, err := http.Post(r.url, "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		r.t.Errorf("deliver: %v", err)
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

func (r *running) deliver(callIDs ...string) {
	r.t.Helper()
	for _, id := range callIDs {
		if code := r.post(fmt.Sprintf(`{"callId":%q,"transcript":[{"role":"user","content":"hello"}]}`, id)); code != 200 {
			r.t.Errorf("call %s answered %d", id, code)
		}
	}
}

// metric is the value of a series; empty where there is none, or a counter that has counted nothing.
func (r *running) metric(name string) string {
	r.t.Helper()
	res, err := http.Get(r.admin + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, _ := io.ReadAll(res.Body)
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			value := string(bytes.TrimSpace(rest))
			if family, _, _ := strings.Cut(name, "{"); value == "0" && strings.HasSuffix(family, "_total") {
				return ""
			}
			return value
		}
	}
	return ""
}

// eventually waits until ok, which is asked often.
func (r *running) eventually(what string, ok func() bool) {
	r.t.Helper()
	r.within(20*time.Second, what, ok)
}

func (r *running) within(limit time.Duration, what string, ok func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %s: %s\n%s", limit, what, r.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func ids(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%03d", prefix, i)
	}
	return out
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func farFuture() time.Time { return time.Now().Add(1000 * time.Hour) }

func msgWith(subj string, data []byte, events string) *nats.Msg {
	return &nats.Msg{Subject: subj, Data: data, Header: nats.Header{headerEvents: {events}}}
}
