package api

import (
	"cmp"
	"context"
	"time"

	"github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/connector/elastic"
	"github.com/postcall/postcall/transforms"
)

// call is what answers say of a call that was found, without its transcript.
type call struct {
	CallID              string      `json:"callId" jsonschema:"id of the call"`
	CallStarted         time.Time   `json:"callStarted" jsonschema:"when it began, UTC"`
	Duration            *float64    `json:"duration" jsonschema:"length in seconds; null where not known"`
	AgentName           string      `json:"agentName" jsonschema:"name of the AI agent"`
	CallDirection       string      `json:"callDirection" jsonschema:"as the sender names it"`
	Topic               string      `json:"topic" jsonschema:"in the sender's words"`
	Topics              []string    `json:"topics" jsonschema:"of the taxonomy"`
	Sentiment           string      `json:"sentiment" jsonschema:"positive, neutral, negative or mixed; empty where not known"`
	AISuccess           *bool       `json:"aiSuccess" jsonschema:"whether the agent reached its goal; null where not known"`
	FollowUp            *bool       `json:"followUp" jsonschema:"whether somebody has to follow up; null where not known"`
	EndedReason         string      `json:"endedReason" jsonschema:"how it ended, for example caller_hangup; a word of the sender's where the vocabulary has none"`
	Purpose             string      `json:"purpose" jsonschema:"why the caller called"`
	Summary             string      `json:"summary" jsonschema:"short summary"`
	UnansweredQuestions []string    `json:"unansweredQuestions" jsonschema:"questions that the agent could not answer"`
	ActionItems         []string    `json:"actionItems" jsonschema:"what is to be done"`
	IsTest              bool        `json:"isTest" jsonschema:"whether it is a test"`
	Score               float64     `json:"score" jsonschema:"how well it matches the words; 0 without words"`
	Highlights          []highlight `json:"highlights" jsonschema:"texts in which words were found, turns first"`
}

// highlight is a text in which words were found.
type highlight struct {
	Field string `json:"field" jsonschema:"turn, summary, purpose, keyPoints, unansweredQuestions or actionItems"`
	Turn  int    `json:"turn,omitempty" jsonschema:"number of the turn, from 1"`
	Role  string `json:"role,omitempty" jsonschema:"who speaks in the turn"`
	Text  string `json:"text" jsonschema:"the text around the words, with a mark before and behind each"`
}

// calls are a page.
type calls struct {
	Calls      []call `json:"calls" jsonschema:"the best ones first; without words the newest first"`
	Total      int    `json:"total" jsonschema:"how many there are over all pages"`
	More       bool   `json:"totalIsAtLeast" jsonschema:"whether there are more than total"`
	From       string `json:"from" jsonschema:"calls that started from then on"`
	To         string `json:"to,omitempty" jsonschema:"calls that started before then"`
	NextCursor string `json:"nextCursor,omitempty" jsonschema:"asks for the next page; absent at the last one"`
}

func factsOf(e *transforms.Event) call {
	return call{
		CallID: e.CallID, CallStarted: e.CallStarted, Duration: e.Duration, AgentName: e.AgentName, CallDirection: e.CallDirection, Topic: e.Topic,
		Topics: some(e.Topics), Sentiment: e.SentimentKind, AISuccess: e.AISuccessBool, FollowUp: e.FollowUpBool, EndedReason: cmp.Or(e.EndedReasonKind, e.EndedReason),
		Purpose: e.Purpose, Summary: e.Summary, UnansweredQuestions: some(e.UnansweredQuestions), ActionItems: some(e.ActionItems), IsTest: e.IsTest,
		Highlights: []highlight{},
	}
}

// some is never null in JSON.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// event finds a call by its id.
func (a *API) event(ctx context.Context, c *caller, id string) (*transforms.Event, error) {
	e, err := a.calls.Event(ctx, a.visible(c, true), id)
	if err == nil && e == nil {
		return nil, problemf(404, "there is no such call")
	}
	return e, err
}

