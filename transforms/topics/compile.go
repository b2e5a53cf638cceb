package topics

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// compiler checks rules and adds them to a matcher.
type compiler struct {
	m       *Matcher
	lines   map[string]int    // of topics, by their name in small letters
	owner   map[string]string // of aliases, by their key
	names   map[string][]int32
	phrases int
	errs    []error
}

// compile checks the rules and adds them to the matcher.
func (m *Matcher) compile(rules []rule) error {
	m.nodes, m.aliases = make([]node, 1), map[string][]alias{}
	c := &compiler{m: m, lines: map[string]int{}, owner: map[string]string{}, names: map[string][]int32{}}
	for i := range rules {
		r := &rules[i]
		parent := int32(len(m.topics))
		c.topic(r, nil, -1)
		for k := range r.Topics {
			c.topic(&r.Topics[k], r, parent)
		}
		if len(m.topics) > maxTopics {
			return fmt.Errorf("%d topics or more: at most %d", len(m.topics), maxTopics)
		}
		if c.phrases > maxPhrases {
			return fmt.Errorf("more than %d phrases", maxPhrases)
		}
	}
	c.addNames()
	if n := len(m.patterns); n > maxPatterns {
		c.errs = append(c.errs, fmt.Errorf("%d patterns, at most %d: use phrases (any) where there are many", n, maxPatterns))
	}
	return errors.Join(c.errs...)
}

func (c *compiler) fault(r *rule, format string, a ...any) {
	c.errs = append(c.errs, fmt.Errorf("line %d, topic %q: %s", r.line, r.Name, fmt.Sprintf(format, a...)))
}

// topic adds a topic, or one that is a part of another. A part has the fields and the priority of the whole, unless it
// has its own, and what takes the whole away takes the part away.
func (c *compiler) topic(r, whole *rule, parent int32) {
	r.Name = strings.TrimSpace(r.Name)
	t := topic{name: r.Name, parent: parent}
	none := r.None
	if whole != nil {
		t.name = whole.Name + "/" + r.Name
		none = slices.Concat(none, whole.None)
		if r.Fields == nil {
			r.Fields = whole.Fields
		}
		if r.Priority == nil {
			r.Priority = whole.Priority
		}
	}
	if _, taken := c.lines[strings.ToLower(t.name)]; taken && r.base {
		return // the file has one of that name
	}
	c.check(r, whole, t.name)
	if r.Priority != nil {
		if t.priority = *r.Priority; t.priority < -maxPriority || t.priority > maxPriority {
			c.fault(r, "its priority is not between -%d and %d", maxPriority, maxPriority)
		}
	}
	var err error
	if t.fields, err = fieldSet(r.Fields); err != nil {
		c.fault(r, "%v", err)
	} else if t.fields == 0 {
		t.fields = fieldsByDefault
	}
	index := int32(len(c.m.topics))
	c.m.topics = append(c.m.topics, t)
	c.m.fields |= t.fields
	for _, p := range r.Any {
		c.phrase(r, p, hit{topic: index, phrase: c.rule(quoted("any", p))})
	}
	for _, p := range none {
		c.phrase(r, p, hit{topic: index, none: true})
	}
	for _, p := range r.Patterns {
		c.pattern(r, p, index, t.fields)
	}
	for _, a := range r.Aliases {
		c.alias(r, a, t.name, index)
	}
	for _, n := range append([]string{r.Name, t.name}, r.weak...) {
		if of := c.names[n]; !slices.Contains(of, index) {
			c.names[n] = append(of, index)
		}
	}
}

// addNames makes the names of topics, and the aliases of the built-in ones, aliases where nothing else has them.
func (c *compiler) addNames() {
	for _, name := range slices.Sorted(maps.Keys(c.names)) {
		indexes := c.names[name]
		key := string(appendKey(nil, name))
		if len(indexes) > 1 || key == "" || c.owner[key] != "" || len(c.m.aliases[key]) > 0 {
			continue
		}
		c.m.aliases[key] = append(c.m.aliases[key], alias{indexes[0], c.rule(quoted("alias", name))})
	}
}

