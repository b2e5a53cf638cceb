package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/postcall/postcall/transforms"
)

// Transform is one step of a chain.
type Transform struct {
	Name        string
	Transformer transforms.Transformer
}

// Chains are the transforms that events go through, in order.
type Chains struct {
	Default []Transform            // of a source that Sources doesn't name
	Sources map[string][]Transform // of sources that have a chain of their own
	// Skip names transforms without which events go on while those can't run. For others events wait: privacy fails closed.
	Skip map[string]bool
}

// All lists each transform once.
func (c Chains) All() []Transform {
	var all []Transform
	known := map[string]bool{}
	for _, list := range append([][]Transform{c.Default}, slices.Collect(maps.Values(c.Sources))...) {
		for _, t := range list {
			if !known[t.Name] {
				known[t.Name], all = true, append(all, t)
			}
		}
	}
	return all
}

// chain runs events through the transforms of their source.
type chain struct {
	standard []*step
	sources  map[string][]*step // of sources that have a chain of their own
	steps    []*step            // each once
	calls    int                // to be made at once
	log      *slog.Logger
	m        *metrics
	tracing  tracing
	giveUp   int // failed attempts in a row that end the run; 0 never gives up
}

// step is a transform at work, for all chains that it is in.
type step struct {
	Transform
	breaker
	skip    bool
	turn    sync.RWMutex // held alone by the calls that decide about a single event: another's poison must not kill its plugin meanwhile
	failing atomic.Bool  // the last call failed
	traced  string       // name of the spans of its calls
}

func newChain(c Chains, cfg TransformConfig, log *slog.Logger, m *metrics) *chain {
	ch := &chain{sources: map[string][]*step{}, calls: cfg.Concurrency, log: log, m: m}
	known := map[string]*step{}
	for _, t := range c.All() {
		s := &step{Transform: t, breaker: breaker{opened: make(chan struct{}, 1)}, skip: c.Skip[t.Name], traced: "transform " + t.Name}
		known[t.Name], ch.steps = s, append(ch.steps, s)
		m.open.WithLabelValues(t.Name).Set(0)
	}
	steps := func(ts []Transform) (list []*step) {
		for _, t := range ts {
			list = append(list, known[t.Name])
		}
		return list
	}
	ch.standard = steps(c.Default)
	for source, ts := range c.Sources {
		ch.sources[source] = steps(ts)
	}
	for _, s := range ch.steps {
		if p, ok := s.Transformer.(interface{ Processes() int }); ok {
			ch.calls = max(ch.calls, cfg.Concurrency*p.Processes())
		}
	}
	return ch
}

// key tells chains apart: it is the same for sources that go through the same one.
func (c *chain) key(source string) string {
	if _, own := c.sources[source]; own {
		return source
	}
	return ""
}

// failed says whether the last call of any transform failed.
func (c *chain) failed() bool {
	for _, s := range c.steps {
		if s.failing.Load() {
			return true
		}
	}
	return false
}

// result is what the chain makes of one received event.
type result struct {
	events []transforms.Encoded // the event itself, then its children
	fates  []fate               // of the event or its children, where one died or was dropped
}

// apply returns one result per event. All have the same key. It returns an error only when ctx ends, or after giveUp attempts.
func (c *chain) apply(ctx context.Context, key string, in []transforms.Event) ([]result, error) {
	out := make([]result, len(in))
	live, owner := make([]transforms.Encoded, len(in)), make([]int, len(in))
	for i := range in {
		live[i].Event, owner[i] = in[i], i
	}
	steps := c.standard
	if own, ok := c.sources[key]; ok {
		steps = own
	}
	for _, s := range steps {
		if len(live) == 0 {
			break
		}
		done, err := c.step(ctx, s, live)
		if err != nil {
			return nil, err
		}
		next, nextOwner := make([]transforms.Encoded, 0, len(live)), make([]int, 0, len(live))
		for i, r := range done {
			o := &out[owner[i]]
			o.fates = append(o.fates, r.fates...)
			next = append(next, r.events...)
			for range r.events {
				nextOwner = append(nextOwner, owner[i])
			}
		}
		live, owner = next, nextOwner
	}
	for lo, hi := 0, 0; lo < len(live); lo = hi { // an event and its children follow each other
		for hi = lo; hi < len(live) && owner[hi] == owner[lo]; hi++ {
		}
		out[owner[lo]].events = live[lo:hi:hi]
	}
	return out, nil
}

// step runs one transform over events until each is decided. What fails is tried again with the transform to itself, since
// calls share a plugin's process: only there a failure is the batch's own. If it fails there too while a harmless event
// passes, it is halved, down to the event that can't be transformed; that one dies after some more attempts. Where not
// even a canary passes, everything waits, so a broken plugin kills nothing (DELIVERY.md, rule 8).
func (c *chain) step(ctx context.Context, s *step, in []transforms.Encoded) ([]result, error) {
	if s.isOpen() {
		if s.skip {
			return c.skip(s, in), nil
		}
		if err := c.wait(ctx, s, 1); err != nil {
			return nil, err
		}
	}
	rs, err := c.attempt(ctx, s, in, false)
	if err == nil {
		return rs, nil
	}
	return c.insist(ctx, s, in, err, 0)
}

// patience is how often an event has to fail with the transform to itself before it dies.
const patience = 3

