package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Status is where everything stands at a moment.
type Status struct {
	At      time.Time    `json:"at"`
	Intake  StreamStatus `json:"intake"`  // received, not yet sealed
	Batches StreamStatus `json:"batches"` // sealed, kept for the sinks and for replay
	Dead    StreamStatus `json:"dead"`
	Refused StreamStatus `json:"refused"`
	Counts  Counts       `json:"counts"`
	Sinks   []SinkStatus `json:"sinks"`
}

// StreamStatus describes a stream. Use is the fuller of bytes and messages against the stream's limits, 0 to 1.
type StreamStatus struct {
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	Use      float64   `json:"use"`
	Oldest   time.Time `json:"oldest,omitzero"`
}

// Counts are events since the streams were made. Received + Replayed = Sealed (kept, dead, dropped, damaged) + Waiting.
type Counts struct {
	Received uint64 `json:"received"`
	Replayed uint64 `json:"replayed"`
	Waiting  uint64 `json:"waiting"` // in the intake
	Kept     uint64 `json:"kept"`    // to be loaded, children of splits included
	Dead     uint64 `json:"dead"`    // before sealing; purged and replayed ones included
	Dropped  uint64 `json:"dropped"`
	Damaged  uint64 `json:"damaged"`
}

// SinkStatus says how far a sink is. Delivered + Dead + Pending = Counts.Kept; superseded events count as delivered.
type SinkStatus struct {
	Name      string    `json:"name"`
	Delivered uint64    `json:"delivered"`
	Dead      uint64    `json:"dead"` // refused by its store; purged and replayed ones included
	Pending   uint64    `json:"pending"`
	Batches   uint64    `json:"pendingBatches"`
	Oldest    time.Time `json:"oldest,omitzero"` // when its oldest pending batch was sealed
}

// Status reads where everything stands. Events in the intake are counted from their frames.
func (o *Operator) Status(ctx context.Context) (*Status, error) {
	s := &Status{At: time.Now().UTC()}
	for name, into := range map[string]*StreamStatus{streamIntake: &s.Intake, streamBatches: &s.Batches, streamDead: &s.Dead, streamRefused: &s.Refused} {
		st, err := o.st.js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("look up stream %s: %w", name, err)
		}
		*into = streamStatus(st.CachedInfo())
	}
	from := uint64(0)
	for p := range o.st.partitions {
		at, _, err := o.st.lastSealed(ctx, p)
		if err != nil {
			return nil, err
		}
		s.Counts.add(&at.Counts)
		if from == 0 || at.Position.Seq < from {
			from = at.Position.Seq
		}
	}
	waiting, err := o.waiting(ctx, from)
	if err != nil {
		return nil, err
	}
	s.Counts.Waiting = waiting
	s.Counts.Received += waiting
	dead, err := o.deadBySink(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range o.cfg.Sinks {
		k, err := o.sinkStatus(ctx, name, s.Counts.Kept, dead[name])
		if err != nil {
			return nil, err
		}
		s.Sinks = append(s.Sinks, *k)
	}
	return s, nil
}

func streamStatus(i *jetstream.StreamInfo) StreamStatus {
	s := StreamStatus{Messages: i.State.Msgs, Bytes: i.State.Bytes}
	if i.State.Msgs > 0 {
		s.Oldest = i.State.FirstTime
	}
	if i.Config.MaxBytes > 0 {
		s.Use = float64(i.State.Bytes) / float64(i.Config.MaxBytes)
	}
	if i.Config.MaxMsgs > 0 {
		s.Use = max(s.Use, float64(i.State.Msgs)/float64(i.Config.MaxMsgs))
	}
	return s
}

func (c *Counts) add(k *counts) {
	c.Received += k.Received
	c.Replayed += k.Replayed
	c.Kept += k.Kept + k.Children
	c.Dead += k.Dead
	c.Dropped += k.Dropped
	c.Damaged += k.Damaged
}

