package connector

import (
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A dry run showed the chain of phonely for every source.
func TestDryRunGoesThroughTheChainOfItsSource(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	cfg.Sources = sourcesFile(t, "sources: [{name: phonely}, {name: chat}, {name: other}]")
	set, err := cfg.OpenSources()
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	a, b, c := marks("a", &calls), marks("b", &calls), marks("c", &calls)
	chains := Chains{Default: []Transform{a}, Sources: map[string][]Transform{"phonely": {b}, "chat": {c}}}
	got := map[string]string{}
	for _, name := range []string{"phonely", "chat", "other"} {
		dry, err := NewDryRun(cfg, set, name, chains, discard())
		if err != nil {
			t.Fatal(err)
		}
		rs, err := dry.Run(t.Context(), [][]byte{[]byte(`{"callId":"c1"}`)})
		if err != nil || rs[0].Err != nil || len(rs[0].Events) != 1 {
			t.Fatalf("%s: %+v, %v", name, rs, err)
		}
		got[name] = rs[0].Events[0].Topic
	}
	if diff := cmp.Diff(map[string]string{"phonely": "b", "chat": "c", "other": "a"}, got); diff != "" {
		t.Errorf("transforms by source (-want +got):\n%s", diff)
	}
}
