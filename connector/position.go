package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// lastSealed reads where a partition stands: the header of its last sealed message and that message's sequence.
func (s *streams) lastSealed(ctx context.Context, partition int) (*sealed, uint64, error) {
	raw, err := s.batches.GetLastMsgForSubject(ctx, subject(subjectBatches, partition))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return &sealed{Intake: s.intakeID, Position: position{Seq: 1}}, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the last sealed message of partition %d: %w", partition, err)
	}
	at, err := readHeader(raw.Header)
	if err != nil {
		return nil, 0, fmt.Errorf("partition %d, message %d: %w", partition, raw.Sequence, err)
	}
	if at.Intake != s.intakeID {
		return nil, 0, fmt.Errorf("partition %d was sealed from another intake stream (%s, this one is %s): %w", partition, at.Intake, s.intakeID, errOtherIntake)
	}
	return at, raw.Sequence, nil
}

// stands reads where a partition and the intake stand.
func (s *streams) stands(ctx context.Context, partition int) (at *sealed, seq uint64, intake jetstream.StreamState, err error) {
	at, seq, err = s.lastSealed(ctx, partition)
	if err != nil {
		return nil, 0, intake, err
	}
	info, err := s.intake.Info(ctx) // after the position: it only grows meanwhile
	if err != nil {
		return nil, 0, intake, fmt.Errorf("look up stream %s: %w", streamIntake, err)
	}
	return at, seq, info.State, nil
}

var errOtherIntake = errors.New("the streams in the data directory don't belong together; restore them from one backup, or start with an empty POSTCALL_DATA_DIR")

// alignIntake makes sure that no frame to come can be taken for a sealed one: where the intake was rolled back behind a
// sealer's position, it is moved forward (DELIVERY.md, rule 3). It runs before the first delivery is taken.
func (s *streams) alignIntake(ctx context.Context, log *slog.Logger, m *metrics) error {
	if s.srv == nil {
		return s.alignCluster(ctx, log, m)
	}
	if err := s.compareMarks(ctx, log, m); err != nil {
		return err
	}
	for p := range s.partitions {
		at, _, state, err := s.stands(ctx, p)
		if err != nil {
			return err
		}
		if state.FirstSeq > at.Position.Seq {
			m.alarm("gap", float64(state.FirstSeq-at.Position.Seq))
			log.Error("frames behind the last sealed batch are gone: what was in them is lost, but for what the stores have; audit them, and look at the volume",
				"sealed_up_to", at.Position.String(), "first_sequence", state.FirstSeq, "frames", state.FirstSeq-at.Position.Seq)
		}
		want := at.Position.Seq // the frame it continues in, or the one to come
		if at.Position.Event == 0 {
			want--
		}
		if state.LastSeq >= want {
			continue
		}
		m.alarm("rollback", 1)
		log.Error("the intake stream lost its newest frames; deliveries go on behind the last sealed one",
			"partition", p, "last_sequence", state.LastSeq, "sealed_up_to", at.Position.String())
		if err := s.intake.Purge(ctx, jetstream.WithPurgeSequence(at.Position.Seq+1)); err != nil {
			return fmt.Errorf("move stream %s forward: %w", streamIntake, err)
		}
	}
	return nil
}

// compareMarks looks whether the streams still end where they did.
func (s *streams) compareMarks(ctx context.Context, log *slog.Logger, m *metrics) error {
	for mark, st := range []jetstream.Stream{markIntake: s.intake, markBatches: s.batches} {
		info, err := st.Info(ctx)
		if err != nil {
			return fmt.Errorf("look up a stream: %w", err)
		}
		s.marks.compare(mark, info.Config.Name, info.State.LastSeq, log, m)
	}
	return s.reportHoles(ctx, log, m)
}

// reportHoles sounds the alarm where sealed batches are missing.
func (s *streams) reportHoles(ctx context.Context, log *slog.Logger, m *metrics) error {
	info, err := s.batches.Info(ctx)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", streamBatches, err)
	}
	if info.State.NumDeleted == 0 {
		return nil
	}
	batches, events, err := s.holes(ctx)
	if err != nil {
		return err
	}
	if batches > 0 {
		m.alarm("gap", float64(batches))
		log.Error("sealed batches are missing: what was in them and not loaded is lost; audit the stores, and look at the volume",
			"batches", batches, "events", events)
	}
	return nil
}

