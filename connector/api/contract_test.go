package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/api/calls.openapi.json and the generated parts of docs/api.md")

// docs/api/calls.openapi.json is the contract as the program has it: go test ./connector/api -run Contract -update writes it.
func TestContractIsCurrent(t *testing.T) {
	const path = "../../docs/api/calls.openapi.json"
	if *update {
		if err := os.WriteFile(path, OpenAPI(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shown, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(shown), string(OpenAPI())); d != "" {
		t.Errorf("%s is not current: go test ./connector/api -run Contract -update\n%s", path, d)
	}
	var doc map[string]any
	if err := json.Unmarshal(OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"\$ref": "#/components/schemas/(\w+)"`).FindAllStringSubmatch(string(OpenAPI()), -1) {
		if doc["components"].(map[string]any)["schemas"].(map[string]any)[m[1]] == nil {
			t.Errorf("the schema %s is not there", m[1])
		}
	}
	for _, p := range []string{"/phonely/events/{callId}", "/phonely/events", "/calls", "/metrics/{name}"} {
		if doc["paths"].(map[string]any)[p] == nil {
			t.Errorf("no route %s", p)
		}
	}
}

// The generated parts of docs/api.md stand between markers.
func TestContractOfThePage(t *testing.T) {
	const path = "../../docs/api.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for name, text := range map[string]string{"routes": routesTable(), "parameters": parametersTable(), "tools": toolsTable(t)} {
		begin, end := "<!-- "+name+":begin -->\n", "<!-- "+name+":end -->"
		head, rest, ok := strings.Cut(page, begin)
		_, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no place for the %s", path, name)
		}
		page = head + begin + text + end + tail
	}
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(b), page); d != "" {
		t.Errorf("%s is not current: go test ./connector/api -run Contract -update\n%s", path, d)
	}
}

func routesTable() string {
	var b strings.Builder
	b.WriteString("| Route | Parameters | Scope | Store | Answer |\n|---|---|---|---|---|\n")
	for _, r := range routes {
		fmt.Fprintf(&b, "| `GET %s` | %s | `%s` | %s | %s |\n", r.path, names(r.params), r.scope, r.store, r.text)
	}
	return b.String()
}

func parametersTable() string {
	var b strings.Builder
	b.WriteString("| Parameter | Takes | Meaning |\n|---|---|---|\n")
	seen := map[string]bool{}
	for _, r := range routes {
		for _, p := range r.params {
			if key := p.name + p.field.name; !seen[key] && !p.inPath {
				seen[key] = true
				name := p.name
				if name == "limit" {
					name += " of `" + r.path + "`"
				}
				_, takes, _ := strings.Cut(p.wrong().Detail, " takes ")
				if p.schema.Default != nil {
					takes += "; default " + string(p.schema.Default)
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.ReplaceAll(name, " of `", "` of `"), takes, p.meaning)
			}
		}
	}
	return strings.ReplaceAll(b.String(), "``", "`")
}

func toolsTable(t *testing.T) string {
	list, err := newWorld(t, nil).stdio().ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| Tool | Arguments | Answer |\n|---|---|---|\n")
	for _, tool := range list.Tools {
		in := tool.InputSchema.(map[string]any)
		var args []string
		for name := range in["properties"].(map[string]any) {
			args = append(args, name)
		}
		slices.Sort(args)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", tool.Name, strings.Join(args, ", "), tool.Description)
	}
	return b.String()
}
