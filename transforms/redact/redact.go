package redact

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// DefaultRegion is the region that phone numbers without country code are read in unless Options say otherwise.
const DefaultRegion = "US"

// Options configure an Engine. The zero value is good.
type Options struct {
	// Region is the two-letter region of phone numbers without country code; empty means DefaultRegion.
	Region string
	// Languages are the languages that callers speak, by the names of their word files; empty means English.
	Languages []string
	// Policy says what is done with each type; the zero value writes numbered tags.
	Policy Policy
	// Key is that of the hashes that the policy asks for.
	Key []byte
}

// Engine finds and redacts. It is safe for concurrent use and keeps nothing of a call.
type Engine struct {
	region  string
	nanp    bool // the region is one of the North American numbering plan
	tensAnd bool // "treinta y cinco"
	lex     *lexicon
	types   []Type
	sizes   []size
	letters kinds
	keep    kinds
	modes   []Mode
	key     []byte
	codes   kinds // types whose values are digits or codes
	allow   []string
	custom  []custom
	scratch sync.Pool
}

// New returns an engine, or an error where the options make none.
func New(o Options) (*Engine, error) {
	if o.Region == "" {
		o.Region = cmp.Or(o.Policy.Region, DefaultRegion)
	}
	cc := phonenumbers.GetCountryCodeForRegion(o.Region)
	if cc == 0 {
		return nil, fmt.Errorf("unknown phone region %q: use a two-letter code in capitals, for example US or GB", o.Region)
	}
	if len(o.Languages) == 0 {
		o.Languages = o.Policy.Languages
	}
	if len(o.Languages) == 0 {
		o.Languages = []string{"en"}
	}
	e := &Engine{
		region: o.Region, nanp: cc == 1, letters: letterKinds, key: o.Key, tensAnd: slices.Contains(o.Languages, "es"),
		codes: codeKinds,
	}
	if err := e.apply(&o.Policy); err != nil {
		return nil, err
	}
	lex, err := newLexicon(o.Languages)
	if err != nil {
		return nil, err
	}
	e.lex = lex
	e.cuesOf(&o.Policy)
	e.scratch.New = func() any { return new(scan) }
	return e, nil
}

// Call is one conversation and what is known about the caller. Unknown fields are empty.
type Call struct {
	CallerName string
	Email      string
	Phone      string   // of the caller, best in E.164
	Keep       []string // what is no secret and stays in the texts: the business's phone number, the agent's name
	Turns      []Turn
	Texts      []string // the other texts about the call: summary, key points, notes
}

// Turn is one utterance. The roles agent, assistant, bot and ai ask; all others answer.
type Turn struct {
	Role, Content string
}

// Span is a personal value in a call.
type Span struct {
	Text       int // counts Call.Turns first, then Call.Texts
	Start, End int // byte offsets in that text, End exclusive
	Type       Type
	Value      string // the canonical form, the same for all the ways of saying a value
	Rule       string // what found it: cue, question, shape, known, list and so on
	Group      int    // not 0: the spans of a call with the same group are parts of one value
}

// Text returns the i-th text of the call, as Span.Text counts them.
func (c *Call) Text(i int) string {
	if i < len(c.Turns) {
		return c.Turns[i].Content
	}
	return c.Texts[i-len(c.Turns)]
}

// Find returns the personal values in the call, ordered by text and start. Spans don't overlap and are not empty.
func (e *Engine) Find(c Call) []Span {
	s := e.open(&c)
	defer e.close(s)
	s.all()
	return slices.Clone(s.spans)
}

// Redact returns the call with each value in its turns and texts replaced by a tag. The call it is given is not changed;
// roles and the structured fields are returned as they are.
func (e *Engine) Redact(c Call) Call {
	s := e.open(&c)
	defer e.close(s)
	s.all()
	return e.replaceAll(&c, s.spans)
}

// Replace returns the call with the spans that Find returned for it replaced by tags.
func (e *Engine) Replace(c Call, spans []Span) Call { return e.replaceAll(&c, spans) }

func (e *Engine) replaceAll(c *Call, spans []Span) Call {
	if len(spans) == 0 {
		return *c
	}
	out := *c
	out.Turns, out.Texts = slices.Clone(c.Turns), slices.Clone(c.Texts)
	tags := e.newTags(c, spans)
	for len(spans) > 0 {
		i := spans[0].Text
		n := 1
		for n < len(spans) && spans[n].Text == i {
			n++
		}
		if text := tags.replace(c.Text(i), spans[:n]); i < len(c.Turns) {
			out.Turns[i].Content = text
		} else {
			out.Texts[i-len(c.Turns)] = text
		}
		spans = spans[n:]
	}
	return out
}

// tags writes tags, and counts the values of a type.
type tags struct {
	e     *Engine
	index map[string]int
	next  map[Type]int
	whole map[string]string // a value that is part of a longer one: that one
	buf   []byte

	groups map[int]int // the numbers of values that were said in parts
}

func (e *Engine) newTags(c *Call, spans []Span) *tags {
	t := &tags{e: e, index: make(map[string]int, len(spans)), next: map[Type]int{}}
	for i := range len(c.Turns) + len(c.Texts) { // numbers that are taken already
		text := c.Text(i)
		for at := strings.IndexByte(text, '['); at >= 0; {
			if n, k := e.tagAt(text[at:]); n > 0 {
				tag := text[at+1 : at+n-1]
				if u := strings.LastIndexByte(tag, '_'); u > 0 && k != kOther && digitsOf(tag[u+1:]) == tag[u+1:] {
					v := 0
					for _, d := range tag[u+1:] {
						v = v*10 + int(d-'0')
					}
					t.next[e.types[k]] = max(t.next[e.types[k]], v)
				}
			}
			next := strings.IndexByte(text[at+1:], '[')
			if next < 0 {
				break
			}
			at += 1 + next
		}
	}
	t.parts(spans)
	return t
}

// maxParts is how many values of a call are compared with each other.
const maxParts = 64

// parts notes which values are parts of others: "maria" of "maria hernandez", the first digits of a number.
func (t *tags) parts(spans []Span) {
	seen := map[string]bool{}
	var all []*Span
	for i := range spans {
		s := &spans[i]
		if k := t.e.kindOf(s.Type); k != kPerson && !t.e.codes.has(k) {
			continue
		}
		if key := string(s.Type) + s.Value; !seen[key] {
			seen[key] = true
			all = append(all, s)
		}
		if len(all) > maxParts {
			return
		}
	}
	t.whole = map[string]string{}
	for _, s := range all {
		best := s.Value
		for _, o := range all {
			if o.Type == s.Type && len(o.Value) > len(best) && isPart(s, o.Value) {
				best = o.Value
			}
		}
		t.whole[string(s.Type)+s.Value] = best
	}
}

// isPart tells whether a value is part of a longer one.
func isPart(s *Span, v string) bool {
	if s.Type != Person {
		return len(s.Value) >= 2 && strings.Contains(v, s.Value)
	}
	for w := range strings.FieldsSeq(s.Value) {
		if !strings.Contains(" "+v+" ", " "+w+" ") {
			return false
		}
	}
	return s.Value != ""
}

// replace puts the tags of the spans into the text they are of.
func (t *tags) replace(text string, spans []Span) string {
	b, at := t.buf[:0], 0
	for i := range spans {
		s := &spans[i]
		b = append(b, text[at:s.Start]...)
		b = t.tag(b, s)
		at = s.End
	}
	b = append(b, text[at:]...)
	t.buf = b
	return string(b)
}
