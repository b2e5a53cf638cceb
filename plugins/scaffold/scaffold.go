// Package scaffold starts new plugins: projects that build and pass their own tests at once.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/postcall/postcall/plugins/python"
)

// Project is a plugin to be.
type Project struct {
	Name string // as POSTCALL_TRANSFORMS will have it
	Lang string // go or python
	Dir  string // where the project's folder is made, under its name

	Module  string // of Go: its module path; empty means example.com/NAME
	Version string // of Go: the released version of postcall to build against, like v1.2.0; not needed with Replace
	Replace string // of Go: the folder of a checkout of postcall to build against
}

// goFiles is a project in Go, in which my-plugin stands for the name. Its go.mod and go.sum list what the SDK needs
// (TestRequirements).
//
//go:embed go/*.tmpl
var goFiles embed.FS

// ModulePath is postcall's own.
const ModulePath = "github.com/postcall/postcall"

// validName is what POSTCALL_TRANSFORMS takes.
var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Write makes the project's folder and returns its path. Where there is one already it changes nothing, unless it is
// empty.
func (p Project) Write() (string, error) {
	if err := p.complete(); err != nil {
		return "", err
	}
	files, err := p.files()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(p.Dir, p.Name)
	if err := makeEmpty(dir); err != nil {
		return "", err
	}
	for name, text := range files {
		if err := writeNew(filepath.Join(dir, filepath.FromSlash(name)), text); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// complete checks the fields and fills in those that can be empty.
func (p *Project) complete() error {
	switch {
	case len(p.Name) > 63 || !validName.MatchString(p.Name) || p.Name == "none":
		return fmt.Errorf("%.80q is no name for a plugin: use lower-case letters, digits and hyphens, like drop-short", p.Name)
	case p.Lang == "python":
		return nil // the project carries its SDK
	case p.Lang != "go":
		return fmt.Errorf("%q is no language for a plugin here: use go or python", p.Lang)
	}
	if p.Module == "" {
		p.Module = "example.com/" + p.Name
	}
	if p.Replace != "" {
		abs, err := Checkout(p.Replace)
		if err != nil {
			return err
		}
		p.Replace, p.Version = abs, "v0.0.0" // replaced in any case
	}
	if p.Version == "" {
		return errors.New("there is no version of postcall to build against: name the folder of a checkout")
	}
	return nil
}

// Checkout returns the absolute path of dir, if it is a checkout of postcall.
func Checkout(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(abs, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("%s is no checkout of postcall: %w", dir, err)
	}
	first, _, _ := strings.Cut(string(data), "\n")
	if strings.TrimSpace(first) != "module "+ModulePath {
		return "", fmt.Errorf("%s is no checkout of postcall: its go.mod is that of another module", dir)
	}
	return abs, nil
}

// files returns the texts of the project by their paths in it.
func (p *Project) files() (map[string][]byte, error) {
	files := map[string][]byte{}
	template, folder := fs.FS(goFiles), "go"
	if p.Lang == "python" {
		template, folder = python.Template, "template"
	}
	if err := read(template, folder, "", files); err != nil {
		return nil, err
	}
	if p.Lang == "go" {
		files["go.mod"] = p.goMod(files["go.mod"])
	}
	for name, text := range files {
		files[name] = bytes.ReplaceAll(text, []byte("my-plugin"), []byte(p.Name))
	}
	if p.Lang == "python" {
		return files, read(python.SDK, ".", "sdk", files)
	}
	return files, nil
}

// read adds the files below a folder to what goes into a project.
func read(from fs.FS, folder, to string, files map[string][]byte) error {
	return fs.WalkDir(from, folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(from, name)
		name = path.Join(to, strings.TrimSuffix(strings.TrimPrefix(name, folder+"/"), ".tmpl"))
		if path.Base(name) == "gitignore" {
			name = path.Join(path.Dir(name), ".gitignore")
		}
		files[name] = text
		return err
	})
}

func (p *Project) goMod(text []byte) []byte {
	s := strings.Replace(string(text), "example.com/my-plugin", p.Module, 1)
	s = strings.Replace(s, ModulePath+" v0.0.0", ModulePath+" "+p.Version, 1)
	if p.Replace != "" {
		at := p.Replace
		if strings.ContainsAny(at, " \t") {
			at = strconv.Quote(at)
		}
		s += "\nreplace " + ModulePath + " => " + at + "\n"
	}
	return []byte(s)
}

// makeEmpty makes a folder that must not be there, unless it is empty.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o755)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%s is there already, and no folder: %w", dir, err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is there already and has something in it: nothing was written; take another name or --dir", dir)
	}
	return nil
}

func writeNew(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// FindCheckout returns the checkout of postcall that holds one of the folders, or "".
func FindCheckout(dirs ...string) string {
	for _, dir := range dirs {
		abs, err := filepath.Abs(dir)
		for err == nil {
			if found, err := Checkout(abs); err == nil {
				return found
			}
			if filepath.Dir(abs) == abs {
				break
			}
			abs = filepath.Dir(abs)
		}
	}
	return ""
}

// released are versions that a module can require; others are between two of them.
var released = regexp.MustCompile(`^\d+\.\d+\.\d+(-(alpha|beta|rc)[.0-9]*)?$`)

// Against says what a project of a postcall of that version is built against, where nobody said: the released version,
// or the checkout that holds one of the folders.
func (p Project) Against(version string, dirs ...string) (Project, error) {
	switch {
	case p.Lang != "go" || p.Replace != "" || p.Version != "":
		return p, nil
	case released.MatchString(version):
		p.Version = "v" + version
		return p, nil
	}
	if p.Replace = FindCheckout(dirs...); p.Replace == "" {
		return p, fmt.Errorf("this postcall (%s) is between two releases, so there is no version to build against: name a checkout of postcall", version)
	}
	return p, nil
}
