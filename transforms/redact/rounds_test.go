package redact

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// everyRound is what Find returns if each round searches every text.
func everyRound(e *Engine, c Call) []Span {
	s := e.open(&c)
	defer func() { s.again = false; e.close(s) }()
	s.again = true
	s.all()
	return slices.Clone(s.spans)
}

// sameSpans compares two answers, in which equal parts of values can have different numbers.
func sameSpans(a, b []Span) bool {
	groups := map[int]int{0: 0}
	return slices.EqualFunc(a, b, func(x, y Span) bool {
		if _, seen := groups[x.Group]; !seen && y.Group != 0 {
			groups[x.Group] = y.Group
		}
		g := groups[x.Group]
		x.Group, y.Group = 0, y.Group-g
		return x == y
	})
}

// TestHashFolded holds the way without a copy to what it stands for.
func TestHashFolded(t *testing.T) {
	for _, w := range []string{"", "I'd", "couldn’t", "O’Brien", "'tis", "HERNÁNDEZ", "naïve’s", "a1-B", "Straße", "\xff’"} {
		if hashFolded(w) != hashWord(foldWord(w)) {
			t.Errorf("%q", w)
		}
	}
}

// TestTextsThatAreTheSameNeedNoSecondSearch compares with searches that leave no text out.
func TestTextsThatAreTheSameNeedNoSecondSearch(t *testing.T) {
	e := engine(t)
	compare := func(c Call) {
		t.Helper()
		if got, want := e.Find(c), everyRound(e, c); !sameSpans(got, want) {
			t.Fatalf("%+v\nfound %+v\n want %+v", c, got, want)
		}
	}
	calls, fields := labelled(t)
	sp := &speaker{Rand: rand.New(rand.NewPCG(11, 11))}
	fs := forms()
	for range 3000 {
		calls, fields = append(calls, sp.call(fs)), append(fields, Call{})
	}
	var long Call
	for i, turns := range calls {
		c := fields[i]
		for _, turn := range turns {
			c.Turns = append(c.Turns, Turn{turn.role, turn.text()})
			if i%3 == 0 && turn.role != "agent" {
				c.Texts = append(c.Texts, turn.text())
			}
		}
		compare(c)
		long.Turns, long.Texts = append(long.Turns, c.Turns...), append(long.Texts, c.Texts...)
		long.CallerName, long.Email, long.Phone = c.CallerName, c.Email, c.Phone
		if i%12 == 11 {
			compare(long)
			long = Call{}
		}
	}
	compare(conversation(64<<10, true))
}
