package connector

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postcall/postcall/transforms"
)

func TestPluginsFileIsStrict(t *testing.T) {
	f := func(text string, wants ...string) {
		t.Helper()
		path := writeFile(t, "plugins.yaml", text)
		_, err := readPlugins(path)
		if err == nil {
			t.Errorf("no error:\n%s", text)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("error %v tells a value", err)
		}
	}
	f("plugins:\n  a: {procesess: 2}\n", "line 2: plugins.a.procesess (key): nothing reads it; choose of env, memory, on_failure, processes, secrets, settings, timeout")
	f("plugin: {}\n", "line 1: plugin (key): nothing reads it; choose of chains, plugins, unredacted")
	f("plugins:\n  a: {processes: 0}\n  b: {processes: many}\n", "line 2: plugins.a.processes (whole number)", "line 3: plugins.b.processes (whole number): it is none, or out of bounds; write 1 to 64")
	f("plugins:\n  a: {memory: 1MiB}\n", "line 2: plugins.a.memory (size): it is none, or out of bounds; write 32MiB or more")
	f("plugins:\n  a: {timeout: 30}\n", "line 2: plugins.a.timeout (duration): it is none, or not more than 0; write for example 30s")
	f("plugins:\n  a: {on_failure: drop}\n", "plugins.a.on_failure (hold or skip): it is neither")
	f("plugins:\n  redact-pii:\n    on_failure: skip\n", "line 3: plugins.redact-pii.on_failure (hold or skip): calls would be stored unredacted while redact-pii can't run; take it out")
	f("plugins:\n  a: {env: [A=s3cret]}\n", "plugins.a.env (list): it holds something else than a variable's name")
	f("plugins:\n  a: {env: [POSTCALL_CLICKHOUSE_PASSWORD]}\n", "plugins.a.env (list): it names a variable of postcall's own")
	f("plugins:\n  a:\n    settings: {token: s3cret}\n    secrets: {token: /x}\n", "line 4: plugins.a.secrets.token (path): it is among the settings too")
	f("plugins:\n  a: {settings: {1: {2: s3cret}}}\n", "plugins.a.settings.1 (setting): it can't be written as JSON")
	f("plugins:\n  a: {settings: [s3cret]}\n", "plugins.a.settings (mapping): it is none")
	f("plugins:\n  A_b: {}\n", "plugins.A_b (plugin): it is not a plugin's name")
	f("plugins:\n  a: {}\n  a: {}\n", "line 3: plugins.a (key): it is there twice, in line 2 too; join the two")
	f("chains: {phonely: []}\n", "chains.phonely (list): it is none, or empty")
	f("chains: {phonely: }\n", "chains.phonely (list): it is none, or empty")
	f("chains: {phonely: [redact-pii, none]}\n", "chains.phonely (list): it holds something else than a plugin's name")
	f("chains: {phonely: [redact-pii, redact-pii]}\n", "chains.phonely (list): it names something twice")
	f("chains:\n  phonely: [map-topics]\n", "line 2: chains.phonely (list): it is without redact-pii, so its calls would be stored unredacted; add redact-pii to it, or list the source under unredacted")
	f("chains: {phonely: [none]}\n", "chains.phonely (list): it is without redact-pii")
	f("chains: {phonely: [redact-pii]}\nunredacted: [phonely]\n", "line 2: unredacted (list): it names a source that has no chain without redact-pii")
	f("unredacted: [phonely]\n", "unredacted (list): it names a source that has no chain")
	f("- a\n", "line 1: the file (mapping): it is none")
	f("plugins: {a: {}}\n---\n{}\n", "one YAML document only")
	f("plugins: {a: \n", "it is not YAML")
	if _, err := readPlugins("/nowhere"); err == nil || err.Error() != "POSTCALL_PLUGINS (path): there is no such file; name a readable YAML file, or unset it" {
		t.Errorf("a missing file: %v", err)
	}
}

