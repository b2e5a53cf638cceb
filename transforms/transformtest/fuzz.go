package transformtest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postcall/postcall/transforms"
)

// Fuzz makes n events out of a seed: the same ones for the same seed. They are odd, but no odder than what senders bring
// about and the wire carries: empty, huge, of thousands of turns, in any script, with extreme numbers and times. Each is
// named after what is odd about it ("made-5-many-turns").
func Fuzz(seed uint64, n int) []transforms.Event {
	g := &maker{rand.New(rand.NewPCG(seed, seed))}
	events := make([]transforms.Event, n)
	for i := range events {
		o := oddities[i%len(oddities)]
		e := g.call(fmt.Sprintf("made-%d-%s", i, o.name))
		o.change(g, &e, i/len(oddities))
		events[i] = e
	}
	return events
}

// maker makes parts of events.
type maker struct{ *rand.Rand }

// oddities are what Fuzz makes of plain calls, by turns; round counts how often the oddity was used before.
var oddities = []struct {
	name   string
	change func(g *maker, e *transforms.Event, round int)
}{
	{"plain", func(*maker, *transforms.Event, int) {}},
	{"empty", func(_ *maker, e *transforms.Event, _ int) { *e = transforms.Event{CallID: e.CallID} }},
	{"blank-parts", blankParts},
	{"scripts", scripts},
	{"huge-turn", func(g *maker, e *transforms.Event, round int) {
		e.Transcript = append(e.Transcript, g.turn(g.long(1<<20>>min(2*round, 10))))
	}},
	{"many-turns", func(g *maker, e *transforms.Event, round int) {
		for range 10_000 >> min(2*round, 10) {
			e.Transcript = append(e.Transcript, transforms.Turn{Role: g.role(), Content: g.word(), Words: 1})
		}
	}},
	{"long-lists", func(g *maker, e *transforms.Event, _ int) {
		for range 500 {
			e.KeyPoints, e.ActionItems = append(e.KeyPoints, g.word()), append(e.ActionItems, g.text())
			e.UnansweredQuestions, e.Topics = append(e.UnansweredQuestions, g.text()), append(e.Topics, g.word())
		}
	}},
	{"numbers", extremeNumbers},
	{"times", extremeTimes},
	{"extra", extraFields},
	{"roles", func(g *maker, e *transforms.Event, _ int) {
		for _, r := range []string{"", "system", "tool", "jordan smith", "\u4e3b\u6301\u4eba", strings.Repeat("r", 64), "agent ", "AGENT", "\u200b"} {
			e.Transcript = append(e.Transcript, transforms.Turn{Role: r, Content: g.text()})
		}
	}},
	{"odd-id", func(g *maker, e *transforms.Event, _ int) { e.CallID = g.id(e.CallID) }},
	{"child", func(_ *maker, e *transforms.Event, _ int) { e.ParentCallID, e.CallID = e.CallID, e.CallID+"#3" }},
	{"code", func(g *maker, e *transforms.Event, _ int) {
		for _, s := range code {
			e.Transcript = append(e.Transcript, g.turn(s+" "+g.marker()))
			e.KeyPoints = append(e.KeyPoints, s)
		}
		e.CallerName, e.Summary, e.Sentiment, e.EndedReason = g.pick(code), g.pick(code), g.pick(code), g.pick(code)
	}},
	{"digits", func(g *maker, e *transforms.Event, _ int) {
		for range 30 {
			e.Transcript = append(e.Transcript, g.turn(g.digits()))
		}
	}},
	{"text-only", func(g *maker, e *transforms.Event, _ int) {
		e.TranscriptText, e.Transcript = "Agent: "+g.text()+"\nUser: "+g.text(), nil
	}},
}

func (g *maker) pick(from []string) string { return from[g.IntN(len(from))] }

