package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// reader follows docs/deploy.md. What reaches for a cluster meets a helm that renders instead of installing, and a
// kubectl that only says what it was asked.
type reader struct {
	t     *testing.T
	env   []string
	state string
	seen  string
}

const stubs = `
kubectl() { printf 'kubectl'; printf ' %s' "$@"; echo; }
helm() {
	case $1 in
	install | upgrade) shift; command helm template --kube-version 1.34.0 "$@" ;;
	test | rollback | uninstall) command helm "$1" --help | grep -q "helm $1" && [ "$2" = postcall ] ;;
	*) command helm "$@" ;;
	esac
}
`

func TestDeployPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	registry := r.registry()
	fence := regexp.MustCompile("(?ms)^```(\\w+) ?([\\w.]*)\n(.*?)^```$")
	blocks := fence.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 10 {
		t.Fatalf("the page has %d blocks", len(blocks))
	}
	for _, b := range blocks {
		lang, info, text := b[1], b[2], b[3]
		switch {
		case lang == "sh" && info == "cluster":
			r.run(stubs + text)
		case lang == "sh":
			r.run(strings.ReplaceAll(text, "registry.example.com/voice\n", registry+"/voice\n"))
		case lang == "text":
			r.sees(text)
		default:
			if err := os.WriteFile(filepath.Join(r.dir(), info), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// newReader begins in a copy of the repository, as it is in this commit or about to be.
func newReader(t *testing.T) *reader {
	r := &reader{t: t, state: t.TempDir()}
	repository := t.TempDir()
	bin := t.TempDir()
	helm := os.Getenv("HELM")
	if helm == "" {
		t.Fatal("HELM is not set: run the tests by `make test`")
	}
	if err := os.Symlink(helm, filepath.Join(bin, "helm")); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "STATE="+r.state, "GOWORK=off", "GOFLAGS=",
		"CLICKHOUSE_PASSWORD=x", "ELASTICSEARCH_API_KEY=x", "READER_PASSWORD=x", "READER_API_KEY=x", "THE_LINE_THAT_IT_PRINTS=x")
	r.run("cd ../.. && git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - --ignore-failed-read | tar --extract --directory '" +
		repository + "' && cd '" + repository + "'")
	return r
}

// registry is a real one, of crane, on this machine.
func (r *reader) registry() string {
	r.t.Helper()
	crane := filepath.Join(r.t.TempDir(), "crane")
	build := exec.Command("go", "build", "-o", crane, "github.com/google/go-containerregistry/cmd/crane")
	if out, err := build.CombinedOutput(); err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(crane, "registry", "serve", "--address", "127.0.0.1:0")
	out, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port := regexp.MustCompile(`serving on port (\d+)`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := port.FindStringSubmatch(lines.Text()); m != nil {
			return "127.0.0.1:" + m[1]
		}
	}
	r.t.Fatal("the registry does not say where it listens")
	return ""
}

func (r *reader) run(script string) {
	r.t.Helper()
	const before = `if [ -f "$STATE/vars" ]; then . "$STATE/vars"; cd "$(cat "$STATE/dir")"; fi; set -euo pipefail` + "\n"
	const after = "\n" + `pwd > "$STATE/dir"; export -p > "$STATE/vars"`
	cmd := exec.CommandContext(r.t.Context(), "bash", "-c", before+script+after)
	cmd.Env = r.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	r.seen = string(out)
}

// sees: "…" stands for anything in a line.
func (r *reader) sees(text string) {
	r.t.Helper()
	var want strings.Builder
	for i, part := range strings.Split(text, "…") {
		if i > 0 {
			want.WriteString(`[^\n]*`)
		}
		want.WriteString(regexp.QuoteMeta(part))
	}
	if !regexp.MustCompile(`(?m)^` + want.String()).MatchString(r.seen) {
		r.t.Errorf("the page shows\n%s\nand what is seen is\n%s", text, r.seen)
	}
}

func (r *reader) dir() string {
	data, err := os.ReadFile(filepath.Join(r.state, "dir"))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}
