package connector

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Canary is an optional ability of a Loader: it loads a harmless event the way Load does, and takes it away again.
type Canary interface {
	Canary(ctx context.Context) error
}

// mayHold says whether events that the store refuses may be held back: only when others pass under the same schema and
// code, and are not a few among many that don't (DELIVERY.md, rule 8). Others are those of the same load, of a load
// that succeeded since the last failure, or a canary: what passed before an outage proves nothing.
func (s *sink) mayHold(ctx context.Context, loaded, refused int) bool {
	if loaded == 0 && !s.fresh.Load() {
		c, ok := s.Loader.(Canary)
		if !ok && !s.proven.Load() {
			return false
		}
		if ok {
			ctx, cancel := context.WithTimeoutCause(ctx, checkTimeout, fmt.Errorf("%s did not take a canary within %s", s.Name, checkTimeout))
			defer cancel()
			if err := c.Canary(ctx); err != nil {
				s.log.Warn("canary refused", "sink", s.Name, "err", err)
				return false
			}
		}
	}
	s.proven.Store(true)
	return s.guard.allows(loaded, refused)
}

// doubt waits, with an alarm, where it is the release or the store that is broken rather than an event.
func (s *sink) doubt(ctx context.Context, attempt int, cause error) error {
	s.m.paused.WithLabelValues(s.Name).Set(1)
	s.m.alarm("refusals", 1)
	s.waits(SinkPaused, cause)
	s.log.Error("the store refuses too much for it to be the events' fault; nothing more is held back and the sink waits",
		"sink", s.Name, "attempt", attempt, "err", cause)
	return sleep(ctx, backoff(attempt, 500*time.Millisecond, pauseDelay))
}

// pause waits with an alarm until the store is fit again. Nothing is dead-lettered for what an operator can put right.
func (s *sink) pause(ctx context.Context, cause error) error {
	s.m.paused.WithLabelValues(s.Name).Set(1)
	s.m.alarm("paused", 1)
	s.waits(SinkPaused, cause)
	s.log.Error("sink is paused until this is put right; events wait on disk", "sink", s.Name, "err", cause)
	s.checked.Store(false)
	s.proven.Store(false)
	for attempt := int(s.pauses.Add(1)); ; attempt++ { // a load can be refused though Check passes: it waits longer each time
		if err := sleep(ctx, backoff(attempt, 500*time.Millisecond, pauseDelay)); err != nil {
			return err
		}
		if err := s.check(ctx); !errors.Is(err, ErrPaused) {
			s.log.Info("sink tries again", "sink", s.Name)
			return nil
		}
	}
}
