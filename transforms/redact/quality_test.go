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
		c.Turns = append(c.Turns, Turn{t.role, t.text()})
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

// labelled reads the calls of testdata/calls.txt.
func labelled(t testing.TB) (calls [][]talkTurn, fields []Call) {
	t.Helper()
	data, err := os.ReadFile("testdata/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(data), "\n\n") {
		var turns []talkTurn
		var given Call
		for line := range strings.Lines(block) {
			role, said, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch role {
			case "a":
				turns = append(turns, talkTurn{"agent", pieces(said)})
			case "u":
				turns = append(turns, talkTurn{"user", pieces(said)})
			case "fields":
				for f := range strings.SplitSeq(said, "; ") {
					switch name, v, _ := strings.Cut(f, "="); name {
					case FieldName:
						given.CallerName = v
					case FieldEmail:
						given.Email = v
					case FieldPhone:
						given.Phone = v
					}
				}
			}
		}
		if len(turns) > 0 {
			calls, fields = append(calls, turns), append(fields, given)
		}
	}
	return calls, fields
}

// pieces reads "it's {PHONE|five five five}".
func pieces(s string) (out []piece) {
	for {
		before, rest, ok := strings.Cut(s, "{")
		if before != "" {
			out = append(out, text(before))
		}
		if !ok {
			return out
		}
		value, after, _ := strings.Cut(rest, "}")
		typ, v, _ := strings.Cut(value, "|")
		out = append(out, piece{v, Type(typ)})
		s = after
	}
}

// TestLabelledCalls holds the figures on the calls of our own writing.
func TestLabelledCalls(t *testing.T) {
	e := engine(t)
	q := newQuality()
	calls, fields := labelled(t)
	for i := range calls {
		q.judge(e, calls[i], fields[i])
	}
	q.hold(t, 0.98, 0.98, 0.005)
}

// hold fails where the figures are below these.
func (q *quality) hold(t *testing.T, recall, precision, over float64) {
	t.Helper()
	t.Log(q)
	if q.spans < 40 {
		t.Fatalf("only %d values were judged", q.spans)
	}
	if ratio(q.full, q.spans) < recall || ratio(q.personal, q.personal+q.over) < precision || ratio(q.over, q.plain) > over {
		t.Errorf("recall below %g, precision below %g or over-redaction above %g:\nleaks:\n%s\ntoo much:\n%s", recall, precision, over,
			strings.Join(q.leaks[:min(20, len(q.leaks))], "\n"), strings.Join(q.excessive[:min(20, len(q.excessive))], "\n"))
	}
}

// TestSpokenCalls holds the figures on generated calls, and on each type of value.
func TestSpokenCalls(t *testing.T) {
	e := engine(t)
	q := newQuality()
	s := &speaker{Rand: rand.New(rand.NewPCG(7, 7))}
	fs := forms()
	for range 2000 {
		q.judge(e, s.call(fs), Call{})
	}
	q.hold(t, 0.98, 0.99, 0.002)
	for typ, n := range q.byType {
		if ratio(n[0], n[1]) < 0.93 {
			t.Errorf("%s: %d of %d are found", typ, n[0], n[1])
		}
	}
}
