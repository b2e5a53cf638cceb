package scaffold

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what go mod tidy makes of a new project into the template")

// checkout is the folder of this repository.
func checkout(t *testing.T) string {
	t.Helper()
	dir, err := Checkout("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func newProject(t *testing.T) string {
	t.Helper()
	dir, err := Project{Name: "mark-calls", Lang: "go", Dir: t.TempDir(), Replace: checkout(t)}.Write()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// in runs a command of a project, whose modules must be complete as they are.
func in(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestAGoProjectPassesItsTestsAtOnce(t *testing.T) {
	dir := newProject(t)
	in(t, dir, "go", "vet", "./...") // where go.mod or go.sum lack something: go test ./plugins/scaffold -update
	if out := in(t, dir, "gofmt", "-l", "."); out != "" {
		t.Errorf("not formatted: %s", out)
	}
	in(t, dir, "go", "test", "./...") // make test runs them with -race (TestDocs of cmd/postcall)
	in(t, dir, "make", "build")
	if info, err := os.Stat(filepath.Join(dir, "dist", "mark-calls")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the plugin: %v, %v", info, err)
	}
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(all, filepath.Join(dir, ".gitignore")) {
		if data, err := os.ReadFile(name); err == nil && strings.Contains(string(data), "my-plugin") {
			t.Errorf("%s still says my-plugin", name)
		}
	}
}

// requirements returns the versions that a go.mod requires, postcall's own excepted.
func requirements(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(f) >= 2 && strings.HasPrefix(f[1], "v") && f[0] != ModulePath {
			all[f[0]] = f[1]
		}
	}
	return all
}

// TestRequirements: a new project gets the versions that postcall itself has. After a change of go.mod: go test -update.
func TestRequirements(t *testing.T) {
	if *update {
		dir := newProject(t)
		cmd := exec.Command("cp", "../../go.sum", dir)
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		in(t, dir, "go", "mod", "tidy")
		in(t, dir, "go", "mod", "edit", "-module=example.com/my-plugin", "-dropreplace="+ModulePath)
		in(t, dir, "cp", "go.mod", filepath.Join(checkout(t), "plugins/scaffold/go/go.mod.tmpl"))
		in(t, dir, "cp", "go.sum", filepath.Join(checkout(t), "plugins/scaffold/go/go.sum.tmpl"))
	}
	want, got := requirements(t, "../../go.mod"), requirements(t, "go/go.mod.tmpl")
	for module, version := range got {
		if want[module] != version {
			t.Errorf("a project requires %s %s, postcall %s: run go test ./plugins/scaffold -update", module, version, want[module])
		}
	}
	if len(got) < 10 {
		t.Errorf("a project requires %q", slices.Sorted(maps.Keys(got)))
	}
	sums, err := os.ReadFile("go/go.sum.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums)) {
		what := line[:strings.LastIndex(line, " ")+1] // go mod tidy also lists what only tests of the SDK's libraries need
		if strings.Contains(string(all), what) && !strings.Contains(string(all), line) {
			t.Errorf("postcall's go.sum has another hash of %s", what)
		}
	}
}

func TestAReleasedVersionIsRequired(t *testing.T) {
	dir, err := Project{Name: "p", Lang: "go", Dir: t.TempDir(), Version: "v1.2.3", Module: "git.example/team/p"}.Write()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.HasPrefix(string(data), "module git.example/team/p\n") ||
		!strings.Contains(string(data), "require github.com/postcall/postcall v1.2.3\n") || strings.Contains(string(data), "replace") {
		t.Errorf("%v\n%s", err, data)
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	p := Project{Name: "p", Lang: "go", Dir: dir, Version: "v1.2.3"}
	mine := filepath.Join(dir, "p", "main.go")
	if err := os.Mkdir(filepath.Dir(mine), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a project: %v", err)
	}
	if data, err := os.ReadFile(mine); string(data) != "mine" {
		t.Errorf("%q, %v", data, err)
	}
	p.Name = "q"
	if err := os.WriteFile(filepath.Join(dir, "q"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(); err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("a file: %v", err)
	}
}

func TestWhatIsNoProject(t *testing.T) {
	dir := t.TempDir()
	f := func(says string, change func(*Project)) {
		t.Helper()
		p := Project{Name: "p", Lang: "go", Dir: dir, Version: "v1.0.0"}
		change(&p)
		if _, err := p.Write(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", p, err, says)
		}
	}
	for _, name := range []string{"", "none", "Upper", "a_b", "-a", "a-", "../a", "a/b", "a b", "\u00e4", strings.Repeat("a", 64)} {
		f("is no name for a plugin", func(p *Project) { p.Name = name })
	}
	f(`"rust" is no language`, func(p *Project) { p.Lang = "rust" })
	f("no version of postcall", func(p *Project) { p.Version = "" })
	f("is no checkout of postcall", func(p *Project) { p.Replace = dir })
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("%v were made, %v", files, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("another module", func(p *Project) { p.Replace = dir })
}

func TestFilesAreThose(t *testing.T) {
	f := func(lang string, want ...string) {
		t.Helper()
		p := Project{Name: "p", Lang: lang, Version: "v1.0.0"}
		files, err := p.files()
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return strings.HasPrefix(name, "sdk/") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, ok := files["sdk/src/postcall/__init__.py"]; ok != (lang == "python") {
			t.Errorf("%s: an SDK inside: %v", lang, ok)
		}
	}
	f("go", ".gitignore", "Makefile", "README.md", "go.mod", "go.sum", "main.go", "main_test.go")
	f("python", ".gitignore", "Makefile", "README.md", "plugin.py", "requirements-dev.txt", "requirements.txt", "test_plugin.py")
}

func TestAPythonProjectIsNamed(t *testing.T) {
	dir, err := Project{Name: "mark-calls", Lang: "python", Dir: t.TempDir()}.Write()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "plugin.py"))
	if err != nil || !strings.Contains(string(data), `serve("mark-calls"`) || strings.Contains(string(data), "my-plugin") {
		t.Errorf("%v\n%s", err, data)
	}
}

func TestAgainst(t *testing.T) {
	here, outside := checkout(t), t.TempDir()
	f := func(p Project, version, dir, wantVersion, wantReplace, problem string) {
		t.Helper()
		got, err := p.Against(version, outside, dir)
		if got.Version != wantVersion || got.Replace != wantReplace || (err != nil) != (problem != "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%+v of %s: %+v, %v", p, version, got, err)
		}
	}
	golang := Project{Lang: "go"}
	f(golang, "1.2.3", here, "v1.2.3", "", "")
	f(golang, "1.2.3-rc.1", here, "v1.2.3-rc.1", "", "")
	f(golang, "1.2.3-4-gabc1234", ".", "", here, "")
	f(golang, "0.0.0-dev", ".", "", here, "")
	f(golang, "0.0.0-dev", outside, "", "", "between two releases")
	f(Project{Lang: "go", Replace: "x"}, "1.2.3", here, "", "x", "")
	f(Project{Lang: "go", Version: "v1.0.0"}, "1.2.3", here, "v1.0.0", "", "")
	f(Project{Lang: "python"}, "0.0.0-dev", outside, "", "", "")
}
