package connector

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"

	"github.com/postcall/postcall/transforms"
)

// A sealed message is one batch after the transforms: the events to load and the fate of those that died or were
// dropped on the way. Its bytes never change; what has to be forgotten of it is left out of a message that takes its
// place (reseal.go). Where the sealer stands is part of the message, in its header, so that
// position and output can't disagree (DELIVERY.md, rules 3 and 4). Layout of the data, integers little endian:
//
//	"PCS1" | crc32c of header text and the rest, 4 bytes | zstd( length of the events, 4 bytes | transforms.Events | fates as JSON )
const (
	sealedMagic = "PCS1"

	headerIntake   = "Postcall-Intake"   // identity of the intake stream
	headerPosition = "Postcall-Position" // "sequence/event": the next event to seal
	headerVersion  = "Postcall-Version"  // the highest version given so far
	headerFates    = "Postcall-Fates"    // how many fates the message holds
	headerCounts   = "Postcall-Counts"   // cumulative counts of the partition, JSON
	headerErasures = "Postcall-Erasures" // how far the erasure list was known, a sequence of its stream; absent for 0

	// Only on a message that takes the place of another (reseal.go).
	headerOrigin   = "Postcall-Origin"   // token of the message as it was first sealed
	headerErased   = "Postcall-Erased"   // which of its events are erased, "3,7-9"
	headerReplaces = "Postcall-Replaces" // sequences of the messages whose place it takes
	headerSealed   = "Postcall-Sealed"   // when the message was first sealed, RFC 3339
)

// position is the next event to seal: an intake sequence and an index into that frame.
type position struct {
	Seq   uint64
	Event int
}

func (p position) String() string { return strconv.FormatUint(p.Seq, 10) + "/" + strconv.Itoa(p.Event) }

// counts are cumulative over the life of a partition, so that they survive the process and a gap says how many events
// it cost (DELIVERY.md, rule 16). Received + Replayed = Kept + Dead + Dropped + Damaged.
type counts struct {
	Received uint64 `json:"received"`
	Replayed uint64 `json:"replayed"` // dead letters that came in again: counted as received, and as dead, before
	Kept     uint64 `json:"kept"`
	Dead     uint64 `json:"dead"`
	Dropped  uint64 `json:"dropped"`
	Damaged  uint64 `json:"damaged"`
	Children uint64 `json:"children"` // of splits, on top of Kept
}

func (c counts) plus(d counts) counts {
	return counts{
		c.Received + d.Received, c.Replayed + d.Replayed, c.Kept + d.Kept, c.Dead + d.Dead, c.Dropped + d.Dropped,
		c.Damaged + d.Damaged, c.Children + d.Children,
	}
}

// loadable counts the events that were sealed to be loaded.
func (c counts) loadable() uint64 { return c.Kept + c.Children }

// minus may wrap around on its way to a difference that is added.
func (c counts) minus(d counts) counts {
	return counts{
		c.Received - d.Received, c.Replayed - d.Replayed, c.Kept - d.Kept, c.Dead - d.Dead, c.Dropped - d.Dropped,
		c.Damaged - d.Damaged, c.Children - d.Children,
	}
}

// sealed is a decoded sealed message.
type sealed struct {
	Intake   string
	Position position
	Version  int64
	Counts   counts
	Fates    []fate
	Events   []transforms.Event
	// Token is the hash of the message: sequences can be used again after damage, contents can't (DELIVERY.md, rule 2).
	// One that was sealed again has that of the first.
	Token    string
	Erasures uint64 // the sequence of the erasure list that everything up to this message was held against

	// What a message that takes another's place says on top; empty in any other.
	Origin   string    // token of the message as it was first sealed
	Erased   []int     // indices of its events that are gone, rising
	Replaces []uint64  // sequences of the messages it stands for: they are expected gaps
	SealedAt time.Time // when it was first sealed

	Trace   string    // traceparent of the span that sealed it, where a delivery in it is traced; tokens don't cover it
	Written time.Time // when the message was stored; zero where it was not read by opener
}

