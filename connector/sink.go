package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
)

// Sink is a store that sealed batches are loaded into.
type Sink struct {
	Name    string // also the name of its durable consumer
	Loader  Loader
	Workers int // batches at once; an Exclusive loader has one
}

func (s *Sink) exclusive() bool {
	x, ok := s.Loader.(Exclusive)
	return ok && x.Exclusive()
}

func (s *Sink) workers() int {
	if s.exclusive() {
		return 1
	}
	return max(s.Workers, 1)
}

// sink brings every sealed batch to one Loader. Everything a Loader leaves to others is here: retry, backoff, pausing,
// bisecting and dead letters.
type sink struct {
	Sink
	dead *deadLetters
	log  *slog.Logger
	m    *metrics

	guard    *shareGuard
	erased   *erasures
	turns    turns // of the sealed messages under way
	underWay underWay
	tracing  tracing

	trouble atomic.Pointer[sinkTrouble] // what it waits for; nil where it loads
	pauses  atomic.Int32                // in a row, without a load that succeeded
	failing atomic.Bool                 // the last attempt failed
	fresh   atomic.Bool                 // the last load of any worker succeeded
	checked atomic.Bool                 // Check has succeeded since the last failure
	proven  atomic.Bool                 // a load has succeeded since the last pause: what is refused now is refused for its data
}

const (
	ackWait       = 60 * time.Second
	heartbeat     = 5 * time.Second
	checkTimeout  = 15 * time.Second
	maxRetryDelay = 5 * time.Second

	// On a cluster a batch whose pod is gone comes again, to any pod, when it has not said for so long that it is at it.
	clusterAckWait = 15 * time.Second
	// clusterPending bounds the batches under way over all pods; each worker of a pod has one.
	clusterPending = 1000
	pauseDelay     = 10 * time.Second
)

// flush loads a batch until each of its events is stored or held back. It returns an error only when ctx ends or a dead
// letter can't be stored.
func (s *sink) flush(ctx context.Context, b Batch) error {
	b, err := s.lacking(ctx, b)
	if err != nil || len(b.Events) == 0 {
		return err
	}
	var cuts *splits
	err = keepTrying(ctx, 100*time.Millisecond, func() (err error) {
		cuts, err = s.dead.readSplits(ctx, s.Name, b.replay+b.origin())
		return err
	}, func(attempt int, err error) {
		s.log.Warn("cuts of a batch not known; tried again", "sink", s.Name, "attempt", attempt, "err", err)
	})
	if err != nil {
		return err
	}
	return s.flushLeaves(ctx, b, cuts)
}

// flushLeaves loads the parts that the batch was cut into before. It follows the cuts also where so much of a part was
// erased that nothing is left to cut.
func (s *sink) flushLeaves(ctx context.Context, b Batch, cuts *splits) error {
	for _, part := range cuts.leaves(b) {
		if err := s.flushPart(ctx, part, cuts, false); err != nil {
			return err
		}
	}
	return nil
}

