package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postcall/postcall/connector"
)

func TestExitCodesAndHelp(t *testing.T) {
	w := &world{t: t, bin: mustInstall(t)}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--help"}, 0, "postcall serve"},
		{[]string{"version"}, 0, "postcall "},
		{[]string{"config"}, 0, "POSTCALL_WEBHOOK_SECRET"},
		{[]string{"config", "--json"}, 0, `"POSTCALL_DATA_DIR"`},
		{[]string{"config", "--format", "poem"}, 2, "poem"},
		{[]string{"nonsense"}, 2, "nonsense"},
		{[]string{"send", "--nonsense"}, 2, "send --help"},
		{[]string{"send", "--count", "0"}, 2, "--count"},
		{[]string{"migrate"}, 0, "apply"},
		{[]string{"migrate", "sideways"}, 2, "sideways"},
		{[]string{"migrate", "roles"}, 0, "GRANT SELECT ON postcall.metric_calls TO postcall_analyst"},
		{[]string{"serve", "now"}, 2, "serve --help"},
		{[]string{"serve"}, 1, "POSTCALL_REDACT_KEY"},
		{[]string{"dead", "replay"}, 2, "--all"},
		{[]string{"replay"}, 2, "--sink"},
		{[]string{"replay", "--sink", "clickhouse", "--since", "1h", "--id", "a b"}, 2, "--id"},
		{[]string{"assets", "kibana", "--apply"}, 2, "--url"},
		{[]string{"assets", "kibana"}, 0, "call-transcripts"},
		{[]string{"assets", "grafana"}, 2, "operations, calls"},
		{[]string{"assets", "grafana", "calls"}, 0, "postcall.call_facts AS c"},
		{[]string{"assets", "grafana", "operations"}, 0, "postcall_sink_paused"},
		{[]string{"assets", "grafana", "nonsense"}, 2, "choose of operations, calls"},
		{[]string{"assets", "grafana", "--apply"}, 2, "--url"},
		{[]string{"assets", "grafana", "--apply", "--out", "x"}, 2, "exclude each other"},
		{[]string{"assets", "grafana", "--out", "/dev/null/x"}, 1, "--out"},
		{[]string{"assets", "grafana", "--apply", "--url", "http://127.0.0.1:1", "--secret-file", "/no/such/file"}, 1, "--secret-file"},
		{[]string{"retention"}, 1, "POSTCALL_ELASTICSEARCH_KEEP_DAYS"},
		{[]string{"retention", "now"}, 2, "retention --help"},
		{[]string{"transform", "/no/such/file"}, 1, "/no/such/file"},
		{[]string{"plugin"}, 0, "plugin new drop-short --lang go"},
		{[]string{"plugin", "sideways"}, 2, "sideways"},
		{[]string{"plugin", "new"}, 2, "new --help"},
		{[]string{"plugin", "new", "x"}, 2, "--lang go"},
		{[]string{"plugin", "new", "x", "--lang", "rust"}, 2, `"rust" is no language`},
		{[]string{"plugin", "new", "No", "--lang", "python"}, 2, `"No" is no name`},
		{[]string{"plugin", "new", "x", "--lang", "go", "--replace", "/"}, 2, "no checkout of postcall"},
		{[]string{"plugin", "test"}, 2, "test --help"},
		{[]string{"plugin", "test", "/no/such/plugin"}, 2, "/no/such/plugin is no plugin"},
		{[]string{"plugin", "test", "/bin/true", "--settings", "[s3cret"}, 2, "no JSON object"},
		{[]string{"plugin", "test", "/bin/true", "--settings", "{}", "--settings-file", "x"}, 2, "exclude each other"},
		{[]string{"plugin", "test", "/bin/true", "--events", "0"}, 2, "--events"},
		{[]string{"plugin", "lock", "now"}, 2, "lock --help"},
		{[]string{"transform", "--source", "a", "--mapping", "b"}, 2, "give one of them"},
		{[]string{"mapping"}, 0, "init"},
		{[]string{"mapping", "init"}, 2, "mapping init --help"},
		{[]string{"mapping", "show", "retell"}, 0, "call_analyzed"},
		{[]string{"mapping", "show", "nobody"}, 2, "choose of elevenlabs, phonely, retell, vapi"},
		{[]string{"send", "--auth", "magic"}, 2, "choose of header, bearer"},
		{[]string{"send", "--as", "nobody"}, 2, "--as is one of"},
		{[]string{"send", "--encoding", "br"}, 2, "gzip, deflate or zstd"},
		{[]string{"send", "--duplicates", "2"}, 2, "shares, 0 to 1"},
		{[]string{"demo-data", "--calls", "2", "--seed", "3", "--start", "2026-10-15", "--timezone", "America/Chicago"}, 0, `"callId":"call_`},
		{[]string{"topics"}, 0, "reapply"},
		{[]string{"topics", "show"}, 0, "Order status"},
		{[]string{"topics", "check"}, 0, "the built-in taxonomy is right: "},
		{[]string{"topics", "check", "--json"}, 0, `"parts": `},
		{[]string{"topics", "check", "/no/such.yaml"}, 1, "/no/such.yaml"},
		{[]string{"topics", "try", "the caller wants a refund", "nothing"}, 0, `Billing/Refund  0.70        any "refund*" in summary  the caller wants a refund`},
		{[]string{"topics", "try", "--as", "topic", "Refund request"}, 0, `alias "refund request" in topic`},
		{[]string{"topics", "try", "--as", "mood", "x"}, 2, "--as is topic"},
		{[]string{"topics", "try", "--rules", "/no/such.yaml", "x"}, 1, "/no/such.yaml"},
		{[]string{"topics", "unmapped", "--since", "soon"}, 2, "--since takes"},
		{[]string{"topics", "reapply", "--rules", "x"}, 1, "POSTCALL_REDACT_KEY"},
		{[]string{"demo-data", "--calls", "0"}, 2, "--calls is at least 1"},
		{[]string{"demo-data", "--start", "yesterday"}, 2, "for example 2026-10-15"},
		{[]string{"demo-data", "--timezone", "Atlantis"}, 2, "for example America/Chicago"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			w.t = t
			code, out, errs := w.postcall("", tt.args...)
			if code != tt.code || !strings.Contains(out+errs, tt.says) {
				t.Errorf("exit %d, want %d naming %q\n%s%s", code, tt.code, tt.says, out, errs)
			}
			if code != 0 && out != "" && tt.args[0] != "doctor" {
				t.Errorf("an error is on standard output: %s", out)
			}
		})
	}
	for c := range strings.FieldsSeq("serve send demo-data transform mapping migrate doctor status audit plugin dead replay retention assets config version topics") {
		code, out, _ := w.postcall("", c, "--help")
		if code != 0 || len(out) < 100 {
			t.Errorf("%s --help: exit %d, %d bytes", c, code, len(out))
		}
	}
}