// holes counts the sealed messages that are missing, and the events they held. Batches are removed from the front only, so a
// hole is damage, but where a message says that it was sealed again in the place of what is missing (DELIVERY.md, rule 13).
// The sealer sees those of the intake itself.
func (s *streams) holes(ctx context.Context) (batches int, events uint64, err error) {
	info, err := s.batches.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("look up stream %s: %w", streamBatches, err)
	}
	there, expected := map[string][]reach{}, map[string]map[uint64]uint64{} // by subject
	err = s.each(ctx, streamBatches, info.State.FirstSeq, true, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		m, err := readHeader(msg.Headers())
		if err != nil {
			return nil //nolint:nilerr // a damaged message is a dead letter; what it replaced is missing with it
		}
		subj := msg.Subject()
		if expected[subj] == nil {
			expected[subj] = map[uint64]uint64{}
		}
		n, _ := strconv.ParseUint(msg.Headers().Get(headerEvents), 10, 64)
		for i, seq := range m.Replaces {
			if expected[subj][seq] = 0; i == 0 {
				expected[subj][seq] = n + uint64(len(m.Erased))
			}
		}
		r := reach{seq: meta.Sequence.Stream, from: m.Counts.loadable(), to: m.Counts.loadable()}
		if m.Origin == "" { // one that was sealed again adds nothing to what was counted before it
			r.from -= min(n, r.from)
		}
		there[subj] = append(there[subj], r)
		return nil
	})
	for subj, kept := range there {
		b, e := missing(kept, expected[subj], s.ever == 1)
		batches, events = batches+b, events+e
	}
	return batches, events, err
}

// missing compares the messages of a partition that are there, by what their counts say. Where it is the only one every
// sequence is its own; of several only a break in the counts shows that at least one message is missing.
func missing(there []reach, expected map[uint64]uint64, alone bool) (batches int, events uint64) {
	for i := 1; i < len(there); i++ {
		if there[i].seq == there[i-1].seq+1 {
			continue
		}
		kept := max(there[i].from, there[i-1].to) - there[i-1].to
		gone := 0
		for seq, n := range expected {
			if there[i-1].seq < seq && seq < there[i].seq {
				kept -= min(n, kept)
				gone--
			}
		}
		if gone += int(there[i].seq - there[i-1].seq - 1); !alone {
			gone = int(min(kept, 1))
		}
		if gone > 0 {
			batches, events = batches+gone, events+kept
		}
	}
	return batches, events
}

// reach is what the counts of a sealed message say had been kept before and after it (DELIVERY.md, rule 16).
type reach struct{ seq, from, to uint64 }

// readIntake delivers the frames of a partition from a sequence on, until ctx ends. It reads a few frames ahead.
func (s *streams) readIntake(ctx context.Context, partition int, from uint64) (<-chan intakeFrame, error) {
	cons, drop, err := s.reader(ctx, streamIntake, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subject(subjectIntake, partition)},
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1),
	})
	if err != nil {
		return nil, err
	}
	it, err := cons.Messages(jetstream.PullMaxMessages(4))
	if err != nil {
		drop()
		return nil, fmt.Errorf("read stream %s: %w", streamIntake, err)
	}
	frames := make(chan intakeFrame, 1)
	context.AfterFunc(ctx, it.Stop)
	go func() {
		defer close(frames)
		defer drop()
		for {
			msg, err := it.Next()
			if err != nil {
				return
			}
			meta, err := msg.Metadata()
			if err != nil {
				return
			}
			n, _ := strconv.Atoi(msg.Headers().Get(headerEvents))
			s.rise(meta.Sequence.Stream)
			select {
			case frames <- intakeFrame{meta.Sequence.Stream, n, msg.Data(), msg.Headers().Get(headerTrace)}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return frames, nil
}

// intakeFrame is one message of the intake stream.
type intakeFrame struct {
	seq    uint64
	events int // as its header says
	data   []byte
	traces string // see headerTrace
}
