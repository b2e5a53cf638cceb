package transforms

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/postcall/postcall/transforms/wire"
)

// AppendEvents appends the events to dst as a wire.Events message and returns the extended buffer. The results of
// several calls may be concatenated. It keeps nothing of events. An event that can't be represented (text that is not
// UTF-8, a number that is not finite, a year outside 1 to 9999) is an error naming the event and the field; dst is then
// returned as it was. Times are kept to the microsecond.
//
// The codec is written by hand on the plain struct: see BenchmarkCodec for what generated code and a copy would cost.
// TestCodecEqualsGenerated holds it to the bytes of the generated code.
func AppendEvents(dst []byte, events []Event) ([]byte, error) {
	return appendEvents(writer{b: dst}, events, nil)
}

// appendEvents is AppendEvents with fields to hand back: unknown[i], if any, is appended to the i-th event.
func appendEvents(w writer, events []Event, unknown [][]byte) ([]byte, error) {
	dst := w.b
	for i := range events {
		var more []byte
		if i < len(unknown) {
			more = unknown[i]
		}
		w.message(&events[i], more)
		if w.err != nil {
			return dst, encodeError(i, &events[i], w.err)
		}
	}
	return w.b, nil
}

func encodeError(i int, e *Event, err error) error {
	return fmt.Errorf("encode event %d (call %q): %w", i, e.CallID, err)
}

// sizeEvents returns the length of what AppendEvents appends.
func sizeEvents(events []Event) int {
	n := 0
	for i := range events {
		n += sizeMessage(sizeEvent(&events[i]))
	}
	return n
}

// sizeMessage is the length of an event of that size as an entry of events.
func sizeMessage(size int) int { return 1 + protowire.SizeBytes(size) }

// The tags of wire/transform.proto: the field number and the wire type (0 varint, 1 eight bytes, 2 length and bytes).
const (
	tagEvents = 1<<3 | 2

	tagTranscript    = 32<<3 | 2
	tagKeyPoints     = 33<<3 | 2
	tagQuestions     = 34<<3 | 2
	tagActionItems   = 35<<3 | 2
	tagTopics        = 36<<3 | 2
	tagTopicsEmpty   = 37 << 3
	tagIsTest        = 38 << 3
	tagConfidence    = 39<<3 | 1
	tagVersion       = 40 << 3
	tagReceivedAt    = 41 << 3
	tagCallStarted   = 42 << 3
	tagCallEnded     = 43 << 3
	tagDuration      = 44<<3 | 1
	tagExtra         = 45<<3 | 2
	tagFollowUpBool  = 46 << 3
	tagAISuccessBool = 47 << 3
	tagMetrics       = 48<<3 | 2
	tagTransforms    = 49<<3 | 2
	tagOutcome       = 50<<3 | 2

	tagTurnRole    = 1<<3 | 2
	tagTurnContent = 2<<3 | 2
	tagTurnWords   = 3 << 3

	tagTalkRatio      = 6<<3 | 1
	tagWordsPerMinute = 7<<3 | 1

	tagAppliedName    = 1<<3 | 2
	tagAppliedVersion = 2<<3 | 2

	tagDecision = 1 << 3
	tagReason   = 2<<3 | 2
)

// texts finds the plain text fields of an event by their field number.
var texts = [...]func(*Event) *string{
	1:  func(e *Event) *string { return &e.Tenant },
	2:  func(e *Event) *string { return &e.Source },
	3:  func(e *Event) *string { return &e.CallID },
	4:  func(e *Event) *string { return &e.ParentCallID },
	5:  func(e *Event) *string { return &e.AgentName },
	6:  func(e *Event) *string { return &e.CallerName },
	7:  func(e *Event) *string { return &e.CallDirection },
	8:  func(e *Event) *string { return &e.BusinessPhoneNumber },
	9:  func(e *Event) *string { return &e.CustomerPhoneNumber },
	10: func(e *Event) *string { return &e.MentionedEmail },
	11: func(e *Event) *string { return &e.MentionedDate },
	12: func(e *Event) *string { return &e.MentionedTime },
	13: func(e *Event) *string { return &e.TranscriptText },
	14: func(e *Event) *string { return &e.Summary },
	15: func(e *Event) *string { return &e.LongSummary },
	16: func(e *Event) *string { return &e.Purpose },
	17: func(e *Event) *string { return &e.Topic },
	18: func(e *Event) *string { return &e.Sentiment },
	19: func(e *Event) *string { return &e.FollowUp },
	20: func(e *Event) *string { return &e.FollowUpReason },
	21: func(e *Event) *string { return &e.AISuccess },
	22: func(e *Event) *string { return &e.RecordingURL },
	23: func(e *Event) *string { return &e.DashboardURL },
	24: func(e *Event) *string { return &e.EndedReason },
	25: func(e *Event) *string { return &e.SentimentKind },
	26: func(e *Event) *string { return &e.CustomerKey },
	27: func(e *Event) *string { return &e.EmailKey },
	28: func(e *Event) *string { return &e.TopicRule },
	29: func(e *Event) *string { return &e.EndedReasonKind },
}

