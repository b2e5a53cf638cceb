package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests of this file run the built binary with its real plugins against a real ClickHouse and Elasticsearch, whose
// addresses are in the environment (make test starts them).

const testSecret = "e2e-webhook-secret"

// installation is a built postcall with its plugins, as `make build` leaves them.
var installation = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "postcall-e2e-")
	if err != nil {
		return "", err
	}
	for out, pkg := range map[string]string{"postcall": ".", "plugins/": "../../plugins/..."} {
		if b, err := exec.Command("go", "build", "-o", filepath.Join(dir, out)+strings.Repeat("/", strings.Count(out, "/")), pkg).CombinedOutput(); err != nil {
			return dir, fmt.Errorf("go build %s: %w\n%s", pkg, err, b)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := installation(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// world is a data directory, a database and an index of its own, on the engines that the environment names.
type world struct {
	t     *testing.T
	bin   string
	data  string
	env   []string
	db    string
	index string
	http  string
	admin string
	chURL string
	esURL string
}

// newWorld is called once by a test, which from there on runs beside others.
func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	bin, err := installation()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("e2e_%d", rand.Uint64())
	w := &world{t: t, bin: bin, data: t.TempDir(), db: name, index: strings.ReplaceAll(name, "_", "-"), http: freeAddr(t), admin: freeAddr(t)}
	for v, p := range map[string]*string{"POSTCALL_TEST_CLICKHOUSE_HTTP": &w.chURL, "POSTCALL_ELASTICSEARCH_URL": &w.esURL} {
		if *p = os.Getenv(v); *p == "" {
			t.Fatalf("%s is not set: run the tests by `make test`, or `bin/local up -- go test ./...`", v)
		}
	}
	w.set("POSTCALL_DATA_DIR="+w.data, "POSTCALL_HTTP_ADDR="+w.http, "POSTCALL_ADMIN_ADDR="+w.admin,
		"POSTCALL_WEBHOOK_SECRET="+testSecret, "POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef",
		"POSTCALL_CLICKHOUSE_DATABASE="+w.db, "POSTCALL_ELASTICSEARCH_INDEX="+w.index, "POSTCALL_BATCH_MAX_AGE=100ms")
	return w
}

func (w *world) set(env ...string) { w.env = append(w.env, env...) }

// freeAddr returns an address that nobody listens on, and no other test was given.
func freeAddr(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		_ = l.Close()
		if _, given := givenAddrs.LoadOrStore(addr, true); !given {
			return addr
		}
	}
}

var givenAddrs sync.Map

// postcall runs a command to its end and returns its exit code and output.
func (w *world) postcall(stdin string, args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	cmd := exec.Command(filepath.Join(w.bin, "postcall"), args...)
	cmd.Env = append(os.Environ(), w.env...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func (w *world) must(args ...string) string {
	w.t.Helper()
	code, out, errs := w.postcall("", args...)
	if code != 0 {
		w.t.Fatalf("postcall %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// migrate makes the stores of this world and removes them at the end.
func (w *world) migrate() {
	w.t.Helper()
	w.must("migrate", "apply")
	w.t.Cleanup(func() {
		w.query("DROP DATABASE IF EXISTS " + w.db)
		req, _ := http.NewRequest(http.MethodDelete, w.esURL+"/"+w.index+"-v1", nil)
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	})
}

// server is a running `postcall serve`.
type server struct {
	w   *world
	cmd *exec.Cmd
	log *lockedBuffer
}

// lockedBuffer is what a running process writes to and a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (w *world) serve() *server {
	w.t.Helper()
	s := &server{w: w, cmd: exec.Command(filepath.Join(w.bin, "postcall"), "serve"), log: &lockedBuffer{}}
	s.cmd.Env = append(os.Environ(), w.env...)
	s.cmd.Stderr = s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.kill() })
	w.eventually("postcall serve is ready", func() bool {
		res, err := http.Get("http://" + w.admin + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return s
}

// kill is SIGKILL: no handler runs, nothing is flushed.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) terminate() {
	s.w.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.w.t.Errorf("postcall serve after SIGTERM: %v\n%s", err, s.log)
	}
}

func (w *world) deliver(body string) int {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+w.http+"/phonely/webhook", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+testSecret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func call(id, summary string) string {
	return fmt.Sprintf(`{"callId":%q,"callStarted":"2026-11-02T15:04:05Z","duration":60,"summary":%q,
		"callerName":"Nora Whitfield","customerPhoneNumber":"+13125550142",
		"transcript":[{"role":"assistant","content":"How can I help?"},{"role":"user","content":"Nora Whitfield here, 312-555-0142, about the zeppelin booking."}]}`, id, summary)
}

func (w *world) query(sql string) string {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.chURL, strings.NewReader(sql))
	if err != nil {
		w.t.Fatal(err)
	}
	req.SetBasicAuth(os.Getenv("POSTCALL_CLICKHOUSE_USERNAME"), os.Getenv("POSTCALL_CLICKHOUSE_PASSWORD"))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	b, _ := io.ReadAll(res.Body)
	return strings.TrimSpace(string(b))
}

func (w *world) search(query string) []map[string]any {
	w.t.Helper()
	if res, err := http.Post(w.esURL+"/"+w.index+"/_refresh", "application/json", nil); err == nil {
		_ = res.Body.Close()
	}
	res, err := http.Post(w.esURL+"/"+w.index+"/_search?size=1000", "application/json", strings.NewReader(query))
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }()
	var found struct {
		Hits struct {
			Hits []struct {
				Source map[string]any `json:"_source"`
			}
		}
	}
	_ = json.NewDecoder(res.Body).Decode(&found)
	var docs []map[string]any
	for _, h := range found.Hits.Hits {
		docs = append(docs, h.Source)
	}
	return docs
}

func (w *world) documents() int { return len(w.search(`{"_source":["call_id"]}`)) }

func (w *world) rows() string {
	return w.query("SELECT count(), uniqExact(call_id) FROM " + w.db + ".calls_raw")
}

// count is how many documents the alias has.
func (w *world) count() (n int) {
	w.search(`{"size":0}`) // refreshes
	if res, err := http.Get(w.esURL + "/" + w.index + "/_count"); err == nil {
		defer func() { _ = res.Body.Close() }()
		var c struct{ Count int }
		_ = json.NewDecoder(res.Body).Decode(&c)
		n = c.Count
	}
	return n
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	w.within(60*time.Second, what, ok)
}

func (w *world) within(limit time.Duration, what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("not within %s: %s", limit, what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestDeliveryBecomesARowAndADocument(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	s := w.serve()
	if code := w.deliver(call("c1", "Nora Whitfield asked about a zeppelin, 312-555-0142")); code != 200 {
		t.Fatalf("answered %d\n%s", code, s.log)
	}
	w.eventually("row and document", func() bool { return w.rows() == "1\t1" && w.documents() == 1 })

	row := w.query("SELECT * FROM " + w.db + ".calls WHERE call_id = 'c1' FORMAT JSONEachRow")
	hits := w.search(`{"query":{"match":{"user_text":"zeppelins"}}}`)
	if len(hits) != 1 {
		t.Fatalf("full-text search finds %d documents, want 1", len(hits))
	}
	doc, err := json.Marshal(hits[0])
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"ClickHouse": row, "Elasticsearch": string(doc), "the log": s.log.String()} {
		for _, secret := range []string{"Nora", "Whitfield", "5550142", "555-0142"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q: %s", where, secret, text)
			}
		}
		if where != "the log" && !strings.Contains(text, "zeppelin") {
			t.Errorf("%s lost the rest of the text: %s", where, text)
		}
	}
}

func TestRepeatedCorrectedAndStaleDeliveries(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	w.serve()
	summary := func() string { return w.query("SELECT summary FROM " + w.db + ".calls") }
	w.deliver(call("c1", "first"))
	w.eventually("first", func() bool { return summary() == "first" })
	w.deliver(call("c1", "first"))
	w.deliver(call("c1", "corrected"))
	w.eventually("corrected", func() bool {
		docs := w.search(`{}`)
		return summary() == "corrected" && len(docs) == 1 && docs[0]["summary"] == "corrected"
	})
	if n := w.query("SELECT count() FROM " + w.db + ".calls"); n != "1" {
		t.Errorf("the view has %s rows, want 1", n)
	}
}

// A kill between the 2xx and the load loses nothing and doubles nothing.
func TestKillNineAfterTheAck(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	sent := 0
	for round := range 5 {
		s := w.serve()
		for range 20 {
			if code := w.deliver(call(fmt.Sprintf("c%d", sent), "kill")); code != 200 {
				t.Fatalf("answered %d\n%s", code, s.log)
			}
			sent++
		}
		time.Sleep(time.Duration(round) * 60 * time.Millisecond) // from before sealing to behind the insert
		s.kill()
	}
	w.serve()
	want := fmt.Sprintf("%d\t%d", sent, sent)
	w.eventually("every call is a row and a document", func() bool { return w.rows() == want && w.documents() == sent })
}

func TestTerminateIsOrderly(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	s := w.serve()
	w.deliver(call("c1", "x"))
	s.terminate()
	w.serve()
	w.eventually("the call is loaded", func() bool { return w.rows() == "1\t1" && w.documents() == 1 })
}

// Deliveries are taken while both engines are down, and arrive once they are up.
func TestDeliveriesGoOnWhileTheEnginesAreDown(t *testing.T) {
	w := newWorld(t)
	chTCP, chHTTP, es := freeAddr(t), freeAddr(t), freeAddr(t)
	w.chURL, w.esURL = "http://"+chHTTP, "http://"+es
	w.set("POSTCALL_CLICKHOUSE_ADDR="+chTCP, "POSTCALL_ELASTICSEARCH_URL="+w.esURL)
	w.serve()
	for i := range 30 {
		if code := w.deliver(call(fmt.Sprintf("c%d", i), "down")); code != 200 {
			t.Fatalf("answered %d with the engines down", code)
		}
	}
	w.engine("clickhouse", "--tcp-port", port(chTCP), "--http-port", port(chHTTP))
	w.engine("elasticsearch", "--port", port(es))
	w.must("migrate", "apply")
	w.eventually("every call is a row and a document", func() bool { return w.rows() == "30\t30" && w.documents() == 30 })
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// engine starts one engine of the test's own and waits until it is healthy.
func (w *world) engine(name string, args ...string) {
	w.t.Helper()
	data := w.t.TempDir()
	if err := os.Chmod(data, 0o755); err != nil { // Elasticsearch may run as another user
		w.t.Fatal(err)
	}
	w.engineIn(data, name, args...)
}

// engineIn starts it on the data that an earlier one left in the folder. kill is SIGKILL.
func (w *world) engineIn(data, name string, args ...string) (kill func()) {
	w.t.Helper()
	login := filepath.Join(data, "clickhouse", "password") // the one the environment names
	if err := errors.Join(os.MkdirAll(filepath.Dir(login), 0o755), os.WriteFile(login, []byte(os.Getenv("POSTCALL_CLICKHOUSE_PASSWORD")), 0o600)); err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command("../../bin/local", append([]string{"engine", name, "--with-parent", "--data", data}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		w.t.Fatalf("start %s (make bin/local builds the program): %v", name, err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	var healthy struct{ PID int }
	if err := json.NewDecoder(out).Decode(&healthy); err != nil {
		w.t.Fatalf("%s did not become healthy: %v\n%s", name, err, log.String())
	}
	return func() {
		_ = syscall.Kill(healthy.PID, syscall.SIGKILL)
		_ = cmd.Wait()
	}
}
