package transforms

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// LockFile is the name of the file of checksums in a folder of plugins.
const LockFile = "plugins.lock"

// Executable finds a plugin in a folder of plugins and returns the path of what is to be run: dir/name where that is an
// executable file, dir/name/name where dir/name is a folder, as a plugin in Python is.
func Executable(dir, name string) (string, error) { return executable(filepath.Join(dir, name)) }

// executable is Executable for a plugin's own path, that of its file or folder.
func executable(plugin string) (string, error) {
	info, err := os.Stat(plugin)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		plugin = filepath.Join(plugin, filepath.Base(plugin))
		if info, err = os.Stat(plugin); err != nil {
			return "", fmt.Errorf("a plugin that is a folder holds an executable of its own name: %w", err)
		}
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("%s is not an executable file", plugin)
	}
	return plugin, nil
}

// Checksum returns the SHA-256 of a plugin, by the path of its file or folder. That of a folder is the SHA-256 of a list
// with a line "HEX  relative/path" for each file in it, sorted by path, as sha256sum prints it. A symbolic link counts by
// the text of its target. __pycache__ and *.pyc, which Python writes while it runs, don't count.
func Checksum(plugin string) ([]byte, error) {
	plugin, err := filepath.EvalSymlinks(plugin)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(plugin)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return sumFile(os.DirFS(filepath.Dir(plugin)), filepath.Base(plugin))
	}
	return sumFolder(os.DirFS(plugin))
}

func sumFolder(folder fs.FS) ([]byte, error) {
	lines := map[string]string{}
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "__pycache__":
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) == ".pyc":
			return nil
		case strings.ContainsAny(name, "\r\n"):
			return fmt.Errorf("%q: the name of a plugin's file can't hold a line break", name)
		}
		sum, err := sumEntry(folder, name, d.Type())
		lines[name] = fmt.Sprintf("%x  %s\n", sum, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		_, _ = io.WriteString(all, lines[name])
	}
	return all.Sum(nil), nil
}

func sumEntry(folder fs.FS, name string, mode fs.FileMode) ([]byte, error) {
	switch {
	case mode.IsRegular():
		return sumFile(folder, name)
	case mode&fs.ModeSymlink != 0:
		target, err := fs.ReadLink(folder, name)
		sum := sha256.Sum256([]byte(target))
		return sum[:], err
	}
	return nil, fmt.Errorf("%s is neither a file nor a link: a plugin can't be locked with it", name)
}

func sumFile(folder fs.FS, name string) ([]byte, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, err
	}
	return sum.Sum(nil), nil
}

// ReadLock reads the checksums of a folder of plugins by the plugins' names. It returns nil without an error where there
// is no lock file: then nothing is checked. An empty lock file allows no plugin.
func ReadLock(dir string) (map[string][]byte, error) {
	data, err := os.ReadFile(filepath.Join(dir, LockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lock := map[string][]byte{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, sum, err := parseLock(line)
		if _, twice := lock[name]; err == nil && twice {
			err = fmt.Errorf("%s is listed twice", name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w; write it anew: postcall plugin lock", filepath.Join(dir, LockFile), n, err)
		}
		lock[name] = sum
	}
	return lock, lines.Err()
}

func parseLock(line string) (name string, sum []byte, err error) {
	digits, name, found := strings.Cut(line, " ")
	sum, err = hex.DecodeString(digits)
	if !found || err != nil || len(sum) != sha256.Size || len(name) < 2 || name[0] != ' ' && name[0] != '*' {
		return "", nil, errors.New("it is not a checksum as sha256sum prints it (64 hexadecimal digits, two spaces, a name)")
	}
	return name[1:], sum, nil
}

// WriteLock replaces the lock file of a folder of plugins. A crash leaves the old one or the new one.
func WriteLock(dir string, lock map[string][]byte) (err error) {
	f, err := os.CreateTemp(dir, LockFile+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	for _, name := range slices.Sorted(maps.Keys(lock)) {
		if _, err := fmt.Fprintf(f, "%x  %s\n", lock[name], name); err != nil {
			return err
		}
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, LockFile))
}
