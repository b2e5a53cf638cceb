package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

const password = "correct horse battery"

// hostile is what a sender, or a store that quotes one, may put into any text.
const hostile = `"><script>alert(1)</script><a href='javascript:alert(2)' onclick=alert(3)>{{.}}`

// pipeline stands in for a running connector.
type pipeline struct {
	letter   *connector.DeadLetter
	event    *transforms.Event
	body     string
	status   connector.Status
	here     connector.Here
	calls    []connector.LatestCall
	looks    int
	fails    error
	purged   int
	replayed int
}

func (p *pipeline) Status(context.Context) (*connector.Status, error) {
	p.looks++
	s := p.status
	s.At, s.Sinks = time.Now().UTC(), slices.Clone(s.Sinks)
	return &s, p.fails
}

func (p *pipeline) Here() connector.Here { return p.here }

func (p *pipeline) Latest(context.Context, int) ([]connector.LatestCall, error) { return p.calls, nil }

func (p *pipeline) Dead(_ context.Context, filter connector.DeadFilter, f func(*connector.DeadLetter) error) error {
	if p.letter == nil || p.letter.State != "" && !filter.Closed {
		return nil
	}
	return f(p.letter)
}

func (p *pipeline) DeadLetter(_ context.Context, stage, id string) (*connector.DeadLetter, error) {
	if p.letter == nil || p.letter.ID != id || p.letter.Stage != stage {
		return nil, connector.ErrNoDeadLetter
	}
	l := *p.letter
	return &l, nil
}

func (p *pipeline) DeadEvent(*connector.DeadLetter) (*transforms.Event, error) { return p.event, nil }

func (p *pipeline) DeadBody(*connector.DeadLetter) ([]byte, error) { return []byte(p.body), nil }

func (p *pipeline) PurgeDead(context.Context, *connector.DeadLetter) error {
	p.purged++
	p.letter.State = connector.DeadPurged
	return nil
}

func (p *pipeline) Replay(context.Context, *connector.DeadLetter) error {
	p.replayed++
	return p.fails
}

// site is a console with its pipeline.
type site struct {
	t *testing.T
	p *pipeline
	h http.Handler
}

func newSite(t *testing.T, p *pipeline) *site {
	return &site{t, p, New(connector.Config{Console: connector.ConsoleConfig{Password: password}}, p, slog.New(slog.DiscardHandler))}
}

// ask answers a request of somebody who knows the password; headers are "Name: value".
func (s *site) ask(method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://admin.test"+path, nil)
	r.SetBasicAuth("anybody", password)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func dead() *connector.DeadLetter {
	return &connector.DeadLetter{ID: "0123456789abcdef01234567", Stage: connector.StageLoad, Sink: "clickhouse", Reason: hostile, CallID: hostile, Event: []byte("x"), Died: time.Now()}
}

const letterPath = "/console/dead/load/0123456789abcdef01234567"

func TestItIsOffWithoutAPassword(t *testing.T) {
	h := New(connector.Config{}, &pipeline{}, slog.New(slog.DiscardHandler))
	for _, path := range []string{"/console/", "/console/state", letterPath} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != 404 || !strings.Contains(w.Body.String(), "POSTCALL_CONSOLE_PASSWORD") || strings.Count(w.Body.String(), "\n") != 1 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestEveryRouteAsksForThePassword(t *testing.T) {
	p := &pipeline{letter: dead(), event: &transforms.Event{}}
	s := newSite(t, p)
	for _, route := range []string{"GET /console/", "GET /console/state", "GET /console/console.css", "GET /console/console.js", "GET /console/icon.svg", "GET " + letterPath, "POST " + letterPath + "/purge", "POST " + letterPath + "/replay"} {
		method, path, _ := strings.Cut(route, " ")
		f := func(want int, set func(*http.Request)) {
			t.Helper()
			r := httptest.NewRequest(method, path, nil)
			set(r)
			w := httptest.NewRecorder()
			s.h.ServeHTTP(w, r)
			if w.Code != want || want == 401 && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%s: %d %s", route, w.Code, w.Header())
			}
		}
		f(401, func(*http.Request) {})
		f(401, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+password) })
	}
	if p.looks+p.purged+p.replayed != 0 {
		t.Errorf("somebody without the password had %d looks, %d purges, %d replays", p.looks, p.purged, p.replayed)
	}
}

