package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/transforms"
)

var (
	testReceived   = time.Date(2026, 5, 29, 12, 0, 0, 123456000, time.UTC)
	testNormalizer = func() *Normalizer {
		loc, err := time.LoadLocation("America/Chicago")
		if err != nil {
			panic(err)
		}
		return NewNormalizer(loc, [][]byte{[]byte("0123456789abcdef0123456789abcdef"), []byte("another key, not used")})
	}()
)

func normalize(t testing.TB, body string) transforms.Event {
	t.Helper()
	e, err := testNormalizer.Normalize([]byte(body), "default", "phonely", testReceived)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return e
}

func payloads(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "testdata", folder, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no payloads in testdata/%s: %v", folder, err)
	}
	m := map[string][]byte{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		m[strings.TrimSuffix(filepath.Base(p), ".json")] = b
	}
	return m
}

// golden compares with testdata/golden/name.json, or writes it: go test ./connector -run Golden -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("..", "testdata", "golden", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: go test ./connector -run Golden -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestGoldenEvents(t *testing.T) {
	ids := map[string]string{}
	for name, body := range payloads(t, "webhooks") {
		before := bytes.Clone(body)
		e := normalize(t, string(body))
		line, err := e.CanonicalJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := json.Indent(&b, line, "", "  "); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
		golden(t, name, b.Bytes())
		if id, err := testNormalizer.Check(body); err != nil || id != e.CallID || !bytes.Equal(before, body) {
			t.Errorf("%s: Check: %q, %v", name, id, err)
		}
		if other := ids[e.CallID]; other != "" {
			t.Errorf("%s has the callId of %s", name, other)
		}
		ids[e.CallID] = name
	}
}

// The refused bodies of testdata/refused and what is said of each, in one golden.
func TestGoldenRefusals(t *testing.T) {
	type refusal struct {
		Field, Error string
		Status       int
	}
	all := map[string]refusal{}
	for name, body := range payloads(t, "refused") {
		_, err := testNormalizer.Normalize(body, "default", "phonely", testReceived)
		var fe *FieldError
		if !errors.As(err, &fe) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if fe.Kind == "" || fe.Cure == "" || fe.Status/100 != 4 || strings.Contains(fe.Error(), "jane@") {
			t.Errorf("%s: %+v", name, fe)
		}
		if _, checked := testNormalizer.Check(body); checked == nil || checked.Error() != err.Error() {
			t.Errorf("%s: Check says %v, Normalize %v", name, checked, err)
		}
		all[name] = refusal{fe.Field, fe.Error(), fe.Status}
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "refused/problems", append(b, '\n'))
}

func TestNormalizeKeepsNothingOfTheBody(t *testing.T) {
	for name, body := range payloads(t, "webhooks") {
		e, err := testNormalizer.Normalize(body, "default", "phonely", testReceived)
		if err != nil {
			t.Fatal(err)
		}
		want := normalize(t, string(body))
		for i := range body {
			body[i] = 'X'
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("%s: the event changed with the buffer: %s", name, diff)
		}
	}
}

