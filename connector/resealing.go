package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

// resealing is one pass over everything stored.
type resealing struct {
	*resealer
	until    uint64           // the list is known up to here
	first    uint64           // of POSTCALL_BATCHES when the pass began
	read     uint64           // headers of POSTCALL_BATCHES were looked at up to here
	replaced map[uint64]bool  // messages whose place another has taken
	gone     map[string][]int // events that are left out, by the token of the message they were sealed in
	rep      ErasureReport
}

// fence puts a message behind the last one of a partition that says how long the list is. What is sealed before it is in
// the stream when the pass begins, and what is sealed after it was held against the list.
func (p *resealing) fence(ctx context.Context, partition int) error {
	for {
		at, last, err := p.st.lastSealed(ctx, partition)
		if err != nil || at.Erasures >= p.until {
			return err
		}
		next := p.behind(at)
		payload, err := finishPayload(newPayload(nil), nil)
		if err != nil {
			return err
		}
		if err := p.publish(ctx, partition, next, payload, last); !isStale(err) {
			return err
		}
	}
}

// behind is an empty message behind the last one, with its position.
func (p *resealing) behind(at *sealed) *sealed {
	return &sealed{Intake: at.Intake, Position: at.Position, Version: at.Version, Counts: at.Counts, Erasures: max(at.Erasures, p.until)}
}

func (p *resealing) publish(ctx context.Context, partition int, m *sealed, payload []byte, last uint64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, errors.New("the message was not durable in time"))
	defer cancel()
	ack, err := p.st.js.PublishMsg(ctx, sealMessage(subject(subjectBatches, partition), m, payload, nil),
		jetstream.WithExpectLastSequencePerSubject(last), jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("seal a batch again: %w", err)
	}
	p.st.marks.rise(markBatches, ack.Sequence)
	return nil
}

// look reads the headers that came since it was last called.
func (p *resealing) look(ctx context.Context) error {
	return p.st.each(ctx, streamBatches, p.read+1, true, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		p.read = meta.Sequence.Stream
		if m, err := readHeader(msg.Headers()); err == nil {
			p.note(m)
		}
		return nil
	})
}

func (p *resealing) note(m *sealed) {
	for _, seq := range m.Replaces {
		p.replaced[seq] = true
	}
	if len(m.Erased) > 0 {
		p.gone[m.Origin] = m.Erased
	}
}

// batches seals again what holds something of what is listed.
func (p *resealing) batches(ctx context.Context) error {
	return p.st.each(ctx, streamBatches, 1, false, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		p.rep.Batches++
		if !p.replaced[meta.Sequence.Stream] {
			if replaced, err := p.batch(ctx, msg, meta); !replaced || err != nil {
				return err
			}
		}
		return p.shred(ctx, p.st.batches, meta.Sequence.Stream)
	})
}

func (p *resealing) shred(ctx context.Context, stream jetstream.Stream, seq uint64) error {
	if err := p.st.shred(ctx, stream, seq); err != nil {
		return err
	}
	p.step("shredded")
	return nil
}

// batch says whether another message has taken the place of this one.
func (p *resealing) batch(ctx context.Context, msg jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
	m, err := openMessage(msg.Headers(), msg.Data())
	if err != nil {
		p.rep.Unreadable++
		return false, nil //nolint:nilerr // it is counted; a damaged batch is a dead letter too
	}
	partition, err := strconv.Atoi(strings.TrimPrefix(msg.Subject(), subjectBatches))
	if err != nil {
		return false, fmt.Errorf("sealed message on subject %s: %w", msg.Subject(), err)
	}
	less, out := p.without(m)
	if less == nil {
		return false, nil
	}
	if less.SealedAt.IsZero() {
		less.SealedAt = meta.Timestamp
	}
	less.Replaces = append(less.Replaces, meta.Sequence.Stream)
	if err := p.replace(ctx, partition, less, out); err != nil {
		return false, err
	}
	p.step("resealed")
	return true, nil
}

// without is the message less what is listed, nil where it holds nothing of that, and what has to leave the counts.
func (p *resealing) without(m *sealed) (less *sealed, out counts) {
	less = &sealed{Origin: m.Token, SealedAt: m.SealedAt, Erased: slices.Clone(m.Erased), Fates: m.Fates}
	found := false
	for _, seq := range m.Replaces { // a hole before the first message is none
		if seq > p.first {
			less.Replaces = append(less.Replaces, seq)
		}
	}
	at := m.indices()
	for i := range m.Events {
		e := &m.Events[i]
		if !p.erased.covers(e) {
			less.Events = append(less.Events, *e)
			continue
		}
		found = true
		if at != nil {
			less.Erased = append(less.Erased, at[i])
		} else {
			less.Erased = append(less.Erased, i)
		}
		if e.ParentCallID != "" {
			out.Children++
		} else {
			out.Kept++
		}
	}
	slices.Sort(less.Erased)
	for i := range less.Fates {
		covered, readable := p.bodies.fate(&less.Fates[i])
		if !readable {
			p.rep.Unreadable++
		}
		if f := &less.Fates[i]; covered { // its place stays: it names the dead letters of the others
			found = true
			*f = fate{Outcome: fateDropped, Stage: f.Stage, Reason: reasonErased, Tenant: f.Tenant, Received: f.Received}
		}
	}
	if !found {
		return nil, out
	}
	return less, out
}

// reasonErased is the reason of what is dropped since the list covers it.
const reasonErased = "erased"

// replace writes a message in the place of another, unless somebody else did.
func (p *resealing) replace(ctx context.Context, partition int, less *sealed, out counts) error {
	payload, err := transforms.AppendEvents(newPayload(nil), less.Events)
	if err != nil {
		return fmt.Errorf("seal a batch again: %w", err)
	}
	if payload, err = finishPayload(payload, less.Fates); err != nil {
		return err
	}
	for {
		at, last, err := p.st.lastSealed(ctx, partition)
		if err != nil {
			return err
		}
		// Behind the last message, and after a look at everything up to it: the fence leaves no room for another's.
		if err := p.look(ctx); err != nil || p.replaced[less.Replaces[len(less.Replaces)-1]] {
			return err
		}
		next := p.behind(at)
		next.Origin, next.SealedAt, next.Erased, next.Replaces = less.Origin, less.SealedAt, less.Erased, less.Replaces
		next.Events, next.Fates = less.Events, less.Fates
		next.Counts = at.Counts.minus(out).plus(counts{Dropped: out.Kept})
		if err := p.publish(ctx, partition, next, payload, last); err == nil {
			p.rep.Resealed++
			p.rep.Events += int(out.Kept + out.Children)
			return nil
		} else if !isStale(err) {
			return err
		}
	}
}
