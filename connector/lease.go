package connector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The tasks of a cluster, sealing each partition and keeping house, are each done by one pod at a time. Pods say that they
// are there by a heartbeat; all of them compute the same share for each (assign); a task's lease is a key that only one
// pod can write, since a write names the revision it saw. A pod gives back what is no longer its share, and takes the
// lease of one that has shown no heartbeat for leaseTime. Time is measured by each pod's own clock, and nothing depends on
// two clocks agreeing. Where a pod stands still and two seal for a moment, the fence of the sealed message lets one win.
const (
	bucketLeases = "postcall-leases"
	beatEvery    = time.Second
	beatTimeout  = 2 * time.Second
	// leaseTime is how long a pod may be silent before others take its tasks. It stops them itself somewhat earlier.
	leaseTime   = 5 * time.Second
	leaseMargin = time.Second
	// forgetPods is when the name of a pod that is gone is removed.
	forgetPods = time.Minute

	podPrefix  = "pod."
	taskPrefix = "task."
	podHere    = "here"
	podLeaving = "leaving"
)

// leases runs this pod's share of the tasks.
type leases struct {
	st    *streams
	kv    jetstream.KeyValue
	me    string
	tasks []string
	do    func(ctx context.Context, task int) // returns soon after ctx has ended
	log   *slog.Logger
	m     *metrics

	leaving chan struct{} // closed by leave
	left    chan bool     // says once whether others go on

	seen    map[string]seenKey
	running map[int]*task
	beaten  time.Time    // when the last heartbeat that arrived was sent
	beatAt  atomic.Int64 // the same, for others: nanoseconds of the process's clock
	turned  time.Time    // when another server was last asked for
	wake    chan struct{}
}

// seenKey is a key of the bucket, and when this process saw it change.
type seenKey struct {
	value string
	rev   uint64
	at    time.Time
	gone  bool
}

type task struct {
	cancel context.CancelFunc
	ending bool
	done   chan struct{}
}

// taskNames are the leases of a cluster with so many partitions; the last one is that of keeping house.
func taskNames(partitions int) (names []string) {
	for p := range partitions {
		names = append(names, "seal-"+strconv.Itoa(p))
	}
	return append(names, "house")
}

func newLeases(ctx context.Context, st *streams, do func(context.Context, int), log *slog.Logger, m *metrics) (*leases, error) {
	kv, err := openLeases(ctx, st)
	if err != nil {
		return nil, err
	}
	return &leases{
		st: st, kv: kv, me: podName(), tasks: taskNames(st.partitions), do: do, log: log, m: m, leaving: make(chan struct{}), left: make(chan bool, 1),
		seen: map[string]seenKey{}, running: map[int]*task{}, wake: make(chan struct{}, 1),
	}, nil
}

func openLeases(ctx context.Context, st *streams) (jetstream.KeyValue, error) {
	kv, err := st.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: bucketLeases, Storage: jetstream.FileStorage, Replicas: st.batches.CachedInfo().Config.Replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("open the leases: %w", err)
	}
	return kv, nil
}

var notInKey = regexp.MustCompile(`[^A-Za-z0-9-]+`)

// podName is another one for each process.
func podName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "pod"
	}
	return strings.Trim(notInKey.ReplaceAllString(host, "-"), "-") + "-" + strings.ToLower(rand.Text()[:6])
}

// run takes part until ctx ends, and gives back what it has then. It returns nil.
func (l *leases) run(ctx context.Context) error {
	defer l.end(context.WithoutCancel(ctx))
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	leaving := l.leaving
	var watch jetstream.KeyWatcher
	defer func() {
		if watch != nil {
			_ = watch.Stop()
		}
	}()
	var updates <-chan jetstream.KeyValueEntry
	beat := true
	for ctx.Err() == nil {
		if beat {
			l.beat(ctx)
			if watch, updates = l.follow(ctx, watch, updates); updates == nil {
				l.log.Warn("the leases are not followed; tried again")
			}
		}
		l.balance(ctx)
		beat = false
		select {
		case <-ctx.Done():
		case <-tick.C:
			beat = true
		case <-l.wake:
		case e, ok := <-updates:
			if !ok {
				updates = nil
			}
			l.note(e)
		case <-leaving:
			leaving, beat = nil, true
		}
	}
	return nil
}

