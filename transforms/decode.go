package transforms

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// DecodeEvents reads a wire.Events message. It copies data once; all text of the events, and Extra, lie in that copy,
// so a single string kept holds the whole batch in memory: strings.Clone what is to live long. Fields it doesn't know
// are skipped. A message that AppendEvents would not write (text that is not UTF-8, a number that is not finite, a year
// outside 1 to 9999) is an error.
func DecodeEvents(data []byte) ([]Event, error) {
	events, _, err := decodeEvents(bytes.Clone(data))
	return events, err
}

// decodeEvents is DecodeEvents on a buffer that it keeps. unknown[i] holds the fields of the i-th event that this version
// doesn't know; it is nil where no event has any.
func decodeEvents(b []byte) (events []Event, unknown [][]byte, err error) {
	n, err := countEvents(b, math.MaxInt)
	if err != nil {
		return nil, nil, err
	}
	events = make([]Event, 0, n)
	for r := (reader{b: b}); r.next(); {
		if r.tag != tagEvents {
			continue
		}
		events = append(events, Event{})
		more, err := decodeEntry(r.bytes, len(events)-1, &events[len(events)-1])
		if err != nil {
			return nil, nil, err
		}
		if more != nil {
			if unknown == nil {
				unknown = make([][]byte, n)
			}
			unknown[len(events)-1] = more
		}
	}
	return events, unknown, nil
}

