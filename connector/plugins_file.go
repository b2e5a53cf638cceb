package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// pluginsFile is the file of POSTCALL_PLUGINS. It is strict: what nothing reads is an error.
type pluginsFile struct {
	path    string
	plugins map[string]*pluginConfig
	chains  map[string][]string // by source
	// unredacted are the sources that may have a chain without redact-pii.
	unredacted []string
}

// pluginConfig is what the file says about one plugin. A zero value leaves the default.
type pluginConfig struct {
	processes int
	memory    ByteSize
	timeout   time.Duration
	settings  map[string]json.RawMessage
	secrets   map[string]string // files by setting
	env       []string
	skip      bool

	at     *yaml.Node            // its name
	places map[string]*yaml.Node // of its settings and secrets
}

// redactPII is the plugin that privacy rests on.
const redactPII = "redact-pii"

// readPlugins reads the file and reports all problems at once. Without a path there is nothing in it.
func readPlugins(path string) (*pluginsFile, error) {
	f := &pluginsFile{path: path, plugins: map[string]*pluginConfig{}, chains: map[string][]string{}}
	if path == "" {
		return f, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, configProblem("POSTCALL_PLUGINS", "path", fileProblem(err).Error(), "name a readable YAML file, or unset it")
	}
	root, err := oneDocument(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &fileReader{path: path}
	if root != nil {
		r.mapping(root, "", map[string]func(*yaml.Node, string){
			"plugins":    func(n *yaml.Node, key string) { r.plugins(n, key, f) },
			"chains":     func(n *yaml.Node, key string) { r.chains(n, key, f) },
			"unredacted": func(n *yaml.Node, key string) { f.unredacted = r.list(n, key, "source") },
		})
		r.redaction(root, f)
	}
	return f, errors.Join(r.errs...)
}

// oneDocument returns the content of a YAML file, nil where it is empty.
func oneDocument(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("it is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if !errors.Is(d.Decode(new(yaml.Node)), io.EOF) {
		return nil, errors.New("one YAML document only: remove what follows the ---")
	}
	return doc.Content[0], nil
}

// fileReader collects the problems of a file.
type fileReader struct {
	path string
	errs []error
}

func (r *fileReader) problem(n *yaml.Node, key, kind, wrong, cure string) {
	r.errs = append(r.errs, fmt.Errorf("%s, line %d: %w", r.path, n.Line, configProblem(key, kind, wrong, cure)))
}

// mapping hands the value of each key to what reads it; with one function under "" every key is good.
func (r *fileReader) mapping(n *yaml.Node, key string, read map[string]func(*yaml.Node, string)) {
	if n = resolve(n); n.Kind != yaml.MappingNode {
		what := key
		if what == "" {
			what = "the file"
		}
		r.problem(n, what, "mapping", "it is none", "write keys with values below it")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], resolve(n.Content[i+1])
		full := strings.TrimPrefix(key+"."+k.Value, ".")
		if line := seen[k.Value]; line > 0 {
			r.problem(k, full, "key", fmt.Sprintf("it is there twice, in line %d too", line), "join the two")
			continue
		}
		seen[k.Value] = k.Line
		f := read[k.Value]
		if f == nil {
			f = read[""]
		}
		if f == nil {
			r.problem(k, full, "key", "nothing reads it", "choose of "+strings.Join(slices.Sorted(maps.Keys(read)), ", "))
			continue
		}
		f(v, full)
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// text reads a scalar; a list or nothing is a problem.
func (r *fileReader) text(n *yaml.Node, key, kind, cure string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		r.problem(n, key, kind, "it is none", cure)
		return ""
	}
	return n.Value
}

func (r *fileReader) list(n *yaml.Node, key, what string) []string {
	cure := "write a list, for example [" + what + "]"
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.problem(n, key, "list", "it is none, or empty", cure)
		return nil
	}
	var list []string
	for _, c := range n.Content {
		if s := r.text(resolve(c), key, "list", cure); s != "" {
			list = append(list, s)
		}
	}
	if !unique(list) {
		r.problem(n, key, "list", "it names something twice", "name each once")
	}
	return list
}

