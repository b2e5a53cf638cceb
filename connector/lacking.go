package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/postcall/postcall/transforms"
)

// lacking is what the store does not have of a batch that lost an event to an erasure; any other batch it returns as it
// is. A message that was sealed again is delivered to every sink, also to those that were done with the one before, and
// for longer than that one would have been. The token alone keeps the rows from being inserted again for as long as the
// store remembers it, and for as long as the loader refuses the same rows; the store's own rows keep it always
// (2026-11, DELIVERY.md, rule 13).
func (s *sink) lacking(ctx context.Context, b Batch) (Batch, error) {
	b = s.erased.spare(b)
	v, ok := s.Loader.(Versioner)
	if !ok || !b.torn || len(b.Events) == 0 {
		return b, nil
	}
	for attempt := 1; ; attempt++ {
		err := s.check(ctx)
		var missing []int
		if err == nil {
			missing, err = missingIn(ctx, v, &b)
		}
		switch {
		case err == nil && len(missing) == len(b.Events):
			return b, nil
		case err == nil:
			return b.keep(missing), nil
		case ctx.Err() != nil:
			return b, ctx.Err()
		case errors.Is(err, ErrPaused):
			err = s.pause(ctx, err)
		default:
			s.failing.Store(true)
			s.checked.Store(false)
			s.log.Warn("the store does not say what it has of a batch that was sealed again; tried again", "sink", s.Name, "attempt", attempt, "err", err)
			err = sleep(ctx, backoff(attempt, 100*time.Millisecond, maxRetryDelay))
		}
		if err != nil {
			return b, err
		}
	}
}

// missingIn are the events, by index, that the store has in no version as high.
func missingIn(ctx context.Context, v Versioner, b *Batch) (missing []int, err error) {
	found, err := versionsOf(ctx, v, b.Events)
	if err != nil {
		return nil, fmt.Errorf("ask for versions: %w", err)
	}
	for i := range found {
		if found[i] < b.Events[i].Version {
			missing = append(missing, i)
		}
	}
	return missing, nil
}

// versionsOf asks the store for the version that it has of each event's call, 0 where it has none.
func versionsOf(ctx context.Context, v Versioner, events []transforms.Event) ([]int64, error) {
	versions := make([]int64, 0, len(events))
	for part := range slices.Chunk(events, 1000) {
		keys := make([]SinkKey, len(part))
		for i := range part {
			keys[i] = SinkKey{part[i].Tenant, part[i].CallID}
		}
		found, err := v.Versions(ctx, keys)
		if err != nil {
			return nil, err
		}
		versions = append(versions, found...)
	}
	return versions, nil
}

// turns lets one batch of a kind through at a time. A message that was sealed again may reach a sink while another worker
// still has the one before: what that one does to the store is to be seen first.
type turns struct {
	mu sync.Mutex
	at map[string]*turn
}

type turn struct {
	mu   sync.Mutex
	held int
}

func (t *turns) take(name string) (done func()) {
	t.mu.Lock()
	if t.at == nil {
		t.at = map[string]*turn{}
	}
	w := t.at[name]
	if w == nil {
		w = &turn{}
		t.at[name] = w
	}
	w.held++
	t.mu.Unlock()
	w.mu.Lock()
	return func() {
		w.mu.Unlock()
		t.mu.Lock()
		defer t.mu.Unlock()
		if w.held--; w.held == 0 {
			delete(t.at, name)
		}
	}
}
