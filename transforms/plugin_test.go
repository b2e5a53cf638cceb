package transforms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var faultPath string // of the executable of testdata/plugins/fault

func TestMain(m *testing.M) {
	if os.Getenv(stdinVariable) == "test-host" {
		hostThatDies()
	}
	dir, err := os.MkdirTemp("", "transforms-test-")
	if err != nil {
		panic(err)
	}
	faultPath = filepath.Join(dir, "fault")
	if out, err := exec.Command("go", "build", "-o", faultPath, "./testdata/plugins/fault").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// logs is where the plugin of a test writes.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func faultSpec(t testing.TB, settings string) (Spec, *logs) {
	l := new(logs)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.String())
		}
	})
	return Spec{
		Name: "fault", Path: faultPath, Settings: json.RawMessage(settings),
		Timeout: 20 * time.Second, StartTimeout: 20 * time.Second,
		Logger: slog.New(slog.NewTextHandler(l, nil)),
	}, l
}

func openFault(t testing.TB, change ...func(*Spec)) (*Plugin, *logs) {
	t.Helper()
	spec, l := faultSpec(t, `{"suffix":"!"}`)
	for _, f := range change {
		f(&spec)
	}
	p, err := Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, l
}

// batchOf makes an event of each summary, with the ids a, b and so on.
func batchOf(summaries ...string) []Event {
	var batch []Event
	for i, s := range summaries {
		e := typical(string(rune('a' + i)))
		e.Summary = s
		batch = append(batch, e)
	}
	return batch
}

func TestPluginTransforms(t *testing.T) {
	p, _ := openFault(t)
	batch := append(batchOf("", "drop", "reject", "split"), fullEvent())
	before := append(batchOf("", "drop", "reject", "split"), fullEvent())
	got, err := p.Transform(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, batch); diff != "" {
		t.Errorf("the batch of the caller changed:\n%s", diff)
	}
	var want []Event
	for _, e := range before {
		switch e.Summary {
		case "drop":
			e.Drop("unwanted")
		case "reject":
			e.Reject("odd")
		}
		if e.Summary != "split" {
			e.Topic += "!"
		}
		e.Transforms = append(e.Transforms, Applied{"fault", "1.2.3"})
		want = append(want, e)
		if e.Summary == "split" {
			for _, n := range []string{"#1", "#2"} {
				c := e
				c.ParentCallID, c.CallID = e.CallID, e.CallID+n
				want = append(want, c)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p.Name() != "fault" || p.Version() != "1.2.3" || p.PID() == 0 {
		t.Errorf("name %q, version %q, pid %d", p.Name(), p.Version(), p.PID())
	}
	if err := p.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	if out, err := p.Transform(t.Context(), nil); err != nil || len(out) != 0 {
		t.Errorf("empty batch: %v, %v", out, err)
	}
}

func TestPluginTransformsConcurrently(t *testing.T) {
	p, _ := openFault(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				batch := batchOf("", "", "", "")
				batch[0].Topic = fmt.Sprint(i)
				out, err := p.Transform(t.Context(), batch)
				if err != nil {
					t.Error(err)
				} else if want := fmt.Sprint(i, "!"); out[0].Topic != want {
					t.Errorf("topic %q, want %q", out[0].Topic, want)
				}
			}
		})
	}
	wg.Wait()
}

// TestPluginKilledMidBatchLosesNothing kills the plugin while it works; its caller gets the batch through all the same.
func TestPluginKilledMidBatchLosesNothing(t *testing.T) {
	p, _ := openFault(t)
	batch := batchOf("", "die-once "+filepath.Join(t.TempDir(), "died"), "")
	before := p.PID()
	if _, err := p.Transform(t.Context(), batch); !errors.Is(err, ErrPluginGone) || IsPermanent(err) {
		t.Fatalf("error %v, want ErrPluginGone", err)
	}
	if pid := p.PID(); pid != 0 {
		t.Errorf("pid %d after the plugin died", pid)
	}
	out, err := p.Transform(t.Context(), batch)
	if err != nil || len(out) != 3 {
		t.Fatalf("%d events, error %v", len(out), err)
	}
	if p.PID() == before {
		t.Error("the process is the same")
	}
}

