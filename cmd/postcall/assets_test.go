package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// Kibana answers 200 also where it has imported nothing: that is no success.
func TestAssetsKibanaApply(t *testing.T) {
	var answer, path atomic.Value // asked by another process, which orders nothing for the race detector
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path.Store(r.URL.Path)
		_, _ = io.WriteString(w, answer.Load().(string))
	}))
	defer srv.Close()
	w := &world{t: t, bin: mustInstall(t)}
	f := func(wantCode int, says string, args ...string) {
		t.Helper()
		code, out, errs := w.postcall("", append([]string{"assets", "kibana", "--apply", "--url", srv.URL}, args...)...)
		if code != wantCode || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit %d, want %d naming %q\n%s%s", args, code, wantCode, says, out, errs)
		}
	}
	answer.Store(`{"success":true,"successCount":7}`)
	f(0, "imported 7 objects", "--space", "support")
	if at := path.Load(); at != "/s/support/api/saved_objects/_import" {
		t.Errorf("imported at %s", at)
	}
	answer.Store(`{"success":false,"successCount":6,"errors":[{"id":"postcall-overview","type":"dashboard","error":{"type":"missing_references"}}]}`)
	f(1, "dashboard postcall-overview: missing_references")
	f(1, "small letters", "--space", "No Space")
}
