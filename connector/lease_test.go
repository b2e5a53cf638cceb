package connector

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// taskLog notes who does what, and whether two ever did the same.
type taskLog struct {
	mu     sync.Mutex
	now    map[int]string
	double []int
}

func (l *taskLog) do(pod string) func(context.Context, int) {
	return func(ctx context.Context, task int) {
		l.mu.Lock()
		if l.now[task] != "" {
			l.double = append(l.double, task)
		}
		l.now[task] = pod
		l.mu.Unlock()
		<-ctx.Done()
		l.mu.Lock()
		if l.now[task] == pod {
			delete(l.now, task)
		}
		l.mu.Unlock()
	}
}

func (l *taskLog) by(pod string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.now {
		if p == pod {
			n++
		}
	}
	return n
}

type pod struct {
	st   *streams
	l    *leases
	stop func()
}

func startPod(t *testing.T, cfg Config, name string, tasks *taskLog) *pod {
	t.Helper()
	p := &pod{st: connectStreams(t, cfg)}
	var err error
	if p.l, err = newLeases(t.Context(), p.st, tasks.do(name), discard(), newMetrics(buildInfo{})); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.l.run(ctx) }()
	p.stop = func() { cancel(); <-done }
	t.Cleanup(p.stop)
	return p
}

func awaitTrue(t *testing.T, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !ok() {
		if time.Since(begun) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(begun)
}

// DELIVERY.md, rule 14: one pod at a time does a task, all have a fair share, and that of one that is gone goes to the
// others: at once where it stops in order, else when its lease has run out.
func TestLeasesAreSharedAndTakenOver(t *testing.T) {
	_, urls := startNATS(t, 1)
	cfg := clusterConfig(t, urls)
	tasks := &taskLog{now: map[int]string{}}
	a := startPod(t, cfg, "a", tasks)
	awaitTrue(t, 20*time.Second, "the only pod does everything", func() bool { return tasks.by("a") == 5 })
	b := startPod(t, cfg, "b", tasks)
	awaitTrue(t, 20*time.Second, "two share", func() bool { return tasks.by("a")+tasks.by("b") == 5 && tasks.by("a") >= 2 && tasks.by("b") >= 2 })
	c := startPod(t, cfg, "c", tasks)
	awaitTrue(t, 20*time.Second, "three share", func() bool {
		return tasks.by("a")+tasks.by("b")+tasks.by("c") == 5 && min(tasks.by("a"), tasks.by("b"), tasks.by("c")) >= 1
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if !c.l.leave(ctx) {
		t.Error("a pod that leaves is told that it is alone")
	}
	if n := tasks.by("c"); n != 0 {
		t.Errorf("the pod that left still does %d tasks", n)
	}
	awaitTrue(t, 4*time.Second, "the others have all, before any lease runs out", func() bool { return tasks.by("a")+tasks.by("b") == 5 })
	c.stop()
	if len(tasks.double) > 0 {
		t.Errorf("tasks %v were done by two pods at once", tasks.double)
	}
	a.st.nc.Close() // as a kill does: it gives nothing back
	took := awaitTrue(t, 15*time.Second, "the last pod has all", func() bool { return tasks.by("b") == 5 })
	if took < leaseTime/2 {
		t.Errorf("the tasks of a silent pod were taken after %s: its lease is %s", took, leaseTime)
	}
	awaitTrue(t, 10*time.Second, "the silent pod has stopped its tasks itself", func() bool { return tasks.by("a") == 0 })
	if b.l.leave(ctx) {
		t.Error("the last pod is told that others go on")
	}
}

func TestAssignIsFairAndSteady(t *testing.T) {
	pods := []string{"p-a", "p-b", "p-c", "p-d"}
	before := assign(9, pods)
	count := map[string]int{}
	for _, o := range before {
		count[o]++
	}
	for _, p := range pods {
		if count[p] < 2 || count[p] > 3 {
			t.Errorf("%s has %d of 9 tasks", p, count[p])
		}
	}
	if got := assign(9, nil); got != nil {
		t.Errorf("without pods: %v", got)
	}
	for _, p := range pods { // each one in turn goes: all tasks have an owner, and it is none of them
		rest := strings.Split(strings.Trim(strings.ReplaceAll(","+strings.Join(pods, ",")+",", ","+p+",", ","), ","), ",")
		for task, o := range assign(9, rest) {
			if o == p || o == "" {
				t.Errorf("without %s, task %d is %q's", p, task, o)
			}
		}
	}
}
