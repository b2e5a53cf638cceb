package redact

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"testing"
)

// quality counts how well the values of labelled calls are found, on letters and digits only.
type quality struct {
	spans, full      int
	personal, over   int // characters that were redacted
	plain            int // characters that are nobody's
	byType           map[Type][2]int
	leaks, excessive []string
}

func newQuality() *quality { return &quality{byType: map[Type][2]int{}} }

// judge runs the engine over a call and counts.
func (q *quality) judge(e *Engine, turns []talkTurn, given Call) {
	c := given
	for _, t := range turns {
		var b strings.Builder
		for _, p := range t.pieces {
			b.WriteString(p.text)
		}
		c.Turns = append(c.Turns, Turn{t.role, b.String()})
	}
	hit := make([][]bool, len(turns))
	for i := range turns {
		hit[i] = make([]bool, len(c.Turns[i].Content))
	}
	for _, s := range e.Find(c) {
		for k := s.Start; k < s.End; k++ {
			hit[s.Text][k] = true
		}
	}
	for i, t := range turns {
		at := 0
		for _, p := range t.pieces {
			q.piece(p, hit[i][at:at+len(p.text)], &c, i)
			at += len(p.text)
		}
	}
}

func (q *quality) piece(p piece, hit []bool, c *Call, turn int) {
	all, n := true, 0
	for k := range hit {
		if ch := p.text[k]; !isDigit(ch) && !isLetter(ch) && ch < 0x80 {
			continue
		}
		switch {
		case p.typ == "IGNORE":
		case p.typ == "" && hit[k]:
			q.over++
			q.plain++
			n++
		case p.typ == "":
			q.plain++
		case hit[k]:
			q.personal++
		default:
			all = false
		}
	}
	where := func() string {
		before := ""
		if turn > 0 {
			before = c.Turns[turn-1].Content
		}
		return fmt.Sprintf("%s %q in %s: %q after %q", p.typ, p.text, c.Turns[turn].Role, c.Turns[turn].Content, before)
	}
	if n > 0 {
		q.excessive = append(q.excessive, where())
	}
	if p.typ == "" || p.typ == "IGNORE" {
		return
	}
	q.spans++
	b := q.byType[p.typ]
	b[1]++
	if all {
		q.full++
		b[0]++
	} else {
		q.leaks = append(q.leaks, where())
	}
	q.byType[p.typ] = b
}

func ratio(a, b int) float64 { return float64(a) / float64(max(b, 1)) }

func (q *quality) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "recall %.3f of %d values, precision %.3f, over-redaction %.4f\n", ratio(q.full, q.spans), q.spans, ratio(q.personal, q.personal+q.over), ratio(q.over, q.plain))
	var ts []string
	for t := range q.byType {
		ts = append(ts, string(t))
	}
	sort.Strings(ts)
	for _, t := range ts {
		fmt.Fprintf(&b, "  %-16s %.3f of %d\n", t, ratio(q.byType[Type(t)][0], q.byType[Type(t)][1]), q.byType[Type(t)][1])
	}
	return b.String()
}

// TestSpokenCalls holds the figures on generated calls.
func TestSpokenCalls(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := newQuality()
	s := &speaker{Rand: rand.New(rand.NewPCG(7, 7))}
	fs := forms()
	for range 3000 {
		q.judge(e, s.call(fs), Call{})
	}
	if file := os.Getenv("REDACT_LEAKS"); file != "" {
		_ = os.WriteFile(file, []byte(strings.Join(q.leaks, "\n")+"\n----\n"+strings.Join(q.excessive, "\n")), 0o600)
	}
	t.Log(q)
}
