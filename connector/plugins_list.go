package connector

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/postcall/postcall/transforms"
)

// PluginInfo describes a plugin in the folder of plugins.
type PluginInfo struct {
	Name     string `json:"name"`
	Path     string `json:"path"`
	InUse    bool   `json:"inUse"`              // some chain has it
	Version  string `json:"version,omitempty"`  // as it reports itself; empty where it wasn't asked
	Protocol int    `json:"protocol,omitempty"` // likewise
	Checksum string `json:"checksum,omitempty"` // SHA-256, in hexadecimal
	Lock     string `json:"lock"`               // LockedSame, LockedDiffers, LockedNot or LockedNone
	Problem  string `json:"problem,omitempty"`  // why it can't be started

	Running *TransformStatus `json:"running,omitempty"` // in the connector at POSTCALL_ADMIN_ADDR, if one runs
}

// The ways a plugin stands to the lock file.
const (
	LockedSame    = "ok"
	LockedDiffers = "differs"
	LockedNot     = "not locked"
	LockedNone    = "no lock file"
)

// ListPlugins describes the plugins that some chain has, in order, and the others in the folder. What doesn't run, and is
// as it was locked, is started for a moment: only a plugin itself knows its version.
func ListPlugins(ctx context.Context, cfg Config) ([]PluginInfo, error) {
	file, err := readPlugins(cfg.Plugins)
	if err != nil {
		return nil, err
	}
	list, err := pluginsOnDisk(cfg, file)
	if err != nil {
		return nil, err
	}
	if cfg.RequireRedactKey() != nil {
		cfg.RedactKey = Secret(rand.Text()) // nothing is hashed
	}
	running, _ := ReadTransforms(ctx, cfg) // none may run
	var g errgroup.Group
	g.SetLimit(4)
	for i := range list {
		p := &list[i]
		if j := slices.IndexFunc(running, func(t TransformStatus) bool { return t.Name == p.Name }); j >= 0 {
			p.Running, p.Version, p.Protocol = &running[j], running[j].Version, transforms.ProtocolVersion
		}
		if p.Running != nil || p.Problem != "" || p.Lock == LockedNot {
			continue
		}
		g.Go(func() error {
			if err := p.ask(ctx, cfg, file); err != nil {
				p.Problem = err.Error()
			}
			return nil
		})
	}
	return list, g.Wait()
}

// pluginsOnDisk lists the plugins that some chain has, in order, and the others in the folder, with their checksums.
func pluginsOnDisk(cfg Config, file *pluginsFile) ([]PluginInfo, error) {
	dir, err := cfg.PluginFolder()
	if err != nil {
		return nil, err
	}
	lock, err := transforms.ReadLock(dir)
	if err != nil {
		return nil, err
	}
	installed, err := installedPlugins(dir)
	if err != nil {
		return nil, err
	}
	names := file.names(cfg.Transforms)
	inUse := len(names)
	for _, name := range installed {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	list := make([]PluginInfo, len(names))
	for i, name := range names {
		p := &list[i]
		*p = PluginInfo{Name: name, Path: filepath.Join(dir, name), InUse: i < inUse}
		if err := p.sum(lock); err != nil {
			p.Problem = err.Error()
		}
	}
	return list, nil
}

// sum compares what is on disk with the lock file.
func (p *PluginInfo) sum(lock map[string][]byte) error {
	want, listed := lock[p.Name]
	p.Lock = LockedSame
	switch {
	case lock == nil:
		p.Lock = LockedNone
	case !listed:
		p.Lock = LockedNot
	}
	if _, err := transforms.Executable(filepath.Dir(p.Path), p.Name); err != nil {
		return err
	}
	got, err := transforms.Checksum(p.Path)
	if err != nil {
		return err
	}
	p.Checksum = hex.EncodeToString(got)
	if listed && !bytes.Equal(got, want) {
		p.Lock = LockedDiffers
		return fmt.Errorf("it is not the plugin that was locked: put that one back, or accept this one by: postcall plugin lock")
	}
	return nil
}

// ask starts the plugin to learn its version. One that isn't in use has no settings, and may not start without.
func (p *PluginInfo) ask(ctx context.Context, cfg Config, file *pluginsFile) error {
	spec := transforms.Spec{Name: p.Name, Settings: json.RawMessage("{}"), Memory: int64(cfg.PluginMemory)}
	if p.InUse {
		var err error
		if spec, err = pluginSpec(cfg, file, p.Name); err != nil {
			return err
		}
	}
	spec.Path = p.Path
	if p.Lock == LockedSame {
		var err error
		if spec.SHA256, err = hex.DecodeString(p.Checksum); err != nil {
			return err
		}
	}
	probe, err := transforms.OpenProbe(ctx, spec)
	if err != nil {
		return err
	}
	p.Version, p.Protocol = probe.Version(), transforms.ProtocolVersion
	_ = probe.Close() // what had to be killed is gone too
	return nil
}