// call makes a plausible call. Its name is in no other event of the same seed.
func (g *maker) call(id string) transforms.Event {
	start := time.Date(2026, 1, 1, 0, 0, g.IntN(3e7), g.IntN(1000)*1e6, time.UTC)
	length := time.Duration(g.IntN(1000)) * time.Second
	e := transforms.Event{
		Tenant: g.pick([]string{"default", "north", "s\u00fcd"}), Source: "phonely", CallID: id,
		Version: start.UnixMicro() + g.Int64N(1e9), ReceivedAt: start.Add(length + time.Second),
		AgentName: "Ava", CallerName: g.pick(names) + " " + g.marker(), CallDirection: g.pick([]string{"inbound", "outbound", ""}),
		CallStarted: start, CallEnded: start.Add(length), Duration: new(length.Seconds()),
		BusinessPhoneNumber: "+14155550100", CustomerPhoneNumber: g.phone(), MentionedEmail: g.marker() + "@example.com",
		Summary: g.text(), LongSummary: g.text(), Purpose: g.text(), Topic: g.word(), Sentiment: g.pick([]string{"positive", "mixed", "?"}),
		KeyPoints: []string{g.text()}, ActionItems: []string{g.text()}, UnansweredQuestions: []string{g.text()},
		FollowUp: "yes", FollowUpBool: new(true), FollowUpReason: g.text(), AISuccess: "false", AISuccessBool: new(false),
		RecordingURL: "https://example.com/" + g.marker() + ".wav?token=" + g.marker(), EndedReason: "caller_hangup",
		CustomerKey: strings.Repeat("0a", 16), EmailKey: strings.Repeat("0b", 16),
		Extra: json.RawMessage(fmt.Sprintf(`{"campaign":%q}`, g.marker())),
	}
	for range 2 + g.IntN(6) {
		e.Transcript = append(e.Transcript, g.turn(g.text()))
	}
	return e
}

func (g *maker) turn(content string) transforms.Turn {
	return transforms.Turn{Role: g.role(), Content: content, Words: int32(len(strings.Fields(content)))}
}

func (g *maker) role() string { return g.pick([]string{transforms.RoleAgent, transforms.RoleUser}) }

// marker makes a word that nothing but a made-up caller says: where it shows in a reason, an error or a log, what callers
// say does.
func (g *maker) marker() string { return fmt.Sprintf("qz%08x", g.Uint32()) }

var markers = regexp.MustCompile(`qz[0-9a-f]{8}`)

var (
	names = []string{"Jordan Smith", "S\u00f8ren Ib\u00e1\u00f1ez", "\u674e\u5c0f\u9f99", "O'Neil-Garc\u00eda", "\u0645\u062d\u0645\u062f"}
	words = strings.Fields(`the a please refund order number card Tuesday hello yes no my address invoice is was charged twice
		twenty five dollars account password cancel thanks jordan@example.com 415-555-0123 4242 Main Street "quoted" it's`)
	code = []string{
		`<script>alert(1)</script>`, `'; DROP TABLE calls; --`, `{{.Secret}} ${HOME} %s %d %n`, "\x1b[31mred\x1b[0m", `C:\temp\"x"`, `{"json":[1,2`,
		"a\x00b", "a\r\nb\vc\fd\te", "=1+2", "../../etc/passwd", `\u0000 \ud83d`, "(((((((((((((((((((((((((((((((((a", "[][][]", strings.Repeat("a@", 500),
	}
)

func (g *maker) word() string { return g.pick(words) }

// text makes a sentence with a marker.
func (g *maker) text() string {
	var b strings.Builder
	for range 1 + g.IntN(20) {
		b.WriteString(g.word() + " ")
	}
	b.WriteString(g.marker() + g.pick([]string{"", ".", "?", " \u2026", "\n"}))
	return b.String()
}

func (g *maker) long(size int) string {
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(g.text())
		b.WriteByte(' ')
	}
	return b.String()
}

func (g *maker) phone() string { return fmt.Sprintf("+1415555%04d", 100+g.IntN(100)) }

func (g *maker) digits() string {
	var b strings.Builder
	b.WriteString(g.marker())
	for range 1 + g.IntN(30) {
		b.WriteString(g.pick([]string{" ", "", "-", ".", " oh ", " double ", " plus "}) + strconv.Itoa(g.IntN(1000)))
	}
	return b.String()
}

func (g *maker) id(name string) string {
	odd := []string{" %s 'quoted' \"\\", "%s/../%%00?x=1&y#7", "\u65e5\u672c-%s-\U0001F469\u200d\U0001F467", "e\u0301\u202e-%s", "%s" + strings.Repeat("x", 480), "%s#1"}
	return fmt.Sprintf(g.pick(odd), name)
}

func blankParts(_ *maker, e *transforms.Event, _ int) {
	e.Transcript = []transforms.Turn{{}, {Role: transforms.RoleUser}, {Content: " "}, {Role: transforms.RoleAgent, Content: "\n\n"}, {Content: "\u3000\u200b\ufeff"}}
	e.KeyPoints, e.ActionItems, e.Topics = []string{"", " ", ""}, []string{""}, []string{}
	e.Summary, e.CallerName, e.CustomerPhoneNumber, e.MentionedEmail, e.Topic = " ", "\t", " ", "@", "\u00a0"
	e.Extra, e.Duration, e.FollowUpBool = nil, nil, nil
}

