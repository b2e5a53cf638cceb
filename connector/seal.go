package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/postcall/postcall/transforms"
)

// errFenced says that the partition moved on under this sealer: another one, or its own publish that had timed out.
var errFenced = errors.New("another sealed message of the partition came first")

// sealer turns the intake of one partition into sealed batches. Its position is its last output: it has no other state.
type sealer struct {
	st        *streams
	partition int
	cfg       Config
	read      *reading
	chain     *chain
	cipher    *bodyCipher
	log       *slog.Logger
	m         *metrics
	guard     *shareGuard
	erased    *erasures
	tracing   tracing
	hurry     <-chan struct{} // closed when the connector stops: a batch no longer waits for its age

	at           sealed // header of the last sealed message
	seq          uint64 // its sequence, 0 without one
	known        uint64 // how far the erasure list was known when the batch under way was begun
	frames       <-chan intakeFrame
	open         []input // rest of a frame that spans batches
	buf, message []byte  // reused from batch to batch

	purged time.Time // when sealed frames were last removed
	left   bool      // some have been sealed since
	sealed time.Time // when the last sealed message was written
	empty  bool      // it holds nothing but the position
	next   uint64    // sequence of the frame to come, where frames of one partition follow each other; 0 otherwise
}

// input is one received event, or a damaged frame, on its way into a batch.
type input struct {
	delivery
	next    position // behind it
	version int64
	damaged int                // events of a damaged frame, whose bytes are Body
	trace   *trace.SpanContext // of its delivery; nil where that is not traced
	result
}

// run seals until ctx ends. Whatever fails, it starts again from the last sealed message.
func (s *sealer) run(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		before := s.seq
		err := s.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if s.seq != before {
			attempt = 1
		}
		s.log.Warn("sealing starts again from the last sealed message", "partition", s.partition, "err", err)
		if sleep(ctx, backoff(attempt, 50*time.Millisecond, 5*time.Second)) != nil {
			return nil
		}
	}
}

func (s *sealer) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	at, seq, err := s.st.lastSealed(ctx, s.partition)
	if err != nil {
		return err
	}
	s.at, s.seq, s.open = *at, seq, nil
	if s.at.Erasures > s.erased.reached() { // it is listed before it is named here
		if err := s.erased.load(ctx, s.st); err != nil {
			return err
		}
	}
	s.sealed, s.empty = time.Now(), false
	if s.st.partitions == 1 {
		s.next = s.at.Position.Seq
	}
	if s.frames, err = s.st.readIntake(ctx, s.partition, s.at.Position.Seq); err != nil {
		return err
	}
	for {
		batch, err := s.collect(ctx)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			if err := s.idle(ctx); err != nil {
				return err
			}
			continue
		}
		if err := s.seal(ctx, batch); err != nil {
			return err
		}
		s.sealed, s.empty = time.Now(), false
		s.left = true
		if time.Since(s.purged) >= purgeInterval {
			s.purge(ctx)
		}
	}
}

// idle puts an empty message in the place of the last one. Where that is empty already it looks whether an older one was
// sealed again behind it.
func (s *sealer) idle(ctx context.Context) error {
	s.sealed = time.Now()
	if s.empty {
		was := s.seq
		if err := s.adopt(ctx, nil); err != nil || s.seq == was {
			return err
		}
	}
	s.empty = false
	if err := s.publish(ctx, s.begin(), newPayload(s.buf)); err != nil {
		return err
	}
	s.empty = true
	return nil
}

