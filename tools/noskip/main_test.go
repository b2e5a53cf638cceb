package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each case is a test file that the real `go test -json` runs.
func TestNoSkip(t *testing.T) {
	const closing = "\texample\t"
	for name, c := range map[string]struct {
		body string
		code int
		want []string
		not  []string
	}{
		"a passing test is one line": {
			`func TestA(t *testing.T) { t.Log("quiet") }`, 0,
			[]string{"ok  " + closing, "1 passed, 0 failed, 0 skipped\n"},
			[]string{"quiet", "=== RUN"},
		},
		"a skipped test fails, with its reason": {
			`func TestA(t *testing.T) {}; func TestB(t *testing.T) { t.Skip("no engine") }`, 1,
			[]string{"no engine", "1 passed, 0 failed, 1 skipped\n", "counts as failed"},
			nil,
		},
		"a skipped subtest fails": {
			`func TestA(t *testing.T) { t.Run("sub", func(t *testing.T) { t.SkipNow() }) }`, 1,
			[]string{"1 passed, 0 failed, 1 skipped\n"},
			nil,
		},
		"a failed test shows its output": {
			`func TestA(t *testing.T) { t.Error("reason") }`, 1,
			[]string{"reason", "FAIL" + closing, "0 passed, 1 failed, 0 skipped\n"},
			nil,
		},
		"a build that fails": {`func TestA(t *testing.T) { undefined() }`, 1, []string{"undefined: undefined"}, nil},
		"a crash":            {`func TestA(t *testing.T) { println("last words"); os.Exit(3) }`, 1, []string{"TestA", "last words"}, nil},
		"no test":            {``, 0, []string{"no test"}, []string{"passed"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if code := run(strings.NewReader(goTest(t, c.body)), &out); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("no %q in:\n%s", w, out.String())
				}
			}
			for _, w := range c.not {
				if strings.Contains(out.String(), w) {
					t.Errorf("%q in:\n%s", w, out.String())
				}
			}
		})
	}
}

func TestOtherLinesPass(t *testing.T) {
	var out strings.Builder
	if code := run(strings.NewReader("engine: started\n{\"a\":1}\nno newline"), &out); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if want := "engine: started\n{\"a\":1}\nno newline"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func goTest(t *testing.T, body string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":    "module example\ngo 1.26.0\n",
		"a.go":      "package example\n",
		"a_test.go": "package example\nimport (\"os\"; \"testing\")\nvar _, _ = os.Exit, testing.Short\n" + body,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-json", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, _ := cmd.Output() // it fails where a case wants it to
	return string(out)
}
