package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// monthDays is added to KeepDays where a month goes as a whole: its last call is that much younger than its index.
const monthDays = 31

// lifecycle is what there is of index lifecycle management for the monthly indices.
type lifecycle struct {
	supported bool
	found     bool
	keepDays  int    // of the policy that is there; 0 removes nothing
	refused   string // why it can't be seen
}

// policyMeta marks a policy as ours.
type policyMeta struct {
	ManagedBy string `json:"managed_by,omitempty"`
	KeepDays  int    `json:"keep_days"`
}

func (c *client) policyPath() string { return "/_ilm/policy/" + c.alias }

// lookLifecycle asks for the policy; with one index there can be none. A distribution without ILM has no such path.
func (c *client) lookLifecycle(ctx context.Context) (lifecycle, error) {
	if !c.byMonth {
		return lifecycle{}, nil
	}
	var got map[string]struct {
		Policy struct {
			Meta policyMeta `json:"_meta"`
		}
	}
	err := c.do(ctx, http.MethodGet, c.policyPath(), nil, &got)
	var e *httpError
	switch {
	case err == nil:
		p := got[c.alias].Policy.Meta
		if p.ManagedBy != "postcall" {
			return lifecycle{refused: "is somebody else's"}, nil
		}
		return lifecycle{supported: true, found: true, keepDays: p.KeepDays}, nil
	case !errors.As(err, &e):
		return lifecycle{}, err
	case e.status == http.StatusNotFound && e.kind == "resource_not_found_exception":
		return lifecycle{supported: true}, nil
	case e.status == http.StatusForbidden:
		return lifecycle{refused: "may not be seen by this key, which needs the privilege manage_ilm"}, nil
	case e.status == http.StatusBadRequest, e.status == http.StatusNotFound, e.status == http.StatusMethodNotAllowed:
		return lifecycle{refused: "is not known to this cluster"}, nil
	}
	return lifecycle{}, fmt.Errorf("look at the lifecycle policy %s: %w", c.alias, e)
}

// manages reports whether new months get the policy.
func (c *client) manages(l lifecycle) bool { return c.byMonth && l.supported && c.keepDays > 0 }

// planLifecycle makes the step for the policy; none where there is nothing to say.
func (c *client) planLifecycle(l lifecycle) []step {
	if !c.byMonth || c.keepDays == 0 && !l.found {
		return nil
	}
	s := step{Step: Step{Name: "lifecycle policy " + c.alias}}
	switch {
	case !l.supported:
		s.State = l.refused + ": run postcall retention --apply every day"
		return []step{s}
	case !l.found:
		s.State, s.Action = "missing", "create"
	case l.keepDays != c.keepDays:
		s.State, s.Action = days(l.keepDays)+", wanted "+days(c.keepDays), "update"
	default:
		s.State = "current"
		return []step{s}
	}
	s.do = func(ctx context.Context) error {
		return c.do(ctx, http.MethodPut, c.policyPath(), c.policy(), nil)
	}
	return []step{s}
}

func days(n int) string {
	if n == 0 {
		return "keeps for ever"
	}
	return "keeps " + strconv.Itoa(n) + " days"
}

// policy removes a month when the last call that can be in it is too old. Without KeepDays it does nothing, so that
// indices that have it stay.
func (c *client) policy() map[string]any {
	phases := map[string]any{"hot": map[string]any{"min_age": "0ms", "actions": map[string]any{}}}
	if c.keepDays > 0 {
		phases["delete"] = map[string]any{"min_age": strconv.Itoa(c.keepDays+monthDays) + "d", "actions": map[string]any{"delete": map[string]any{}}}
	}
	return map[string]any{"policy": map[string]any{"_meta": policyMeta{"postcall", c.keepDays}, "phases": phases}}
}

// planIndexLifecycle gives the policy to a month that has none. One that the operator has chosen stays.
func (c *client) planIndexLifecycle(name string, ix index, l lifecycle) []step {
	if !c.manages(l) || !isMonth(c.alias, name) || ix.Settings.Index.Lifecycle.Name != "" {
		return nil
	}
	return []step{{
		Step: Step{Name: "lifecycle of " + name, State: "missing", Action: "add"},
		do: func(ctx context.Context) error {
			return c.do(ctx, http.MethodPut, "/"+name+"/_settings", map[string]any{"index.lifecycle.name": c.alias}, nil)
		},
	}}
}
