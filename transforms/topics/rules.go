package topics

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed default.yaml
var defaultRules []byte

// Limits of a file of rules.
const (
	maxTopics  = 1000
	maxPhrases = 20000
	maxName    = 100 // bytes
)

type file struct {
	Other  string `yaml:"other"`
	Topics []rule `yaml:"topics"`
}

type rule struct {
	Name   string   `yaml:"name"`
	Any    []string `yaml:"any"`
	None   []string `yaml:"none"`
	Fields []string `yaml:"fields"`

	line int
}

// UnmarshalYAML reads a rule and remembers its line; unknown names are errors.
func (r *rule) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a topic is a mapping with name and any", n.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if seen[k.Value] {
			return fmt.Errorf("line %d: %s is there twice: join the two", k.Line, k.Value)
		}
		seen[k.Value] = true
		var err error
		switch k.Value {
		case "name":
			err = v.Decode(&r.Name)
		case "any":
			r.Any, err = phrases(v)
		case "none":
			r.None, err = phrases(v)
		case "fields":
			r.Fields, err = phrases(v)
		default:
			return fmt.Errorf("line %d: unknown setting %q: a topic has name, any, none and fields", k.Line, k.Value)
		}
		if err != nil {
			want := "a list of texts"
			if k.Value == "name" {
				want = "a text"
			}
			return fmt.Errorf("line %d: %s must be %s", v.Line, k.Value, want)
		}
	}
	r.line = n.Line
	return nil
}

// phrases reads a list of texts, or one text.
func phrases(n *yaml.Node) ([]string, error) {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return []string{n.Value}, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, errors.New("no list")
	}
	out := make([]string, len(n.Content))
	for i, c := range n.Content {
		if c.Kind != yaml.ScalarNode || c.Tag == "!!null" {
			return nil, errors.New("no text")
		}
		out[i] = c.Value
	}
	return out, nil
}

// Parse makes a matcher of the rules in data. The name stands in errors, which name the line and say what to do; all
// rules are checked before any error is returned.
func Parse(name string, data []byte) (*Matcher, error) {
	var f file
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	d.KnownFields(true)
	if err := d.Decode(&f); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: no rules in it: the list topics needs at least one", name)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: one YAML document only: remove what follows the ---", name)
	}
	if len(f.Topics) == 0 {
		return nil, fmt.Errorf("%s: no rules in it: the list topics needs at least one", name)
	}
	m := &Matcher{other: strings.TrimSpace(f.Other)}
	if m.other == "" {
		m.other = Other
	}
	if err := m.compile(f.Topics); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// Default returns the matcher of the built-in taxonomy, which is made for the phone agents of small businesses.
func Default() *Matcher {
	m, err := Parse("default.yaml", defaultRules)
	if err != nil {
		panic(err) // it is part of the program, and a test reads it
	}
	return m
}

// compile checks the rules and adds them to the matcher.
func (m *Matcher) compile(rules []rule) error {
	var errs []error
	fault := func(r *rule, format string, a ...any) {
		errs = append(errs, fmt.Errorf("line %d, topic %q: %s", r.line, r.Name, fmt.Sprintf(format, a...)))
	}
	if len(rules) > maxTopics {
		return fmt.Errorf("%d topics: at most %d", len(rules), maxTopics)
	}
	m.nodes = make([]node, 1)
	lines, total := map[string]int{}, 0
	for i := range rules {
		r := &rules[i]
		r.Name = strings.TrimSpace(r.Name)
		switch line, twice := lines[strings.ToLower(r.Name)]; {
		case r.Name == "":
			fault(r, "it needs a name")
		case len(r.Name) > maxName:
			fault(r, "its name is longer than %d bytes", maxName)
		case strings.EqualFold(r.Name, m.other):
			fault(r, "that is the topic of calls without one: choose another name, or another one for other:")
		case twice:
			fault(r, "the name is taken by line %d: put all phrases under one of them", line)
		}
		lines[strings.ToLower(r.Name)] = r.line
		if len(r.Any) == 0 {
			fault(r, "it can never match: list its words under any:")
		}
		t := topic{name: r.Name}
		var err error
		if t.fields, err = fieldSet(r.Fields); err != nil {
			fault(r, "%v", err)
		}
		m.topics = append(m.topics, t)
		m.fields |= t.fields
		for k, p := range slices.Concat(r.Any, r.None) {
			if total++; total > maxPhrases {
				return fmt.Errorf("more than %d phrases", maxPhrases)
			}
			if err := m.add(p, hit{topic: int32(i), none: k >= len(r.Any)}); err != nil {
				fault(r, "phrase %q: %v", p, err)
			}
		}
	}
	return errors.Join(errs...)
}
