package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"

	"github.com/postcall/postcall/connector"
)

var _ connector.Remapper = (*Loader)(nil)

// pageCalls is how many rows of calls_raw a page spans.
const pageCalls = 5000

// CountCalls returns about how many calls there are: rows that are to be merged count too.
func (l *Loader) CountCalls(ctx context.Context) (int, error) {
	return l.count(ctx, table, "is_deleted = 0", nil)
}

// ReadCalls returns the page of calls behind a key, in the order of the table, so that a page is a range of it.
func (l *Loader) ReadCalls(ctx context.Context, after string) (page connector.CallPage, err error) {
	var from [2]string // tenant and call id
	if after != "" {
		if err := json.Unmarshal([]byte(after), &from); err != nil {
			return page, fmt.Errorf("begin behind a call of ClickHouse: %w", err)
		}
	}
	ctx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	where, args := "(tenant, call_id) > (?, ?)", []any{from[0], from[1]}
	to, err := l.pageEnd(ctx, where, args)
	if err != nil {
		return page, err
	}
	if to != nil {
		where += " AND (tenant, call_id) <= (?, ?)"
		args = append(args, to[0], to[1])
		next, err := json.Marshal(to)
		if err != nil {
			return page, err
		}
		page.Next = string(next)
	}
	page.Calls, err = l.readCalls(ctx, where, args)
	return page, explain(ctx, "read calls", err)
}

// pageEnd returns the key of the last row of a page, or nil where the page is the last one. It is asked for first, since
// FINAL with a LIMIT would merge all rows behind the page too.
func (l *Loader) pageEnd(ctx context.Context, where string, args []any) ([]string, error) {
	rows, err := l.conn.Query(ctx, fmt.Sprintf("SELECT tenant, call_id FROM %s.%s WHERE %s ORDER BY tenant, call_id LIMIT 1 OFFSET %d",
		l.database, table, where, pageCalls-1), args...)
	if err != nil {
		return nil, explain(ctx, "look for the end of a page", err)
	}
	defer func() { _ = rows.Close() }()
	var to []string
	for rows.Next() {
		to = make([]string, 2)
		if err := rows.Scan(&to[0], &to[1]); err != nil {
			return nil, explain(ctx, "look for the end of a page", err)
		}
	}
	return to, explain(ctx, "look for the end of a page", rows.Err())
}

func (l *Loader) readCalls(ctx context.Context, where string, args []any) (calls []connector.StoredCall, err error) {
	rows, err := l.conn.Query(ctx, fmt.Sprintf(`SELECT tenant, call_id, version, topic, purpose, summary, follow_up_reason, key_points, action_items,
		sentiment_raw, follow_up_raw, ai_success_raw, if(ended_reason_raw = '', ended_reason, ended_reason_raw), ended_reason_raw = '' AND ended_reason != '',
		summary != '' OR purpose != '' OR notEmpty(key_points),
		topics, topic_confidence, topic_rule, sentiment, follow_up, ai_success, ended_reason
		FROM %s.%s FINAL WHERE %s`, l.database, table, where), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var c connector.StoredCall
		var version uint64
		var confidence float32
		t, was := &c.Text, &c.Was
		if err := rows.Scan(&c.Key.Tenant, &c.Key.CallID, &version, &t.Topic, &t.Purpose, &t.Summary, &t.FollowUpReason, &t.KeyPoints, &t.ActionItems,
			&c.Sentiment, &c.FollowUp, &c.AISuccess, &c.EndedReason, &c.Old, &c.Texts,
			&was.Topics, &confidence, &was.Rule, &was.Sentiment, &was.FollowUp, &was.AISuccess, &was.EndedReason); err != nil {
			return nil, err
		}
		c.Version, was.Confidence = int64(version), float64(confidence)
		calls = append(calls, c)
	}
	return calls, rows.Err()
}

// Remap inserts each call again, as it stands in the table, with another mapping and under the same version: of two rows of
// one version the later one is valid. A call that has been corrected or is gone is not selected.
//
// Not a mutation: it would rewrite every part for each page, and what a materialized view makes of inserts would not see it.
func (l *Loader) Remap(ctx context.Context, calls []connector.StoredCall, to []connector.Mapped) error {
	act := fmt.Sprintf("insert %d calls again", len(calls))
	again, err := againTable(calls, to)
	if err != nil {
		return fmt.Errorf("%s: %w", act, err)
	}
	ctx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	set, err := l.againSettings(ctx)
	if err != nil {
		return explain(ctx, act, err)
	}
	var names []string
	err = l.conn.QueryRow(ctx, "SELECT groupArray(name) FROM (SELECT name FROM system.columns WHERE database = ? AND table = ? AND default_kind IN ('', 'DEFAULT') ORDER BY position)",
		l.database, table).Scan(&names)
	if err != nil {
		return explain(ctx, act, err)
	}
	selected := make([]string, len(names))
	for i, name := range names {
		selected[i] = "c." + name
		if remapped[name] {
			selected[i] = "a.new_" + name
		}
	}
	query := fmt.Sprintf(`INSERT INTO %[1]s.%[2]s (%[3]s) SELECT %[4]s FROM (SELECT * FROM %[1]s.%[2]s FINAL WHERE (tenant, call_id) IN (SELECT tenant, call_id FROM again)) AS c
		INNER JOIN again AS a ON a.tenant = c.tenant AND a.call_id = c.call_id AND a.version = c.version`,
		l.database, table, strings.Join(names, ", "), strings.Join(selected, ", "))
	ctx = chgo.Context(ctx, chgo.WithExternalTable(again), chgo.WithSettings(set))
	return explain(ctx, act, l.conn.Exec(ctx, query))
}

// remapped are the columns that a mapping fills.
var remapped = map[string]bool{
	"topics": true, "topic_confidence": true, "topic_rule": true, "sentiment": true, "follow_up": true, "ai_success": true,
	"ended_reason": true, "ended_reason_raw": true,
}

// againTable is what the calls get, as a table that goes with the query.
func againTable(calls []connector.StoredCall, to []connector.Mapped) (*ext.Table, error) {
	t, err := ext.NewTable("again",
		col("tenant", "String"), col("call_id", "String"), col("version", "UInt64"),
		col("new_topics", "Array(String)"), col("new_topic_confidence", "Float32"), col("new_topic_rule", "String"),
		col("new_sentiment", "String"), col("new_follow_up", "Nullable(Bool)"), col("new_ai_success", "Nullable(Bool)"),
		col("new_ended_reason", "String"), col("new_ended_reason_raw", "String"))
	if err != nil {
		return nil, err
	}
	for i := range calls {
		c, m := &calls[i], &to[i]
		if err := t.Append(c.Key.Tenant, c.Key.CallID, uint64(c.Version), m.Topics, float32(m.Confidence), m.Rule,
			m.Sentiment, m.FollowUp, m.AISuccess, m.EndedReason, c.EndedReason); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func col(name, typ string) func(*ext.Table) error { return ext.Column(name, chcolumn.Type(typ)) }

// againSettings switch deduplication off: a call that is mapped to and fro makes the same block a second time, which would
// be taken for a repetition. To insert it twice does no harm.
func (l *Loader) againSettings(ctx context.Context) (chgo.Settings, error) {
	dedup := l.dedup.Load()
	if dedup == nil {
		var err error
		if dedup, err = l.askDedup(ctx); err != nil {
			return nil, err
		}
	}
	set := maps.Clone(*dedup)
	set["insert_deduplicate"], set["async_insert"] = 0, 0
	if _, ok := set["deduplicate_insert"]; ok {
		set["deduplicate_insert"] = "disable"
	}
	return set, nil
}
