package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestDockerfileBuildsTheSame runs the build step of deploy/Dockerfile here, and compares what it leaves with the image.
func TestDockerfileBuildsTheSame(t *testing.T) {
	file, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	step := regexp.MustCompile(`(?m)^RUN (mkdir(?:.*\\\n)*.*)$`).FindStringSubmatch(string(file))
	if step == nil {
		t.Fatal("deploy/Dockerfile has no build step that begins with mkdir")
	}
	out := t.TempDir()
	cmd := exec.Command("sh", "-ec", strings.ReplaceAll(step[1], "/out/", out+"/"))
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "VERSION="+version, "COMMIT="+commit)
	if log, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	root := image(t).roots[runtime.GOARCH]
	got, want := map[string]string{}, map[string]string{}
	for dir, all := range map[string]map[string]string{out: got, filepath.Join(root, "usr/local/bin"): want} {
		for _, pattern := range []string{"postcall", "plugins/*"} {
			names, _ := filepath.Glob(filepath.Join(dir, pattern))
			for _, name := range names {
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				all[strings.TrimPrefix(name, dir)] = string(data)
			}
		}
	}
	if a, b := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(a, b) {
		t.Fatalf("the Dockerfile builds %v, the image has %v", a, b)
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s of the Dockerfile is another one", name)
		}
	}
}
