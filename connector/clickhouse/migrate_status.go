package clickhouse

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// record is what a database says about a migration, or a view.
type record struct {
	version   uint32 // 0 of a view
	name      string
	checksum  string
	appliedAt time.Time
}

// status compares the migrations that are applied once with what is recorded in the database.
func status(ctx context.Context, conn driver.Conn, t target) ([]Migration, error) {
	srcs, err := sources()
	if err != nil {
		return nil, err
	}
	all := pending(srcs[1:])
	index := make(map[int]int, len(all))
	for i := range all {
		index[all[i].Version] = i
	}
	records, err := recorded(ctx, conn, "SELECT version, name, checksum, applied_at FROM "+t.Table("schema_migrations")+" FINAL ORDER BY version")
	for _, r := range records {
		mg := Migration{Version: int(r.version), Name: r.name, AppliedAt: r.appliedAt, State: Applied}
		i, known := index[mg.Version]
		switch {
		case mg.Version == 0: // nobody records it
			continue
		case !known:
			mg.State = Newer
			all = append(all, mg)
			continue
		case r.checksum != all[i].source.checksum:
			mg.State = Changed
		}
		mg.source = all[i].source
		all[i] = mg
	}
	return all, err
}

// viewStatus does so for the views. One that is gone counts as one that was never made.
func viewStatus(ctx context.Context, conn driver.Conn, t target) ([]Migration, error) {
	srcs, err := views()
	if err != nil {
		return nil, err
	}
	all := pending(srcs)
	index := make(map[string]int, len(srcs))
	for i, s := range srcs {
		index[s.name] = i
	}
	records, err := recorded(ctx, conn, "SELECT toUInt32(0), name, checksum, applied_at FROM "+t.Table("schema_views")+
		" FINAL WHERE name IN (SELECT name FROM system.tables WHERE database = ?) ORDER BY name", t.database)
	for _, r := range records {
		i, known := index[r.name]
		switch {
		case !known:
			all = append(all, Migration{Name: r.name, AppliedAt: r.appliedAt, State: Newer})
		case r.checksum == srcs[i].checksum:
			all[i].State, all[i].AppliedAt = Applied, r.appliedAt
		default:
			all[i].AppliedAt = r.appliedAt
		}
	}
	return all, err
}

func pending(srcs []source) []Migration {
	all := make([]Migration, len(srcs))
	for i, s := range srcs {
		all[i] = Migration{Version: s.version, Name: s.name, State: Pending, source: s}
	}
	return all
}

// recorded reads records; where their table is not there yet, there are none.
func recorded(ctx context.Context, conn driver.Conn, query string, args ...any) ([]record, error) {
	const act = "read which migrations are applied"
	rows, err := conn.Query(ctx, query, args...)
	if isCode(err, codeUnknownTable, codeUnknownDatabase) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(ctx, act, err)
	}
	defer func() { _ = rows.Close() }()
	var all []record
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.version, &r.name, &r.checksum, &r.appliedAt); err != nil {
			return nil, explain(ctx, act, err)
		}
		all = append(all, r)
	}
	return all, explain(ctx, act, rows.Err())
}
