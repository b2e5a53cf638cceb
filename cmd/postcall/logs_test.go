package main

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// No log line tells anything of a call, whatever becomes of it: stored, refused at the door, refused by a store that quotes
// the value, an error, a panic or the crash of a plugin. No transform redacts here, so nothing else hides a leak.
func TestLogsTellNothingOfACall(t *testing.T) {
	for plugin, orders := range map[string][]string{"fault": {"panic", "error", "permanent", "die"}, "rude": {"panic", "rename"}} {
		t.Run(plugin, func(t *testing.T) {
			w := newWorld(t)
			w.migrate()
			w.query("ALTER TABLE " + w.db + ".calls_raw ADD CONSTRAINT quoting CHECK summary NOT LIKE '%poison%'")
			dir := t.TempDir()
			if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, plugin), "../../transforms/testdata/plugins/"+plugin).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			w.set("POSTCALL_PLUGIN_DIR="+dir, "POSTCALL_TRANSFORMS="+plugin, "POSTCALL_LOG_LEVEL=debug", "POSTCALL_LOG_FORMAT=json", "POSTCALL_TRANSFORM_TIMEOUT=5s")
			s := w.serve()
			const person = "Nora Whitfield, 312-555-0142, nora.whitfield@example.com"
			for i, summary := range append([]string{person, "poison " + person}, orders...) {
				if i > 1 {
					summary += " " + person
				}
				if code := w.deliver(call("call-of-nora-"+string(rune('a'+i)), summary)); code != 200 {
					t.Errorf("answered %d", code)
				}
			}
			for _, body := range []string{`{"callId":["Nora Whitfield"]}`, `{"callId":"c", Nora Whitfield}`, `{"callId":"c","duration":"Nora Whitfield","customerPhoneNumber":{"a":"312-555-0142"}}`, `"Nora Whitfield"`} {
				if code := w.deliver(body); code/100 != 4 {
					t.Errorf("%s answered %d", body, code)
				}
			}
			for _, f := range []func(*http.Request){
				func(r *http.Request) { r.Header.Set("Authorization", "Bearer guess-of-whitfield") },
				func(r *http.Request) { r.URL.Path = "/calls/of/whitfield" },
				func(r *http.Request) { r.URL.RawQuery = "caller=Whitfield" },
				func(r *http.Request) { r.Header.Set("Content-Type", "text/whitfield") },
			} {
				req, err := http.NewRequest(http.MethodPost, "http://"+w.http+"/phonely/webhook", strings.NewReader(call("call-of-nora", person)))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+testSecret)
				req.Header.Set("User-Agent", "Whitfield")
				req.Header.Set("X-Request-Id", "nora")
				f(req)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
			}
			dead := 1 + len(orders) // the store refuses one
			w.eventually("what fails is held back", func() bool {
				_, out, _ := w.postcall("", "dead", "list", "--json")
				n := len(regexp.MustCompile(`"stage": *"(transform|load)"`).FindAllString(out, -1))
				return n >= dead
			})
			s.terminate()
			log := s.log.String()
			for line := range strings.Lines(log) {
				var fields map[string]any
				if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["level"] == nil || fields["msg"] == nil || fields["time"] == nil {
					t.Errorf("no line of JSON with time, level and msg: %s", line)
				}
				for _, secret := range []string{"nora", "whitfield", "555-0142", "5550142", "zeppelin"} {
					if strings.Contains(strings.ToLower(line), secret) {
						t.Errorf("the log tells %q: %s", secret, line)
					}
				}
			}
			for _, want := range []string{"delivery refused", "transform failed", "events held back as dead letters", "UNREDACTED"} {
				if !strings.Contains(log, want) {
					t.Errorf("the log has no %q: what it is to be silent about did not happen\n%s", want, log)
				}
			}
		})
	}
}
