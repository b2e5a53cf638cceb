// Package detectlanguage holds the tests of the plugin detect-language as a process; the plugin is plugin.py.
package detectlanguage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/transformtest"
)

// built is the plugin's folder as `make plugins-python` leaves it, which builds it where something has changed.
var built, _ = filepath.Abs("../../bin/plugins/detect-language")

func TestMain(m *testing.M) {
	for _, path := range []string{"plugin.py", "requirements.txt"} { // for Go's test cache, which sees what a test opens
		if _, err := os.ReadFile(path); err != nil {
			panic(err)
		}
	}
	build := exec.Command("make", "--no-print-directory", "-C", "../..", "plugins-python")
	build.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "make plugins-python: %v\n%s", err, out)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func open(t *testing.T, settings string) (*transforms.Plugin, error) {
	t.Helper()
	var log bytes.Buffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	p, err := transforms.Open(t.Context(), transforms.Spec{
		Name: "detect-language", Path: filepath.Join(built, "detect-language"), Settings: json.RawMessage(settings),
		Timeout: time.Minute, StartTimeout: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err == nil {
		t.Cleanup(func() { _ = p.Close() })
	}
	return p, err
}

// process is a plugin that a check doesn't start and stop.
type process struct{ transforms.Transformer }

func TestContract(t *testing.T) {
	p, err := open(t, "")
	if err != nil {
		t.Fatal(err)
	}
	transformtest.Run(t, func() transforms.Transformer { return process{p} })
	if kib := memory(t, p.PID()); kib > 256<<10 {
		t.Errorf("after the contract it has %d MiB, the default bound is 256 MiB", kib>>10)
	}
}

// memory returns the most that a process has had, in KiB.
func memory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	peak, _, _ = strings.Cut(peak, "kB")
	kib, err := strconv.Atoi(strings.TrimSpace(peak))
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

func TestLanguages(t *testing.T) {
	p, err := open(t, `{"min_confidence":0.7}`)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("testdata/calls.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var batch []transforms.Event
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e transforms.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, e)
	}
	out, err := p.Transform(t.Context(), batch)
	if err != nil || len(out) < 20 {
		t.Fatalf("%d events, %v", len(out), err)
	}
	for i := range out {
		want, _, _ := strings.Cut(out[i].CallID, "-")
		found := struct {
			Language           string
			LanguageConfidence float64
		}{Language: "none", LanguageConfidence: 1}
		if len(out[i].Extra) > 0 {
			if err := json.Unmarshal(out[i].Extra, &found); err != nil {
				t.Fatal(err)
			}
		}
		if found.Language != want || found.LanguageConfidence < 0.7 {
			t.Errorf("call %s: %+v", out[i].CallID, found)
		}
	}
}

func TestAWrongSettingIsNamed(t *testing.T) {
	_, err := open(t, `{"languages":["en","klingon"]}`)
	if err == nil || !strings.Contains(err.Error(), `"languages[1]" is no code of a known language`) || strings.Contains(err.Error(), "klingon") {
		t.Error(err)
	}
}
