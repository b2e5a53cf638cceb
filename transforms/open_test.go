package transforms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPluginSeesNothingOfTheHost(t *testing.T) {
	t.Setenv("POSTCALL_CLICKHOUSE_PASSWORD", "s3cret-host")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cret-host")
	p, _ := openFault(t, func(s *Spec) {
		s.Env = []string{"GOGC=50"}
		s.Settings = json.RawMessage(`{"secret":"s3cret-setting"}`)
	})
	out, err := p.Transform(t.Context(), batchOf("env", "dir"))
	if err != nil {
		t.Fatal(err)
	}
	env := string(out[0].Extra)
	if strings.Contains(env, "s3cret") {
		t.Errorf("the plugin's environment holds a secret: %s", env)
	}
	if !strings.Contains(env, "GOGC=50") || !strings.Contains(env, "PATH=") {
		t.Errorf("the plugin's environment lacks what it was given: %s", env)
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID()))
	if err == nil && strings.Contains(string(cmdline), "s3cret") {
		t.Errorf("the plugin's command line holds a secret: %q", cmdline)
	}
	if wd, err := os.Getwd(); err != nil || out[1].LongSummary == wd {
		t.Errorf("the plugin works in the host's folder %s", wd)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	noExec := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(noExec, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(name, want string, change func(*Spec)) {
		t.Run(name, func(t *testing.T) {
			spec, _ := faultSpec(t, "")
			change(&spec)
			began := time.Now()
			p, err := Open(t.Context(), spec)
			if err == nil {
				_ = p.Close()
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), want) || !errors.Is(err, ErrPluginGone) || IsPermanent(err) {
				t.Errorf("error %q, want %q", err, want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %q tells a setting's value", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	settings := func(s string) func(*Spec) { return func(spec *Spec) { spec.Settings = json.RawMessage(s) } }
	f("relative path", `"fault" is not an absolute path`, func(s *Spec) { s.Path = "fault" })
	f("no file", "no such file", func(s *Spec) { s.Path += "x" })
	f("folder", "holds an executable of its own name", func(s *Spec) { s.Path = filepath.Dir(s.Path) })
	f("no executable", "is not an executable file", func(s *Spec) { s.Path = noExec })
	f("checksum", "the plugin is not the one that was locked", func(s *Spec) { s.SHA256 = make([]byte, 32) })
	f("not a plugin", "it ended without a handshake: is it a plugin?", func(s *Spec) { s.Path = "/bin/true" })
	f("says why", "its last words: /bin/cat: unrecognized option", func(s *Spec) { s.Path, s.Args = "/bin/cat", []string{"--nonsense"} })
	f("silent", "not ready within 300ms", func(s *Spec) {
		s.Path, s.Args, s.StartTimeout = "/bin/sleep", []string{"60"}, 300*time.Millisecond
	})
	f("hangs", "not ready within 1s", func(s *Spec) {
		s.Settings, s.StartTimeout = json.RawMessage(`{"hang":true}`), time.Second
	})
	f("dies", "I can't go on", settings(`{"die":true}`))
	f("unknown setting", `settings: unknown setting "sufix"`, settings(`{"sufix":"s3cret"}`))
	f("wrong type", `settings: "max" must be a whole number (int), not a string`, settings(`{"max":"s3cret"}`))
	f("no object", "settings: not a JSON object", settings(`["s3cret"]`))
	f("no JSON", "settings: no valid JSON", settings(`{"secret":"s3cret",}`))
	f("cut off", "settings: no valid JSON, it ends early", settings(`{"secret":"s3cret"`))
	f("two", "settings: something follows the JSON object", settings(`{} {"secret":"s3cret"}`))
	f("invalid", "settings: max must not be negative", settings(`{"max":-1}`))
}

func TestOpenStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	spec, _ := faultSpec(t, `{"hang":true}`)
	if _, err := Open(ctx, spec); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
}
