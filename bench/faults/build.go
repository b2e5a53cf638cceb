package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// patch replaces a text that is in a file once. The file is relative to the repository, or to Go's own source where it
// starts with $GOROOT.
type patch struct{ file, old, with string }

// program builds a postcall with patches, from an overlay: no file of the tree is touched. It returns its folder.
func (h *harness) program(ctx context.Context, name string, patches []patch) (string, error) {
	if dir := h.builds[name]; dir != "" {
		return dir, nil
	}
	dir := filepath.Join(h.dir, "build-"+strings.ReplaceAll(name, " ", "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for i, p := range patches {
		path := filepath.Join(h.root, p.file)
		if rest, ok := strings.CutPrefix(p.file, "$GOROOT"); ok {
			goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
			if err != nil {
				return "", fmt.Errorf("go env GOROOT: %w", err)
			}
			path = filepath.Join(strings.TrimSpace(string(goroot)), rest)
		}
		from := path
		if patched := replace[path]; patched != "" {
			from = patched
		}
		b, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(b), p.old); n != 1 {
			return "", fmt.Errorf("%s has %q %d times, not once: the row's patch has to follow the code", p.file, p.old, n)
		}
		replace[path] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(replace[path], []byte(strings.Replace(string(b), p.old, p.with, 1)), 0o644); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o644); err != nil {
		return "", err
	}
	if err := h.goBuild(ctx, h.root, "-overlay", list, "-o", filepath.Join(dir, "postcall"), "./cmd/postcall"); err != nil {
		return "", err
	}
	h.builds[name] = dir
	return dir, nil
}

func (h *harness) goBuild(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-p="+fmt.Sprint(runtime.NumCPU()))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// plugin builds a plugin that misbehaves and returns its path.
func (h *harness) plugin(ctx context.Context, name string) (string, error) {
	dir, pkg := filepath.Join(h.root, "bench"), "./faults/plugins/poison"
	switch name {
	case "poison-panic", "poison-stdout", "poison-answer", "poison-rename":
		dir, pkg = h.root, "./transforms/testdata/plugins/rude"
	}
	path := filepath.Join(h.dir, "build-plugins", filepath.Base(pkg))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, h.goBuild(ctx, dir, "-o", path, pkg)
}

// plugins makes a folder of the shipped plugins and one that misbehaves, and sets the world to use it.
func (w *world) plugins(ctx context.Context, name string) error {
	bad, err := w.h.plugin(ctx, name)
	if err != nil {
		return err
	}
	dir := filepath.Join(w.dir, "plugins")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for from, to := range map[string]string{
		filepath.Join(w.h.bin, "plugins", "redact-pii"): "redact-pii", filepath.Join(w.h.bin, "plugins", "map-topics"): "map-topics", bad: name,
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o755); err != nil {
			return err
		}
	}
	w.set("POSTCALL_PLUGIN_DIR="+dir, "POSTCALL_TRANSFORMS=redact-pii,map-topics,"+name)
	return nil
}
