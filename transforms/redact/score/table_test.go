package main

import (
	"slices"
	"strings"
	"testing"
)

func TestRedactedRunes(t *testing.T) {
	f := func(text, after, gone string) {
		t.Helper()
		var b strings.Builder
		for i, g := range redactedRunes([]rune(text), after) {
			if g {
				b.WriteRune([]rune(text)[i])
			}
		}
		if b.String() != gone {
			t.Errorf("%q, %q: %q is gone, want %q", text, after, b.String(), gone)
		}
	}
	f("I am Zoë, 555", "I am [PERSON_1], [PHONE_1]", "Zoë555")
	f("a b", "a b", "")
	f("one two", "[PHONE:abcd] two", "one")
	f("[PHONE_1] is it", "[PHONE_1] is it", "[PHONE_1]")
	f("other text", "[X_1] nothing alike", "")
}

func TestTable(t *testing.T) {
	c := call{ID: "1", Source: "own/x", Variant: "s", Turns: []turn{
		{Role: "user", Content: "it's 555 1234 ok", Spans: []span{{5, 8, "PHONE", "g"}, {9, 13, "PHONE", "g"}}},
		{Role: "user", Content: "in Rome, Maria", Spans: []span{{3, 7, "IGNORE", ""}, {9, 14, "PERSON", ""}}},
	}}
	tb := newTable()
	tb.add(&c, []turn{{Content: "it's [PHONE_1] 1234 [X_1]"}, {Content: "in [X_1], [PERSON_1]"}})
	want := tally{calls: 1, spans: 3, full: 2, good: 8, over: 2, plain: 7, groups: 1}
	if got := *tb.lines["all"]; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var b strings.Builder
	if err := tb.print(&b); err != nil || !slices.Contains(strings.Fields(b.String()), "66.7") {
		t.Errorf("%v\n%s", err, b.String())
	}
}
