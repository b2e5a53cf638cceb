package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/transforms/topics"
)

// maxUnmapped bounds what Unmapped and Spellings return: the commonest of it.
const maxUnmapped = 10_000

// Spelling is how often a sender wrote something in a field of topics.Vocabularies.
type Spelling struct {
	Field string `json:"field"`
	Raw   string `json:"raw"`
	Calls int    `json:"calls"`
}

// Unmapped counts the calls since a time that have no topic but other, by the sender's topic and purpose. Tests don't count.
func (l *Loader) Unmapped(ctx context.Context, other string, since time.Time) (list []topics.Unmapped, err error) {
	query := fmt.Sprintf(`SELECT topic, purpose, count() FROM %s.calls_raw FINAL WHERE topics[1] = ? AND NOT is_test AND call_started >= ?
		GROUP BY topic, purpose ORDER BY count() DESC, topic, purpose LIMIT %d`, l.database, maxUnmapped)
	err = l.each(ctx, "read calls without a topic", query, []any{other, since}, func(rows driver.Rows) error {
		var u topics.Unmapped
		var n uint64
		err := rows.Scan(&u.Topic, &u.Purpose, &n)
		u.Calls = int(n)
		list = append(list, u)
		return err
	})
	return list, err
}

// CallsSince counts calls since a time. Tests don't count.
func (l *Loader) CallsSince(ctx context.Context, since time.Time) (int, error) {
	var n uint64
	err := l.each(ctx, "count calls", fmt.Sprintf("SELECT count() FROM %s.calls_raw FINAL WHERE NOT is_test AND call_started >= ?", l.database), []any{since},
		func(rows driver.Rows) error { return rows.Scan(&n) })
	return int(n), err
}

// Spellings counts what senders wrote since a time in the fields that have a vocabulary. Tests don't count.
func (l *Loader) Spellings(ctx context.Context, since time.Time) (list []Spelling, err error) {
	query := fmt.Sprintf(`SELECT s.1 AS field, s.2 AS raw, count() FROM %s.calls_raw FINAL
		ARRAY JOIN [('sentiment', toString(sentiment_raw)), ('follow_up', toString(follow_up_raw)), ('ai_success', toString(ai_success_raw)),
			('ended_reason', if(ended_reason_raw = '', toString(ended_reason), toString(ended_reason_raw)))] AS s
		WHERE NOT is_test AND call_started >= ? AND raw != '' GROUP BY field, raw ORDER BY count() DESC, field, raw LIMIT %d`, l.database, maxUnmapped)
	err = l.each(ctx, "read spellings", query, []any{since}, func(rows driver.Rows) error {
		var s Spelling
		var n uint64
		err := rows.Scan(&s.Field, &s.Raw, &n)
		s.Calls = int(n)
		list = append(list, s)
		return err
	})
	return list, err
}

// each calls f for each row that a query selects.
func (l *Loader) each(ctx context.Context, act, query string, args []any, f func(driver.Rows) error) error {
	ctx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	rows, err := l.conn.Query(ctx, query, args...)
	if err != nil {
		return explain(ctx, act, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return explain(ctx, act, err)
		}
	}
	return explain(ctx, act, rows.Err())
}
