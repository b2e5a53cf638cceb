package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// The dashboards come out as they are in the repository, with the database of the configuration, and go where they are sent.
func TestAssetsGrafana(t *testing.T) {
	w := &world{t: t, bin: mustInstall(t)}
	dir := filepath.Join(t.TempDir(), "new")
	code, out, errs := w.postcall("", "assets", "grafana", "--out", dir)
	if code != 0 || strings.Count(out, dir) != 2 {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	for _, name := range []string{"operations", "calls"} {
		want, err1 := os.ReadFile("../../deploy/grafana/" + name + ".json")
		got, err2 := os.ReadFile(filepath.Join(dir, name+".json"))
		if err1 != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("%s.json is another one than in deploy/grafana: %v, %v", name, err1, err2)
		}
	}

	var last atomic.Value // asked by another process, which orders nothing for the race detector
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		last.Store(r.Header.Get("Authorization") + " " + string(b))
		_, _ = rw.Write([]byte(`{"status":"success","uid":"postcall-calls","url":"/d/postcall-calls/x"}`))
	}))
	defer srv.Close()
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("t0ken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "POSTCALL_CLICKHOUSE_DATABASE=elsewhere")
	code, out, errs = w.postcall("", "assets", "grafana", "calls", "--apply", "--url", srv.URL, "--secret-file", secret)
	if code != 0 || strings.TrimSpace(out) != srv.URL+"/d/postcall-calls/x" {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if sent, _ := last.Load().(string); !strings.HasPrefix(sent, "Bearer t0ken ") || !strings.Contains(sent, "FROM elsewhere.call_facts AS c") {
		t.Errorf("it sent %.200s", sent)
	}
}
