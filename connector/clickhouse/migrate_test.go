package clickhouse

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/postcall/postcall/connector"
)

func TestMigrateFreshThenAgain(t *testing.T) {
	cfg := engine(t)
	m := migrator(t, cfg)
	plan, err := m.Plan(t.Context())
	if err != nil || len(plan) < 2 || len(plan[0].Statements) == 0 {
		t.Fatalf("plan of a missing database: %d steps, %v", len(plan), err)
	}
	for i, want := range []int{len(plan), 0, 0} {
		done, err := m.Apply(t.Context())
		if err != nil || len(done) != want {
			t.Fatalf("apply %d: %d done, want %d, %v", i+1, len(done), want, err)
		}
	}
	all, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, mg := range all {
		if mg.State != Applied || mg.AppliedAt.IsZero() {
			t.Errorf("migration %d is %s, applied at %s", mg.Version, mg.State, mg.AppliedAt)
		}
	}
	if err := loader(t, cfg).Check(t.Context()); err != nil {
		t.Error("after apply:", err)
	}
}

func TestMigrateManyAtOnce(t *testing.T) {
	cfg := engine(t)
	var wg sync.WaitGroup
	for range 6 {
		m := migrator(t, cfg)
		wg.Go(func() {
			if _, err := m.Apply(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := loader(t, cfg).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// A statement that fails half-way through a migration leaves the earlier ones done and nothing recorded.
func TestMigrateGoesOnAfterAHalfAppliedMigration(t *testing.T) {
	cfg := engine(t)
	m := migrator(t, cfg)
	plan, err := m.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, mg := range plan { // everything is done, nothing recorded
		for _, s := range mg.Statements {
			exec(t, m.conn, s)
		}
	}
	if done, err := m.Apply(t.Context()); err != nil || len(done) != len(plan) {
		t.Errorf("%d of %d applied, %v", len(done), len(plan), err)
	}
}

func TestMigrateRefusesAChangedMigration(t *testing.T) {
	l, conn, cfg := migrated(t)
	exec(t, conn, "INSERT INTO "+cfg.Database+".schema_migrations SELECT 1, 'calls', 'other', now64(3) + INTERVAL 1 HOUR")
	_, err := migrator(t, cfg).Apply(t.Context())
	if err == nil || !strings.Contains(err.Error(), "migration 1 (calls)") || !strings.Contains(err.Error(), "run the release") {
		t.Errorf("got %v", err)
	}
	wantKind(t, l.Check(t.Context()), connector.ErrPaused, "another text")
}

func TestMigrationsOfANewerReleaseAreAccepted(t *testing.T) {
	l, conn, cfg := migrated(t)
	exec(t, conn, "INSERT INTO "+cfg.Database+".schema_migrations SELECT 900, 'future', 'x', now64(3)")
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if got := states(t, cfg)["migration 900 (future)"]; got != Newer {
		t.Errorf("it is %q", got)
	}
}

func TestEveryTableAndColumnHasAComment(t *testing.T) {
	_, conn, cfg := migratedBut(t, "")
	where := " WHERE database = '" + cfg.Database + "' AND comment = ''"
	if got := one[[]string](t, conn, "SELECT groupArray(name) FROM system.tables"+where); len(got) > 0 {
		t.Errorf("tables without a comment: %v", got)
	}
	// What only copies shows nobody anything.
	if got := one[[]string](t, conn, "SELECT groupArray(table || '.' || name) FROM system.columns"+where+" AND table != '"+factsCopy+"'"); len(got) > 0 {
		t.Errorf("columns without a comment: %v", got)
	}
	got := one[[]string](t, conn, "SELECT groupArray(v.name) FROM system.columns v INNER JOIN system.columns r ON v.name = r.name AND v.database = r.database "+
		"WHERE v.database = '"+cfg.Database+"' AND v.table = 'calls' AND r.table = 'calls_raw' AND (v.comment != r.comment AND v.name NOT IN ('tenant') OR v.type != r.type)")
	if len(got) > 0 {
		t.Errorf("view calls differs from calls_raw in the types or comments of %v", got)
	}
}

// everySource returns all migrations and views.
func everySource(t testing.TB) []source {
	t.Helper()
	srcs, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	vs, err := views()
	if err != nil {
		t.Fatal(err)
	}
	return append(srcs, vs...)
}

// Two at once, and a second run after a failure, are harmless only if every statement can be repeated.
func TestEveryStatementCanBeRepeated(t *testing.T) {
	ok := regexp.MustCompile(`^(CREATE (TABLE|MATERIALIZED VIEW|DICTIONARY) IF NOT EXISTS|CREATE OR REPLACE|DROP \w+ IF EXISTS|` +
		`ALTER TABLE \S+ (ADD (COLUMN|INDEX|PROJECTION) IF NOT EXISTS|DROP (COLUMN|INDEX|PROJECTION) IF EXISTS|MODIFY|COMMENT)|` +
		`INSERT INTO postcall\.call_facts_raw\s+SELECT)`) // a ReplacingMergeTree takes the same rows again
	for _, src := range everySource(t) {
		statements, err := target{database: "postcall"}.render(src)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			var lines []string
			for line := range strings.Lines(s) {
				if !strings.HasPrefix(line, "--") {
					lines = append(lines, line)
				}
			}
			if s := strings.Join(lines, ""); !ok.MatchString(s) {
				t.Errorf("%s: %.60q can't be repeated", src, s)
			}
		}
	}
}
