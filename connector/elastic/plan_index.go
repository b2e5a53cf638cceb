package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// planMapping brings a live index up to date: its mapping, to which Elasticsearch lets it only add, its synonyms, and the
// fields that searches without a field go through. Its language is what its words are stored in, and stays.
func (c *client) planMapping(name string, ix index, want schema) step {
	found := ix.Mappings.Meta
	other := found.Version > 0 && found.Language != want.meta.Language
	if other {
		want.meta.Language = found.Language
	}
	s := step{Step: Step{Name: "index " + name}}
	s.State, s.Action = compare(found, want.meta)
	if other {
		s.State += "; " + languageNote(found, c.language)
	}
	if s.Action == "" {
		return s
	}
	s.Action = "update the mapping of"
	rules := found.Synonyms != want.meta.Synonyms && len(want.rules) > 0
	if rules {
		s.Action = "close, give its synonyms to, and open"
	}
	s.do = func(ctx context.Context) error {
		if rules {
			if err := c.replaceSynonyms(ctx, name, want); err != nil {
				return err
			}
		}
		if err := c.do(ctx, http.MethodPut, "/"+name+"/_mapping", want.template().Mappings, nil); err != nil {
			return err
		}
		return c.updateDefaultFields(ctx, name)
	}
	return s
}

// languageNote says what becomes of an index whose words are stored in another language.
func languageNote(found meta, wanted string) string {
	return fmt.Sprintf("its language is %s, and %s is for new indices: reindex it (docs/search.md)", schema{meta: found}.language(), wanted)
}

// replaceSynonyms writes the analyzer for searches, which takes closing the index for a moment: searches of it fail, and
// the sink waits. The index is opened again whatever comes of it.
func (c *client) replaceSynonyms(ctx context.Context, name string, want schema) (err error) {
	if err := c.do(ctx, http.MethodPost, "/"+name+"/_close", nil, nil); err != nil {
		return err
	}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		if oerr := c.do(ctx, http.MethodPost, "/"+name+"/_open", nil, nil); oerr != nil {
			err = errors.Join(err, fmt.Errorf("index %s is closed and has to be opened (POST /%s/_open): %w", name, name, oerr))
		}
	}()
	body := map[string]any{"analysis": synonymAnalysis(want.language(), want.rules)}
	return c.do(ctx, http.MethodPut, "/"+name+"/_settings", body, nil)
}

// updateDefaultFields gives a live index what the templates say by now of index.query.default_field, the operator's own
// (<alias>@custom) included.
func (c *client) updateDefaultFields(ctx context.Context, name string) error {
	var simulated struct {
		Template struct {
			Settings struct {
				Index struct {
					Query struct {
						Fields any `json:"default_field"`
					}
				}
			}
		}
	}
	if err := c.do(ctx, http.MethodPost, "/_index_template/_simulate_index/"+name, nil, &simulated); err != nil {
		return fmt.Errorf("ask for the settings of a new index: %w", err)
	}
	fields := simulated.Template.Settings.Index.Query.Fields
	if fields == nil {
		return nil
	}
	return c.do(ctx, http.MethodPut, "/"+name+"/_settings", map[string]any{"index.query.default_field": fields}, nil)
}
