package elastic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/postcall/postcall/connector"
)

// Removal is what retention takes out of one index.
type Removal struct {
	Index  string    `json:"index"`
	Action string    `json:"action"` // RemoveIndex, RemoveCalls or ErasePersonal
	Before time.Time `json:"before"` // calls that started before it; of a call without a start, when it was received
	Calls  int64     `json:"calls"`
	Done   int64     `json:"done"`
}

// What a Removal does.
const (
	RemoveIndex   = "drop the index"         // a month of which every call is too old
	RemoveCalls   = "delete the calls"       // whole documents
	ErasePersonal = "erase what is personal" // text and contacts; numbers, topics and outcomes stay
)

// retentionChunk is how many calls one request removes. An interruption loses nothing: what is left is found again.
const retentionChunk = 2000

// PlanRetention says what ApplyRetention would remove. It changes nothing.
func PlanRetention(ctx context.Context, cfg connector.ElasticsearchConfig, now time.Time) ([]Removal, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.planRetention(ctx, now)
}

// ApplyRetention removes the calls that are older than KeepDays, and what is personal of those older than KeepPersonalDays.
// It can be repeated, and interrupted. progress is called after each part that is done.
func ApplyRetention(ctx context.Context, cfg connector.ElasticsearchConfig, now time.Time, progress func(Removal)) ([]Removal, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	defer c.close()
	plan, err := c.planRetention(ctx, now)
	if err != nil {
		return nil, err
	}
	for i := range plan {
		if err := c.remove(ctx, &plan[i], now, progress); err != nil {
			return plan, fmt.Errorf("%s of %s: %w", plan[i].Action, plan[i].Index, err)
		}
	}
	return plan, nil
}

func (c *client) planRetention(ctx context.Context, now time.Time) ([]Removal, error) {
	found, err := c.look(ctx, c.alias)
	if err != nil {
		return nil, err
	}
	if problem := noAlias(found, c.alias); problem != "" {
		return nil, errors.New(problem)
	}
	var plan []Removal
	names := slices.Sorted(maps.Keys(found))
	for i, name := range names {
		if !hasOurCalls(c.alias, name) {
			continue
		}
		// The last one stays, so that there is an alias; so does this month's, which is written.
		last := i == len(names)-1 || name >= monthIndex(c.alias, now)
		removals, err := c.planIndexRetention(ctx, name, isMonth(c.alias, name) && !last, now)
		if err != nil {
			return nil, fmt.Errorf("count the old calls of %s: %w", name, err)
		}
		plan = append(plan, removals...)
	}
	return plan, nil
}

func (c *client) planIndexRetention(ctx context.Context, name string, whole bool, now time.Time) (plan []Removal, err error) {
	add := func(action string, days int) error {
		if days <= 0 {
			return nil
		}
		r := Removal{Index: name, Action: action, Before: now.UTC().AddDate(0, 0, -days)}
		if r.Calls, err = c.count(ctx, name, c.removes(r, now)); err == nil && r.Calls > 0 {
			plan = append(plan, r)
		}
		return err
	}
	if err := add(RemoveCalls, c.keepDays); err != nil {
		return nil, err
	}
	if whole && len(plan) == 1 {
		all, err := c.count(ctx, name, matchAll)
		if err != nil {
			return nil, err
		}
		if all == plan[0].Calls {
			plan[0].Action = RemoveIndex
		}
	}
	return plan, add(ErasePersonal, c.keepPersonalDays)
}

var matchAll = map[string]any{"match_all": map[string]any{}}

func boolOf(occur string, queries ...any) map[string]any {
	return map[string]any{"bool": map[string]any{occur: queries}}
}

// startedBefore finds the calls that are older than a time.
func startedBefore(t time.Time) map[string]any {
	older := func(field string) any {
		return map[string]any{"range": map[string]any{field: map[string]any{"lt": t.Format(time.RFC3339)}}}
	}
	noStart := boolOf("must_not", map[string]any{"exists": map[string]any{"field": "call_started"}})
	return boolOf("should", older("call_started"), boolOf("filter", noStart, older("received_at")))
}

