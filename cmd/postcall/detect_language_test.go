package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDetectLanguageBehindRedaction runs real payloads through redact-pii in Go and detect-language in Python.
func TestDetectLanguageBehindRedaction(t *testing.T) {
	bin := mustInstall(t)
	build := exec.Command("make", "--no-print-directory", "-C", "../..", "plugins-python")
	build.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make plugins-python: %v\n%s", err, out)
	}
	dir := t.TempDir() // a plugin folder with both
	for name, path := range map[string]string{"redact-pii": filepath.Join(bin, "plugins/redact-pii"), "detect-language": "../../bin/plugins/detect-language"} {
		abs, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(abs, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("../../testdata/webhooks/*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d payloads, %v", len(files), err)
	}
	w := &world{t: t, bin: bin, env: []string{"POSTCALL_PLUGIN_DIR=" + dir, "POSTCALL_TRANSFORMS=redact-pii,detect-language"}}
	code, out, errs := w.postcall("", append([]string{"transform"}, files...)...)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	languages := map[string]int{}
	for line := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		var e struct {
			CallID     string
			Transforms []struct{ Name string }
			Extra      struct {
				Language           string
				LanguageConfidence float64
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if len(e.Transforms) != 2 || e.Transforms[0].Name != "redact-pii" || e.Transforms[1].Name != "detect-language" {
			t.Errorf("call %s went through %v", e.CallID, e.Transforms)
		}
		if e.Extra.Language != "" && e.Extra.LanguageConfidence < 0.5 {
			t.Errorf("call %s: %+v", e.CallID, e.Extra)
		}
		languages[e.Extra.Language]++
	}
	if languages["en"] < 5 || languages["es"] != 1 || languages["en"]+languages["es"]+languages[""] != len(files) {
		t.Errorf("the languages of %d calls: %v", len(files), languages)
	}
}