// scripts fills the texts with what is hard about Unicode. It is valid UTF-8: that is checked before any transform.
func scripts(g *maker, e *transforms.Event, _ int) {
	pieces := []string{
		"\u00df \u0130I\u0131i \u1e9e", "e\u0301\u0302\u0303\u0304", "\U0001F469\u200d\U0001F469\u200d\U0001F467\U0001F3FD", "\u202e\u2066rtl\u2069", "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
		"\u4f60\u597d\u4e16\u754c\u3042\u30a2\uff71", "\u0928\u092e\u0938\u094d\u0924\u0947", "\ufeff\ufffd\ufffe\uffff", "\U0010ffff\U000e0001\ue000", "\u2028\u2029\u0085", "\u0000\u0001\u007f\u0080", "\ud7ff\uf8ff",
		"\u0661\u0662\u0663 \uff11\uff12\uff13 \U0001d7d8", "a\u0300" + strings.Repeat("\u0301", 300),
	}
	odd := func() (s string) {
		for range 1 + g.IntN(6) {
			s += g.pick(pieces) + g.pick([]string{"", " ", g.word()})
		}
		return s
	}
	for range 10 {
		e.Transcript = append(e.Transcript, g.turn(odd()))
	}
	for _, f := range []*string{&e.Summary, &e.LongSummary, &e.Purpose, &e.Topic, &e.CallerName, &e.AgentName, &e.FollowUpReason, &e.EndedReason} {
		*f = odd()
	}
	e.KeyPoints = []string{odd(), odd()}
}

func extremeNumbers(g *maker, e *transforms.Event, _ int) {
	floats := []float64{0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, math.MaxFloat64, -math.MaxFloat64, 1e-7, 0.1, 1 << 53, -1}
	float := func() *float64 { return new(floats[g.IntN(len(floats))]) }
	e.Duration, e.Metrics.TalkRatio, e.Metrics.WordsPerMinute = float(), float(), float()
	ints := []int32{0, 1, math.MaxInt32}
	for i := range e.Transcript {
		e.Transcript[i].Words = ints[g.IntN(len(ints))]
	}
	m := &e.Metrics
	for _, n := range []*int32{&m.Turns, &m.AgentTurns, &m.UserTurns, &m.AgentWords, &m.UserWords, &m.UnansweredQuestions, &m.ActionItems, &m.Hour, &m.Weekday} {
		*n = ints[g.IntN(len(ints))]
	}
	e.Version = []int64{1, math.MaxInt64, 1 << 53}[g.IntN(3)]
}

func extremeTimes(g *maker, e *transforms.Event, _ int) {
	times := []time.Time{
		{},
		time.UnixMicro(0).UTC(), time.UnixMicro(-1).UTC(), time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(2026, 10, 25, 0, 59, 59, 999999000, time.UTC), time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), time.Date(2016, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	for _, t := range []*time.Time{&e.ReceivedAt, &e.CallStarted, &e.CallEnded} {
		*t = times[g.IntN(len(times))]
	}
	e.MentionedDate, e.MentionedTime = g.pick([]string{"0000-00-00", "tomorrow", "2026-02-30"}), g.pick([]string{"25:61", "noon", "3 pm"})
}

// extraFields are JSON that a library which reads numbers as floats, or names as words, does not keep.
func extraFields(g *maker, e *transforms.Event, round int) {
	fields := []string{
		`"big":123456789012345678901234567890,"huge":1e400,"tiny":-1e-400,"zero":-0,"money":0.10,"long":` + strings.Repeat("9", 400),
		`"":1," ":{"":[]},"__proto__":{"constructor":null},"\u0000":"\u0000","\ud83d\ude00":"\u2028","a\"b\\c":"\/"`,
		`"deep":` + strings.Repeat(`{"a":[`, 30) + `1` + strings.Repeat(`]}`, 30),
		`"wide":[` + strings.Repeat("null,", 5000) + `true]`,
		`"transcript":[{"role":7}],"callId":"another","metrics":"x","` + g.marker() + `":"` + g.marker() + `"`,
	}
	e.Extra = json.RawMessage(" {\n\t" + fields[round%len(fields)] + " }\r\n")
}
