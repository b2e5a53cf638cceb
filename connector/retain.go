package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// retention removes sealed batches that every enabled sink is done with: when they are older than Retain, and oldest
// first while the stream is more than 70 % full. The newest message of each partition stays: it holds the position
// (DELIVERY.md, rule 6).
type retention struct {
	st     *streams
	sinks  []string // durable consumers whose acks count
	retain time.Duration
	log    *slog.Logger

	read     uint64               // headers of POSTCALL_BATCHES were looked at up to here
	resealed map[uint64]time.Time // when what was sealed again was first sealed, by the new message
}

const retentionInterval = 2 * time.Second

func (r *retention) run(ctx context.Context) error {
	records := time.Now()
	for sleep(ctx, retentionInterval) == nil {
		now := time.Now()
		err := r.sweep(ctx, now)
		if now.Sub(records) > recordsInterval {
			records = now
			err = errors.Join(err, r.sweepRecords(ctx, now))
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("what is done with was not removed; tried again", "err", err)
		}
	}
	return nil
}

const recordsInterval = 10 * time.Minute

// sweepRecords removes the records of replayed and purged dead letters, and those of cuts, once no batch is kept that
// could be delivered again and would need them.
func (r *retention) sweepRecords(ctx context.Context, now time.Time) error {
	info, err := r.st.batches.Info(ctx)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", streamBatches, err)
	}
	before := now.Add(-r.retain)
	if info.State.Msgs > 1 && info.State.FirstTime.Before(before) { // a single one is the position of an idle partition
		before = info.State.FirstTime
	}
	if before, err = r.oldest(ctx, info.State.FirstSeq, before); err != nil {
		return err
	}
	for _, stream := range []string{streamDead, streamRefused} {
		st, err := r.st.js.Stream(ctx, stream)
		if err != nil {
			return fmt.Errorf("open stream %s: %w", stream, err)
		}
		err = r.st.each(ctx, stream, 1, true, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			record := msg.Headers().Get(headerState) != "" || strings.HasPrefix(msg.Subject(), subjectSplit)
			if !record || !meta.Timestamp.Before(before) {
				return nil
			}
			if err := r.countPurged(ctx, msg.Headers()); err != nil {
				return err
			}
			return st.DeleteMsg(ctx, meta.Sequence.Stream)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// oldest is when the oldest of the kept batches was first sealed, where that is before t: one that was sealed again is
// younger than the records of its dead letters and cuts.
func (r *retention) oldest(ctx context.Context, first uint64, t time.Time) (time.Time, error) {
	if r.resealed == nil {
		r.resealed = map[uint64]time.Time{}
	}
	err := r.st.each(ctx, streamBatches, r.read+1, true, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		r.read = meta.Sequence.Stream
		if m, err := readHeader(msg.Headers()); err == nil && m.Origin != "" {
			r.resealed[r.read] = m.SealedAt
		}
		return nil
	})
	for seq, at := range r.resealed {
		if seq < first {
			delete(r.resealed, seq)
		} else if at.Before(t) {
			t = at
		}
	}
	return t, err
}

func (r *retention) sweep(ctx context.Context, now time.Time) error {
	info, err := r.st.batches.Info(ctx)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", streamBatches, err)
	}
	state := info.State
	if state.Msgs == 0 {
		return nil
	}
	done := state.LastSeq
	for _, name := range r.sinks {
		c, err := r.st.batches.Consumer(ctx, name)
		if err != nil {
			return fmt.Errorf("look up consumer %s: %w", name, err)
		}
		done = min(done, c.CachedInfo().AckFloor.Stream)
	}
	newest := make([]uint64, r.st.ever)
	for p := range newest {
		if _, newest[p], err = r.st.lastSealed(ctx, p); err != nil {
			return err
		}
	}
	first, at, err := r.first(ctx, &state, newest)
	if err != nil {
		return err
	}
	upTo, err := r.olderThan(ctx, first, at, &state, now.Add(-r.retain))
	if err != nil {
		return err
	}
	bytes, msgs := sealedLimits(&info.Config)
	upTo = max(upTo, first+excess(bytes, msgs, state)) // exclusive
	upTo = min(upTo, done+1)
	if upTo <= first {
		return nil
	}
	for p, last := range newest {
		if last == 0 {
			continue
		}
		err = r.st.batches.Purge(ctx, jetstream.WithPurgeSubject(subject(subjectBatches, p)), jetstream.WithPurgeSequence(min(upTo, last)))
		if err != nil {
			return fmt.Errorf("purge stream %s: %w", streamBatches, err)
		}
	}
	return nil
}

