package transforms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

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
		proc := p.workers[0].alive()
		kill(t, p.PID())
		<-proc.runner.exited
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
	proc := p.workers[0].alive()
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
	p := &worker{}
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
	fmt.Println(p.PID(), p.workers[0].current.dir)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
