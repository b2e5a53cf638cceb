package transforms

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports holds the rule of doc.go: an author who imports this package gets no database driver and no connector.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".", "./transformtest").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for _, banned := range []string{"clickhouse", "ch-go", "elastic", "nats-io", "opentelemetry", "postcall/postcall/connector", "postcall/postcall/plugins", "postcall/postcall/cmd"} {
			if strings.Contains(strings.ToLower(dep), banned) {
				t.Errorf("transforms imports %s", dep)
			}
		}
	}
}
