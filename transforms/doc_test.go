package transforms

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocExample builds and runs the plugin that doc.go shows.
func TestDocExample(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("testdata/plugins/drop-short/main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(code), ")\n\n") // behind the imports
	shown := "//\n//\t" + strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n//\t") + "\n//\n"
	if shown = strings.ReplaceAll(shown, "//\t\n", "//\n"); !strings.Contains(string(doc), shown) {
		t.Error("doc.go shows another plugin than testdata/plugins/drop-short")
	}
	path := filepath.Join(t.TempDir(), "drop-short")
	if out, err := exec.Command("go", "build", "-o", path, "./testdata/plugins/drop-short").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p, err := Open(t.Context(), Spec{Name: "drop-short", Path: path, Settings: json.RawMessage(`{"seconds":10}`)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	out, err := p.Transform(t.Context(), []Event{{CallID: "a", Duration: new(3.0)}, {CallID: "b", Duration: new(30.0)}})
	if err != nil {
		t.Fatal(err)
	}
	if out[0].Outcome != (Outcome{Drop, "too short"}) || out[1].Outcome != (Outcome{}) {
		t.Errorf("outcomes %v, %v", out[0].Outcome, out[1].Outcome)
	}
}
