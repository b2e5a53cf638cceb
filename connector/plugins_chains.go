package connector

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (r *fileReader) chains(n *yaml.Node, key string, f *pluginsFile) {
	r.mapping(n, key, map[string]func(*yaml.Node, string){"": func(v *yaml.Node, full string) {
		names := r.list(v, full, redactPII)
		for _, name := range names {
			if !pluginName.MatchString(name) || name == "none" && len(names) > 1 {
				r.problem(v, full, "list", "it holds something else than a plugin's name", "use small letters, digits and -; none stands alone")
			}
		}
		f.chains[strings.TrimPrefix(full, key+".")] = names
	}})
}

// redaction checks that a chain without redact-pii is meant: privacy fails closed.
func (r *fileReader) redaction(root *yaml.Node, f *pluginsFile) {
	for source, names := range f.chains {
		if len(names) > 0 && !slices.Contains(names, redactPII) && !slices.Contains(f.unredacted, source) {
			r.problem(place(root, "chains", source), "chains."+source, "list", "it is without "+redactPII+", so its calls would be stored unredacted",
				"add "+redactPII+" to it, or list the source under unredacted")
		}
	}
	for _, source := range f.unredacted {
		if names, ok := f.chains[source]; !ok || slices.Contains(names, redactPII) {
			r.problem(place(root, "unredacted"), "unredacted", "list", "it names a source that has no chain without "+redactPII, "take it out, or write that chain")
		}
	}
}

// place finds the node of a key, for its line.
func place(n *yaml.Node, keys ...string) *yaml.Node {
	if len(keys) == 0 {
		return n
	}
	n = resolve(n)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == keys[0] {
			if len(keys) == 1 {
				return n.Content[i]
			}
			return place(n.Content[i+1], keys[1:]...)
		}
	}
	return n
}

// names lists every plugin that some chain has, those of every source first.
func (f *pluginsFile) names(standard []string) []string {
	all := slices.Clone(standard)
	for _, source := range f.sources() {
		for _, name := range f.chain(source) {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

func (f *pluginsFile) sources() []string { return slices.Sorted(maps.Keys(f.chains)) }

// chain lists the plugins of a source that has a chain of its own.
func (f *pluginsFile) chain(source string) []string {
	if slices.Equal(f.chains[source], []string{"none"}) {
		return nil
	}
	return f.chains[source]
}
