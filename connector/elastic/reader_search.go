package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postcall/postcall/transforms"
)

// Search is a question about many calls.
type Search struct {
	// Words are what is looked for: any of them, the calls with most and rarest first; "in quotes" together; -word leaves
	// out the calls that have it. Empty finds every call, the newest first.
	Words     string
	Role      string    // the words are in a turn of this role
	From, To  time.Time // calls that started from From on and before To; the zero time is no bound
	Agent     string    // name, in any case
	Topic     string    // of the taxonomy, or in the sender's words
	Sentiment string
	Limit     int // of calls
	After     Position
	Mark      Mark
}

// Mark is how highlights show the words that were found. HTML escapes the text around them.
type Mark struct {
	Before, After string
	HTML          bool
}

// Position is where a page ended. The zero value is before the first page.
type Position struct {
	PIT  string            `json:"p,omitempty"` // point in time that the pages share, from the second one on
	Sort []json.RawMessage `json:"s,omitempty"`
}

// Page is some of the calls that were found, the best first.
type Page struct {
	Hits    []Hit
	Total   int
	AtLeast bool      // there are more than Total
	Next    *Position // nil at the last page
}

// Hit is a call that was found. Event has everything but the transcript, the long summary and extra.
type Hit struct {
	Event      transforms.Event
	Score      float64
	Highlights []Highlight
}

// Highlight is a text in which words were found.
type Highlight struct {
	Field string // turn, summary, purpose, keyPoints, unansweredQuestions or actionItems
	Turn  int    // number of the turn, from 1
	Role  string // of the turn
	Text  string
}

// foundCall is one of searched.
type foundCall struct {
	Score     *float64 `json:"_score"`
	Source    document `json:"_source"`
	Sort      []json.RawMessage
	Highlight map[string][]string
	InnerHits struct {
		Turns struct {
			Hits struct {
				Hits []struct {
					Source struct {
						Seq  int
						Role string
					} `json:"_source"`
					Highlight map[string][]string
				}
			}
		}
	} `json:"inner_hits"`
}

const (
	pinned       = "1m" // how long a point in time waits for the next page
	turnsShown   = 3    // of a call
	shownAtMost  = 220  // characters of a fragment
	countedUntil = 10_000
)

// highlighted are the fields besides the turns, by their names in an event.
var highlighted = map[string]string{
	"summary": "summary", "purpose": "purpose", "key_points": "keyPoints", "unanswered_questions": "unansweredQuestions", "action_items": "actionItems",
}

// Search finds calls. Page after page shows each call once: from the second page on, all pages look at the same point in
// time, unless the client takes longer than a minute between two.
func (r *Reader) Search(ctx context.Context, v Visible, s Search) (*Page, error) {
	q := s.body(v)
	first := len(s.After.Sort) == 0
	if !first {
		q["search_after"] = s.After.Sort
		if s.After.PIT == "" {
			id, err := r.pin(ctx)
			if err != nil {
				return nil, err
			}
			s.After.PIT = id
		}
		q["pit"] = query{"id": s.After.PIT, "keep_alive": pinned}
	}
	a, err := r.search(ctx, q, s.Words+s.Agent+s.Topic)
	var gone *httpError
	if !first && errors.As(err, &gone) && gone.status == http.StatusNotFound { // the minute is over: go on behind the same call
		delete(q, "pit")
		q["search_after"] = s.After.Sort[:len(s.sort())]
		s.After.PIT = ""
		a, err = r.search(ctx, q, s.Words+s.Agent+s.Topic)
	}
	if err != nil {
		return nil, err
	}
	p := s.page(a)
	if p.Next == nil && a.PIT != "" {
		r.unpin(ctx, a.PIT)
	}
	return p, nil
}

// pin opens a point in time.
func (r *Reader) pin(ctx context.Context) (string, error) {
	var a struct{ ID string }
	if err := r.c.do(ctx, http.MethodPost, "/"+r.c.alias+"/_pit?keep_alive="+pinned, nil, &a); err != nil {
		return "", r.explain(err)
	}
	return a.ID, nil
}

// unpin gives it back; where that fails it ends by itself.
func (r *Reader) unpin(ctx context.Context, id string) {
	_ = r.c.do(ctx, http.MethodDelete, "/_pit", query{"id": id}, nil)
}

func (s *Search) page(a *searched) *Page {
	p := &Page{Total: a.Hits.Total.Value, AtLeast: a.Hits.Total.Relation == "gte"}
	hits := a.Hits.Hits
	if len(hits) > s.Limit {
		hits = hits[:s.Limit]
		p.Next = &Position{PIT: a.PIT, Sort: hits[s.Limit-1].Sort}
	}
	for i := range hits {
		p.Hits = append(p.Hits, hits[i].hit())
	}
	return p
}

