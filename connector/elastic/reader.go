package elastic

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// Reader answers questions about calls. It sends searches and nothing else, so read on the alias is all it needs. It is
// safe for use by several goroutines. What was loaded is found once the index was refreshed, within 5 seconds.
type Reader struct{ c *client }

// OpenReader checks the configuration and does not connect.
func OpenReader(cfg connector.ElasticsearchConfig) (*Reader, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Reader{c}, nil
}

// Close gives idle connections back.
func (r *Reader) Close() error {
	r.c.close()
	return nil
}

// Ping reports whether the alias can be searched.
func (r *Reader) Ping(ctx context.Context) error {
	_, err := r.search(ctx, query{"size": 0, "terminate_after": 1, "track_total_hits": false}, "")
	return err
}

// Visible says which calls there are for the one who asks.
type Visible struct {
	Tenant     string
	RedactedBy []string // transforms of which a call has been through one; none shows all calls
	Tests      bool     // tests as well
}

// query is a part of a search in Elasticsearch's own JSON. Values stand in it as values, never in a text.
type query = map[string]any

// filters are true of what is visible.
func (v Visible) filters() []any {
	all := []any{query{"term": query{"tenant": v.Tenant}}}
	if len(v.RedactedBy) > 0 {
		var through []any
		for _, name := range v.RedactedBy {
			through = append(through, query{"prefix": query{"transforms": name + "@"}})
		}
		all = append(all, query{"bool": query{"should": through, "minimum_should_match": 1}})
	}
	if !v.Tests {
		all = append(all, query{"bool": query{"must_not": query{"term": query{"is_test": true}}}})
	}
	return all
}

// Event returns the call, or nil where it isn't there or not visible. v.Tests doesn't matter: who has the id may see a test.
func (r *Reader) Event(ctx context.Context, v Visible, callID string) (*transforms.Event, error) {
	v.Tests = true
	only := append(v.filters(), query{"ids": query{"values": []string{docID(v.Tenant, callID)}}})
	a, err := r.search(ctx, query{"size": 1, "query": query{"bool": query{"filter": only}}, "track_total_hits": false, "_source": eventFields}, "")
	if err != nil || len(a.Hits.Hits) == 0 {
		return nil, err
	}
	e := a.Hits.Hits[0].Source.event()
	return &e, nil
}

// Latest returns the calls that started last, the newest first. It looks at few days first: sorting all calls that there are
// takes longer the more there are.
func (r *Reader) Latest(ctx context.Context, v Visible, n int) ([]transforms.Event, error) {
	for _, days := range []int{2, 60, 0} {
		filters := v.filters()
		if days > 0 {
			filters = append(filters, query{"range": query{"call_started": query{"gte": time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339)}}})
		}
		a, err := r.search(ctx, query{
			"size": n, "query": query{"bool": query{"filter": filters}}, "sort": byTime, "track_total_hits": false, "_source": eventFields,
		}, "")
		if err != nil {
			return nil, err
		}
		if len(a.Hits.Hits) < n && days > 0 {
			continue
		}
		events := make([]transforms.Event, len(a.Hits.Hits))
		for i := range a.Hits.Hits {
			events[i] = a.Hits.Hits[i].Source.event()
		}
		return events, nil
	}
	return nil, nil
}

// eventFields leaves out what the turns say already.
var eventFields = query{"excludes": []string{"user_text", "agent_text"}}

// byTime has the newest first, always in the same order.
var byTime = []any{query{"call_started": "desc"}, query{"call_id": "asc"}}

// searched is the answer to a search.
type searched struct {
	PIT      string `json:"pit_id"`
	TimedOut bool   `json:"timed_out"`
	Shards   struct{ Failed int }
	Hits     struct {
		Total struct {
			Value    int
			Relation string
		}
		Hits []foundCall
	}
}

// search sends one search: over the alias, or over what a point in time has pinned. preference is a text that brings the
// same question to the same copies of shards, whose scores can differ.
func (r *Reader) search(ctx context.Context, q query, preference string) (*searched, error) {
	path := "/" + r.c.alias + "/_search"
	if _, pinned := q["pit"]; pinned {
		path = "/_search"
	} else if preference != "" {
		h := fnv.New64a()
		_, _ = h.Write([]byte(preference)) // a hash takes everything
		path += "?preference=q" + strconv.FormatUint(h.Sum64(), 36)
	}
	q["timeout"] = strconv.FormatInt(max(r.c.timeout-time.Second, time.Second).Milliseconds(), 10) + "ms"
	var a searched
	if err := r.c.do(ctx, http.MethodPost, path, q, &a); err != nil {
		return nil, r.explain(err)
	}
	if a.TimedOut || a.Shards.Failed > 0 {
		return nil, fmt.Errorf("search %s: the answer is not whole (%d shards failed)", r.c.alias, a.Shards.Failed)
	}
	return &a, nil
}

// explain says what was tried and where the cure is; it holds nothing of the question.
func (r *Reader) explain(err error) error {
	if e, ok := errors.AsType[*httpError](err); ok {
		switch e.status {
		case http.StatusUnauthorized:
			return fmt.Errorf("search %s: %w: check POSTCALL_API_ELASTICSEARCH_API_KEY, or _USERNAME and _PASSWORD", r.c.alias, err)
		case http.StatusForbidden:
			return fmt.Errorf("search %s: %w: the key needs the privilege read on the alias", r.c.alias, err)
		case http.StatusNotFound:
			return fmt.Errorf("search %s: %w: check POSTCALL_API_ELASTICSEARCH_INDEX; %s", r.c.alias, err, cureMigrate)
		}
	}
	return fmt.Errorf("search %s: %w", r.c.alias, err)
}
