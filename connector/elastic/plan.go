package elastic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// plan compares what is there with what is wanted. Its error says where a step would have to destroy something.
func (c *client) plan(ctx context.Context) ([]step, error) {
	want, err := c.wanted()
	if err != nil {
		return nil, err
	}
	if err := c.checkSynonyms(ctx, want); err != nil {
		return nil, err
	}
	lifecycle, err := c.lookLifecycle(ctx)
	if err != nil {
		return nil, err
	}
	steps := c.planLifecycle(lifecycle)
	if c.manages(lifecycle) {
		want.meta.Lifecycle = c.alias
	}
	for _, t := range c.templates(want) {
		s, err := c.planTemplate(ctx, t)
		if err != nil {
			return steps, err
		}
		steps = append(steps, s)
	}
	want.meta.Lifecycle = "" // of an index it is a setting
	var rest []step
	if c.byMonth {
		rest, err = c.planMonths(ctx, want, lifecycle)
	} else {
		rest, err = c.planIndex(ctx, want)
	}
	return append(steps, rest...), err
}

// wantedTemplate is a component or index template as it should be.
type wantedTemplate struct {
	name, path string
	meta       meta
	body       map[string]any
}

// templates are the two that make every index of the alias: one of ours, and in the index template a place for the
// operator's own settings (<alias>@custom), which win and which postcall never touches.
func (c *client) templates(s schema) []wantedTemplate {
	component, custom := c.alias+"@template", c.alias+"@custom"
	t, want := s.template(), s.meta
	index := map[string]any{
		"version":                            templateVersion,
		"priority":                           300,
		"index_patterns":                     []string{strings.TrimSuffix(c.alias, "-") + "-*"},
		"composed_of":                        []string{component, custom},
		"ignore_missing_component_templates": []string{custom},
	}
	if c.byMonth {
		want.IndexBy = "month"
		index["template"] = map[string]any{"aliases": map[string]any{c.alias: map[string]any{}}}
	}
	index["_meta"] = want
	return []wantedTemplate{
		{"component template " + component, "/_component_template/" + component, s.meta, map[string]any{
			"_meta":    s.meta,
			"version":  templateVersion,
			"template": map[string]any{"settings": t.Settings, "mappings": t.Mappings},
		}},
		{"index template " + c.alias, "/_index_template/" + c.alias, want, index},
	}
}

func (c *client) planTemplate(ctx context.Context, t wantedTemplate) (step, error) {
	type withMeta struct {
		Meta meta `json:"_meta"`
	}
	var found struct {
		Component []struct {
			T withMeta `json:"component_template"`
		} `json:"component_templates"`
		Index []struct {
			T withMeta `json:"index_template"`
		} `json:"index_templates"`
	}
	s := step{Step: Step{Name: t.name}}
	err := c.do(ctx, http.MethodGet, t.path, nil, &found)
	var e *httpError
	switch {
	case errors.As(err, &e) && e.status == http.StatusNotFound:
		s.State, s.Action = "missing", "create"
	case err != nil:
		return s, fmt.Errorf("look at %s: %w", t.name, err)
	case len(found.Component) == 1:
		s.State, s.Action = compare(found.Component[0].T.Meta, t.meta)
	case len(found.Index) == 1:
		s.State, s.Action = compare(found.Index[0].T.Meta, t.meta)
	default:
		return s, fmt.Errorf("look at %s: unexpected answer", t.name)
	}
	if s.Action != "" {
		s.do = func(ctx context.Context) error { return c.do(ctx, http.MethodPut, t.path, t.body, nil) }
	}
	return s, nil
}

// compare says how a state stands to the wanted one. A newer one is left alone: another pod may be ahead.
func compare(found, want meta) (state, action string) {
	switch {
	case found == want:
		return "current", ""
	case found.Version > want.Version:
		return fmt.Sprintf("version %d, newer than this program's %d", found.Version, want.Version), ""
	case found.Version < want.Version:
		return fmt.Sprintf("version %d, wanted %d", found.Version, want.Version), "update"
	case found.IndexBy != want.IndexBy:
		return "by " + cmp.Or(found.IndexBy, "none") + ", wanted by " + cmp.Or(want.IndexBy, "none"), "update"
	case found.Language != want.Language:
		return "language " + cmp.Or(found.Language, defaultLanguage) + ", wanted " + cmp.Or(want.Language, defaultLanguage), "update"
	case found.Synonyms != want.Synonyms:
		return synonymState(found.Synonyms, want.Synonyms), "update"
	case found.Lifecycle != want.Lifecycle:
		return "lifecycle " + cmp.Or(found.Lifecycle, "none") + ", wanted " + cmp.Or(want.Lifecycle, "none"), "update"
	}
	return fmt.Sprintf("version %d of another build", found.Version), "update"
}

