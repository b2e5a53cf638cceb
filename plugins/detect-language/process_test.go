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

func spec(t *testing.T, settings string) transforms.Spec {
	log := new(bytes.Buffer)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return transforms.Spec{
		Name: "detect-language", Path: built, Settings: json.RawMessage(settings), Memory: 256 << 20,
		Timeout: time.Minute, StartTimeout: time.Minute, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
}

// TestContract holds it to the default bound of memory too.
func TestContract(t *testing.T) {
	transformtest.RunProcess(t, spec(t, ""))
}

func TestLanguages(t *testing.T) {
	p, err := transforms.Open(t.Context(), spec(t, `{"min_confidence":0.7}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
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
	p, err := transforms.Open(t.Context(), spec(t, `{"languages":["en","klingon"]}`))
	if err == nil {
		_ = p.Close()
	}
	if err == nil || !strings.Contains(err.Error(), `"languages[1]" is no code of a known language`) || strings.Contains(err.Error(), "klingon") {
		t.Error(err)
	}
}