// counts finds the whole numbers of metrics by their field number.
var counts = [...]func(*Metrics) *int32{
	1:  func(m *Metrics) *int32 { return &m.Turns },
	2:  func(m *Metrics) *int32 { return &m.AgentTurns },
	3:  func(m *Metrics) *int32 { return &m.UserTurns },
	4:  func(m *Metrics) *int32 { return &m.AgentWords },
	5:  func(m *Metrics) *int32 { return &m.UserWords },
	8:  func(m *Metrics) *int32 { return &m.UnansweredQuestions },
	9:  func(m *Metrics) *int32 { return &m.ActionItems },
	10: func(m *Metrics) *int32 { return &m.Hour },
	11: func(m *Metrics) *int32 { return &m.Weekday },
}

func sizeEvent(e *Event) int {
	n := 0
	for num := 1; num < len(texts); num++ {
		n += sizeText(uint64(num)<<3, *texts[num](e))
	}
	for i := range e.Transcript {
		n += 2 + protowire.SizeBytes(sizeTurn(&e.Transcript[i]))
	}
	for _, list := range [...][]string{e.KeyPoints, e.UnansweredQuestions, e.ActionItems, e.Topics} {
		for _, s := range list {
			n += 2 + protowire.SizeBytes(len(s))
		}
	}
	if e.Topics != nil && len(e.Topics) == 0 {
		n += 3
	}
	if e.IsTest {
		n += 3
	}
	if e.TopicConfidence != 0 {
		n += 2 + 8
	}
	if e.Version != 0 {
		n += 2 + protowire.SizeVarint(uint64(e.Version))
	}
	for _, t := range [...]*time.Time{&e.ReceivedAt, &e.CallStarted, &e.CallEnded} {
		if !t.IsZero() {
			n += 2 + protowire.SizeVarint(uint64(t.UnixMicro()))
		}
	}
	if e.Duration != nil {
		n += 2 + 8
	}
	if len(e.Extra) > 0 {
		n += 2 + protowire.SizeBytes(len(e.Extra))
	}
	if e.FollowUpBool != nil {
		n += 3
	}
	if e.AISuccessBool != nil {
		n += 3
	}
	if e.Metrics != (Metrics{}) {
		n += 2 + protowire.SizeBytes(sizeMetrics(&e.Metrics))
	}
	for i := range e.Transforms {
		n += 2 + protowire.SizeBytes(sizeApplied(&e.Transforms[i]))
	}
	if e.Outcome != (Outcome{}) {
		n += 2 + protowire.SizeBytes(sizeOutcome(&e.Outcome))
	}
	return n
}

func sizeTurn(t *Turn) int {
	return sizeText(tagTurnRole, t.Role) + sizeText(tagTurnContent, t.Content) + sizeInt(tagTurnWords, t.Words)
}

func sizeMetrics(m *Metrics) int {
	n := 0
	for num := 1; num < len(counts); num++ {
		if at := counts[num]; at != nil {
			n += sizeInt(uint64(num)<<3, *at(m))
		}
	}
	if m.TalkRatio != nil {
		n += 1 + 8
	}
	if m.WordsPerMinute != nil {
		n += 1 + 8
	}
	return n
}

func sizeApplied(a *Applied) int {
	return sizeText(tagAppliedName, a.Name) + sizeText(tagAppliedVersion, a.Version)
}

func sizeOutcome(o *Outcome) int {
	return sizeInt(tagDecision, int32(o.Decision)) + sizeText(tagReason, o.Reason)
}

func sizeText(tag uint64, s string) int {
	if s == "" {
		return 0
	}
	return protowire.SizeVarint(tag) + protowire.SizeBytes(len(s))
}

func sizeInt(tag uint64, v int32) int {
	if v == 0 {
		return 0
	}
	return protowire.SizeVarint(tag) + protowire.SizeVarint(uint64(int64(v)))
}

// writer appends messages; the first thing that can't be represented is its error.
type writer struct {
	b      []byte
	err    error
	within uint64 // the tag of the message inside the event that is being written, 0 for the event
	toPeer bool   // texts aren't checked: whoever decodes them does that
}

