package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A forgotten caller is in no store, and no redelivery, replay or import brings them back; everybody else stays.
func TestForgottenCallerIsNowhere(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	w.serve()
	of := func(id, phone, email string) string {
		return fmt.Sprintf(`{"callId":%q,"callStarted":"2026-11-02T15:04:05Z","callEnded":"2026-11-02T15:05:05Z","duration":60,"callerName":"Nora Whitfield",
			"customerPhoneNumber":%q,"mentionedEmail":%q,"transcript":[{"role":"user","content":"This is Nora Whitfield."}]}`, id, phone, email)
	}
	const hers, his = "+13125550142", "+13125550177"
	for i := range 5 {
		w.deliver(of(fmt.Sprintf("hers%d", i), hers, ""))
		w.deliver(of(fmt.Sprintf("his%d", i), his, "his@example.com"))
	}
	w.deliver(of("mail", "", "nora@example.com"))
	w.deliver(strings.Replace(of("", hers, ""), `"callId":""`, `"callId":7`, 1)) // refused, and kept
	loaded := func(n int) func() bool {
		return func() bool { return w.rows() == fmt.Sprintf("%d\t%d", n, n) && w.documents() == n }
	}
	w.eventually("all are loaded", loaded(11))

	out := w.must("forget", "--phone", hers, "--yes")
	if !strings.Contains(out, "clickhouse      5") || !strings.Contains(out, "elasticsearch   5") || !strings.Contains(out, "refused bodies  1") {
		t.Errorf("it says\n%s", out)
	}
	if got := w.query("SELECT count() FROM " + w.db + ".calls_raw WHERE call_id LIKE 'hers%'"); got != "0" {
		t.Errorf("%s rows of the forgotten caller are left", got)
	}
	if !loaded(6)() {
		t.Errorf("rows: %s, documents: %d; want 6", w.rows(), w.documents())
	}
	if out := w.must("dead", "list"); strings.Contains(out, "webhook") {
		t.Errorf("the refused body is still held:\n%s", out)
	}
	if out := w.must("forget", "--phone", hers, "--yes"); !strings.Contains(out, "clickhouse      0") {
		t.Errorf("a second time it says\n%s", out)
	}

	w.must("replay", "--sink", "clickhouse", "--since", "1h")
	w.must("replay", "--sink", "elasticsearch", "--since", "1h")
	past := packed(t, "past.ndjson", []byte(strings.ReplaceAll(of("hers0", hers, ""), "\n", " ")+"\n"))
	w.must("import", past)
	w.deliver(of("last", "", ""))
	w.eventually("the last", func() bool { return strings.HasPrefix(w.rows(), "7\t") || strings.HasPrefix(w.rows(), "8\t") })
	if got := w.query("SELECT count() FROM " + w.db + ".calls_raw WHERE call_id LIKE 'hers%'"); got != "0" {
		t.Errorf("%s rows came back by a replay or an import", got)
	}

	// Without --keep-out a new delivery counts; with it none does.
	w.deliver(of("hers0", hers, ""))
	has := func(id string) func() bool {
		return func() bool {
			return w.query("SELECT count() FROM "+w.db+".calls WHERE call_id = '"+id+"'") == "1"
		}
	}
	w.eventually("the new delivery", has("hers0"))
	w.must("forget", "--phone", hers, "--keep-out", "--yes")
	w.must("forget", "--email", "Nora@Example.com", "--keep-out", "--yes")
	w.must("forget", "--call-id", "his4", "--yes")
	w.deliver(of("hers1", hers, ""))
	w.deliver(of("mail", "", "nora@example.com"))
	w.deliver(of("end", "", ""))
	w.eventually("the delivery after them", has("end"))
	time.Sleep(300 * time.Millisecond) // in the same batch, or one behind it
	for id, want := range map[string]bool{"hers0": false, "hers1": false, "mail": false, "his4": false, "his3": true, "last": true} {
		if got := has(id)(); got != want {
			t.Errorf("%s is there: %v, want %v", id, got, want)
		}
	}
	b, err := os.ReadFile(filepath.Join(w.data, "erasures.ndjson"))
	if err != nil || strings.Count(string(b), "\n") != 5 || strings.Contains(string(b), "5550142") || strings.Contains(strings.ToLower(string(b)), "nora") {
		t.Errorf("audit log: %v\n%s", err, b)
	}
	for _, args := range [][]string{{"forget", "--yes"}, {"forget", "--phone", hers}, {"forget", "--phone", "x", "--yes"}, {"forget", "--phone", hers, "--call-id", "c", "--yes"}} {
		if code, _, errs := w.postcall("", args...); code != 2 || errs == "" {
			t.Errorf("%v: exit %d, %q", args, code, errs)
		}
	}
}
