package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/kibana/postcall.ndjson")

const bundleFile = "../../deploy/kibana/postcall.ndjson"

func TestKibanaFileIsTheGenerators(t *testing.T) {
	want, err := KibanaBundle()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(bundleFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(bundleFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what KibanaBundle returns: run go test ./connector/elastic -run Kibana -update", bundleFile)
	}
}

// checkBundle finds what Kibana's import lets through and its pages then fail on.
func checkBundle(bundle []byte) error {
	var objects []savedObject
	exists := map[string]bool{}
	for line := range bytes.Lines(bundle) {
		var o savedObject
		if err := json.Unmarshal(line, &o); err != nil {
			return err
		}
		if exists[o.Type+" "+o.ID] {
			return fmt.Errorf("%s %s is there twice", o.Type, o.ID)
		}
		exists[o.Type+" "+o.ID] = true
		objects = append(objects, o)
	}
	var errs []error
	for _, o := range objects {
		if err := checkObject(o, exists); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", o.Type, o.ID, err))
		}
	}
	return errors.Join(errs...)
}

func checkObject(o savedObject, exists map[string]bool) error {
	used := map[string]bool{}
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	field := func(name string) {
		if fieldTypes()[name] == "" {
			fail("unknown field %s", name)
		}
	}
	// Every string that starts like JSON must be JSON, at any depth; names of references are collected on the way.
	var visit func(key string, v any)
	visit = func(key string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				visit(k, x)
			}
		case []any:
			for _, x := range v {
				visit(key, x)
			}
		case string:
			if key == "indexRefName" {
				used[v] = true
			}
			if strings.HasSuffix(key, "JSON") || strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[") {
				var x any
				if err := json.Unmarshal([]byte(v), &x); err != nil {
					fail("%s: %v", key, err)
				}
				visit(key, x)
			}
		}
	}
	visit("attributes", o.Attributes)
	for _, r := range o.References {
		if !used[r.Name] {
			fail("reference %s is not used", r.Name)
		}
		if !exists[r.Type+" "+r.ID] {
			fail("reference %s dangles", r.Name)
		}
		delete(used, r.Name)
	}
	for name := range used {
		fail("reference %s is missing", name)
	}
	a := o.Attributes.(map[string]any)
	for _, key := range []string{"fieldAttrs", "fieldFormatMap"} {
		fields := map[string]any{}
		if s, is := a[key].(string); is && json.Unmarshal([]byte(s), &fields) != nil {
			fail("%s is not an object", key)
		}
		for name := range fields {
			field(name)
		}
	}
	if name, is := a["timeFieldName"].(string); is {
		field(name)
	}
	columns, _ := a["columns"].([]any)
	for _, c := range columns {
		field(c.(string))
	}
	sorts, _ := a["sort"].([]any)
	for _, s := range sorts {
		field(s.([]any)[0].(string))
	}
	grid, _ := a["grid"].(map[string]any)
	widths, _ := grid["columns"].(map[string]any)
	for name := range widths {
		field(name)
	}
	if o.CoreMigrationVersion != "8.8.0" || o.TypeMigrationVersion != "8.0.0" {
		fail("versions %s and %s", o.CoreMigrationVersion, o.TypeMigrationVersion)
	}
	return errors.Join(errs...)
}

func TestKibanaBundleIsSound(t *testing.T) {
	b, err := KibanaBundle()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkBundle(b); err != nil {
		t.Error(err)
	}
	labels := kibanaLabels()
	walkFields(parsed().Mappings, "", func(name, typ string) {
		if object := typ == "nested" || typ == "object"; !object && labels[name] == "" {
			t.Errorf("field %s has no label", name)
		}
	})
	seen := map[string]string{}
	for name, label := range labels {
		if other, twice := seen[label]; twice {
			t.Errorf("%s and %s are both called %s", name, other, label)
		}
		seen[label] = name
	}
	for name := range fieldLabels {
		if fieldTypes()[name] == "" {
			t.Errorf("label for an unknown field %s", name)
		}
	}
}

