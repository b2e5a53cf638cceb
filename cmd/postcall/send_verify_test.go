package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What `helm test` does: a signed test call goes the whole way, and is read back from both stores.
func TestSendVerifiesInBothStores(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"whsec":        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"sources.yaml": "sources:\n- {name: clinic, tenant: clinic, auth: [{type: standard-webhooks, secrets: [whsec]}]}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.set("POSTCALL_SOURCES=" + filepath.Join(dir, "sources.yaml"))
	w.serve()
	for _, args := range [][]string{{"send", "--test", "--verify"}, {"send", "--test", "--verify", "--source", "clinic", "--count", "3"}} {
		out := w.must(args...)
		for _, sink := range []string{"clickhouse", "elasticsearch"} {
			if !strings.Contains(out, sink+" has ") {
				t.Errorf("%v says\n%s", args, out)
			}
		}
	}
	if got := w.query("SELECT tenant, count(), countIf(is_test) FROM " + w.db + ".calls_raw FINAL GROUP BY tenant ORDER BY tenant FORMAT CSV"); got != "\"clinic\",3,3\n\"default\",1,1" {
		t.Errorf("ClickHouse has\n%s", got)
	}
	if docs := w.search(`{"query": {"term": {"is_test": true}}}`); len(docs) != 4 {
		t.Errorf("%d documents of tests, want 4", len(docs))
	}
	// From another pod the streams are out of reach: nothing is wrong with that.
	w.set("POSTCALL_DATA_DIR=" + t.TempDir())
	if out := w.must("doctor", "--running"); !strings.Contains(out, "ok   connector") || !strings.Contains(out, "WARN streams") {
		t.Errorf("doctor says\n%s", out)
	}
}

// An older delivery of the same call is no proof that this one arrived.
func TestSendSaysWhichStoreLacksIt(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	body := filepath.Join(t.TempDir(), "call.json")
	if err := os.WriteFile(body, []byte(call("verified-1", "first")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := w.serve()
	w.must("send", "--verify", body)
	s.terminate()
	both := w.env
	w.set("POSTCALL_SINKS=clickhouse")
	w.serve()
	w.env = both
	code, out, errs := w.postcall("", "send", "--verify", "--verify-timeout", "3s", body)
	if code != 1 || !strings.Contains(out, "clickhouse has 1 call") || !strings.Contains(errs, "elasticsearch does not have 1 call, verified-1 first") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, _, errs := w.postcall(`{"summary": "no id"}`, "send", "--verify", "-"); code != 2 || !strings.Contains(errs, "--id-path callId") {
		t.Errorf("a payload without an id: exit %d %s", code, errs)
	}
	if code, _, errs := w.postcall("", "send", "--test", "--as", "retell"); code != 2 || !strings.Contains(errs, "Phonely's form") {
		t.Errorf("--test of another vendor: exit %d %s", code, errs)
	}
}
