package connector

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// keepTrying calls f until it succeeds or ctx ends, and returns an error only then. It tells failed of each failure and
// waits after it, from base up to maxRetryDelay.
func keepTrying(ctx context.Context, base time.Duration, f func() error, failed func(attempt int, err error)) error {
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed(attempt, err)
		if err := sleep(ctx, backoff(attempt, base, maxRetryDelay)); err != nil {
			return err
		}
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