// insist goes on after err, having failed alone a number of times already.
func (c *chain) insist(ctx context.Context, s *step, in []transforms.Encoded, err error, alone int) ([]result, error) {
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.m.transformed.WithLabelValues(s.Name).Inc()
		c.log.Warn("transform failed; its events wait", "transform", s.Name, "events", len(in), "attempt", attempt, "err", sayable(err))
		own := alone > 0 || transforms.IsPermanent(err) // it is this batch that fails, and not a neighbour
		if own && c.canary(ctx, s) {
			switch {
			case len(in) > 1:
				return c.halve(ctx, s, in)
			case alone >= patience || alone > 0 && transforms.IsPermanent(err):
				return []result{c.die(s, &in[0].Event, err, alone)}, nil
			}
		}
		if c.giveUp > 0 && attempt >= c.giveUp {
			return nil, fmt.Errorf("transform %s failed %d times: %w", s.Name, attempt, err)
		}
		if s.skip && s.isOpen() {
			return c.skip(s, in), nil
		}
		if err := c.wait(ctx, s, attempt); err != nil {
			return nil, err
		}
		var rs []result
		if rs, err = c.attempt(ctx, s, in, true); err == nil {
			return rs, nil
		}
		alone++
	}
}

func (c *chain) halve(ctx context.Context, s *step, in []transforms.Encoded) ([]result, error) {
	mid := len(in) / 2
	a, err := c.part(ctx, s, in[:mid])
	if err != nil {
		return nil, err
	}
	b, err := c.part(ctx, s, in[mid:])
	return append(a, b...), err
}

// part is a half of a batch that failed.
func (c *chain) part(ctx context.Context, s *step, in []transforms.Encoded) ([]result, error) {
	rs, err := c.attempt(ctx, s, in, true)
	if err == nil {
		return rs, nil
	}
	return c.insist(ctx, s, in, err, 1)
}

// die is what becomes of an event that a transform fails on. The reason is kept, so it says the kind of the error only.
func (c *chain) die(s *step, e *transforms.Event, err error, attempts int) result {
	reason := s.Name + " fails on this event alone: " + kindOf(err)
	return result{fates: []fate{newFate(e, fateDead, StageTransform, reason, attempts)}}
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, transforms.ErrPluginMemory):
		return "it needs too much memory"
	case errors.Is(err, transforms.ErrPluginTimeout):
		return "it doesn't answer in time"
	case errors.Is(err, transforms.ErrPluginGone):
		return "its process ends"
	case errors.Is(err, transforms.ErrContract):
		return "its answer breaks the contract"
	case transforms.IsPermanent(err):
		return "it can't take it, or its answer is too large"
	}
	return "it answers an error"
}

// sayable is an error for the log. One of the contract names calls, and what a plugin has made of their ids.
func sayable(err error) any {
	if errors.Is(err, transforms.ErrContract) {
		return "its answer breaks the contract; `postcall plugin test` says how"
	}
	return err
}

// skip lets events go on without the transform.
func (c *chain) skip(s *step, in []transforms.Encoded) []result {
	c.m.skipped.WithLabelValues(s.Name).Add(float64(len(in)))
	rs := make([]result, len(in))
	for i := range in {
		rs[i].events = in[i : i+1 : i+1]
	}
	return rs
}

func (c *chain) attempt(ctx context.Context, s *step, in []transforms.Encoded, alone bool) ([]result, error) {
	groups, err := c.call(ctx, s, in, alone)
	s.failing.Store(err != nil)
	if err != nil {
		return nil, err
	}
	c.passed(s)
	rs := make([]result, len(in))
	for i, g := range groups {
		rs[i] = s.decided(g)
	}
	return rs, nil
}

// decided sorts what a transform made of an event. Where all of it goes on, nothing is copied.
func (s *step) decided(group []transforms.Encoded) (r result) {
	kept := 0
	for i := range group {
		if group[i].Event.Outcome.Decision == transforms.Keep {
			kept++
		}
	}
	if kept == len(group) {
		r.events = slices.Clip(group)
		return r
	}
	for i := range group {
		e := &group[i].Event
		switch reason := s.Name + ": " + e.Outcome.Reason; e.Outcome.Decision {
		case transforms.Drop:
			r.fates = append(r.fates, newFate(e, fateDropped, StageTransform, reason, 1))
		case transforms.Reject:
			r.fates = append(r.fates, newFate(e, fateDead, StageTransform, reason, 1))
		default:
			r.events = append(r.events, group[i])
		}
	}
	return r
}

func (c *chain) call(ctx context.Context, s *step, in []transforms.Encoded, alone bool) ([][]transforms.Encoded, error) {
	if alone {
		s.turn.Lock()
		defer s.turn.Unlock()
	} else {
		s.turn.RLock()
		defer s.turn.RUnlock()
	}
	ctx, span := c.tracing.begin(ctx, s.traced, trace.SpanKindClient, len(in))
	start := time.Now()
	out, err := transforms.Apply(ctx, s.Name, s.Transformer, in)
	c.m.transformSeconds.WithLabelValues(s.Name).Observe(time.Since(start).Seconds())
	failed := ""
	if err != nil {
		failed = kindOf(err)
	}
	c.tracing.end(span, failed)
	return out, err
}

func newFate(e *transforms.Event, outcome, stage, reason string, attempts int) fate {
	return fate{
		Outcome: outcome, Stage: stage, Reason: reason, Tenant: e.Tenant, Source: e.Source, CallID: e.CallID, Parent: e.ParentCallID,
		Version: e.Version, Received: e.ReceivedAt, Attempts: attempts,
	}
}
