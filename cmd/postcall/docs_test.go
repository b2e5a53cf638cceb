package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDocs does what the pages about plugins and topics tell a reader to do, from the first line to the last.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("../../docs/plugins*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	pages = append(pages, "../../docs/topics.md")
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			newReader(t).follow(blocks(string(data)))
		})
	}
}

// TestReadmePlugin builds the plugin that README shows, and checks it.
func TestReadmePlugin(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	all := blocks(string(readme))
	i := slices.IndexFunc(all, func(b block) bool { return b.lang == "go" })
	if i < 0 {
		t.Fatal("README shows no plugin")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(all[i].text), 0o600); err != nil {
		t.Fatal(err)
	}
	plugin := filepath.Join(dir, "drop-tests")
	if out, err := exec.Command("go", "build", "-o", plugin, filepath.Join(dir, "main.go")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w := &world{t: t, bin: mustInstall(t)}
	if out := w.must("plugin", "test", plugin); !strings.Contains(out, "drop-tests 1.0.0") {
		t.Errorf("postcall plugin test says\n%s", out)
	}
}

// block is what stands between two fences: of which language, and what else its first fence says.
type block struct{ lang, info, text string }

func blocks(page string) []block {
	var all []block
	open := false
	for line := range strings.Lines(page) {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && !open:
			lang, info, _ := strings.Cut(strings.TrimSpace(fence), " ")
			all = append(all, block{lang: lang, info: strings.TrimSpace(info)})
			open = true
		case isFence:
			open = false
		case open:
			all[len(all)-1].text += line
		}
	}
	return all
}

// reader follows a page: it runs each block of sh where the one before has left it. A block of text behind it is what the
// reader then sees. A block of code with a file's name is written into that file, and one without is in some file.
type reader struct {
	t     *testing.T
	env   []string
	state string // folder with where the shell is, and its variables
	seen  string
}

// newReader begins in a folder inside this repository, as somebody who has no released postcall would.
func newReader(t *testing.T) *reader {
	bin := mustInstall(t)
	dir, err := filepath.Abs("../../bin/docs-" + rand.Text()[:8])
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &reader{t: t, state: t.TempDir()}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "POSTCALL_") || strings.HasPrefix(v, "POSTCALL_CACHE=") {
			r.env = append(r.env, v)
		}
	}
	r.env = append(r.env, "PATH="+bin+":"+os.Getenv("PATH"), "STATE="+r.state, "GOWORK=off")
	r.run("cd '" + dir + "'")
	return r
}

func (r *reader) follow(all []block) {
	r.t.Helper()
	for _, b := range all {
		switch {
		case b.lang == "sh":
			r.run(b.text)
		case b.lang == "text":
			r.sees(b.text)
		case b.info != "":
			r.write(b.info, b.text)
		default:
			r.finds(b.text)
		}
	}
}

func (r *reader) run(script string) {
	r.t.Helper()
	const before = `if [ -f "$STATE/vars" ]; then . "$STATE/vars"; cd "$(cat "$STATE/dir")"; fi; set -euo pipefail` + "\n"
	const after = "\n" + `pwd > "$STATE/dir"; export -p > "$STATE/vars"`
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", before+script+after)
	cmd.Env = r.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	r.seen = string(out)
}

// sees holds what the page shows to what was printed, of which it can be a part: "..." stands for any lines in between,
// "…" for anything in a line.
func (r *reader) sees(text string) {
	r.t.Helper()
	var want strings.Builder
	want.WriteString(`(?m)^`)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.TrimSpace(line) == "..." {
			want.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		for i, part := range strings.Split(line, "…") {
			if i > 0 {
				want.WriteString(`[^\n]*`)
			}
			want.WriteString(regexp.QuoteMeta(part))
		}
		want.WriteString(`\n`)
	}
	if !regexp.MustCompile(want.String()).MatchString(r.seen) {
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

func (r *reader) write(name, text string) {
	if err := os.WriteFile(filepath.Join(r.dir(), name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reader) finds(text string) {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir(), "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil && strings.Contains(string(data), text) {
			return
		}
	}
	r.t.Errorf("no file in %s has what the page shows:\n%s", r.dir(), text)
}
