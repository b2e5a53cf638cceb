package connector

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postcall/postcall/transforms"
)

// builtPlugins is a folder with the plugins of the tests of package transforms; TestMain removes it.
var (
	builtPlugins string
	buildPlugins = sync.OnceValue(func() error {
		var err error
		if builtPlugins, err = os.MkdirTemp("", "connector-plugins-"); err != nil {
			return err
		}
		out, err := exec.Command("go", "build", "-o", builtPlugins+"/", "../transforms/testdata/plugins/...").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
)

// pluginFolder makes a folder with links to plugins of the tests: name of the link, then name of the plugin, in turn.
func pluginFolder(t *testing.T, names ...string) string {
	t.Helper()
	if err := buildPlugins(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := 0; i < len(names); i += 2 {
		if err := os.Symlink(filepath.Join(builtPlugins, names[i+1]), filepath.Join(dir, names[i])); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// writeFile writes a file of the test and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens the plugins of cfg for the test.
func open(t *testing.T, cfg Config) Chains {
	t.Helper()
	c, err := OpenTransforms(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestOpenTransformsHoldsPluginsToTheLockFile(t *testing.T) {
	dir := pluginFolder(t, "short", "drop-short")
	cfg := Config{PluginDir: dir, Transforms: []string{"short"}}
	open := func() error {
		c, err := OpenTransforms(t.Context(), cfg, slog.New(slog.DiscardHandler))
		c.Close()
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

func TestOpenTransformsNamesWhatIsMissing(t *testing.T) {
	dir := pluginFolder(t, "redact-pii", "drop-short")
	plugins := writeFile(t, "plugins.yaml", "chains: {chat: [redact-pii, absent]}\n")
	cfg := Config{PluginDir: dir, Transforms: []string{"redact-pii", "gone"}, Plugins: plugins}
	_, err := OpenTransforms(t.Context(), cfg, discard())
	for _, want := range []string{"POSTCALL_TRANSFORMS: no plugin gone in " + dir, plugins + ", chains.chat: no plugin absent in " + dir} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestUnredactedChainsAreNamed(t *testing.T) {
	some := []Transform{{Name: redactPII}, {Name: "map-topics"}}
	f := func(c Chains, want ...string) {
		t.Helper()
		got := c.Unredacted()
		if len(got) != len(want) {
			t.Fatalf("%q, want %q", got, want)
		}
		for i := range got {
			if !strings.Contains(got[i], want[i]) || !strings.Contains(got[i], "UNREDACTED") {
				t.Errorf("%q, want %q", got[i], want[i])
			}
		}
	}
	f(Chains{Default: some})
	f(Chains{}, "POSTCALL_TRANSFORMS")
	f(Chains{Default: some[1:], Sources: map[string][]Transform{"a": some, "b": some[1:], "c": nil}}, "POSTCALL_TRANSFORMS", "source b", "source c")
}
