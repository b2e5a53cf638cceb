package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/postcall/postcall/connector"
)

// place is where the document of a call is.
type place struct {
	index   string // "" where there is none
	version int64
}

// maxGets bounds one _mget request: so many documents, of a call in each index.
const maxGets = 10_000

// find returns where the documents of some ids are. It reads in real time, past the refresh, and no document's content.
// An index that can't say whether it has a document is an error: what is not known to be absent may be there.
func (c *client) find(ctx context.Context, indices, ids []string) ([]place, error) {
	out := make([]place, 0, len(ids))
	for part := range slices.Chunk(ids, max(1, maxGets/max(1, len(indices)))) {
		found, err := c.findPart(ctx, indices, part)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func (c *client) findPart(ctx context.Context, indices, ids []string) ([]place, error) {
	type doc struct {
		Index string `json:"_index"`
		ID    string `json:"_id"`
	}
	docs := make([]doc, 0, len(ids)*len(indices))
	for _, id := range ids {
		for _, index := range indices {
			docs = append(docs, doc{index, id})
		}
	}
	var answer struct {
		Docs []struct {
			Found   bool
			Version int64 `json:"_version"`
			Error   struct{ Type string }
		}
	}
	const path = "/_mget?realtime=true&_source=false&filter_path=docs.found,docs._version,docs.error.type"
	if err := c.do(ctx, http.MethodPost, path, map[string]any{"docs": docs}, &answer); err != nil {
		return nil, c.sorted(fmt.Sprintf("look up %d calls", len(ids)), err)
	}
	if len(answer.Docs) != len(docs) {
		return nil, fmt.Errorf("look up %d calls: the answer has %d documents for %d", len(ids), len(answer.Docs), len(docs))
	}
	out := make([]place, len(ids))
	for i, d := range answer.Docs {
		index, p := docs[i].Index, &out[i/len(indices)]
		switch {
		case d.Error.Type != "":
			return nil, c.cantLook(index, errorType(d.Error.Type))
		case d.Found && (p.index == "" || d.Version > p.version): // in two only by somebody else's hand: the newer one is kept current
			*p = place{index, d.Version}
		}
	}
	return out, nil
}

// cantLook is the error of an index that was not searched.
func (c *client) cantLook(index, kind string) error {
	err := fmt.Errorf("look up calls in %s: %s", index, kind)
	switch kind {
	case "index_closed_exception", "cluster_block_exception":
		return connector.Paused(fmt.Errorf("%w: open or unblock it, or take it out of the alias %s; without it nobody knows which calls it has", err, c.alias))
	case "security_exception":
		return connector.Paused(fmt.Errorf("%w: %s", err, c.cure(http.StatusForbidden, kind)))
	}
	return err
}

// sorted marks an error of a request that carries no document: credentials and rights are the operator's to mend.
func (c *client) sorted(act string, err error) error {
	var e *httpError
	if errors.As(err, &e) && (e.status == http.StatusUnauthorized || e.status == http.StatusForbidden) {
		return connector.Paused(fmt.Errorf("%s: %w: %s", act, e, c.cure(e.status, e.kind)))
	}
	return fmt.Errorf("%s: %w", act, err)
}
