package elastic

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetupTwice(t *testing.T) {
	cfg := engine(t)
	a := cfg.Index
	missing := []Step{
		{"component template " + a + "@template", "missing", "create"},
		{"index template " + a, "missing", "create"},
		{"index " + a + "-v1", "missing", "create"},
		{"alias " + a, "missing", "create with the index"},
	}
	current := []Step{
		{"component template " + a + "@template", "current", ""},
		{"index template " + a, "current", ""},
		{"index " + a + "-v1", "current", ""},
		{"alias " + a, "current", ""},
	}
	f := func(name string, got []Step, err error, want []Step) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	got, err := Plan(t.Context(), cfg)
	f("plan", got, err, missing)
	got, err = Apply(t.Context(), cfg)
	f("apply", got, err, missing)
	if err := open(t, cfg).Check(t.Context()); err != nil {
		t.Error(err)
	}
	load(t, open(t, cfg), full("c1", 1))
	got, err = Apply(t.Context(), cfg)
	f("apply again", got, err, current)
	got, err = Status(t.Context(), cfg)
	f("status", got, err, current)
	if got := search(t, open(t, cfg), `{"query":{"match_all":{}}}`).Total.Value; got != 1 {
		t.Errorf("%d documents after the second apply, want 1", got)
	}
}

func TestSetupBySeveralAtOnce(t *testing.T) {
	cfg := engine(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := Apply(t.Context(), cfg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := open(t, cfg).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSetupMendsAndDestroysNothing(t *testing.T) {
	l := migrated(t)
	cfg := engine(t)
	cfg.Index = l.c.alias
	load(t, l, full("c1", 1))
	do := func(method, path, body string) {
		t.Helper()
		var in any
		if body != "" {
			in = jsonBody(body)
		}
		if err := l.c.do(t.Context(), method, path, in, nil); err != nil {
			t.Fatal(explain(err))
		}
	}
	f := func(name, state string) {
		t.Helper()
		steps, err := Apply(t.Context(), cfg)
		if err != nil || !strings.Contains(fmt.Sprint(steps), state) {
			t.Errorf("%s: %v, %v", name, steps, err)
		}
		if err := l.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := search(t, l, `{"query":{"match_all":{}}}`).Total.Value; got != 1 {
			t.Errorf("%s: %d documents", name, got)
		}
	}
	name := indexName(l.c.alias)
	do(http.MethodDelete, "/"+name+"/_alias/"+l.c.alias, "")
	f("alias gone", "{alias "+l.c.alias+" missing add}")
	do(http.MethodPut, "/"+name+"/_mapping", `{"_meta":{"template_version":0}}`)
	f("older mapping", "version 0, wanted 1 update the mapping of")
	do(http.MethodPut, "/"+name+"/_mapping", `{"_meta":{"template_version":99}}`)
	f("newer mapping", "version 99, newer than this program's 1")
	do(http.MethodDelete, "/_index_template/"+l.c.alias, "")
	f("index template gone", "{index template "+l.c.alias+" missing create}")
	do(http.MethodPut, "/"+l.c.alias+"-v2", fmt.Sprintf(`{"aliases":{%q:{"is_write_index":false}}}`, l.c.alias))
	f("a second index", "{alias "+l.c.alias+" current }")
}

func TestSetupLeavesAForeignIndexAlone(t *testing.T) {
	cfg := engine(t)
	l := open(t, cfg)
	if err := l.c.do(t.Context(), http.MethodPost, "/"+cfg.Index+"/_doc/1", jsonBody(`{"mine":1}`), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "is an index, not an alias") {
		t.Errorf("got %v", err)
	}
	if got := search(t, l, `{"query":{"match_all":{}}}`).Total.Value; got != 1 {
		t.Errorf("%d documents", got)
	}
}

func TestOperatorsSettingsWin(t *testing.T) {
	cfg := engine(t)
	c := open(t, cfg).c
	custom := `{"template":{"settings":{"index":{"refresh_interval":"1s"}},"mappings":{"properties":{"own":{"type":"keyword"}}}}}`
	if err := c.do(t.Context(), http.MethodPut, "/_component_template/"+cfg.Index+"@custom", jsonBody(custom), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	var got map[string]struct {
		Settings struct {
			Index struct {
				Refresh string `json:"refresh_interval"`
				Codec   string
			}
		}
		Mappings struct{ Properties map[string]any }
	}
	if err := c.do(t.Context(), http.MethodGet, "/"+indexName(cfg.Index), nil, &got); err != nil {
		t.Fatal(err)
	}
	ix := got[indexName(cfg.Index)]
	if ix.Settings.Index.Refresh != "1s" || ix.Settings.Index.Codec != "best_compression" || ix.Mappings.Properties["own"] == nil || ix.Mappings.Properties["turns"] == nil {
		t.Errorf("got %+v", ix)
	}
}

// A change of template.json needs a new templateVersion, or live indices are never told of it.
func TestTemplateVersionFollowsTheTemplate(t *testing.T) {
	checksums := map[int]string{1: "9b7dbc62a8324d2f"}
	if got := wantMeta(); checksums[got.Version] != got.Checksum {
		t.Errorf("template.json has changed: raise templateVersion and add %d: %q here (before the first release, replace)", got.Version+1, got.Checksum)
	}
	for name, field := range parsed().Mappings["properties"].(map[string]any) {
		f := field.(map[string]any)
		if f["type"] == "keyword" && f["ignore_above"] == nil && f["index"] != false {
			t.Errorf("keyword %s has no ignore_above: a long value would refuse the call", name)
		}
	}
	for _, v := range parsed().Settings["index"].(map[string]any)["query.default_field"].([]any) {
		name, _, _ := strings.Cut(v.(string), "^")
		if fieldTypes()[name] == "" {
			t.Errorf("default field %s is no field", name)
		}
	}
}