// flushPart loads a batch or a part of one; doubted says that the batch was halved for a Suspect error. Cuts are known by
// the whole part, whatever is erased meanwhile.
func (s *sink) flushPart(ctx context.Context, whole Batch, cuts *splits, doubted bool) error {
	struck := strikes{doubted: doubted}
	for attempt := 1; ; attempt++ {
		b := s.erased.spare(whole)
		if len(b.Events) == 0 {
			return nil
		}
		single := len(b.Events) == 1
		if single {
			if died, err := cuts.died(ctx, s.Name, &b); died || err != nil {
				return err
			}
		}
		if !single && cuts.made(&whole) {
			return s.flushHalves(ctx, whole, cuts, doubted)
		}
		err := s.tryFlush(ctx, b)
		struck.count(err)
		var partial *PartialError
		switch {
		case err == nil:
			s.guard.allows(len(b.Events), 0)
			s.delivered(&b, nil)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !single && struck.halves(err):
			if merr := cuts.make(ctx, &whole, s.log); merr != nil {
				return merr
			}
			s.log.Warn("batch is halved", "sink", s.Name, "events", len(b.Events), "attempt", attempt, "err", err)
			return s.flushHalves(ctx, whole, cuts, errors.Is(err, ErrSuspect))
		case errors.As(err, &partial):
			loaded := len(b.Events) - len(partial.Failed) - len(partial.Retry)
			if len(partial.Failed) > 0 && !s.mayHold(ctx, loaded, len(partial.Failed)) {
				err = s.doubt(ctx, attempt, err)
				break
			}
			if err := s.hold(ctx, b, partial.Failed, attempt); err != nil {
				return err
			}
			s.delivered(&b, partial)
			if len(partial.Retry) == 0 {
				return nil
			}
			s.log.Warn("store is busy; events are tried again", "sink", s.Name, "events", len(partial.Retry), "attempt", attempt)
			rest := make([]int, 0, len(partial.Retry))
			for i := range b.Events {
				if _, again := partial.Retry[i]; again {
					rest = append(rest, i)
				}
			}
			whole = b.pick(rest)
			err = sleep(ctx, backoff(attempt, 100*time.Millisecond, maxRetryDelay))
		case errors.Is(err, ErrPaused):
			err = s.pause(ctx, err)
		case struck.refused(err):
			if s.mayHold(ctx, 0, 1) {
				return s.hold(ctx, b, map[int]error{0: err}, attempt)
			}
			err = s.doubt(ctx, attempt, err)
		case single && struck.stuck(err):
			s.m.alarm("exhausted", 1)
			s.waits(SinkFails, err)
			s.log.Error("the store has not enough memory or time for a single event; it is tried for ever and never held back for this",
				"sink", s.Name, "attempt", attempt, "err", err)
			err = sleep(ctx, backoff(attempt, 100*time.Millisecond, maxRetryDelay))
		default:
			s.waits(SinkFails, err)
			s.log.Warn("load failed; tried again", "sink", s.Name, "events", len(b.Events), "attempt", attempt, "err", err)
			err = sleep(ctx, backoff(attempt, 100*time.Millisecond, maxRetryDelay))
		}
		if err != nil {
			return err
		}
	}
}

// flushHalves loads the two parts of a batch that was cut.
func (s *sink) flushHalves(ctx context.Context, whole Batch, cuts *splits, doubted bool) error {
	lo, hi := whole.halves()
	if err := s.flushPart(ctx, lo, cuts, doubted); err != nil {
		return err
	}
	return s.flushPart(ctx, hi, cuts, doubted)
}

// tryFlush is one attempt, measured.
func (s *sink) tryFlush(ctx context.Context, b Batch) error {
	if err := s.check(ctx); err != nil {
		s.failing.Store(true)
		return err
	}
	actx, span := s.tracing.begin(ctx, "attempt", trace.SpanKindClient, len(b.Events))
	start := time.Now()
	err := s.load(actx, b)
	s.tracing.end(span, loadFailure(err))
	s.m.loadSeconds.WithLabelValues(s.Name).Observe(time.Since(start).Seconds())
	result := "ok"
	s.failing.Store(err != nil)
	if err != nil {
		result = "error"
		s.checked.Store(false)
		s.fresh.Store(false)
	} else {
		s.fresh.Store(true)
		s.proven.Store(true)
		s.pauses.Store(0)
		s.m.paused.WithLabelValues(s.Name).Set(0)
	}
	s.m.loads.WithLabelValues(s.Name, result).Inc()
	return err
}

// loadFailure is the kind of an error of a Loader, for a span: the text can quote data.
func loadFailure(err error) string {
	var partial *PartialError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &partial):
		return "partial"
	case errors.Is(err, ErrPaused):
		return "paused"
	case errors.Is(err, ErrRefused), errors.Is(err, ErrSuspect):
		return "refused"
	case errors.Is(err, ErrTooLarge):
		return "too large"
	case errors.Is(err, ErrExhausted):
		return "exhausted"
	}
	return "error"
}