// The checker is only worth something if it finds what is broken.
func TestBrokenBundlesAreFound(t *testing.T) {
	b, err := KibanaBundle()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{
		{`"columns":["agent_name"`, `"columns":["agent"`, "unknown field agent"},
		{`\"talk_ratio\":{\"id\"`, `\"ratio\":{\"id\"`, "unknown field ratio"},
		{`"id":"postcall-call-transcripts","name"`, `"id":"other","name"`, "dangles"},
		{`"name":"kibanaSavedObjectMeta.searchSourceJSON.index"`, `"name":"index"`, "is not used"},
		{`"searchSourceJSON":"{`, `"searchSourceJSON":"{{`, "searchSourceJSON:"},
		{`"timeFieldName":"call_started"`, `"timeFieldName":"started"`, "unknown field started"},
		{`"sort":[["call_started"`, `"sort":[["started"`, "unknown field started"},
		{`"typeMigrationVersion":"8.0.0"`, `"typeMigrationVersion":"10.0.0"`, "versions"},
	} {
		broken := bytes.ReplaceAll(b, []byte(c[0]), []byte(c[1]))
		if bytes.Equal(broken, b) {
			t.Errorf("%s is not in the bundle", c[0])
		}
		if err := checkBundle(broken); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: got %v, want %s", c[1], err, c[2])
		}
	}
}

func TestApplyKibana(t *testing.T) {
	bundle, err := KibanaBundle()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, answer string
		status       int
		want         string // "" is success
	}{
		{"imported", `{"success":true,"successCount":2,"warnings":[]}`, 200, ""},
		{"conflict", `{"success":false,"successCount":1,"errors":[{"id":"x","type":"search","error":{"type":"conflict"}}]}`, 200, "search x: conflict"},
		{"missing reference", `{"success":false,"errors":[{"id":"x","type":"search","error":{"type":"missing_references","references":[{"type":"index-pattern","id":"y"}]}}]}`, 200, "missing_references index-pattern y"},
		{"errors beside success", `{"success":true,"successCount":2,"errors":[{"id":"x","type":"search","error":{"type":"unknown"}}]}`, 200, "search x: unknown"},
		{"no success", `{"success":false}`, 200, "0 of 2 objects"},
		{"too few", `{"success":true,"successCount":1}`, 200, "1 of 2 objects"},
		{"newer version", `{"statusCode":422,"message":"Document has a newer version"}`, 422, "HTTP 422 Document has a newer version"},
		{"forbidden", `{"message":"Forbidden"}`, 403, "Saved Objects Management"},
		{"not Kibana", `<html>`, 200, "is this the address of Kibana"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.String() != "/s/support/api/saved_objects/_import?overwrite=true" || r.Header.Get("kbn-xsrf") == "" {
					t.Errorf("%s %s, kbn-xsrf %q", r.Method, r.URL, r.Header.Get("kbn-xsrf"))
				}
				if got := r.Header.Get("Authorization"); got != "ApiKey k" {
					t.Errorf("authorization %q", got)
				}
				f, h, err := r.FormFile("file")
				if err != nil || !strings.HasSuffix(h.Filename, ".ndjson") {
					t.Fatalf("file %v, %v", h, err)
				}
				if got, _ := io.ReadAll(f); !bytes.Equal(got, bundle) {
					t.Error("another file was sent")
				}
				w.WriteHeader(c.status)
				io.WriteString(w, c.answer)
			}))
			defer srv.Close()
			err := ApplyKibana(t.Context(), srv.URL+"/s/support/", KibanaAuth{APIKey: "k"})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestApplyKibanaKeepsThePasswordToItself(t *testing.T) {
	for _, address := range []string{"http://u:hunter2@127.0.0.1:1", "http://u:hunter2@a b", "u:hunter2@x"} {
		if err := ApplyKibana(t.Context(), address, KibanaAuth{}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != "u" || p != "hunter2" {
			t.Errorf("got user %q", u)
		}
		io.WriteString(w, `{"success":true,"successCount":2}`)
	}))
	defer srv.Close()
	if err := ApplyKibana(t.Context(), strings.Replace(srv.URL, "//", "//u:hunter2@", 1), KibanaAuth{}); err != nil {
		t.Error(err)
	}
}
