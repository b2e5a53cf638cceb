package connector

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// RULES.md is worth what its names are.
func TestRulesNameTests(t *testing.T) {
	doc, err := os.ReadFile("RULES.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, glob := range []string{"*_test.go", "clickhouse/*_test.go", "elastic/*_test.go"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(b, -1) {
				tests[string(m[1])] = true
			}
		}
	}
	named := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(doc), -1)
	if len(named) < 60 {
		t.Errorf("RULES.md names %d tests", len(named))
	}
	for _, name := range named {
		if !tests[name] {
			t.Errorf("RULES.md names %s, which is no test", name)
		}
	}
	if rows := regexp.MustCompile(`(?m)^\| \d+ \|`).FindAll(doc, -1); len(rows) != 20 {
		t.Errorf("%d rules, want 20", len(rows))
	}
}
