package redact

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// Type is the kind of a personal value. A token is the type in brackets.
type Type string

// The types this version finds.
const (
	Person Type = "PERSON"
	Phone  Type = "PHONE"
	Email  Type = "EMAIL"
	Card   Type = "CARD"
	SSN    Type = "SSN"
	IBAN   Type = "IBAN"
	IP     Type = "IP"
	URL    Type = "URL"
)

// DefaultRegion is the region that phone numbers without country code are read in unless Options say otherwise.
const DefaultRegion = "US"

// Options configure an Engine. The zero value is good.
type Options struct {
	// Region is the two-letter region of phone numbers without country code; empty means DefaultRegion.
	Region string
}

// Engine finds and redacts. It is safe for concurrent use and keeps nothing of a call.
type Engine struct {
	region  string
	nanp    bool // the region is one of the North American numbering plan
	scratch sync.Pool
}

// New returns an engine, or an error where the options make none.
func New(o Options) (*Engine, error) {
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	cc := phonenumbers.GetCountryCodeForRegion(o.Region)
	if cc == 0 {
		return nil, fmt.Errorf("unknown phone region %q: use a two-letter code in capitals, for example US or GB", o.Region)
	}
	e := &Engine{region: o.Region, nanp: cc == 1}
	e.scratch.New = func() any { return new(scan) }
	return e, nil
}

// Call is one conversation and what is known about the caller. Unknown fields are empty.
type Call struct {
	CallerName string
	Email      string
	Phone      string   // of the caller, best in E.164
	Keep       []string // phone numbers that are no secret, for example the business's own: they stay in the texts
	Turns      []Turn
	Texts      []string // the other texts about the call: summary, key points, notes
}

// Turn is one utterance.
type Turn struct {
	Role, Content string
}

// Span is a personal value in a call.
type Span struct {
	Text       int // counts Call.Turns first, then Call.Texts
	Start, End int // byte offsets in that text, End exclusive
	Type       Type
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
	return slices.Clone(s.all(&c))
}

// Redact returns the call with each value in its turns and texts replaced by a token. The call it is given is not
// changed; roles and the structured fields are returned as they are.
func (e *Engine) Redact(c Call) Call {
	s := e.open(&c)
	defer e.close(s)
	spans := s.all(&c)
	if len(spans) == 0 {
		return c
	}
	out := c
	out.Turns, out.Texts = slices.Clone(c.Turns), slices.Clone(c.Texts)
	for len(spans) > 0 {
		i := spans[0].Text
		n := 1
		for n < len(spans) && spans[n].Text == i {
			n++
		}
		if text := replace(c.Text(i), spans[:n]); i < len(c.Turns) {
			out.Turns[i].Content = text
		} else {
			out.Texts[i-len(c.Turns)] = text
		}
		spans = spans[n:]
	}
	return out
}

// replace puts the tokens of the spans into the text they are of.
func replace(text string, spans []Span) string {
	n := len(text)
	for _, s := range spans {
		n += len(s.Type) + 2 - (s.End - s.Start)
	}
	var b strings.Builder
	b.Grow(n)
	at := 0
	for _, s := range spans {
		b.WriteString(text[at:s.Start])
		b.WriteByte('[')
		b.WriteString(string(s.Type))
		b.WriteByte(']')
		at = s.End
	}
	b.WriteString(text[at:])
	return b.String()
}
