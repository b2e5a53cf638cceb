package clickhouse

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// states returns the state of each migration and view by its name.
func states(t testing.TB, cfg connector.ClickHouseConfig) map[string]State {
	t.Helper()
	all, err := migrator(t, cfg).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]State, len(all))
	for _, mg := range all {
		got[mg.String()] = mg.State
	}
	return got
}

// A view whose text changed, and one that is gone, are made again, and nothing else is.
func TestViewsAreMadeAgainWhenTheirTextChanges(t *testing.T) {
	l, conn, cfg := migratedBut(t, "")
	f := func(why, spoil string) {
		t.Helper()
		exec(t, conn, spoil)
		if got := states(t, cfg)["view call_turns"]; got != Pending {
			t.Errorf("%s: the view is %q", why, got)
		}
		if err := l.Check(t.Context()); err != nil {
			t.Errorf("%s: loading needs no view: %v", why, err)
		}
		done, err := migrator(t, cfg).Apply(t.Context())
		if err != nil || len(done) != 1 || done[0].String() != "view call_turns" {
			t.Errorf("%s: applied %v, %v", why, done, err)
		}
		if plan, err := migrator(t, cfg).Plan(t.Context()); err != nil || len(plan) > 0 {
			t.Errorf("%s: still planned: %v, %v", why, plan, err)
		}
		if n := one[uint64](t, conn, "SELECT count() FROM system.columns WHERE database = '"+cfg.Database+"' AND table = 'call_turns' AND name = 'seq'"); n != 1 {
			t.Errorf("%s: the view isn't the one of this release", why)
		}
	}
	f("gone", "DROP VIEW "+cfg.Database+".call_turns")
	exec(t, conn, "CREATE OR REPLACE VIEW "+cfg.Database+".call_turns AS SELECT 1 AS x")
	f("of another text", "INSERT INTO "+cfg.Database+".schema_views SELECT 'call_turns', 'other', now64(3)")
}

func TestViewsOfAnotherReleaseAreLeftAlone(t *testing.T) {
	_, conn, cfg := migratedBut(t, "")
	exec(t, conn, "CREATE VIEW "+cfg.Database+".future AS SELECT 1 AS x")
	exec(t, conn, "INSERT INTO "+cfg.Database+".schema_views SELECT 'future', 'x', now64(3)")
	exec(t, conn, "INSERT INTO "+cfg.Database+".schema_views SELECT 'past', 'x', now64(3)") // and dropped since
	got := states(t, cfg)
	if _, ok := got["view past"]; got["view future"] != Newer || ok {
		t.Errorf("got %v", got)
	}
	if done, err := migrator(t, cfg).Apply(t.Context()); err != nil || len(done) > 0 {
		t.Errorf("applied %v, %v", done, err)
	}
}

// Each schema that a release had becomes this one's, and the calls in it are there.
func TestMigrateFromEachEarlierVersion(t *testing.T) {
	srcs, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range srcs[1:] {
		t.Run(fmt.Sprint(src.version), func(t *testing.T) {
			cfg := engine(t)
			m := migrator(t, cfg)
			old, err := m.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := m.prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i := range old {
				if old[i].Version == 0 || old[i].Version > src.version {
					break
				}
				if err := m.apply(t.Context(), &old[i]); err != nil {
					t.Fatal(err)
				}
			}
			exec(t, m.conn, "INSERT INTO "+cfg.Database+".calls_raw (tenant, call_id, version, call_started, hour, weekday) "+
				"VALUES ('default', 'old', 1, '2026-11-03 23:30:00', 0, 3)")
			if _, err := m.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			l := loader(t, cfg)
			if err := l.Check(t.Context()); err != nil {
				t.Error(err)
			}
			load(t, l, "new", call("new", 1))
			got := one[[]string](t, m.conn, "SELECT groupArray(call_id || ' ' || toString(day)) FROM (SELECT * FROM "+cfg.Database+".calls ORDER BY call_id)")
			if d := cmp.Diff([]string{"new 2026-11-03", "old 2026-11-04"}, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// A number that is filled in later is applied, though a higher one was before it.
func TestAMigrationWithALowerNumberIsAppliedLater(t *testing.T) {
	_, conn, cfg := migrated(t)
	exec(t, conn, "DELETE FROM "+cfg.Database+".schema_migrations WHERE version = 4 SETTINGS mutations_sync = 2")
	if got := states(t, cfg)["migration 4 (day)"]; got != Pending {
		t.Errorf("it is %q", got)
	}
	done, err := migrator(t, cfg).Apply(t.Context())
	var applied []int
	for i := range done {
		if done[i].Version > 0 { // the views may not be there
			applied = append(applied, done[i].Version)
		}
	}
	if err != nil || !slices.Equal(applied, []int{4}) {
		t.Errorf("applied %v, %v", applied, err)
	}
}

// What has been applied somewhere is never changed, since `migrate` then refuses to go on there.
func TestMigrationsNeverChange(t *testing.T) {
	want := []string{"2dbe5076", "eed682f3", "456592a6", "3280d0db", "30973ec0", "c5f56613", "c36ff529", "2d101fc7"}
	srcs, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	for i, sum := range want {
		if srcs[i].checksum[:8] != sum {
			t.Errorf("%s has another text (%s) than when it was released: add a migration instead", srcs[i], srcs[i].checksum[:8])
		}
	}
	if len(srcs) > len(want) {
		t.Errorf("add the checksum of %s here: %s", srcs[len(want)], srcs[len(want)].checksum[:8])
	}
}

// The business day is made of the start and the weekday, which Go takes from the time zone: in every zone, at the hours
// around midnight and around the changes of the clocks, they must agree.
func TestDayIsTheDayInTheBusinessTimeZone(t *testing.T) {
	l, conn, cfg := migrated(t)
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"}
	var events []transforms.Event
	want := map[string]string{}
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		n := connector.NewNormalizer(loc, nil)
		for at := time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC); at.Year() == 2026; at = at.Add(6*time.Hour + 30*time.Minute) {
			id := zone + at.Format(time.RFC3339)
			e, err := n.Normalize(fmt.Appendf(nil, `{"callId":%q,"callStarted":%q}`, id, at.Format(time.RFC3339)), "default", "phonely", at)
			if err != nil {
				t.Fatal(err)
			}
			events, want[id] = append(events, e), at.In(loc).Format(time.DateOnly)
		}
	}
	load(t, l, "days", events...)
	got := one[map[string]string](t, conn, "SELECT mapFromArrays(groupArray(call_id), groupArray(toString(day))) FROM "+cfg.Database+".calls")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
