package python

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/transformtest"
)

var interpreter string // of the virtual environment with the SDK's dependencies

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	venv, err := exec.Command("python3", "environment.py").Output()
	if err != nil {
		return 0, fmt.Errorf("make the virtual environment, which needs Python 3 with venv: %w", err)
	}
	interpreter = filepath.Join(strings.TrimSpace(string(venv)), "bin", "python")
	if os.Getenv("POSTCALL_PLUGIN_STDIN") == "test-host" {
		hostThatDies()
	}
	return m.Run(), nil
}

// script returns an executable that runs a plugin of testdata from the sources of the SDK.
func script(t testing.TB, name string) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(here, "testdata", name+".py")
	if _, err := os.ReadFile(file); err != nil { // Go's test cache sees a change of it that way
		t.Fatal(err)
	}
	text := fmt.Sprintf("#!/bin/sh\nPYTHONPATH='%s' exec '%s' -B '%s'\n", filepath.Join(here, "src"), interpreter, file)
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines keeps what a plugin logs.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func spec(t testing.TB, settings string) (transforms.Spec, *lines) {
	l := new(lines)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.String())
		}
	})
	return transforms.Spec{
		Name: "fault", Path: script(t, "fault"), Settings: json.RawMessage(settings),
		Timeout: 30 * time.Second, StartTimeout: 60 * time.Second,
		Logger: slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, l
}

func open(t testing.TB, change ...func(*transforms.Spec)) (*transforms.Plugin, *lines) {
	t.Helper()
	s, l := spec(t, `{"suffix":"!"}`)
	for _, f := range change {
		f(&s)
	}
	p, err := transforms.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, l
}

func batchOf(summaries ...string) []transforms.Event {
	var batch []transforms.Event
	for i, s := range summaries {
		e := transformtest.Events()[0]
		e.CallID, e.Summary, e.Transforms = string(rune('a'+i)), s, nil
		batch = append(batch, e)
	}
	return batch
}

func TestContract(t *testing.T) {
	s, _ := spec(t, `{"suffix":"!"}`)
	transformtest.RunProcess(t, s)
}

