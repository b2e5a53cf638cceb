package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postcall/postcall/transforms"
)

// Transform is one step of the chain every event goes through.
type Transform struct {
	Name        string
	Transformer transforms.Transformer
}

// chain runs events through the transforms. Privacy fails closed: where a transform can't run, its events wait.
type chain struct {
	steps   []Transform
	timeout time.Duration
	log     *slog.Logger
	m       *metrics
	turn    sync.RWMutex // held alone by the calls that decide about a single event: another's poison must not kill its plugin meanwhile
	failing atomic.Bool  // the last call failed
	giveUp  int          // failed attempts in a row that end the run; 0 never gives up
}

// result is what the chain makes of one received event.
type result struct {
	events []transforms.Event // the event itself, then its children
	fates  []fate             // of the event or its children, where one died or was dropped
}

// apply returns one result per event. It returns an error only when ctx ends, or after giveUp attempts.
func (c *chain) apply(ctx context.Context, in []transforms.Event) ([]result, error) {
	out := make([]result, len(in))
	live, owner := in, make([]int, len(in))
	for i := range owner {
		owner[i] = i
	}
	for _, step := range c.steps {
		if len(live) == 0 {
			break
		}
		done, err := c.step(ctx, step, live)
		if err != nil {
			return nil, err
		}
		next, nextOwner := make([]transforms.Event, 0, len(live)), make([]int, 0, len(live))
		for i, r := range done {
			o := &out[owner[i]]
			o.fates = append(o.fates, r.fates...)
			for _, e := range r.events {
				next, nextOwner = append(next, e), append(nextOwner, owner[i])
			}
		}
		live, owner = next, nextOwner
	}
	for i := range live {
		o := &out[owner[i]]
		o.events = append(o.events, live[i])
	}
	return out, nil
}

// step runs one transform over events until each is decided. What fails is tried again with the transform to itself, since
// calls share a plugin's process: only there a failure is the batch's own. If it fails there too while a harmless event
// passes, it is halved, down to the event that can't be transformed; that one dies after some more attempts. Where not
// even a canary passes, everything waits, so a broken plugin kills nothing (DELIVERY.md, rule 8).
func (c *chain) step(ctx context.Context, t Transform, in []transforms.Event) ([]result, error) {
	rs, err := c.attempt(ctx, t, in, false)
	if err == nil {
		return rs, nil
	}
	return c.insist(ctx, t, in, err, 0)
}

// patience is how often an event has to fail with the transform to itself before it dies.
const patience = 3

// insist goes on after err, having failed alone a number of times already.
func (c *chain) insist(ctx context.Context, t Transform, in []transforms.Event, err error, alone int) ([]result, error) {
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.m.transformed.WithLabelValues(t.Name).Inc()
		c.log.Warn("transform failed; its events wait", "transform", t.Name, "events", len(in), "attempt", attempt, "err", err)
		if alone > 0 && c.canary(ctx, t) {
			if len(in) > 1 {
				mid := len(in) / 2
				a, err := c.part(ctx, t, in[:mid])
				if err != nil {
					return nil, err
				}
				b, err := c.part(ctx, t, in[mid:])
				return append(a, b...), err
			}
			if alone >= patience {
				return []result{{fates: []fate{newFate(&in[0], fateDead, StageTransform,
					fmt.Sprintf("%s fails on this event alone, %d times", t.Name, patience), patience)}}}, nil
			}
		}
		if c.giveUp > 0 && attempt >= c.giveUp {
			return nil, fmt.Errorf("transform %s failed %d times: %w", t.Name, attempt, err)
		}
		if err := sleep(ctx, backoff(attempt, 50*time.Millisecond, 10*time.Second)); err != nil {
			return nil, err
		}
		var rs []result
		if rs, err = c.attempt(ctx, t, in, true); err == nil {
			return rs, nil
		}
		alone++
	}
}

// part is a half of a batch that failed.
func (c *chain) part(ctx context.Context, t Transform, in []transforms.Event) ([]result, error) {
	rs, err := c.attempt(ctx, t, in, true)
	if err == nil {
		return rs, nil
	}
	return c.insist(ctx, t, in, err, 1)
}

func (c *chain) attempt(ctx context.Context, t Transform, in []transforms.Event, alone bool) ([]result, error) {
	out, err := c.call(ctx, t, in, alone)
	c.failing.Store(err != nil)
	if err != nil {
		return nil, err
	}
	return pair(t.Name, in, out)
}

func (c *chain) call(ctx context.Context, t Transform, in []transforms.Event, alone bool) ([]transforms.Event, error) {
	if alone {
		c.turn.Lock()
		defer c.turn.Unlock()
	} else {
		c.turn.RLock()
		defer c.turn.RUnlock()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("transform %s missed its deadline of %s", t.Name, c.timeout))
	defer cancel()
	batch := make([]transforms.Event, len(in)) // the transform owns what it is handed; in is needed for another attempt
	copy(batch, in)
	return t.Transformer.Transform(ctx, batch)
}

func (c *chain) canary(ctx context.Context, t Transform) bool {
	_, err := c.call(ctx, t, []transforms.Event{{Tenant: "postcall", CallID: "canary"}}, true)
	return err == nil
}

// pair matches what a transform returned with what it was handed.
func pair(name string, in, out []transforms.Event) ([]result, error) {
	rs := make([]result, len(in))
	i := -1
	for j := range out {
		e := &out[j]
		if i+1 < len(in) && e.CallID == in[i+1].CallID && e.ParentCallID == in[i+1].ParentCallID {
			i++
		} else if i < 0 || e.ParentCallID != in[i].CallID {
			return nil, fmt.Errorf("transform %s returned %d events for %d, out of order at %d", name, len(out), len(in), j)
		}
		switch e.Outcome.Decision {
		case transforms.Drop:
			rs[i].fates = append(rs[i].fates, newFate(e, fateDropped, StageTransform, name+": "+e.Outcome.Reason, 1))
		case transforms.Reject:
			rs[i].fates = append(rs[i].fates, newFate(e, fateDead, StageTransform, name+": "+e.Outcome.Reason, 1))
		default:
			rs[i].events = append(rs[i].events, *e)
		}
	}
	if i != len(in)-1 {
		return nil, fmt.Errorf("transform %s returned entries for %d of %d events", name, i+1, len(in))
	}
	return rs, nil
}

func newFate(e *transforms.Event, outcome, stage, reason string, attempts int) fate {
	return fate{
		Outcome: outcome, Stage: stage, Reason: reason, Tenant: e.Tenant, Source: e.Source, CallID: e.CallID, Parent: e.ParentCallID,
		Version: e.Version, Received: e.ReceivedAt, Attempts: attempts,
	}
}

// backoff is the wait before the next attempt: doubling from base, at most limit, with half of it jittered.
func backoff(attempt int, base, limit time.Duration) time.Duration {
	d := limit
	if attempt < 20 {
		d = min(base<<(attempt-1), limit)
	}
	return d/2 + rand.N(d/2+1)
}

// sleep waits for d, or returns the cause of ctx's end.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), context.Cause(ctx))
	}
}
