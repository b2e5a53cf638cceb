package connector

import (
	"sync"
	"weak"

	"github.com/nats-io/nats.go/jetstream"
)

// opener decodes a sealed message once for all sinks that are at it: they mostly are at the same ones, and decoding is an
// eighth of a batch's cost. It holds nothing alive: a batch that no sink works on any more is collected, so a sink that is
// far behind costs no memory.
type opener struct {
	mu     sync.Mutex
	recent [8]*opening // as many as there are workers of two sinks, and some
	next   int
}

// opening is a message that is being decoded, or was.
type opening struct {
	seq   uint64
	mu    sync.Mutex
	batch weak.Pointer[sealed]
}

// open returns the decoded message. Nobody may change it. An error wraps ErrDamaged.
func (o *opener) open(msg jetstream.Msg) (*sealed, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return openMessage(msg.Headers(), msg.Data())
	}
	e := o.at(meta.Sequence.Stream)
	e.mu.Lock()
	defer e.mu.Unlock()
	if m := e.batch.Value(); m != nil {
		return m, nil
	}
	m, err := openMessage(msg.Headers(), msg.Data())
	if err == nil {
		m.Written = meta.Timestamp
		e.batch = weak.Make(m)
	}
	return m, err
}

func (o *opener) at(seq uint64) *opening {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.recent {
		if e != nil && e.seq == seq {
			return e
		}
	}
	e := &opening{seq: seq}
	o.recent[o.next] = e
	o.next = (o.next + 1) % len(o.recent)
	return e
}
