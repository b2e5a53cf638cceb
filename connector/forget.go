package connector

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms/redact"
)

// Erasure says whose events are to be forgotten, by one of CallID, Phone and Email.
type Erasure struct {
	Tenant string // of CallID; empty is the default one. A phone number or an address is meant in every tenant
	CallID string // the children of a split call go with it
	Phone  string // of the customer
	Email  string
	// UpTo is the highest version that is forgotten, in microseconds of the time it was received; 0 forgets later
	// deliveries too.
	UpTo int64
}

// entries are the erasure's entries of the list: one for each key that hashes may have been made with.
func (e *Erasure) entries(keys [][]byte, now time.Time) ([]erasure, error) {
	given := 0
	for _, v := range []string{e.CallID, e.Phone, e.Email} {
		if v != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, fmt.Errorf("an erasure names %d of call id, phone number and e-mail address: name one", given)
	case e.UpTo < 0:
		return nil, errors.New("an erasure up to a negative version covers nothing: use 0 for all")
	case e.Phone != "" && !strings.ContainsAny(e.Phone, "0123456789"):
		return nil, errors.New("the phone number of the erasure has no digits: many callers share such a text")
	case e.Email != "" && !strings.Contains(e.Email, "@"):
		return nil, errors.New("the e-mail address of the erasure has no @")
	}
	tenant := e.Tenant
	if tenant == "" {
		tenant = defaultTenant
	}
	list := make([]erasure, len(keys))
	for i, k := range keys {
		list[i] = erasure{UpTo: e.UpTo, At: now.UTC()}
		switch {
		case e.CallID != "":
			list[i].Hash = callHash(k, tenant, e.CallID)
		case e.Phone != "":
			list[i].Hash = redact.Hash(k, erasePhone, e.Phone)
		default:
			list[i].Hash = redact.Hash(k, eraseEmail, e.Email)
		}
	}
	return list, nil
}

// Forget lists what is to be forgotten and removes it from the streams: sealed batches, dead letters, refused bodies; what
// is in the intake is dropped when it is sealed. After that no sink, replay or later delivery brings it to a store. The
// stores themselves are not touched; remove it there after this.
//
// The list is durable before anything is removed: after an error or a crash the running connector goes on, and calling it
// again is safe. Either way the connector does it once more when what was under way has settled, see settleTime.
func (o *Operator) Forget(ctx context.Context, erasures ...Erasure) (*ErasureReport, error) {
	var list []erasure
	for i := range erasures {
		entries, err := erasures[i].entries(o.cfg.RedactKeys(), time.Now())
		if err != nil {
			return nil, err
		}
		list = append(list, entries...)
	}
	read, err := o.reading()
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if err := o.st.erase(ctx, e); err != nil {
			return nil, err
		}
	}
	r := newResealer(o.st, &bodyReader{read, o.cipher, o.erased}, o.dead.log, o.dead.m)
	if o.step != nil {
		r.step = o.step
	}
	r.step("listed")
	return r.carryOut(ctx)
}

// subjectErasedDead begins the subjects of the records of dead letters that were erased: they say no call id, and stay
// dead in the accounts of their sink like those that were purged.
const subjectErasedDead = subjectDead + "erased."

// deadLetters removes the dead letters and refused bodies that hold something of what is listed.
func (p *resealing) deadLetters(ctx context.Context) error {
	if err := p.look(ctx); err != nil {
		return err
	}
	for _, st := range []jetstream.Stream{p.st.refused, p.st.dead} {
		err := p.st.each(ctx, st.CachedInfo().Config.Name, 1, false, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			if strings.HasPrefix(msg.Subject(), subjectSplit) || strings.HasPrefix(msg.Subject(), subjectCount) {
				return nil
			}
			l, err := readDead(msg.Headers(), msg.Data())
			if err != nil {
				p.rep.Unreadable++
				return nil
			}
			covered, readable := p.bodies.deadLetter(l)
			if !readable {
				p.rep.Unreadable++
			}
			if !covered {
				return nil
			}
			return p.eraseDead(ctx, st, meta.Sequence.Stream, l)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eraseDead removes a dead letter, or the record of one. Where its event counts as kept still, since the batch it came
// from is gone, a record that names nobody counts it as dead. That one is written first: while both are there they count
// once, by their id.
func (p *resealing) eraseDead(ctx context.Context, st jetstream.Stream, seq uint64, l *DeadLetter) error {
	if l.Stage == StageLoad && l.State != DeadReplayed && !p.left(l) {
		switch err := p.recordErased(ctx, l); {
		case apiCode(err) == codeStoreFull: // its own room is what there is for the record
			if err := p.shred(ctx, st, seq); err != nil {
				return err
			}
			if err := p.recordErased(ctx, l); err != nil {
				return err
			}
		case err != nil:
			return err
		}
		p.step("recorded")
	}
	switch {
	case l.State != "": // a record; what it was of is gone
	case st == p.st.refused:
		p.rep.Refused++
	default:
		p.rep.Dead++
	}
	return p.shred(ctx, st, seq)
}

func (p *resealing) recordErased(ctx context.Context, l *DeadLetter) error {
	record := DeadLetter{
		ID: l.ID, Stage: l.Stage, Sink: l.Sink, Reason: reasonErased, Events: l.Events, State: DeadPurged, Died: l.Died, Closed: time.Now().UTC(),
	}
	msg, err := record.message()
	if err != nil {
		return err
	}
	msg.Subject = subjectErasedDead + l.ID
	if _, err := p.st.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(0)); err != nil && !isStale(err) {
		return fmt.Errorf("record an erased dead letter: %w", err)
	}
	return nil
}

// left says whether the event of a sink's dead letter was left out of its batch, and so out of the counts.
func (p *resealing) left(l *DeadLetter) bool {
	for _, i := range p.gone[l.Batch] {
		if deadID(l.Batch, i, l.Sink) == l.ID {
			return true
		}
	}
	return false
}

// intake counts what the sealer is going to drop.
func (p *resealing) intake(ctx context.Context) error {
	at := make([]position, p.st.partitions)
	from := uint64(0)
	for i := range at {
		s, _, err := p.st.lastSealed(ctx, i)
		if err != nil {
			return err
		}
		if at[i] = s.Position; from == 0 || at[i].Seq < from {
			from = at[i].Seq
		}
	}
	return p.st.each(ctx, streamIntake, from, false, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		i, err := strconv.Atoi(strings.TrimPrefix(msg.Subject(), subjectIntake))
		if err != nil || i >= len(at) || meta.Sequence.Stream < at[i].Seq {
			return nil //nolint:nilerr // no frame of ours, or sealed already
		}
		ds, err := decodeFrame(msg.Data())
		if err != nil {
			p.rep.Unreadable++
			return nil
		}
		if meta.Sequence.Stream == at[i].Seq {
			ds = ds[min(at[i].Event, len(ds)):]
		}
		for j := range ds {
			if p.bodies.delivery(&ds[j]) {
				p.rep.Waiting++
			}
		}
		return nil
	})
}
