package elastic

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/postcall/postcall/connector"
)

var _ connector.Versioner = (*Loader)(nil)

// Versions returns the version of each call's document, 0 where there is none. It reads in real time, past the refresh.
func (l *Loader) Versions(ctx context.Context, keys []connector.SinkKey) ([]int64, error) {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = docID(k.Tenant, k.CallID)
	}
	var found struct {
		Docs []struct {
			Found   bool  `json:"found"`
			Version int64 `json:"_version"`
		} `json:"docs"`
	}
	path := "/" + url.PathEscape(l.c.alias) + "/_mget?_source=false&filter_path=docs.found,docs._version"
	if err := l.c.do(ctx, http.MethodPost, path, map[string]any{"ids": ids}, &found); err != nil {
		return nil, explain(fmt.Errorf("read versions: %w", err))
	}
	if len(found.Docs) != len(keys) {
		return nil, fmt.Errorf("read versions: Elasticsearch answered for %d of %d calls", len(found.Docs), len(keys))
	}
	out := make([]int64, len(keys))
	for i, d := range found.Docs {
		if d.Found {
			out[i] = d.Version
		}
	}
	return out, nil
}
