package clickhouse

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
)

func TestVersionsOfCalls(t *testing.T) {
	l, _, _ := migrated(t)
	other := call("a'b\\c", 50)
	other.Tenant = "other"
	load(t, l, "t1", call("a", 100), other)
	load(t, l, "t2", call("a", 200))
	got, err := l.Versions(t.Context(), []connector.SinkKey{{Tenant: "default", CallID: "a"}, {Tenant: "default", CallID: "none"}, {Tenant: "other", CallID: "a'b\\c"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{200, 0, 50}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCanaryLeavesNothingToSee(t *testing.T) {
	l, conn, cfg := migrated(t)
	for range 2 {
		if err := l.Canary(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := one[uint64](t, conn, "SELECT count() FROM "+cfg.Database+".calls"); n != 0 {
		t.Errorf("the view shows %d canaries", n)
	}
	exec(t, conn, "DROP TABLE "+cfg.Database+".calls_raw")
	if err := l.Canary(t.Context()); err == nil {
		t.Error("a canary passed without a table")
	}
}
