package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// plugin is what the file says about a plugin, or nothing.
func (f *pluginsFile) plugin(name string) *pluginConfig {
	if c := f.plugins[name]; c != nil {
		return c
	}
	return &pluginConfig{}
}

// unused reports plugins that the file has settings for and no chain has: one of the two is a mistake.
func (f *pluginsFile) unused(names []string) error {
	r := &fileReader{path: f.path}
	for name, c := range f.plugins {
		if !slices.Contains(names, name) {
			r.problem(c.at, "plugins."+name, "plugin", "no chain has it", "add it to POSTCALL_TRANSFORMS or to a chain, correct its name, or take it out")
		}
	}
	return errors.Join(r.errs...)
}

// missing names the chain that has a plugin which isn't there.
func (f *pluginsFile) missing(name, dir string, err error) error {
	for _, source := range f.sources() {
		if slices.Contains(f.chain(source), name) {
			return fmt.Errorf("%s, chains.%s: no plugin %s in %s (POSTCALL_PLUGIN_DIR): %w", f.path, source, name, dir, err)
		}
	}
	return fmt.Errorf("POSTCALL_TRANSFORMS: no plugin %s in %s (POSTCALL_PLUGIN_DIR): %w", name, dir, err)
}

// settings are those of the file, the secrets it names, and what postcall itself sets, which the file can't.
func (f *pluginsFile) settings(cfg Config, name string) (map[string]json.RawMessage, error) {
	c := f.plugin(name)
	merged := map[string]json.RawMessage{}
	r := &fileReader{path: f.path}
	maps.Copy(merged, c.settings)
	for key, path := range c.secrets {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.path), path)
		}
		secret, err := readSecretFile(path)
		if err != nil {
			r.problem(c.places[key], "plugins."+name+".secrets."+key, "path", err.Error(), "name a readable file that holds the secret and nothing else")
			continue
		}
		merged[key], _ = json.Marshal(secret) // a string always can
	}
	for _, own := range ownSettings(cfg, name) {
		if _, taken := merged[own.key]; taken {
			r.problem(c.places[own.key], "plugins."+name+"."+own.key, "setting", own.variable+" sets it", "take it out, or unset that variable")
		}
		merged[own.key], _ = json.Marshal(own.value)
	}
	return merged, errors.Join(r.errs...)
}

// ownSetting is one that a variable of postcall's sets.
type ownSetting struct{ key, variable, value string }

func ownSettings(cfg Config, name string) (own []ownSetting) {
	path := func(key, variable, value string) {
		if value == "" {
			return
		}
		if abs, err := filepath.Abs(value); err == nil { // the plugin works in a folder of its own
			value = abs
		}
		own = append(own, ownSetting{key, variable, value})
	}
	switch name {
	case redactPII:
		own = append(own, ownSetting{"key", "POSTCALL_REDACT_KEY", cfg.RedactKey.Reveal()})
		path("policy", "POSTCALL_REDACT_POLICY", cfg.RedactPolicy)
	case "map-topics":
		path("rules", "POSTCALL_TOPICS", cfg.Topics)
	}
	return own
}