// removes finds the calls that a removal is about.
func (c *client) removes(r Removal, now time.Time) map[string]any {
	if r.Action != ErasePersonal {
		return startedBefore(r.Before)
	}
	left := []any{startedBefore(r.Before), boolOf("must_not", map[string]any{"exists": map[string]any{"field": "personal_erased_at"}})}
	if c.keepDays > 0 {
		left = append(left, boolOf("must_not", startedBefore(now.UTC().AddDate(0, 0, -c.keepDays)))) // removed whole
	}
	return boolOf("filter", left...)
}

func (c *client) count(ctx context.Context, index string, query map[string]any) (int64, error) {
	var a struct {
		Count  int64
		Shards struct{ Failed int } `json:"_shards"`
	}
	if err := c.do(ctx, http.MethodPost, "/"+index+"/_count", map[string]any{"query": query}, &a); err != nil {
		return 0, c.sorted("count", err)
	}
	if a.Shards.Failed > 0 {
		return 0, errors.New("a shard did not answer")
	}
	return a.Count, nil
}

// personalFields are erased by KeepPersonalDays: what was said and written down of it, and who it was.
var personalFields = []string{
	"turns", "transcript_text", "user_text", "agent_text", "summary", "long_summary", "purpose", "key_points", "unanswered_questions",
	"action_items", "follow_up_reason", "caller_name", "customer_phone_number", "mentioned_email", "mentioned_date", "mentioned_time",
	"recording_url", "dashboard_url", "extra",
}

const eraseScript = `for (f in params.fields) { ctx._source.remove(f) } ctx._source.personal_erased_at = params.now`

func (c *client) remove(ctx context.Context, r *Removal, now time.Time, progress func(Removal)) error {
	query := c.removes(*r, now)
	switch r.Action {
	case RemoveIndex:
		return c.dropIndex(ctx, r, query, progress)
	case RemoveCalls:
		return c.byQuery(ctx, "_delete_by_query", map[string]any{"query": query}, r, progress)
	}
	script := map[string]any{"source": eraseScript, "params": map[string]any{"fields": personalFields, "now": now.UTC().Format(time.RFC3339)}}
	return c.byQuery(ctx, "_update_by_query", map[string]any{"query": query, "script": script}, r, progress)
}

// dropIndex removes an index, unless a call that is to stay has come into it since it was looked at.
func (c *client) dropIndex(ctx context.Context, r *Removal, query map[string]any, progress func(Removal)) error {
	if err := c.do(ctx, http.MethodPost, "/"+r.Index+"/_refresh", nil, nil); err != nil {
		return err
	}
	all, err := c.count(ctx, r.Index, matchAll)
	if err != nil {
		return err
	}
	old, err := c.count(ctx, r.Index, query)
	if err != nil {
		return err
	}
	if old < all {
		r.Action, r.Calls = RemoveCalls, old
		return c.byQuery(ctx, "_delete_by_query", map[string]any{"query": query}, r, progress)
	}
	if err := c.do(ctx, http.MethodDelete, "/"+r.Index, nil, nil); err != nil {
		return err
	}
	r.Done = r.Calls
	progress(*r)
	return nil
}

// byQuery changes the calls that a query finds, some at a time, until it finds none. A call that is written meanwhile is
// left, and found again.
func (c *client) byQuery(ctx context.Context, operation string, body map[string]any, r *Removal, progress func(Removal)) error {
	path := fmt.Sprintf("/%s/%s?conflicts=proceed&refresh=true&max_docs=%d&scroll_size=500", r.Index, operation, retentionChunk)
	for {
		var a struct {
			Total, Deleted, Updated int64
			Failures                []any
		}
		if err := c.do(ctx, http.MethodPost, path, body, &a); err != nil {
			return err
		}
		done := a.Deleted + a.Updated
		switch {
		case len(a.Failures) > 0:
			return fmt.Errorf("%d calls failed: run it again", len(a.Failures))
		case a.Total == 0:
			return nil
		case done == 0:
			return fmt.Errorf("%d calls are being written meanwhile: run it again", a.Total)
		}
		r.Done += done
		r.Calls = max(r.Calls, r.Done)
		progress(*r)
	}
}
