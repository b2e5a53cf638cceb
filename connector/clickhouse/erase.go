package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
)

var _ connector.Eraser = (*Loader)(nil)

// erasable are the tables that hold rows of calls: in each, what a row is found by. Those that are not there, in a database
// of an earlier version, are left out.
var erasable = []struct{ table, calls string }{
	{"call_facts_raw", "(call_key, version) IN (SELECT sipHash64(tenant, call_id), version FROM %s WHERE %s)"}, // first: it is found through the other
	{table, ""},
}

// Erase removes the rows of a subject by mutations, and waits for them: the parts without the rows are written then, and the
// server removes the old ones when no query reads them any more (old_parts_lifetime, 8 minutes by default).
func (l *Loader) Erase(ctx context.Context, s *connector.Subject) (done connector.StoreErasure, err error) {
	where, args := subjectWhere(s)
	if done.Removed, err = l.count(ctx, table, where, args); err != nil {
		return done, err
	}
	for _, t := range erasable {
		there, err := l.count(ctx, "", "", []any{l.database, t.table})
		if err != nil {
			return done, err
		}
		if there == 0 {
			continue
		}
		cond := where
		if t.calls != "" {
			cond = fmt.Sprintf(t.calls, l.database+"."+table, where)
		}
		if err := l.remove(ctx, t.table, cond, args); err != nil {
			return done, err
		}
		left, err := l.count(ctx, t.table, cond, args)
		if err != nil {
			return done, err
		}
		done.Left += left
	}
	return done, nil
}

// subjectWhere is the condition on calls_raw.
func subjectWhere(s *connector.Subject) (where string, args []any) {
	switch {
	case s.CallID != "":
		where, args = "(tenant = ? AND (call_id = ? OR parent_call_id = ?))", []any{s.Tenant, s.CallID, s.CallID}
	case len(s.CustomerKeys) > 0:
		where, args = "customer_key IN (?)", []any{s.CustomerKeys}
	default:
		where, args = "email_key IN (?)", []any{s.EmailKeys}
	}
	if s.UpTo != 0 {
		where += " AND version <= ?"
		args = append(args, uint64(s.UpTo))
	}
	return where, args
}

// count counts rows; of no table it counts the tables of a database and name.
func (l *Loader) count(ctx context.Context, name, where string, args []any) (int, error) {
	ctx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	query := "SELECT count() FROM system.tables WHERE database = ? AND name = ?"
	if name != "" {
		query = fmt.Sprintf("SELECT count() FROM %s.%s WHERE %s", l.database, name, where)
	}
	var n uint64
	if err := l.conn.QueryRow(ctx, query, args...).Scan(&n); err != nil {
		return 0, explain(ctx, "count rows of "+name, err)
	}
	return int(n), nil
}

// mutationPoll is the time between two looks at a mutation.
const mutationPoll = 100 * time.Millisecond

// remove starts a mutation and waits for it by asking: a connection that waited itself would run into its read timeout. What a
// condition looks up in another table is looked up once, when the mutation starts.
func (l *Loader) remove(ctx context.Context, name, where string, args []any) error {
	startCtx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	err := l.conn.Exec(startCtx, fmt.Sprintf("ALTER TABLE %s.%s DELETE WHERE %s SETTINGS mutations_sync = 0, allow_nondeterministic_mutations = 1", l.database, name, where), args...)
	if err != nil {
		return explain(startCtx, "delete rows of "+name, err)
	}
	for {
		var pending uint64
		var reason string
		err := l.conn.QueryRow(ctx, "SELECT countIf(NOT is_done), anyIf(latest_fail_reason, NOT is_done AND latest_fail_reason != '') FROM system.mutations WHERE database = ? AND table = ?",
			l.database, name).Scan(&pending, &reason)
		switch {
		case err != nil:
			return explain(ctx, "look at the mutation of "+name, err)
		case pending == 0:
			return nil
		case reason != "":
			return fmt.Errorf("delete rows of %s: the mutation fails: %s", name, strings.TrimSpace(first(reason, 200)))
		}
		select {
		case <-time.After(mutationPoll):
		case <-ctx.Done():
			return fmt.Errorf("delete rows of %s: it goes on in the server: %w", name, context.Cause(ctx))
		}
	}
}

func first(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
