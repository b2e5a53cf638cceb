package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms/transformtest"
)

func TestPluginTest(t *testing.T) {
	w := &world{t: t, bin: mustInstall(t)}
	out := w.must("plugin", "test", filepath.Join(w.bin, "plugins", "map-topics"), "--events", "32")
	for _, want := range []string{"ok    every event of a real call is taken", "map-topics 0.2.0, protocol 1", "µs in batches of 100", " 0 broken, 0 not checked"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	redact := filepath.Join(w.bin, "plugins", "redact-pii")
	code, out, _ := w.postcall("", "plugin", "test", redact)
	if code != 1 || !strings.Contains(out, "FAIL  it starts and takes its settings") || !strings.Contains(out, "no redaction key") || !strings.Contains(out, "nothing else was checked") {
		t.Errorf("without a key: exit %d\n%s", code, out)
	}
	const key = "a key that is a secret"
	settings := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(settings, []byte("key: "+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out = w.must("plugin", "test", redact, "--settings-file", settings, "--events", "32", "--seed", "7", "--json")
	var report struct {
		OK bool
		transformtest.Report
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || !report.OK || report.Name != "redact-pii" || report.Seed != 7 || len(report.Results) < 20 || len(report.Costs) != 4 {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(out, key) {
		t.Errorf("the report tells a setting:\n%s", out)
	}
}

// What is locked is started, and nothing else.
func TestPluginLock(t *testing.T) {
	dir := t.TempDir()
	w := &world{t: t, bin: mustInstall(t), env: []string{"POSTCALL_PLUGIN_DIR=" + dir, "POSTCALL_TRANSFORMS=map-topics", "POSTCALL_ADMIN_ADDR=" + freeAddr(t)}}
	install := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(w.bin, "plugins", from))
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(dir, to)
		_ = os.Remove(to) // one that runs can't be written to
		if err := os.WriteFile(to, data, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f := func(code int, says string, args ...string) {
		t.Helper()
		got, out, errs := w.postcall(`{"callId":"a"}`, args...)
		if got != code || !strings.Contains(out+errs, says) {
			t.Errorf("postcall %s: exit %d, want %d and %q\n%s%s", strings.Join(args, " "), got, code, says, out, errs)
		}
	}
	f(1, "no such file", "plugin", "lock")
	install("map-topics", "map-topics")
	f(1, "any plugin is started", "plugin", "lock", "--check")
	f(0, "no lock file", "plugin", "list")
	f(0, "new  map-topics", "plugin", "lock")
	f(0, "agree", "plugin", "lock", "--check")
	f(0, "map-topics", "transform")
	install("redact-pii", "other")
	f(0, "same  map-topics", "plugin", "lock", "--check")
	f(1, "new   other", "plugin", "lock", "--check", "--all")
	f(0, "not locked", "plugin", "list")
	install("redact-pii", "map-topics")
	f(1, "changed  map-topics", "plugin", "lock", "--check")
	f(0, "it is not the plugin that was locked", "plugin", "list")
	f(1, "not the one that was locked", "transform")
	f(0, "changed  map-topics", "plugin", "lock", "--all")
	f(0, `"other"`, "plugin", "list", "--json")
	f(1, "removed  other", "plugin", "lock", "--check")
	if err := os.WriteFile(filepath.Join(dir, "plugins.lock"), []byte("odd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(1, "plugins.lock, line 1", "plugin", "lock", "--check")
	f(0, "new  map-topics", "plugin", "lock")

	var r connector.LockReport
	if err := json.Unmarshal([]byte(w.must("plugin", "lock", "--check", "--json")), &r); err != nil || !r.Same() || len(r.Plugins) != 1 || len(r.Plugins[0].Now) != 64 {
		t.Errorf("%+v, %v", r, err)
	}
}
