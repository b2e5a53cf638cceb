package source

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// Adhoc is a set of one source with a mapping that no file names yet: a shipped name, a file that ends in .jq, or a
// program.
func Adhoc(name, mapping string) (*Set, error) {
	p := &parser{set: &Set{}, dir: "."}
	m, err := p.mapping(name, mapping)
	if err != nil {
		return nil, err
	}
	p.set.sources = []*Source{{Name: name, Tenant: DefaultTenant, Route: HooksPrefix + name, mapping: m}}
	return p.set, nil
}

// Field is a place in a body, with * for every element of a list, and the kind of value that is there.
type Field struct {
	Path []string
	Kind string
}

// String writes the place as jq does.
func (f Field) String() string {
	var b strings.Builder
	for _, name := range f.Path {
		switch {
		case name == "*":
			b.WriteString("[]")
		case plainName(name):
			b.WriteString("." + name)
		default:
			if b.Len() == 0 {
				b.WriteByte('.')
			}
			b.WriteString("[" + strconv.Quote(name) + "]")
		}
	}
	if b.Len() == 0 || b.String()[0] == '[' {
		return "." + b.String()
	}
	return b.String()
}

func plainName(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// maxUnused bounds the places that Unused tries.
const maxUnused = 2000

// Unused finds the places of a body that the source's mapping does not use: those where another value makes the same
// event. It runs the mapping once a place, so it is for a sample. Without a mapping it finds nothing.
func (s *Source) Unused(body []byte, limit int) ([]Field, error) {
	if s.mapping == nil {
		return nil, nil
	}
	v, err := decode(body)
	if err != nil {
		return nil, err
	}
	want, err := s.mapping.mapValue(v, limit)
	if err != nil {
		return nil, err
	}
	var unused []Field
	for _, f := range fieldsOf(v) {
		if got, err := s.mapping.mapValue(changed(v, f.Path), limit); err == nil && string(got) == string(want) {
			unused = append(unused, f)
		}
		if len(unused) == maxUnused {
			break
		}
	}
	return unused, nil
}

// fieldsOf lists the places of single values, in order of their names.
func fieldsOf(v any) (fields []Field) {
	seen := map[string]bool{}
	var walk func(v any, path []string)
	walk = func(v any, path []string) {
		switch v := v.(type) {
		case map[string]any:
			names := make([]string, 0, len(v))
			for k := range v {
				names = append(names, k)
			}
			slices.Sort(names)
			for _, k := range names {
				walk(v[k], append(slices.Clone(path), k))
			}
			return
		case []any:
			for _, e := range v {
				walk(e, append(slices.Clone(path), "*"))
			}
			return
		}
		f := Field{path, gojq.TypeOf(v)}
		if at := f.String(); !seen[at] && len(fields) < maxUnused {
			seen[at] = true
			fields = append(fields, f)
		}
	}
	walk(v, nil)
	return fields
}

// changed is the value with something else at every place that a path names.
func changed(v any, path []string) any {
	if len(path) == 0 {
		return another(v)
	}
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			c[k] = e
			if k == path[0] {
				c[k] = changed(e, path[1:])
			}
		}
		return c
	case []any:
		if path[0] != "*" {
			return v
		}
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = changed(e, path[1:])
		}
		return c
	}
	return v
}

// another is a value of the same kind, where there is another one.
func another(v any) any {
	switch v := v.(type) {
	case nil:
		return "something"
	case bool:
		return !v
	case string:
		return v + "~"
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return json.Number(strconv.FormatInt(i+1, 10))
		}
		f, _ := v.Float64()
		return json.Number(strconv.FormatFloat(f+1, 'g', -1, 64))
	}
	return v
}
