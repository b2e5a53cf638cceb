package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"

	"github.com/postcall/postcall/connector"
)

// Reader answers questions of the catalogue. It needs SELECT on the view call_facts, and asks the server to let it read only.
// It is safe for use by several goroutines.
type Reader struct {
	conn     driver.Conn
	database string
	timeout  time.Duration
}

// Row is an answer's row by name: dimensions as text, numbers as float64, uint64 or time.Time, nil where nothing is known.
type Row map[string]any

// OpenReader returns a Reader without connecting.
func OpenReader(cfg connector.ClickHouseConfig) (*Reader, error) {
	conn, err := open(cfg)
	if err != nil {
		return nil, err
	}
	return &Reader{conn, cfg.Database, cfg.Timeout}, nil
}

// Close closes the connections.
func (r *Reader) Close() error { return r.conn.Close() }

// Ping reports whether metrics can be read.
func (r *Reader) Ping(ctx context.Context) error {
	ctx, cancel := r.limit(ctx, nil)
	defer cancel()
	_, err := r.rows(ctx, "SELECT call_key FROM "+r.database+"."+metricSource+" WHERE false")
	return r.explain(ctx, "read "+r.database+"."+metricSource, err)
}

// Metric answers a question of the catalogue in at most q.Limit rows, and says whether there are more. q.Database is the
// reader's own.
func (r *Reader) Metric(ctx context.Context, m *Metric, q Query) (rows []Row, more bool, err error) {
	q.Database = r.database
	limit := q.Limit
	if limit > 0 {
		q.Limit++
	}
	sql, params, err := m.SQL(q)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := r.limit(ctx, params)
	defer cancel()
	rows, err = r.rows(ctx, sql)
	if err != nil {
		return nil, false, r.explain(ctx, "read the metric "+m.Name, err)
	}
	if limit > 0 && len(rows) > limit {
		return rows[:limit], true, nil
	}
	return rows, false, nil
}

// limit bounds a question in time, and lets it change nothing, whatever the user may do.
func (r *Reader) limit(ctx context.Context, params map[string]string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("no answer within POSTCALL_API_TIMEOUT (%s)", r.timeout))
	return chgo.Context(ctx, chgo.WithParameters(params), chgo.WithSettings(chgo.Settings{"readonly": 2})), cancel
}

func (r *Reader) rows(ctx context.Context, sql string) ([]Row, error) {
	rows, err := r.conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types := rows.ColumnTypes()
	var all []Row
	for rows.Next() {
		values := make([]any, len(types))
		for i, t := range types {
			values[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		row := make(Row, len(types))
		for i, t := range types {
			row[t.Name()] = plainValue(reflect.ValueOf(values[i]).Elem(), t.DatabaseTypeName())
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// plainValue is a value as JSON can hold it: no pointer, no NaN, days as 2026-11-30, texts for what tells calls apart.
func plainValue(v reflect.Value, kind string) any {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return x
	case time.Time:
		if kind == "Date" {
			return x.Format(time.DateOnly)
		}
		return x.UTC()
	case uint8:
		return uint64(x)
	default:
		return x
	}
}

// explain names the object and the cure. It holds nothing of the question: a server's text can quote its values.
func (r *Reader) explain(ctx context.Context, act string, err error) error {
	var ex *proto.Exception
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ex):
		cure := ""
		switch ex.Code {
		case codeAuthFailed:
			cure = "; check POSTCALL_API_CLICKHOUSE_USERNAME and POSTCALL_API_CLICKHOUSE_PASSWORD"
		case codeAccessDenied:
			cure = "; grant its user the role " + r.database + "_reader of postcall migrate roles"
		case 164: // a change under readonly = 1
			cure = "; give its user a profile with readonly = 2"
		case codeNoSuchColumn, codeUnknownIdentifier, codeUnknownTable, codeUnknownDatabase:
			cure = "; " + cureMigrate
		}
		return fmt.Errorf("%s: code %d%s", act, ex.Code, cure)
	case ctx.Err() != nil && context.Cause(ctx) != nil:
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w", act, err)
}
