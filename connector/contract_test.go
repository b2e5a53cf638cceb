package connector

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/api is the contract as the program has it: go test ./connector -run Contract -update writes it.
func TestContractFilesAreCurrent(t *testing.T) {
	files := ContractFiles()
	if len(files) != len(contractNames) {
		t.Fatalf("%d files, %d names", len(files), len(contractNames))
	}
	for name, text := range files {
		path := filepath.Join("../docs/api", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		shown, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(shown), string(text)); diff != "" {
			t.Errorf("%s is not current: go test ./connector -run Contract -update\n%s", path, diff)
		}
		var doc map[string]any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		checkRefs(t, name, doc, doc)
	}
}

// checkRefs fails for a reference that leads nowhere.
func checkRefs(t *testing.T, name string, doc map[string]any, v any) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			var at any = doc
			for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
				m, _ := at.(map[string]any)
				at = m[part]
			}
			if at == nil {
				t.Errorf("%s: %s leads nowhere", name, ref)
			}
		}
		for _, e := range v {
			checkRefs(t, name, doc, e)
		}
	case []any:
		for _, e := range v {
			checkRefs(t, name, doc, e)
		}
	}
}

func TestContractSaysWhatEveryFieldIs(t *testing.T) {
	for _, schema := range []object{deliverySchema(), eventSchema()} {
		for name, s := range schema["properties"].(object) {
			if s.(object)["description"] == nil {
				t.Errorf("field %s has no meaning", name)
			}
		}
	}
	known := map[string]bool{}
	for _, schema := range []object{deliverySchema(), eventSchema()} {
		for name := range schema["properties"].(object) {
			known[name] = true
		}
	}
	for name := range fieldMeanings {
		if !known[name] {
			t.Errorf("a meaning of %s, which is no field", name)
		}
	}
}

func TestContractIsServed(t *testing.T) {
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", newStore(), 1}}})
	get := func(method, path string) (int, string, string) {
		req, err := http.NewRequest(method, r.base()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, res.Header.Get("Content-Type"), string(b)
	}
	for name, text := range ContractFiles() {
		if code, kind, body := get("GET", "/docs/"+name); code != 200 || kind != "application/json" || body != string(text) {
			t.Errorf("%s answered %d %s, %d bytes", name, code, kind, len(body))
		}
	}
	if code, kind, body := get("GET", "/docs"); code != 200 || !strings.HasPrefix(kind, "text/html") || !strings.Contains(body, "/docs/openapi.json") {
		t.Errorf("/docs answered %d %s %s", code, kind, body)
	}
	if code, _, _ := get("POST", "/docs"); code != 405 {
		t.Errorf("POST answered %d", code)
	}
	if code, _, _ := get("GET", "/docs/../postcall.json"); code != 404 {
		t.Errorf("a way up answered %d", code)
	}
	cfg := testConfig(t.TempDir())
	cfg.HTTP.HideDocs = true
	r = start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}})
	if code, _, _ := get("GET", "/docs"); code != 404 {
		t.Errorf("hidden, it answered %d", code)
	}
}
