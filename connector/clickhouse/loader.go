package clickhouse

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"sync/atomic"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/connector"
)

var (
	_ connector.Loader  = (*Loader)(nil)
	_ connector.Checker = (*Loader)(nil)
)

// Loader inserts batches into calls_raw. It is safe for use by as many goroutines as the configuration has workers.
type Loader struct {
	conn     driver.Conn
	database string
	timeout  time.Duration
	id       string // of this process, in query ids
	attempts atomic.Uint64
	dedup    atomic.Pointer[chgo.Settings] // what switches deduplication on; nil until the server was asked
}

// Open returns a Loader without connecting: the server may come up later.
func Open(cfg connector.ClickHouseConfig) (*Loader, error) {
	conn, err := open(cfg)
	if err != nil {
		return nil, err
	}
	return &Loader{conn: conn, database: cfg.Database, timeout: cfg.Timeout, id: rand.Text()[:8]}, nil
}

var databaseRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func open(cfg connector.ClickHouseConfig) (driver.Conn, error) {
	o, err := options(cfg)
	if err != nil {
		return nil, err
	}
	conn, err := chgo.Open(o)
	if err != nil {
		return nil, fmt.Errorf("configure the connection to ClickHouse: %w", err)
	}
	return conn, nil
}

func options(cfg connector.ClickHouseConfig) (*chgo.Options, error) {
	if len(cfg.Addr) == 0 {
		return nil, errors.New("POSTCALL_CLICKHOUSE_ADDR is empty")
	}
	if !databaseRE.MatchString(cfg.Database) {
		return nil, errors.New("POSTCALL_CLICKHOUSE_DATABASE must consist of letters, digits and underscores")
	}
	if cfg.Timeout <= 0 {
		return nil, errors.New("POSTCALL_CLICKHOUSE_TIMEOUT must be positive")
	}
	o := &chgo.Options{
		Addr: cfg.Addr,
		// The session's database is the server's own, so that a missing one is an answer and not a refused connection.
		Auth:         chgo.Auth{Database: "default", Username: cfg.Username, Password: string(cfg.Password)},
		Compression:  &chgo.Compression{Method: chgo.CompressionLZ4},
		DialTimeout:  min(cfg.Timeout, 10*time.Second),
		ReadTimeout:  cfg.Timeout,
		MaxOpenConns: max(cfg.Workers, 1) + 1, // one for Check
		MaxIdleConns: max(cfg.Workers, 1) + 1,
	}
	o.ClientInfo.Products = append(o.ClientInfo.Products, struct{ Name, Version string }{"postcall", "1"})
	if cfg.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

// Load makes one attempt to insert the batch as one block under its token. Events that no column can hold are left out
// and named in a *connector.PartialError, once the others are stored.
func (l *Loader) Load(ctx context.Context, b connector.Batch) error {
	s := scratches.Get().(*scratch)
	defer s.free()
	failed := s.take(b.Events)
	if len(s.events) > 0 {
		if err := l.insert(ctx, s, b.Without(failed)); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return &connector.PartialError{Failed: failed}
	}
	return nil
}

func (l *Loader) insert(ctx context.Context, s *scratch, token string) error {
	ctx, cancel := withDeadline(ctx, l.timeout)
	defer cancel()
	act := fmt.Sprintf("insert %d rows into %s.%s", len(s.events), l.database, table)
	err := l.tryInsert(ctx, s, token)
	if err != nil {
		l.dedup.Store(nil) // the next server may be another one
	}
	if _, ok := errors.AsType[*columnError](err); ok {
		return connector.Paused(fmt.Errorf("%s: %w; the column's type was changed", act, err))
	}
	return explain(ctx, act, err)
}

// columnError says that a column doesn't take values of its kind. Each value was checked, so its type must be another.
type columnError struct {
	column string
	err    error
}

func (e *columnError) Error() string { return "column " + e.column + ": " + e.err.Error() }

func (l *Loader) tryInsert(ctx context.Context, s *scratch, token string) error {
	settings, err := l.insertSettings(ctx, token)
	if err != nil {
		return err
	}
	ctx = chgo.Context(ctx,
		chgo.WithSettings(settings),
		// The server refuses an id that is running, and an attempt whose answer was lost may still be.
		chgo.WithQueryID(fmt.Sprintf("%s-%s%d", token, l.id, l.attempts.Add(1))))
	batch, err := l.conn.PrepareBatch(ctx, fmt.Sprintf("INSERT INTO %s.%s (%s) VALUES", l.database, table, columnNames))
	if err != nil {
		return err
	}
	defer func() { _ = batch.Close() }() // after Send it does nothing; before, it ends an insert of no rows
	for i, c := range columns {
		if err := c.append(batch.Column(i), s); err != nil {
			return &columnError{c.name, err}
		}
	}
	return batch.Send()
}

// insertSettings returns the settings of an insert that is one block, durable when answered, and done once per token.
func (l *Loader) insertSettings(ctx context.Context, token string) (chgo.Settings, error) {
	dedup := l.dedup.Load()
	if dedup == nil {
		var err error
		if dedup, err = l.askDedup(ctx); err != nil {
			return nil, err
		}
	}
	set := chgo.Settings{
		"async_insert":                0, // on by default since 26.3; it would answer for a queue
		"insert_deduplication_token":  token,
		"max_insert_block_size":       1 << 30,
		"min_insert_block_size_rows":  0, // with both 0 a block goes through as it came
		"min_insert_block_size_bytes": 0,
		"optimize_on_insert":          0, // a batch has each call once: looking for more takes a third of the time
		// An attempt that ended between the two tables is completed by the next one, though calls_raw has the token.
		"deduplicate_blocks_in_dependent_materialized_views": 1,
	}
	maps.Copy(set, *dedup)
	return set, nil
}

// askDedup asks the server by which setting it switches deduplication on. From 26 on deduplicate_insert overrides
// insert_deduplicate, so a profile with the first off would disable our tokens; servers before it refuse its name.
func (l *Loader) askDedup(ctx context.Context) (*chgo.Settings, error) {
	var n uint64
	row := l.conn.QueryRow(ctx, "SELECT count() FROM system.settings WHERE name = 'deduplicate_insert'")
	if err := row.Scan(&n); err != nil {
		return nil, err
	}
	set := chgo.Settings{"insert_deduplicate": 1}
	if n > 0 {
		set["deduplicate_insert"] = "enable"
	}
	l.dedup.Store(&set)
	return &set, nil
}

func withDeadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("no answer within POSTCALL_CLICKHOUSE_TIMEOUT (%s)", d))
}

// Close closes the connections. A Load that is under way fails.
func (l *Loader) Close() error { return l.conn.Close() }
