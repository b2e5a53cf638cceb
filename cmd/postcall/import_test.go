package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// backfill is n calls of last year, one a line.
func backfill(prefix string, n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"callId":"%s%d","callStarted":"2025-11-02T15:04:05Z","callEnded":"2025-11-02T15:05:05Z","summary":"about a booking","transcript":[{"role":"user","content":"hello"}]}`+"\n", prefix, i)
	}
	return b.Bytes()
}

func packed(t *testing.T, name string, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	switch filepath.Ext(name) {
	case ".gz":
		w := gzip.NewWriter(&out)
		_, _ = w.Write(b)
		_ = w.Close()
	case ".zst":
		w, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(b)
		_ = w.Close()
	default:
		out.Write(b)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The import is ended twice, by kill -9 and by Ctrl-C, and the third run does the rest: every call is there, once.
func TestImportGoesOnAfterKillAndCtrlC(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	w.serve()
	const n = 20_000
	file := packed(t, "calls.ndjson.zst", backfill("i", n))
	lines := func() int64 {
		states, _ := filepath.Glob(filepath.Join(w.data, "imports", "*.json"))
		var st importState
		for _, f := range states {
			if b, err := os.ReadFile(f); err == nil {
				_ = json.Unmarshal(b, &st) // cut short while it is written
			}
		}
		return st.Lines
	}
	for i, sig := range []os.Signal{syscall.SIGKILL, os.Interrupt} {
		cmd := exec.Command(filepath.Join(w.bin, "postcall"), "import", file)
		cmd.Env = append(os.Environ(), w.env...)
		var errs lockedBuffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before := lines()
		for lines() < before+n/6 && syscall.Kill(cmd.Process.Pid, 0) == nil {
			time.Sleep(time.Millisecond)
		}
		_ = cmd.Process.Signal(sig)
		if err := cmd.Wait(); err == nil {
			t.Fatalf("run %d ended before it was stopped: give it more calls", i)
		}
		if sig == os.Interrupt && !strings.Contains(errs.String(), "run the same command again") {
			t.Errorf("after Ctrl-C it says:\n%s", errs.String())
		}
	}
	if done := lines(); done == 0 || done >= n {
		t.Fatalf("%d of %d lines are done before the last run", done, n)
	}
	code, out, errs := w.postcall("", "import", file)
	if code != 0 || !strings.Contains(errs, "goes on behind line") {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	w.within(3*time.Minute, "every call is in ClickHouse, once", func() bool { return w.rows() == fmt.Sprintf("%d\t%d", n, n) })
	w.within(3*time.Minute, "and in Elasticsearch", func() bool { return w.count() == n })
	if code, _, errs := w.postcall("", "import", file); code != 0 || !strings.Contains(errs, "--again") {
		t.Errorf("a second import of a file that is done: exit %d\n%s", code, errs)
	}
	if got := w.rows(); got != fmt.Sprintf("%d\t%d", n, n) {
		t.Errorf("rows, calls after all: %s", got)
	}
	if got := w.query("SELECT count() FROM " + w.db + ".calls WHERE toDateTime(version / 1000000) > '2025-11-03'"); got != "0" && !strings.Contains(got, "version") {
		t.Errorf("%s imported calls are newer than their end", got)
	}
}

func TestImportRefusesByLineAndKeepsTheRest(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	w.serve()
	good := backfill("g", 300)
	bad := `{"callId":7,"customerPhoneNumber":"+13125550142"}` + "\n\n" + `not json` + "\n"
	file := packed(t, "calls.ndjson.gz", append(append([]byte{}, bad...), good...))
	plain := packed(t, "more.ndjson", bytes.TrimSpace(backfill("h", 10)))
	rejects := filepath.Join(t.TempDir(), "rejects.ndjson")
	code, out, errs := w.postcall("", "import", "--rejects", rejects, file, plain)
	if code != 1 || !strings.Contains(errs, "line 1: ") || !strings.Contains(errs, "line 3: ") || !strings.HasPrefix(out, "310 calls on disk, 2 refused") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if strings.Contains(out+errs, "5550142") {
		t.Errorf("what is refused is quoted:\n%s%s", out, errs)
	}
	if b, err := os.ReadFile(rejects); err != nil || strings.Count(string(b), "\n") != 2 || !strings.Contains(string(b), "not json") {
		t.Errorf("rejects: %v\n%s", err, b)
	}
	code, out, errs = w.postcall(string(backfill("s", 5)), "import", "-")
	if code != 0 {
		t.Errorf("from standard input: exit %d\n%s%s", code, out, errs)
	}
	w.eventually("all are loaded", func() bool { return w.rows() == "315\t315" })
	for _, args := range [][]string{{"import"}, {"import", "--source", "nobody", plain}, {"import", filepath.Join(t.TempDir(), "none.ndjson")}, {"import", t.TempDir()}} {
		if code, _, errs := w.postcall("", args...); code == 0 || errs == "" {
			t.Errorf("%v: exit %d, %q", args, code, errs)
		}
	}
}

func TestChunksAreCutByTheFileAlone(t *testing.T) {
	content := append(backfill("c", 1000), "\n\nlast"...)
	for _, name := range []string{"a.ndjson", "a.gz", "a.zst"} {
		cut := func(behind int64) (ends []int64, records int) {
			in, _, err := openInputs([]string{packed(t, name, content)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer closeInputs(in)
			err = in[0].chunks(behind, 1<<20, func(c *chunk) bool {
				ends = append(ends, c.last)
				records += len(c.records)
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			return ends, records
		}
		ends, n := cut(0)
		if got := fmt.Sprint(ends); got != "[256 512 768 1003]" || n != 1001 {
			t.Errorf("%s: chunks end at %s, %d records", name, got, n)
		}
		if ends, n := cut(512); fmt.Sprint(ends) != "[768 1003]" || n != 489 {
			t.Errorf("%s: behind 512 they end at %v, %d records", name, ends, n)
		}
		if ends, n := cut(1003); len(ends) != 0 || n != 0 {
			t.Errorf("%s: behind the last line there are %v, %d records", name, ends, n)
		}
	}
}

func FuzzReadLine(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), 2)
	f.Add(bytes.Repeat([]byte("x"), 5000), 16)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		if limit < 0 || limit > 1<<20 {
			limit = 1 << 20
		}
		in := &input{name: "fuzz", in: bytes.NewReader(b)}
		want := map[int64]string{}
		raw := strings.Split(string(b), "\n")
		for i, l := range raw {
			if s := strings.TrimSpace(l); s != "" {
				want[int64(i+1)] = s
			}
		}
		err := in.chunks(0, int64(limit), func(c *chunk) bool {
			for _, r := range c.records {
				if r.Err == nil && string(r.Body) != want[r.N] {
					t.Errorf("line %d: %q, want %q", r.N, r.Body, want[r.N])
				}
				if n := len(raw[r.N-1]); r.Err != nil && n <= limit {
					t.Errorf("line %d of %d bytes is too long for %d", r.N, n, limit)
				}
				delete(want, r.N)
			}
			return true
		})
		if err == nil && len(want) > 0 {
			t.Errorf("lines are missing: %v", want)
		}
	})
}
