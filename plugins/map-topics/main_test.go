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
		if err != nil || !slices.Equal(out[0].Topics, want) {
			t.Errorf("%q: %q, %v, want %q", says, out[0].Topics, err, want)
		}
	}
	f(rules, "a trout please", "Fish")
	f(path, "a trout please", "Fish")
	f(path, "a bird", "rest")
	f("", "a refund please", "Refund")
	f("", "a bird", "other")
}

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
