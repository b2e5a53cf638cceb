package connector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"
)

// A frame is what the intake writes to its stream as one message: all bodies that were waiting at that moment for one
// partition. Layout, integers little endian:
//
//	"PCF2" | crc32c of the rest, 4 bytes | count, 4 bytes | s2( count times:
//	received time in microseconds, 8 bytes | uvarint version | uvarint flags | uvarint and tenant | uvarint and source | uvarint and body )
//
// JetStream skips a damaged message without an error (seen with nats-server 2.15), so the frame carries its own checksum.
// It is compressed (2026-11) since JetStream copies a message several times, writes it and keeps its blocks in memory
// for 10 s: s2 costs less than those bytes, and a backlog takes a third of the disk.

const (
	frameMagic  = "PCF2"
	frameHeader = 12
	// frameMaxEvents and frameMaxBytes bound a frame: larger ones gain nothing in events per fsync.
	frameMaxEvents = 256
	frameMaxBytes  = 768 << 10
	// frameMaxOpen bounds what a frame is decompressed into: no server takes a message as large, nor a body.
	frameMaxOpen = 64 << 20
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	// ErrDamaged says that stored bytes are not what was written.
	ErrDamaged = errors.New("damaged")
)

// delivery is one authenticated body on its way into the intake.
type delivery struct {
	Tenant   string
	Source   string
	Received time.Time // UTC, microseconds
	// Version is kept from an earlier life of the event (a replayed dead letter) or given by an import; 0 lets the
	// sealer number it.
	Version int64
	// Replayed says that the event was counted as received before (DELIVERY.md, rule 12).
	Replayed bool
	Body     []byte
}

const flagReplayed = 1

// size is an upper bound of what the delivery takes in a frame.
func (d *delivery) size() int { return 8 + 10 + 1 + 3*5 + len(d.Tenant) + len(d.Source) + len(d.Body) }

// newFrame starts a frame in buf, which is reused.
func newFrame(buf []byte) []byte {
	return append(append(buf[:0], frameMagic...), 0, 0, 0, 0, 0, 0, 0, 0)
}

// appendDelivery adds a delivery to an open frame.
func appendDelivery(f []byte, d *delivery) []byte {
	f = binary.LittleEndian.AppendUint64(f, uint64(d.Received.UnixMicro()))
	f = binary.AppendUvarint(f, uint64(d.Version))
	flags := uint64(0)
	if d.Replayed {
		flags = flagReplayed
	}
	f = binary.AppendUvarint(f, flags)
	f = appendBytes(f, d.Tenant)
	f = appendBytes(f, d.Source)
	f = appendBytes(f, d.Body)
	binary.LittleEndian.PutUint32(f[8:], binary.LittleEndian.Uint32(f[8:])+1)
	return f
}

// frameEvents counts the deliveries of a frame, open or not.
func frameEvents(f []byte) int { return int(binary.LittleEndian.Uint32(f[8:])) }

func appendBytes[T string | []byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// sealFrame returns the complete message of an open frame, made in buf, which is reused.
func sealFrame(f, buf []byte) []byte {
	n := frameHeader + s2.MaxEncodedLen(len(f)-frameHeader)
	buf = append(slices.Grow(buf[:0], n), f[:frameHeader]...)
	packed := s2.Encode(buf[frameHeader:n], f[frameHeader:])
	return sumFrame(buf[:frameHeader+len(packed)])
}

// sumFrame writes the checksum.
func sumFrame(f []byte) []byte {
	binary.LittleEndian.PutUint32(f[4:], crc32.Checksum(f[8:], castagnoli))
	return f
}

// looseFrame is what can be read of a frame whatever its checksum says.
func looseFrame(f []byte) ([]byte, error) {
	if len(f) < frameHeader {
		return nil, fmt.Errorf("frame of %d bytes has no header: %w", len(f), ErrDamaged)
	}
	n, err := s2.DecodedLen(f[frameHeader:])
	if err != nil || n > frameMaxOpen {
		return nil, fmt.Errorf("frame of %d bytes has no length: %w", len(f), ErrDamaged)
	}
	rest, err := s2.Decode(nil, f[frameHeader:])
	if err != nil {
		return nil, fmt.Errorf("frame of %d bytes can't be decompressed: %w", len(f), ErrDamaged)
	}
	return rest, nil
}

// openFrame checks a frame and decompresses what is behind its header.
func openFrame(f []byte) ([]byte, error) {
	if len(f) < frameHeader || string(f[:4]) != frameMagic {
		return nil, fmt.Errorf("frame of %d bytes has no header: %w", len(f), ErrDamaged)
	}
	if got := crc32.Checksum(f[8:], castagnoli); got != binary.LittleEndian.Uint32(f[4:]) {
		return nil, fmt.Errorf("frame of %d bytes fails its checksum: %w", len(f), ErrDamaged)
	}
	return looseFrame(f)
}

// decodeFrame returns the deliveries of a frame; their bodies share one new buffer. Any error wraps ErrDamaged.
func decodeFrame(f []byte) ([]delivery, error) {
	rest, err := openFrame(f)
	if err != nil {
		return nil, err
	}
	count := frameEvents(f)
	if count > len(rest)/13 { // 8 bytes of time, version, flags and three lengths are the least an event takes
		return nil, fmt.Errorf("frame counts %d events in %d bytes: %w", count, len(rest), ErrDamaged)
	}
	ds := make([]delivery, count)
	r := reader{rest}
	for i := range ds {
		at, ok0 := r.uint64()
		version, ok1 := r.uvarint()
		flags, ok2 := r.uvarint()
		tenant, ok3 := r.bytes()
		source, ok4 := r.bytes()
		body, ok5 := r.bytes()
		if !ok0 || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
			return nil, fmt.Errorf("frame ends inside event %d of %d: %w", i, count, ErrDamaged)
		}
		ds[i] = delivery{
			Tenant: string(tenant), Source: string(source), Received: time.UnixMicro(int64(at)).UTC(),
			Version: int64(version), Replayed: flags&flagReplayed != 0, Body: body,
		}
	}
	if len(r.b) > 0 {
		return nil, fmt.Errorf("frame has %d bytes behind its last event: %w", len(r.b), ErrDamaged)
	}
	return ds, nil
}

// reader takes length-prefixed fields off a slice.
type reader struct{ b []byte }

func (r *reader) uint64() (uint64, bool) {
	if len(r.b) < 8 {
		return 0, false
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v, true
}

func (r *reader) uvarint() (uint64, bool) {
	v, w := binary.Uvarint(r.b)
	if w <= 0 {
		return 0, false
	}
	r.b = r.b[w:]
	return v, true
}

func (r *reader) bytes() ([]byte, bool) {
	n, w := binary.Uvarint(r.b)
	if w <= 0 || n > uint64(len(r.b)-w) {
		return nil, false
	}
	v := r.b[w : w+int(n) : w+int(n)]
	r.b = r.b[w+int(n):]
	return v, true
}