func mustInstall(t *testing.T) string {
	t.Helper()
	bin, err := installation()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// transform keeps order and turns, names refused lines and goes on.
func TestTransformOnTheCommandLine(t *testing.T) {
	w := &world{t: t, bin: mustInstall(t), env: []string{"POSTCALL_REDACT_KEY="}}
	in := `{"callId":"a","callerName":"Nora Whitfield","transcript":[{"role":"assistant","content":"Hi  there"},{"role":"user","content":"I am Nora Whitfield"}]}

{"callId":
{"agentName":"no id"}
{"callId":"b","transcriptText":"Agent: one\nUser: two","extraField":{"x":1}}
`
	code, out, errs := w.postcall(in, "transform")
	if code != 1 || !strings.Contains(errs, "line 3:") || !strings.Contains(errs, "line 4: /callId") {
		t.Errorf("exit %d, errors:\n%s", code, errs)
	}
	if !strings.Contains(errs, "POSTCALL_REDACT_KEY is not set") {
		t.Errorf("nothing is said about the throw-away key:\n%s", errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d events, want 2:\n%s", len(lines), out)
	}
	var a, b struct {
		CallID     string
		Transcript []struct{ Role, Content string }
		Extra      map[string]any
	}
	if err := json.Unmarshal([]byte(lines[0]), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(lines[1]), &b); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(a.Transcript) != "[{agent Hi  there} {user I am [PERSON_1]}]" {
		t.Errorf("turns of a: %v", a.Transcript)
	}
	if b.CallID != "b" || fmt.Sprint(b.Transcript) != "[{agent one} {user two}]" || b.Extra["extraField"] == nil {
		t.Errorf("b is %+v", b)
	}
	if code, out, errs := w.postcall("{\n \"callId\": \"pretty\"\n}\n", "transform"); code != 0 || !strings.Contains(out, `"callId":"pretty"`) {
		t.Errorf("a document over several lines: exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ := w.postcall(`[{"callId":"x"},{"callId":"y"}]`, "transform"); code != 0 || strings.Count(out, "\n") != 2 {
		t.Errorf("an array: exit %d\n%s", code, out)
	}
	if code, out, _ := w.postcall("", "transform"); code != 0 || out != "" {
		t.Errorf("nothing in: exit %d\n%s", code, out)
	}
}

func (w *world) elastic(method, path string) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.esURL+"/"+w.index+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s answered %d", method, path, res.StatusCode)
	}
}

// The tools of the person on call, against a running connector on real engines.
func TestOperatorsTools(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	w.serve()
	for i := range 20 {
		w.deliver(call(fmt.Sprintf("c%d", i), "x"))
	}
	if code := w.deliver(`{"callerName":"Nora Whitfield"}`); code != 422 {
		t.Fatalf("answered %d", code)
	}
	w.eventually("loaded", func() bool { return w.rows() == "20\t20" && w.documents() == 20 })

	var st connector.Status
	w.eventually("acknowledged", func() bool {
		if err := json.Unmarshal([]byte(w.must("status", "--json")), &st); err != nil {
			t.Fatal(err)
		}
		return st.Sinks[0].Pending+st.Sinks[1].Pending == 0
	})
	if st.Counts.Received != 20 || st.Sinks[0].Delivered != 20 || st.Sinks[1].Delivered != 20 || st.Refused.Messages != 1 {
		t.Errorf("status is %+v", st)
	}
	if out := w.must("status", "--once"); !strings.Contains(out, "received 20") || !strings.Contains(out, "elasticsearch") || !strings.Contains(out, "CRASHED") || !strings.Contains(out, "map-topics") {
		t.Errorf("status says\n%s", out)
	}
	var plugins []connector.PluginInfo
	if err := json.Unmarshal([]byte(w.must("plugin", "list", "--json")), &plugins); err != nil || len(plugins) < 2 {
		t.Fatalf("plugins: %+v (%v)", plugins, err)
	}
	for _, p := range plugins[:2] {
		if r := p.Running; r == nil || r.State != connector.TransformRuns || len(r.PIDs) != 1 || r.Memory == 0 || p.Version == "" || p.Lock != connector.LockedNone {
			t.Errorf("plugin %+v, running %+v", p, r)
		}
	}
	if out := w.must("plugin", "list"); !strings.Contains(out, "runs, ") || !strings.Contains(out, "pid ") {
		t.Errorf("plugin list says\n%s", out)
	}
	if out := w.must("doctor", "--running"); strings.Contains(out, "BAD") {
		t.Errorf("doctor says\n%s", out)
	}

	var dead []connector.DeadLetter
	if err := json.Unmarshal([]byte(w.must("dead", "list", "--json")), &dead); err != nil || len(dead) != 1 || dead[0].Stage != "webhook" {
		t.Fatalf("dead letters: %+v (%v)", dead, err)
	}
	shown := w.must("dead", "show", dead[0].ID[:8])
	if !strings.Contains(shown, "callerName: string(14)") || strings.Contains(shown, "Nora") {
		t.Errorf("dead show says\n%s", shown)
	}
	if code, _, errs := w.postcall("", "dead", "replay", dead[0].ID); code != 1 || !strings.Contains(errs, "still refused") {
		t.Errorf("replay of what is still refused: exit %d\n%s", code, errs)
	}
	w.must("dead", "purge", dead[0].ID)
	if out := w.must("dead", "list"); !strings.Contains(out, "nothing is held back") {
		t.Errorf("dead list says\n%s", out)
	}

	if out := w.must("audit"); strings.Count(out, "20 calls checked, 0 held back, 0 missing") != 2 {
		t.Errorf("audit says\n%s", out)
	}
	w.elastic(http.MethodDelete, "-v1") // the index is lost, and made anew
	w.must("migrate", "apply")
	code, out, errs := w.postcall("", "audit")
	if code != 1 || !strings.Contains(out, "call c3") || !strings.Contains(out, "call c7") || !strings.Contains(out, "20 missing") {
		t.Errorf("audit after the documents were lost: exit %d\n%s%s", code, out, errs)
	}
	if out := w.must("replay", "--sink", "elasticsearch", "--since", "1h"); !strings.Contains(out, "20 calls") {
		t.Errorf("replay says\n%s", out)
	}
	w.must("audit")
	if got := w.rows(); got != "20\t20" {
		t.Errorf("ClickHouse has %s rows and calls after a replay into Elasticsearch", got)
	}
}

// The plugins file decides which plugins a source goes through, and what is stored unredacted is said aloud.
func TestPluginsFileOnTheCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plugins.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, bin: mustInstall(t), env: []string{
		"POSTCALL_PLUGINS=" + file, "POSTCALL_REDACT_KEY=0123456789abcdef",
		"POSTCALL_CLICKHOUSE_ADDR=127.0.0.1:1", "POSTCALL_ELASTICSEARCH_URL=http://127.0.0.1:1", "POSTCALL_ADMIN_ADDR=127.0.0.1:1",
	}}
	const call = `{"callId":"a","callerName":"Nora Whitfield","transcript":[{"role":"user","content":"I am Nora Whitfield"}]}`
	write("plugins:\n  map-topics: {on_failure: skip}\n")
	if code, out, errs := w.postcall(call, "transform"); code != 0 || strings.Contains(out, "Nora") || !strings.Contains(out, "map-topics") {
		t.Errorf("the usual chain: exit %d\n%s%s", code, out, errs)
	}
	write("chains:\n  phonely: [map-topics]\n")
	if code, _, errs := w.postcall(call, "transform"); code != 1 || !strings.Contains(errs, file+", line 2: chains.phonely (list): it is without redact-pii") {
		t.Errorf("a chain without redact-pii by accident: exit %d\n%s", code, errs)
	}
	write("chains:\n  phonely: [map-topics]\nunredacted: [phonely]\n")
	if code, out, errs := w.postcall(call, "transform"); code != 0 || !strings.Contains(out, "Nora Whitfield") {
		t.Errorf("a chain without redact-pii on purpose: exit %d\n%s%s", code, out, errs)
	}
	_, out, _ := w.postcall("", "doctor")
	if !strings.Contains(out, "WARN privacy                calls of source phonely are stored UNREDACTED") || !strings.Contains(out, "ok   plugin map-topics") {
		t.Errorf("doctor says\n%s", out)
	}
	write("plugins:\n  redact-pii: {on_failure: skip}\n")
	if code, _, errs := w.postcall("", "serve"); code != 1 || !strings.Contains(errs, "line 2: plugins.redact-pii.on_failure") {
		t.Errorf("redact-pii to be skipped: exit %d\n%s", code, errs)
	}
}
