package clickhouse

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/postcall/postcall/connector"
)

// Check says whether batches can be loaded as promised: the server answers, every migration of this release is applied,
// calls_raw has the columns of an insert, and it remembers tokens. What a person has to cure is an error made by
// connector.Paused; a server that can't be reached is not.
func (l *Loader) Check(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	if _, err := l.askDedup(ctx); err != nil {
		return explain(ctx, "reach ClickHouse", err)
	}
	if err := l.checkMigrations(ctx); err != nil {
		return err
	}
	if err := l.checkColumns(ctx); err != nil {
		return err
	}
	if err := l.checkCopy(ctx); err != nil {
		return err
	}
	for _, t := range []string{table, factsTable} {
		if err := l.checkWindow(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// checkCopy says whether what metrics read is kept up: nothing else would notice that it isn't.
func (l *Loader) checkCopy(ctx context.Context) error {
	var n uint64
	err := l.conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = ? AND name = ? AND engine = 'MaterializedView'", l.database, factsCopy).Scan(&n)
	if err != nil {
		return explain(ctx, "look for "+l.database+"."+factsCopy, err)
	}
	if n == 0 {
		return connector.Paused(fmt.Errorf("materialized view %s.%s is missing, so metrics would miss calls, or the user may not see it; "+
			"run: DELETE FROM %s.schema_migrations WHERE version = %d, and then %s", l.database, factsCopy, l.database, factsMigration, cureMigrate))
	}
	return nil
}

// Ping says whether the server answers and accepts the user, and returns its version.
func (l *Loader) Ping(ctx context.Context) (version string, err error) {
	ctx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	err = l.conn.QueryRow(ctx, "SELECT version()").Scan(&version)
	return version, explain(ctx, "reach ClickHouse", err)
}

func (l *Loader) checkMigrations(ctx context.Context) error {
	all, err := status(ctx, l.conn, target{database: l.database})
	if err != nil {
		return err
	}
	if err := unchanged(all); err != nil {
		return connector.Paused(err)
	}
	var pending []string
	for _, mg := range all {
		if mg.State == Pending {
			pending = append(pending, fmt.Sprintf("%d (%s)", mg.Version, mg.Name))
		}
	}
	if len(pending) > 0 {
		return connector.Paused(fmt.Errorf("database %s lacks the migrations %s; %s", l.database, strings.Join(pending, ", "), cureMigrate))
	}
	return nil
}

func (l *Loader) checkColumns(ctx context.Context) error {
	var have []string
	err := l.conn.QueryRow(ctx, "SELECT groupArray(name) FROM system.columns WHERE database = ? AND table = ?", l.database, table).Scan(&have)
	if err != nil {
		return explain(ctx, "read the columns of "+l.database+"."+table, err)
	}
	var missing []string
	for _, c := range columns {
		if !slices.Contains(have, c.name) {
			missing = append(missing, c.name)
		}
	}
	switch {
	case len(have) == 0:
		return connector.Paused(fmt.Errorf("table %s.%s is missing though its migration is recorded, or the user may not see it; "+
			"restore it, or drop %s.schema_migrations and %s", l.database, table, l.database, cureMigrate))
	case len(missing) > 0:
		return connector.Paused(fmt.Errorf("table %s.%s lacks the columns %s; restore them", l.database, table, strings.Join(missing, ", ")))
	}
	return nil
}

func (l *Loader) checkWindow(ctx context.Context, table string) error {
	var engine, full string
	err := l.conn.QueryRow(ctx, "SELECT engine, engine_full FROM system.tables WHERE database = ? AND name = ?", l.database, table).Scan(&engine, &full)
	if err != nil {
		return explain(ctx, "read the engine of "+l.database+"."+table, err)
	}
	for setting, least := range windows(engine) {
		if windowOf(full, setting) < least {
			return connector.Paused(fmt.Errorf("table %s.%s would let a repeated insert in twice; run: ALTER TABLE %s.%s MODIFY SETTING %s = %d",
				l.database, table, l.database, table, setting, least))
		}
	}
	return nil
}

// windows returns the settings that make an engine remember tokens, with the least value of each.
func windows(engine string) map[string]int {
	if strings.HasPrefix(engine, "Replicated") || strings.HasPrefix(engine, "Shared") {
		return map[string]int{
			"replicated_deduplication_window":         DedupWindow,
			"replicated_deduplication_window_seconds": int(dedupWindowAge.Seconds()),
		}
	}
	return map[string]int{"non_replicated_deduplication_window": DedupWindow}
}

// windowOf reads a setting out of a table's definition, -1 where it isn't there.
func windowOf(full, setting string) int {
	m := regexp.MustCompile(`\b` + setting + ` = (\d+)`).FindStringSubmatch(full)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}
