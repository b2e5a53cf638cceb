package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Own plugins and the shipped ones in one folder, each by the lock file it came with.
func TestPluginInstall(t *testing.T) {
	w := &world{t: t, bin: mustInstall(t), env: []string{"POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef"}}
	own, to := t.TempDir(), filepath.Join(t.TempDir(), "plugins")
	program, err := os.ReadFile(filepath.Join(w.bin, "plugins", "map-topics"))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(own, "in-a-folder") // as a plugin in Python is
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(own, "own-topics"), filepath.Join(folder, "in-a-folder")} {
		if err := os.WriteFile(file, program, 0o755); err != nil { //nolint:gosec // a program is run
			t.Fatal(err)
		}
	}
	if code, _, errs := w.postcall("", "plugin", "install", "--from", own, to); code != 1 || !strings.Contains(errs, "holds no plugins.lock") {
		t.Fatalf("without a lock file: exit %d %s", code, errs)
	}
	in := func(dir string, args ...string) (int, string, string) {
		w := *w
		w.env = append(w.env, "POSTCALL_PLUGIN_DIR="+dir)
		return w.postcall("", args...)
	}
	if code, out, errs := in(own, "plugin", "lock", "--all"); code != 0 {
		t.Fatalf("lock: %s%s", out, errs)
	}
	for range 2 { // safe to repeat
		if out := w.must("plugin", "install", "--from", own, to); !strings.Contains(out, "4 plugins are in "+to) {
			t.Errorf("install says %s", out)
		}
	}
	if code, out, errs := in(to, "plugin", "lock", "--check", "--all"); code != 0 || strings.Count(out, "same") != 4 {
		t.Errorf("lock --check: exit %d\n%s%s", code, out, errs)
	}
	w.set("POSTCALL_PLUGIN_DIR="+to, "POSTCALL_TRANSFORMS=redact-pii,own-topics")
	if code, out, errs := w.postcall(`{"callId":"c1","transcriptText":"User: I want a refund."}`, "transform"); code != 0 || !strings.Contains(out, `"topics":["Billing/Refund"]`) {
		t.Errorf("transform with the own plugin: exit %d\n%s%s", code, out, errs)
	}

	if err := os.WriteFile(filepath.Join(own, "own-topics"), append(program, 0), 0o755); err != nil { //nolint:gosec // as above
		t.Fatal(err)
	}
	if code, _, errs := w.postcall("", "plugin", "install", "--from", own, to); code != 1 || !strings.Contains(errs, "plugin own-topics in "+own+" is not the one of its plugins.lock") {
		t.Errorf("an exchanged plugin: exit %d %s", code, errs)
	}
	if code, _, errs := w.postcall("", "plugin", "install", "--from", own, "--from", own, to); code != 1 || !strings.Contains(errs, "give one of them another name") {
		t.Errorf("one name twice: exit %d %s", code, errs)
	}
}
