package transforms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/postcall/postcall/transforms/wire"
)

// fill sets every field that v holds to a value of its own that is not zero.
func fill(v reflect.Value, n *int) {
	*n++
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.UnixMicro(int64(*n)*1e12 + 123456).UTC()
		return
	case *json.RawMessage:
		*p = fmt.Appendf(nil, `{"n":%d}`, *n)
		return
	case *Decision:
		*p = Reject
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d é", *n))
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n) * 1000)
	case reflect.Float64:
		v.SetFloat(float64(*n) / 8)
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic("fill can't set " + v.Type().String())
	}
}

func fullEvent() Event {
	var e Event
	n := 0
	fill(reflect.ValueOf(&e).Elem(), &n)
	return e
}

// typical is a call of about 8 KiB with 40 turns.
func typical(id string) Event {
	e := Event{
		Tenant: "default", Source: "phonely", CallID: id, Version: 1780000000000000,
		ReceivedAt: time.UnixMicro(1780000000000000).UTC(), CallStarted: time.UnixMicro(1779999700000000).UTC(),
		CallEnded: time.UnixMicro(1779999990000000).UTC(), Duration: new(290.5),
		AgentName: "Ava", CallerName: "Jordan Smith", CallDirection: "inbound",
		BusinessPhoneNumber: "+14155550100", CustomerPhoneNumber: "+14155550123", MentionedEmail: "jordan@example.com",
		Summary: strings.Repeat("The caller asked about an order. ", 6), Sentiment: "positive", SentimentKind: "positive",
		KeyPoints: []string{"asked for a refund", "wants a call back"}, ActionItems: []string{"call back"},
		AISuccess: "true", AISuccessBool: new(true), FollowUp: "no", FollowUpBool: new(false),
		RecordingURL: "https://example.com/recordings/" + id, EndedReason: "caller_hangup", Extra: json.RawMessage(`{"campaign":"autumn"}`),
		CustomerKey: strings.Repeat("ab", 16), EmailKey: strings.Repeat("cd", 16),
		Metrics: Metrics{Turns: 40, AgentTurns: 20, UserTurns: 20, AgentWords: 700, UserWords: 600, TalkRatio: new(0.54), WordsPerMinute: new(268.0), Hour: 11, Weekday: 3},
	}
	for i := range 40 {
		e.Transcript = append(e.Transcript, Turn{
			Role: []string{RoleAgent, RoleUser}[i%2], Words: 32,
			Content: fmt.Sprintf("turn %d: %s", i, strings.Repeat("what was said here, word by word. ", 5)),
		})
	}
	return e
}

// roundTrips are the events that every way of coding must keep.
func roundTrips() map[string][]Event {
	return map[string][]Event{
		"none":         {},
		"empty event":  {{}},
		"every field":  {fullEvent(), {CallID: "b"}, fullEvent()},
		"typical":      {typical("a"), typical("b")},
		"no topics":    {{CallID: "a", Topics: []string{}}},
		"empty texts":  {{CallID: "a", KeyPoints: []string{"", "x", ""}, Transcript: []Turn{{}, {Role: "user"}}}},
		"zeros known":  {{CallID: "a", Duration: new(0.0), FollowUpBool: new(false), Metrics: Metrics{TalkRatio: new(0.0)}}},
		"epoch":        {{CallID: "a", CallStarted: time.UnixMicro(0).UTC(), CallEnded: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)}},
		"last instant": {{CallID: "a", CallStarted: time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)}},
		"negative":     {{CallID: "a", Version: -1, Metrics: Metrics{Hour: -1}, Transcript: []Turn{{Words: math.MinInt32}}}},
		"unicode":      {{CallID: "日本\u2028👩‍👩‍👧\x00", Summary: "\uFFFD"}},
	}
}