// decodeEncoded decodes the answer of a plugin, of at most limit events, and keeps the bytes of each.
func decodeEncoded(b []byte, limit int) ([]Encoded, error) {
	n, err := countEvents(b, limit)
	if err != nil {
		return nil, err
	}
	events := make([]Encoded, 0, n)
	for r := (reader{b: b}); r.next(); {
		if r.tag != tagEvents {
			continue
		}
		events = append(events, Encoded{wire: r.bytes})
		if _, err := decodeEntry(r.bytes, len(events)-1, &events[len(events)-1].Event); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func decodeEntry(b []byte, i int, e *Event) (unknown []byte, err error) {
	if unknown, err = decodeEvent(b, e); err != nil {
		return nil, fmt.Errorf("decode event %d (call %q): %w", i, e.CallID, err)
	}
	return unknown, nil
}

// countEvents counts the entries of a whole message, so that their slice is made once.
func countEvents(b []byte, limit int) (n int, err error) {
	r := reader{b: b}
	for r.next() {
		if r.tag == tagEvents {
			n++
		}
	}
	switch {
	case r.err != nil:
		return 0, fmt.Errorf("decode events: %w", r.err)
	case n > limit:
		return 0, fmt.Errorf("decode events: %d entries, at most %d are allowed", n, limit)
	}
	return n, nil
}

// optionals holds the values that pointers of one event point to: one allocation instead of five.
type optionals struct {
	duration, talkRatio, wordsPerMinute float64
	followUp, aiSuccess                 bool
}

func decodeEvent(b []byte, e *Event) (unknown []byte, err error) {
	if err := allocate(b, e); err != nil {
		return nil, err
	}
	var opt *optionals
	options := func() *optionals {
		if opt == nil {
			opt = new(optionals)
		}
		return opt
	}
	r := reader{b: b}
	for r.next() {
		switch r.tag {
		case tagTranscript:
			e.Transcript = append(e.Transcript, Turn{})
			r.fail(decodeTurn(r.bytes, &e.Transcript[len(e.Transcript)-1]))
		case tagKeyPoints:
			e.KeyPoints = append(e.KeyPoints, r.text())
		case tagQuestions:
			e.UnansweredQuestions = append(e.UnansweredQuestions, r.text())
		case tagActionItems:
			e.ActionItems = append(e.ActionItems, r.text())
		case tagTopics:
			e.Topics = append(e.Topics, r.text())
		case tagTopicsEmpty:
			if r.number != 0 && e.Topics == nil {
				e.Topics = []string{}
			}
		case tagIsTest:
			e.IsTest = r.number != 0
		case tagConfidence:
			r.double(&e.TopicConfidence)
		case tagVersion:
			e.Version = int64(r.number)
		case tagReceivedAt:
			e.ReceivedAt = r.time()
		case tagCallStarted:
			e.CallStarted = r.time()
		case tagCallEnded:
			e.CallEnded = r.time()
		case tagDuration:
			e.Duration = r.double(&options().duration)
		case tagExtra:
			e.Extra = nil
			if n := len(r.bytes); n > 0 {
				e.Extra = r.bytes[:n:n]
			}
		case tagFollowUpBool:
			e.FollowUpBool = r.bool(&options().followUp)
		case tagAISuccessBool:
			e.AISuccessBool = r.bool(&options().aiSuccess)
		case tagMetrics:
			r.fail(decodeMetrics(r.bytes, &e.Metrics, options))
		case tagTransforms:
			e.Transforms = append(e.Transforms, Applied{})
			r.fail(decodeApplied(r.bytes, &e.Transforms[len(e.Transforms)-1]))
		case tagOutcome:
			r.fail(decodeOutcome(r.bytes, &e.Outcome))
		default:
			if num := r.tag >> 3; r.tag&7 == 2 && num < uint64(len(texts)) {
				*texts[num](e) = r.text()
			} else {
				unknown = append(unknown, r.raw...)
			}
		}
	}
	return unknown, r.err
}

// allocate counts the repeated fields and makes their slices, the texts of all lists in one.
func allocate(b []byte, e *Event) error {
	var turns, applied, points, questions, actions, topics int
	r := reader{b: b}
	for r.next() {
		switch r.tag {
		case tagTranscript:
			turns++
		case tagTransforms:
			applied++
		case tagKeyPoints:
			points++
		case tagQuestions:
			questions++
		case tagActionItems:
			actions++
		case tagTopics:
			topics++
		}
	}
	if turns > 0 {
		e.Transcript = make([]Turn, 0, turns)
	}
	if applied > 0 {
		e.Transforms = make([]Applied, 0, applied)
	}
	if all := points + questions + actions + topics; all > 0 {
		list := make([]string, all)
		e.KeyPoints, list = cut(list, points)
		e.UnansweredQuestions, list = cut(list, questions)
		e.ActionItems, list = cut(list, actions)
		e.Topics, _ = cut(list, topics)
	}
	return r.err
}

func cut(list []string, n int) (first, rest []string) {
	if n == 0 {
		return nil, list
	}
	return list[:0:n], list[n:]
}

func decodeTurn(b []byte, t *Turn) error {
	r := reader{b: b, within: tagTranscript}
	for r.next() {
		switch r.tag {
		case tagTurnRole:
			t.Role = r.text()
		case tagTurnContent:
			t.Content = r.text()
		case tagTurnWords:
			t.Words = int32(r.number)
		}
	}
	return r.err
}

func decodeMetrics(b []byte, m *Metrics, options func() *optionals) error {
	r := reader{b: b, within: tagMetrics}
	for r.next() {
		switch r.tag {
		case tagTalkRatio:
			m.TalkRatio = r.double(&options().talkRatio)
		case tagWordsPerMinute:
			m.WordsPerMinute = r.double(&options().wordsPerMinute)
		default:
			if num := r.tag >> 3; r.tag&7 == 0 && num < uint64(len(counts)) && counts[num] != nil {
				*counts[num](m) = int32(r.number)
			}
		}
	}
	return r.err
}

func decodeApplied(b []byte, a *Applied) error {
	r := reader{b: b, within: tagTransforms}
	for r.next() {
		switch r.tag {
		case tagAppliedName:
			a.Name = r.text()
		case tagAppliedVersion:
			a.Version = r.text()
		}
	}
	return r.err
}

func decodeOutcome(b []byte, o *Outcome) error {
	r := reader{b: b, within: tagOutcome}
	for r.next() {
		switch r.tag {
		case tagDecision:
			o.Decision = Decision(r.number)
		case tagReason:
			o.Reason = r.text()
		}
	}
	return r.err
}

// reader walks through the fields of one message.
type reader struct {
	b      []byte // what is still to be read
	err    error
	within uint64 // the tag of the message inside the event that is being read, 0 for the event

	tag    uint64 // of the current field
	number uint64 // its value, where it is a varint or eight bytes
	bytes  []byte // its value, where it has a length
	raw    []byte // the field with its tag
}

var errTruncated = errors.New("the message is damaged or cut off")

// next reads the next field. It returns false at the end of the message and after the first error.
func (r *reader) next() bool {
	if len(r.b) == 0 || r.err != nil {
		return false
	}
	tag, n := varint(r.b)
	if n < 0 || tag>>3 < 1 || tag>>3 > uint64(protowire.MaxValidNumber) {
		r.err = errTruncated
		return false
	}
	r.tag = tag
	rest, m := r.b[n:], 0
	switch tag & 7 {
	case 0:
		r.number, m = varint(rest)
	case 1:
		r.number, m = protowire.ConsumeFixed64(rest)
	case 2:
		var size uint64
		if size, m = varint(rest); m < 0 || size > uint64(len(rest)-m) {
			r.err = errTruncated
			return false
		}
		r.bytes = rest[m : m+int(size)]
		m += int(size)
	default:
		m = protowire.ConsumeFieldValue(protowire.Number(tag>>3), protowire.Type(tag&7), rest)
	}
	if m < 0 {
		r.err = errTruncated
		return false
	}
	r.raw, r.b = r.b[:n+m], rest[m:]
	return true
}

// varint is protowire.ConsumeVarint, inlined for the short ones: nearly all tags and lengths.
func varint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	if len(b) > 1 && b[1] < 0x80 {
		return uint64(b[0]&0x7f) | uint64(b[1])<<7, 2
	}
	return protowire.ConsumeVarint(b)
}

func (r *reader) fail(err error) {
	if r.err == nil && err != nil {
		r.err = err
	}
}

// text returns the current field without copying it.
func (r *reader) text() string {
	if !utf8.Valid(r.bytes) {
		r.fail(fieldError(r.within, r.tag, errNotUTF8))
		return ""
	}
	return unsafe.String(unsafe.SliceData(r.bytes), len(r.bytes)) // nothing else refers to these bytes any more
}

func (r *reader) bool(at *bool) *bool {
	*at = r.number != 0
	return at
}

func (r *reader) double(at *float64) *float64 {
	*at = math.Float64frombits(r.number)
	if !finite(*at) {
		r.fail(fieldError(r.within, r.tag, errNotFinite))
	}
	return at
}

func (r *reader) time() time.Time {
	t := time.UnixMicro(int64(r.number)).UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		r.fail(fieldError(r.within, r.tag, errYear))
	}
	return t
}
