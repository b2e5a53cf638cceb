package transforms

import (
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, mode os.FileMode, text string, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil { //nolint:gosec // an executable is meant to be one
		t.Fatal(err)
	}
	return path
}

func TestExecutable(t *testing.T) {
	dir := t.TempDir()
	file := write(t, 0o700, "#!/bin/sh\n", dir, "file")
	inside := write(t, 0o700, "#!/bin/sh\n", dir, "folder", "folder")
	write(t, 0o600, "", dir, "text")
	write(t, 0o600, "", dir, "library", "library")
	write(t, 0o600, "", dir, "empty", "other")
	f := func(name, want, problem string) {
		t.Helper()
		got, err := Executable(dir, name)
		if problem == "" && (err != nil || got != want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
		if problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%s: error %v, want %q", name, err, problem)
		}
	}
	f("file", file, "")
	f("folder", inside, "")
	f("text", "", "is not an executable file")
	f("library", "", "is not an executable file")
	f("empty", "", "a plugin that is a folder holds an executable of its own name")
	f("missing", "", "no such file")
}

// sha256sum is what an operator would check a lock file with.
func sha256sum(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("bash", "-ec", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	sum, _, _ := strings.Cut(string(out), " ")
	return sum
}

func checksum(t *testing.T, path string) string {
	t.Helper()
	sum, err := Checksum(path)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum)
}

func TestChecksumIsThatOfSha256sum(t *testing.T) {
	dir := t.TempDir()
	file := write(t, 0o700, "#!/bin/sh\n", dir, "file")
	if got, want := checksum(t, file), sha256sum(t, "sha256sum "+file); got != want {
		t.Errorf("a file: %s, want %s", got, want)
	}
	write(t, 0o700, "#!/bin/sh\n", dir, "folder", "folder")
	for _, name := range []string{"a/z.py", "a.py", "a-b.py", "B.py"} {
		write(t, 0o600, name, dir, "folder", name)
	}
	want := sha256sum(t, "cd "+dir+"/folder; find . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum | sha256sum")
	if got := checksum(t, filepath.Join(dir, "folder")); got != want {
		t.Errorf("a folder: %s, want %s", got, want)
	}
	if err := os.Symlink("folder", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if got := checksum(t, filepath.Join(dir, "link")); got != want {
		t.Errorf("a link to the folder: %s, want %s", got, want)
	}
}

func TestChecksumOfAFolderChangesWithWhatRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "p")
	write(t, 0o700, "#!/bin/sh\n", dir, "p")
	write(t, 0o600, "1", dir, "lib", "a.py")
	last := checksum(t, dir)
	f := func(what string, changes bool) {
		t.Helper()
		now := checksum(t, dir)
		if changed := now != last; changed != changes {
			t.Errorf("%s: changed is %v", what, changed)
		}
		last = now
	}
	write(t, 0o600, "x", dir, "lib", "__pycache__", "a.cpython-313.pyc")
	write(t, 0o600, "x", dir, "lib", "a.pyc")
	f("what Python writes while it runs", false)
	write(t, 0o600, "2", dir, "lib", "a.py")
	f("other content", true)
	write(t, 0o600, "", dir, "lib", "b.py")
	f("a file more", true)
	if err := os.Rename(filepath.Join(dir, "lib", "b.py"), filepath.Join(dir, "lib", "c.py")); err != nil {
		t.Fatal(err)
	}
	f("another name", true)
	if err := os.Symlink("a.py", filepath.Join(dir, "lib", "d.py")); err != nil {
		t.Fatal(err)
	}
	f("a link", true)
	write(t, 0o600, "", dir, "line\nbreak")
	if _, err := Checksum(dir); err == nil || !strings.Contains(err.Error(), "line break") {
		t.Errorf("a name with a line break: %v", err)
	}
}

