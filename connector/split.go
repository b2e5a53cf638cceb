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

// subjectSplit begins the subjects of the records that a sink cut a batch in two. They are in POSTCALL_DEAD, beside the
// dead letters that such a cut leads to.
const subjectSplit = subjectDead + "split."

// splits are the cuts one sink has made in one sealed message. They are written before the parts are loaded: a
// redelivery then cuts at the same places, and its parts have the tokens under which they were loaded before. Without
// them, a batch whose culprit was replayed or forgotten, or that was too large for a moment, would be loaded whole
// beside its parts (DELIVERY.md, rule 17).
type splits struct {
	dead *deadLetters
	st   jetstream.Stream
	subj string // of this sink and message, without the part
	done map[string]bool
}

func splitSubject(sink, root string) string { return subjectSplit + root + "." + sink + "." }

// readSplits looks up the cuts of a message.
func (d *deadLetters) readSplits(ctx context.Context, sink, root string) (*splits, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, errors.New("the dead letters did not answer in time"))
	defer cancel()
	s := &splits{dead: d, subj: splitSubject(sink, root), done: map[string]bool{}}
	var err error
	if s.st, err = d.js.Stream(ctx, streamDead); err != nil {
		return nil, fmt.Errorf("open stream %s: %w", streamDead, err)
	}
	info, err := s.st.Info(ctx, jetstream.WithSubjectFilter(s.subj+"*"))
	if err != nil {
		return nil, fmt.Errorf("read the cuts of a batch: %w", err)
	}
	for subj := range info.State.Subjects {
		s.done[subj] = true
	}
	return s, nil
}

// made says whether the part was cut before.
func (s *splits) made(b *Batch) bool { return len(s.done) > 0 && s.done[s.subj+b.Token] }

// leaves are the parts that the batch was cut into, in order; the batch itself where it never was.
func (s *splits) leaves(b Batch) []Batch {
	if !s.made(&b) {
		return []Batch{b}
	}
	lo, hi := b.halves()
	return append(s.leaves(lo), s.leaves(hi)...)
}

// make records a cut. It waits for as long as the record can't be stored.
func (s *splits) make(ctx context.Context, b *Batch, log *slog.Logger) error {
	subj := s.subj + b.Token
	if s.done[subj] {
		return nil
	}
	err := keepTrying(ctx, 200*time.Millisecond, func() error {
		ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, errors.New("the record of a cut was not durable in time"))
		defer cancel()
		_, err := s.dead.js.PublishMsg(ctx, &nats.Msg{Subject: subj, Data: []byte(time.Now().UTC().Format(time.RFC3339))})
		return err
	}, func(attempt int, err error) {
		s.dead.m.alarm("dead-letters", 1)
		log.Error("the cut of a batch can't be recorded; the sink waits", "attempt", attempt, "err", err)
	})
	s.done[subj] = err == nil
	return err
}

// How many attempts at a part have to end in an error that may be the store's, before the part is halved for it. Behind a
// batch that was halved for a Suspect error, one is enough, and the last event needs soleSuspect.
const (
	suspectPatience   = 5
	soleSuspect       = 3
	exhaustedPatience = 5
)

// strikes counts the attempts at a part that ended in an error which may be the batch's or the store's. Other failures in
// between, such as an outage, are no evidence.
type strikes struct {
	doubted            bool // the batch it is a part of was halved for a Suspect error
	suspect, exhausted int
}

// count notes how an attempt ended.
func (k *strikes) count(err error) {
	switch {
	case errors.Is(err, ErrSuspect):
		k.suspect++
	case errors.Is(err, ErrExhausted), errors.Is(err, ErrTooLarge):
		k.exhausted++
	}
}

// halves says whether a part of several events is halved for an error: at once where smaller parts are bound to fare
// better, else when patience is at an end (DELIVERY.md, rules 17 and 18).
func (k *strikes) halves(err error) bool {
	switch {
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrRefused):
		return true
	case errors.Is(err, ErrSuspect):
		return k.doubted || k.suspect >= suspectPatience
	case errors.Is(err, ErrExhausted):
		return k.exhausted >= exhaustedPatience
	}
	return false
}

// stuck says whether a single event is too much for the store, again and again.
func (k *strikes) stuck(err error) bool {
	return (errors.Is(err, ErrExhausted) || errors.Is(err, ErrTooLarge)) && k.exhausted >= exhaustedPatience
}

// refused says whether an error is held against a single event.
func (k *strikes) refused(err error) bool {
	switch {
	case errors.Is(err, ErrRefused):
		return true
	case errors.Is(err, ErrSuspect):
		return k.suspect >= suspectPatience || k.doubted && k.suspect >= soleSuspect
	}
	return false
}

// died says whether the only event of a part is a dead letter of the sink already, whatever became of that since.
func (s *splits) died(ctx context.Context, sink string, b *Batch) (bool, error) {
	if len(s.done) == 0 {
		return false, nil
	}
	m, err := s.st.GetLastMsgForSubject(ctx, subjectDead+StageLoad+"."+deadID(b.origin(), b.at(0), sink))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// A replay of batches brings back what a replay of the dead letter had loaded; a redelivery must not load it again.
	return b.replay == "" || m.Header.Get(headerState) != DeadReplayed, nil
}
