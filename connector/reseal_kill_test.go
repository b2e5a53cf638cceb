package connector

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// killedForget is this test's process when it is started again to be killed: it forgets, with nothing else running, and
// ends by SIGKILL at the step that the environment names.
const (
	killDir  = "POSTCALL_TEST_FORGET_DIR"
	killStep = "POSTCALL_TEST_FORGET_STEP"
)

func killedForget(dir string) int {
	last, _ := strconv.Atoi(os.Getenv(killStep))
	cfg := testConfig(dir)
	cfg.Sinks = []string{"a", "b"}
	o, err := OpenOperator(context.Background(), cfg, discard())
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer o.Close()
	steps := 0
	o.step = func(name string) {
		if steps++; steps == last {
			fmt.Println(name)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	if _, err := o.Forget(context.Background(), Erasure{Phone: secretPhone}); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// DELIVERY.md, rule 13: a kill at any step loses nothing, loads nothing twice, counts once, and the next start goes on
// until nothing is left of what was to be forgotten.
func TestForgetSurvivesAKillAtEveryStep(t *testing.T) {
	t.Parallel()
	a, b := newStore(), newStore()
	var bad, down atomic.Bool
	bad.Store(true)
	down.Store(true)
	a.load = refusing(&bad)
	b.load = func(Batch) error {
		if down.Load() {
			return errors.New("down")
		}
		return nil
	}
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxEvents = 8
	sinks := func(a, b *store) []Sink { return []Sink{{"a", loadOnly{a}, 1}, {"b", loadOnly{b}, 1}} }
	r := start(t, Connector{Config: cfg, Sinks: sinks(a, b), Transforms: []Transform{rejecting}})
	for _, id := range ids("c", 12) {
		r.post(call(id, otherPhone))
	}
	for _, id := range []string{"secret1", "poison-secret", "reject-secret"} {
		r.post(call(id, secretPhone))
	}
	r.post(call("c012", otherPhone))
	r.eventually("a is done", func() bool { return a.calls() == 14 })
	r.post(call("secret2", secretPhone))
	r.post(`{"callId":"broken","duration":{},"note":"` + secretPhone + `"}`)
	o := operator(t, cfg, "a", "b")
	r.eventually("all is there", func() bool {
		return a.calls() == 15 && len(deadLettersOf(t, o, DeadFilter{})) == 3 && statusOf(t, o).Intake.Messages == 0 && statusOf(t, o).Sinks[0].Pending == 0
	})
	o.Close()
	r.stop()
	down.Store(false)

	var names []string
	for step := 1; ; step++ {
		dir := filepath.Join(t.TempDir(), "data")
		_ = os.Remove(filepath.Join(cfg.DataDir, controlSocket))
		if err := os.CopyFS(dir, os.DirFS(cfg.DataDir)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killDir+"="+dir, killStep+"="+strconv.Itoa(step))
		out, err := cmd.Output()
		var ended *exec.ExitError
		if err != nil && (!errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
			t.Fatalf("step %d: %v\n%s", step, err, out)
		}
		names = append(names, string(out))
		afterKill(t, dir, string(out), a.clone(), b.clone(), sinks)
		if err == nil { // there are no more steps
			break
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("killed at %q", names)
	if len(names) < 10 {
		t.Errorf("the process was killed at %d steps only: %q", len(names), names)
	}
}

func afterKill(t *testing.T, dir, step string, a, b *store, sinks func(a, b *store) []Sink) {
	t.Helper()
	cfg := testConfig(dir)
	c := Connector{Config: cfg, Sinks: sinks(a, b), Transforms: []Transform{rejecting}}
	r := start(t, c)
	o := operator(t, cfg, "a", "b")
	r.eventually("nothing is left after "+step, func() bool { return len(traces(t, o, secretPhone)) == 0 })
	r.post(call("last", otherPhone))
	r.eventually("all is loaded after "+step, func() bool { return a.calls() == 16 && b.calls() == 14 })
	settled := func() bool { s := statusOf(t, o); return s.Sinks[0].Pending == 0 && s.Sinks[1].Pending == 0 }
	r.eventually("all is acknowledged after "+step, settled)
	redeliver(t, o, "a", "b")
	r.eventually("all is acknowledged again after "+step, settled)
	s := statusOf(t, o)
	if c := s.Counts; c.Received != 18 || c.Kept != 14 || c.Dropped != 3 || c.Dead != 1 {
		t.Errorf("after %s: counts %+v, want 14 kept, 3 dropped and 1 dead of 18", step, c)
	}
	for _, k := range s.Sinks {
		if k.Delivered != 14 || k.Dead != 0 {
			t.Errorf("after %s: %+v, want 14 delivered", step, k)
		}
	}
	if got := append(a.twice(), b.twice()...); len(got) > 0 {
		t.Errorf("after %s: loaded twice: %v", step, got)
	}
	if b.has("secret1") || b.has("secret2") || b.has("poison-secret") {
		t.Errorf("after %s: a forgotten call is loaded", step)
	}
	o.Close()
	r.stop()
	r = start(t, c)
	r.stop()
	if strings.Contains(r.log.String(), "missing") {
		t.Errorf("after %s: an alarm at the next start:\n%s", step, r.log)
	}
}