// check looks at a topic's name and at whether anything can make it.
func (c *compiler) check(r, whole *rule, name string) {
	key := strings.ToLower(name)
	line, twice := c.lines[key]
	switch {
	case r.Name == "":
		c.fault(r, "it needs a name")
	case len(name) > maxName:
		c.fault(r, "its name is longer than %d bytes", maxName)
	case strings.EqualFold(name, c.m.other):
		c.fault(r, "that is the topic of calls without one: choose another name, or another one for other:")
	case strings.Count(name, "/") > 1 || whole != nil && len(r.Topics) > 0:
		c.fault(r, "there are two levels, a topic and its parts: write the third one into the name of the second, without a slash")
	case twice:
		c.fault(r, "the name is taken by line %d: put all phrases under one of them", line)
	}
	c.lines[key] = r.line
	if len(r.Any)+len(r.Patterns)+len(r.Aliases)+len(r.weak)+len(r.Topics) == 0 {
		c.fault(r, "it can never match: list its words under any:")
	}
}

// rule notes what something is called in results.
func (c *compiler) rule(name string) int32 {
	c.m.rules = append(c.m.rules, name)
	return int32(len(c.m.rules) - 1)
}

func (c *compiler) phrase(r *rule, text string, h hit) {
	if c.phrases++; c.phrases > maxPhrases {
		return
	}
	if err := c.m.add(text, h); err != nil {
		c.fault(r, "phrase %q: %v", text, err)
	}
}

// alias adds what a sender may call a topic.
func (c *compiler) alias(r *rule, text, name string, index int32) {
	key := string(appendKey(nil, text))
	owner, taken := c.owner[key]
	switch {
	case key == "" || len(text) > maxName:
		c.fault(r, "alias %q: it has no word in it, or is longer than %d bytes", text, maxName)
	case strings.Contains(text, "*"):
		c.fault(r, "alias %q: an alias is the sender's whole topic: write it without a star, or list it under any", text)
	case taken && owner == name:
	case taken:
		c.fault(r, "alias %q: it is one of %q already: a sender's topic stands for one topic", text, owner)
	default:
		c.owner[key] = name
		c.m.aliases[key] = append(c.m.aliases[key], alias{index, c.rule(quoted("alias", text))})
	}
}

// pattern adds a regular expression. It is one of RE2, whose time is linear in the text, and has to say where it begins,
// so that it is tried at a few places and no part of a word matches by accident.
func (c *compiler) pattern(r *rule, text string, index int32, in field) {
	re, err := syntax.Parse(text, syntax.Perl|syntax.FoldCase)
	switch {
	case err != nil:
		c.fault(r, "pattern %q: %v: the syntax is that of RE2", text, patternError(err))
	case len(text) > maxPattern:
		c.fault(r, "pattern %q: it is longer than %d bytes", text, maxPattern)
	case !anchored(re):
		c.fault(r, `pattern %q: begin it with ^ (the text begins like this) or with \b (a word does)`, text)
	case in&fieldsShort == 0:
		c.fault(r, "pattern %q: patterns are looked for in topic, purpose and summary: add one of them to fields", text)
	default:
		c.m.patterns = append(c.m.patterns, pattern{alias{index, c.rule(quoted("pattern", text))}, regexp.MustCompile("(?i)" + text)})
	}
}

func patternError(err error) string {
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		return e.Code.String()
	}
	return err.Error()
}

// anchored reports whether every way to match begins at the beginning of the text or of a word.
func anchored(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginText, syntax.OpBeginLine, syntax.OpWordBoundary:
		return true
	case syntax.OpConcat, syntax.OpCapture:
		return anchored(re.Sub[0])
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(s *syntax.Regexp) bool { return !anchored(s) })
	}
	return false
}