func synonymState(found, want string) string {
	switch {
	case found == "":
		return "no synonyms, wanted some"
	case want == "":
		return "synonyms, wanted none"
	}
	return "other synonyms"
}

// planIndex makes the steps for the index that takes the writes and for the alias.
func (c *client) planIndex(ctx context.Context, want schema) ([]step, error) {
	found, err := c.look(ctx, c.alias)
	if err != nil {
		return nil, err
	}
	alias := step{Step: Step{Name: "alias " + c.alias, State: "missing"}}
	if len(found) > 0 {
		name, problem := writeIndex(found, c.alias)
		if problem != "" {
			return nil, errors.New(problem)
		}
		alias.State = "current"
		return []step{c.planMapping(name, found[name], want), alias}, nil
	}
	name := indexName(c.alias)
	found, err = c.look(ctx, name)
	if err != nil {
		return nil, err
	}
	if ix, there := found[name]; there {
		alias.Action = "add"
		alias.do = func(ctx context.Context) error { return c.addAlias(ctx, name, true) }
		return []step{c.planMapping(name, ix, want), alias}, nil
	}
	alias.Action = "create with the index"
	return []step{{
		Step: Step{Name: "index " + name, State: "missing", Action: "create"},
		do:   func(ctx context.Context) error { return c.createIndex(ctx, name) },
	}, alias}, nil
}

// planMonths makes the steps for the indices behind the alias, for those of months that are there without it, and for this
// month's, so that there is an alias from the start. The other months come when a call does.
func (c *client) planMonths(ctx context.Context, want schema, l lifecycle) ([]step, error) {
	behind, err := c.look(ctx, c.alias)
	if err != nil {
		return nil, err
	}
	alias := step{Step: Step{Name: "alias " + c.alias, State: "current"}}
	if problem := noAlias(behind, c.alias); problem != "" && len(behind) > 0 {
		return nil, errors.New(problem)
	}
	found, err := c.look(ctx, strings.TrimSuffix(c.alias, "-")+"-*")
	if err != nil {
		return nil, err
	}
	var steps []step
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !isOurs(c.alias, name) {
			continue
		}
		steps = append(steps, c.planMapping(name, found[name], want))
		steps = append(steps, c.planIndexLifecycle(name, found[name], l)...)
		if _, is := behind[name]; !is {
			steps = append(steps, step{
				Step: Step{Name: "alias " + c.alias + " of " + name, State: "missing", Action: "add"},
				do:   func(ctx context.Context) error { return c.addAlias(ctx, name, false) },
			})
		}
	}
	if len(behind) == 0 {
		alias.State = "missing"
	}
	now := monthIndex(c.alias, time.Now())
	if _, there := found[now]; !there {
		steps = append(steps, step{
			Step: Step{Name: "index " + now, State: "missing", Action: "create"},
			do:   func(ctx context.Context) error { return c.createMonth(ctx, now) },
		})
		if len(behind) == 0 {
			alias.Action = "create with the index"
		}
	}
	return append(steps, alias), nil
}

func (c *client) createIndex(ctx context.Context, name string) error {
	err := c.do(ctx, http.MethodPut, "/"+name, map[string]any{
		"aliases": map[string]any{c.alias: map[string]any{"is_write_index": true}},
	}, nil)
	var e *httpError
	if errors.As(err, &e) && e.kind == "resource_already_exists_exception" {
		return nil // another process was faster, with the same body
	}
	return err
}

func (c *client) addAlias(ctx context.Context, index string, writes bool) error {
	add := map[string]any{"index": index, "alias": c.alias}
	if writes {
		add["is_write_index"] = true
	}
	return c.do(ctx, http.MethodPost, "/_aliases", map[string]any{"actions": []any{map[string]any{"add": add}}}, nil)
}
