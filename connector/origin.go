package connector

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// writeOrigin writes what a message that takes another's place says on top; nothing for any other.
func (s *sealed) writeOrigin(h nats.Header) {
	if s.Origin == "" {
		return
	}
	h.Set(headerOrigin, s.Origin)
	h.Set(headerSealed, s.SealedAt.UTC().Format(time.RFC3339Nano))
	h.Set(headerReplaces, writeRanges(s.Replaces))
	if len(s.Erased) > 0 {
		h.Set(headerErased, writeRanges(s.Erased))
	}
}

func (s *sealed) readOrigin(h nats.Header) error {
	if s.Origin = h.Get(headerOrigin); s.Origin == "" {
		return nil
	}
	var err1, err2, err3 error
	s.SealedAt, err1 = time.Parse(time.RFC3339Nano, h.Get(headerSealed))
	s.Replaces, err2 = readRanges[uint64](h.Get(headerReplaces))
	s.Erased, err3 = readRanges[int](h.Get(headerErased))
	if err1 != nil || err2 != nil || err3 != nil {
		return fmt.Errorf("header of a message that was sealed again can't be read: %w", ErrDamaged)
	}
	return nil
}

// writeRanges writes rising numbers as "3,7-9".
func writeRanges[T int | uint64](ns []T) string {
	var b strings.Builder
	for i := 0; i < len(ns); i++ {
		from := i
		for i+1 < len(ns) && ns[i+1] == ns[i]+1 {
			i++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(ns[from]), 10))
		if i > from {
			b.WriteByte('-')
			b.WriteString(strconv.FormatUint(uint64(ns[i]), 10))
		}
	}
	return b.String()
}

// maxRanges bounds what readRanges makes of a few bytes: no message ever held as many events.
const maxRanges = 10 * maxSealed

func readRanges[T int | uint64](text string) (ns []T, err error) {
	if text == "" {
		return nil, nil
	}
	for r := range strings.SplitSeq(text, ",") {
		lo, hi, ranged := strings.Cut(r, "-")
		if !ranged {
			hi = lo
		}
		from, err := strconv.ParseUint(lo, 10, 63)
		if err != nil {
			return nil, err
		}
		to, err := strconv.ParseUint(hi, 10, 63)
		if err != nil {
			return nil, err
		}
		if to < from || to-from >= maxRanges || (len(ns) > 0 && T(from) <= ns[len(ns)-1]) || len(ns) > maxRanges {
			return nil, fmt.Errorf("%d-%d is no range here", from, to)
		}
		for n := from; n <= to; n++ {
			ns = append(ns, T(n))
		}
	}
	return ns, nil
}

// indices are the events' places in the message as it was first sealed; nil where nothing was erased since.
func (s *sealed) indices() []int {
	if len(s.Erased) == 0 {
		return nil
	}
	at := make([]int, 0, len(s.Events))
	for i := 0; len(at) < len(s.Events); i++ {
		if _, gone := slices.BinarySearch(s.Erased, i); !gone {
			at = append(at, i)
		}
	}
	return at
}

// size is how many events the message had when it was first sealed.
func (s *sealed) size() int { return len(s.Events) + len(s.Erased) }
