package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/connector"
)

// State is how a migration stands in a database.
type State string

// The states.
const (
	Applied State = "applied"
	Pending State = "pending" // of a view also: made of another text than this release has, or gone
	Changed State = "changed" // applied with another text than this release has
	Newer   State = "newer"   // applied by another release, not known to this one
)

// Migration is one step of the schema: one that is applied once, or a view, which is made again when its text changes.
type Migration struct {
	Version    int       `json:"version,omitempty"` // 0 of a view
	Name       string    `json:"name"`
	State      State     `json:"state"`
	AppliedAt  time.Time `json:"appliedAt,omitzero"`
	Statements []string  `json:"statements,omitempty"` // of Plan only

	source source
	label  string // of a step that no source says
}

// String names it: "migration 1 (calls)", "view calls" or "retention of calls_raw: calls for 400 days".
func (m *Migration) String() string { return cmp.Or(m.label, title(m.Version, m.Name)) }

// Migrator brings a database to the schema that this release loads into. It is safe to repeat, and two at once do no
// harm: every statement can be repeated.
type Migrator struct {
	conn    driver.Conn
	target  target
	keep    Retention
	timeout time.Duration
}

// OpenMigrator returns a Migrator without connecting.
func OpenMigrator(cfg connector.ClickHouseConfig) (*Migrator, error) {
	conn, err := open(cfg)
	if err != nil {
		return nil, err
	}
	return &Migrator{conn: conn, target: target{cfg.Database, layoutOf(cfg)}, keep: retentionOf(cfg), timeout: cfg.Timeout}, nil
}

// Close closes the connections.
func (m *Migrator) Close() error { return m.conn.Close() }

// Status returns every migration with its state: those that are applied once, then the views, each in order, and how long
// calls are kept.
func (m *Migrator) Status(ctx context.Context) ([]Migration, error) {
	ctx, cancel := withDeadline(ctx, m.timeout)
	defer cancel()
	once, err := status(ctx, m.conn, m.target)
	if err != nil {
		return nil, err
	}
	views, err := viewStatus(ctx, m.conn, m.target)
	if err != nil {
		return nil, err
	}
	keep, err := m.retention(ctx)
	return slices.Concat(once, views, keep), err
}

// Plan returns the pending migrations with the statements that Apply would run.
func (m *Migrator) Plan(ctx context.Context) ([]Migration, error) {
	all, err := m.Status(ctx)
	if err != nil {
		return nil, err
	}
	if err := unchanged(all); err != nil {
		return nil, err
	}
	pending := []Migration{}
	for _, mg := range all {
		if mg.State != Pending {
			continue
		}
		if mg.label == "" {
			if mg.Statements, err = m.target.render(mg.source); err != nil {
				return nil, err
			}
		}
		pending = append(pending, mg)
	}
	return pending, nil
}

// Apply runs the pending migrations and returns them. After an error it can be called again: what was done stays, and
// the migration that failed is run from its start.
func (m *Migrator) Apply(ctx context.Context) ([]Migration, error) {
	plan, err := m.Plan(ctx)
	if err != nil || len(plan) == 0 {
		return plan, err
	}
	if err := m.prepare(ctx); err != nil {
		return nil, err
	}
	for i := range plan {
		if err := m.apply(ctx, &plan[i]); err != nil {
			return plan[:i], err
		}
	}
	return plan, nil
}

// prepare makes the database, where it is missing, and the table of migrations.
func (m *Migrator) prepare(ctx context.Context) error {
	var n uint64
	asking, cancel := withDeadline(ctx, m.timeout)
	defer cancel()
	row := m.conn.QueryRow(asking, "SELECT count() FROM system.databases WHERE name = ?", m.target.database)
	if err := row.Scan(&n); err != nil {
		return explain(asking, "look for database "+m.target.database, err)
	}
	srcs, err := sources()
	if err != nil {
		return err
	}
	statements, err := m.target.render(srcs[0])
	if err != nil {
		return err
	}
	if n == 0 { // asked first, since the user need not have the right to create one
		if m.target.layout.Replicated && m.target.layout.Cluster == "" {
			return fmt.Errorf("database %s does not exist, and only an administrator knows its path: run on each server: "+
				"CREATE DATABASE %s ENGINE = Replicated('/clickhouse/databases/%s', '{shard}', '{replica}')", m.target.database, m.target.database, m.target.database)
		}
		create := fmt.Sprintf("CREATE DATABASE IF NOT EXISTS %s%s COMMENT 'Calls of AI voice agents, loaded by postcall'",
			m.target.database, m.target.OnCluster())
		statements = append([]string{create}, statements...)
	}
	for _, s := range statements {
		if err := m.exec(ctx, s); err != nil {
			return explain(ctx, "prepare database "+m.target.database, err)
		}
	}
	return nil
}

func (m *Migrator) apply(ctx context.Context, mg *Migration) error {
	for i, s := range mg.Statements {
		if err := m.exec(ctx, s); err != nil {
			return explain(ctx, fmt.Sprintf("apply %s, statement %d", mg, i+1), err)
		}
	}
	mg.State, mg.AppliedAt = Applied, time.Now().UTC().Truncate(time.Millisecond)
	ctx, cancel := withDeadline(ctx, m.timeout)
	defer cancel()
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{"async_insert": 0}))
	return explain(ctx, fmt.Sprintf("record that %s is applied", mg), m.record(ctx, mg))
}

func (m *Migrator) record(ctx context.Context, mg *Migration) error {
	switch {
	case mg.label != "":
		return nil // the table says it
	case mg.Version == 0:
		return m.conn.Exec(ctx, "INSERT INTO "+m.target.Table("schema_views")+" (name, checksum, applied_at) SELECT ?, ?, fromUnixTimestamp64Milli(?)",
			mg.Name, mg.source.checksum, mg.AppliedAt.UnixMilli())
	}
	return m.conn.Exec(ctx, "INSERT INTO "+m.target.Table("schema_migrations")+
		" (version, name, checksum, applied_at) SELECT ?, ?, ?, fromUnixTimestamp64Milli(?)",
		uint32(mg.Version), mg.Name, mg.source.checksum, mg.AppliedAt.UnixMilli())
}

// copyTimeout is for a migration that copies what is stored: ten million calls take a minute or two.
const copyTimeout = 6 * time.Hour

// exec runs a statement that can be repeated. Another Apply at the same moment can get into its way between the check
// and the creation: it is tried again.
func (m *Migrator) exec(ctx context.Context, statement string) (err error) {
	timeout := m.timeout
	if strings.HasPrefix(uncommented(statement), "INSERT") {
		timeout = max(timeout, copyTimeout)
	}
	for range 5 {
		ctx, cancel := withDeadline(ctx, timeout)
		err = m.conn.Exec(ctx, statement)
		cancel()
		if !isCode(err, codeTableExists, codeDatabaseExists, codeUnknownTable, codeUnknownDatabase) {
			return err
		}
	}
	return err
}

// uncommented is a statement without the comments before it.
func uncommented(statement string) string {
	for strings.HasPrefix(statement, "--") {
		_, statement, _ = strings.Cut(statement, "\n")
	}
	return strings.TrimSpace(statement)
}

// unchanged returns an error that says what to do about the migrations that this release has with another text.
func unchanged(all []Migration) error {
	var errs []error
	for _, mg := range all {
		if mg.State == Changed {
			errs = append(errs, fmt.Errorf("%s was applied on %s with another text than this release has: run the release that "+
				"applied it, or, when developing, add a migration instead of changing one", &mg, mg.AppliedAt.Format(time.DateOnly)))
		}
	}
	return errors.Join(errs...)
}
