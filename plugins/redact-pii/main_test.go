package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/redact"
	"github.com/postcall/postcall/transforms/transformtest"
)

const testKey = "a key for tests only"

func sample() transforms.Event {
	return transforms.Event{
		CallID: "call_1", AgentName: "Maria at the front desk", CallerName: "Maria Hernandez",
		BusinessPhoneNumber: "+14155551212", CustomerPhoneNumber: "+14155557777", MentionedEmail: "maria.h@example.com",
		MentionedDate: "2026-05-29", MentionedTime: "10:30",
		TranscriptText: "User: Maria Hernandez, maria dot h at example dot com.",
		Transcript: []transforms.Turn{
			{Role: "agent", Content: "You've reached 415-555-1212 — is this 415-555-7777?", Words: 7},
			{Role: "user", Content: "Yes, four one five five five five double seven double seven. Maria.", Words: 11},
			{Role: "maria hernandez", Content: "the card is 4111 1111 1111 1111, it costs $1,672.00 on 05/29/2026", Words: 12},
		},
		Summary: "Maria Hernandez booked for May 29 at 10:30 AM", LongSummary: "maria.h@example.com was noted",
		Purpose: "call maria back", Topic: "Maria", Sentiment: "positive", FollowUp: "call +1 (415) 555-7777", FollowUpReason: "Hernandez asked",
		AISuccess: "true", EndedReason: "caller_hangup",
		KeyPoints: []string{"mail to maria.h@example.com"}, UnansweredQuestions: []string{"does Maria pay?"},
		ActionItems:  []string{"call 415.555.7777"},
		RecordingURL: "https://user:pw@app.example/r/call_1.mp3?token=s3cret&t=12", DashboardURL: "https://app.example/calls/call_1",
		Extra: json.RawMessage(`{ "note":"Maria \"H\"", "n": 14155557777,"epoch":1716573734000, "x":[{"maria.h@example.com":1, "o@p.example":2.50}], "caf\u00e9":"a<b" }`),
	}
}

