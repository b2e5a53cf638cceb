package elastic

import (
	"context"

	"github.com/postcall/postcall/connector"
)

var _ connector.Versioner = (*Loader)(nil)

// Versions returns the version of each call's document, 0 where there is none. It reads in real time, past the refresh.
func (l *Loader) Versions(ctx context.Context, keys []connector.SinkKey) ([]int64, error) {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = docID(k.Tenant, k.CallID)
	}
	indices, err := l.c.members(ctx)
	if err != nil {
		return nil, err
	}
	if len(indices) == 1 {
		indices[0] = l.c.alias // a key for the alias alone may read no index by its name
	}
	found, err := l.c.find(ctx, indices, ids)
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(keys))
	for i := range found {
		out[i] = found[i].version
	}
	return out, nil
}
