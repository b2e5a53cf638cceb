package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// build makes dir/postcall and dir/plugins/NAME: every plugin that is in Go, and so needs nothing else to run.
func (r *release) build(ctx context.Context, p v1.Platform, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	stamp := fmt.Sprintf("-s -w -X main.version=%s -X main.commit=%s", r.version, r.commit)
	for _, args := range [][]string{
		{"-ldflags", stamp, "-o", filepath.Join(dir, "postcall"), "./cmd/postcall"},
		{"-ldflags", "-s -w", "-o", filepath.Join(dir, "plugins") + "/", "./plugins/..."},
	} {
		cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-buildvcs=false"}, args...)...)
		cmd.Dir = r.root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off",
			"GOOS="+p.OS, "GOARCH="+p.Architecture, "GOAMD64=v1", "GOARM64=v8.0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// programs are the paths of what build made, by where the image has them.
func programs(dir string) (map[string]string, error) {
	plugins, err := filepath.Glob(filepath.Join(dir, "plugins", "*"))
	if err != nil || len(plugins) == 0 {
		return nil, fmt.Errorf("no plugin was built into %s", dir)
	}
	all := map[string]string{programPath: filepath.Join(dir, "postcall")}
	for _, p := range slices.Sorted(slices.Values(plugins)) {
		all[pluginsPath+"/"+filepath.Base(p)] = p
	}
	return all, nil
}