func TestPluginsFile(t *testing.T) {
	dir := pluginFolder(t, "redact-pii", "fault", "map-topics", "fault", "own", "fault", "chat", "fault")
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HTTPS_PROXY", "http://proxy:3128")
	path := writeFile(t, "plugins.yaml", fmt.Sprintf(`
plugins:
  own:
    processes: 3
    memory: 512MiB
    timeout: 7s
    settings: &s {min: 2, words: [a, b], deep: {x: true}}
    secrets: {token: %s}
    env: [HTTPS_PROXY, NOT_SET_ANYWHERE]
  chat: {settings: *s}
  map-topics: {on_failure: skip}
chains:
  phonely: [redact-pii, own]
  web-chat: [redact-pii, chat]
  intern: [none]
unredacted: [intern]
`, secret))
	cfg := Config{
		PluginDir: dir, Plugins: path, PluginMemory: 256 << 20, Transforms: []string{"redact-pii", "map-topics"},
		RedactKey: "0123456789abcdef", Topics: "topics.yaml", Transform: TransformConfig{Timeout: time.Minute},
	}
	file, err := readPlugins(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pluginSpecs(cfg, file)
	if err != nil {
		t.Fatal(err)
	}
	topics, err := filepath.Abs("topics.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec := func(name, settings string) transforms.Spec {
		return transforms.Spec{
			Name: name, Path: filepath.Join(dir, name), Settings: json.RawMessage(settings),
			Processes: 1, Memory: 256 << 20, Timeout: time.Minute,
		}
	}
	own := spec("own", `{"deep":{"x":true},"min":2,"token":"s3cret","words":["a","b"]}`)
	own.Processes, own.Memory, own.Timeout, own.Env = 3, 512<<20, 7*time.Second, []string{"HTTPS_PROXY=http://proxy:3128"}
	want := []transforms.Spec{
		spec("redact-pii", `{"key":"0123456789abcdef"}`), spec("map-topics", `{"rules":"`+topics+`"}`), own,
		spec("chat", `{"deep":{"x":true},"min":2,"words":["a","b"]}`),
	}
	// Sources are read in the order of their names.
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(transforms.Spec{})); diff != "" {
		t.Error(diff)
	}
	chains := file.assemble(cfg.Transforms, map[string]Transform{"redact-pii": {Name: "redact-pii"}, "map-topics": {Name: "map-topics"}, "own": {Name: "own"}, "chat": {Name: "chat"}})
	wantChains := Chains{
		Default: []Transform{{Name: "redact-pii"}, {Name: "map-topics"}},
		Sources: map[string][]Transform{"phonely": {{Name: "redact-pii"}, {Name: "own"}}, "web-chat": {{Name: "redact-pii"}, {Name: "chat"}}, "intern": {}},
		Skip:    map[string]bool{"map-topics": true, "redact-pii": false, "own": false, "chat": false},
	}
	if diff := cmp.Diff(wantChains, chains); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsOfThePluginsFile(t *testing.T) {
	dir := pluginFolder(t, "redact-pii", "fault", "own", "fault")
	cfg := Config{PluginDir: dir, Transforms: []string{"redact-pii"}, RedactKey: "0123456789abcdef", RedactPolicy: "policy.yaml"}
	f := func(text, want string) {
		t.Helper()
		cfg.Plugins = writeFile(t, "plugins.yaml", text)
		file, err := readPlugins(cfg.Plugins)
		if err != nil {
			t.Fatal(err)
		}
		_, err = pluginSpecs(cfg, file)
		if err == nil || !strings.Contains(err.Error(), cfg.Plugins+", line ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("plugins:\n  redact-pi: {}\n", "plugins.redact-pi (plugin): no chain has it; add it to POSTCALL_TRANSFORMS or to a chain, correct its name, or take it out")
	f("plugins:\n  redact-pii: {settings: {key: x}}\n", "plugins.redact-pii.key (setting): POSTCALL_REDACT_KEY sets it; take it out")
	f("plugins:\n  redact-pii: {settings: {policy: x}}\n", "plugins.redact-pii.policy (setting): POSTCALL_REDACT_POLICY sets it")
	f("plugins:\n  redact-pii: {secrets: {token: /no/s3cret}}\n", "plugins.redact-pii.secrets.token (path): there is no such file")
}
