package transforms

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPluginAboveItsMemoryIsKilled(t *testing.T) {
	for _, how := range []string{"leak", "leak-child"} {
		t.Run(how, func(t *testing.T) {
			p, l := openFault(t, func(s *Spec) { s.Memory = 64 << 20 })
			before := p.PID()
			_, err := p.Transform(t.Context(), batchOf("", how+" 150"))
			if !errors.Is(err, ErrPluginMemory) || !errors.Is(err, ErrPluginGone) || IsPermanent(err) {
				t.Errorf("error %v, want ErrPluginMemory", err)
			}
			for deadline := time.Now().Add(10 * time.Second); livingOf(before) > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("something of its process group lives on")
				}
			}
			if s := p.Stats(); s.Oversized != 1 || s.Crashed != 0 || s.Hung != 0 || s.Running != 0 {
				t.Errorf("stats %+v", s)
			}
			if want := fmt.Sprintf("level=ERROR msg=\"plugin killed: it needed more memory than it may have\" plugin=fault pid=%d bytes=", before); !strings.Contains(l.String(), want) {
				t.Errorf("no %s in the log", want)
			}
			if _, err := p.Transform(t.Context(), batchOf("")); err != nil {
				t.Errorf("the next call: %v", err)
			}
			if s := p.Stats(); s.Starts != 2 || s.Running != 1 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// livingOf counts the processes of a group that aren't zombies.
func livingOf(group int) (n int) {
	for _, pid := range readGroups()[group] {
		if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(state), ") Z ") {
			n++
		}
	}
	return n
}

func TestPluginWithinItsMemoryLives(t *testing.T) {
	p, _ := openFault(t, func(s *Spec) { s.Memory = 256 << 20 })
	pid := p.PID()
	for range 2 {
		if _, err := p.Transform(t.Context(), batchOf("leak 40")); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.Stats().Memory; got < 80<<20 || got > 256<<20 {
		t.Errorf("it seems to have %d MiB", got>>20)
	}
	if p.PID() != pid {
		t.Error("it was killed")
	}
}

func TestPluginAboveItsMemoryAtTheStart(t *testing.T) {
	spec, _ := faultSpec(t, `{"hold":150}`)
	spec.Memory = 64 << 20
	p, err := Open(t.Context(), spec)
	if err == nil {
		_ = p.Close()
	}
	if !errors.Is(err, ErrPluginMemory) || !errors.Is(err, ErrPluginGone) {
		t.Errorf("error %v, want ErrPluginMemory", err)
	}
}

func TestPluginKnowsItsBound(t *testing.T) {
	p, _ := openFault(t, func(s *Spec) { s.Memory = 100 << 20 })
	out, err := p.Transform(t.Context(), batchOf("env"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out[0].Extra), "GOMEMLIMIT=94371840") {
		t.Errorf("its environment: %s", out[0].Extra)
	}
}

// TestSharedMemoryCountsOnce has three processes map one file: three times resident, but once there.
func TestSharedMemoryCountsOnce(t *testing.T) {
	const size = 48 << 20
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	group := 0
	for range 3 {
		c := exec.Command(faultPath)
		c.Env = []string{"FAULT_MAP=" + f.Name()}
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		if group == 0 {
			group = c.Process.Pid
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it has read the file
			t.Fatal(err)
		}
	}
	processGroups.next = time.Time{}
	if got := groupMemory(group, 0); got < 3*size {
		t.Errorf("%d MiB are resident", got>>20)
	}
	if got := groupMemory(group, 1); got < size || got > 2*size {
		t.Errorf("%d MiB count", got>>20)
	}
}

func BenchmarkReadGroups(b *testing.B) {
	for b.Loop() {
		readGroups()
	}
}

func BenchmarkResidentSize(b *testing.B) {
	for b.Loop() {
		residentSize(os.Getpid())
	}
}
