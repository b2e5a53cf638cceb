package connector

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/postcall/postcall/transforms"
)

// breaker knows whether a transform can run at all. It opens when several canaries in a row have failed and nothing has
// passed meanwhile. While it is open nothing is tried but a canary now and then; the first one that passes closes it.
type breaker struct {
	mu     sync.Mutex
	failed int           // canaries in a row
	closed chan struct{} // made when it opens, closed when it closes; nil while it is closed
	opened chan struct{} // has room for one: it opened
}

// maxFailed is how many canaries in a row have to fail.
const maxFailed = 3

func (b *breaker) isOpen() bool { return b.whenClosed() != nil }

// whenClosed returns what is closed when the breaker closes, or nil while it isn't open.
func (b *breaker) whenClosed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// fail counts a canary that failed and says whether this opens the breaker.
func (b *breaker) fail() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed++
	if b.failed < maxFailed || b.closed != nil {
		return false
	}
	b.closed = make(chan struct{})
	select {
	case b.opened <- struct{}{}:
	default:
	}
	return true
}

// pass counts something that passed and says whether this closes the breaker.
func (b *breaker) pass() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = 0
	if b.closed == nil {
		return false
	}
	close(b.closed)
	b.closed = nil
	return true
}

func (c *chain) passed(s *step) {
	if s.pass() {
		c.m.open.WithLabelValues(s.Name).Set(0)
		c.log.Info("a transform runs again", "transform", s.Name)
	}
}

// canary hands the transform an event that nothing can be wrong with: a plugin that hangs still answers pings.
func (c *chain) canary(ctx context.Context, s *step) bool {
	err := c.tryCanary(ctx, s)
	switch {
	case err == nil:
		c.passed(s)
	case ctx.Err() == nil && s.fail():
		c.m.open.WithLabelValues(s.Name).Set(1)
		c.m.alarm("transform", 1)
		events := "wait until it can"
		if s.skip {
			events = "go on without it (on_failure: skip)"
		}
		c.log.Error("a transform can't run; look at what its plugin logs, and at `postcall doctor`", "transform", s.Name, "events", events, "err", err)
	}
	return err == nil
}

func (c *chain) tryCanary(ctx context.Context, s *step) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return TryTransform(ctx, s.Transform)
}

// canaryTimeout is how long a transform may take for one event with nothing in it. A plugin has its own limit.
const canaryTimeout = 10 * time.Second

// TryTransform checks that a transform takes an event that has nothing but an id.
func TryTransform(ctx context.Context, t Transform) error {
	if p, ok := t.Transformer.(interface{ Canary(context.Context) error }); ok {
		return p.Canary(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, canaryTimeout, errors.New("no answer to a canary"))
	defer cancel()
	_, err := transforms.Apply(ctx, t.Name, t.Transformer, []transforms.Encoded{{Event: transforms.Event{Tenant: "postcall", CallID: "canary"}}})
	return err
}

// heldTimeout is how long a batch waits at an open breaker before it is tried in spite of it: there may be a plugin that
// can do with calls and not with a canary.
const heldTimeout = time.Minute

// wait waits before another attempt: longer each time, and at an open breaker until it closes.
func (c *chain) wait(ctx context.Context, s *step, attempt int) error {
	closed := s.whenClosed()
	if closed == nil {
		return sleep(ctx, backoff(attempt, 50*time.Millisecond, 10*time.Second))
	}
	t := time.NewTimer(heldTimeout)
	defer t.Stop()
	select {
	case <-closed:
		return nil
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), context.Cause(ctx))
	}
}

// probe sends canaries to the transforms whose breaker is open, until ctx ends.
func (c *chain) probe(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, s := range c.steps {
		wg.Go(func() {
			for {
				select {
				case <-s.opened:
				case <-ctx.Done():
					return
				}
				for attempt := 1; s.isOpen(); attempt++ {
					if sleep(ctx, backoff(attempt, 500*time.Millisecond, 15*time.Second)) != nil {
						return
					}
					c.canary(ctx, s)
				}
			}
		})
	}
	return nil
}
