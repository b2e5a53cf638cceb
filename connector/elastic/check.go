package elastic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
)

// index is what postcall looks at of an index behind the alias.
type index struct {
	Aliases map[string]struct {
		IsWriteIndex *bool `json:"is_write_index"`
	}
	Mappings struct {
		Meta meta `json:"_meta"`
	}
	Settings struct {
		Index struct {
			Blocks    map[string]string
			Lifecycle struct{ Name string }
		}
	}
}

const cureMigrate = "run: postcall migrate apply"

// Check reports whether Load can work: the nodes answer, the alias leads to an index that takes writes (by month: to indices,
// of which this month's, where it is there, takes them), and the mapping is at least the one this program writes for. What an operator has to mend is Paused, anything else may pass by itself.
func (l *Loader) Check(ctx context.Context) error {
	found, err := l.c.look(ctx, l.c.alias)
	if err != nil {
		return err
	}
	if l.c.byMonth {
		return l.c.checkMonths(found, time.Now())
	}
	name, problem := writeIndex(found, l.c.alias)
	if problem != "" {
		return connector.Paused(errors.New(problem))
	}
	if err := olderMapping(name, found[name]); err != nil {
		return err
	}
	return blocked(name, found[name])
}

// Advice says what is not as the configuration wants it and yet works: doctor warns of it.
func (l *Loader) Advice(ctx context.Context) ([]string, error) {
	found, err := l.c.look(ctx, l.c.alias)
	if err != nil {
		return nil, err
	}
	var advice []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		m := found[name].Mappings.Meta
		if hasOurCalls(l.c.alias, name) && (schema{meta: m}).language() != l.c.language {
			advice = append(advice, "index "+name+": "+languageNote(m, l.c.language))
		}
	}
	return advice, nil
}

// olderMapping is an error where an index lacks fields that this program writes.
func olderMapping(name string, ix index) error {
	if v := ix.Mappings.Meta.Version; v < templateVersion {
		return connector.Paused(fmt.Errorf("index %s has mapping version %d, this program writes version %d: %s", name, v, templateVersion, cureMigrate))
	}
	return nil
}

// blocked is an error where an index takes no writes.
func blocked(name string, ix index) error {
	for block, on := range ix.Settings.Index.Blocks {
		if on == "true" && block != "metadata" && block != "read" {
			return connector.Paused(fmt.Errorf("index %s is blocked (%s): free disk space or lift the block", name, block))
		}
	}
	return nil
}

// look returns the indices an alias or an index name stands for, none where it is missing.
func (c *client) look(ctx context.Context, name string) (map[string]index, error) {
	found := map[string]index{}
	err := c.do(ctx, http.MethodGet, "/"+name+"?filter_path=*.aliases,*.mappings._meta,*.settings.index.blocks,*.settings.index.lifecycle.name,*.settings.index.uuid,error.type,error.reason", nil, &found)
	var e *httpError
	switch {
	case err == nil:
		return found, nil
	case !errors.As(err, &e):
		return nil, fmt.Errorf("look at %s: %w", name, err)
	case e.status == http.StatusNotFound && e.kind == "index_not_found_exception":
		return nil, nil
	case e.status == http.StatusUnauthorized, e.status == http.StatusForbidden:
		return nil, connector.Paused(fmt.Errorf("look at %s: %w: %s", name, e, c.cure(e.status, e.kind)))
	case e.status == http.StatusNotFound:
		return nil, connector.Paused(fmt.Errorf("look at %s: %w: POSTCALL_ELASTICSEARCH_URL does not lead to Elasticsearch", name, e))
	}
	return nil, fmt.Errorf("look at %s: %w", name, e)
}

// noAlias says what is wrong where a name is no alias, else "".
func noAlias(found map[string]index, alias string) string {
	if _, is := found[alias]; is {
		return fmt.Sprintf("%s is an index, not an alias: postcall deletes nothing, so reindex it under another name, delete it, then %s", alias, cureMigrate)
	}
	if len(found) == 0 {
		return aliasMissing(alias)
	}
	return ""
}

func aliasMissing(alias string) string {
	return fmt.Sprintf("alias %s is missing: %s", alias, cureMigrate)
}

// writeIndex returns the index that writes to the alias go to, or what is wrong with it.
func writeIndex(found map[string]index, alias string) (name, problem string) {
	if problem := noAlias(found, alias); problem != "" {
		return "", problem
	}
	for _, n := range slices.Sorted(maps.Keys(found)) {
		if isMonth(alias, n) {
			return "", fmt.Sprintf("alias %s has the monthly index %s, whose calls would be stored a second time: set POSTCALL_ELASTICSEARCH_INDEX_BY=month, or reindex the months into %s and take them out of the alias",
				alias, n, indexName(alias))
		}
	}
	var candidates []string
	for n, ix := range found {
		switch w := ix.Aliases[alias].IsWriteIndex; {
		case w != nil && *w:
			return n, ""
		case w == nil:
			candidates = append(candidates, n)
		}
	}
	// Elasticsearch writes to an only index that doesn't say no.
	if len(found) == 1 && len(candidates) == 1 {
		return candidates[0], ""
	}
	return "", fmt.Sprintf("alias %s has no write index: set is_write_index on one of its indices, by POST /_aliases", alias)
}

// indexName is the index that Apply creates behind an alias.
func indexName(alias string) string { return strings.TrimSuffix(alias, "-") + "-v1" }