func TestCodecRoundTrip(t *testing.T) {
	for name, want := range roundTrips() {
		t.Run(name, func(t *testing.T) {
			data, err := AppendEvents([]byte("before"), want)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) != len("before")+sizeEvents(want) {
				t.Errorf("%d bytes, %d computed", len(data)-len("before"), sizeEvents(want))
			}
			got, err := DecodeEvents(data[len("before"):])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCodecKeepsNothingOfItsInput(t *testing.T) {
	data, err := AppendEvents(nil, []Event{fullEvent()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeEvents(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if diff := cmp.Diff([]Event{fullEvent()}, got); diff != "" {
		t.Error(diff)
	}
	// What a transform may do to an event that it owns must not reach another part of it.
	e := &got[0]
	_ = append(e.KeyPoints, "x")
	_ = append(e.Extra, "xxxxxxxxxxxxxx"...)
	_ = append(e.Transcript, Turn{Role: "x"})
	if diff := cmp.Diff(fullEvent(), *e); diff != "" {
		t.Error(diff)
	}
}

func TestCodecConcatenates(t *testing.T) {
	var data []byte
	for _, e := range []Event{{CallID: "a"}, fullEvent(), {CallID: "b"}} {
		var err error
		if data, err = AppendEvents(data, []Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := DecodeEvents(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Event{{CallID: "a"}, fullEvent(), {CallID: "b"}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestCodecEqualsGenerated holds the codec written by hand to the generated code, which follows transform.proto.
func TestCodecEqualsGenerated(t *testing.T) {
	for name, events := range roundTrips() {
		t.Run(name, func(t *testing.T) {
			data, err := AppendEvents(nil, events)
			if err != nil {
				t.Fatal(err)
			}
			var m wire.Events
			if err := proto.Unmarshal(data, &m); err != nil {
				t.Fatal(err)
			}
			for i, e := range m.GetEvents() {
				if len(e.ProtoReflect().GetUnknown()) > 0 {
					t.Errorf("event %d has fields that transform.proto hasn't", i)
				}
				if diff := cmp.Diff(toWire(&events[i]), e, cmp.Comparer(proto.Equal)); diff != "" {
					t.Error(diff)
				}
			}
			again, err := proto.MarshalOptions{Deterministic: true}.Marshal(&m)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, data) {
				t.Errorf("generated code writes other bytes:\n%x\n%x", again, data)
			}
		})
	}
}

// TestProtoHasNoFieldTheCodecLacks fails when a field is added to transform.proto only.
func TestProtoHasNoFieldTheCodecLacks(t *testing.T) {
	data, err := AppendEvents(nil, []Event{fullEvent(), {Topics: []string{}}})
	if err != nil {
		t.Fatal(err)
	}
	var m wire.Events
	if err := proto.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	full, fields := m.GetEvents()[0].ProtoReflect(), (&wire.Event{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); !full.Has(f) && f.Name() != "topics_empty" {
			t.Errorf("AppendEvents doesn't write %s", f.Name())
		}
	}
	if !m.GetEvents()[1].GetTopicsEmpty() {
		t.Error("AppendEvents doesn't write topics_empty")
	}
}

// toWire copies by hand: besides the tests, BenchmarkCodec shows what it would cost.
func toWire(e *Event) *wire.Event {
	micros := func(t time.Time) *int64 {
		if t.IsZero() {
			return nil
		}
		return new(t.UnixMicro())
	}
	w := &wire.Event{
		Tenant: e.Tenant, Source: e.Source, CallId: e.CallID, ParentCallId: e.ParentCallID, Version: e.Version,
		ReceivedAt: micros(e.ReceivedAt), AgentName: e.AgentName, CallerName: e.CallerName, CallDirection: e.CallDirection,
		CallStarted: micros(e.CallStarted), CallEnded: micros(e.CallEnded), Duration: e.Duration,
		BusinessPhoneNumber: e.BusinessPhoneNumber, CustomerPhoneNumber: e.CustomerPhoneNumber, MentionedEmail: e.MentionedEmail,
		MentionedDate: e.MentionedDate, MentionedTime: e.MentionedTime, TranscriptText: e.TranscriptText, Summary: e.Summary,
		LongSummary: e.LongSummary, Purpose: e.Purpose, Topic: e.Topic, Sentiment: e.Sentiment, KeyPoints: e.KeyPoints,
		UnansweredQuestions: e.UnansweredQuestions, ActionItems: e.ActionItems, FollowUp: e.FollowUp, FollowUpReason: e.FollowUpReason,
		AiSuccess: e.AISuccess, RecordingUrl: e.RecordingURL, DashboardUrl: e.DashboardURL, EndedReason: e.EndedReason,
		Extra: e.Extra, SentimentKind: e.SentimentKind, FollowUpBool: e.FollowUpBool, AiSuccessBool: e.AISuccessBool,
		Topics: e.Topics, TopicsEmpty: e.Topics != nil && len(e.Topics) == 0, CustomerKey: e.CustomerKey, EmailKey: e.EmailKey,
		IsTest: e.IsTest, TopicConfidence: e.TopicConfidence, TopicRule: e.TopicRule, EndedReasonKind: e.EndedReasonKind,
	}
	for _, t := range e.Transcript {
		w.Transcript = append(w.Transcript, &wire.Turn{Role: t.Role, Content: t.Content, Words: t.Words})
	}
	if m := e.Metrics; m != (Metrics{}) {
		w.Metrics = &wire.Metrics{
			Turns: m.Turns, AgentTurns: m.AgentTurns, UserTurns: m.UserTurns, AgentWords: m.AgentWords,
			UserWords: m.UserWords, TalkRatio: m.TalkRatio, WordsPerMinute: m.WordsPerMinute,
			UnansweredQuestions: m.UnansweredQuestions, ActionItems: m.ActionItems, Hour: m.Hour, Weekday: m.Weekday,
		}
	}
	for _, a := range e.Transforms {
		w.Transforms = append(w.Transforms, &wire.Applied{Name: a.Name, Version: a.Version})
	}
	if e.Outcome != (Outcome{}) {
		w.Outcome = &wire.Outcome{Decision: wire.Decision(e.Outcome.Decision), Reason: e.Outcome.Reason}
	}
	return w
}

func TestAppendEventsRefuses(t *testing.T) {
	f := func(name, want string, e Event) {
		t.Helper()
		dst := []byte("before")
		got, err := AppendEvents(dst, []Event{{CallID: "good"}, e})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `event 1 (call "c")`) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
		if string(got) != "before" {
			t.Errorf("%s: the buffer is %q", name, got)
		}
	}
	f("text", ": summary: not valid UTF-8", Event{CallID: "c", Summary: "\xff"})
	f("turn", ": transcript.content: not valid UTF-8", Event{CallID: "c", Transcript: []Turn{{Content: "a\xc3"}}})
	f("list", ": topics: not valid UTF-8", Event{CallID: "c", Topics: []string{"\xff"}})
	f("reason", ": outcome.reason: not valid UTF-8", Event{CallID: "c", Outcome: Outcome{Drop, "\xff"}})
	f("NaN", ": duration: not a finite number", Event{CallID: "c", Duration: new(math.NaN())})
	f("Inf", ": metrics.talk_ratio: not a finite number", Event{CallID: "c", Metrics: Metrics{TalkRatio: new(math.Inf(1))}})
	f("year", "a year outside 1 to 9999", Event{CallID: "c", CallStarted: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
}

func TestDecodeEventsRefuses(t *testing.T) {
	f := func(name, want string, m *wire.Event) {
		t.Helper()
		data, err := proto.Marshal(&wire.Events{Events: []*wire.Event{{CallId: "good"}, m}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = DecodeEvents(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	f("NaN", `decode event 1 (call ""): duration: not a finite number`, &wire.Event{Duration: new(math.NaN())})
	f("year", "a year outside", &wire.Event{CallStarted: proto.Int64(math.MaxInt64)})

	good, err := AppendEvents(nil, []Event{fullEvent()})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(good); n++ {
		if _, err := DecodeEvents(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(good))
		}
	}
	i := bytes.Index(good, []byte("é"))
	good[i] = 0xff
	if _, err := DecodeEvents(good); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("invalid UTF-8: error %v", err)
	}
}

// newer is an event as a later version of postcall could write it.
func newer(t *testing.T, id string) (data, unknown []byte) {
	t.Helper()
	unknown = protowire.AppendString(protowire.AppendTag(nil, 900, protowire.BytesType), "a field of 2031")
	unknown = protowire.AppendVarint(protowire.AppendTag(unknown, 901, protowire.VarintType), 7)
	unknown = protowire.AppendFixed32(protowire.AppendTag(unknown, 902, protowire.Fixed32Type), 8)
	e := append([]byte{3<<3 | 2, byte(len(id))}, id...)
	e = append(e, unknown...)
	return protowire.AppendBytes([]byte{tagEvents}, e), unknown
}

func TestDecodeEventsSkipsWhatItDoesNotKnow(t *testing.T) {
	data, _ := newer(t, "a")
	data = protowire.AppendVarint(protowire.AppendTag(data, 77, protowire.VarintType), 5)
	got, err := DecodeEvents(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Event{{CallID: "a"}}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecodeEvents(f *testing.F) {
	for _, events := range roundTrips() {
		data, err := AppendEvents(nil, events)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0x0a, 0x03, 0xf8, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := DecodeEvents(data)
		generated := proto.Unmarshal(data, new(wire.Events))
		if err != nil {
			return
		}
		if generated != nil {
			t.Fatalf("generated code refuses what was decoded: %v", generated)
		}
		again, err := AppendEvents(nil, events)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeEvents(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	const n = 100
	events := make([]Event, n)
	for i := range events {
		events[i] = typical(fmt.Sprintf("call-%06d", i))
	}
	data, err := AppendEvents(nil, events)
	if err != nil {
		b.Fatal(err)
	}
	perEvent := func(b *testing.B, f func()) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			f()
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/event")
	}
	b.Run("encode", func(b *testing.B) {
		buf := make([]byte, 0, len(data))
		perEvent(b, func() { buf, _ = AppendEvents(buf[:0], events) })
	})
	b.Run("encode-generated", func(b *testing.B) {
		buf := make([]byte, 0, len(data))
		perEvent(b, func() {
			var m wire.Events
			for i := range events {
				m.Events = append(m.Events, toWire(&events[i]))
			}
			buf, _ = proto.MarshalOptions{}.MarshalAppend(buf[:0], &m)
		})
	})
	b.Run("decode", func(b *testing.B) {
		perEvent(b, func() { _, _ = DecodeEvents(data) })
	})
	b.Run("decode-generated-without-copy", func(b *testing.B) {
		perEvent(b, func() { _ = proto.Unmarshal(data, new(wire.Events)) })
	})
}
