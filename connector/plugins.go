package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/postcall/postcall/transforms"
)

// OpenTransforms starts the plugins of POSTCALL_TRANSFORMS and of POSTCALL_PLUGINS, each once. POSTCALL_REDACT_KEY goes to
// redact-pii and to no other, and a secret of the file to the plugin whose setting it is. Where the folder of the plugins
// holds a lock file, a plugin that differs from it is an error.
// The caller closes what is returned. After an error nothing is open.
func OpenTransforms(ctx context.Context, cfg Config, log *slog.Logger) (Chains, error) {
	file, err := readPlugins(cfg.Plugins)
	if err != nil {
		return Chains{}, err
	}
	specs, err := pluginSpecs(cfg, file)
	if err != nil {
		return Chains{}, err
	}
	open := map[string]Transform{}
	for _, spec := range specs {
		spec.Logger = log
		p, err := transforms.Open(ctx, spec)
		if err != nil {
			file.assemble(cfg.Transforms, open).Close()
			return Chains{}, fmt.Errorf("start plugin %s (POSTCALL_TRANSFORMS, POSTCALL_PLUGINS, POSTCALL_PLUGIN_DIR): %w", spec.Name, err)
		}
		open[spec.Name] = Transform{spec.Name, p}
		if err := p.Canary(ctx); err != nil {
			log.Warn("a plugin fails on an event that has nothing but an id: where it fails on others, none of them can be told to be at fault, and all wait",
				"transform", spec.Name, "err", err)
		}
	}
	return file.assemble(cfg.Transforms, open), nil
}

// assemble makes the chains of what is open: each that is open is in one.
func (f *pluginsFile) assemble(standard []string, open map[string]Transform) Chains {
	list := func(names []string) []Transform {
		ts := make([]Transform, 0, len(names))
		for _, name := range names {
			if t, ok := open[name]; ok {
				ts = append(ts, t)
			}
		}
		return ts
	}
	c := Chains{Default: list(standard), Sources: map[string][]Transform{}, Skip: map[string]bool{}}
	for _, source := range f.sources() {
		c.Sources[source] = list(f.chain(source))
	}
	for name := range open {
		c.Skip[name] = f.plugin(name).skip
	}
	return c
}

// Close stops the plugins.
func (c Chains) Close() {
	for _, t := range c.All() {
		if p, ok := t.Transformer.(interface{ Close() error }); ok {
			_ = p.Close() // a plugin that does not end is killed; there is nothing to do about it
		}
	}
}

// Unredacted says of each chain without redact-pii whose calls are stored as they were spoken.
func (c Chains) Unredacted() []string {
	bare := func(ts []Transform) bool {
		return !slices.ContainsFunc(ts, func(t Transform) bool { return t.Name == redactPII })
	}
	var warnings []string
	if bare(c.Default) {
		warnings = append(warnings, "calls of every source without a chain of its own are stored UNREDACTED: POSTCALL_TRANSFORMS is without "+redactPII)
	}
	for _, source := range slices.Sorted(maps.Keys(c.Sources)) {
		if bare(c.Sources[source]) {
			warnings = append(warnings, "calls of source "+source+" are stored UNREDACTED: its chain in POSTCALL_PLUGINS is without "+redactPII)
		}
	}
	return warnings
}

// PluginFolder returns the folder of the plugins as an absolute path: that of POSTCALL_PLUGIN_DIR, or plugins/ beside
// the binary.
func (c *Config) PluginFolder() (string, error) {
	if c.PluginDir != "" {
		return filepath.Abs(c.PluginDir)
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the plugins beside the binary; set POSTCALL_PLUGIN_DIR: %w", err)
	}
	return filepath.Join(filepath.Dir(exe), "plugins"), nil
}

// pluginSpecs says how to run each plugin that some chain has.
func pluginSpecs(cfg Config, file *pluginsFile) ([]transforms.Spec, error) {
	names := file.names(cfg.Transforms)
	if err := file.unused(names); err != nil || len(names) == 0 {
		return nil, err
	}
	dir, err := cfg.PluginFolder()
	if err != nil {
		return nil, err
	}
	lock, err := transforms.ReadLock(dir)
	if err != nil {
		return nil, fmt.Errorf("read the checksums of the plugins (POSTCALL_PLUGIN_DIR): %w", err)
	}
	var specs []transforms.Spec
	var errs []error
	for _, name := range names {
		if _, err := transforms.Executable(dir, name); err != nil {
			errs = append(errs, file.missing(name, dir, err))
			continue
		}
		sum, listed := lock[name]
		if lock != nil && !listed {
			errs = append(errs, fmt.Errorf("plugin %s is not in %s, so it is not started; if it is one to trust, run: postcall plugin lock",
				name, filepath.Join(dir, transforms.LockFile)))
			continue
		}
		spec, err := pluginSpec(cfg, file, name)
		spec.Path, spec.SHA256 = filepath.Join(dir, name), sum
		specs, errs = append(specs, spec), append(errs, err)
	}
	return specs, errors.Join(errs...)
}

func pluginSpec(cfg Config, file *pluginsFile, name string) (transforms.Spec, error) {
	c := file.plugin(name)
	spec := transforms.Spec{
		Name: name, Processes: max(c.processes, 1), Memory: int64(cfg.PluginMemory), Timeout: cfg.Transform.Timeout,
	}
	if c.memory > 0 {
		spec.Memory = int64(c.memory)
	}
	if c.timeout > 0 {
		spec.Timeout = c.timeout
	}
	for _, name := range c.env {
		if v, ok := os.LookupEnv(name); ok {
			spec.Env = append(spec.Env, name+"="+v)
		}
	}
	settings, err := file.settings(cfg, name)
	if err != nil {
		return spec, err
	}
	spec.Settings, err = json.Marshal(settings)
	return spec, err
}