func (r *fileReader) plugins(n *yaml.Node, key string, f *pluginsFile) {
	r.mapping(n, key, map[string]func(*yaml.Node, string){"": func(v *yaml.Node, full string) {
		name := strings.TrimPrefix(full, key+".")
		if !pluginName.MatchString(name) || name == "none" {
			r.problem(v, full, "plugin", "it is not a plugin's name", "use small letters, digits and -")
			return
		}
		f.plugins[name] = r.plugin(v, full, name)
	}})
}

func (r *fileReader) plugin(n *yaml.Node, key, name string) *pluginConfig {
	c := &pluginConfig{settings: map[string]json.RawMessage{}, secrets: map[string]string{}, places: map[string]*yaml.Node{}, at: n}
	r.mapping(n, key, map[string]func(*yaml.Node, string){
		"processes": func(v *yaml.Node, key string) { c.processes = r.whole(v, key, 1, 64) },
		"memory":    func(v *yaml.Node, key string) { c.memory = r.size(v, key) },
		"timeout":   func(v *yaml.Node, key string) { c.timeout = r.duration(v, key) },
		"env":       func(v *yaml.Node, key string) { c.env = r.env(v, key) },
		"settings": func(v *yaml.Node, key string) {
			r.mapping(v, key, map[string]func(*yaml.Node, string){"": func(v *yaml.Node, full string) {
				c.settings[strings.TrimPrefix(full, key+".")] = r.setting(v, full)
				c.places[strings.TrimPrefix(full, key+".")] = v
			}})
		},
		"secrets": func(v *yaml.Node, key string) {
			r.mapping(v, key, map[string]func(*yaml.Node, string){"": func(v *yaml.Node, full string) {
				c.secrets[strings.TrimPrefix(full, key+".")] = r.text(v, full, "path", "name the file that holds the secret")
				c.places[strings.TrimPrefix(full, key+".")] = v
			}})
		},
		"on_failure": func(v *yaml.Node, key string) {
			const cure = "write hold (its events wait) or skip (they go on without it)"
			switch policy := r.text(v, key, "hold or skip", cure); {
			case policy == "skip" && name == redactPII:
				r.problem(v, key, "hold or skip", "calls would be stored unredacted while "+redactPII+" can't run", "take it out: events then wait on disk")
			case policy == "skip":
				c.skip = true
			case policy != "hold" && policy != "":
				r.problem(v, key, "hold or skip", "it is neither", cure)
			}
		},
	})
	for name := range c.secrets {
		if _, both := c.settings[name]; both {
			r.problem(c.places[name], key+".secrets."+name, "path", "it is among the settings too", "keep one of the two")
		}
	}
	return c
}

// setting reads a value as JSON.
func (r *fileReader) setting(n *yaml.Node, key string) json.RawMessage {
	var v any
	err := n.Decode(&v)
	if err == nil {
		var data []byte
		if data, err = json.Marshal(v); err == nil {
			return data
		}
	}
	r.problem(n, key, "setting", "it can't be written as JSON", "use texts, numbers, true, false, lists, and mappings with texts as keys")
	return nil
}

func (r *fileReader) whole(n *yaml.Node, key string, low, high int) int {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || v < low || v > high {
		r.problem(n, key, "whole number", "it is none, or out of bounds", fmt.Sprintf("write %d to %d", low, high))
	}
	return v
}

func (r *fileReader) size(n *yaml.Node, key string) ByteSize {
	var b ByteSize
	if n.Kind != yaml.ScalarNode || b.Decode(n.Value) != nil || b < minPluginMemory {
		r.problem(n, key, "size", "it is none, or out of bounds", "write "+minPluginMemory.String()+" or more, for example 512MiB")
	}
	return b
}

func (r *fileReader) duration(n *yaml.Node, key string) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || d <= 0 {
		r.problem(n, key, "duration", "it is none, or not more than 0", "write for example 30s")
	}
	return d
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (r *fileReader) env(n *yaml.Node, key string) []string {
	list := r.list(n, key, "HTTPS_PROXY")
	for _, name := range list {
		switch {
		case !envName.MatchString(name):
			r.problem(n, key, "list", "it holds something else than a variable's name", "write names without values, for example HTTPS_PROXY")
		case strings.HasPrefix(name, configPrefix+"_"):
			r.problem(n, key, "list", "it names a variable of postcall's own, which may be a secret", "give the plugin what it needs by settings or secrets")
		}
	}
	return list
}
