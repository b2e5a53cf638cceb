package transforms

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

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

// What a plugin panics with can be what a caller said. It crashes all the same, and the stack says where.
func TestPanicOfAPluginTellsNoValue(t *testing.T) {
	var l logs
	log := newLineLog(slog.New(slog.NewTextHandler(&l, nil)), newLogLimits(), "stderr")
	for _, line := range []string{
		"before", "panic: Nora Whitfield", "\tborn 1987 [recovered]", "\tpanic: Nora again", "", "goroutine 18 [running]:", "main.f(0x1)",
		"panic: runtime error: index out of range [5] with length 3", "", "goroutine 1 [running]:", "panic: main.problem{Name:\"Nora\"}", `{"level":"INFO","msg":"json after"}`, "after",
	} {
		_, _ = log.Write([]byte(line + "\n"))
	}
	got := l.String()
	if strings.Contains(got, "Nora") || strings.Contains(got, "1987") {
		t.Errorf("the log tells the value of a panic:\n%s", got)
	}
	for _, want := range []string{"before", "left out of the log", "goroutine 18", "main.f(0x1)", "index out of range [5]", "json after", "msg=after"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log has no %q:\n%s", want, got)
		}
	}
	var f panicFilter // a plugin that only talks of panics is heard again
	f.pass([]byte("panic: at the disco"))
	for range panicLines {
		f.pass([]byte("line"))
	}
	if f.pass([]byte("line")) == nil {
		t.Error("a line long after a panic is left out")
	}
}

// TestPluginCannotFloodTheLog has a plugin write 120 MB of noise, and something that matters behind it.
func TestPluginCannotFloodTheLog(t *testing.T) {
	p, l := openFault(t, func(s *Spec) { s.Env = []string{"FAULT_NOISE=1000"} })
	for range 3 {
		if _, err := p.Transform(t.Context(), batchOf("log stumble")); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); p.Stats().LogLost < 7000 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	_ = p.Close()
	log := l.String()
	if len(log) > 1<<20 {
		t.Errorf("%d bytes of log", len(log))
	}
	if !strings.Contains(log, `level=WARN msg="about to stumble"`) {
		t.Error("the noise drowned a warning")
	}
	if lost := p.Stats().LogLost; lost < 7000 { // each line of noise is logged in 8 parts
		t.Errorf("%d lines count as left out", lost)
	}
}

func TestLogLimits(t *testing.T) {
	l, now := newLogLimits(), time.Unix(0, 0)
	passed := func(level slog.Level, size, n int) (passed, lost int) {
		for range n {
			if missed, ok := l.allow(level, size, now); ok {
				passed, lost = passed+1, lost+missed
			}
		}
		return passed, lost
	}
	f := func(what string, level slog.Level, size, n, wantPassed, wantLost int) {
		t.Helper()
		if got, lost := passed(level, size, n); got != wantPassed || lost != wantLost {
			t.Errorf("%s: %d passed, %d were said to be lost, want %d and %d", what, got, lost, wantPassed, wantLost)
		}
	}
	f("a burst", slog.LevelInfo, 100, 1000, logBurst, 0)
	f("serious ones beside it", slog.LevelError, 100, 1000, logBurst, 0)
	now = now.Add(time.Second)
	f("a second later", slog.LevelInfo, 100, 1000, logRefill, 800)
	now = now.Add(time.Hour)
	f("long lines, an hour later", slog.LevelInfo, 3*logPerLine+1, 1000, logBurst/4, 980)
	if lost := l.lost.Load(); lost != 800+800+980+950 {
		t.Errorf("%d lines lost in all", lost)
	}
	if _, ok := (*logLimits)(nil).allow(slog.LevelInfo, 1, now); !ok {
		t.Error("no limits are one")
	}
}

func TestLevels(t *testing.T) {
	for line, want := range map[string]slog.Level{
		`{"level":"WARN","msg":"x"}`: slog.LevelWarn, `{"level":"warning"}`: slog.LevelWarn, `{"level":"CRITICAL"}`: slog.LevelError,
		`{"level":"DEBUG"}`: slog.LevelDebug, `{"level":"ERROR+2"}`: slog.LevelError + 2, `{"level":7}`: slog.LevelInfo, `{"msg":"x"}`: slog.LevelInfo,
		`ERROR: x`: slog.LevelInfo, `{broken`: slog.LevelInfo,
	} {
		if got := levelOf([]byte(line)); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
		if got, _, _ := parseLine([]byte(line)); got != want {
			t.Errorf("%s is parsed as %s, want %s", line, got, want)
		}
	}
}
