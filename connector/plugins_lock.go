package connector

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/postcall/postcall/transforms"
)

// LockReport compares the lock file of the plugins with the plugins on disk.
type LockReport struct {
	File    string       `json:"file"`
	Exists  bool         `json:"exists"`
	Plugins []LockChange `json:"plugins"`

	dir string
	new map[string][]byte
}

// LockChange is what a new lock file says about one plugin.
type LockChange struct {
	Name  string `json:"name"`
	State string `json:"state"`         // LockSame, LockChanged, LockNew or LockRemoved
	Now   string `json:"now,omitempty"` // its checksum on disk, in hexadecimal
	Was   string `json:"was,omitempty"` // its checksum in the lock file
}

// The states of a LockChange.
const (
	LockSame    = "same"
	LockChanged = "changed"
	LockNew     = "new"
	LockRemoved = "removed" // it is locked, and not among the plugins any more
)

// Same reports whether a new lock file would be the one that is there.
func (r *LockReport) Same() bool {
	return r.Exists && !slices.ContainsFunc(r.Plugins, func(c LockChange) bool { return c.State != LockSame })
}

// CompareLock looks at the plugins that some chain has, or at all in the folder. A lock file that can't be read is an error
// with the report of one that isn't there.
func CompareLock(cfg Config, all bool) (*LockReport, error) {
	dir, names, err := pluginsToLock(cfg, all)
	if err != nil {
		return nil, err
	}
	old, damaged := transforms.ReadLock(dir)
	r := &LockReport{File: filepath.Join(dir, transforms.LockFile), Exists: old != nil, dir: dir, new: map[string][]byte{}}
	for _, name := range names {
		if _, err := transforms.Executable(dir, name); err != nil {
			return nil, fmt.Errorf("plugin %s: %w", name, err)
		}
		if r.new[name], err = transforms.Checksum(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("plugin %s: %w", name, err)
		}
		r.Plugins = append(r.Plugins, lockChange(name, old, r.new[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if r.new[name] == nil {
			r.Plugins = append(r.Plugins, LockChange{Name: name, State: LockRemoved, Was: hex.EncodeToString(old[name])})
		}
	}
	return r, damaged
}

func lockChange(name string, old map[string][]byte, sum []byte) LockChange {
	c := LockChange{Name: name, State: LockSame, Now: hex.EncodeToString(sum), Was: hex.EncodeToString(old[name])}
	switch was, listed := old[name]; {
	case !listed:
		c.State = LockNew
	case !bytes.Equal(was, sum):
		c.State = LockChanged
	}
	return c
}

// Write replaces the lock file by one of the plugins that were looked at. A connector reads it when it starts.
func (r *LockReport) Write() error { return transforms.WriteLock(r.dir, r.new) }

// pluginsToLock returns the folder of the plugins and their names.
func pluginsToLock(cfg Config, all bool) (dir string, names []string, err error) {
	if dir, err = cfg.PluginFolder(); err != nil {
		return "", nil, err
	}
	if all {
		names, err = installedPlugins(dir)
	} else {
		names, err = pluginsInUse(cfg)
	}
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("there is no plugin to lock in %s: set POSTCALL_PLUGIN_DIR and POSTCALL_TRANSFORMS to those of `postcall serve`", dir)
	}
	return dir, names, err
}

// pluginsInUse are those that some chain has, in their order.
func pluginsInUse(cfg Config) ([]string, error) {
	file, err := readPlugins(cfg.Plugins)
	if err != nil {
		return nil, err
	}
	return file.names(cfg.Transforms), nil
}

// installedPlugins are those in the folder, whether in use or not, by name.
func installedPlugins(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for plugins (POSTCALL_PLUGIN_DIR): %w", err)
	}
	var names []string
	for _, e := range entries {
		if _, err := transforms.Executable(dir, e.Name()); err == nil && pluginName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
