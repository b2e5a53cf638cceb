package connector

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

// headerState marks the record of a dead letter that is no longer held.
const headerState = "Postcall-State"

// States of a dead letter that is no longer held.
const (
	DeadReplayed = "replayed"
	DeadPurged   = "purged"
)

// DeadFilter picks dead letters; a zero field picks all.
type DeadFilter struct {
	ID           string // exactly, or the beginning of it
	Stage, Sink  string
	Reason       string // anywhere in it, whatever the case
	Since, Until time.Time
	Closed       bool // replayed and purged ones as well
	Brief        bool // without what they hold, which is not read then
}

func (f *DeadFilter) takes(l *DeadLetter) bool {
	return strings.HasPrefix(l.ID, f.ID) && (f.Stage == "" || f.Stage == l.Stage) && (f.Sink == "" || f.Sink == l.Sink) &&
		strings.Contains(strings.ToLower(l.Reason), strings.ToLower(f.Reason)) && (f.Closed || l.State == "") &&
		(f.Since.IsZero() || !l.Died.Before(f.Since)) && (f.Until.IsZero() || l.Died.Before(f.Until))
}

// Dead calls f for each dead letter that the filter takes, oldest first.
func (o *Operator) Dead(ctx context.Context, filter DeadFilter, f func(*DeadLetter) error) error {
	for _, stream := range []string{streamRefused, streamDead} {
		err := o.st.each(ctx, stream, 1, filter.Brief, func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
			if strings.HasPrefix(msg.Subject(), subjectSplit) {
				return nil
			}
			if strings.HasPrefix(msg.Subject(), subjectCount) {
				return nil
			}
			l, err := readDead(msg.Headers(), msg.Data())
			if err != nil {
				return err
			}
			if !filter.takes(l) {
				return nil
			}
			return f(l)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ErrNoDeadLetter says that there is no dead letter of that stage and id.
var ErrNoDeadLetter = errors.New("there is no such dead letter")

// deadStages are the stages at which something can die.
var deadStages = []string{StageWebhook, StageIntake, StageNormalize, StageTransform, StageSeal, StageLoad}

var deadIDs = regexp.MustCompile(`^[a-z0-9]{24}$`)

// DeadLetter returns one dead letter, also one that is no longer held, with what it holds. id is the whole one.
func (o *Operator) DeadLetter(ctx context.Context, stage, id string) (*DeadLetter, error) {
	if !slices.Contains(deadStages, stage) || !deadIDs.MatchString(id) { // they become a subject
		return nil, ErrNoDeadLetter
	}
	l := &DeadLetter{ID: id, Stage: stage}
	stream := o.st.dead
	if stage == StageWebhook {
		stream = o.st.refused
	}
	msg, err := stream.GetLastMsgForSubject(ctx, l.subject())
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, ErrNoDeadLetter
	}
	if err != nil {
		return nil, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	return readDead(msg.Header, msg.Data)
}

// DeadBody returns the raw body of a dead letter from before sealing. It has been through no redaction: show it to nobody.
func (o *Operator) DeadBody(l *DeadLetter) ([]byte, error) {
	if len(l.Body) == 0 {
		return nil, fmt.Errorf("dead letter %s holds no body", l.ID)
	}
	return o.cipher.open(l.Body)
}

// DeadEvent returns the event of a dead letter of a sink, as it was sealed: after redaction.
func (o *Operator) DeadEvent(l *DeadLetter) (*transforms.Event, error) {
	events, err := transforms.DecodeEvents(l.Event)
	if err != nil || len(events) != 1 {
		return nil, fmt.Errorf("dead letter %s holds no event that can be read: %w", l.ID, errors.Join(err, ErrDamaged))
	}
	return &events[0], nil
}

// PurgeDead removes what a dead letter holds, for good. A record of it stays until retention removes that.
func (o *Operator) PurgeDead(ctx context.Context, l *DeadLetter) error {
	return o.closeDead(ctx, l, DeadPurged)
}

// ReplayDead brings a dead letter back. One of a sink goes to that sink alone, as it was sealed; one from before sealing
// goes through mapping and transforms again. Both keep their version, so a later delivery of the call still wins
// (DELIVERY.md, rule 12).
func (o *Operator) ReplayDead(ctx context.Context, l *DeadLetter, sinks []Sink) error {
	var err error
	switch {
	case l.State != "":
		return fmt.Errorf("dead letter %s is %s already", l.ID, l.State)
	case l.Stage == StageIntake || (l.Stage == StageLoad && len(l.Event) == 0):
		return fmt.Errorf("dead letter %s is damaged data and can't be replayed: %w", l.ID, ErrDamaged)
	case l.Stage == StageLoad:
		err = o.replayToSink(ctx, l, sinks)
	default:
		err = o.replayToIntake(ctx, l)
	}
	if err != nil {
		return fmt.Errorf("replay dead letter %s: %w", l.ID, err)
	}
	return o.closeDead(ctx, l, DeadReplayed)
}

func (o *Operator) replayToSink(ctx context.Context, l *DeadLetter, sinks []Sink) error {
	e, err := o.DeadEvent(l)
	if err != nil {
		return err
	}
	if o.erased.covers(e) {
		return errors.New("it is on the erasure list: purge it")
	}
	for _, s := range sinks {
		if s.Name == l.Sink {
			if c, ok := s.Loader.(Checker); ok {
				if err := c.Check(ctx); err != nil {
					return err
				}
			}
			b := Batch{Token: "replay-" + l.ID, Events: []transforms.Event{*e}}
			return o.alone(ctx, &s, func(ctx context.Context) error { return s.Loader.Load(ctx, b) })
		}
	}
	return fmt.Errorf("its sink %s is not in POSTCALL_SINKS", l.Sink)
}

func (o *Operator) replayToIntake(ctx context.Context, l *DeadLetter) error {
	body, err := o.DeadBody(l)
	if err != nil {
		return err
	}
	callID := l.CallID
	d := delivery{Tenant: l.Tenant, Source: l.Source, Received: l.Received, Version: l.Version, Replayed: l.Stage != StageWebhook, Body: body}
	if callID == "" {
		if callID, err = o.checkBody(l.Source, body); err != nil {
			return fmt.Errorf("it is still refused: %w", err)
		}
	}
	frame := sealFrame(appendDelivery(newFrame(nil), &d), nil)
	msg := &nats.Msg{Subject: subject(subjectIntake, partition(d.Tenant, callID, o.st.partitions)), Data: frame, Header: nats.Header{headerEvents: {"1"}}}
	ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, errors.New("the frame was not durable in time"))
	defer cancel()
	// The id makes a second try within JetStream's window harmless, should this process end before the record is closed.
	_, err = o.st.js.PublishMsg(ctx, msg, jetstream.WithMsgID("replay-"+l.ID), jetstream.WithRetryAttempts(0))
	return err
}

// checkBody checks a body as the webhook does, and returns its call id.
func (o *Operator) checkBody(name string, body []byte) (string, error) {
	read, err := o.reading()
	if err != nil {
		return "", err
	}
	src, err := read.source(name)
	if err != nil {
		return "", err
	}
	callID, _, err := read.check(src, body)
	return callID, err
}

// reading is how the configured sources are read.
func (o *Operator) reading() (*reading, error) {
	set, err := o.cfg.OpenSources()
	if err != nil {
		return nil, err
	}
	return newReading(&o.cfg, set, o.st.maxPayload), nil
}

// closeDead replaces an entry by a short record of what became of it.
func (o *Operator) closeDead(ctx context.Context, l *DeadLetter, state string) error {
	done := *l
	done.State, done.Closed, done.Body, done.Event = state, time.Now().UTC(), nil, nil
	msg, err := done.message()
	if err != nil {
		return err
	}
	if _, err := o.st.js.PublishMsg(ctx, msg); err != nil {
		return fmt.Errorf("record dead letter %s as %s: %w", l.ID, state, err)
	}
	return nil
}
