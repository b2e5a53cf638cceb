package connector

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

// Stages at which an event can die.
const (
	StageWebhook   = "webhook"   // authenticated and within the size limit, but refused with a 4xx
	StageNormalize = "normalize" // stored, but can't be read any more
	StageTransform = "transform" // rejected by a transform, or a transform fails on it alone
	StageSeal      = "seal"      // too large for a sealed message
	StageIntake    = "intake"    // a damaged frame, whole
	StageLoad      = "load"      // refused by the store of Sink
)

// DeadLetter is an event, or a body or frame, that postcall holds back, with the reason.
type DeadLetter struct {
	ID       string    `json:"id"`
	Stage    string    `json:"stage"`
	Sink     string    `json:"sink,omitempty"` // the one sink that lacks it; empty means every sink
	Reason   string    `json:"reason"`         // holds no personal data
	Tenant   string    `json:"tenant,omitempty"`
	Source   string    `json:"source,omitempty"`
	CallID   string    `json:"callId,omitempty"`
	Version  int64     `json:"version,omitempty"`
	Batch    string    `json:"batch,omitempty"` // token of the sealed message it comes from
	Events   int       `json:"events"`
	Attempts int       `json:"attempts"`
	Received time.Time `json:"received"`
	Died     time.Time `json:"died"`
	// State is empty while the entry is held. A replayed or purged one stays as a short record, so that a redelivery of
	// its batch does not write it anew, until retention removes it.
	State  string    `json:"state,omitempty"`
	Closed time.Time `json:"closed,omitzero"`
	// Body is the raw body, encrypted; Event the sealed event (after redaction) in transforms' wire format. One is set.
	Body  []byte `json:"-"`
	Event []byte `json:"-"`
}

// A dead letter's message has all but Body and Event as JSON in its header, and those as its data, one of them: so what
// fitted a frame or a sealed message fits a dead letter too.
const (
	headerDead  = "Postcall-Dead"
	headerHolds = "Postcall-Holds" // "body" or "event"
)

func (l *DeadLetter) message() (*nats.Msg, error) {
	meta, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode dead letter %s: %w", l.ID, err)
	}
	m := &nats.Msg{Subject: l.subject(), Header: nats.Header{headerDead: {string(meta)}}}
	switch {
	case l.State != "":
		m.Header.Set(headerState, l.State)
	case len(l.Event) > 0:
		m.Header.Set(headerHolds, "event")
		m.Data = l.Event
	default:
		m.Header.Set(headerHolds, "body")
		m.Data = l.Body
	}
	return m, nil
}

// readDead decodes a dead letter's message; without its data where only headers were read.
func readDead(h nats.Header, data []byte) (*DeadLetter, error) {
	var l DeadLetter
	if err := json.Unmarshal([]byte(h.Get(headerDead)), &l); err != nil {
		return nil, fmt.Errorf("dead letter can't be read: %w: %w", err, ErrDamaged)
	}
	if h.Get(headerHolds) == "event" {
		l.Event = data
	} else if len(data) > 0 {
		l.Body = data
	}
	return &l, nil
}

// deadID names a dead letter by where it comes from, so that a redelivery writes the same one (DELIVERY.md, rules 4, 5).
func deadID(batch string, index int, sink string) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%s", batch, index, sink))
	return hex.EncodeToString(h[:12])
}

// deadLetters writes to POSTCALL_DEAD.
type deadLetters struct {
	js     jetstream.JetStream
	cipher *bodyCipher
	erased *bodyReader // what must not be kept; nil where nothing is written anew
	log    *slog.Logger
	m      *metrics
}

// put stores an entry unless it is there already. After a nil error it is durable.
func (d *deadLetters) put(ctx context.Context, l DeadLetter) error {
	msg, err := l.message()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, errors.New("the dead letter was not durable in time"))
	defer cancel()
	_, err = d.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(0))
	if isStale(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store dead letter %s of stage %s: %w", l.ID, l.Stage, err)
	}
	d.m.dead.WithLabelValues(l.Stage, l.Sink).Add(float64(max(l.Events, 1)))
	return nil
}