// follow has a watcher that works: one that has not shown this pod's own heartbeat is made anew.
func (l *leases) follow(ctx context.Context, watch jetstream.KeyWatcher, updates <-chan jetstream.KeyValueEntry) (jetstream.KeyWatcher, <-chan jetstream.KeyValueEntry) {
	now := time.Now()
	echo := l.seen[podPrefix+l.me].at
	if updates != nil && (now.Sub(echo) < 3*beatEvery || now.Sub(l.beaten) > beatEvery) {
		return watch, updates
	}
	if watch != nil {
		_ = watch.Stop()
	}
	watch, err := l.kv.WatchAll(ctx) // for as long as ctx
	if err != nil {
		return nil, nil
	}
	limit := time.After(beatTimeout)
	for { // what is there, up to a nil
		select {
		case e := <-watch.Updates():
			if e == nil {
				return watch, watch.Updates()
			}
			l.note(e)
		case <-limit:
			_ = watch.Stop()
			return nil, nil
		}
	}
}

func (l *leases) note(e jetstream.KeyValueEntry) {
	if e == nil {
		return
	}
	if was := l.seen[e.Key()]; e.Revision() > was.rev {
		l.seen[e.Key()] = seenKey{string(e.Value()), e.Revision(), time.Now(), e.Operation() != jetstream.KeyValuePut}
	}
}

// beat says that this pod is there. A heartbeat that arrives is also the proof that a quorum of the cluster can be
// reached; where it can't, another server is asked for: that of this connection may be cut off from the others.
func (l *leases) beat(ctx context.Context) {
	bctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	now := time.Now()
	value := podHere
	if l.isLeaving() {
		value = podLeaving
	}
	if _, err := l.kv.PutString(bctx, podPrefix+l.me, value); err == nil {
		l.beaten = now
		l.beatAt.Store(now.UnixNano())
		return
	} else if ctx.Err() == nil {
		l.log.Warn("no heartbeat reached the cluster", "since", now.Sub(l.beaten).Round(time.Second).String(), "err", err)
	}
	if now.Sub(l.beaten) > leaseTime && now.Sub(l.turned) > leaseTime && l.st.nc.Status() == nats.CONNECTED {
		l.turned = now
		_ = l.st.nc.ForceReconnect()
	}
}

// reachable says whether a heartbeat arrived lately.
func (l *leases) reachable() bool {
	return time.Since(time.Unix(0, l.beatAt.Load())) < 2*leaseTime
}

func (l *leases) isLeaving() bool {
	select {
	case <-l.leaving:
		return true
	default:
		return false
	}
}

// pods are those that are there, and those of them that stay.
func (l *leases) pods(now time.Time) (here, staying []string) {
	for key, k := range l.seen {
		name, ok := strings.CutPrefix(key, podPrefix)
		if !ok || k.gone || now.Sub(k.at) > leaseTime {
			continue
		}
		here = append(here, name)
		if k.value != podLeaving {
			staying = append(staying, name)
		}
	}
	slices.Sort(here)
	slices.Sort(staying)
	return here, staying
}