func TestEverythingSurvivesTheWay(t *testing.T) {
	p, _ := open(t, func(s *transforms.Spec) { s.Settings = nil })
	batch := transformtest.Events()
	got, err := p.Transform(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	want := transformtest.Events()
	for i := range want {
		want[i].Transforms = append(want[i].Transforms, transforms.Applied{Name: "fault", Version: "1.2.3"})
		want[i].KeyPoints = append([]string(nil), want[i].KeyPoints...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDropRejectSplitAndExtra(t *testing.T) {
	p, _ := open(t)
	got, err := p.Transform(t.Context(), batchOf("drop", "reject", "split", `extra {"language":"en","n":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range got {
		ids = append(ids, got[i].CallID+" "+got[i].Topic)
	}
	want := []string{"a Billing!", "b Billing!", "c Billing!", "c#1 first", "c#2 second", "d Billing!"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Fatal(diff)
	}
	if got[0].Outcome != (transforms.Outcome{Decision: transforms.Drop, Reason: "unwanted"}) ||
		got[1].Outcome != (transforms.Outcome{Decision: transforms.Reject, Reason: "odd"}) || got[3].ParentCallID != "c" {
		t.Errorf("outcomes %v, %v, parent %q", got[0].Outcome, got[1].Outcome, got[3].ParentCallID)
	}
	if want := `{"campaign":"autumn","nested":{"list":[1,null,"x"]},"language":"en","n":[1]}`; string(got[5].Extra) != want {
		t.Errorf("extra %s, want %s", got[5].Extra, want)
	}
}

// TestALargeBatchPasses, of more than the 4 MiB that gRPC takes by itself.
func TestALargeBatchPasses(t *testing.T) {
	p, _ := open(t)
	batch := batchOf("")
	batch[0].LongSummary = strings.Repeat("x", 30<<20)
	got, err := p.Transform(t.Context(), batch)
	if err != nil || len(got[0].LongSummary) != 30<<20 {
		t.Errorf("%d events, %v", len(got), err)
	}
}

func TestErrorsTellNothingOfTheCaller(t *testing.T) {
	p, l := open(t)
	f := func(summary, says string, permanent bool) {
		t.Helper()
		_, err := p.Transform(t.Context(), batchOf("", summary))
		if err == nil || !strings.Contains(err.Error(), says) || transforms.IsPermanent(err) != permanent {
			t.Errorf("%s: permanent %v, %v, want %q", summary, transforms.IsPermanent(err), err, says)
		}
		if err != nil && strings.Contains(err.Error(), "5550123") {
			t.Errorf("%s: the error quotes the caller: %v", summary, err)
		}
	}
	f("raise 5550123", "fault raised ValueError at fault.py:", true)
	f("disk 5550123", "fault raised OSError at fault.py:", false)
	f("permanent no such thing", "no such thing", true)
	f("retry the service is down", "the service is down", false)
	f("exit", "fault raised SystemExit at fault.py:", true)
	f("big", "too large", true)
	for _, summary := range []string{"exception 5550123", "thread 5550123"} {
		if _, err := p.Transform(t.Context(), batchOf(summary)); err != nil {
			t.Error(err)
		}
	}
	waitFor(t, l, `level=ERROR msg="a thread failed"`)
	for _, want := range []string{`level=ERROR msg="transform failed"`, "stack=", `msg="lookup failed"`, "error=KeyError"} {
		if !strings.Contains(l.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(l.String(), "5550123") {
		t.Error("the log quotes the caller")
	}
}

func waitFor(t testing.TB, l *lines, says string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(l.String(), says); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log lacks %s", says)
		}
	}
}

func TestOutputIsLogged(t *testing.T) {
	p, l := open(t)
	if _, err := p.Transform(t.Context(), batchOf("print now")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=INFO msg="printed now" plugin=fault stream=stderr logger=stdout`, `msg="written to fd 1"`, `msg="echoed by a child"`,
		`level=INFO msg="a plain line"`, `level=WARN msg="about to now" plugin=fault stream=stderr count=3 logger=mine`,
	} {
		waitFor(t, l, want)
	}
}

func TestTheHostsSecretsStayThere(t *testing.T) {
	t.Setenv("POSTCALL_REDACT_KEY", "a secret of the host")
	p, _ := open(t)
	got, err := p.Transform(t.Context(), batchOf("environment"))
	if err != nil {
		t.Fatal(err)
	}
	var extra struct {
		Environment map[string]string
		TimeLeft    float64 `json:"time_left"`
		Stdin       string
	}
	if err := json.Unmarshal(got[0].Extra, &extra); err != nil {
		t.Fatal(err)
	}
	if extra.Environment["PLUGIN_CLIENT_CERT"] == "" || strings.Contains(string(got[0].Extra), "a secret of the host") {
		t.Errorf("environment %v", extra.Environment)
	}
	if extra.TimeLeft <= 1 || extra.TimeLeft > 30 {
		t.Errorf("%v s are left of 30", extra.TimeLeft)
	}
}

func TestSettingsAreTypedAndNamed(t *testing.T) {
	f := func(settings, says string) {
		t.Helper()
		s, l := spec(t, settings)
		p, err := transforms.Open(t.Context(), s)
		if err == nil {
			_ = p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", settings, err, says)
		}
		if strings.Contains(fmt.Sprint(err)+l.String(), "hunter2") {
			t.Errorf("%s: the value is told", settings)
		}
	}
	f(`{"sufix":"hunter2"}`, `unknown setting "sufix", did you mean "suffix"?`)
	f(`{"share":"hunter2"}`, `"share" can't be a string, it must be a number`)
	f(`{"share":7}`, `"share" must be between 0 and 1`)
	f(`{"mode":"hunter2"}`, `"mode" must be one of "fast", "slow"`)
	f(`{"secret":"hunter2"}`, `Settings raised ValueError at fault.py:`)
}

// TestAnotherClientIsRefused: without the host's certificate nobody gets a word, AutoMTLS is on.
func TestAnotherClientIsRefused(t *testing.T) {
	p, _ := open(t)
	got, err := p.Transform(t.Context(), batchOf("environment"))
	if err != nil {
		t.Fatal(err)
	}
	var extra struct{ Environment map[string]string }
	if err := json.Unmarshal(got[0].Extra, &extra); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(extra.Environment["PLUGIN_UNIX_SOCKET_DIR"], "plugin.sock")
	dial := func() net.Conn {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	// A server of HTTP/2 speaks first, as soon as it has accepted the client.
	stranger := tls.Client(dial(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	defer stranger.Close()
	if n, err := stranger.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a client without a certificate is answered")
	}
	plain := dial()
	defer plain.Close()
	if _, err := plain.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 9)
	if n, err := plain.Read(answer); err == nil && n == len(answer) && answer[3] == 4 {
		t.Error("it speaks HTTP/2 in the clear")
	}
}

func TestADeadlineEndsIt(t *testing.T) {
	p, _ := open(t, func(s *transforms.Spec) { s.Timeout = 500 * time.Millisecond })
	pid := p.PID()
	if _, err := p.Transform(t.Context(), batchOf("hang")); !errors.Is(err, transforms.ErrPluginTimeout) {
		t.Errorf("a transform that hangs: %v", err)
	}
	gone(t, pid)
	if _, err := p.Transform(t.Context(), batchOf("die")); !errors.Is(err, transforms.ErrPluginGone) {
		t.Errorf("a transform that kills its process: %v", err)
	}
}

// TestCancelEndsTheBatch: the plugin lives on, and what checks is not at work any more.
func TestCancelEndsTheBatch(t *testing.T) {
	p, _ := open(t)
	pid := p.PID()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("too late"))
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, err := p.Transform(ctx, batchOf("wait")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := p.Transform(t.Context(), batchOf("")); err != nil || p.PID() != pid {
		t.Errorf("after it: %v, process %d, then %d", err, pid, p.PID())
	}
}

func TestCloseIsQuick(t *testing.T) {
	p, _ := open(t)
	pid, began := p.PID(), time.Now()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 1900*time.Millisecond { // at 2 s it is killed
		t.Errorf("it took %s to end by itself", took)
	}
	gone(t, pid)
}

func TestSIGTERMEndsIt(t *testing.T) {
	p, _ := open(t)
	pid := p.PID()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
}

func TestStartedByHandItSaysWhatItIs(t *testing.T) {
	out, err := exec.Command(script(t, "fault")).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "fault 1.2.3 is a plugin of postcall") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestItEndsWithItsHost: a host that is killed can't tell anybody.
func TestItEndsWithItsHost(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run", "^$")
	cmd.Env = append(os.Environ(), "POSTCALL_PLUGIN_STDIN=test-host", "FAULT="+script(t, "fault"))
	cmd.Stderr = os.Stderr
	out, _ := cmd.Output()
	var pid int
	if _, err := fmt.Sscan(string(out), &pid); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	gone(t, pid)
}

// hostThatDies starts the plugin, says its process id, and is killed.
func hostThatDies() {
	p, err := transforms.Open(context.Background(), transforms.Spec{Name: "fault", Path: os.Getenv("FAULT"), StartTimeout: time.Minute})
	if err != nil {
		panic(err)
	}
	fmt.Println(p.PID())
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func gone(t testing.TB, pid int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d is still there", pid)
		}
	}
}