// insist stores an entry and waits, with an alarm, for as long as it can't: what is to be held back must not be lost, and
// its stage stands still meanwhile (DELIVERY.md, rule 19).
func (d *deadLetters) insist(ctx context.Context, l DeadLetter) error {
	return keepTrying(ctx, 200*time.Millisecond, func() error { return d.put(ctx, l) }, func(attempt int, err error) {
		d.m.alarm("dead-letters", 1)
		d.log.Error("dead letter not stored; its stage waits: purge or replay some, or raise POSTCALL_BATCH_DEAD_BYTES",
			"stage", l.Stage, "sink", l.Sink, "attempt", attempt, "err", err)
	})
}

func (l *DeadLetter) subject() string {
	if l.Stage == StageWebhook {
		return subjectRefused + l.ID
	}
	return subjectDead + l.Stage + "." + l.ID
}

// putRefusedBody keeps a body that is answered with a 4xx: its sender may not send it again. One of somebody who is to be
// forgotten is not kept.
func (d *deadLetters) putRefusedBody(ctx context.Context, del delivery, reason string) error {
	if d.erased != nil && d.erased.delivery(&del) {
		return nil
	}
	return d.put(ctx, DeadLetter{
		ID: strings.ToLower(rand.Text()[:24]), Stage: StageWebhook, Reason: reason, Tenant: del.Tenant, Source: del.Source,
		Version: del.Received.UnixMicro(), Events: 1, Attempts: 1, Received: del.Received, Died: del.Received, Body: d.cipher.seal(del.Body),
	})
}

// putFates derives the dead letters of a sealed message from the fates in it.
func (d *deadLetters) putFates(ctx context.Context, s *sealed) error {
	for i, f := range s.Fates {
		if f.Outcome == fateDropped {
			continue
		}
		if d.erased != nil {
			if covered, _ := d.erased.fate(&f); covered {
				continue
			}
		}
		err := d.insist(ctx, DeadLetter{
			ID: deadID(s.Token, i, ""), Stage: f.Stage, Reason: f.Reason, Tenant: f.Tenant, Source: f.Source, CallID: f.CallID,
			Version: f.Version, Batch: s.Token, Events: max(f.Events, 1), Attempts: f.Attempts, Received: f.Received, Died: time.Now().UTC(), Body: f.Body,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putRefused stores what one sink's store refuses.
func (d *deadLetters) putRefused(ctx context.Context, sink string, b Batch, index, attempts int, reason error) error {
	e := b.Events[index]
	wire, err := transforms.AppendEvents(nil, []transforms.Event{e})
	if err != nil {
		return err
	}
	return d.insist(ctx, DeadLetter{
		ID: deadID(b.origin(), b.at(index), sink), Stage: StageLoad, Sink: sink, Reason: reason.Error(), Tenant: e.Tenant, Source: e.Source,
		CallID: e.CallID, Version: e.Version, Batch: b.origin(), Events: 1, Attempts: attempts, Received: e.ReceivedAt, Died: time.Now().UTC(), Event: wire,
	})
}

// bodyCipher encrypts raw bodies, which no redaction has seen, by a key derived from POSTCALL_REDACT_KEY: AES-256-GCM,
// nonce first.
type bodyCipher struct{ aead []cipher.AEAD }

// newBodyCipher encrypts under the first key and decrypts under any.
func newBodyCipher(keys [][]byte) (*bodyCipher, error) {
	if len(keys) == 0 {
		return nil, errors.New("POSTCALL_REDACT_KEY is not set: raw bodies of dead letters are encrypted by it")
	}
	c := &bodyCipher{}
	for _, k := range keys {
		dk, err := hkdf.Key(sha256.New, k, nil, "postcall dead letter body", 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(dk)
		if err != nil {
			return nil, err
		}
		a, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		c.aead = append(c.aead, a)
	}
	return c, nil
}

func (c *bodyCipher) seal(body []byte) []byte {
	nonce := make([]byte, c.aead[0].NonceSize(), c.aead[0].NonceSize()+len(body)+c.aead[0].Overhead())
	_, _ = rand.Read(nonce) // never fails
	return c.aead[0].Seal(nonce, nonce, body, nil)
}

func (c *bodyCipher) open(b []byte) ([]byte, error) {
	for _, a := range c.aead {
		if len(b) < a.NonceSize() {
			break
		}
		if body, err := a.Open(nil, b[:a.NonceSize()], b[a.NonceSize():], nil); err == nil {
			return body, nil
		}
	}
	return nil, errors.New("the body can't be decrypted by any key in POSTCALL_REDACT_KEY: list the key it was written under as well")
}
