package transforms

import (
	"context"
	"slices"
)

// Encoded is an event between two transforms. Where a plugin answered it, its bytes are kept, and go to the next plugin
// and into the sealed batch as they are: reading an event is needed to check it, writing it again is not. So its fields
// must not be changed; make another Encoded of a changed event.
type Encoded struct {
	Event Event

	wire  []byte // the event as it was answered, without the last entry of its transforms; nil must be encoded
	entry []byte // that last entry, as a field
}

// Apply hands a batch to a transform and holds its answer to the contract (ErrContract). It returns for each event, in
// order, what became of it: the event itself, then its children. It leaves batch as it is.
func Apply(ctx context.Context, name string, t Transformer, batch []Encoded) ([][]Encoded, error) {
	if p, ok := t.(interface {
		apply(context.Context, []Encoded) ([][]Encoded, error)
	}); ok {
		return p.apply(ctx, batch)
	}
	out, err := t.Transform(ctx, plain(batch))
	if err != nil {
		return nil, err
	}
	return group(name, nil, batch, encode(out))
}

// AppendEncoded is AppendEvents for events on their way: it appends the bytes of those that have some.
func AppendEncoded(dst []byte, batch []Encoded) ([]byte, error) {
	return appendEncoded(writer{b: dst}, batch)
}

func appendEncoded(w writer, batch []Encoded) ([]byte, error) {
	dst := w.b
	for i := range batch {
		e := &batch[i]
		if e.wire == nil {
			w.message(&e.Event, nil)
		} else {
			w.length(tagEvents, len(e.wire)+len(e.entry))
			w.b = append(append(w.b, e.wire...), e.entry...)
		}
		if w.err != nil {
			return dst, encodeError(i, &e.Event, w.err)
		}
	}
	return w.b, nil
}

func sizeEncoded(batch []Encoded) int {
	n := 0
	for i := range batch {
		size := len(batch[i].wire) + len(batch[i].entry)
		if batch[i].wire == nil {
			size = sizeEvent(&batch[i].Event)
		}
		n += sizeMessage(size)
	}
	return n
}

// through says that applied changed the event, or only saw it. It keeps the bytes the event came in where it goes on and
// they hold nothing else: a plugin may have changed the transforms before it, and a field that is there twice or that
// this version doesn't know would otherwise live on unseen. (An outcome would have to be behind the transforms.)
func (e *Encoded) through(before []Applied, applied *Applied, entry []byte) {
	if e.wire != nil && (e.Event.Outcome != Outcome{} || !slices.Equal(e.Event.Transforms, before) || sizeEvent(&e.Event) != len(e.wire)) {
		e.wire = nil
	}
	e.entry = entry
	e.Event.Transforms = append(slices.Clip(before), *applied)
}

// entryOf encodes what a plugin adds to the transforms of an event.
func entryOf(a *Applied) []byte {
	var w writer
	w.applied(a)
	return w.b
}

func encode(batch []Event) []Encoded {
	out := make([]Encoded, len(batch))
	for i := range batch {
		out[i].Event = batch[i]
	}
	return out
}

func plain(batch []Encoded) []Event {
	out := make([]Event, len(batch))
	for i := range batch {
		out[i] = batch[i].Event
	}
	return out
}

func flatten(groups [][]Encoded) []Event {
	n := 0
	for _, g := range groups {
		n += len(g)
	}
	out := make([]Event, 0, n)
	for _, g := range groups {
		for i := range g {
			out = append(out, g[i].Event)
		}
	}
	return out
}
