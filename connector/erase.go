package connector

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/redact"
)

// The erasure list says which events must not reach a store any more, however they come: out of the intake, of a sealed
// batch, by a replay. An entry is a keyed hash, so the list itself names nobody (DELIVERY.md, rule 13). It lives in a
// stream of its own, one message an entry.
const (
	streamErased  = "POSTCALL_ERASED"
	subjectErased = "postcall.erased."

	eraseCall  = "call"
	erasePhone = redact.KindPhone
	eraseEmail = redact.KindEmail
)

// erasure is an entry of the list.
type erasure struct {
	Hash string `json:"hash"` // see callHash, Event.CustomerKey and Event.EmailKey; the kind is its beginning
	// UpTo is the highest version it covers, so that a call made after the erasure is kept; 0 covers every later one too.
	UpTo int64     `json:"upTo"`
	At   time.Time `json:"at"`
	// Done is when what was stored before is known to be gone; see resealer.
	Done time.Time `json:"done,omitzero"`
}

// widen is the entry that covers what either does. An entry never covers less than before: the rows that are left of a
// batch must never become more (see Batch.keep).
func (e erasure) widen(was *erasure) erasure {
	if was.UpTo == 0 || (e.UpTo != 0 && e.UpTo < was.UpTo) {
		e.UpTo = was.UpTo
	}
	return e
}

// callHash is the keyed hash of a call's identity.
func callHash(key []byte, tenant, callID string) string {
	id := sha256.Sum256([]byte(tenant + "\x00" + callID)) // Hash folds the case of what it is given
	return redact.Hash(key, eraseCall, hex.EncodeToString(id[:]))
}

// erasures is the list as a process knows it. It follows the stream.
type erasures struct {
	keys [][]byte

	mu   sync.RWMutex
	upTo map[string]int64
	open map[string]listed // what is not known to be gone
	last uint64            // sequence of the last entry taken
}

// listed is an entry and its sequence.
type listed struct {
	erasure
	seq uint64
}

func newErasures(keys [][]byte) *erasures {
	return &erasures{keys: keys, upTo: map[string]int64{}, open: map[string]listed{}}
}

// load reads the list as it is now. It runs before anything is sealed or loaded.
func (l *erasures) load(ctx context.Context, st *streams) error {
	return st.each(ctx, streamErased, 1, false, l.take)
}

func (l *erasures) take(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
	var e erasure
	if err := json.Unmarshal(msg.Data(), &e); err != nil || e.Hash == "" {
		return fmt.Errorf("entry of the erasure list can't be read: %w", errors.Join(err, ErrDamaged))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if was, ok := l.upTo[e.Hash]; ok {
		e = e.widen(&erasure{UpTo: was})
	}
	l.upTo[e.Hash], l.last = e.UpTo, max(l.last, meta.Sequence.Stream)
	if e.Done.IsZero() {
		l.open[e.Hash] = listed{e, meta.Sequence.Stream}
	} else if l.open[e.Hash].seq < meta.Sequence.Stream {
		delete(l.open, e.Hash)
	}
	return nil
}

// reached is the sequence of the last entry known; 0 for no list.
func (l *erasures) reached() uint64 {
	if l == nil {
		return 0
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.last
}

// any says whether anything is listed.
func (l *erasures) any() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.upTo) > 0
}

// pending are the entries whose data is not known to be gone, oldest first.
func (l *erasures) pending() []listed {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.SortedFunc(maps.Values(l.open), func(a, b listed) int { return cmp.Compare(a.seq, b.seq) })
}

// follow takes new entries until ctx ends.
func (l *erasures) follow(ctx context.Context, st *streams, log *slog.Logger) error {
	_ = keepTrying(ctx, 100*time.Millisecond, func() error { return l.watch(ctx, st) }, func(attempt int, err error) {
		log.Warn("the erasure list is not followed; tried again", "attempt", attempt, "err", err)
	}) // it fails only where ctx has ended
	return nil
}

// watch takes new entries; it returns nil only when ctx ends.
func (l *erasures) watch(ctx context.Context, st *streams) error {
	c, err := st.js.OrderedConsumer(ctx, streamErased, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", streamErased, err)
	}
	it, err := c.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", streamErased, err)
	}
	defer context.AfterFunc(ctx, it.Stop)()
	for {
		msg, err := it.Next()
		if ctx.Err() != nil {
			return nil
		}
		var meta *jetstream.MsgMetadata
		if err == nil {
			meta, err = msg.Metadata()
		}
		if err == nil {
			err = l.take(msg, meta)
		}
		if err != nil {
			return err
		}
	}
}

// covers says whether an event must not be kept.
func (l *erasures) covers(e *transforms.Event) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.upTo) == 0 {
		return false
	}
	if l.hit(e.CustomerKey, e) || l.hit(e.EmailKey, e) {
		return true
	}
	call, _, _ := strings.Cut(e.CallID, "#") // the child of a split goes with its parent
	if e.ParentCallID != "" {
		call = e.ParentCallID
	}
	for _, k := range l.keys {
		if l.hit(callHash(k, e.Tenant, e.CallID), e) || (call != e.CallID && l.hit(callHash(k, e.Tenant, call), e)) {
			return true
		}
	}
	return false
}

// hit says whether the hash is listed for the event's version. The list is locked by the caller.
func (l *erasures) hit(hash string, e *transforms.Event) bool {
	upTo, ok := l.upTo[hash]
	return ok && hash != "" && (upTo == 0 || e.Version <= upTo)
}

// spare is the batch without what the list covers, under its own token still.
func (l *erasures) spare(b Batch) Batch {
	keep := make([]int, 0, len(b.Events))
	for i := range b.Events {
		if !l.covers(&b.Events[i]) {
			keep = append(keep, i)
		}
	}
	if len(keep) == len(b.Events) {
		return b
	}
	b = b.keep(keep)
	b.torn = true
	return b
}

// erase adds an entry, or widens the one there is; after a nil error it is durable, and every process of the connector
// follows it.
func (s *streams) erase(ctx context.Context, e erasure) error {
	if err := s.noteShreds(); err != nil { // before the entry: a crash before it is carried out must not cost a second start
		return err
	}
	for {
		last, err := s.erased.GetLastMsgForSubject(ctx, subjectErased+e.Hash)
		var seq uint64
		switch {
		case err == nil:
			var was erasure
			if err := json.Unmarshal(last.Data, &was); err != nil {
				return fmt.Errorf("entry of the erasure list can't be read: %w: %w", err, ErrDamaged)
			}
			e, seq = e.widen(&was), last.Sequence
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return fmt.Errorf("read the erasure list: %w", err)
		}
		if err := s.list(ctx, e, seq); !isStale(err) {
			return err
		}
	}
}

// list writes an entry behind the one of the same hash that has the sequence.
func (s *streams) list(ctx context.Context, e erasure, seq uint64) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	msg := &nats.Msg{Subject: subjectErased + e.Hash, Data: b}
	if _, err := s.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(seq)); err != nil {
		return fmt.Errorf("write the erasure list: %w", err)
	}
	return nil
}

// finish records that what the entry covers is gone. Where it was listed again meanwhile, that stands.
func (s *streams) finish(ctx context.Context, l listed, now time.Time) error {
	l.Done = now.UTC()
	if err := s.list(ctx, l.erasure, l.seq); !isStale(err) {
		return err
	}
	return nil
}
