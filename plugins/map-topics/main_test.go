package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/transformtest"
)

func newMapper(t testing.TB, rules string) *mapper {
	t.Helper()
	m, err := open(Settings{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestContract(t *testing.T) {
	transformtest.Run(t, func() transforms.Transformer { return newMapper(t, "") })
}

func TestProcess(t *testing.T) {
	transformtest.RunProcess(t, transforms.Spec{Name: "map-topics"})
}

func TestTopicsComeFromEveryKindOfRules(t *testing.T) {
	const rules = "other: rest\ntopics:\n  - {name: Fish, any: [trout], fields: [transcript]}\n"
	path := filepath.Join(t.TempDir(), "topics.yaml")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(rules, says string, want ...string) {
		t.Helper()
		batch := []transforms.Event{{CallID: "1", Topics: []string{"old"}, Transcript: []transforms.Turn{{Role: "agent", Content: says}, {Role: "user", Content: says}}}}
		out, err := newMapper(t, rules).Transform(t.Context(), batch)
		if err != nil || !slices.Equal(out[0].Topics, want) || (out[0].TopicRule == "") != (out[0].TopicConfidence == 0) {
			t.Errorf("%q: %q, %v, want %q", says, out[0].Topics, err, want)
		}
	}
	f(rules, "a trout please", "Fish")
	f(path, "a trout please", "Fish")
	f(path, "a bird", "rest")
	f("", "a refund please", "Billing/Refund")
	f("", "a bird", "other")
}

func TestSpellingsAreReadByTheVocabularies(t *testing.T) {
	m := newMapper(t, "vocabularies:\n  sentiment: {negative: [grumpy]}\n  ended_reason: {queue_full: [no agent free]}\n")
	f := func(in, want transforms.Event) {
		t.Helper()
		out, err := m.Transform(t.Context(), []transforms.Event{in})
		if err != nil {
			t.Fatal(err)
		}
		got := out[0]
		if got.SentimentKind != want.SentimentKind || !same(got.FollowUpBool, want.FollowUpBool) || !same(got.AISuccessBool, want.AISuccessBool) ||
			got.EndedReasonKind != want.EndedReasonKind || got.EndedReason != in.EndedReason {
			t.Errorf("%+v becomes %+v", in, got)
		}
	}
	f(transforms.Event{Sentiment: "Grumpy", FollowUp: "follow up needed", AISuccess: "resolved", EndedReason: "No agent free."},
		transforms.Event{SentimentKind: "negative", FollowUpBool: new(true), AISuccessBool: new(true), EndedReasonKind: "queue_full"})
	f(transforms.Event{Sentiment: "none", SentimentKind: "positive", FollowUp: "unclear", FollowUpBool: new(true), EndedReason: "unheard of", EndedReasonKind: "error"},
		transforms.Event{})
	f(transforms.Event{Sentiment: "so so", SentimentKind: "mixed", AISuccess: "partially", AISuccessBool: new(false)},
		transforms.Event{SentimentKind: "mixed", AISuccessBool: new(false)})
}

func same(a, b *bool) bool { return a == b || a != nil && b != nil && *a == *b }

func TestItDoesNotStartWithRulesThatAreWrong(t *testing.T) {
	f := func(rules, says string) {
		t.Helper()
		if _, err := open(Settings{Rules: rules}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", rules, err, says)
		}
	}
	f("/no/such/file.yaml", "/no/such/file.yaml")
	f("topics:\n  - name: A\n", "line 2")
}