func newRedactor(t testing.TB) *redactor {
	t.Helper()
	r, err := open(Settings{Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func apply(t testing.TB, r *redactor, e transforms.Event) transforms.Event {
	t.Helper()
	out, err := r.Transform(t.Context(), []transforms.Event{e})
	if err != nil || len(out) != 1 {
		t.Fatalf("%d events, %v", len(out), err)
	}
	return out[0]
}

func TestContract(t *testing.T) {
	transformtest.Run(t, func() transforms.Transformer { return newRedactor(t) })
}

func TestProcess(t *testing.T) {
	transformtest.RunProcess(t, transforms.Spec{Name: "redact-pii", Settings: json.RawMessage(`{"key":"` + testKey + `"}`)})
}

func TestEveryFieldIsRedacted(t *testing.T) {
	got := apply(t, newRedactor(t), sample())
	want := sample()
	want.CallerName = redact.Hash([]byte(testKey), redact.KindName, "maria hernandez")
	want.CustomerPhoneNumber = redact.Hash([]byte(testKey), redact.KindPhone, "(415) 555-7777")
	want.MentionedEmail = redact.Hash([]byte(testKey), redact.KindEmail, "Maria.H@example.com")
	want.TranscriptText = "User: [PERSON_1], [EMAIL_1]."
	want.Transcript[0].Content = "You've reached 415-555-1212 — is this [PHONE_1]?"
	want.Transcript[1].Content = "Yes, [PHONE_1]. [PERSON_1]."
	want.Transcript[2].Role = "[PERSON_1]"
	want.Transcript[2].Content = "the card is [CARD_1], it costs $1,672.00 on 05/29/2026"
	want.Summary, want.LongSummary = "[PERSON_1] booked for May 29 at 10:30 AM", "[EMAIL_1] was noted"
	want.Purpose, want.Topic = "call [PERSON_1] back", "[PERSON_1]"
	want.FollowUp, want.FollowUpReason = "call [PHONE_1]", "[PERSON_1] asked"
	want.KeyPoints[0], want.UnansweredQuestions[0], want.ActionItems[0] = "mail to [EMAIL_1]", "does [PERSON_1] pay?", "call [PHONE_1]"
	want.RecordingURL = "https://app.example/r/call_1.mp3?t=12"
	want.Extra = json.RawMessage(`{ "note":"[PERSON_1] \"H\"", "n": "[PHONE_1]","epoch":1716573734000, "x":[{"[EMAIL_1]":1, "[EMAIL_2]":2.50}], "caf\u00e9":"a<b" }`)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestTwiceIsOnce(t *testing.T) {
	r := newRedactor(t)
	once := apply(t, r, sample())
	again := once
	again.Transcript = slices.Clone(once.Transcript)
	again.KeyPoints = slices.Clone(once.KeyPoints)
	if d := cmp.Diff(once, apply(t, r, again)); d != "" {
		t.Errorf("(-once +twice)\n%s", d)
	}
}

func TestNothingRawIsLeftInTheJSON(t *testing.T) {
	e := apply(t, newRedactor(t), sample())
	e.AgentName = ""
	data, err := e.CanonicalJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ToLower(string(data))
	for _, raw := range []string{"maria", "hernandez", "5557777", "555-7777", "s3cret", "4111", "user:pw"} {
		if strings.Contains(text, raw) {
			t.Errorf("%q survives in %s", raw, text)
		}
	}
	if !json.Valid(data) {
		t.Error("the event is no valid JSON any more")
	}
}

func TestExtraThatIsNoJSONIsHeldBack(t *testing.T) {
	e := sample()
	e.Extra = json.RawMessage(`{"a":`)
	if e = apply(t, newRedactor(t), e); e.Outcome.Decision != transforms.Reject || e.Extra != nil {
		t.Errorf("outcome %+v, extra %s", e.Outcome, e.Extra)
	}
}

func TestItDoesNotStartUnlessItCanRedact(t *testing.T) {
	f := func(name string, s Settings, says string) {
		t.Helper()
		_, err := open(s)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		} else if s.Key != "" && strings.Contains(err.Error(), s.Key) {
			t.Errorf("%s: the error holds the key", name)
		}
	}
	f("no key", Settings{}, "no redaction key")
	f("a short key", Settings{Key: "shortkey"}, "at least 16")
	f("no policy file", Settings{Key: testKey, Policy: filepath.Join(t.TempDir(), "policy.yaml")}, "POSTCALL_REDACT_POLICY")
	f("a broken policy", Settings{Key: testKey, Policy: write(t, "types: {PHONE: hide}")}, `types: PHONE: "hide" is no mode`)
	f("an unknown setting", Settings{Key: testKey, Policy: write(t, "tpyes: {}")}, "tpyes")
	f("an unknown language", Settings{Key: testKey, Policy: write(t, "languages: [xx]")}, "unknown language")
	f("an unknown region", Settings{Key: testKey, Region: "XX"}, "two-letter code")
}

func write(t *testing.T, policy string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPolicy(t *testing.T) {
	f := func(policy string, check func(transforms.Event) bool) {
		t.Helper()
		r, err := open(Settings{Key: testKey, Policy: write(t, policy)})
		if err != nil {
			t.Fatal(err)
		}
		once := apply(t, r, sample())
		if !check(once) {
			t.Errorf("%s: %+v", policy, once)
		}
		again := once
		again.Transcript = slices.Clone(once.Transcript)
		again.KeyPoints = slices.Clone(once.KeyPoints)
		if d := cmp.Diff(once, apply(t, r, again)); d != "" {
			t.Errorf("%s: twice is not once: %s", policy, d)
		}
	}
	f("preset: strict", func(e transforms.Event) bool {
		return e.CallerName == "" && e.CustomerPhoneNumber == "" && e.TranscriptText == "User: [PERSON], [EMAIL]."
	})
	f("preset: pci", func(e transforms.Event) bool {
		return strings.HasPrefix(e.Transcript[2].Content, "the card is [CARD:1111], it") && redact.IsHash(redact.KindPhone, e.CustomerPhoneNumber)
	})
	f("preset: hipaa\nfields: {callerName: mask, customerPhoneNumber: keep}", func(e transforms.Event) bool {
		return e.CallerName == "[PERSON]" && e.CustomerPhoneNumber == "+14155557777" && e.MentionedEmail == ""
	})
	f("types: {PHONE: hash, PERSON: keep}", func(e transforms.Event) bool {
		_, h, _ := strings.Cut(redact.Hash([]byte(testKey), redact.KindPhone, "+14155557777"), "_")
		return strings.Contains(e.Transcript[1].Content, "[PHONE:"+h+"]") && strings.Contains(e.Transcript[1].Content, "Maria")
	})
	f("allow: [Maria Hernandez]", func(e transforms.Event) bool { return strings.HasPrefix(e.Summary, "Maria Hernandez booked") })
}

// FuzzExtra holds that any JSON stays valid JSON, and that redacting it again changes nothing.
func FuzzExtra(f *testing.F) {
	f.Add(string(sample().Extra))
	f.Add(`[1234567,-4155557777,4.155557777e9,"\u0000\"4155557777\"",null,{"":{}}]`)
	f.Add(`{"a@b.co":1,"c@d.co":2,"[EMAIL]":3,"[EMAIL]#2":4}`)
	f.Fuzz(func(t *testing.T, doc string) {
		r := newRedactor(t)
		e := apply(t, r, transforms.Event{CallID: "1", CustomerPhoneNumber: "+14155557777", Extra: json.RawMessage(doc)})
		if e.Outcome.Decision == transforms.Reject {
			return
		}
		if doc != "" && !json.Valid(e.Extra) {
			t.Fatalf("%q became %q", doc, e.Extra)
		}
		once := string(e.Extra)
		e.CustomerPhoneNumber = "+14155557777"
		if again := apply(t, r, e); string(again.Extra) != once {
			t.Fatalf("%q became %q, then %q", doc, once, again.Extra)
		}
	})
}

func BenchmarkTransform(b *testing.B) {
	r := newRedactor(b)
	for b.Loop() {
		e := sample()
		if _, err := r.Transform(b.Context(), []transforms.Event{e}); err != nil {
			b.Fatal(err)
		}
	}
}