// Whoever guesses has ten tries, then none for a while, also with the right password; others are not kept out.
func TestWrongPasswordsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := New(connector.Config{Console: connector.ConsoleConfig{Password: password}}, &pipeline{}, slog.New(slog.NewTextHandler(&log, nil)))
		try := func(from, password string) int {
			r := httptest.NewRequest(http.MethodGet, "/console/", nil)
			r.RemoteAddr = from
			r.SetBasicAuth("postcall", password)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		began := time.Now()
		for i := range wrongBurst {
			if code := try(fmt.Sprintf("[2001:db8::%x]:80", i), password+"x"); code != 401 {
				t.Fatalf("try %d: %d", i, code)
			}
		}
		if took := time.Since(began); took < wrongBurst*wrongDelay {
			t.Errorf("the tries took %s", took)
		}
		if code := try("[2001:db8::ff]:80", password); code != 429 {
			t.Errorf("the next one of that network: %d", code)
		}
		if code := try("192.0.2.7:80", password); code != 200 {
			t.Errorf("another address: %d", code)
		}
		if out := log.String(); strings.Count(out, "level=WARN") != 1 || strings.Contains(out, password) {
			t.Errorf("the log says %s", out)
		}
		time.Sleep(2 * wrongEvery)
		if code := try("[2001:db8::ff]:80", password); code != 200 {
			t.Errorf("after a while: %d", code)
		}
	})
}

func TestAPasswordThatIsRotatedIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(password + "\n")
	t.Setenv("POSTCALL_CONSOLE_PASSWORD_FILE", file)
	cfg, err := connector.LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	a := newAuth(cfg.ConsolePassword, slog.New(slog.NewTextHandler(&log, nil)))
	now := time.Now()
	first := a.password(now)
	put("short")
	if a.password(now.Add(2*time.Second)) != first || a.password(now.Add(4*time.Second)) != first || strings.Count(log.String(), "level=ERROR") != 1 {
		t.Errorf("one that can't be used is used, or not told of once: %s", log.String())
	}
	put("another password")
	if a.password(now.Add(6*time.Second)) == first {
		t.Error("the old one is still valid")
	}
}

