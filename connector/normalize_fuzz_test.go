package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/transforms"
)

// checkInvariants holds for every body.
func checkInvariants(t *testing.T, body []byte) {
	before := bytes.Clone(body)
	id, checked := testNormalizer.Check(body)
	e, err := testNormalizer.Normalize(body, "default", "phonely", testReceived)
	if !bytes.Equal(before, body) {
		t.Fatal("the body changed")
	}
	if (checked == nil) != (err == nil) || id != e.CallID {
		t.Fatalf("Check says %q, %v; Normalize %q, %v", id, checked, e.CallID, err)
	}
	if err != nil {
		var fe *FieldError
		if !errors.As(err, &fe) || fe.Status/100 != 4 || fe.Kind == "" || fe.Cure == "" || err.Error() != checked.Error() {
			t.Fatalf("%+v, %v", err, checked)
		}
		return
	}
	if id == "" || len(id) > maxCallID || e.CallStarted.IsZero() || e.Duration != nil && *e.Duration < 0 {
		t.Fatalf("%+v", e)
	}
	if e.Extra != nil && !json.Valid(e.Extra) {
		t.Fatalf("extra is no JSON: %s", e.Extra)
	}
	line, err := e.CanonicalJSON(nil)
	if err != nil || !utf8.Valid(line) {
		t.Fatalf("canonical: %v: %q", err, line)
	}
	checkStable(t, &e, line)
}

// checkStable normalizes the sender's part of a canonical event again: it must come out as it was.
func checkStable(t *testing.T, e *transforms.Event, line []byte) {
	var all, sent map[string]json.RawMessage
	if err := json.Unmarshal(line, &all); err != nil {
		t.Fatal(err)
	}
	sent = map[string]json.RawMessage{}
	for name, v := range all {
		if _, known := fieldByName[name]; known {
			sent[name] = v
		}
	}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	again, err := testNormalizer.Normalize(body, "default", "phonely", testReceived)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	again.Extra = e.Extra
	if e.Duration == nil { // with callEnded alone, the callStarted that follows makes a duration
		again.Duration, again.Metrics.WordsPerMinute = nil, nil
	}
	if diff := cmp.Diff(*e, again); diff != "" {
		t.Fatalf("normalizing again changes the event: %s", diff)
	}
}

func addSeeds(f *testing.F) {
	for _, folder := range []string{"webhooks", "refused"} {
		for _, body := range payloads(f, folder) {
			f.Add(body)
		}
	}
	f.Add([]byte(`{"callId":"a","callEnded":"2026-05-24T18:05:00Z"}`))
	f.Add([]byte(`{"callId":"a","transcriptText":"Agent: x\n\u00a0User : y\nbot:\nUser:","transcript":[{"role":"x\u2028","content":"a\r\n"}]}`))
}

func FuzzNormalize(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, body []byte) { checkInvariants(t, body) })
}

// FuzzText tries texts in every field that holds one, so that it gets past the syntax.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "Agent: hi\nUser: x", "not available", "2026-05-24T18:02:14Z", "12e3", "yes", "very good", "a\u0085b"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		body, err := json.Marshal(map[string]any{
			"callId": "a" + a, "transcriptText": a, "transcript": []any{map[string]any{"role": b, "content": a}, map[string]any{"role": "user", "content": b, a: b}},
			"summary": b, "keyPoints": []string{a, b}, "customerPhoneNumber": a, "mentionedEmail": b, "followUp": a, "sentiment": b, "z" + a: a,
		})
		if err != nil {
			t.Skip()
		}
		checkInvariants(t, body)
		body, err = json.Marshal(map[string]any{"callId": "a", "callStarted": a, "callEnded": b, "duration": b, "transcriptText": a})
		if err != nil {
			t.Skip()
		}
		checkInvariants(t, body)
	})
}

// benchBody is a call of about 8 KiB, both forms of the transcript included.
func benchBody() []byte {
	var turns []map[string]string
	var text strings.Builder
	say := []string{"Thanks for calling Riverside Auto, this is Sam. What can I do for you today?", "My brakes have been squealing since Monday — \"really\" loud. Could someone look at them?"}
	for i := range 34 {
		role := []string{"agent", "user"}[i%2]
		turns = append(turns, map[string]string{"role": role, "content": say[i%2]})
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString([]string{"Agent: ", "User: "}[i%2] + say[i%2])
	}
	body, err := json.Marshal(map[string]any{
		"callId": "call_9f2c41d07b", "agentName": "Riverside Auto Desk", "callerName": "Darnell Whitfield", "callDirection": "inbound",
		"callStarted": "2026-05-26T15:12:08Z", "callEnded": "2026-05-26T15:14:20Z", "duration": 132, "businessPhoneNumber": "+13125550142", "customerPhoneNumber": "+13125550177",
		"mentionedEmail": "d.whitfield@example.com", "mentionedDate": nil, "mentionedTime": "not available", "transcriptText": text.String(), "transcript": turns, "summary": strings.Repeat("Booked a brake inspection. ", 5),
		"longSummary": strings.Repeat("The agent offered two slots. ", 20), "purpose": "Book", "topic": "Booking", "sentiment": "positive", "keyPoints": []string{"one point", "another point"},
		"unansweredQuestions": []string{"Is there a loaner?"}, "actionItems": []string{"Call back"}, "followUp": "yes", "followUpReason": "loaner", "ai_success": "true",
		"recordingUrl": "https://app.phonely.ai/recordings/x.mp3", "dashboardUrl": "https://app.phonely.ai/calls/x", "endedReason": "caller_hangup",
	})
	if err != nil {
		panic(err)
	}
	return body
}

func BenchmarkNormalize(b *testing.B) {
	body := benchBody()
	f := func(name string, n *Normalizer, work func(*Normalizer) error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := work(n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	check := func(n *Normalizer) error { _, err := n.Check(body); return err }
	whole := func(n *Normalizer) error { _, err := n.Normalize(body, "default", "phonely", testReceived); return err }
	f("check", testNormalizer, check)
	f("normalize", NewNormalizer(nil, nil), whole)
	f("normalize+hashes", testNormalizer, whole)
}
