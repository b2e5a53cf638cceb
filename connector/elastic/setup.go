package elastic

import (
	"context"
	"errors"
	"fmt"

	"github.com/postcall/postcall/connector"
)

// Step is one thing that postcall needs in Elasticsearch.
type Step struct {
	Name   string `json:"name"`
	State  string `json:"state"`            // as it was found: "current", "missing", "version 1, wanted 2" ...
	Action string `json:"action,omitempty"` // what Apply does about it; empty where nothing is to be done
}

// step is a Step with the work, which is nil where there is none.
type step struct {
	Step
	do func(ctx context.Context) error
}

// Status looks at what is there: the component template, the index template, the index and its alias.
func Status(ctx context.Context, cfg connector.ElasticsearchConfig) ([]Step, error) {
	steps, err := Plan(ctx, cfg)
	for i := range steps {
		steps[i].Action = ""
	}
	return steps, err
}

// Plan says what Apply would do. It changes nothing.
func Plan(ctx context.Context, cfg connector.ElasticsearchConfig) ([]Step, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	defer c.close()
	steps, err := c.plan(ctx)
	return plain(steps), explain(err)
}

// Apply creates what is missing and brings older versions up to date. It can be repeated, also by several processes at
// once, and never deletes or replaces an index. It returns the steps as they were found, with what was done; after an
// error, those that were taken.
func Apply(ctx context.Context, cfg connector.ElasticsearchConfig) ([]Step, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	defer c.close()
	steps, err := c.plan(ctx)
	if err != nil {
		return nil, explain(err)
	}
	for i, s := range steps {
		if s.do == nil {
			continue
		}
		if err := s.do(ctx); err != nil {
			return plain(steps[:i]), explain(fmt.Errorf("%s %s: %w", s.Action, s.Name, err))
		}
	}
	return plain(steps), nil
}

func plain(steps []step) []Step {
	out := make([]Step, len(steps))
	for i := range steps {
		out[i] = steps[i].Step
	}
	return out
}

// explain adds Elasticsearch's reason, which is about the schema here and quotes no call.
func explain(err error) error {
	var e *httpError
	if errors.As(err, &e) && e.reason != "" {
		return fmt.Errorf("%w: %s", err, e.reason)
	}
	return err
}