func TestPluginKilledFromOutside(t *testing.T) {
	p, _ := openFault(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := p.Transform(t.Context(), batchOf("wait")); !errors.Is(err, ErrPluginGone) {
				t.Errorf("error %v, want ErrPluginGone", err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond) // for the calls to reach the plugin; too short only makes the test weaker
	kill(t, p.PID())
	wg.Wait()
	for range 3 { // and while it is idle
		if out, err := p.Transform(t.Context(), batchOf("", "")); err != nil || len(out) != 2 {
			t.Fatalf("%d events, error %v", len(out), err)
		}
		proc := p.alive()
		kill(t, p.PID())
		<-proc.runner.exited
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestPluginThatHangsIsKilled(t *testing.T) {
	for _, how := range []string{"hang", "stop"} {
		t.Run(how, func(t *testing.T) {
			p, _ := openFault(t, func(s *Spec) { s.Timeout = 300 * time.Millisecond })
			pid, began := p.PID(), time.Now()
			_, err := p.Transform(t.Context(), batchOf("", how))
			if !errors.Is(err, ErrPluginTimeout) || IsPermanent(err) {
				t.Errorf("error %v, want ErrPluginTimeout", err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d is still there: %v", pid, err)
			}
			for range 3 {
				if _, err = p.Transform(t.Context(), batchOf("")); err == nil {
					break // 300 ms can be short for a busy machine
				}
			}
			if err != nil {
				t.Errorf("the next calls: %v", err)
			}
		})
	}
}

func TestPluginHonoursItsCaller(t *testing.T) {
	p, _ := openFault(t)
	pid := p.PID()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the host stops")
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if _, err := p.Transform(ctx, batchOf("wait")); !errors.Is(err, why) {
		t.Errorf("error %v, want the cause of the cancellation", err)
	}
	if p.PID() != pid {
		t.Error("a canceled call cost the plugin its life")
	}
	ctx, cancelTimeout := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancelTimeout()
	if _, err := p.Transform(ctx, batchOf("hang")); !errors.Is(err, ErrPluginTimeout) {
		t.Errorf("error %v, want ErrPluginTimeout", err)
	}
	if p.PID() == pid {
		t.Error("a plugin that missed a deadline lives")
	}
}

func TestPluginErrors(t *testing.T) {
	p, l := openFault(t)
	pid := p.PID()
	f := func(summary, want string, permanent bool) {
		t.Helper()
		_, err := p.Transform(t.Context(), batchOf("", summary, ""))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "plugin fault: ") {
			t.Errorf("%s: error %v, want %q", summary, err, want)
		}
		if IsPermanent(err) != permanent {
			t.Errorf("%s: permanent is %v", summary, !permanent)
		}
		if strings.Contains(fmt.Sprint(err), "caller said") {
			t.Errorf("%s: the error tells what a caller said: %v", summary, err)
		}
		if p.PID() != pid {
			t.Errorf("%s: the plugin is another process", summary)
			pid = p.PID()
		}
	}
	f("error", "the disk is full", false)
	f("permanent", "summary is odd", true)
	f("panic secret", "panicked: panic of type string", true)
	f("rename", `breaks the contract: call "bx": expected call "b", or a child of the call before it`, true)
	f("forget", `expected call "b"`, true)
	f("invalid", `breaks the contract: decode event 1 (call "b"): topic: not valid UTF-8`, true)
	f("extra", `call "b": extra must be a JSON object`, true)
	if !testing.Short() {
		f("big", "too large", true)
	}
	if log := l.String(); strings.Contains(log, "caller said") {
		t.Error("the log tells what a caller said")
	}
}

func TestPluginSeesNothingOfTheHost(t *testing.T) {
	t.Setenv("POSTCALL_CLICKHOUSE_PASSWORD", "s3cret-host")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cret-host")
	p, _ := openFault(t, func(s *Spec) {
		s.Env = []string{"GOGC=50"}
		s.Settings = json.RawMessage(`{"secret":"s3cret-setting"}`)
	})
	out, err := p.Transform(t.Context(), batchOf("env", "dir"))
	if err != nil {
		t.Fatal(err)
	}
	env := string(out[0].Extra)
	if strings.Contains(env, "s3cret") {
		t.Errorf("the plugin's environment holds a secret: %s", env)
	}
	if !strings.Contains(env, "GOGC=50") || !strings.Contains(env, "PATH=") {
		t.Errorf("the plugin's environment lacks what it was given: %s", env)
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID()))
	if err == nil && strings.Contains(string(cmdline), "s3cret") {
		t.Errorf("the plugin's command line holds a secret: %q", cmdline)
	}
	if wd, err := os.Getwd(); err != nil || out[1].LongSummary == wd {
		t.Errorf("the plugin works in the host's folder %s", wd)
	}
}

func TestPluginLogs(t *testing.T) {
	p, l := openFault(t, func(s *Spec) { s.Env = []string{"FAULT_NOISE=1"} })
	if _, err := p.Transform(t.Context(), batchOf("log stumble")); err != nil {
		t.Fatal(err)
	}
	_ = p.Close() // everything written has arrived after it
	for _, want := range []string{
		`level=INFO msg="hello from a plugin that prints" plugin=fault stream=stdout`,
		`level=WARN msg="about to stumble" plugin=fault stream=stderr count=3`,
		`level=INFO msg="a plain line" plugin=fault stream=stderr`,
		`level=INFO msg="a line on stdout" plugin=fault stream=stdout`,
	} {
		if !strings.Contains(l.String(), want) {
			t.Errorf("no %s in the log", want)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	noExec := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(noExec, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(name, want string, change func(*Spec)) {
		t.Run(name, func(t *testing.T) {
			spec, _ := faultSpec(t, "")
			change(&spec)
			began := time.Now()
			p, err := Open(t.Context(), spec)
			if err == nil {
				_ = p.Close()
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), want) || !errors.Is(err, ErrPluginGone) || IsPermanent(err) {
				t.Errorf("error %q, want %q", err, want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %q tells a setting's value", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	settings := func(s string) func(*Spec) { return func(spec *Spec) { spec.Settings = json.RawMessage(s) } }
	f("relative path", `"fault" is not an absolute path`, func(s *Spec) { s.Path = "fault" })
	f("no file", "no such file", func(s *Spec) { s.Path += "x" })
	f("folder", "holds an executable of its own name", func(s *Spec) { s.Path = filepath.Dir(s.Path) })
	f("no executable", "is not an executable file", func(s *Spec) { s.Path = noExec })
	f("checksum", "the plugin is not the one that was locked", func(s *Spec) { s.SHA256 = make([]byte, 32) })
	f("not a plugin", "it ended without a handshake: is it a plugin?", func(s *Spec) { s.Path = "/bin/true" })
	f("says why", "its last words: /bin/cat: unrecognized option", func(s *Spec) { s.Path, s.Args = "/bin/cat", []string{"--nonsense"} })
	f("silent", "not ready within 300ms", func(s *Spec) {
		s.Path, s.Args, s.StartTimeout = "/bin/sleep", []string{"60"}, 300*time.Millisecond
	})
	f("hangs", "not ready within 1s", func(s *Spec) {
		s.Settings, s.StartTimeout = json.RawMessage(`{"hang":true}`), time.Second
	})
	f("dies", "I can't go on", settings(`{"die":true}`))
	f("unknown setting", `settings: unknown setting "sufix"`, settings(`{"sufix":"s3cret"}`))
	f("wrong type", `settings: "max" can't be a string, it is of type int`, settings(`{"max":"s3cret"}`))
	f("no object", "settings: not a JSON object", settings(`["s3cret"]`))
	f("no JSON", "settings: no valid JSON", settings(`{"secret":"s3cret",}`))
	f("cut off", "settings: no valid JSON, it ends early", settings(`{"secret":"s3cret"`))
	f("two", "settings: something follows the JSON object", settings(`{} {"secret":"s3cret"}`))
	f("invalid", "settings: max must not be negative", settings(`{"max":-1}`))
}

func TestOpenStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	spec, _ := faultSpec(t, `{"hang":true}`)
	if _, err := Open(ctx, spec); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
}

// TestCloseWithAGrandchild leaves a process behind that holds the plugin's stdout, outside its group.
func TestCloseWithAGrandchild(t *testing.T) {
	for _, how := range []string{"close", "die"} {
		t.Run(how, func(t *testing.T) {
			p, _ := openFault(t, func(s *Spec) { s.Settings = json.RawMessage(`{"child":true}`) })
			began := time.Now()
			if how == "die" {
				if _, err := p.Transform(t.Context(), batchOf("die")); !errors.Is(err, ErrPluginGone) {
					t.Errorf("error %v, want ErrPluginGone", err)
				}
			}
			_ = p.Close()
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestClose(t *testing.T) {
	p, _ := openFault(t)
	proc := p.alive()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-proc.runner.exited:
	default:
		t.Error("the process is still there")
	}
	if _, err := os.Stat(proc.dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
	if err := proc.runner.waitErr; err != nil {
		t.Errorf("it did not end by itself: %v", err)
	}
	if _, err := p.Transform(t.Context(), batchOf("")); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestRestartsPauseLongerAndLonger(t *testing.T) {
	p := &Plugin{}
	var last time.Duration
	for i := range 20 {
		p.failed()
		d := time.Until(p.notBefore)
		switch {
		case i == 0 && d > 0:
			t.Errorf("the first restart waits %s", d)
		case i >= 2 && d < last/4:
			t.Errorf("restart %d waits %s after %s", i, d, last)
		case d > maxPause:
			t.Errorf("restart %d waits %s", i, d)
		}
		last = d
	}
	if last < maxPause/3 {
		t.Errorf("the last restart waits only %s", last)
	}
}

// TestPluginEndsWithItsHost kills a host; its plugin must not live on.
func TestPluginEndsWithItsHost(t *testing.T) {
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), stdinVariable+"=test-host", "FAULT="+faultPath)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	if _, err := fmt.Fscan(out, &pid, &dir); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(state, []byte(") Z ")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("plugin %d outlives its host", pid)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
}

func hostThatDies() {
	p, err := Open(context.Background(), Spec{Name: "fault", Path: os.Getenv("FAULT")})
	if err != nil {
		panic(err)
	}
	fmt.Println(p.PID(), p.current.dir)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func BenchmarkHop(b *testing.B) {
	p, _ := openFault(b)
	for _, n := range []int{1, 10, 100, 500} {
		batch := make([]Event, n)
		for i := range batch {
			batch[i] = typical(fmt.Sprintf("call-%06d", i))
		}
		run := func(b *testing.B, t Transformer) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.Transform(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/event")
		}
		b.Run(fmt.Sprintf("process/batch=%d", n), func(b *testing.B) { run(b, p) })
	}
}