func (f *foundCall) hit() Hit {
	h := Hit{Event: f.Source.event()}
	if f.Score != nil {
		h.Score = *f.Score
	}
	for _, t := range f.InnerHits.Turns.Hits.Hits {
		for _, text := range t.Highlight["turns.content"] {
			h.Highlights = append(h.Highlights, Highlight{Field: "turn", Turn: t.Source.Seq, Role: t.Source.Role, Text: text})
		}
	}
	for field, name := range highlighted {
		for _, text := range f.Highlight[field] {
			h.Highlights = append(h.Highlights, Highlight{Field: name, Text: text})
		}
	}
	slices.SortStableFunc(h.Highlights, func(a, b Highlight) int { return strings.Compare(rank(a.Field), rank(b.Field)) })
	return h
}

// rank has turns before everything else.
func rank(field string) string {
	if field == "turn" {
		return ""
	}
	return field
}

// body is the search without its place.
func (s *Search) body(v Visible) query {
	b := query{"filter": append(v.filters(), s.filters()...)}
	wanted, unwanted := splitWords(s.Words)
	if turns := s.turns(wanted); wanted != "" && s.Role != "" {
		b["must"] = []any{turns}
	} else if wanted != "" {
		b["must"] = []any{words(wanted, nil)}
		b["should"] = []any{turns} // marks the turns
	}
	if unwanted != "" {
		b["must_not"] = []any{words(unwanted, nil)}
	}
	q := query{
		"size": s.Limit + 1, "query": query{"bool": b}, "sort": s.sort(), "track_total_hits": countedUntil, "track_scores": s.Words != "",
		"_source": query{"excludes": []string{"turns", "transcript_text", "user_text", "agent_text", "long_summary", "extra"}},
	}
	if wanted != "" && s.Role == "" {
		fields := query{}
		for field := range highlighted {
			fields[field] = query{"number_of_fragments": 1, "fragment_size": shownAtMost}
		}
		q["highlight"] = s.mark(fields)
	}
	return q
}

func (s *Search) sort() []any {
	if s.Words == "" {
		return byTime
	}
	return append([]any{query{"_score": "desc"}}, byTime...)
}

var unwantedRE = regexp.MustCompile(`(^|\s)-("[^"]*"|[^\s"]+)`)

// splitWords takes the words with a - before them apart.
func splitWords(s string) (wanted, unwanted string) {
	for _, m := range unwantedRE.FindAllStringSubmatch(s, -1) {
		unwanted += m[2] + " "
	}
	return strings.TrimSpace(unwantedRE.ReplaceAllString(s, "$1")), strings.TrimSpace(unwanted)
}

// words looks for text in the given fields, or in all that the index searches by default. Prefixes and likeness are not
// offered: they can cost as much as the index is large.
func words(text string, fields []string) query {
	q := query{"query": text, "flags": "PHRASE|WHITESPACE"}
	if fields != nil {
		q["fields"] = fields
	}
	return query{"simple_query_string": q}
}

// turns looks for the words in single turns and marks them there.
func (s *Search) turns(wanted string) query {
	in := query{"must": []any{words(wanted, []string{"turns.content"})}}
	if s.Role != "" {
		in["filter"] = []any{query{"term": query{"turns.role": s.Role}}}
	}
	return query{"nested": query{
		"path": "turns", "score_mode": "max", "query": query{"bool": in},
		"inner_hits": query{
			"size": turnsShown, "_source": []string{"turns.seq", "turns.role"},
			"highlight": s.mark(query{"turns.content": query{"number_of_fragments": 1, "fragment_size": shownAtMost}}),
		},
	}}
}

func (s *Search) mark(fields query) query {
	encoder := "default"
	if s.Mark.HTML {
		encoder = "html"
	}
	return query{"pre_tags": []string{s.Mark.Before}, "post_tags": []string{s.Mark.After}, "encoder": encoder, "fields": fields}
}

func (s *Search) filters() (all []any) {
	within := query{}
	if !s.From.IsZero() {
		within["gte"] = s.From.UTC().Format(time.RFC3339Nano)
	}
	if !s.To.IsZero() {
		within["lt"] = s.To.UTC().Format(time.RFC3339Nano)
	}
	if len(within) > 0 {
		all = append(all, query{"range": query{"call_started": within}})
	}
	if s.Agent != "" {
		all = append(all, query{"term": query{"agent_name": query{"value": s.Agent, "case_insensitive": true}}})
	}
	if s.Topic != "" {
		all = append(all, query{"bool": query{"minimum_should_match": 1, "should": []any{
			query{"term": query{"topics": s.Topic}}, query{"term": query{"topic": query{"value": s.Topic, "case_insensitive": true}}},
		}}})
	}
	if s.Sentiment != "" {
		all = append(all, query{"term": query{"sentiment": s.Sentiment}})
	}
	if s.Role != "" && s.Words == "" {
		all = append(all, query{"nested": query{"path": "turns", "query": query{"term": query{"turns.role": s.Role}}}})
	}
	return all
}

// String is for logs: it holds nothing of what was asked.
func (s Search) String() string {
	return fmt.Sprintf("search of %d bytes of words, limit %d", len(s.Words), s.Limit)
}
