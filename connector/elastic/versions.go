package elastic

import (
	"context"

	"github.com/postcall/postcall/connector"
)

var _ connector.Versioner = (*Loader)(nil)

// Versions returns the version of each call's document, 0 where there is none. It reads in real time, past the refresh.
func (l *Loader) Versions(ctx context.Context, keys []connector.SinkKey) ([]int64, error) {
	_, found, err := l.places(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(keys))
	for i := range found {
		out[i] = found[i].version
	}
	return out, nil
}

// places returns the document id of each call, and where its document is.
func (l *Loader) places(ctx context.Context, keys []connector.SinkKey) (ids []string, found []place, err error) {
	ids = make([]string, len(keys))
	for i, k := range keys {
		ids[i] = docID(k.Tenant, k.CallID)
	}
	indices, err := l.readable(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, err = l.c.find(ctx, indices, ids)
	return ids, found, err
}

// readable is the alias where it has one index, since a key for the alias alone may read no index by its name; else its indices.
func (l *Loader) readable(ctx context.Context) ([]string, error) {
	indices, err := l.c.members(ctx)
	if len(indices) == 1 {
		indices[0] = l.c.alias
	}
	return indices, err
}