// collect waits for a first event and takes what comes until the batch is full by events or bytes, or old enough. It
// returns an empty batch after Retain without an event: an empty message then takes the place of the last one, which may
// not be removed, so that no caller's data stays for want of new calls (DELIVERY.md, rule 6).
func (s *sealer) collect(ctx context.Context) ([]input, error) {
	var (
		batch   []input
		bytes   int
		limit   = s.st.maxPayload / 2 // of raw bodies; sealing checks the real size
		expired <-chan time.Time
		version = s.at.Version
		hurry   = s.hurry
		idle    <-chan time.Time
		purge   <-chan time.Time
	)
	if s.left {
		t := time.NewTimer(time.Until(s.purged.Add(purgeInterval)))
		defer t.Stop()
		purge = t.C
	}
	if s.seq > 0 {
		t := time.NewTimer(time.Until(s.sealed.Add(s.cfg.Retain)))
		defer t.Stop()
		idle = t.C
	}
	for {
		for len(s.open) > 0 {
			in := &s.open[0]
			if len(batch) > 0 && (len(batch) >= s.cfg.Batch.MaxEvents || bytes+len(in.Body) > limit) {
				return batch, nil
			}
			if in.version = in.Version; in.version == 0 {
				version = max(version+1, in.Received.UnixMicro())
				in.version = version
			}
			batch, bytes, s.open = append(batch, *in), bytes+len(in.Body), s.open[1:]
			idle = nil
		}
		if expired == nil && len(batch) > 0 {
			t := time.NewTimer(s.cfg.Batch.MaxAge)
			defer t.Stop()
			expired = t.C
		}
		select {
		case f, ok := <-s.frames:
			if !ok {
				return nil, errors.New("reading the intake ended")
			}
			s.follow(f.seq)
			s.open = s.inputs(f)
		case <-expired:
			return batch, nil
		case <-idle:
			return nil, nil
		case <-purge:
			s.purge(ctx)
		case <-hurry:
			if hurry = nil; len(batch) > 0 {
				return batch, nil
			}
			s.cfg.Batch.MaxAge = time.Millisecond
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// follow sounds the alarm when frames are missing: JetStream skips damaged messages without an error.
func (s *sealer) follow(seq uint64) {
	if s.next > 0 && seq > s.next {
		s.m.alarm("gap", float64(seq-s.next))
		s.log.Error("intake frames are missing: what was in them is lost", "partition", s.partition, "from_sequence", s.next, "frames", seq-s.next)
	}
	if s.next > 0 {
		s.next = seq + 1
	}
}

// inputs decodes a frame, without the events that are sealed already.
func (s *sealer) inputs(f intakeFrame) []input {
	ds, err := decodeFrame(f.data)
	if err != nil {
		s.m.alarm("damaged", 1)
		s.log.Error("damaged intake frame; it is kept whole as a dead letter", "partition", s.partition, "sequence", f.seq, "events", f.events, "err", err)
		return []input{{delivery: delivery{Received: time.Now().UTC(), Body: f.data}, next: position{Seq: f.seq + 1}, damaged: max(f.events, 1)}}
	}
	ins := make([]input, len(ds))
	for i := range ds {
		ins[i] = input{delivery: ds[i], next: position{f.seq, i + 1}}
	}
	if len(ins) > 0 {
		ins[len(ins)-1].next = position{Seq: f.seq + 1}
	}
	s.tracing.trace(ins, f.traces)
	if p := s.at.Position; p.Seq == f.seq && p.Event <= len(ins) {
		ins = ins[p.Event:]
	}
	return ins
}

// seal transforms a batch and writes it, in several messages where one would be too large.
func (s *sealer) seal(ctx context.Context, batch []input) (err error) {
	start := time.Now()
	ctx, span := s.tracing.sealing(ctx, batch, s.partition)
	defer func() {
		failed := ""
		if err != nil {
			failed = "not sealed"
		}
		s.tracing.end(span, failed)
	}()
	s.known = max(s.erased.reached(), s.at.Erasures)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.chain.calls)
	for _, part := range s.parts(batch) {
		g.Go(func() error { return s.transform(gctx, part) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if kept, died := tally(batch); !s.guard.allows(kept, died) {
		s.m.alarm("refusals", 1)
		return fmt.Errorf("%d of %d events of a batch would die, too many for it to be their fault; nothing more is held back and sealing waits: look at the transforms and the release, or raise POSTCALL_MAX_DEAD_SHARE", died, kept+died)
	}
	// Compression never grows a payload by more than a few bytes per 128 KiB, so payload bytes decide.
	limit := s.st.maxPayload - 64<<10
	next := s.begin()
	next.Events = make([]transforms.Event, 0, len(batch))
	events := newPayload(s.buf)
	defer func() { s.buf = events }()
	fateBytes := 0
	for i := range batch {
		in := &batch[i]
		grown, err := transforms.AppendEncoded(events, in.events)
		if err == nil && len(grown)-len(events)+s.fateSize(in) > limit {
			err = fmt.Errorf("%d bytes after the transforms, the limit is %d", len(grown)-len(events), limit)
		}
		if err != nil { // DELIVERY.md, rule 7
			f := s.die(in, StageSeal, "it can't be sealed: "+err.Error())
			if in.damaged > 0 {
				f = in.fates[0]
				f.Reason, f.Body = f.Reason+", and is too large to be kept", nil
			}
			in.result = result{fates: []fate{f}}
			grown = events
		}
		if next.Position != s.at.Position && len(grown)+fateBytes+s.fateSize(in) > limit {
			// With its capacity cut: what follows in the same array is still needed.
			if err := s.publish(ctx, next, slices.Clip(events)); err != nil {
				return err
			}
			next, fateBytes = s.begin(), 0
			grown = append(newPayload(grown), grown[len(events):]...) // to the front: publish has copied what was there
		}
		events, fateBytes = grown, fateBytes+s.fateSize(in)
		s.add(next, in)
	}
	err = s.publish(ctx, next, events)
	s.m.sealSeconds.Observe(time.Since(start).Seconds())
	return err
}

// tally counts the received events that live and those that died, damaged frames aside.
func tally(batch []input) (kept, died int) {
	for i := range batch {
		switch {
		case batch[i].damaged > 0:
		case len(batch[i].fates) > 0 && batch[i].fates[0].Outcome == fateDead:
			died++
		default:
			kept++
		}
	}
	return kept, died
}

// die is the fate of an input that no event came of.
func (s *sealer) die(in *input, stage, reason string) fate {
	return fate{
		Outcome: fateDead, Stage: stage, Reason: reason, Tenant: in.Tenant, Source: in.Source, Version: in.version,
		Received: in.Received, Attempts: 1, Body: s.cipher.seal(in.Body),
	}
}

func (s *sealer) fateSize(in *input) int {
	n := 0
	for i := range in.fates {
		n += 512 + len(in.fates[i].Reason) + len(in.fates[i].Body)*4/3
	}
	return n
}

// begin is the sealed message that follows the last one, still empty.
func (s *sealer) begin() *sealed {
	return &sealed{Intake: s.st.intakeID, Position: s.at.Position, Version: s.at.Version, Counts: s.at.Counts, Erasures: max(s.at.Erasures, s.known)}
}

func (s *sealer) add(m *sealed, in *input) {
	m.Position = in.next
	if in.Version == 0 {
		m.Version = in.version
	}
	if in.Replayed {
		m.Counts.Replayed++
	} else {
		m.Counts.Received += uint64(max(in.damaged, 1))
	}
	own := fateKept
	for _, f := range in.fates {
		m.Fates = append(m.Fates, f)
		if f.Parent == "" { // the fate of a child is not its parent's
			own = f.Outcome
		}
	}
	switch own {
	case fateDead:
		m.Counts.Dead++
	case fateDropped:
		m.Counts.Dropped++
	case fateDamaged:
		m.Counts.Damaged += uint64(in.damaged)
	default:
		m.Counts.Kept++
	}
	for i := range in.events {
		if in.events[i].Event.ParentCallID != "" {
			m.Counts.Children++
		}
		m.Events = append(m.Events, in.events[i].Event)
	}
}

// publish writes a sealed message behind the last one and nowhere else. While the stream is full it waits: the intake
// fills up behind it, which is right.
func (s *sealer) publish(ctx context.Context, m *sealed, payload []byte) error {
	m.Trace = s.tracing.parentOf(ctx)
	payload, err := finishPayload(payload, m.Fates)
	if err != nil {
		return err
	}
	msg := sealMessage(subject(subjectBatches, s.partition), m, payload, s.message)
	s.message = msg.Data
	for attempt := 1; ; attempt++ {
		pctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, errors.New("the sealed batch was not durable in time"))
		var ack *jetstream.PubAck
		err := s.st.room(pctx, msg)
		if err == nil {
			ack, err = s.st.js.PublishMsg(pctx, msg, jetstream.WithExpectLastSequencePerSubject(s.seq), jetstream.WithRetryAttempts(0))
		}
		cancel()
		switch {
		case err == nil:
			s.st.marks.rise(markBatches, ack.Sequence)
			s.count(&s.at.Counts, &m.Counts)
			s.at, s.seq = *m, ack.Sequence
			for i := range m.Events {
				if slices.Contains(m.Events[i].Topics, "other") {
					s.m.topicOther.Inc()
				}
			}
			s.at.Events, s.at.Fates = nil, nil
			return nil
		case isStale(err):
			if err := s.adopt(ctx, m); err != nil {
				return err
			}
			msg = sealMessage(subject(subjectBatches, s.partition), m, payload, s.message)
			s.message = msg.Data
		case (errors.Is(err, errSealedFull) || apiCode(err) == codeStoreFull) && ctx.Err() == nil:
			s.log.Warn("the stream of sealed batches is full; sealing waits for the sinks", "partition", s.partition, "attempt", attempt)
			if err := sleep(ctx, backoff(attempt, 200*time.Millisecond, 5*time.Second)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("write sealed batch of %d events: %w", len(m.Events), err)
		}
	}
}

// adopt takes a message that came behind the last one without moving the position: one that was sealed again, or one that
// says how long the erasure list is. What is about to be published goes behind it. It fails with errFenced where the
// position moved on, or where the list is longer than what the batch under way was held against.
func (s *sealer) adopt(ctx context.Context, m *sealed) error {
	at, seq, err := s.st.lastSealed(ctx, s.partition)
	if err != nil {
		return err
	}
	known := max(s.erased.reached(), s.at.Erasures)
	if m != nil {
		known = m.Erasures
	}
	if at.Position != s.at.Position || at.Version != s.at.Version || at.Erasures > known || (m != nil && seq == s.seq) {
		return errFenced
	}
	if m != nil {
		m.Counts = m.Counts.plus(at.Counts).minus(s.at.Counts)
	}
	s.at, s.seq = *at, seq
	return nil
}

func (s *sealer) count(was, is *counts) {
	s.m.batches.Inc()
	s.m.sealed.WithLabelValues(fateKept).Add(float64(is.Kept - was.Kept))
	s.m.sealed.WithLabelValues(fateDead).Add(float64(is.Dead - was.Dead))
	s.m.sealed.WithLabelValues(fateDropped).Add(float64(is.Dropped - was.Dropped))
	s.m.sealed.WithLabelValues(fateDamaged).Add(float64(is.Damaged - was.Damaged))
}

// purgeInterval is the least time between two removals of sealed frames.
const purgeInterval = time.Second

// purge removes the frames that are sealed whole. It runs behind the last batch too, when nothing follows: a full intake
// has to have room again, and raw bodies must not lie about until the next call.
func (s *sealer) purge(ctx context.Context) {
	s.purged = time.Now()
	opts := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSequence(s.at.Position.Seq)}
	if s.st.partitions > 1 {
		opts = append(opts, jetstream.WithPurgeSubject(subject(subjectIntake, s.partition)))
	}
	if err := s.st.intake.Purge(ctx, opts...); err != nil {
		if ctx.Err() == nil {
			s.log.Warn("sealed frames not removed; tried again after the next batch", "partition", s.partition, "err", err)
		}
		return
	}
	s.left = false
}
