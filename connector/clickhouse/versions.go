package clickhouse

import (
	"context"
	"fmt"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/postcall/postcall/connector"
)

var _ connector.Versioner = (*Loader)(nil)

// Versions returns the highest version calls_raw has of each call, erased ones included, 0 where it has none.
func (l *Loader) Versions(ctx context.Context, keys []connector.SinkKey) ([]int64, error) {
	ctx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	set := chgo.GroupSet{Value: make([]any, len(keys))}
	for i, k := range keys {
		set.Value[i] = chgo.GroupSet{Value: []any{k.Tenant, k.CallID}}
	}
	rows, err := l.conn.Query(ctx, fmt.Sprintf("SELECT tenant, call_id, max(version) FROM %s.%s WHERE (tenant, call_id) IN ? GROUP BY tenant, call_id",
		l.database, table), set)
	if err != nil {
		return nil, explain(ctx, "read versions", err)
	}
	defer func() { _ = rows.Close() }()
	found := make(map[connector.SinkKey]int64, len(keys))
	for rows.Next() {
		var k connector.SinkKey
		var v uint64
		if err := rows.Scan(&k.Tenant, &k.CallID, &v); err != nil {
			return nil, explain(ctx, "read versions", err)
		}
		found[k] = int64(v)
	}
	if err := rows.Err(); err != nil {
		return nil, explain(ctx, "read versions", err)
	}
	out := make([]int64, len(keys))
	for i, k := range keys {
		out[i] = found[k]
	}
	return out, nil
}
