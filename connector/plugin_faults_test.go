package connector

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// summaries delivers a call per summary and returns their ids.
func (r *running) summaries(prefix string, summaries ...string) {
	r.t.Helper()
	for i, s := range summaries {
		if code := r.post(fmt.Sprintf(`{"callId":"%s%03d","summary":%q}`, prefix, i, s)); code != 200 {
			r.t.Errorf("call %d answered %d", i, code)
		}
	}
}

// TestPluginFaults has real plugins do what they must not: the event at fault is held back alone, the others are loaded
// once, and those that come later too.
func TestPluginFaults(t *testing.T) {
	f := func(name, plugin, settings, summary, reason string, change ...func(*Config)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLoaded()
			cfg := testConfig(t.TempDir())
			cfg.PluginDir, cfg.Transforms, cfg.PluginMemory, cfg.Transform.Timeout = pluginFolder(t, "p", plugin), []string{"p"}, 64<<20, time.Second
			cfg.Plugins = writeFile(t, "plugins.yaml", "plugins: {p: {settings: {"+settings+"}}}\n")
			for _, c := range change {
				c(&cfg)
			}
			chains := open(t, cfg)
			r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", l, 1}}, Transforms: chains.Default})
			all := make([]string, 8)
			want := len(all)
			if all[5] = summary; reason != "" {
				want--
			}
			r.summaries("c", all...)
			r.within(time.Minute, "its neighbours are loaded", func() bool { return l.calls() == want })
			r.summaries("d", "", "", "")
			r.eventually("later ones are loaded", func() bool { return l.calls() == want+3 })
			if twice := l.twice(); len(twice) > 0 {
				t.Errorf("loaded twice: %v", twice)
			}
			if reason == "" {
				return
			}
			r.eventually("it is a dead letter", func() bool { return r.metric(`postcall_events_dead_total{sink="",stage="transform"}`) == "1" })
			dead := deadLettersOf(t, operator(t, cfg, "a"), DeadFilter{})
			if len(dead) != 1 || dead[0].CallID != "c005" || dead[0].Reason != "p fails on this event alone: "+reason {
				t.Errorf("dead letters %+v", dead)
			}
		})
	}
	f("panic", "fault", "", "panic x", "it can't take it, or its answer is too large")
	f("panic out of reach", "rude", "", "panic", "its process ends")
	f("exit", "fault", "", "die", "its process ends")
	f("hang", "fault", "", "hang", "it doesn't answer in time")
	f("stopped", "fault", "", "stop", "it doesn't answer in time")
	f("memory", "fault", "", "leak 150", "it needs too much memory")
	f("memory of a child", "fault", "", "leak-child 150", "it needs too much memory",
		func(c *Config) { c.Transform.Timeout = 20 * time.Second }) // a child is seen after 2 s
	f("garbage on stdout", "rude", "", "stdout 50", "", func(c *Config) { c.Transform.Timeout = 20 * time.Second })
	f("answer of 100 MB", "rude", "", "answer 100", "it can't take it, or its answer is too large",
		func(c *Config) { c.PluginMemory, c.Transform.Timeout = 1<<30, 10*time.Second })
	f("wrong ids", "rude", "", "rename", "its answer breaks the contract")
	f("child that keeps stdio", "fault", "child: true", "die", "its process ends")
	f("error", "fault", "", "error", "it answers an error")
}

// TestSlowLeakCostsNoEvent: a plugin that leaks is killed again and again, and each time its events are tried again.
func TestSlowLeakCostsNoEvent(t *testing.T) {
	t.Parallel()
	l := newLoaded()
	cfg := testConfig(t.TempDir())
	cfg.PluginDir, cfg.Transforms, cfg.PluginMemory = pluginFolder(t, "p", "fault"), []string{"p"}, 64<<20
	cfg.Transform.Timeout, cfg.Batch.MaxEvents = 20*time.Second, 4
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", l, 1}}, Transforms: open(t, cfg).Default})
	all := make([]string, 40)
	for i := range all {
		all[i] = "seep 4"
	}
	r.summaries("c", all...)
	r.within(time.Minute, "all is loaded", func() bool { return l.calls() == len(all) })
	if kills := r.metric(`postcall_plugin_ends_total{reason="memory",transform="p"}`); kills == "0" || kills == "" {
		t.Errorf("killed %q times", kills)
	}
	if dead := r.metric(`postcall_events_dead_total{sink="",stage="transform"}`); dead != "" {
		t.Errorf("%s events died", dead)
	}
}

// TestOtherSettingsLoseAndDoubleNothing restarts with other settings of a plugin while events wait.
func TestOtherSettingsLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	l := newLoaded()
	cfg := testConfig(t.TempDir())
	cfg.PluginDir, cfg.Transforms = pluginFolder(t, "p", "fault"), []string{"p"}
	cfg.ShutdownTimeout = time.Second
	const rounds, calls = 3, 40
	for round := range rounds {
		cfg.Plugins = writeFile(t, "plugins.yaml", fmt.Sprintf("plugins: {p: {settings: {suffix: '%d'}}}\n", round))
		chains := open(t, cfg)
		r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", l, 1}}, Transforms: chains.Default})
		r.summaries(fmt.Sprintf("r%d-", round), make([]string, calls)...)
		if round == rounds-1 {
			r.eventually("all is loaded", func() bool { return l.calls() == rounds*calls })
		}
		r.stop()
		chains.Close()
	}
	if twice := l.twice(); len(twice) > 0 {
		t.Errorf("loaded twice: %v", twice)
	}
	by := map[string]int{}
	for _, e := range l.all() {
		by[e.Topic]++
		if len(e.Transforms) != 1 {
			t.Errorf("call %s went through %v", e.CallID, e.Transforms)
		}
	}
	if len(by) != rounds || by[""] > 0 {
		t.Errorf("calls by setting: %v", by)
	}
}

// TestSecretReachesItsPluginAlone has two real plugins tell all they know.
func TestSecretReachesItsPluginAlone(t *testing.T) {
	const secret = "s3cret-of-p"
	t.Setenv("POSTCALL_CLICKHOUSE_PASSWORD", "s3cret-of-the-host")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLoaded()
	cfg := testConfig(t.TempDir())
	cfg.RedactKey = "s3cret-of-redact-pii"
	cfg.PluginDir, cfg.Transforms = pluginFolder(t, "p", "fault", "q", "fault"), []string{"p", "q"}
	cfg.Plugins = writeFile(t, "plugins.yaml", "plugins: {p: {secrets: {secret: "+file+"}}}\n")
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", l, 1}}, Transforms: open(t, cfg).Default})
	r.summaries("c", "dump")
	r.eventually("it is loaded", func() bool { return l.calls() == 1 })
	type told struct {
		Env, Args []string
		Settings  map[string]any
	}
	var all []told
	for line := range strings.Lines(l.all()[0].LongSummary) {
		var x told
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	if len(all) != 2 || len(all[0].Env) == 0 || len(all[1].Args) == 0 {
		t.Fatalf("they told %+v", all)
	}
	if got := all[0].Settings["secret"]; got != secret {
		t.Errorf("p was told %v", got)
	}
	all[0].Settings["secret"] = ""
	if said := fmt.Sprint(all); strings.Contains(said, "s3cret") {
		t.Errorf("a secret is where it doesn't belong: %s", said)
	}
	if log := r.log.String(); strings.Contains(log, "s3cret") {
		t.Error("a secret is in the log")
	}
}
