package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/postcall/postcall/transforms"
)

// OpenTransforms starts the configured plugins, in order. POSTCALL_REDACT_KEY goes to redact-pii and to no other. Where
// the folder of the plugins holds a lock file, a plugin that differs from it is an error.
// The caller closes them with CloseTransforms, after an error too.
func OpenTransforms(ctx context.Context, cfg Config, log *slog.Logger) ([]Transform, error) {
	if len(cfg.Transforms) == 0 {
		return nil, nil
	}
	dir, err := cfg.PluginFolder()
	if err != nil {
		return nil, err
	}
	lock, err := transforms.ReadLock(dir)
	if err != nil {
		return nil, fmt.Errorf("read the checksums of the plugins (POSTCALL_PLUGIN_DIR): %w", err)
	}
	var ts []Transform
	for _, name := range cfg.Transforms {
		spec, err := pluginSpec(cfg, dir, name, lock)
		if err != nil {
			return ts, err
		}
		spec.Logger = log
		p, err := transforms.Open(ctx, spec)
		if err != nil {
			return ts, fmt.Errorf("start plugin %s (POSTCALL_TRANSFORMS, POSTCALL_PLUGIN_DIR): %w", name, err)
		}
		ts = append(ts, Transform{name, p})
	}
	return ts, nil
}

// CloseTransforms stops the plugins.
func CloseTransforms(ts []Transform) {
	for _, t := range ts {
		if c, ok := t.Transformer.(interface{ Close() error }); ok {
			_ = c.Close() // a plugin that does not end is killed; there is nothing to do about it
		}
	}
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

func pluginSpec(cfg Config, dir, name string, lock map[string][]byte) (transforms.Spec, error) {
	sum, listed := lock[name]
	if lock != nil && !listed {
		return transforms.Spec{}, fmt.Errorf("plugin %s (POSTCALL_TRANSFORMS) is not in %s, so it is not started; if it is one to trust, run: postcall plugin lock",
			name, filepath.Join(dir, transforms.LockFile))
	}
	settings, err := pluginSettings(cfg, name)
	return transforms.Spec{Name: name, Path: filepath.Join(dir, name), SHA256: sum, Settings: settings, Timeout: cfg.Transform.Timeout}, err
}

func pluginSettings(cfg Config, name string) (json.RawMessage, error) {
	s := map[string]string{}
	switch name {
	case "redact-pii":
		s["key"] = cfg.RedactKey.Reveal()
		if cfg.RedactPolicy != "" {
			s["policy"] = cfg.RedactPolicy
		}
	case "map-topics":
		if cfg.Topics != "" {
			s["rules"] = cfg.Topics
		}
	}
	return json.Marshal(s)
}
