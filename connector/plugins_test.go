package connector

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postcall/postcall/transforms"
)

// buildPlugin builds a plugin of the tests into dir.
func buildPlugin(t *testing.T, dir, name, pkg string) {
	t.Helper()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestOpenTransformsHoldsPluginsToTheLockFile(t *testing.T) {
	dir := t.TempDir()
	buildPlugin(t, dir, "short", "../transforms/testdata/plugins/drop-short")
	cfg := Config{PluginDir: dir, Transforms: []string{"short"}}
	open := func() error {
		ts, err := OpenTransforms(t.Context(), cfg, slog.New(slog.DiscardHandler))
		CloseTransforms(ts)
		return err
	}
	if err := open(); err != nil {
		t.Errorf("without a lock file: %v", err)
	}
	sum, err := transforms.Checksum(filepath.Join(dir, "short"))
	if err != nil {
		t.Fatal(err)
	}
	f := func(lock map[string][]byte, want string) {
		t.Helper()
		if err := transforms.WriteLock(dir, lock); err != nil {
			t.Fatal(err)
		}
		err := open()
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), "plugin short") || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "postcall plugin lock")):
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f(map[string][]byte{"short": sum}, "")
	f(map[string][]byte{"short": make([]byte, 32)}, "the plugin is not the one that was locked")
	f(map[string][]byte{"other": sum}, "is not in "+filepath.Join(dir, transforms.LockFile))
	f(nil, "is not in ")
	if err := os.WriteFile(filepath.Join(dir, transforms.LockFile), []byte("odd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(); err == nil || !strings.Contains(err.Error(), transforms.LockFile+", line 1") {
		t.Errorf("a damaged lock file: %v", err)
	}
}
