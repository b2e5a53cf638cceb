package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

var _ connector.Canary = (*Loader)(nil)

// canaryTenant is nobody's: sources can't have it.
const canaryTenant = "postcall-canary"

// Canary loads a harmless call by the same code and into the same table as any other, and erases it.
func (l *Loader) Canary(ctx context.Context) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	e := transforms.Event{Tenant: canaryTenant, CallID: "canary", Version: now.UnixMicro(), ReceivedAt: now, CallStarted: now, IsTest: true}
	if err := l.Load(ctx, connector.Batch{Token: fmt.Sprintf("canary-%d", e.Version), Events: []transforms.Event{e}}); err != nil {
		return err
	}
	ctx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	err := l.conn.Exec(ctx, fmt.Sprintf("INSERT INTO %s.%s (tenant, call_id, version, is_deleted) SELECT ?, ?, ?, 1", l.database, table),
		e.Tenant, e.CallID, uint64(e.Version+1))
	return explain(ctx, "erase the canary", err)
}
