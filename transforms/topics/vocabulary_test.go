package topics

import (
	"slices"
	"testing"
)

// spellings feed the test and the benchmark.
var spellings = []struct {
	field, raw, value string
	known             bool
}{
	{"sentiment", "positive", "positive", true},
	{"sentiment", " Very  Positive!", "positive", true},
	{"sentiment", "frustrated", "negative", true},
	{"sentiment", "grumpy", "negative", true}, // of the file
	{"sentiment", "calm", "mixed", true},      // the file wins
	{"sentiment", "N/A", Unknown, true},
	{"sentiment", "somewhere in between", "", false},
	{"sentiment", "", "", false},
	{"follow_up", "Yes.", "yes", true},
	{"follow_up", "yes, by Monday", "yes", true},
	{"follow_up", "no", "no", true},
	{"follow_up", "no idea", "", false},
	{"follow_up", "yesterday", "", false},
	{"ai_success", "True", "yes", true},
	{"ai_success", "partially", "", false},
	{"ended_reason", "caller_hangup", "caller_hangup", true},
	{"ended_reason", "Caller hung up", "caller_hangup", true},
	{"ended_reason", "customer-ended-call", "caller_hangup", true},
	{"ended_reason", "pipeline-error-openai-llm-failed", "error", true},
	{"ended_reason", "assistant-said-end-call-phrase", "agent_hangup", true},
	{"ended_reason", "kicked out", "kicked_out", true}, // of the file
	{"ended_reason", "errors everywhere", "", false},
}

const testVocabularies = `vocabularies:
  sentiment:
    negative: [grumpy]
    mixed: calm
  ended_reason:
    kicked_out: []
`

func TestVocabularies(t *testing.T) {
	vs := matcher(t, testVocabularies).Vocabularies()
	for _, s := range spellings {
		if value, known := vs.Of(s.field).Read(s.raw); value != s.value || known != s.known {
			t.Errorf("%s %q: %q, %v, want %q, %v", s.field, s.raw, value, known, s.value, s.known)
		}
	}
	if got := vs.EndedReason.Values(); !slices.Contains(got, "kicked_out") || !slices.Contains(got, "transfer") || slices.Contains(got, Unknown) {
		t.Errorf("ended reasons are %q", got)
	}
	if vs.Of("mood") != nil {
		t.Error("there is a vocabulary for mood")
	}
}

func BenchmarkVocabulary(b *testing.B) {
	vs := Default().Vocabularies()
	b.ReportAllocs()
	for b.Loop() {
		for i := range spellings {
			vs.Of(spellings[i].field).Read(spellings[i].raw)
		}
	}
}
