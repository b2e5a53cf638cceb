package source

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What is proposed for a vendor's body finds what the shipped mapping finds.
func TestProposedMappingsWork(t *testing.T) {
	tests := map[string][]string{
		"vapi":       {"callId", "agentName", "callerName", "callStarted", "callEnded", "businessPhoneNumber", "customerPhoneNumber", "summary", "ai_success", "endedReason", "recordingUrl"},
		"retell":     {"callId", "agentName", "callDirection", "callStarted", "callEnded", "duration", "businessPhoneNumber", "customerPhoneNumber", "summary", "sentiment", "ai_success", "endedReason", "recordingUrl", "dashboardUrl", "transcript"},
		"elevenlabs": {"callId", "agentName", "callDirection", "callStarted", "duration", "businessPhoneNumber", "customerPhoneNumber", "summary", "topic", "ai_success", "endedReason"},
	}
	for name, fields := range tests {
		body := read(t, "testdata/"+name+".json")
		text, err := Propose(body)
		if err != nil {
			t.Fatal(err)
		}
		events := map[string]map[string]any{}
		for which, m := range map[string]func() (*Mapping, error){
			"proposed": func() (*Mapping, error) { return NewMapping("test", text) },
			"shipped":  func() (*Mapping, error) { return Shipped("test", name) },
		} {
			m, err := m()
			if err != nil {
				t.Fatalf("%s: %v\n%s", which, err, text)
			}
			b, err := m.Map(body, 1<<20)
			if err != nil {
				t.Fatalf("%s: %v\n%s", which, err, text)
			}
			var e map[string]any
			if err := json.Unmarshal(b, &e); err != nil {
				t.Fatal(err)
			}
			events[which] = e
		}
		for _, f := range fields {
			if got, want := fmt.Sprint(events["proposed"][f]), fmt.Sprint(events["shipped"][f]); got != want {
				t.Errorf("%s: proposed %s is %s, want %s\n%s", name, f, got, want, text)
			}
		}
		if turns, _ := events["proposed"]["transcript"].([]any); len(turns) < 3 {
			t.Errorf("%s: no turns proposed:\n%s", name, text)
		}
	}
	if text, err := Propose([]byte(`{"a b":{"x":1}}`)); err != nil || !strings.Contains(text, "callId: error(") {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := Propose([]byte(`7`)); err == nil {
		t.Error("a number is taken")
	}
}

func TestUnusedFieldsAreFound(t *testing.T) {
	set, err := Adhoc("crm", `{callId: .id, transcript: [.turns[] | {role: .who, content: .text}], summary: (if .score > 3 then "good" else null end)}`)
	if err != nil {
		t.Fatal(err)
	}
	unused, err := set.Named("crm").Unused([]byte(`{"id":"a","turns":[{"who":"user","text":"hi","at":1},{"who":"user","text":"ho","at":2}],"score":3,"extra":{"a b":null},"tags":["x"]}`), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(unused), `[.extra["a b"] .tags[] .turns[].at]`; got != want {
		t.Errorf("unused %s, want %s", got, want)
	}
	for _, name := range ShippedNames() {
		set, err := Adhoc("x", name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Named("x").Unused(read(t, "testdata/"+name+".json"), 1<<20); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
