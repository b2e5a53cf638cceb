package connector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
}

func newErasures(keys [][]byte) *erasures { return &erasures{keys: keys, upTo: map[string]int64{}} }

// load reads the list as it is now. It runs before anything is sealed or loaded.
func (l *erasures) load(ctx context.Context, st *streams) error {
	return st.each(ctx, streamErased, 1, false, func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error { return l.take(msg.Data()) })
}

func (l *erasures) take(data []byte) error {
	var e erasure
	if err := json.Unmarshal(data, &e); err != nil || e.Hash == "" {
		return fmt.Errorf("entry of the erasure list can't be read: %w", errors.Join(err, ErrDamaged))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.upTo[e.Hash] = e.UpTo
	return nil
}

// follow takes new entries until ctx ends.
func (l *erasures) follow(ctx context.Context, st *streams, log *slog.Logger) error {
	for attempt := 1; ; attempt++ {
		err := l.watch(ctx, st)
		if ctx.Err() != nil {
			return nil
		}
		log.Warn("the erasure list is not followed; tried again", "attempt", attempt, "err", err)
		if sleep(ctx, backoff(attempt, 100*time.Millisecond, maxRetryDelay)) != nil {
			return nil
		}
	}
}

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
		if err == nil {
			err = l.take(msg.Data())
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
	hit := func(hash string) bool {
		upTo, ok := l.upTo[hash]
		return ok && hash != "" && (upTo == 0 || e.Version <= upTo)
	}
	if hit(e.CustomerKey) || hit(e.EmailKey) {
		return true
	}
	call, _, _ := strings.Cut(e.CallID, "#") // the child of a split goes with its parent
	if e.ParentCallID != "" {
		call = e.ParentCallID
	}
	for _, k := range l.keys {
		if hit(callHash(k, e.Tenant, e.CallID)) || (call != e.CallID && hit(callHash(k, e.Tenant, call))) {
			return true
		}
	}
	return false
}

// spare is the batch without what the list covers. It keeps the token where nothing is.
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
	return b.pick(keep)
}

// erase adds an entry; after a nil error it is durable, and every process of the connector follows it.
func (s *streams) erase(ctx context.Context, e erasure) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: subjectErased + e.Hash, Data: b}); err != nil {
		return fmt.Errorf("write the erasure list: %w", err)
	}
	return nil
}
