package console

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/postcall/postcall/connector"
)

const (
	lookEvery   = 1500 * time.Millisecond // below the page's own pace
	lookTimeout = 20 * time.Second
	lookShare   = 10 // a look is as rare as to take a tenth of the time at most
	deadAge     = 30 * time.Second
	kept        = 60 // rates that are remembered
	gap         = time.Minute
	shownDead   = 50
	shownCalls  = 20
)

// look is one look for all who watch: it reads the streams, so nobody is to have it read more often by asking more often.
// Nobody watching costs nothing.
type look struct {
	p Pipeline

	mu   sync.Mutex
	last *seen
	err  error     // of the last look
	next time.Time // when there is to be a new one
}

// seen is what a look saw. It is not changed afterwards.
type seen struct {
	status *connector.Status
	calls  []connector.LatestCall
	dead   deadSeen
	rates  map[string][]float64 // events a second by sink, "" is what came in; the newest last, empty before the second look
}

// deadSeen are the dead letters.
type deadSeen struct {
	at      time.Time
	streams [2]connector.StreamStatus // as they were: what did not change is not read again
	newest  []connector.DeadLetter    // without what they hold
	total   int
	lacking map[lack]string // what a sink's dead letters say that it lacks, and their state: "" or purged
}

// lack is a version of a call that a sink refused.
type lack struct {
	tenant, call, sink string
	version            int64
}

// at returns what the last look saw, or a new one. After an error it is the last one that there was, or nil.
func (l *look) at(ctx context.Context, now time.Time) (*seen, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.next) {
		return l.last, l.err
	}
	// All who watch wait for it, so it doesn't end with the one who asked first.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), lookTimeout, errors.New("the streams did not answer in time"))
	defer cancel()
	began := time.Now()
	s, err := l.take(ctx)
	if l.err = err; err == nil {
		l.last = s
	}
	l.next = time.Now().Add(max(lookEvery, lookShare*time.Since(began)))
	return l.last, l.err
}

// again has the next who asks look anew.
func (l *look) again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = time.Time{}
	if l.last != nil {
		s := *l.last
		s.dead.at = time.Time{}
		l.last = &s
	}
}

func (l *look) take(ctx context.Context) (*seen, error) {
	s := &seen{}
	var err error
	if s.status, err = l.p.Status(ctx); err != nil {
		return nil, err
	}
	if s.calls, err = l.p.Latest(ctx, shownCalls); err != nil {
		return nil, err
	}
	s.rates = rates(l.last, s.status)
	streams := [2]connector.StreamStatus{s.status.Dead, s.status.Refused}
	if l.last != nil && l.last.dead.streams == streams && s.status.At.Sub(l.last.dead.at) < deadAge {
		s.dead = l.last.dead
		return s, nil
	}
	s.dead = deadSeen{at: s.status.At, streams: streams, lacking: map[lack]string{}}
	err = l.p.Dead(ctx, connector.DeadFilter{Brief: true, Closed: true}, s.dead.add)
	s.dead.trim()
	return s, err
}

// add takes a dead letter. They come oldest first, by stream.
func (d *deadSeen) add(l *connector.DeadLetter) error {
	if l.Stage == connector.StageLoad && l.State != connector.DeadReplayed {
		d.lacking[lack{l.Tenant, l.CallID, l.Sink, l.Version}] = l.State
	}
	if l.State != "" {
		return nil
	}
	d.total++
	d.newest = append(d.newest, *l)
	if len(d.newest) >= 2*shownDead {
		d.trim()
	}
	return nil
}

func (d *deadSeen) trim() {
	slices.SortStableFunc(d.newest, func(a, b connector.DeadLetter) int { return b.Died.Compare(a.Died) })
	d.newest = slices.Clip(d.newest[:min(len(d.newest), shownDead)])
}

// rates are those before, and what was counted since the last look.
func rates(last *seen, now *connector.Status) map[string][]float64 {
	out := map[string][]float64{}
	if last == nil {
		return out
	}
	seconds := now.At.Sub(last.status.At).Seconds()
	if seconds <= 0 {
		return last.rates
	}
	add := func(name string, before, after uint64) {
		old := last.rates[name]
		if seconds > gap.Seconds() { // nobody watched: a line through that time would be made up
			old = nil
		}
		out[name] = append(slices.Clone(old[max(0, len(old)-kept+1):]), float64(after-min(after, before))/seconds)
	}
	add("", last.status.Counts.Received, now.Counts.Received)
	for _, k := range now.Sinks {
		if i := slices.IndexFunc(last.status.Sinks, func(b connector.SinkStatus) bool { return b.Name == k.Name }); i >= 0 {
			add(k.Name, last.status.Sinks[i].Delivered, k.Delivered)
		}
	}
	return out
}