func TestNormalizeTimes(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		e := normalize(t, `{"callId":"a","callStarted":`+value+`}`)
		if got := e.CallStarted.Format(time.RFC3339Nano); got != want || e.CallStarted.Location() != time.UTC {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
	const want = "2026-05-24T18:02:14Z"
	f(`"2026-05-24T18:02:14Z"`, want)
	f(`" 2026-05-24T18:02:14Z\n"`, want)
	f(`"2026-05-24T11:02:14-07:00"`, want)
	f(`"2026-05-24T18:02:14.1239Z"`, "2026-05-24T18:02:14.123Z")
	f(`"2026-05-24T18:02:14"`, want)
	f(`"2026-05-24T18:02:14.5"`, "2026-05-24T18:02:14.5Z")
	f(`"2026-05-24 18:02:14"`, want)
	f(`"2026-05-24 18:02:14Z"`, want)
	f(`"2026-05-24 18:02:14 UTC"`, want)
	f(`"2026-05-24T11:02:14-0700"`, want)
	f(`"2026-05-24 11:02:14 -0700"`, want)
	f(`"2026-05-24T18:02Z"`, "2026-05-24T18:02:00Z")
	f(`"Sun, 24 May 2026 18:02:14 GMT"`, want)
	f(`"Sun, 24 May 2026 11:02:14 -0700"`, want)
	f(`"Sun May 24 2026 11:02:14 GMT-0700 (Pacific Daylight Time)"`, want)
	f(`1779645734`, want)
	f(`1779645734.25`, "2026-05-24T18:02:14.25Z")
	f(`1779645734000`, want)
	f(`"1779645734000"`, want)
	f(`null`, "2026-05-29T12:00:00.123Z")
	f(`"not available"`, "2026-05-29T12:00:00.123Z")
	f(`"2000-01-01T00:00:00Z"`, "2000-01-01T00:00:00Z")
	f(`"2100-12-31T23:59:59Z"`, "2100-12-31T23:59:59Z")
}

func TestNormalizeFillsTimesFromEachOther(t *testing.T) {
	f := func(fields, started, duration string) {
		t.Helper()
		e := normalize(t, `{"callId":"a",`+fields+`}`)
		d, _ := json.Marshal(e.Duration)
		if got := e.CallStarted.Format(time.RFC3339Nano); got != started || string(d) != duration {
			t.Errorf("%s: started %s, duration %s; want %s, %s", fields, got, d, started, duration)
		}
	}
	const ended = `"callEnded":"2026-05-24T18:05:00Z"`
	f(ended+`,"duration":60`, "2026-05-24T18:04:00Z", "60")
	f(ended+`,"duration":"60.5"`, "2026-05-24T18:03:59.5Z", "60.5")
	f(ended, "2026-05-24T18:05:00Z", "null")
	f(ended+`,"callStarted":"2026-05-24T18:00:00Z"`, "2026-05-24T18:00:00Z", "300")
	f(ended+`,"callStarted":"2026-05-24T18:00:00Z","duration":7`, "2026-05-24T18:00:00Z", "7")
	f(ended+`,"callStarted":"2026-05-24T19:00:00Z"`, "2026-05-24T19:00:00Z", "null")
	f(ended+`,"callStarted":"2025-05-24T19:00:00Z"`, "2025-05-24T19:00:00Z", "null")
	f(`"duration":60`, "2026-05-29T12:00:00.123Z", "60")
	f(`"duration":-0.0`, "2026-05-29T12:00:00.123Z", "0")
	f(`"duration":null`, "2026-05-29T12:00:00.123Z", "null")
	f(`"duration":"not available"`, "2026-05-29T12:00:00.123Z", "null")
	f(`"callEnded":"2000-01-01T00:00:10Z","duration":60`, "2000-01-01T00:00:00Z", "60")
}

// The clocks of Chicago go forward on 2026-03-08 and back on 2026-11-01.
func TestNormalizeReadsHoursInTheBusinessTimeZone(t *testing.T) {
	f := func(started string, hour, weekday int32) {
		t.Helper()
		m := normalize(t, `{"callId":"a","callStarted":"`+started+`"}`).Metrics
		if m.Hour != hour || m.Weekday != weekday {
			t.Errorf("%s: hour %d, weekday %d; want %d, %d", started, m.Hour, m.Weekday, hour, weekday)
		}
	}
	f("2026-03-08T07:30:00Z", 1, 7)
	f("2026-03-08T08:30:00Z", 3, 7)
	f("2026-11-01T06:30:00Z", 1, 7)
	f("2026-11-01T07:30:00Z", 1, 7)
	f("2026-11-02T05:59:00Z", 23, 7)
	f("2026-11-02T06:00:00Z", 0, 1)
}

func TestNormalizeReadsLooseWords(t *testing.T) {
	yes, no := true, false
	f := func(value, raw string, want *bool) {
		t.Helper()
		e := normalize(t, `{"callId":"a","followUp":`+value+`,"ai_success":`+value+`}`)
		if e.FollowUp != raw || e.AISuccess != raw || !reflect.DeepEqual(e.FollowUpBool, want) || !reflect.DeepEqual(e.AISuccessBool, want) {
			t.Errorf("%s: %q, %v", value, e.FollowUp, e.FollowUpBool)
		}
	}
	f(`"yes"`, "yes", &yes)
	f(`" Yes. "`, " Yes. ", &yes)
	f(`true`, "true", &yes)
	f(`1`, "1", &yes)
	f(`"Successful"`, "Successful", &yes)
	f(`"no"`, "no", &no)
	f(`false`, "false", &no)
	f(`0`, "0", &no)
	f(`"FAILED"`, "FAILED", &no)
	f(`"unsuccessful"`, "unsuccessful", &no)
	f(`"partly"`, "partly", nil)
	f(`2`, "2", nil)
	f(`null`, "", nil)
	f(`"Not Available"`, "", nil)

	g := func(value, raw, kind string) {
		t.Helper()
		e := normalize(t, `{"callId":"a","sentiment":`+value+`}`)
		if e.Sentiment != raw || e.SentimentKind != kind {
			t.Errorf("%s: %q, %q", value, e.Sentiment, e.SentimentKind)
		}
	}
	g(`"positive"`, "positive", "positive")
	g(`"Very Positive"`, "Very Positive", "positive")
	g(`"NEGATIVE."`, "NEGATIVE.", "negative")
	g(`"neutral"`, "neutral", "neutral")
	g(`"mixed"`, "mixed", "mixed")
	g(`"not positive"`, "not positive", "")
	g(`"frustrated"`, "frustrated", "")
	g(`0.8`, "0.8", "")
	g(`null`, "", "")
}

func TestNormalizeUnknownsAndBlanks(t *testing.T) {
	for _, v := range []string{`null`, `""`, `" \t"`, `"not available"`, `" NOT Available "`, `"\u006eot available"`, `"\n"`} {
		e := normalize(t, `{"callId":"a","summary":`+v+`,"keyPoints":`+v+`,"transcript":`+v+`,"transcriptText":`+v+`,"callerName":`+v+`,"duration":`+v+`,"actionItems":["x",`+v+`]}`)
		if e.Summary != "" || e.KeyPoints != nil || e.Transcript != nil || e.TranscriptText != "" || e.CallerName != "" || len(e.ActionItems) != 1 || e.Extra != nil {
			t.Errorf("%s: %+v", v, e)
		}
	}
	e := normalize(t, `{"callId":" a\n","summary":" not available yet ","mentionedEmail":" x@example.com ","customerPhoneNumber":"\t+1 415 555 0119"}`)
	if e.CallID != "a" || e.Summary != " not available yet " || e.MentionedEmail != "x@example.com" || e.CustomerPhoneNumber != "+1 415 555 0119" {
		t.Errorf("%+v", e)
	}
	e = normalize(t, `{"callId":"a","transcript":[{"role":"user","content":"not available"},null,{"role":"agent","content":null},{}]}`)
	want := []transforms.Turn{{Role: "user", Content: "not available", Words: 2}, {Role: "agent"}, {Role: "unknown"}}
	if diff := cmp.Diff(want, e.Transcript); diff != "" {
		t.Error(diff)
	}
}

func TestNormalizeRoles(t *testing.T) {
	for in, want := range map[string]string{
		"agent": "agent", "Assistant": "agent", "BOT": "agent", " ai ": "agent", "user": "user", "Human": "user",
		"customer": "user", "caller": "user", "System": "system", "TOOL": "tool", "": "unknown",
	} {
		e := normalize(t, `{"callId":"a","transcript":[{"role":"`+in+`","content":"x"}]}`)
		if got := e.Transcript[0].Role; got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestNormalizeReadsTranscriptText(t *testing.T) {
	f := func(text, kept string, want ...string) {
		t.Helper()
		quoted, _ := json.Marshal(text)
		e := normalize(t, `{"callId":"a","transcriptText":`+string(quoted)+`,"transcript":[]}`)
		var got []string
		for _, turn := range e.Transcript {
			got = append(got, turn.Role+"|"+turn.Content)
		}
		if diff := cmp.Diff(want, got); diff != "" || e.TranscriptText != kept {
			t.Errorf("%q: kept %q: %s", text, e.TranscriptText, diff)
		}
	}
	f("Agent: Hi\nUser: Hello", "", "agent|Hi", "user|Hello")
	f("Assistant: Hi\r\nHUMAN:Hello\r\n", "", "agent|Hi", "user|Hello")
	f("Agent: Hi\n\n  there: all\n\nUser: Hello", "", "agent|Hi\n\n  there: all", "user|Hello")
	f("Agent:\nUser: Hello", "", "agent|", "user|Hello")
	f("\n\n  agent: Hi", "", "agent|Hi")
	f("Recorded call\nAgent: Hi", "Recorded call\nAgent: Hi", "unknown|Recorded call", "agent|Hi")
	f("just a note", "just a note", "unknown|just a note")
	f("Agent: the user: he said", "", "agent|the user: he said")
	f("Agents: Hi", "Agents: Hi", "unknown|Agents: Hi")
}

func TestNormalizeKeepsATranscriptTextThatSaysMore(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		quoted, _ := json.Marshal(text)
		turns := `"transcript":[{"role":"agent","content":"Hi "},{"role":"user","content":"one\nUser: two"},{"role":"system","content":"x"}]`
		for _, body := range []string{`{"callId":"a","transcriptText":` + string(quoted) + `,` + turns + `}`, `{"callId":"a",` + turns + `,"transcriptText":` + string(quoted) + `}`} {
			if e := normalize(t, body); e.TranscriptText != want || len(e.Transcript) != 3 {
				t.Errorf("%q: kept %q", text, e.TranscriptText)
			}
		}
	}
	f("Agent: Hi \nUser: one\nUser: two\nsystem: x", "")
	f("Agent: Hi", "Agent: Hi")
	f("Agent: Hi \nUser: one\nUser: two\nsystem: x and more", "Agent: Hi \nUser: one\nUser: two\nsystem: x and more")
	e := normalize(t, `{"callId":"a","transcriptText":"Assistant: Hi\n\nCaller:   Yes \n","transcript":[{"role":"assistant","content":"Hi"},{"role":"user","content":" Yes"}]}`)
	if e.TranscriptText != "" {
		t.Errorf("kept %q", e.TranscriptText)
	}
}

func TestNormalizeKeepsUnknownFields(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if e := normalize(t, body); string(e.Extra) != want || !(e.Extra == nil || json.Valid(e.Extra)) {
			t.Errorf("%s:\n got %s\nwant %s", body, e.Extra, want)
		}
	}
	f(`{"callId":"a"}`, "")
	f(`{"z":1.50,"callId":"a","CallID":"b","a":[ 1 , "x  \" ,y" , { "k" : null } ] , "e\u00e9":"\u00e9 é"}`,
		`{"z":1.50,"CallID":"b","a":[1,"x  \" ,y",{"k":null}],"e\u00e9":"\u00e9 é"}`)
	f(`{"callId":"a","n":123456789012345678901234567890.10}`, `{"n":123456789012345678901234567890.10}`)
	f(`{"callId":"a","transcript":[{"role":"agent","t":1},null,{"content":"x"},{"t": 2,"role":"user","u":[ ]}]}`, `{"transcript":{"0":{"t":1},"2":{"t":2,"u":[]}}}`)
	f(`{"callId":"a","transcript":[{"t":1}],"x":2}`, `{"x":2,"transcript":{"0":{"t":1}}}`)
	f(`{"callId":"a","x":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+`}`, `{"x":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+`}`)
}

func TestNormalizeMetrics(t *testing.T) {
	e := normalize(t, `{"callId":"a","duration":30,"transcript":[{"role":"agent","content":"Hi — I'm Bot 3000, hello!"},{"role":"user","content":" ok…  ¿qué? "},{"role":"user","content":"- 12"},{"role":"system","content":"two words"}],
		"unansweredQuestions":["a","b"],"actionItems":["c"]}`)
	ratio, rate := 5.0/10, 16.0
	want := transforms.Metrics{
		Turns: 4, AgentTurns: 1, UserTurns: 2, AgentWords: 5, UserWords: 3, TalkRatio: &ratio, WordsPerMinute: &rate,
		UnansweredQuestions: 2, ActionItems: 1, Hour: 7, Weekday: 5,
	}
	if diff := cmp.Diff(want, e.Metrics); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{`{"callId":"a"}`, `{"callId":"a","duration":0,"transcript":[{"role":"agent","content":"..."}]}`} {
		if m := normalize(t, body).Metrics; m.TalkRatio != nil || m.WordsPerMinute != nil {
			t.Errorf("%s: %+v", body, m)
		}
	}
}

func TestNormalizeHashes(t *testing.T) {
	a := normalize(t, `{"callId":"a","customerPhoneNumber":"+14155550119","mentionedEmail":"X@example.com"}`)
	b := normalize(t, `{"callId":"b","customerPhoneNumber":"(415) 555-0119","mentionedEmail":"x@example.com"}`)
	if a.CustomerKey == "" || a.CustomerKey != b.CustomerKey || a.EmailKey == "" || a.EmailKey != b.EmailKey {
		t.Errorf("%q %q, %q %q", a.CustomerKey, b.CustomerKey, a.EmailKey, b.EmailKey)
	}
	e, err := NewNormalizer(nil, nil).Normalize([]byte(`{"callId":"a","customerPhoneNumber":"+14155550119"}`), "", "", testReceived)
	if err != nil || e.CustomerKey != "" || e.CustomerPhoneNumber == "" {
		t.Errorf("without a key: %+v, %v", e, err)
	}
}

func TestNormalizeTakesAByteOrderMark(t *testing.T) {
	if e := normalize(t, "\ufeff \n{\"callId\":\"a\"}\n "); e.CallID != "a" {
		t.Errorf("%+v", e)
	}
}

func TestNormalizeBoundsTurns(t *testing.T) {
	body := `{"callId":"a","transcript":[` + strings.TrimSuffix(strings.Repeat("{},", maxTurns+1), ",") + `]}`
	if _, err := testNormalizer.Check([]byte(body)); err == nil || !strings.Contains(err.Error(), "more than 20000 turns") {
		t.Error(err)
	}
	e := normalize(t, `{"callId":"a","transcriptText":"`+strings.Repeat(`ai:\n`, 2*maxTurns)+`"}`)
	if len(e.Transcript) != maxTurns {
		t.Errorf("%d turns", len(e.Transcript))
	}
}