// waiting counts the events in the frames that are not sealed.
func (o *Operator) waiting(ctx context.Context, from uint64) (events uint64, err error) {
	at := make([]position, o.st.partitions)
	for p := range at {
		s, _, err := o.st.lastSealed(ctx, p)
		if err != nil {
			return 0, err
		}
		at[p] = s.Position
	}
	err = o.st.each(ctx, streamIntake, from, true, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		n, _ := strconv.ParseUint(msg.Headers().Get(headerEvents), 10, 64)
		p, _ := strconv.Atoi(msg.Subject()[len(subjectIntake):])
		if p >= len(at) || meta.Sequence.Stream < at[p].Seq {
			return nil
		}
		if meta.Sequence.Stream == at[p].Seq {
			n -= min(n, uint64(at[p].Event))
		}
		events += n
		return nil
	})
	return events, err
}

func (o *Operator) sinkStatus(ctx context.Context, name string, kept, dead uint64) (*SinkStatus, error) {
	k := &SinkStatus{Name: name, Dead: dead}
	c, err := o.st.batches.Consumer(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up sink %s (has `postcall serve` run with it?): %w", name, err)
	}
	floor := c.CachedInfo().AckFloor.Stream
	err = o.st.each(ctx, streamBatches, floor+1, true, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		n, _ := strconv.ParseUint(msg.Headers().Get(headerEvents), 10, 64)
		if k.Batches == 0 {
			k.Oldest = meta.Timestamp
		}
		k.Pending += n
		k.Batches++
		return nil
	})
	k.Delivered = kept - min(kept, k.Pending+dead)
	return k, err
}

// deadBySink counts the events of the dead letters that one sink lacks, whatever became of them since.
func (o *Operator) deadBySink(ctx context.Context) (map[string]uint64, error) {
	n := map[string]uint64{}
	err := o.st.each(ctx, streamDead, 1, false, func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
		var l DeadLetter
		if err := json.Unmarshal(msg.Data(), &l); err == nil && l.Stage == StageLoad {
			for _, sink := range o.cfg.Sinks {
				if (l.Sink == "" || l.Sink == sink) && l.State != DeadReplayed {
					n[sink] += uint64(max(l.Events, 1))
				}
			}
		}
		return nil
	})
	return n, err
}

// SinkKey names a call in a store.
type SinkKey struct{ Tenant, CallID string }

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
	type version struct {
		key     SinkKey
		version int64
	}
	dead := map[version]bool{}
	err := o.Dead(ctx, DeadFilter{Stage: StageLoad, Closed: true}, func(l *DeadLetter) error {
		if l.Sink == sink.Name || l.Sink == "" {
			dead[version{SinkKey{l.Tenant, l.CallID}, l.Version}] = true
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
		for part := range slices.Chunk(b.Events, 1000) {
			keys := make([]SinkKey, len(part))
			for i := range part {
				keys[i] = SinkKey{part[i].Tenant, part[i].CallID}
			}
			found, err := v.Versions(ctx, keys)
			if err != nil {
				return fmt.Errorf("ask %s for versions: %w", sink.Name, err)
			}
			for i := range part {
				switch {
				case found[i] >= part[i].Version:
				case dead[version{keys[i], part[i].Version}]:
					res.Dead++
				default:
					res.Missing = append(res.Missing, AuditMissing{part[i].Tenant, part[i].CallID, part[i].Version, found[i], m.Token})
				}
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
	k := &sink{Sink: s, dead: o.dead, log: slog.New(slog.DiscardHandler), m: o.dead.m, guard: &shareGuard{limit: o.cfg.MaxDeadShare}, erased: o.erased}
	err := o.st.each(ctx, streamBatches, 1, false, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		if meta.Timestamp.Before(since) || (!until.IsZero() && !meta.Timestamp.Before(until)) {
			return nil
		}
		m, err := openMessage(msg.Headers(), msg.Data())
		if err != nil {
			return nil //nolint:nilerr // a damaged batch is a dead letter already
		}
		b, _ := m.batch()
		b = o.erased.spare(b).under(id)
		if err := k.flush(ctx, b); err != nil {
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