func (w *writer) event(e *Event) {
	for num := 1; num < len(texts); num++ {
		w.text(uint64(num)<<3|2, *texts[num](e))
	}
	w.within = tagTranscript
	for i := range e.Transcript {
		w.length(tagTranscript, sizeTurn(&e.Transcript[i]))
		w.turn(&e.Transcript[i])
	}
	w.within = 0
	w.list(tagKeyPoints, e.KeyPoints)
	w.list(tagQuestions, e.UnansweredQuestions)
	w.list(tagActionItems, e.ActionItems)
	w.list(tagTopics, e.Topics)
	if e.Topics != nil && len(e.Topics) == 0 {
		w.varint(tagTopicsEmpty, 1)
	}
	if e.IsTest {
		w.varint(tagIsTest, 1)
	}
	if e.TopicConfidence != 0 {
		w.double(tagConfidence, &e.TopicConfidence)
	}
	if e.Version != 0 {
		w.varint(tagVersion, uint64(e.Version))
	}
	w.time(tagReceivedAt, e.ReceivedAt)
	w.time(tagCallStarted, e.CallStarted)
	w.time(tagCallEnded, e.CallEnded)
	w.double(tagDuration, e.Duration)
	if len(e.Extra) > 0 {
		w.length(tagExtra, len(e.Extra))
		w.b = append(w.b, e.Extra...)
	}
	w.bool(tagFollowUpBool, e.FollowUpBool)
	w.bool(tagAISuccessBool, e.AISuccessBool)
	if e.Metrics != (Metrics{}) {
		w.length(tagMetrics, sizeMetrics(&e.Metrics))
		w.within = tagMetrics
		w.metrics(&e.Metrics)
	}
	for i := range e.Transforms {
		w.applied(&e.Transforms[i])
	}
	if e.Outcome != (Outcome{}) {
		w.within = tagOutcome
		w.length(tagOutcome, sizeOutcome(&e.Outcome))
		w.int(tagDecision, int32(e.Outcome.Decision))
		w.text(tagReason, e.Outcome.Reason)
	}
	w.within = 0
}

// message writes an event as an entry of events, with fields to hand back behind it.
func (w *writer) message(e *Event, more []byte) {
	w.length(tagEvents, sizeEvent(e)+len(more))
	w.event(e)
	w.b = append(w.b, more...)
}

func (w *writer) applied(a *Applied) {
	w.within = tagTransforms
	w.length(tagTransforms, sizeApplied(a))
	w.text(tagAppliedName, a.Name)
	w.text(tagAppliedVersion, a.Version)
	w.within = 0
}

func (w *writer) turn(t *Turn) {
	w.text(tagTurnRole, t.Role)
	w.text(tagTurnContent, t.Content)
	w.int(tagTurnWords, t.Words)
}

func (w *writer) metrics(m *Metrics) {
	for num := 1; num < len(counts); num++ {
		switch {
		case counts[num] != nil:
			w.int(uint64(num)<<3, *counts[num](m))
		case num == tagTalkRatio>>3:
			w.double(tagTalkRatio, m.TalkRatio)
		case num == tagWordsPerMinute>>3:
			w.double(tagWordsPerMinute, m.WordsPerMinute)
		}
	}
}

func (w *writer) varint(tag, v uint64) {
	w.b = protowire.AppendVarint(protowire.AppendVarint(w.b, tag), v)
}

func (w *writer) length(tag uint64, n int) { w.varint(tag, uint64(n)) }

func (w *writer) text(tag uint64, s string) {
	if s == "" {
		return
	}
	w.element(tag, s)
}

func (w *writer) element(tag uint64, s string) {
	if !w.toPeer && !utf8.ValidString(s) {
		w.fail(tag, errNotUTF8)
	}
	w.length(tag, len(s))
	w.b = append(w.b, s...)
}

func (w *writer) list(tag uint64, list []string) {
	for _, s := range list {
		w.element(tag, s)
	}
}

func (w *writer) int(tag uint64, v int32) {
	if v != 0 {
		w.varint(tag, uint64(int64(v)))
	}
}

func (w *writer) bool(tag uint64, v *bool) {
	if v != nil {
		w.varint(tag, protowire.EncodeBool(*v))
	}
}

func (w *writer) double(tag uint64, v *float64) {
	if v == nil {
		return
	}
	if !finite(*v) {
		w.fail(tag, errNotFinite)
	}
	w.b = protowire.AppendFixed64(protowire.AppendVarint(w.b, tag), math.Float64bits(*v))
}

func (w *writer) time(tag uint64, t time.Time) {
	if t.IsZero() {
		return
	}
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		w.fail(tag, errYear)
	}
	w.varint(tag, uint64(t.UnixMicro()))
}

func (w *writer) fail(tag uint64, err error) {
	if w.err == nil {
		w.err = fieldError(w.within, tag, err)
	}
}

// What neither both stores nor JSON could represent.
var (
	errNotUTF8   = errors.New("not valid UTF-8")
	errNotFinite = errors.New("not a finite number")
	errYear      = errors.New("a year outside 1 to 9999")
)

// fieldError names a field as transform.proto does, for example transcript.content.
func fieldError(within, tag uint64, err error) error {
	fields, prefix := (&wire.Event{}).ProtoReflect().Descriptor().Fields(), ""
	if within != 0 {
		f := fields.ByNumber(protowire.Number(within >> 3))
		fields, prefix = f.Message().Fields(), string(f.Name())+"."
	}
	return fmt.Errorf("%s%s: %w", prefix, fields.ByNumber(protowire.Number(tag>>3)).Name(), err)
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