func TestEveryAnswerForbidsWhatThePageDoesNotNeed(t *testing.T) {
	s := newSite(t, &pipeline{letter: dead(), event: &transforms.Event{}})
	for _, path := range []string{"/console/", "/console/state", "/console/console.js", letterPath, "/console/none"} {
		h := s.ask(http.MethodGet, path).Header()
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(h.Get("Content-Security-Policy"), want) {
				t.Errorf("%s: the policy lacks %s", path, want)
			}
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// What the policy forbids is not there either: no inline script or style, and nothing of another origin.
func TestPagesAreOfThisOriginAlone(t *testing.T) {
	s := newSite(t, &pipeline{letter: dead(), event: &transforms.Event{}})
	for _, path := range []string{"/console/", letterPath, letterPath + "?confirm=purge"} {
		page := s.ask(http.MethodGet, path).Body.String()
		if m := regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script>|(src|href|action)="(https?:)?//|javascript:`).FindString(strings.NewReplacer(htmlOf(hostile), "").Replace(page)); m != "" {
			t.Errorf("%s holds %q", path, m)
		}
	}
}

// htmlOf is a text as html/template writes it.
func htmlOf(text string) string {
	return strings.NewReplacer("&", "&amp;", `"`, "&#34;", "'", "&#39;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func TestHostileTextsStayTexts(t *testing.T) {
	l := dead()
	l.Sink = hostile
	p := &pipeline{letter: l, event: &transforms.Event{CallID: hostile, Summary: hostile, Transforms: []transforms.Applied{{Name: "redact-pii"}}}}
	p.status.Sinks = []connector.SinkStatus{{Name: "clickhouse"}}
	p.here = connector.Here{Pod: hostile, Refusing: hostile, Sinks: []connector.SinkHere{{Name: "clickhouse", State: connector.SinkPaused, Why: hostile}}}
	p.calls = []connector.LatestCall{{CallID: hostile, AgentName: hostile, Topic: hostile, Sentiment: hostile, EndedReason: hostile, Transforms: []transforms.Applied{{Name: hostile}}}}
	s := newSite(t, p)
	for path, least := range map[string]int{"/console/": 9, "/console/state": 9, letterPath: 3, letterPath + "?confirm=replay": 3, "/console/?done=" + "%3Cscript%3E": 9} {
		page := s.ask(http.MethodGet, path).Body.String()
		if strings.Contains(page, "<script>alert") || strings.Contains(page, "<a href='javascript") {
			t.Errorf("%s holds the script", path)
		}
		if n := strings.Count(page, "&lt;script&gt;alert(1)"); n < least {
			t.Errorf("%s shows the text %d times, want %d", path, n, least)
		}
	}
}

func TestWhatChangesSomethingComesFromThePage(t *testing.T) {
	for _, act := range []string{"purge", "replay"} {
		f := func(want int, headers ...string) {
			t.Helper()
			p := &pipeline{letter: dead()}
			w := newSite(t, p).ask(http.MethodPost, letterPath+"/"+act, headers...)
			if done := p.purged+p.replayed == 1; w.Code != want || done != (want == 303) {
				t.Errorf("%s with %v: %d, done %t", act, headers, w.Code, done)
			}
		}
		f(303, "Sec-Fetch-Site: same-origin")
		f(303, "Origin: http://admin.test")
		f(303) // no browser
		f(403, "Sec-Fetch-Site: cross-site")
		f(403, "Sec-Fetch-Site: same-site")
		f(403, "Origin: http://evil.test")
		f(403, "Origin: null")
	}
	p := &pipeline{letter: dead()}
	s := newSite(t, p)
	if w := s.ask(http.MethodGet, letterPath+"/purge"); w.Code != 405 || p.purged != 0 {
		t.Errorf("GET: %d, %d purged", w.Code, p.purged)
	}
	if w := s.ask(http.MethodPost, letterPath+"/erase"); w.Code != 404 {
		t.Errorf("another act: %d", w.Code)
	}
}

// Without script a form brings the same: the letter, the question with Cancel first, the outcome.
func TestItWorksWithoutScript(t *testing.T) {
	p := &pipeline{letter: dead(), event: &transforms.Event{CallID: "c1", Transforms: []transforms.Applied{{Name: "redact-pii"}}}}
	s := newSite(t, p)
	if page := s.ask(http.MethodGet, "/console/").Body.String(); !strings.Contains(page, `href="`+letterPath+`"`) {
		t.Error("the list has no link to the letter")
	}
	if page := s.ask(http.MethodGet, letterPath).Body.String(); !strings.Contains(page, `name="confirm" value="purge"`) || strings.Contains(page, `method="post"`) {
		t.Errorf("the letter can be purged without a question, or not at all\n%s", page)
	}
	page := s.ask(http.MethodGet, letterPath+"?confirm=purge").Body.String()
	cancel, post := strings.Index(page, `<button autofocus id="cancel">`), strings.Index(page, `<form method="post" action="`+letterPath+`/purge"`)
	if cancel < 0 || post < cancel {
		t.Errorf("it does not ask, or Cancel is not first\n%s", page)
	}
	w := s.ask(http.MethodPost, letterPath+"/purge")
	if w.Code != 303 || w.Header().Get("Location") != "/console/?done=purge" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if page := s.ask(http.MethodGet, "/console/?done=purge").Body.String(); !strings.Contains(page, "The dead letter is purged.") || !strings.Contains(page, "Nothing is held back.") {
		t.Errorf("the outcome is not told\n%s", page)
	}
	if w := s.ask(http.MethodPost, letterPath+"/purge"); w.Code != 409 || p.purged != 1 {
		t.Errorf("a second purge: %d, %d times", w.Code, p.purged)
	}
	if w := s.ask(http.MethodGet, "/console/dead/load/000000000000000000000000"); w.Code != 404 {
		t.Errorf("another letter: %d", w.Code)
	}
}

// A store that is done with a batch lacks what it refused of it, also after nobody holds that any more.
func TestACallIsNotSaidToBeWhereItIsNot(t *testing.T) {
	l := dead()
	l.Tenant, l.CallID, l.Version = "t", "c1", 7
	p := &pipeline{letter: l, calls: []connector.LatestCall{{Tenant: "t", CallID: "c1", Version: 7, Acked: map[string]bool{"clickhouse": true}}}}
	p.status.Sinks = []connector.SinkStatus{{Name: "clickhouse"}}
	for state, want := range map[string]string{"": "held back", connector.DeadPurged: "purged", connector.DeadReplayed: "has it"} {
		l.State = state
		page := newSite(t, p).ask(http.MethodGet, "/console/").Body.String()
		_, calls, _ := strings.Cut(page, `id="calls"`)
		for _, says := range []string{"held back", "purged", "has it"} {
			if strings.Contains(calls, says) != (says == want) {
				t.Errorf("state %q: it says %q: %v", state, says, says != want)
			}
		}
	}
}

func TestAReplayThatFailsSaysWhy(t *testing.T) {
	p := &pipeline{letter: dead(), event: &transforms.Event{}, fails: errors.New("the store still refuses it")}
	if w := newSite(t, p).ask(http.MethodPost, letterPath+"/replay"); w.Code != 409 || !strings.Contains(w.Body.String(), "Not done: the store still refuses it") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A preview never shows what no redaction has seen.
func TestPreviews(t *testing.T) {
	f := func(name string, l connector.DeadLetter, event *transforms.Event, body, want string) {
		t.Helper()
		l.ID = dead().ID
		w := newSite(t, &pipeline{letter: &l, event: event, body: body}).ask(http.MethodGet, "/console/dead/"+l.Stage+"/"+l.ID)
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) || strings.Contains(w.Body.String(), "Nora") || strings.Contains(w.Body.String(), "5550142") {
			t.Errorf("%s: %d\n%s", name, w.Code, w.Body)
		}
	}
	f("redacted", connector.DeadLetter{Stage: "load", Event: []byte("x")}, &transforms.Event{Summary: "[PERSON_1] called", Transforms: []transforms.Applied{{Name: "redact-pii"}}}, "", "[PERSON_1] called")
	f("not redacted", connector.DeadLetter{Stage: "load", Event: []byte("x")}, &transforms.Event{Summary: "Nora called", Transforms: []transforms.Applied{{Name: "map-topics"}}}, "", "summary: string(11)")
	f("a body", connector.DeadLetter{Stage: "webhook", Body: []byte("x")}, nil, `{"callerName":"Nora","+13125550142":{"Nora Whitfield":1}}`, "callerName: string(4)")
	f("no JSON", connector.DeadLetter{Stage: "webhook", Body: []byte("x")}, nil, `Nora`, "not one JSON value")
	f("damaged", connector.DeadLetter{Stage: "intake", Body: []byte("x")}, nil, `Nora`, "damaged data")
	f("purged", connector.DeadLetter{Stage: "load", State: "purged"}, nil, "", "nothing of it is held")
}

func TestOneLookServesAllWhoWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipeline{}
		p.status.Sinks = []connector.SinkStatus{{Name: "a"}}
		s := newSite(t, p)
		for range 20 {
			s.ask(http.MethodGet, "/console/state")
		}
		if p.looks != 1 {
			t.Errorf("%d looks", p.looks)
		}
		time.Sleep(2 * time.Second)
		p.status.Counts.Received, p.status.Sinks[0].Delivered = 3000, 5
		if page := s.ask(http.MethodGet, "/console/state").Body.String(); !strings.Contains(page, "1\u202f500 <small>events/s") || !strings.Contains(page, `<span id="rate-a">2.5</span>`) {
			t.Errorf("the rates are not those between two looks\n%s", page)
		}
		time.Sleep(2 * time.Second)
		p.fails = errors.New("no quorum")
		if page := s.ask(http.MethodGet, "/console/").Body.String(); !strings.Contains(page, "no quorum") || !strings.Contains(page, "3\u202f000") {
			t.Errorf("a look that fails hides what is known, or itself\n%s", page)
		}
		for range 20 {
			s.ask(http.MethodGet, "/console/state")
		}
		if p.looks != 3 {
			t.Errorf("%d looks", p.looks)
		}
	})
}

