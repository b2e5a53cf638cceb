package clickhouse

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/connector"
)

var layouts = map[string]connector.ClickHouseConfig{
	"single":     {Layout: "single", Database: "postcall"},
	"cluster":    {Layout: "cluster", Cluster: "{cluster}", Database: "postcall"},
	"replicated": {Layout: "replicated", Database: "postcall"},
	"cloud":      {Layout: "cloud", Database: "postcall"},
}

// rendered is every statement of the migrations, the views and the retention.
func rendered(t *testing.T, cfg connector.ClickHouseConfig) []string {
	t.Helper()
	to := target{cfg.Database, layoutOf(cfg)}
	var all []string
	for _, src := range everySource(t) {
		statements, err := to.render(src)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, statements...)
	}
	for _, name := range []string{table, factsTable} {
		all = append(all, to.change(name, kept{}, Retention{Days: 400, Personal: 90})...)
		set := kept{days: 400, columns: map[string]int{}}
		for _, c := range personal[name] {
			set.columns[c] = 90
		}
		all = append(all, to.change(name, set, Retention{})...)
	}
	for i := range all {
		all[i] = uncommented(all[i])
	}
	return all
}

func parses(t *testing.T, conn driver.Conn, statement string) {
	t.Helper()
	if err := conn.Exec(t.Context(), "EXPLAIN AST "+statement); err != nil {
		t.Errorf("the engine does not read it: %v\n%s", err, statement)
	}
}

// Where no cluster and no cloud can be run, the engine still parses what would be run there, in its form.
func TestEveryLayoutParses(t *testing.T) {
	_, conn, _ := migrated(t)
	for name, cfg := range layouts {
		t.Run(name, func(t *testing.T) {
			for _, s := range rendered(t, cfg) {
				parses(t, conn, s)
				insert := strings.HasPrefix(s, "INSERT") // on one replica; the others fetch it
				if got := strings.Contains(s, "ON CLUSTER '{cluster}'"); got != (name == "cluster" && !insert) {
					t.Errorf("ON CLUSTER: %t in %.80s", got, s)
				}
				if !strings.HasPrefix(s, "CREATE TABLE") {
					continue
				}
				if got := strings.Contains(s, "ENGINE = Replicated"); got != (name == "cluster" || name == "replicated") {
					t.Errorf("a replicated engine: %t in %.80s", got, s)
				}
				data := strings.Contains(s, "_raw")
				for _, setting := range []string{"non_replicated_deduplication_window = ", "fsync_after_insert = ", "fsync_part_directory = "} {
					if got := strings.Contains(s, setting); got != (data && name != "cloud") {
						t.Errorf("%s: %t in %.80s", setting, got, s)
					}
				}
				if got := strings.Contains(s, "replicated_deduplication_window_seconds = 2592000"); got != data {
					t.Errorf("a window in seconds: %t in %.80s", got, s)
				}
			}
		})
	}
}

// What is made in Cloud's form is what Check accepts there but for the engine's name, which Cloud changes.
func TestCloudFormWorks(t *testing.T) {
	cfg := engine(t)
	cfg.Layout = "cloud"
	m := migrator(t, cfg)
	if _, err := m.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := loader(t, cfg)
	load(t, l, "t1", call("a", 1))
	wantRows(t, l, "1", 1, 1)
	full := one[string](t, m.conn, "SELECT engine_full FROM system.tables WHERE database = '"+cfg.Database+"' AND name = 'calls_raw'")
	for setting, least := range windows("SharedReplacingMergeTree") {
		if windowOf(full, setting) < least {
			t.Errorf("%s is less than Check demands: %s", setting, full)
		}
	}
}

func TestRolesParseAndHideTheTables(t *testing.T) {
	_, conn, mcfg := migratedBut(t, "")
	visible := one[[]string](t, conn, "SELECT groupArray(name) FROM system.tables WHERE engine = 'View' AND database = '"+mcfg.Database+"'")
	for name, cfg := range layouts {
		t.Run(name, func(t *testing.T) {
			text, err := Roles(cfg)
			if err != nil {
				t.Fatal(err)
			}
			granted := map[string][]string{}
			for s := range strings.SplitSeq(text, ";\n") {
				if s = uncommented(strings.TrimSpace(s)); s == "" {
					continue
				}
				parses(t, conn, s)
				if got := strings.Contains(s, "ON CLUSTER '{cluster}'"); got != (name == "cluster") {
					t.Errorf("ON CLUSTER: %t in %.80s", got, s)
				}
				if m := regexp.MustCompile(`^GRANT.* SELECT.* ON postcall\.(\S+) TO (.*)`).FindStringSubmatch(s); m != nil {
					for role := range strings.SplitSeq(m[2], ", ") {
						granted[role] = append(granted[role], m[1])
					}
				}
			}
			for _, role := range []string{"postcall_analyst", "postcall_reader"} {
				if got, want := slices.Sorted(slices.Values(granted[role])), slices.Sorted(slices.Values(visible)); !slices.Equal(got, want) {
					t.Errorf("%s reads %v, want every view and nothing else: %v", role, got, want)
				}
			}
			if got := granted["postcall_writer"]; !slices.Contains(got, "calls_raw") || slices.Contains(got, "*") {
				t.Errorf("postcall_writer reads %v", got)
			}
		})
	}
}

func TestAReplicatedDatabaseIsTheAdministrators(t *testing.T) {
	cfg := engine(t)
	cfg.Layout = "replicated"
	_, err := migrator(t, cfg).Apply(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ENGINE = Replicated(") {
		t.Errorf("got %v", err)
	}
}
