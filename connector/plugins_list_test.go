package connector

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postcall/postcall/transforms"
)

func TestListPlugins(t *testing.T) {
	dir := pluginFolder(t, "short", "drop-short", "swapped", "drop-short", "spare", "drop-short")
	file := writeFile(t, "plugins.yaml", "plugins: {short: {settings: {seconds: 3}}, swapped: {settings: {second: 3}}}\nchains: {web: [swapped]}\nunredacted: [web]\n")
	cfg := Config{PluginDir: dir, Plugins: file, Transforms: []string{"short", "gone"}, AdminAddr: "127.0.0.1:1"}
	list := func() map[string]PluginInfo {
		t.Helper()
		all, err := ListPlugins(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		byName := map[string]PluginInfo{}
		for _, p := range all {
			names, byName[p.Name] = append(names, p.Name), p
		}
		if got := strings.Join(names, " "); got != "short gone swapped spare" {
			t.Errorf("the plugins are %s", got)
		}
		return byName
	}
	f := func(p PluginInfo, version, lock, problem string, inUse bool) {
		t.Helper()
		if p.Version != version || p.Protocol > 0 != (version != "") || p.Lock != lock || p.InUse != inUse ||
			(p.Problem == "") != (problem == "") || !strings.Contains(p.Problem, problem) {
			t.Errorf("%+v, want version %q, lock %q, problem %q, in use %v", p, version, lock, problem, inUse)
		}
	}
	all := list()
	f(all["short"], "1.0.0", LockedNone, "", true)
	f(all["gone"], "", LockedNone, "no such file", true)
	f(all["swapped"], "", LockedNone, `unknown setting "second"`, true)
	f(all["spare"], "1.0.0", LockedNone, "", false)

	lock := map[string][]byte{}
	for _, name := range []string{"short", "swapped"} {
		var err error
		if lock[name], err = transforms.Checksum(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := transforms.WriteLock(dir, lock); err != nil {
		t.Fatal(err)
	}
	ran := filepath.Join(t.TempDir(), "ran")
	for _, name := range []string{"swapped", "spare"} {
		_ = os.Remove(filepath.Join(dir, name))
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`[{"name":"short","version":"0.9.0","state":"runs","running":1,"pids":[7],"memory":5}]`))
	}))
	defer srv.Close()
	cfg.AdminAddr = srv.Listener.Addr().String()
	all = list()
	f(all["short"], "0.9.0", LockedSame, "", true)
	if r := all["short"].Running; r == nil || r.State != TransformRuns || r.Running != 1 || len(r.PIDs) != 1 || r.PIDs[0] != 7 || r.Memory != 5 {
		t.Errorf("it runs as %+v", r)
	}
	f(all["swapped"], "", LockedDiffers, "not the plugin that was locked", true)
	f(all["spare"], "", LockedNot, "", false)
	if _, err := os.Stat(ran); err == nil {
		t.Error("a plugin was started that is not the one that was locked")
	}
}
