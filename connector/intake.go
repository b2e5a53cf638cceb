package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"
)

// headerEvents counts the events of a message, so that a damaged one still says how many it cost.
const headerEvents = "Postcall-Events"

var (
	// ErrFull says that a limit is reached: memory for bodies in flight, or the intake stream. It passes by itself.
	ErrFull = errors.New("the intake is full")
	// ErrUnavailable says that it is not known whether the body is durable, or that the intake is stopping.
	ErrUnavailable = errors.New("the intake can't store the delivery now")
)

// publishTimeout is how long a frame may take to be durable. Its deliveries are refused after it, never acknowledged.
const publishTimeout = 10 * time.Second

// intake makes deliveries durable by group commit: everything that waits for a partition while its last frame is being
// written becomes the next frame, one message and one fsync. Nothing waits on a timer.
type intake struct {
	st       *streams
	log      *slog.Logger
	m        *metrics
	queues   []chan *waiting
	inFlight *semaphore.Weighted
	disk     *diskWatch // nil on a cluster
	trouble  trouble
	tracing  tracing
	stop     chan struct{}
}

type waiting struct {
	delivery
	parent string // traceparent of its span, where it is traced
	done   chan error
}

func newIntake(st *streams, cfg IntakeConfig, log *slog.Logger, m *metrics) *intake {
	in := &intake{st: st, log: log, m: m, inFlight: semaphore.NewWeighted(int64(cfg.MaxInFlight)), stop: make(chan struct{})}
	for range st.partitions {
		in.queues = append(in.queues, make(chan *waiting, frameMaxEvents))
	}
	return in
}

// reserve takes room for a body of n bytes, or answers false: the sender is to come back later.
func (in *intake) reserve(n int64) bool { return in.inFlight.TryAcquire(n) }

func (in *intake) release(n int64) { in.inFlight.Release(n) }

// accept returns nil once the delivery is on disk, ErrFull or ErrUnavailable otherwise.
func (in *intake) accept(ctx context.Context, d delivery, partition int) error {
	w, err := in.enqueue(ctx, d, partition)
	if err != nil {
		return err
	}
	return in.wait(w)
}

// enqueue hands a delivery to the publisher of its partition, which holds the body until wait has its answer.
func (in *intake) enqueue(ctx context.Context, d delivery, partition int) (*waiting, error) {
	if in.disk != nil && in.disk.full.Load() {
		return nil, ErrFull
	}
	w := &waiting{delivery: d, parent: in.tracing.parentOf(ctx), done: make(chan error, 1)}
	select {
	case in.queues[partition] <- w:
		return w, nil
	case <-in.stop:
	case <-ctx.Done():
	}
	return nil, ErrUnavailable
}

// wait returns nil once what was enqueued is on disk. No context cuts it short: the publisher holds the body until it
// answers, which it does within publishTimeout.
func (in *intake) wait(w *waiting) error {
	select {
	case err := <-w.done:
		return err
	case <-in.stop:
		select {
		case err := <-w.done:
			return err
		default:
			return ErrUnavailable
		}
	}
}

// run publishes the frames of one partition until ctx ends. One frame is in flight at a time.
func (in *intake) run(ctx context.Context, partition int) error {
	var (
		queue = in.queues[partition]
		subj  = subject(subjectIntake, partition)
		buf   []byte // the open frame
		sent  []byte // the message made of it
		group = make([]*waiting, 0, frameMaxEvents)
		held  *waiting // did not fit the last frame
		limit = min(frameMaxBytes, in.st.maxPayload/2)
	)
	for {
		first := held
		held = nil
		if first == nil {
			select {
			case first = <-queue:
			case <-ctx.Done():
				return nil
			}
		}
		group = append(group[:0], first)
		buf = appendDelivery(newFrame(buf), &first.delivery)
	gather:
		for len(group) < frameMaxEvents {
			select {
			case w := <-queue:
				if len(buf)+w.size() > limit {
					held = w
					break gather
				}
				group = append(group, w)
				buf = appendDelivery(buf, &w.delivery)
			default:
				break gather
			}
		}
		sent = sealFrame(buf, sent)
		err := in.publish(ctx, subj, sent, group)
		in.trouble.note(err)
		for i, w := range group {
			w.done <- err
			group[i] = nil
		}
		if errors.Is(err, errRolledBack) {
			return err
		}
		if cap(buf) > 2*frameMaxBytes {
			buf, sent = nil, nil
		}
	}
}

func (in *intake) publish(ctx context.Context, subj string, frame []byte, group []*waiting) error {
	events := len(group)
	// Not cancelled with ctx: a frame whose publish was cut short may be stored all the same.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), publishTimeout, errors.New("the intake frame was not durable in time"))
	defer cancel()
	start, high := time.Now(), in.st.high.Load()
	msg := &nats.Msg{Subject: subj, Data: frame, Header: nats.Header{headerEvents: []string{fmt.Sprint(events)}}}
	if in.tracing.tracer != nil {
		if t := traced(group); t != "" {
			msg.Header.Set(headerTrace, t)
		}
	}
	ack, err := in.st.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
	if err == nil && in.st.srv == nil {
		err = in.st.advance(high, ack.Sequence)
	}
	switch {
	case errors.Is(err, errRolledBack):
		in.m.alarm("rollback", 1)
		in.log.Error("the intake stream lost its newest frames while it was used; this connector has to start again", "had", high, "is_at", ack.Sequence)
		return err
	case err == nil:
		in.st.marks.rise(markIntake, ack.Sequence)
		in.m.frames.Inc()
		in.m.frameSeconds.Observe(time.Since(start).Seconds())
		in.m.received.Add(float64(events))
		in.m.lastReceived.Set(float64(time.Now().Unix()))
		return nil
	case apiCode(err) == codeStoreFull:
		return ErrFull
	default:
		in.log.Error("intake frame not stored", "events", events, "bytes", len(frame), "err", err)
		return ErrUnavailable
	}
}

// close refuses what is still waiting. The publishers have stopped before it.
func (in *intake) close() { close(in.stop) }
