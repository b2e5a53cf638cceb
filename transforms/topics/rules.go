package topics

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed default.yaml
var defaultRules []byte

// Limits of a file of rules.
const (
	maxTopics   = 1000
	maxPhrases  = 20000
	maxPatterns = 200
	maxPattern  = 300 // bytes
	maxName     = 100 // bytes, of topics and aliases
	maxPriority = 1000
)

// builtIn is what a file extends that adds to the built-in taxonomy.
const builtIn = "built-in"

type file struct {
	Extends       string    `yaml:"extends"`
	Other         string    `yaml:"other"`
	MinConfidence float64   `yaml:"min_confidence"`
	Topics        []rule    `yaml:"topics"`
	Vocabularies  yaml.Node `yaml:"vocabularies"`
}

type rule struct {
	Name     string
	Aliases  []string
	Any      []string
	Patterns []string
	None     []string
	Fields   []string
	Priority *int
	Topics   []rule

	line int
	base bool     // of the built-in taxonomy, which the file extends
	weak []string // aliases that give way to others, as names do
}

// UnmarshalYAML reads a rule and remembers its line; unknown names are errors.
func (r *rule) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a topic is a mapping with name and any", n.Line)
	}
	r.line = n.Line
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if seen[k.Value] {
			return fmt.Errorf("line %d: %s is there twice: join the two", k.Line, k.Value)
		}
		seen[k.Value] = true
		if err := r.set(k, v); err != nil {
			return err
		}
	}
	return nil
}

func (r *rule) set(k, v *yaml.Node) (err error) {
	want := "a list of texts"
	switch k.Value {
	case "name":
		want, err = "a text", v.Decode(&r.Name)
	case "aliases":
		r.Aliases, err = phrases(v)
	case "any":
		r.Any, err = phrases(v)
	case "patterns":
		r.Patterns, err = phrases(v)
	case "none":
		r.None, err = phrases(v)
	case "fields":
		r.Fields, err = phrases(v)
	case "priority":
		var p int
		want, err = "a whole number", v.Decode(&p)
		r.Priority = &p
	case "topics":
		if v.Kind != yaml.SequenceNode {
			return fmt.Errorf("line %d: topics must be a list of topics", v.Line)
		}
		return v.Decode(&r.Topics)
	default:
		return fmt.Errorf("line %d: unknown setting %q: a topic has name, aliases, any, patterns, none, fields, priority and topics", k.Line, k.Value)
	}
	if err != nil {
		return fmt.Errorf("line %d: %s must be %s", v.Line, k.Value, want)
	}
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
	m, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h := sha256.New()
	for _, text := range [][]byte{data, defaultRules, defaultVocabulary} {
		_, _ = fmt.Fprintf(h, "%d\n%s", len(text), text) // a hash takes everything
	}
	m.sum = hex.EncodeToString(h.Sum(nil)[:16])
	return m, nil
}

func parse(data []byte) (*Matcher, error) {
	f, err := read(data)
	if err != nil {
		return nil, err
	}
	rules := f.Topics
	switch {
	case f.Extends != "" && f.Extends != builtIn:
		return nil, fmt.Errorf("extends: %q is not there to extend: write %s, or leave it out", f.Extends, builtIn)
	case f.Extends == builtIn, len(rules) == 0 && f.Vocabularies.Kind != 0:
		base, err := read(defaultRules)
		if err != nil {
			return nil, err
		}
		rules = join(rules, base.Topics)
	case len(rules) == 0:
		return nil, errors.New("no rules in it: the list topics needs at least one")
	}
	m := &Matcher{other: strings.TrimSpace(f.Other), least: f.MinConfidence, words: newVocabularies()}
	if m.other == "" {
		m.other = Other
	}
	errs := []error{m.compile(rules)}
	if m.least < 0 || m.least > 1 {
		errs = append(errs, errors.New("min_confidence: a number from 0 (the default) to 1"))
	}
	var words yaml.Node
	if err := yaml.Unmarshal(defaultVocabulary, &words); err != nil {
		return nil, err
	}
	if err := m.words.read(words.Content[0]); err != nil {
		return nil, err
	}
	if f.Vocabularies.Kind != 0 {
		errs = append(errs, m.words.read(&f.Vocabularies))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

// read decodes a file.
func read(data []byte) (f file, err error) {
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	d.KnownFields(true)
	if err := d.Decode(&f); errors.Is(err, io.EOF) {
		return f, errors.New("no rules in it: the list topics needs at least one")
	} else if err != nil {
		return f, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return f, errors.New("one YAML document only: remove what follows the ---")
	}
	return f, nil
}

// join puts the rules of a file before those that it extends. What has the same name becomes one rule, at its place in
// the file: its lists are those of both.
func join(own, base []rule) []rule {
	out := slices.Clone(own)
	for _, b := range base {
		i := slices.IndexFunc(own, func(r rule) bool { return strings.EqualFold(strings.TrimSpace(r.Name), b.Name) })
		if i < 0 {
			b.base, b.weak, b.Aliases = true, b.Aliases, nil
			b.Topics = join(nil, b.Topics)
			out = append(out, b)
			continue
		}
		r := &out[i]
		r.weak, r.Any = b.Aliases, slices.Concat(r.Any, b.Any)
		r.Patterns, r.None = slices.Concat(r.Patterns, b.Patterns), slices.Concat(r.None, b.None)
		if r.Fields == nil {
			r.Fields = b.Fields
		}
		if r.Priority == nil {
			r.Priority = b.Priority
		}
		r.Topics = join(r.Topics, b.Topics)
	}
	return out
}

// Default returns the matcher of the built-in taxonomy, which is made for the phone agents of small businesses.
func Default() *Matcher {
	m, err := Parse("default.yaml", defaultRules)
	if err != nil {
		panic(err) // it is part of the program, and a test reads it
	}
	return m
}

// DefaultRules returns the text of the built-in taxonomy, to begin an own one with.
func DefaultRules() string { return string(defaultRules) }

// quoted is how a rule's text stands in the name of the rule.
func quoted(kind, text string) string { return kind + " " + strconv.Quote(text) }

// Checksum is that of the file and of what is built in: two matchers with the same one do the same.
func (m *Matcher) Checksum() string { return m.sum }

// Size counts what a file of rules and what it extends come to.
type Size struct {
	Topics    int `json:"topics"`
	Parts     int `json:"parts"` // among Topics
	Phrases   int `json:"phrases"`
	Aliases   int `json:"aliases"` // names of topics among them
	Patterns  int `json:"patterns"`
	Spellings int `json:"spellings"`
}

// Size returns what the rules come to.
func (m *Matcher) Size() Size {
	s := Size{Topics: len(m.topics), Aliases: len(m.aliases), Patterns: len(m.patterns)}
	for i := range m.topics {
		if m.topics[i].parent >= 0 {
			s.Parts++
		}
	}
	for i := range m.nodes {
		s.Phrases += len(m.nodes[i].hits)
	}
	for _, v := range []*Vocabulary{m.words.Sentiment, m.words.FollowUp, m.words.AISuccess, m.words.EndedReason} {
		s.Spellings += len(v.exact)
	}
	return s
}
