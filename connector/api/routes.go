package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/connector/elastic"
	"github.com/postcall/postcall/transforms"
)

// route is a question of REST.
type route struct {
	path         string // with at most one {name}, at its end
	id, text     string
	scope        Scope
	store        store // "" needs none
	params       []parameter
	answer       string // name of its schema
	notFound     bool   // it can answer 404
	unanswerable bool   // it can answer 422
	do           func(ctx context.Context, a *API, c *caller, q asked) (any, error)
}

// routes are all of them.
var routes = []route{
	{
		path: "/phonely/events/{callId}", id: "getEvent", scope: ScopeEvents, store: callStore, answer: "Event", notFound: true,
		text:   "The call as it was loaded, after redaction, also of a test",
		params: []parameter{param("callId").path()},
		do: func(ctx context.Context, a *API, c *caller, q asked) (any, error) {
			e, err := a.event(ctx, c, q.text("callId"))
			if err != nil {
				return nil, err
			}
			return canonical(e)
		},
	}, {
		path: "/phonely/events", id: "latestEvents", scope: ScopeEvents, store: callStore, answer: "Events",
		text:   "The calls that started last, the newest first",
		params: []parameter{param("latest").must(), param("tests")},
		do: func(ctx context.Context, a *API, c *caller, q asked) (any, error) {
			return a.latest(ctx, c, q.number("latest", fields["latest"]), q.flag("tests"))
		},
	}, {
		path: "/calls", id: "searchCalls", scope: ScopeCalls, store: callStore, answer: "Calls", unanswerable: true,
		text: "Full text over transcripts and summaries. Highlights are HTML: the text is escaped, and what was found stands in <em>",
		params: []parameter{
			param("query"), param("role"), param("from"), param("to"), param("agent"), param("topic"), param("sentiment"), param("tests"),
			param("calls").as("limit"), param("cursor"),
		},
		do: func(ctx context.Context, a *API, c *caller, q asked) (any, error) {
			return a.search(ctx, c, q, q.number("limit", fields["calls"]), elastic.Mark{Before: "<em>", After: "</em>", HTML: true})
		},
	}, {
		path: "/metrics", id: "listMetrics", scope: ScopeMetrics, store: metricStore, answer: "Catalogue",
		text: "The metrics there are, what they mean and what they can be grouped by",
		do: func(context.Context, *API, *caller, asked) (any, error) {
			return catalogueOf(), nil
		},
	}, {
		path: "/metrics/{name}", id: "getMetric", scope: ScopeMetrics, store: metricStore, answer: "Numbers", notFound: true, unanswerable: true,
		text:   "A metric of the catalogue, grouped by what is asked for",
		params: []parameter{param("metric").as("name").path(), param("group_by"), param("from"), param("to"), param("rows").as("limit")},
		do: func(ctx context.Context, a *API, c *caller, q asked) (any, error) {
			return a.metric(ctx, c, q.text("name"), q, q.number("limit", fields["rows"]))
		},
	},
}

// events are the newest calls.
type events struct {
	Events []json.RawMessage `json:"events"`
}

func (a *API) latest(ctx context.Context, c *caller, n int, tests bool) (*events, error) {
	found, err := a.calls.Latest(ctx, a.visible(c, tests), n)
	if err != nil {
		return nil, err
	}
	out := &events{[]json.RawMessage{}}
	for i := range found {
		b, err := canonical(&found[i])
		if err != nil {
			return nil, err
		}
		out.Events = append(out.Events, b)
	}
	return out, nil
}

// canonical is the event in the form that postcall transform prints.
func canonical(e *transforms.Event) (json.RawMessage, error) { return e.CanonicalJSON(nil) }

// catalogue is every metric.
type catalogue struct {
	Metrics []metricEntry `json:"metrics"`
}

// metricEntry is a metric without its numbers.
type metricEntry struct {
	Name       string   `json:"name"`
	Definition string   `json:"definition" jsonschema:"what it means"`
	Key        []string `json:"key" jsonschema:"dimensions that every answer is grouped by"`
	Dimensions []column `json:"dimensions" jsonschema:"what it can be grouped by"`
	Columns    []column `json:"columns" jsonschema:"its numbers"`
}

func catalogueOf() *catalogue {
	out := &catalogue{}
	for i := range clickhouse.Metrics {
		out.Metrics = append(out.Metrics, entryOf(&clickhouse.Metrics[i]))
	}
	return out
}

func entryOf(m *clickhouse.Metric) metricEntry {
	e := metricEntry{Name: m.Name, Definition: m.Definition, Key: some(m.Key)}
	for _, d := range dimensionsOf(m) {
		e.Dimensions = append(e.Dimensions, column{Name: d.Name, Meaning: d.Comment})
	}
	for _, c := range m.Columns {
		e.Columns = append(e.Columns, column{Name: c.Name, Unit: string(c.Unit), Meaning: c.Comment})
	}
	return e
}

// statuses are the answers besides 200 that a route can give.
func (r *route) statuses() []int {
	all := []int{http.StatusNotModified, 400, 401, 403, 405, 429, 501, 503}
	if r.notFound {
		all = append(all, 404)
	}
	if r.unanswerable {
		all = append(all, 422)
	}
	return all
}
