package transforms

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func openRude(t *testing.T, change ...func(*Spec)) (*Plugin, *logs) {
	t.Helper()
	return openFault(t, append([]func(*Spec){func(s *Spec) { s.Path = rudePath }}, change...)...)
}

// TestAnswerOf100MB is refused before it is read, whatever the plugin thinks it may send.
func TestAnswerOf100MB(t *testing.T) {
	p, _ := openRude(t)
	pid := p.PID()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := p.Transform(t.Context(), batchOf("", "answer 100", ""))
	runtime.ReadMemStats(&after)
	if err == nil || !IsPermanent(err) || !strings.Contains(err.Error(), "the batch or its answer is too large") {
		t.Errorf("error %v", err)
	}
	if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 16 {
		t.Errorf("the host needed %d MiB", got)
	}
	if out, err := p.Transform(t.Context(), batchOf("", "answer 7", "")); err != nil || len(out) != 3 {
		t.Errorf("an answer of 7 MiB: %d events, error %v", len(out), err)
	}
	if p.PID() != pid {
		t.Error("it cost the plugin its life")
	}
}

// TestEndlessLine is 100 MiB of garbage on stdout without a line break.
func TestEndlessLine(t *testing.T) {
	p, l := openRude(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if out, err := p.Transform(t.Context(), batchOf("stdout 100")); err != nil || len(out) != 1 {
		t.Fatalf("%d events, error %v", len(out), err)
	}
	for deadline := time.Now().Add(20 * time.Second); p.Stats().LogLost < 6000 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	runtime.ReadMemStats(&after)
	if got := int64(after.HeapAlloc-before.HeapAlloc) >> 20; got > 32 {
		t.Errorf("the host holds %d MiB more", got)
	}
	if n := len(l.String()); n > 2<<20 {
		t.Errorf("%d bytes of log", n)
	}
	if _, err := p.Transform(t.Context(), batchOf("")); err != nil {
		t.Error(err)
	}
}

func TestUnguardedPanicEndsTheProcess(t *testing.T) {
	p, l := openRude(t)
	if _, err := p.Transform(t.Context(), batchOf("", "panic")); !errors.Is(err, ErrPluginGone) || !strings.Contains(err.Error(), "exit status 2") {
		t.Errorf("error %v, want ErrPluginGone with the exit status", err)
	}
	if _, err := p.Transform(t.Context(), batchOf("")); err != nil {
		t.Error(err)
	}
	if s := l.String(); !strings.Contains(s, "goroutine ") || strings.Contains(s, "out of its mind") {
		t.Error("the log has not the stack, or has the value of the panic, which can be of a call")
	}
}

func TestWrongIDsBack(t *testing.T) {
	p, _ := openRude(t)
	if _, err := p.Transform(t.Context(), batchOf("", "rename")); !errors.Is(err, ErrContract) || !IsPermanent(err) || !strings.Contains(err.Error(), `call "another"`) {
		t.Errorf("error %v, want ErrContract", err)
	}
}

// TestPluginStoppedFromOutside stops it (SIGSTOP) while it has no call; the next one finds out.
func TestPluginStoppedFromOutside(t *testing.T) {
	p, _ := openRude(t, func(s *Spec) { s.Timeout = 500 * time.Millisecond })
	if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	awaitStop(t, p.PID())
	if _, err := p.Transform(t.Context(), batchOf("")); !errors.Is(err, ErrPluginTimeout) {
		t.Errorf("error %v, want ErrPluginTimeout", err)
	}
	var err error
	for range 3 {
		if _, err = p.Transform(t.Context(), batchOf("")); err == nil {
			break // 500 ms can be short for a busy machine
		}
	}
	if err != nil || p.Stats().Hung == 0 {
		t.Errorf("the next calls: %v, stats %+v", err, p.Stats())
	}
}

// awaitStop waits until every thread of a process has stopped: until then one of them may still answer.
func awaitStop(t *testing.T, pid int) {
	t.Helper()
	for range 1000 {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || len(threads) == 0 {
			t.Fatalf("process %d has no threads (%v)", pid, err)
		}
		running := slices.ContainsFunc(threads, func(file string) bool {
			b, err := os.ReadFile(file)
			_, state, ok := strings.Cut(string(b), ") ")
			return err != nil || !ok || !strings.HasPrefix(state, "T")
		})
		if !running {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("process %d did not stop", pid)
}
