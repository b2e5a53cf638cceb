package connector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/postcall/postcall/transforms"
)

// Batch is what a sink hands to its Loader: the events of one sealed message, or a part of one after bisecting.
// A Loader must not change the events, and may not keep them after Load returns.
type Batch struct {
	// Token identifies the rows: the same token always comes with the same events in the same order, after a crash,
	// a retry or a failover too, less what was erased meanwhile (DELIVERY.md, rules 2, 13 and 17). It is safe as a query id.
	Token string
	// Events are what is to be stored: kept events only, the highest version of each (tenant, callId) only.
	Events []transforms.Event

	replay string // "" or what a replay puts before every token
	root   string // token of the sealed message; "" where Token is it
	index  []int  // of each event in the sealed message, rising; nil where it is its own
	rows   []int  // the indices that Token stands for, of what was erased as well; nil for all of the message
	total  int    // events the message was first sealed with; 0 where Events are all of them
	torn   bool   // something of it was erased
}

// origin is the token of the sealed message, and at an event's index in that message: together they name a row however
// often the batch was cut.
func (b *Batch) origin() string {
	if b.root == "" {
		return b.Token
	}
	return b.root
}

func (b *Batch) at(i int) int {
	if b.index == nil {
		return i
	}
	return b.index[i]
}

// pick is the part of the batch with the given events, in their order. Its token follows from the sealed message and
// the rows alone, so the same part has the same token after a crash too (DELIVERY.md, rule 17).
func (b *Batch) pick(events []int) Batch {
	rows := make([]int, len(events))
	for i, e := range events {
		rows[i] = b.at(e)
	}
	return b.part(rows)
}

// part is what the batch has of the given rows, under their token.
func (b *Batch) part(rows []int) Batch {
	var in []int
	for i := range b.Events {
		if _, ok := slices.BinarySearch(rows, b.at(i)); ok {
			in = append(in, i)
		}
	}
	p := b.keep(in)
	p.root, p.rows = b.origin(), rows
	h := sha256.New()
	for _, r := range rows {
		_, _ = fmt.Fprintf(h, "%d,", r)
	}
	p.Token = p.replay + p.root + "-" + hex.EncodeToString(h.Sum(nil)[:8])
	return p
}

// keep is the batch with the given events alone, under the same token. It is for what leaves a batch and will not come
// back: the rows that stay are then the same insert as before, whether the store has done it with the others or not. To
// name them anew would insert them a second time where it has (2026-11, DELIVERY.md, rule 13).
func (b *Batch) keep(events []int) Batch {
	k := *b
	k.Events, k.index, k.total = make([]transforms.Event, len(events)), make([]int, len(events)), b.size()
	for i, e := range events {
		k.Events[i], k.index[i] = b.Events[e], b.at(e)
	}
	return k
}

// Without is the token of the batch's rows less the failed ones, by index into Events, for a Loader that stores the others
// at once (DELIVERY.md, rule 17).
func (b *Batch) Without(failed map[int]error) string {
	if len(failed) == 0 {
		return b.Token
	}
	h := sha256.New()
	for i := range b.Events {
		if failed[i] != nil {
			_, _ = fmt.Fprintf(h, "%d,", b.at(i))
		}
	}
	return fmt.Sprintf("%s.%s", b.Token, hex.EncodeToString(h.Sum(nil)[:8]))
}

// size is how many events the message was first sealed with.
func (b *Batch) size() int {
	if b.total == 0 {
		return len(b.Events)
	}
	return b.total
}

// under is the batch as a replay of that id: its tokens, and those of its parts, are the replay's own.
func (b Batch) under(id string) Batch {
	b.root, b.replay = b.origin(), id+"-"
	b.Token = b.replay + b.Token
	return b
}

// halves cuts the batch in two, always at the same place, whatever was erased of it.
func (b *Batch) halves() (Batch, Batch) {
	rows := b.rows
	if rows == nil {
		rows = make([]int, b.size())
		for i := range rows {
			rows[i] = i
		}
	}
	mid := len(rows) / 2
	return b.part(rows[:mid]), b.part(rows[mid:])
}

// Loader writes a batch to a store. It makes one attempt: the sink owns retries, backoff, bisecting and dead letters.
//
// A nil error means that every event is durable in the store, or that the store already had it or a newer version of it.
// An error made by Refused, Suspect, Paused, TooLarge or Exhausted, or a *PartialError, says what the sink is to do; any other
// error is retried for ever with backoff, so a Loader never needs to classify what it does not know.
type Loader interface {
	Load(ctx context.Context, batch Batch) error
}

// Checker is an optional ability of a Loader. The sink calls it before the first Load and after each failed one. An
// error made by Paused stops the sink with an alarm until Check succeeds.
type Checker interface {
	Check(ctx context.Context) error
}

// These are the kinds of failed loads; see Refused, Suspect, Paused, TooLarge and Exhausted.
var (
	ErrSuspect   = errors.New("the store may refuse the data")
	ErrRefused   = errors.New("the store refuses the data")
	ErrPaused    = errors.New("the store is not usable as configured")
	ErrTooLarge  = errors.New("the batch is too large for the store")
	ErrExhausted = errors.New("the store has not enough memory or time for the batch")
)

type kindError struct{ kind, err error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

// Refused marks an error as caused by the data of some event in the batch: the sink bisects down to the culprit.
func Refused(err error) error { return &kindError{ErrRefused, err} }

// Suspect marks an error as one that the data of some event may cause, or the state of the store: the sink tries again,
// and where that goes on, bisects.
func Suspect(err error) error { return &kindError{ErrSuspect, err} }

// Paused marks an error as one of schema, credentials or configuration: the sink waits with an alarm and dead-letters nothing.
func Paused(err error) error { return &kindError{ErrPaused, err} }

// TooLarge marks an error as one that a smaller batch would not have: the sink halves it and never dead-letters for it.
func TooLarge(err error) error { return &kindError{ErrTooLarge, err} }

// Exhausted marks an error as one that a smaller batch might not have, and that may also pass by itself: the sink tries
// again, and where that goes on, halves the batch. A single event is tried for ever, with an alarm, and never dead-lettered.
func Exhausted(err error) error { return &kindError{ErrExhausted, err} }

// PartialError says that the batch was stored but for the events it names.
type PartialError struct {
	Failed map[int]error // by index into Batch.Events; a reason holds no personal data
	Retry  map[int]error // events to try again alone, for example after an overload answer
}

func (e *PartialError) Error() string {
	return fmt.Sprintf("%d events refused, %d to retry", len(e.Failed), len(e.Retry))
}

// Exclusive is an optional ability of a Loader. Where it reports true, no two of its loads may overlap, in other processes
// either: the sink has one worker, and a tool that loads into the same store stops the sink meanwhile.
type Exclusive interface {
	Exclusive() bool
}