// subjectCount begins the subjects of the counts of purged events whose records are gone: they stay dead in the accounts
// of their sink.
const subjectCount = subjectDead + "count."

func (r *retention) countPurged(ctx context.Context, h nats.Header) error {
	l, err := readDead(h, nil)
	if err != nil || l.Stage != StageLoad || l.State != DeadPurged { // the record of a cut among others
		return nil //nolint:nilerr // nothing to count
	}
	for _, sink := range r.sinks {
		if sink == consumerFates || (l.Sink != "" && l.Sink != sink) {
			continue
		}
		var n uint64
		switch m, err := r.st.dead.GetLastMsgForSubject(ctx, subjectCount+sink); {
		case err == nil:
			n, _ = strconv.ParseUint(m.Header.Get(headerEvents), 10, 64)
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return fmt.Errorf("read the count of purged events: %w", err)
		}
		n += uint64(max(l.Events, 1))
		msg := &nats.Msg{Subject: subjectCount + sink, Header: nats.Header{headerEvents: {strconv.FormatUint(n, 10)}}}
		if _, err := r.st.js.PublishMsg(ctx, msg); err != nil {
			return fmt.Errorf("write the count of purged events: %w", err)
		}
	}
	return nil
}

// excess is how many of the oldest messages have to go to bring the stream back to 70 % of its limits; a limit of 0 is
// none. Where messages among the oldest are gone already, fewer go now and the others at the next sweep.
func excess(maxBytes, maxMsgs int64, state jetstream.StreamState) uint64 {
	var n float64
	msgs := float64(state.Msgs)
	if limit := 0.7 * float64(maxBytes); maxBytes > 0 && float64(state.Bytes) > limit {
		n = msgs * (float64(state.Bytes) - limit) / float64(state.Bytes)
	}
	if limit := 0.7 * float64(maxMsgs); maxMsgs > 0 && msgs > limit {
		n = max(n, msgs-limit)
	}
	return uint64(n + 0.5)
}

// first is the oldest message that may go. With several partitions that is not the stream's first: the newest of one that
// is idle, or stands still, may have been left far behind.
func (r *retention) first(ctx context.Context, state *jetstream.StreamState, newest []uint64) (uint64, time.Time, error) {
	if len(newest) == 1 {
		return state.FirstSeq, state.FirstTime, nil
	}
	for seq := state.FirstSeq; ; {
		m, err := r.st.nextBatch(ctx, seq)
		if err != nil || m == nil {
			return state.LastSeq + 1, time.Now(), err
		}
		if !slices.Contains(newest, m.Sequence) {
			return m.Sequence, m.Time, nil
		}
		seq = m.Sequence + 1
	}
}

// nextBatch is the first message of POSTCALL_BATCHES from a sequence on, nil without one.
func (s *streams) nextBatch(ctx context.Context, seq uint64) (*jetstream.RawStreamMsg, error) {
	m, err := s.batches.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subjectBatches+"*"))
	if apiCode(err) == jetstream.JSErrCodeMessageNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", streamBatches, err)
	}
	return m, nil
}

// olderThan is the first sequence, from that of a message of a time on, that is not older than t, found by halving:
// sequences rise with time.
func (r *retention) olderThan(ctx context.Context, from uint64, at time.Time, state *jetstream.StreamState, t time.Time) (uint64, error) {
	if at.After(t) || from > state.LastSeq {
		return from, nil
	}
	var failed error
	n := sort.Search(int(state.LastSeq-from+1), func(i int) bool {
		if failed != nil {
			return true
		}
		m, err := r.st.nextBatch(ctx, from+uint64(i))
		failed = err
		return m == nil || m.Time.After(t)
	})
	return from + uint64(n), failed
}
