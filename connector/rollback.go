package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A cluster, too, can lose the newest frames of its intake: all servers at once without sync_interval: always, or by a
// restore. New frames then get sequences that a position counts as sealed. On one machine the stream is moved forward
// before anything is taken (alignIntake). Here other pods may be at work, and a purge of one partition moves nothing, so
// it is the position that goes back: to the first frame that was stored after the last sealed message was. Nothing that
// was sealed is among those, as far as the clocks of two servers agree. (DELIVERY.md, rule 3.)

// errRolledBack says that the intake used a sequence again. What was stored under it is not acknowledged.
var errRolledBack = errors.New("the intake stream was rolled back under this connector: start it again, and audit the stores")

// rise notes a sequence of the intake.
func (s *streams) rise(seq uint64) {
	for {
		was := s.high.Load()
		if seq <= was || s.high.CompareAndSwap(was, seq) {
			return
		}
	}
}

// advance notes the sequence of a frame that was sent when the intake had come to high at least.
func (s *streams) advance(high, seq uint64) error {
	if seq <= high {
		return errRolledBack
	}
	s.rise(seq)
	return nil
}

// alignCluster looks whether each position is within the intake, before this pod takes deliveries.
func (s *streams) alignCluster(ctx context.Context, log *slog.Logger, m *metrics) error {
	for p := range s.partitions {
		at, seq, state, err := s.stands(ctx, p)
		if err != nil {
			return err
		}
		s.rise(state.LastSeq)
		if seq == 0 || state.LastSeq+1 >= at.Position.Seq {
			continue
		}
		// A leader that was elected just now may answer for an earlier time. What it writes has a quorum's sequence.
		msg := &nats.Msg{Subject: subject(subjectIntake, p), Data: sealFrame(newFrame(nil), nil), Header: nats.Header{headerEvents: {"0"}}}
		ack, err := s.js.PublishMsg(ctx, msg)
		if err != nil {
			return fmt.Errorf("write an empty frame: %w", err)
		}
		if ack.Sequence >= at.Position.Seq {
			continue
		}
		m.alarm("rollback", 1)
		log.Error("the intake stream lost its newest frames; sealing goes on with those that came after the last sealed one",
			"partition", p, "last_sequence", ack.Sequence-1, "sealed_up_to", at.Position.String())
		if err := s.moveBack(ctx, p, at, seq, ack.Sequence); err != nil && !isStale(err) { // another pod did it
			return err
		}
	}
	return nil
}

// moveBack gives a partition the position of the first frame, up to a sequence, that is newer than its last sealed message.
func (s *streams) moveBack(ctx context.Context, p int, at *sealed, last, until uint64) error {
	raw, err := s.batches.GetMsg(ctx, last)
	if err != nil {
		return fmt.Errorf("read the last sealed message of partition %d: %w", p, err)
	}
	seq, err := s.firstSince(ctx, p, raw.Time, until)
	if err != nil {
		return err
	}
	next := &sealed{Intake: at.Intake, Position: position{Seq: seq}, Version: at.Version, Counts: at.Counts, Erasures: at.Erasures}
	payload, err := finishPayload(newPayload(nil), nil)
	if err != nil {
		return err
	}
	_, err = s.js.PublishMsg(ctx, sealMessage(subject(subjectBatches, p), next, payload, nil), jetstream.WithExpectLastSequencePerSubject(last))
	if err != nil {
		return fmt.Errorf("move partition %d back: %w", p, err)
	}
	return nil
}

// firstSince is the first frame of a partition that was stored after t; until is that of one which was.
func (s *streams) firstSince(ctx context.Context, p int, t time.Time, until uint64) (uint64, error) {
	for seq := uint64(1); seq < until; {
		m, err := s.intake.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject(subjectIntake, p)))
		switch {
		case apiCode(err) == jetstream.JSErrCodeMessageNotFound:
			return until, nil
		case err != nil:
			return 0, fmt.Errorf("read stream %s: %w", streamIntake, err)
		case m.Time.After(t):
			return min(m.Sequence, until), nil
		}
		seq = m.Sequence + 1
	}
	return until, nil
}
