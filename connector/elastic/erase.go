package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
)

var _ connector.Eraser = (*Loader)(nil)

// Erase removes the documents of a subject from every index behind the alias, and has the segments written without them:
// Lucene only marks what is deleted, and keeps its bytes until a merge. That part needs the privilege maintenance; where it
// is refused, the note says so.
func (l *Loader) Erase(ctx context.Context, s *connector.Subject) (done connector.StoreErasure, err error) {
	indices, err := l.c.members(ctx)
	if err != nil {
		return done, err
	}
	path := "/" + url.PathEscape(l.c.alias)
	if len(indices) > 1 {
		path = "/" + url.PathEscape(strings.Join(indices, ","))
	}
	query := map[string]any{"query": subjectQuery(s)}
	for attempt := 0; ; attempt++ {
		if err := l.c.do(ctx, http.MethodPost, path+"/_refresh", nil, nil); err != nil { // a search sees what was refreshed
			return done, l.c.sorted("refresh before an erasure", err)
		}
		removed, err := l.c.deleteByQuery(ctx, path, query)
		done.Removed += removed
		if err != nil {
			return done, err
		}
		if done.Left, err = l.c.countOf(ctx, path, query); err != nil {
			return done, err
		}
		if done.Left == 0 || attempt == 3 { // a document changed while it was found: once more
			break
		}
	}
	if done.Removed > 0 {
		done.Note = l.c.expunge(ctx, path)
	}
	return done, nil
}

func subjectQuery(s *connector.Subject) map[string]any {
	var must []any
	term := func(field, value string) any { return map[string]any{"term": map[string]any{field: value}} }
	switch {
	case s.CallID != "":
		must = append(must, term("tenant", s.Tenant), map[string]any{"bool": map[string]any{
			"should": []any{term("call_id", s.CallID), term("parent_call_id", s.CallID)}, "minimum_should_match": 1,
		}})
	case len(s.CustomerKeys) > 0:
		must = append(must, map[string]any{"terms": map[string]any{"customer_key": s.CustomerKeys}})
	default:
		must = append(must, map[string]any{"terms": map[string]any{"email_key": s.EmailKeys}})
	}
	if s.UpTo != 0 {
		must = append(must, map[string]any{"range": map[string]any{"version": map[string]any{"lte": s.UpTo}}})
	}
	return map[string]any{"bool": map[string]any{"filter": must}}
}

// deleteByQuery runs as a task of the cluster and is asked for: it may take longer than a request does.
func (c *client) deleteByQuery(ctx context.Context, path string, query any) (int, error) {
	var started struct{ Task string }
	if err := c.do(ctx, http.MethodPost, path+"/_delete_by_query?wait_for_completion=false&conflicts=proceed&refresh=true", query, &started); err != nil {
		return 0, c.sorted("delete the documents of a subject", err)
	}
	for {
		var task struct {
			Completed bool
			Error     struct{ Type string }
			Response  struct {
				Deleted  int
				TimedOut bool `json:"timed_out"`
				Failures []any
			}
		}
		err := c.do(ctx, http.MethodGet, "/_tasks/"+url.PathEscape(started.Task)+"?wait_for_completion=true&timeout=5s", nil, &task)
		var e *httpError
		switch {
		case errors.As(err, &e) && (e.status == http.StatusRequestTimeout || e.kind == "timeout_exception" || e.kind == "receive_timeout_transport_exception"):
			continue
		case err != nil:
			return 0, c.sorted("wait until documents are deleted", err)
		case task.Completed && (task.Error.Type != "" || task.Response.TimedOut || len(task.Response.Failures) > 0):
			return task.Response.Deleted, fmt.Errorf("delete the documents of a subject: %s, %d failures: run it again", errorType(task.Error.Type), len(task.Response.Failures))
		case task.Completed:
			return task.Response.Deleted, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func (c *client) countOf(ctx context.Context, path string, query any) (int, error) {
	var answer struct {
		Count  int
		Shards struct{ Failed int } `json:"_shards"`
	}
	if err := c.do(ctx, http.MethodPost, path+"/_count", query, &answer); err != nil {
		return 0, c.sorted("count what is left of a subject", err)
	}
	if answer.Shards.Failed > 0 {
		return 0, fmt.Errorf("count what is left of a subject: %d shards did not answer: run it again", answer.Shards.Failed)
	}
	return answer.Count, nil
}

// expunge has every segment written anew that holds something deleted, and the translog cut. It returns what to do where
// that is refused or takes too long.
func (c *client) expunge(ctx context.Context, path string) (note string) {
	// By default segments with few deletions stay as they are.
	settings := map[string]any{"index.merge.policy.expunge_deletes_allowed": 0}
	err := c.do(ctx, http.MethodPut, path+"/_settings", settings, nil)
	if err == nil {
		err = c.do(ctx, http.MethodPost, path+"/_forcemerge?only_expunge_deletes=true&flush=true", nil, nil)
	}
	if err != nil {
		return fmt.Sprintf("the deleted documents can't be found any more, but their bytes stay until Elasticsearch merges (%v): "+
			"run POST %s/_forcemerge?only_expunge_deletes=true with a key that may (index privileges maintenance and manage)", err, path)
	}
	return ""
}
