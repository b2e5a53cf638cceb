package connector

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// SinkKey names a call in a store.
type SinkKey struct{ Tenant, CallID string }

type heldEvent struct {
	key     SinkKey
	version int64
}

// Versioner is an optional ability of a Loader: the highest version the store has of each call, 0 where it has none.
type Versioner interface {
	Versions(ctx context.Context, keys []SinkKey) ([]int64, error)
}

// AuditResult is what an audit of one sink found.
type AuditResult struct {
	Sink    string         `json:"sink"`
	Batches int            `json:"batches"` // sealed batches that are still kept and that the sink has acknowledged
	Events  int            `json:"events"`  // in them, the highest version of each call in its batch
	Dead    int            `json:"dead"`    // of those, held back as dead letters of the sink
	Missing []AuditMissing `json:"missing"`
}

// AuditMissing is a call whose sealed version the store does not have, nor a newer one.
type AuditMissing struct {
	Tenant  string `json:"tenant"`
	CallID  string `json:"callId"`
	Version int64  `json:"version"`
	Found   int64  `json:"found"` // 0: the call is not there at all
	Batch   string `json:"batch"`
}

// Audit compares the sealed batches that a sink has acknowledged, as far as they are kept, with what its store has.
// progress, if not nil, is called with batches done and in all.
func (o *Operator) Audit(ctx context.Context, sink Sink, progress func(done, all int)) (*AuditResult, error) {
	v, ok := sink.Loader.(Versioner)
	if !ok {
		return nil, fmt.Errorf("sink %s can't be audited", sink.Name)
	}
	res := &AuditResult{Sink: sink.Name, Missing: []AuditMissing{}}
	dead := map[heldEvent]bool{}
	err := o.Dead(ctx, DeadFilter{Stage: StageLoad, Closed: true}, func(l *DeadLetter) error {
		if l.Sink == sink.Name || l.Sink == "" {
			dead[heldEvent{SinkKey{l.Tenant, l.CallID}, l.Version}] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c, err := o.st.batches.Consumer(ctx, sink.Name)
	if err != nil {
		return nil, fmt.Errorf("look up sink %s: %w", sink.Name, err)
	}
	floor := c.CachedInfo().AckFloor.Stream
	err = o.st.each(ctx, streamBatches, 1, false, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		if meta.Sequence.Stream > floor {
			return nil
		}
		m, err := openMessage(msg.Headers(), msg.Data())
		if err != nil {
			return nil //nolint:nilerr // a damaged batch is a dead letter; its sink has said so
		}
		b, _ := m.batch()
		b = o.erased.spare(b)
		found, err := versionsOf(ctx, v, b.Events)
		if err != nil {
			return fmt.Errorf("ask %s for versions: %w", sink.Name, err)
		}
		for i := range found {
			switch e := &b.Events[i]; {
			case found[i] >= e.Version:
			case dead[heldEvent{SinkKey{e.Tenant, e.CallID}, e.Version}]:
				res.Dead++
			default:
				res.Missing = append(res.Missing, AuditMissing{e.Tenant, e.CallID, e.Version, found[i], m.Token})
			}
		}
		res.Batches++
		res.Events += len(b.Events)
		if progress != nil {
			progress(res.Batches, res.Batches+int(meta.NumPending))
		}
		return nil
	})
	return res, err
}

// ReplayResult is what a replay did.
type ReplayResult struct {
	ID      string `json:"id"`
	Batches int    `json:"batches"`
	Events  int    `json:"events"`
	Refused int    `json:"refused"`
}

// Replay loads the sealed batches of a time range into one sink again, as they were sealed: no transform runs, versions
// stay, so what the store has by now is not overwritten by anything older. The id is part of every token: with the id of
// an interrupted replay, what that one loaded is not loaded again (DELIVERY.md, rule 12).
func (o *Operator) Replay(ctx context.Context, s Sink, id string, since, until time.Time, progress func(done, all int)) (*ReplayResult, error) {
	res := &ReplayResult{ID: id}
	if c, ok := s.Loader.(Checker); ok {
		if err := c.Check(ctx); err != nil {
			return res, err
		}
	}
	held := map[heldEvent]bool{}
	err := o.Dead(ctx, DeadFilter{Stage: StageLoad, Sink: s.Name}, func(l *DeadLetter) error {
		held[heldEvent{SinkKey{l.Tenant, l.CallID}, l.Version}] = true
		return nil
	})
	if err != nil {
		return res, err
	}
	k := &sink{Sink: s, dead: o.dead, log: o.dead.log, m: o.dead.m, guard: &shareGuard{limit: o.cfg.MaxDeadShare}, erased: o.erased}
	err = o.st.each(ctx, streamBatches, 1, false, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		if meta.Timestamp.Before(since) || (!until.IsZero() && !meta.Timestamp.Before(until)) {
			return nil
		}
		m, err := openMessage(msg.Headers(), msg.Data())
		if err != nil {
			return nil //nolint:nilerr // a damaged batch is a dead letter already
		}
		b, _ := m.batch()
		rest := make([]int, 0, len(b.Events)) // what is held back stays so: its own replay brings it back
		for i := range b.Events {
			if e := &b.Events[i]; !held[heldEvent{SinkKey{e.Tenant, e.CallID}, e.Version}] {
				rest = append(rest, i)
			}
		}
		if len(rest) < len(b.Events) {
			b = b.pick(rest)
		}
		b = b.under(id)
		if err := o.alone(ctx, &s, func(ctx context.Context) error { return k.flush(ctx, b) }); err != nil {
			return err
		}
		res.Batches++
		res.Events += len(b.Events)
		if progress != nil {
			progress(res.Batches, res.Batches+int(meta.NumPending))
		}
		return nil
	})
	return res, err
}