func TestLockFile(t *testing.T) {
	dir := t.TempDir()
	if lock, err := ReadLock(dir); lock != nil || err != nil {
		t.Errorf("no file: %v, %v", lock, err)
	}
	sum, err := Checksum(faultPath)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"redact-pii": make([]byte, 32), "fault": sum}
	for range 2 { // the second replaces the first
		if err := WriteLock(dir, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadLock(dir)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("error %v, difference:\n%s", err, diff)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%d files in the folder, error %v", len(files), err)
	}
	if err := WriteLock(dir, nil); err != nil {
		t.Fatal(err)
	}
	if lock, err := ReadLock(dir); lock == nil || len(lock) != 0 || err != nil {
		t.Errorf("an empty file: %v, %v", lock, err)
	}
}

func TestLockFileAsSha256sumReadsIt(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		write(t, 0o700, name, dir, name)
	}
	script := "cd " + dir + "; { echo '# mine'; echo; sha256sum a; sha256sum -b b; } > " + LockFile + "; sha256sum --check --quiet " + LockFile
	sha256sum(t, script)
	lock, err := ReadLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if got, want := hex.EncodeToString(lock[name]), checksum(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if err := WriteLock(dir, lock); err != nil {
		t.Fatal(err)
	}
	sha256sum(t, "cd "+dir+"; sha256sum --check --quiet "+LockFile)
}

func TestLockFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	ok := strings.Repeat("0", 64) + "  a\n"
	for _, text := range []string{"x", ok + "abc  b\n", ok + strings.Repeat("0", 64) + " b\n", ok + strings.Repeat("g", 64) + "  b", ok + ok} {
		path := write(t, 0o600, text, dir, LockFile)
		if _, err := ReadLock(dir); err == nil || !strings.Contains(err.Error(), path+", line ") || !strings.Contains(err.Error(), "postcall plugin lock") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

// copyFault makes a folder plugin or a file plugin of the fault plugin and returns its path and its checksum.
func copyFault(t *testing.T, elem ...string) (path string, sum []byte) {
	t.Helper()
	data, err := os.ReadFile(faultPath)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "fault")
	write(t, 0o700, string(data), append([]string{path}, elem...)...)
	if sum, err = Checksum(path); err != nil {
		t.Fatal(err)
	}
	return path, sum
}

// TestPluginIsCheckedAtEachStart swaps the plugin under a running host: the process goes on, but no other is started.
func TestPluginIsCheckedAtEachStart(t *testing.T) {
	swap := func(path string) func(t *testing.T) {
		return func(t *testing.T) {
			t.Helper()
			if err := os.Rename(path, path+".old"); err != nil {
				t.Fatal(err)
			}
			write(t, 0o700, "#!/bin/sh\ntouch "+filepath.Join(filepath.Dir(path), "ran")+"\n", path)
		}
	}
	f := func(name string, elem ...string) {
		t.Run(name, func(t *testing.T) {
			path, sum := copyFault(t, elem...)
			exe, err := executable(path)
			if err != nil {
				t.Fatal(err)
			}
			p, _ := openFault(t, func(s *Spec) { s.Path, s.SHA256 = path, sum })
			swap(exe)(t)
			if _, err := p.Transform(t.Context(), batchOf("")); err != nil {
				t.Errorf("the running process: %v", err)
			}
			proc := p.workers[0].alive()
			kill(t, p.PID())
			<-proc.runner.exited
			for range 2 {
				if _, err := p.Transform(t.Context(), batchOf("")); !errors.Is(err, ErrNotLocked) || !errors.Is(err, ErrPluginGone) || IsPermanent(err) {
					t.Errorf("error %v, want ErrNotLocked", err)
				}
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(exe), "ran")); err == nil {
				t.Error("the other plugin was started")
			}
			if err := os.Rename(exe+".old", exe); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Transform(t.Context(), batchOf("")); err != nil {
				t.Errorf("the right one is back: %v", err)
			}
		})
	}
	f("file")
	f("folder", "fault")
}