// load calls the Loader. A panic in it is held against the data: the process lives, and the batch is bisected.
func (s *sink) load(ctx context.Context, b Batch) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("loader panicked", "sink", s.Name, "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = Suspect(fmt.Errorf("the loader of %s panicked", s.Name))
		}
	}()
	return s.Loader.Load(ctx, b)
}

// check asks the store whether it is fit, after a start and after every failure.
func (s *sink) check(ctx context.Context) error {
	c, ok := s.Loader.(Checker)
	if !ok || s.checked.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, checkTimeout, fmt.Errorf("%s did not answer within %s", s.Name, checkTimeout))
	defer cancel()
	if err := c.Check(ctx); err != nil {
		return err
	}
	s.checked.Store(true)
	return nil
}

// hold writes refused events to the dead letters of this sink.
func (s *sink) hold(ctx context.Context, b Batch, failed map[int]error, attempts int) error {
	for i, reason := range failed {
		if s.erased.covers(&b.Events[i]) { // it was erased while the store looked at it
			continue
		}
		if err := s.dead.putRefused(ctx, s.Name, b, i, attempts, reason); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		s.log.Warn("events held back as dead letters", "sink", s.Name, "events", len(failed))
	}
	return nil
}

// delivered counts what a load brought, less what it did not.
func (s *sink) delivered(b *Batch, less *PartialError) {
	s.trouble.Store(nil)
	n, lag, now := 0, s.m.lagSeconds.WithLabelValues(s.Name), time.Now()
	for i := range b.Events {
		if less != nil && (less.Failed[i] != nil || less.Retry[i] != nil) {
			continue
		}
		n++
		lag.Observe(now.Sub(b.Events[i].ReceivedAt).Seconds())
	}
	s.m.delivered.WithLabelValues(s.Name).Add(float64(n))
}

// handle loads one sealed message. Its ack follows a nil error.
func (s *sink) handle(ctx context.Context, m *sealed) error {
	defer s.underWay.begin(m.Written)()
	defer s.turns.take(m.Token)()
	ctx, span := s.tracing.loading(ctx, s.Name, m)
	b, superseded := m.batch()
	s.m.superseded.WithLabelValues(s.Name).Add(float64(superseded))
	err := s.flush(ctx, b)
	s.failing.Store(err != nil) // an event that is held back is no failure of the sink
	failed := ""
	if err != nil {
		failed = "not finished"
	}
	s.tracing.end(span, failed)
	return err
}

// consumer makes the durable consumer of a sink, or finds it. Its acks may be lost in a crash: everything behind them
// is safe to load again (DELIVERY.md, rule 5).
//
// Over all pods of a cluster, a sink that loads alone has one batch under way, and the one of a pod that is gone is waited
// for as long as its load may take; of other sinks a load that is forgotten and one that follows it may overlap.
func (s *streams) consumer(ctx context.Context, name string, workers int, alone bool) (jetstream.Consumer, error) {
	cfg := jetstream.ConsumerConfig{
		Durable: name, DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: ackWait, MaxDeliver: -1, MaxAckPending: max(workers, 1),
	}
	if s.srv == nil && !alone {
		cfg.AckWait, cfg.MaxAckPending = clusterAckWait, clusterPending
	}
	if s.srv == nil { // a tool that loads alone has stopped it for all pods, see alone.go
		if was, err := s.batches.Consumer(ctx, name); err == nil {
			cfg.PauseUntil = was.CachedInfo().Config.PauseUntil
		}
	}
	c, err := s.batches.CreateOrUpdateConsumer(ctx, cfg)
	if err == nil && s.srv != nil {
		// Nobody else reads the embedded streams: what was being loaded when the last process ended is delivered again
		// now, not after ackWait.
		_, err = s.js.ResetConsumer(ctx, streamBatches, name)
	}
	if err != nil {
		return nil, fmt.Errorf("open the durable consumer %s: %w", name, err)
	}
	return c, nil
}

