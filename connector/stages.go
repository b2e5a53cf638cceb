package connector

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// stages are the parts of the pipeline from front to back, each a group of goroutines with a context of its own.
type stages struct {
	intake, seal, sinks *stage
}

type stage struct {
	*errgroup.Group
	ctx    context.Context // of the group; ends when one of it fails or the stage is stopped
	cancel context.CancelFunc
}

func newStages(ctx context.Context) *stages {
	return &stages{intake: newStage(ctx), seal: newStage(ctx), sinks: newStage(ctx)}
}

func newStage(ctx context.Context) *stage {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g, gctx := errgroup.WithContext(ctx)
	return &stage{g, gctx, cancel}
}

// Go runs f until the stage is stopped.
func (s *stage) Go(f func(context.Context) error) {
	s.Group.Go(func() error { return f(s.ctx) })
}

// failed is closed when any stage ends before it was stopped.
func (s *stages) failed() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		select {
		case <-s.intake.ctx.Done():
		case <-s.seal.ctx.Done():
		case <-s.sinks.ctx.Done():
		}
		close(done)
	}()
	return done
}

// stop ends the stages in order and returns what failed in them. After ctx it no longer waits.
func (s *stages) stop(ctx context.Context) error {
	var errs []error
	for _, g := range []*stage{s.intake, s.seal, s.sinks} {
		g.cancel()
		done := make(chan error, 1)
		go func() { done <- g.Wait() }()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				errs = append(errs, err)
			}
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("a stage did not end: %w", context.Cause(ctx)))
		}
	}
	return errors.Join(errs...)
}
