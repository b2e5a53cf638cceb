package elastic

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

var _ connector.Canary = (*Loader)(nil)

// canaryTenant is nobody's: sources can't have it.
const canaryTenant = "postcall-canary"

// Canary indexes a harmless call by the same code and into the same index as any other, and deletes it.
func (l *Loader) Canary(ctx context.Context) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	e := transforms.Event{Tenant: canaryTenant, CallID: "canary", Version: now.UnixMicro(), ReceivedAt: now, CallStarted: now}
	if err := l.Load(ctx, connector.Batch{Token: fmt.Sprintf("canary-%d", e.Version), Events: []transforms.Event{e}}); err != nil {
		return err
	}
	// A key without the right to delete leaves it there: one document, under a tenant of its own. The canary has passed.
	_ = l.removeOne(ctx, docID(e.Tenant, e.CallID))
	return nil
}

// removeOne deletes a document where it is.
func (l *Loader) removeOne(ctx context.Context, id string) error {
	index := l.c.alias
	if l.c.byMonth {
		members, err := l.c.members(ctx)
		if err != nil {
			return err
		}
		found, err := l.c.find(ctx, members, []string{id})
		if err != nil || found[0].index == "" {
			return err
		}
		index = found[0].index
	}
	return l.c.do(ctx, http.MethodDelete, "/"+index+"/_doc/"+url.PathEscape(id), nil, nil)
}