func TestSinksSayWhyTheyWait(t *testing.T) {
	p := &pipeline{}
	p.status.Sinks = []connector.SinkStatus{{Name: "a", Pending: 7, Batches: 2, Oldest: time.Now().Add(-time.Hour)}, {Name: "b"}, {Name: "c", Pending: 1, Batches: 1, Oldest: time.Now().Add(-time.Hour)}}
	p.here = connector.Here{Pod: "pod-1", Sinks: []connector.SinkHere{{Name: "a", State: connector.SinkPaused, Why: "run postcall migrate apply"}, {Name: "b", State: connector.SinkFails, Why: "refused"}, {Name: "c", State: connector.SinkLoads}}}
	page := newSite(t, p).ask(http.MethodGet, "/console/").Body.String()
	for _, want := range []string{"paused", "run postcall migrate apply", "7 in 2 batches", "60 min|1 h 0 min", "fails, tries again", "is behind", "made by the pod <b>pod-1</b>", "Of all pods together"} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// The console needs the engine, and neither a driver nor the API.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		if regexp.MustCompile(`ClickHouse|elastic/|postcall/connector/(clickhouse|elastic|api)|chromedp|modelcontextprotocol`).MatchString(dep) {
			t.Errorf("it imports %s", dep)
		}
	}
}
