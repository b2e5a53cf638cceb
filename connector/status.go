package connector

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
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
	// Unused are sinks that were enabled once and are no longer: retention does not wait for them.
	Unused  []string       `json:"unused,omitempty"`
	Cluster *ClusterStatus `json:"cluster,omitempty"` // nil with embedded streams
	// Transforms are those of the connector that runs, none where that can't be asked.
	Transforms []TransformStatus `json:"transforms,omitempty"`
}

// StreamStatus describes a stream. Use is the fuller of bytes and messages against the stream's limits, 0 to 1.
type StreamStatus struct {
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	Use      float64   `json:"use"`
	Oldest   time.Time `json:"oldest,omitzero"`
}

// FullIn is the time until the stream is full if it goes on as it did since an earlier look; ok is false where it does not
// fill up.
func (s StreamStatus) FullIn(earlier StreamStatus, since time.Duration) (left time.Duration, ok bool) {
	grown := s.Use - earlier.Use
	if grown <= 0 || since <= 0 {
		return 0, false
	}
	ns := max(1-s.Use, 0) / grown * float64(since)
	if ns > math.MaxInt64 { // in three centuries
		return 0, false
	}
	return time.Duration(ns), true
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
	for p := range o.st.ever {
		at, _, err := o.st.lastSealed(ctx, p)
		if err != nil {
			return nil, err
		}
		s.Counts.add(&at.Counts)
		if p < o.st.partitions && (from == 0 || at.Position.Seq < from) {
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
	if s.Cluster, err = o.Cluster(ctx); err != nil {
		return nil, err
	}
	if o.here != nil {
		s.Transforms = o.here.chain.status()
	} else {
		s.Transforms, _ = ReadTransforms(ctx, o.cfg) // it may not run
	}
	s.Unused, err = o.st.unusedSinks(ctx, o.cfg.Sinks)
	return s, err
}

// unusedSinks are the durable consumers of sinks that are not enabled.
func (s *streams) unusedSinks(ctx context.Context, enabled []string) (unused []string, err error) {
	names := s.batches.ConsumerNames(ctx)
	for name := range names.Name() {
		// Readers of a moment have names that JetStream makes; ours are words in lower case.
		if name != consumerFates && !slices.Contains(enabled, name) && slices.Contains(knownSinks, name) {
			unused = append(unused, name)
		}
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("list the sinks of stream %s: %w", streamBatches, err)
	}
	return unused, nil
}

func streamStatus(i *jetstream.StreamInfo) StreamStatus {
	s := StreamStatus{Messages: i.State.Msgs, Bytes: i.State.Bytes}
	if i.State.Msgs > 0 {
		s.Oldest = i.State.FirstTime
	}
	bytes, msgs := i.Config.MaxBytes, i.Config.MaxMsgs
	if i.Config.Name == streamBatches { // what is kept for sealing again is not the sealers' to fill
		bytes, msgs = sealedLimits(&i.Config)
	}
	if bytes > 0 {
		s.Use = float64(i.State.Bytes) / float64(bytes)
	}
	if msgs > 0 {
		s.Use = max(s.Use, float64(i.State.Msgs)/float64(msgs))
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

// deadBySink counts the events of the dead letters that one sink lacks, whatever became of them since. While one is being
// erased it is there twice.
func (o *Operator) deadBySink(ctx context.Context) (map[string]uint64, error) {
	n, seen := map[string]uint64{}, map[string]bool{}
	err := o.st.each(ctx, streamDead, 1, true, func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
		if sink, ok := strings.CutPrefix(msg.Subject(), subjectCount); ok {
			swept, _ := strconv.ParseUint(msg.Headers().Get(headerEvents), 10, 64)
			n[sink] += swept
			return nil
		}
		if l, err := readDead(msg.Headers(), nil); err == nil && l.Stage == StageLoad && !seen[l.ID] {
			seen[l.ID] = true
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