// balance starts and stops tasks so that this pod does its share of them.
func (l *leases) balance(ctx context.Context) {
	now := time.Now()
	here, staying := l.pods(now)
	alive := now.Sub(l.beaten) < leaseTime-leaseMargin
	share := staying
	if len(share) == 0 { // all of them are leaving: they seal what is there
		share = here
	}
	owners := assign(len(l.tasks), share)
	for i, name := range l.tasks {
		lease := l.seen[taskPrefix+name]
		mine := !lease.gone && lease.value == l.me
		want := alive && len(owners) > i && owners[i] == l.me
		free := lease.rev == 0 || lease.gone || !slices.Contains(here, lease.value)
		switch t := l.running[i]; {
		case t != nil && !t.ended():
			if !mine || !want {
				t.stop()
			}
		case t != nil:
			delete(l.running, i)
			l.wakeUp()
		case mine && want:
			l.begin(ctx, i)
		case mine && alive:
			l.release(ctx, name, lease)
		case free && want:
			l.take(ctx, name, lease)
		}
	}
	l.m.tasks.Set(float64(len(l.running)))
	if l.isLeaving() && !slices.Contains(staying, l.me) { // and this pod's own heartbeat has said so
		others := len(staying) > 0
		if !others || len(l.running) == 0 {
			select {
			case l.left <- others:
			default:
			}
		}
	}
	l.forget(ctx, now)
}

func (l *leases) begin(ctx context.Context, i int) {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel: cancel, done: make(chan struct{})}
	l.running[i] = t
	l.log.Info("task begins", "task", l.tasks[i], "pod", l.me)
	go func() {
		defer l.wakeUp()
		defer close(t.done)
		l.do(ctx, i)
	}()
}

func (t *task) stop() {
	t.ending = true
	t.cancel()
}

func (t *task) ended() bool {
	select {
	case <-t.done:
		t.cancel()
		return true
	default:
		return false
	}
}

func (l *leases) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *leases) take(ctx context.Context, name string, was seenKey) {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	// Behind what was seen, be that nothing, a lease that was given back or one of a pod that is gone.
	rev, err := l.kv.Update(ctx, taskPrefix+name, []byte(l.me), was.rev)
	if err != nil { // another one was faster, and the watcher says so soon
		return
	}
	l.seen[taskPrefix+name] = seenKey{value: l.me, rev: rev, at: time.Now()}
	l.wakeUp()
}

func (l *leases) release(ctx context.Context, name string, lease seenKey) {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	if err := l.kv.Delete(ctx, taskPrefix+name, jetstream.LastRevision(lease.rev)); err == nil {
		lease.gone = true
		l.seen[taskPrefix+name] = lease
		l.log.Info("task given back", "task", name, "pod", l.me)
	}
}

// forget removes the names of pods that are gone for long. Whoever keeps house does it.
func (l *leases) forget(ctx context.Context, now time.Time) {
	if l.running[len(l.tasks)-1] == nil {
		return
	}
	for key, k := range l.seen {
		if !strings.HasPrefix(key, podPrefix) || now.Sub(k.at) < forgetPods {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, beatTimeout)
		err := l.st.dropKey(ctx, key)
		cancel()
		if err == nil {
			delete(l.seen, key)
		}
	}
}

// dropKey removes a key of the bucket without a trace: each process has another name.
func (s *streams) dropKey(ctx context.Context, key string) error {
	st, err := s.js.Stream(ctx, "KV_"+bucketLeases)
	if err != nil {
		return err
	}
	return st.Purge(ctx, jetstream.WithPurgeSubject("$KV."+bucketLeases+"."+key))
}

// leave gives back every task where other pods go on with them, and says whether there are any. A pod that is alone keeps
// them until the end.
func (l *leases) leave(ctx context.Context) (others bool) {
	close(l.leaving)
	select {
	case others = <-l.left:
	case <-ctx.Done():
	}
	return others
}

// end stops the tasks and gives them back, so that nobody has to wait for this pod.
func (l *leases) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	for _, t := range l.running {
		t.stop()
	}
	for _, t := range l.running {
		<-t.done
	}
	for _, name := range l.tasks {
		if k := l.seen[taskPrefix+name]; !k.gone && k.value == l.me {
			l.release(ctx, name, k)
		}
	}
	if err := l.kv.Delete(ctx, podPrefix+l.me); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		l.log.Warn("this pod's tasks are taken by others when its lease has run out", "err", err)
	}
}
