package elastic

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
)

func TestVersionsOfCalls(t *testing.T) {
	l := migrated(t)
	load(t, l, full("a", 100), full("b:%", 50))
	load(t, l, full("a", 200))
	tenant := full("a", 1).Tenant
	got, err := l.Versions(t.Context(), []connector.SinkKey{{Tenant: tenant, CallID: "a"}, {Tenant: tenant, CallID: "none"}, {Tenant: tenant, CallID: "b:%"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{200, 0, 50}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCanaryLeavesNothingToSee(t *testing.T) {
	l := migrated(t)
	if err := l.Canary(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := search(t, l, `{}`); found.Total.Value != 0 {
		t.Errorf("search finds %d canaries", found.Total.Value)
	}
}
