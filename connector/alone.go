package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A tool that loads into the store of a sink whose Loader is Exclusive holds the sink meanwhile: a lease keeps other tools
// away, and the sink's consumer is paused, in whatever process or pod it runs. Both end by themselves when the tool dies.
const (
	leaseBucket = "postcall-alone"
	pauseFor    = 30 * time.Second // the sink stands still so long after the tool has died
	leaseFor    = 60 * time.Second // longer than the pause: another tool begins with a pause of its own
	idleTimeout = 2 * time.Minute  // for the batch that the sink is at, and for other tools
)

// hold is a sink that a tool has stopped.
type hold struct {
	st    *streams
	name  string
	still time.Duration // pauseFor
	goes  bool          // the sink goes on meanwhile: only other tools are kept away
	kv    jetstream.KeyValue
	rev   uint64 // of the lease
}

// onlyOne says that nothing else uses the streams: a tool opened them where no connector runs.
func (o *Operator) onlyOne() bool { return o.st.srv != nil && o.here == nil }

// alone calls f while the sink loads nothing. The context of f ends where that can't be kept up. For sinks whose loads may
// overlap, and where nothing else runs, it only calls f.
func (o *Operator) alone(ctx context.Context, s *Sink, f func(context.Context) error) error {
	if !s.exclusive() || o.onlyOne() {
		return f(ctx)
	}
	h := &hold{st: o.st, name: s.Name, still: pauseFor}
	return h.run(ctx, f)
}

// leased calls f while no other tool changes the sink's store. The sink itself goes on.
func (o *Operator) leased(ctx context.Context, s *Sink, f func(context.Context) error) error {
	if o.onlyOne() {
		return f(ctx)
	}
	h := &hold{st: o.st, name: s.Name, still: pauseFor, goes: true}
	return h.run(ctx, f)
}

func (h *hold) run(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := h.take(ctx); err != nil {
		return fmt.Errorf("stop sink %s meanwhile: %w", h.name, err)
	}
	done := make(chan struct{})
	go func() { defer close(done); h.keep(ctx, cancel) }()
	defer func() { cancel(nil); <-done; h.release() }()
	if err := h.awaitIdle(ctx); err != nil {
		return fmt.Errorf("stop sink %s meanwhile: %w", h.name, err)
	}
	return f(ctx)
}

// take waits for the lease and pauses the sink.
func (h *hold) take(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, idleTimeout, fmt.Errorf("another tool has loaded into it for over %s", idleTimeout))
	defer cancel()
	var err error
	h.kv, err = h.st.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: leaseBucket, TTL: leaseFor, Storage: jetstream.MemoryStorage, Replicas: h.st.batches.CachedInfo().Config.Replicas,
	})
	if err != nil {
		return err
	}
	for {
		if h.rev, err = h.kv.Create(ctx, h.name, nil); err == nil {
			break
		}
		if !errors.Is(err, jetstream.ErrKeyExists) || sleep(ctx, 20*time.Millisecond) != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
	if err := h.pause(ctx); err != nil {
		h.release()
		return err
	}
	return nil
}

func (h *hold) pause(ctx context.Context) error {
	if h.goes {
		return nil
	}
	p, err := h.st.batches.PauseConsumer(ctx, h.name, time.Now().Add(h.still))
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound): // the sink has never run
		return nil
	case err == nil && !p.Paused:
		return errors.New("this machine's clock is behind that of JetStream")
	}
	return err
}

// keep renews the lease and the pause until ctx ends, and ends it where it can't.
func (h *hold) keep(ctx context.Context, cancel context.CancelCauseFunc) {
	for renewed := time.Now(); sleep(ctx, h.still/6) == nil; {
		rev, err := h.kv.Update(ctx, h.name, nil, h.rev)
		if err == nil {
			h.rev = rev
			err = h.pause(ctx)
		}
		switch {
		case err == nil:
			renewed = time.Now()
		case time.Since(renewed) > h.still/2:
			cancel(fmt.Errorf("sink %s can't be kept still: %w", h.name, err))
		}
	}
}

// awaitIdle waits until the sink, which is handed no more batches, has finished those it was handed.
func (h *hold) awaitIdle(ctx context.Context) error {
	if h.goes {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, idleTimeout,
		fmt.Errorf("it is at one batch for over %s: see postcall doctor, and where no connector runs, start one", idleTimeout))
	defer cancel()
	for {
		c, err := h.st.batches.Consumer(ctx, h.name)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound), err == nil && c.CachedInfo().NumAckPending == 0:
			return nil
		case err != nil && ctx.Err() == nil:
			return err
		}
		if sleep(ctx, 10*time.Millisecond) != nil {
			return context.Cause(ctx)
		}
	}
}

// release lets the sink go on. Where that fails, it goes on by itself.
func (h *hold) release() {
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
	defer cancel()
	defer func() { _ = h.kv.Delete(ctx, h.name, jetstream.LastRevision(h.rev)) }()
	if h.goes {
		return
	}
	// Not ResumeConsumer: the server wakes a consumer only at the end of a pause.
	_, _ = h.st.batches.PauseConsumer(ctx, h.name, time.Now().Add(20*time.Millisecond))
}