// search finds calls, or goes on where a page ended.
func (a *API) search(ctx context.Context, c *caller, q asked, limit int, mark elastic.Mark) (*calls, error) {
	p, err := a.placeOf(c, q)
	if err != nil {
		return nil, err
	}
	page, err := a.calls.Search(ctx, a.visible(c, p.Tests), elastic.Search{
		Words: p.Words, Role: p.Role, From: p.From, To: p.To, Agent: p.Agent, Topic: p.Topic, Sentiment: p.Sentiment, Limit: limit, After: p.At, Mark: mark,
	})
	if err != nil {
		return nil, err
	}
	out := &calls{Calls: []call{}, Total: page.Total, More: page.AtLeast, From: stamp(p.From), To: stamp(p.To)}
	for i := range page.Hits {
		h := &page.Hits[i]
		f := factsOf(&h.Event)
		f.Score = h.Score
		for _, t := range h.Highlights {
			f.Highlights = append(f.Highlights, highlight(t))
		}
		out.Calls = append(out.Calls, f)
	}
	if page.Next != nil {
		p.At = *page.Next
		out.NextCursor, err = c.cursor(p)
	}
	return out, err
}

// placeOf is the question, at its first page or where the cursor is.
func (a *API) placeOf(c *caller, q asked) (place, error) {
	if cursor := q.text("cursor"); cursor != "" {
		for name := range q {
			if name != "cursor" && name != "limit" && q[name] != false && q[name] != "" { // a default, or nothing
				return place{}, problemf(422, "cursor holds the question already: leave out %s", name)
			}
		}
		return c.place(cursor)
	}
	from, to, err := a.span(q)
	if err != nil {
		return place{}, err
	}
	return place{
		Words: q.text("query"), Role: q.text("role"), From: from, To: to, Agent: q.text("agent"), Topic: q.text("topic"), Sentiment: q.text("sentiment"), Tests: q.flag("tests"),
	}, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// numbers are the answer of a metric.
type numbers struct {
	Metric     string           `json:"metric" jsonschema:"its name"`
	Definition string           `json:"definition" jsonschema:"what it means"`
	From       string           `json:"from" jsonschema:"calls that started from then on"`
	To         string           `json:"to,omitempty" jsonschema:"calls that started before then"`
	Columns    []column         `json:"columns" jsonschema:"what the rows have"`
	Rows       []clickhouse.Row `json:"rows" jsonschema:"in the order of time, then the largest first number first; null is not known"`
	More       bool             `json:"more" jsonschema:"whether there are more rows than the limit"`
}

// column is what a row has by that name.
type column struct {
	Name    string `json:"name"`
	Unit    string `json:"unit,omitempty" jsonschema:"of a number; a dimension has none"`
	Meaning string `json:"meaning"`
}

// metric answers a question of the catalogue.
func (a *API) metric(ctx context.Context, c *caller, name string, q asked, limit int) (*numbers, error) {
	m, ok := clickhouse.FindMetric(name)
	if !ok {
		return nil, problemf(404, "there is no such metric; /metrics lists them")
	}
	from, to, err := a.span(q)
	if err != nil {
		return nil, err
	}
	question := clickhouse.Query{GroupBy: q.list("group_by"), From: from, To: to, Tenant: c.tenant, Limit: limit, RedactedBy: a.cfg.RedactedBy}
	out := &numbers{Metric: m.Name, Definition: m.Definition, From: stamp(from), To: stamp(to)}
	if out.Columns, err = columnsOf(&m, question.GroupBy); err != nil {
		return nil, err
	}
	out.Rows, out.More, err = a.metrics.Metric(ctx, &m, question)
	out.Rows = some(out.Rows)
	return out, err
}

// columnsOf says what the rows have: the dimensions asked for, then the key, then the numbers.
func columnsOf(m *clickhouse.Metric, groupBy []string) ([]column, error) {
	can := map[string]string{}
	var names []string
	for _, d := range dimensionsOf(m) {
		can[d.Name] = d.Comment
		names = append(names, d.Name)
	}
	var all []column
	seen := map[string]bool{}
	for _, name := range append(append([]string{}, groupBy...), m.Key...) {
		if can[name] == "" {
			return nil, problemf(422, "%s can't be grouped by that: choose of %v", m.Name, names)
		}
		if !seen[name] {
			all = append(all, column{Name: name, Meaning: can[name]})
		}
		seen[name] = true
	}
	for _, c := range m.Columns {
		all = append(all, column{Name: c.Name, Unit: string(c.Unit), Meaning: c.Comment})
	}
	return all, nil
}

// dimensionsOf leaves out the tenant: a token has one.
func dimensionsOf(m *clickhouse.Metric) (can []clickhouse.Dimension) {
	for _, d := range m.Dimensions() {
		if d.Name != "tenant" {
			can = append(can, d)
		}
	}
	return can
}