// hasFates spares the dead letters' consumer the decoding of nearly every message.
func hasFates(h nats.Header) bool { return h.Get(headerFates) != "0" }

// consume hands each sealed message to handle, with up to workers at once, until ctx ends. A damaged message is kept whole
// as a dead letter.
func (s *streams) consume(ctx context.Context, c jetstream.Consumer, name string, workers int, dead *deadLetters, log *slog.Logger,
	needs func(nats.Header) bool, handle func(context.Context, *sealed) error,
) error {
	g, ctx := errgroup.WithContext(ctx)
	for range max(workers, 1) {
		g.Go(func() error { return s.work(ctx, c, name, dead, log, needs, handle) })
	}
	return g.Wait()
}

// work is one worker. It asks for a message when it is free, and none waits in this process meanwhile: on a cluster
// another pod may have it. A request for each, since an iterator for one message at a time can miss its turn to ask for
// the next, and stands still for half a minute then (nats.go 1.55, seen).
func (s *streams) work(ctx context.Context, c jetstream.Consumer, name string, dead *deadLetters, log *slog.Logger,
	needs func(nats.Header) bool, handle func(context.Context, *sealed) error,
) error {
	for ctx.Err() == nil {
		msg, err := nextMessage(ctx, c)
		switch {
		case ctx.Err() != nil && msg == nil:
			return nil
		case errors.Is(err, jetstream.ErrConsumerDeleted):
			return fmt.Errorf("read stream %s for %s: %w", streamBatches, name, err)
		case err != nil:
			log.Warn("no sealed batch could be fetched; tried again", "sink", name, "err", err)
			_ = sleep(ctx, time.Second)
			continue
		case msg == nil:
			continue
		}
		if needs != nil && !needs(msg.Headers()) {
			_ = msg.Ack() // delivered again where it is lost
			continue
		}
		s.deliver(ctx, msg, name, dead, log, handle)
	}
	return nil
}

// nextMessage waits a while for a message; nil is none. A server that is gone shows by its heartbeats.
func nextMessage(ctx context.Context, c jetstream.Consumer) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	msg, err := c.Next(jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(5*time.Second))
	if errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return nil, nil
	}
	return msg, err
}

// deliver handles a message and acknowledges it.
func (s *streams) deliver(ctx context.Context, msg jetstream.Msg, name string, dead *deadLetters, log *slog.Logger, handle func(context.Context, *sealed) error) {
	defer keepAlive(ctx, msg)()
	err := s.handleMessage(ctx, msg, name, dead, log, handle)
	if err == nil {
		err = msg.Ack()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		_ = msg.Nak() // stopping: another connector may have it at once
	case err != nil:
		log.Error("sealed batch not finished; it is delivered again", "sink", name, "err", err)
	}
}

func (s *streams) handleMessage(ctx context.Context, msg jetstream.Msg, name string, dead *deadLetters, log *slog.Logger,
	handle func(context.Context, *sealed) error,
) error {
	m, err := s.opened.open(msg)
	if err == nil {
		return handle(ctx, m)
	}
	log.Error("damaged sealed batch; it is kept whole as a dead letter", "sink", name, "err", err)
	dead.m.alarm("damaged", 1)
	events := 0
	_, _ = fmt.Sscan(msg.Headers().Get(headerEvents), &events)
	t := token(msg.Headers(), msg.Data())
	return dead.insist(ctx, DeadLetter{
		ID: deadID(t, -1, ""), Stage: StageLoad, Reason: "the sealed batch is damaged", Batch: t, Events: events, Attempts: 1,
		Died: time.Now().UTC(), Body: dead.cipher.seal(msg.Data()),
	})
}

// keepAlive tells the server, until stopped, that the message is still being worked on.
func keepAlive(ctx context.Context, msg jetstream.Msg) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		t := time.NewTicker(heartbeat)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				if err := msg.InProgress(); errors.Is(err, nats.ErrConnectionClosed) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}
