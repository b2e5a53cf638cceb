package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// How far a call's start may lie from its delivery to choose the month. A sender's wrong clock must not fill the cluster
// with indices; such a call is among those of its delivery's month.
const (
	monthsBack  = 10 * 366 * 24 * time.Hour
	monthsAhead = 31 * 24 * time.Hour
)

// monthOf is the time whose month, in UTC, a call goes to that is in no index yet.
func monthOf(e *transforms.Event) time.Time {
	received := e.ReceivedAt
	if received.IsZero() {
		received = time.UnixMicro(e.Version)
	}
	if d := received.Sub(e.CallStarted); e.CallStarted.IsZero() || d > monthsBack || d < -monthsAhead {
		return received.UTC()
	}
	return e.CallStarted.UTC()
}

// monthIndex is the index of the calls of a month.
func monthIndex(alias string, t time.Time) string {
	return strings.TrimSuffix(alias, "-") + "-" + t.UTC().Format("2006-01")
}

var (
	monthSuffix = regexp.MustCompile(`^-[0-9]{4}-[0-9]{2}$`)
	wholeSuffix = regexp.MustCompile(`^-v[0-9]{1,9}$`) // -v1 is made by migrate, others by an operator who reindexes
)

func isMonth(alias, index string) bool {
	suffix, ok := strings.CutPrefix(index, strings.TrimSuffix(alias, "-"))
	return ok && monthSuffix.MatchString(suffix)
}

// isOurs reports whether an index is one that postcall made: a month's, or the one of all calls from before there were
// months. Others behind the alias, of the operator, are searched for calls and not judged.
func isOurs(alias, index string) bool { return isMonth(alias, index) || index == indexName(alias) }

// hasOurCalls reports whether an index behind the alias holds postcall's calls: one of ours, or one that an operator has
// reindexed them into (docs/search.md).
func hasOurCalls(alias, index string) bool {
	suffix, ok := strings.CutPrefix(index, strings.TrimSuffix(alias, "-"))
	return ok && (monthSuffix.MatchString(suffix) || wholeSuffix.MatchString(suffix))
}

// members returns the indices behind the alias, in the order of their names. They are asked for with each batch: another
// process, such as postcall replay, may have made one since.
func (c *client) members(ctx context.Context) ([]string, error) {
	found := map[string]struct{}{}
	err := c.do(ctx, http.MethodGet, "/_alias/"+c.alias, nil, &found)
	var e *httpError
	switch {
	case errors.As(err, &e) && e.status == http.StatusNotFound:
		return nil, connector.Paused(errors.New(aliasMissing(c.alias)))
	case err != nil:
		return nil, c.sorted("look at the indices of "+c.alias, err)
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// place returns for each event the index that it belongs into: the one its call is in, whatever its month is by now, and
// for a call that is new the one of its month, which it creates where it is missing. Only this order, with nobody else
// writing meanwhile, keeps a call from being in two indices (DELIVERY.md, rule 10).
func (c *client) place(ctx context.Context, events []transforms.Event) ([]string, error) {
	members, err := c.members(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = docID(events[i].Tenant, events[i].CallID)
	}
	found, err := c.find(ctx, members, ids)
	if err != nil {
		return nil, err
	}
	indices := make([]string, len(events))
	for i := range events {
		if indices[i] = found[i].index; indices[i] != "" {
			continue
		}
		indices[i] = monthIndex(c.alias, monthOf(&events[i]))
		if !slices.Contains(members, indices[i]) {
			if err := c.createMonth(ctx, indices[i]); err != nil {
				return nil, err
			}
			members = append(members, indices[i])
		}
	}
	return indices, nil
}

// createMonth makes an index by the template, which also puts it behind the alias: a key that may create an index may not
// give it an alias. What it leaves behind is checked, since an older template knows of no alias.
func (c *client) createMonth(ctx context.Context, name string) error {
	// This rule for a new field that never comes names an analyzer of the template. Where there is no
	// template, Elasticsearch refuses the index instead of making one with guessed types. It can't be a field of ours: what
	// the request says of one would replace the template's language and synonyms.
	guard := map[string]any{"needs_the_template": map[string]any{
		"path_match": "needs.the.template", "match_mapping_type": "string", "mapping": map[string]any{"type": "text", "analyzer": "exact"},
	}}
	err := c.do(ctx, http.MethodPut, "/"+name, map[string]any{"mappings": map[string]any{"dynamic_templates": []any{guard}}}, nil)
	var e *httpError
	switch {
	case err == nil, errors.As(err, &e) && e.kind == "resource_already_exists_exception":
	case e != nil && e.status == http.StatusForbidden && e.kind != "cluster_block_exception":
		return connector.Paused(fmt.Errorf("index %s is missing and the key may not create it (%w): give it the privilege create_index on %s-*, or create the index with another key (PUT /%s, without a body)",
			name, e, strings.TrimSuffix(c.alias, "-"), name))
	case e != nil && e.status == http.StatusBadRequest:
		return connector.Paused(fmt.Errorf("index %s can't be created: %s: mend that, or where the template is missing, run: postcall migrate apply", name, explain(e).Error()))
	default:
		return c.sorted("create index "+name, err)
	}
	found, err := c.look(ctx, name)
	if err != nil {
		return err
	}
	ix := found[name]
	if _, behind := ix.Aliases[c.alias]; !behind {
		return connector.Paused(fmt.Errorf("index %s is not behind the alias %s: %s", name, c.alias, cureMigrate))
	}
	return olderMapping(name, ix)
}

// checkMonths looks at the indices behind the alias: each of ours has a mapping that this program can write to, and this
// month's takes writes.
func (c *client) checkMonths(found map[string]index, now time.Time) error {
	if problem := noAlias(found, c.alias); problem != "" {
		return connector.Paused(errors.New(problem))
	}
	for name, ix := range found {
		if isOurs(c.alias, name) {
			if err := olderMapping(name, ix); err != nil {
				return err
			}
		}
	}
	name := monthIndex(c.alias, now)
	return blocked(name, found[name])
}