// fate is what became of an event that is not loaded.
type fate struct {
	Outcome  string    `json:"outcome"`
	Stage    string    `json:"stage"`
	Reason   string    `json:"reason"`
	Tenant   string    `json:"tenant,omitempty"`
	Source   string    `json:"source,omitempty"`
	CallID   string    `json:"callId,omitempty"`
	Parent   string    `json:"parentCallId,omitempty"`
	Version  int64     `json:"version,omitempty"`
	Received time.Time `json:"received"`
	Attempts int       `json:"attempts,omitempty"`
	Events   int       `json:"events,omitempty"` // of a damaged frame
	// Body is the raw body or frame, encrypted (see bodyCipher): it has not been through redaction.
	Body []byte `json:"body,omitempty"`
}

// Outcomes of a fate.
const (
	fateKept    = "kept"
	fateDead    = "dead"
	fateDropped = "dropped"
	fateDamaged = "damaged"
)

var (
	// One encoder for the process: its history is as large as the window, and a pool would make it anew after each collection.
	zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
		if err != nil {
			panic(err) // wrong options only
		}
		return e
	})
	payloadBuffers = sync.Pool{New: func() any { return new([]byte) }}
	zstdDecoder    = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			panic(err)
		}
		return d
	})
)

// payloadHead is the room for the length of the events.
const payloadHead = 4

// newPayload begins a payload in buf, which is reused; transforms.AppendEvents goes on behind it.
func newPayload(buf []byte) []byte { return append(buf[:0], 0, 0, 0, 0) }

// finishPayload adds the fates behind the events. They are encoded already in all but a few batches: as nothing.
func finishPayload(payload []byte, fates []fate) ([]byte, error) {
	binary.LittleEndian.PutUint32(payload, uint32(len(payload)-payloadHead))
	if len(fates) == 0 {
		return payload, nil
	}
	b, err := json.Marshal(fates)
	if err != nil {
		return payload, fmt.Errorf("encode the fates of a batch: %w", err)
	}
	return append(payload, b...), nil
}

// sealMessage makes the message of a batch in buf, which is reused. payload is what finishPayload returned.
func sealMessage(subj string, s *sealed, payload, buf []byte) *nats.Msg {
	countsJSON, _ := json.Marshal(s.Counts)
	h := nats.Header{
		headerIntake:   {s.Intake},
		headerPosition: {s.Position.String()},
		headerVersion:  {strconv.FormatInt(s.Version, 10)},
		headerCounts:   {string(countsJSON)},
		headerEvents:   {strconv.Itoa(len(s.Events))}, // to load
		headerFates:    {strconv.Itoa(len(s.Fates))},
	}
	if s.Erasures > 0 {
		h.Set(headerErasures, strconv.FormatUint(s.Erasures, 10))
	}
	if s.Trace != "" {
		h.Set(headerTrace, s.Trace)
	}
	s.writeOrigin(h)
	data := append(buf[:0], sealedMagic...)
	data = append(data, 0, 0, 0, 0)
	data = zstdEncoder().EncodeAll(payload, data)
	binary.LittleEndian.PutUint32(data[4:], sealedSum(h, data))
	return &nats.Msg{Subject: subj, Header: h, Data: data}
}

// headerText is what the checksum and the token cover of the header.
func headerText(h nats.Header) string {
	parts := make([]string, 0, 11)
	for _, k := range [...]string{headerIntake, headerPosition, headerVersion, headerCounts, headerEvents, headerFates} {
		parts = append(parts, h.Get(k))
	}
	for _, k := range [...]string{headerErasures, headerOrigin, headerErased, headerReplaces, headerSealed} {
		if v := h.Get(k); v != "" {
			parts = append(parts, k+"="+v)
		}
	}
	return strings.Join(parts, "\n")
}

func sealedSum(h nats.Header, data []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(headerText(h)), castagnoli), castagnoli, data[8:])
}

// token is the identity of a sealed message, 32 hex digits.
func token(h nats.Header, data []byte) string {
	d := sha256.New()
	d.Write([]byte(headerText(h)))
	d.Write(data)
	return hex.EncodeToString(d.Sum(nil)[:16])
}

