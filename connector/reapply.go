package connector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postcall/postcall/transforms/topics"
)

// Mapped is what map-topics makes of a call, as both stores have it.
type Mapped struct {
	Topics      []string
	Confidence  float64
	Rule        string
	Sentiment   string
	FollowUp    *bool
	AISuccess   *bool
	EndedReason string
}

// StoredCall is what a store has of a call that topics and vocabularies are made of.
type StoredCall struct {
	Key     SinkKey
	Version int64
	Text    topics.Call
	Texts   bool // Text has summary, purpose and the like, as far as there were any; retention may have erased them
	Turns   bool // it has the turns of the call, as far as there were any
	// The sender's spellings.
	Sentiment, FollowUp, AISuccess, EndedReason string
	Was                                         Mapped
	Old                                         bool // an earlier release wrote it: fields of a mapping are missing
	Origin                                      any  // the store's own note about it
}

// CallPage is a part of the calls of a store, in an order of the store's own.
type CallPage struct {
	Calls []StoredCall
	Next  string // where the next page begins; "" behind the last one
}

// Remapper is an optional ability of a Loader: to walk through its calls, and to replace what map-topics made of them.
type Remapper interface {
	// CountCalls returns about how many calls there are.
	CountCalls(ctx context.Context) (int, error)
	// ReadCalls returns the page that begins behind after; "" is the first one.
	ReadCalls(ctx context.Context, after string) (CallPage, error)
	// Remap gives calls of a page another mapping, under the version they have: a call that has another version by now, or
	// is gone, is left as it is. It is safe to repeat.
	Remap(ctx context.Context, calls []StoredCall, to []Mapped) error
}

// Transcripts is an optional ability of a Loader: to return what was said in calls. Calls it doesn't have are missing in
// the result.
type Transcripts interface {
	Turns(ctx context.Context, keys []SinkKey) (map[SinkKey][]topics.Turn, error)
}

// Reapply brings a taxonomy to the calls that a store has.
type Reapply struct {
	Rules *topics.Matcher
	// Turns says where the transcripts are that a store doesn't have; nil is nowhere.
	Turns Transcripts
	// Progress is told after each page how many calls were read and changed, and where the next one begins.
	Progress func(seen, changed int, next string) error
	// Changed, if not nil, is told of every call that changes.
	Changed func(was, is Mapped)
	DryRun  bool
}

// pageRest is left between two pages, for other tools that want the store.
const pageRest = 50 * time.Millisecond

// Reapply walks through the calls of a sink's store, from after on, and maps them again. The sink goes on meanwhile; other
// tools that change the store, such as an erasure, and a page take turns, so that none brings back what the other removed.
func (o *Operator) Reapply(ctx context.Context, s *Sink, r *Reapply, after string) error {
	store, ok := s.Loader.(Remapper)
	if !ok {
		return fmt.Errorf("sink %s can't map its calls again", s.Name)
	}
	seen, changed := 0, 0
	for {
		var page CallPage
		err := o.leased(ctx, s, func(ctx context.Context) (err error) {
			if page, err = store.ReadCalls(ctx, after); err != nil {
				return err
			}
			n, err := r.page(ctx, store, &page)
			changed += n
			return err
		})
		if err != nil {
			return fmt.Errorf("map the calls of %s again: %w", s.Name, err)
		}
		seen, after = seen+len(page.Calls), page.Next
		if err := r.Progress(seen, changed, after); err != nil {
			return err
		}
		if after == "" {
			return nil
		}
		if err := sleep(ctx, pageRest); err != nil {
			return err
		}
	}
}

// page maps the calls of a page again, and returns how many of them change.
func (r *Reapply) page(ctx context.Context, store Remapper, page *CallPage) (int, error) {
	if err := r.fetchTurns(ctx, page.Calls); err != nil {
		return 0, err
	}
	var calls []StoredCall
	var to []Mapped
	for i := range page.Calls {
		c := &page.Calls[i]
		is := r.remap(c)
		if is.equal(&c.Was) && !c.Old {
			continue
		}
		if r.Changed != nil {
			r.Changed(c.Was, is)
		}
		calls, to = append(calls, *c), append(to, is)
	}
	if r.DryRun || len(calls) == 0 {
		return len(calls), nil
	}
	return len(calls), store.Remap(ctx, calls, to)
}

// fetchTurns adds what was said where a rule looks at it and the store doesn't have it.
func (r *Reapply) fetchTurns(ctx context.Context, calls []StoredCall) error {
	if r.Turns == nil || !r.Rules.LooksAtTurns() {
		return nil
	}
	var keys []SinkKey
	for i := range calls {
		if !calls[i].Turns {
			keys = append(keys, calls[i].Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := r.Turns.Turns(ctx, keys)
	if err != nil {
		return fmt.Errorf("read transcripts: %w", err)
	}
	for i := range calls {
		if turns, ok := found[calls[i].Key]; ok {
			calls[i].Text.Turns, calls[i].Turns = turns, true
		}
	}
	return nil
}

// remap is what the rules make of a call now.
func (r *Reapply) remap(c *StoredCall) Mapped {
	found := r.Rules.Match(c.Text)
	m := Mapped{Topics: found.Topics, Confidence: found.Confidence, Rule: found.Rule}
	if !c.Texts || !c.Turns && r.Rules.LooksAtTurns() {
		r.keep(&m, c)
	}
	v := r.Rules.Vocabularies()
	m.Sentiment = sentimentKind(c.Sentiment)
	if value, known := v.Sentiment.Read(c.Sentiment); known {
		m.Sentiment = strings.TrimPrefix(value, topics.Unknown)
	}
	m.FollowUp, m.AISuccess = readBy(v.FollowUp, c.FollowUp), readBy(v.AISuccess, c.AISuccess)
	m.EndedReason = c.EndedReason
	if value, known := v.EndedReason.Read(c.EndedReason); known {
		m.EndedReason = value
	}
	return m
}

// keep keeps the topics that may have been found in what isn't there any more, a transcript or all texts: to drop them
// would lose what can't be looked up. A topic that is gone from the taxonomy goes.
func (r *Reapply) keep(m *Mapped, c *StoredCall) {
	was := &c.Was
	nothing := m.Rule == "" // other alone
	for i, name := range was.Topics {
		switch again := c.Text.Topic != "" && strings.HasSuffix(was.Rule, " in topic"); {
		case name == r.Rules.Other(), !r.Rules.Has(name), i == 0 && again, c.Texts && !r.Rules.NeedsTurns(name):
			continue
		}
		if slices.ContainsFunc(m.Topics, func(t string) bool { return t == name || strings.HasPrefix(t, name+"/") }) {
			continue
		}
		if nothing {
			nothing, m.Topics = false, nil
			if i == 0 {
				m.Confidence, m.Rule = was.Confidence, was.Rule
			}
		}
		m.Topics = append(m.Topics, name)
	}
}

func readBy(v *topics.Vocabulary, raw string) *bool {
	switch value, known := v.Read(raw); {
	case !known:
		return readBool(raw)
	case value == topics.Unknown:
		return nil
	default:
		return new(value == "yes")
	}
}

// equal compares to the digits that both stores keep of a confidence.
func (m *Mapped) equal(was *Mapped) bool {
	same := func(a, b *bool) bool { return a == b || a != nil && b != nil && *a == *b }
	return slices.Equal(m.Topics, was.Topics) && float32(m.Confidence) == float32(was.Confidence) && m.Rule == was.Rule &&
		m.Sentiment == was.Sentiment && same(m.FollowUp, was.FollowUp) && same(m.AISuccess, was.AISuccess) && m.EndedReason == was.EndedReason
}
