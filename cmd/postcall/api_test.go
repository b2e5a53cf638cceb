package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/postcall/postcall/connector/api"
)

// apiEnv is how the API reads what this world has loaded.
func (w *world) apiEnv() []string {
	return []string{
		"POSTCALL_API_CLICKHOUSE_ADDR=" + os.Getenv("POSTCALL_CLICKHOUSE_ADDR"), "POSTCALL_API_CLICKHOUSE_DATABASE=" + w.db,
		"POSTCALL_API_CLICKHOUSE_USERNAME=" + os.Getenv("POSTCALL_CLICKHOUSE_USERNAME"), "POSTCALL_API_CLICKHOUSE_PASSWORD=" + os.Getenv("POSTCALL_CLICKHOUSE_PASSWORD"),
		"POSTCALL_API_ELASTICSEARCH_URL=" + w.esURL, "POSTCALL_API_ELASTICSEARCH_INDEX=" + w.index, "POSTCALL_API_RATE=10000", "POSTCALL_API_TIMEOUT=1m",
	}
}

// serveAPI runs `postcall api` with a token for everything, and returns its address.
func (w *world) serveAPI(env ...string) (url, token string, log *lockedBuffer) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "tokens")
	token = strings.TrimSpace(w.must("api", "token", "new", "--name", "test", "--scope", "events,calls,metrics", "--append", file))
	listens, admin := freeAddr(w.t), freeAddr(w.t)
	cmd := exec.Command(filepath.Join(w.bin, "postcall"), "api")
	log = &lockedBuffer{}
	cmd.Env = append(append(append(os.Environ(), w.apiEnv()...), "POSTCALL_API_TOKENS="+file, "POSTCALL_API_ADDR="+listens, "POSTCALL_API_ADMIN_ADDR="+admin), env...)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("postcall api after SIGTERM: %v\n%s", err, log)
		}
	})
	w.eventually("postcall api is ready", func() bool {
		res, err := http.Get("http://" + admin + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return "http://" + listens, token, log
}

// TestAPIPages runs the examples of docs/api.md and of the Agent Skill on a month of made-up calls, and holds the pages to
// what they answer; -update writes it.
func TestAPIPages(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	w.serve()
	w.month("--calls", "300", "--seed", "7", "--start", "2026-10-01")
	url, token, _ := w.serveAPI()
	for page, dir := range map[string]string{"../../docs/api.md": "", "../../deploy/skill/postcall/SKILL.md": "../../deploy/skill/postcall"} {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		r := newReader(t)
		r.env = append(r.env, "CALLS_URL="+url, "CALLS_TOKEN="+token)
		if dir != "" {
			abs, err := filepath.Abs(dir)
			if err != nil {
				t.Fatal(err)
			}
			r.run("cd '" + abs + "'; export PYTHONDONTWRITEBYTECODE=1")
		}
		known := w.must("config")
		for _, name := range regexp.MustCompile(`POSTCALL_[A-Z_]+[A-Z]`).FindAllString(string(data), -1) {
			if !strings.Contains(known, name+" ") && name != "POSTCALL_API_CLICKHOUSE" && name != "POSTCALL_API_ELASTICSEARCH" {
				t.Errorf("%s names %s, which is no variable", page, name)
			}
		}
		text := produce(t, r, string(data))
		if *update {
			if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if text != string(data) {
			t.Errorf("%s shows something else than what its examples answer: go test ./cmd/postcall -run TestAPIPages -update\n%s", page, text)
		}
	}
}

// month delivers made-up calls and waits until both stores have them.
func (w *world) month(args ...string) {
	w.t.Helper()
	data := w.must(append([]string{"demo-data"}, args...)...)
	if code, _, errs := w.postcall(data, "send", "-"); code != 0 {
		w.t.Fatal(errs)
	}
	w.eventually("all calls are loaded", func() bool {
		s := w.must("status", "--json")
		return strings.Count(s, `"pending": 0,`) == 2 && strings.Contains(s, `"waiting": 0`)
	})
	if res, err := http.Post(w.esURL+"/"+w.index+"/_refresh", "application/json", nil); err == nil {
		_ = res.Body.Close()
	}
}

var example = regexp.MustCompile("```sh\n([^`]*)```\n\n```text\n([^`]*)```\n")

// produce is the page with what its examples print. What is different each time is written as what it is.
func produce(t *testing.T, r *reader, page string) string {
	t.Helper()
	ran := 0
	out := example.ReplaceAllStringFunc(page, func(block string) string {
		m := example.FindStringSubmatch(block)
		r.run(m[1])
		ran++
		seen := r.seen
		for pattern, name := range map[string]string{
			`postcall_[a-z2-7]{32}`: "postcall_...", `mark [A-Z2-7]{12}\.`: "mark MARK.", `data [A-Z2-7]{12} ---`: "data MARK ---",
			`("nextCursor": ?)"[^"]+"`: `$1"..."`, `("score": ?)[0-9.]+`: `${1}...`,
		} {
			seen = regexp.MustCompile(pattern).ReplaceAllString(seen, name)
		}
		return "```sh\n" + m[1] + "```\n\n```text\n" + strings.TrimRight(seen, "\n") + "\n```\n"
	})
	if n := strings.Count(page, "```text"); ran == 0 || ran != n {
		t.Errorf("%d examples of %d were run", ran, n)
	}
	return out
}

// The skill has the published format: what an agent reads of it first is complete and within its bounds.
func TestSkillFormat(t *testing.T) {
	const dir = "../../deploy/skill/postcall"
	data, err := os.ReadFile(dir + "/SKILL.md")
	if err != nil {
		t.Fatal(err)
	}
	head, body, ok := strings.Cut(strings.TrimPrefix(string(data), "---\n"), "\n---\n")
	if !ok || !strings.HasPrefix(string(data), "---\n") {
		t.Fatal("no front matter")
	}
	var front struct {
		Name, Description, License, Compatibility string
		Metadata                                  map[string]string
	}
	dec := yaml.NewDecoder(strings.NewReader(head))
	dec.KnownFields(true)
	if err := dec.Decode(&front); err != nil {
		t.Fatal(err)
	}
	if front.Name != filepath.Base(dir) || !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(front.Name) || len(front.Name) > 64 {
		t.Errorf("the name %q is not that of the folder", front.Name)
	}
	if n := len(front.Description); n == 0 || n > 1024 || len(front.Compatibility) > 500 || strings.Count(string(data), "\n") > 500 {
		t.Errorf("a description of %d bytes, a compatibility of %d", n, len(front.Compatibility))
	}
	for _, m := range regexp.MustCompile(`scripts/[\w.-]+`).FindAllString(body, -1) {
		if _, err := os.Stat(filepath.Join(dir, m)); err != nil {
			t.Error(err)
		}
	}
	for _, scope := range api.Scopes {
		if !strings.Contains(body, "`"+string(scope)+"`") {
			t.Errorf("the scope %s is not there", scope)
		}
	}
}

func TestTokenNew(t *testing.T) {
	w := &world{t: t, bin: mustInstall(t)}
	out := w.must("api", "token", "new", "--name", "a", "--scope", "calls", "--scope", "metrics", "--tenant", "acme", "--expires", "2099-01-31")
	m := regexp.MustCompile(`^token: (postcall_[a-z2-7]{32})\nline:  (a acme calls,metrics sha256:[0-9a-f]{64} 2099-01-31T00:00:00Z)\n$`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("got %s", out)
	}
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(m[2]), 0o600); err != nil { // without a line break at its end
		t.Fatal(err)
	}
	token := w.must("api", "token", "new", "--name", "b", "--scope", "events", "--expires", "90d", "--append", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(data), "\n"); len(lines) != 3 || lines[0] != m[2] || !strings.HasPrefix(lines[1], "b default events sha256:") || strings.Contains(string(data), strings.TrimSpace(token)) {
		t.Errorf("the file has\n%s", data)
	}
	for _, args := range [][]string{
		{"--name", "a"},
		{"--scope", "calls"},
		{"--name", "a b", "--scope", "calls"},
		{"--name", "a", "--scope", "all"},
		{"--name", "a", "--scope", "calls", "--expires", "soon"},
		{"--name", "a", "--scope", "calls", "--expires", "2020-01-01"},
		{"--name", "a", "--scope", "calls", "--tenant", "a b"},
		{"--name", "a", "--scope", "calls", "x"},
	} {
		if code, _, errs := w.postcall("", append([]string{"api", "token", "new"}, args...)...); code != 2 || errs == "" {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
	if code, _, errs := w.postcall("", "api"); code != 1 || !strings.Contains(errs, "POSTCALL_API_CLICKHOUSE_ADDR and POSTCALL_API_ELASTICSEARCH_URL are empty") {
		t.Errorf("without a store: exit %d, %s", code, errs)
	}
	w.set("POSTCALL_API_ELASTICSEARCH_URL=http://127.0.0.1:1")
	if code, _, errs := w.postcall("", "api"); code != 1 || !strings.Contains(errs, "POSTCALL_API_TOKENS is empty") {
		t.Errorf("without tokens: exit %d, %s", code, errs)
	}
}