// readHeader decodes where a partition stands; it does not look at the data.
func readHeader(h nats.Header) (*sealed, error) {
	s := &sealed{Intake: h.Get(headerIntake), Trace: h.Get(headerTrace)}
	seq, ev, _ := strings.Cut(h.Get(headerPosition), "/")
	var err1, err2, err3 error
	s.Position.Seq, err1 = strconv.ParseUint(seq, 10, 64)
	s.Position.Event, err2 = strconv.Atoi(ev)
	s.Version, err3 = strconv.ParseInt(h.Get(headerVersion), 10, 64)
	err4 := json.Unmarshal([]byte(h.Get(headerCounts)), &s.Counts)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil || s.Intake == "" {
			return nil, fmt.Errorf("header of a sealed message can't be read: %w", ErrDamaged)
		}
	}
	if v := h.Get(headerErasures); v != "" {
		var err error
		if s.Erasures, err = strconv.ParseUint(v, 10, 64); err != nil {
			return nil, fmt.Errorf("header of a sealed message can't be read: %w", ErrDamaged)
		}
	}
	return s, s.readOrigin(h)
}

// openMessage decodes a sealed message. An error wraps ErrDamaged.
func openMessage(h nats.Header, data []byte) (*sealed, error) {
	if len(data) < 8 || string(data[:4]) != sealedMagic {
		return nil, fmt.Errorf("sealed message of %d bytes has no magic: %w", len(data), ErrDamaged)
	}
	if sealedSum(h, data) != binary.LittleEndian.Uint32(data[4:]) {
		return nil, fmt.Errorf("sealed message of %d bytes fails its checksum: %w", len(data), ErrDamaged)
	}
	s, err := readHeader(h)
	if err != nil {
		return nil, err
	}
	buf := payloadBuffers.Get().(*[]byte)
	defer payloadBuffers.Put(buf)
	payload, err := zstdDecoder().DecodeAll(data[8:], (*buf)[:0])
	if err != nil {
		return nil, fmt.Errorf("sealed message: decompress: %w: %w", err, ErrDamaged)
	}
	*buf = payload // DecodeEvents copies what it keeps
	if len(payload) < payloadHead || uint64(len(payload)-payloadHead) < uint64(binary.LittleEndian.Uint32(payload)) {
		return nil, fmt.Errorf("sealed message: cut short: %w", ErrDamaged)
	}
	events, fates := payload[payloadHead:], payload[payloadHead+binary.LittleEndian.Uint32(payload):]
	if s.Events, err = transforms.DecodeEvents(events[:len(events)-len(fates)]); err != nil {
		return nil, fmt.Errorf("sealed message: events: %w: %w", err, ErrDamaged)
	}
	if len(fates) > 0 {
		if err := json.Unmarshal(fates, &s.Fates); err != nil {
			return nil, fmt.Errorf("sealed message: fates: %w: %w", err, ErrDamaged)
		}
	}
	if s.Token = s.Origin; s.Token == "" {
		s.Token = token(h, data)
	}
	return s, nil
}

// batch is what a loader is given: of each call the highest version only (DELIVERY.md, rule 9). The second result counts
// the events left out because a later one of the same batch replaces them.
func (s *sealed) batch() (Batch, int) {
	type key struct{ tenant, call string }
	last := make(map[key]int, len(s.Events))
	for i := range s.Events {
		k := key{s.Events[i].Tenant, s.Events[i].CallID}
		if j, ok := last[k]; !ok || s.Events[i].Version >= s.Events[j].Version {
			last[k] = i
		}
	}
	if len(last) == len(s.Events) && len(s.Erased) == 0 {
		return Batch{Token: s.Token, Events: s.Events}, 0
	}
	all := Batch{Token: s.Token, Events: s.Events, index: s.indices(), total: s.size(), torn: len(s.Erased) > 0}
	keep := make([]int, 0, len(last))
	for i := range s.Events {
		if last[key{s.Events[i].Tenant, s.Events[i].CallID}] == i {
			keep = append(keep, i)
		}
	}
	return all.keep(keep), len(s.Events) - len(keep)
}
