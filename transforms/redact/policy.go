package redact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Policy says what becomes of each type, what stays, and what is found besides. The zero value is the preset balanced.
type Policy struct {
	// Preset is where the policy starts from; empty means balanced. What is said here goes before it.
	Preset string `yaml:"preset"`
	// Default is the mode of the types that Types doesn't name.
	Default Mode `yaml:"default"`
	// Types has the modes of types.
	Types map[Type]Mode `yaml:"types"`
	// Fields has the modes of structured fields: callerName, customerPhoneNumber and mentionedEmail. They are used by
	// who has such fields, not by the engine: hash, mask, drop or keep.
	Fields map[string]Mode `yaml:"fields"`
	// Allow lists what is no secret and stays: the company's name, its hotline.
	Allow []string `yaml:"allow"`
	// Recognizers find types of your own.
	Recognizers []Recognizer `yaml:"recognizers"`
	// Region and Languages are those of Options, which go before them.
	Region    string   `yaml:"region"`
	Languages []string `yaml:"languages"`
}

// Recognizer finds values of a type of its own, by the words before them, by their form, or by both.
type Recognizer struct {
	// Type is its name, in capitals with underscores, for example BADGE.
	Type Type `yaml:"type"`
	// Cues are phrases that a value follows, or that ask for it, in small letters.
	Cues []string `yaml:"cues"`
	// Pattern is the form of a value, written or said: 9 is a digit, A a letter, * either; spaces and hyphens don't count.
	Pattern string `yaml:"pattern"`
}

// The fields that a policy knows.
const (
	FieldName  = "callerName"
	FieldPhone = "customerPhoneNumber"
	FieldEmail = "mentionedEmail"
)

// presets are the policies that come with the engine.
var presets = map[string]Policy{
	// balanced tells the values of a call apart, and joins the calls of a caller by keyed hashes.
	"balanced": {Default: ModeIndex, Fields: map[string]Mode{FieldName: ModeHash, FieldPhone: ModeHash, FieldEmail: ModeHash}},
	// strict leaves the type and nothing else.
	"strict": {Default: ModeMask, Fields: map[string]Mode{FieldName: ModeDrop, FieldPhone: ModeDrop, FieldEmail: ModeDrop}},
	// pci is balanced, leaves the last four digits of a card, and no trace of what must never be stored.
	"pci": {
		Default: ModeIndex, Types: map[Type]Mode{Card: ModePartial, CVV: ModeDrop, PIN: ModeDrop, OTP: ModeDrop, Password: ModeDrop},
		Fields: map[string]Mode{FieldName: ModeHash, FieldPhone: ModeHash, FieldEmail: ModeHash},
	},
	// hipaa leaves nothing that is derived from an identifier.
	"hipaa": {Default: ModeMask, Fields: map[string]Mode{FieldName: ModeDrop, FieldPhone: ModeDrop, FieldEmail: ModeDrop}},
}

// Presets returns the names of the presets.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// ParsePolicy reads a policy from YAML and checks it. Unknown names are errors.
func ParsePolicy(data []byte) (Policy, error) {
	var p Policy
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil && !errors.Is(err, io.EOF) {
		return Policy{}, fmt.Errorf("redaction policy: %w", err)
	}
	if err := p.check(); err != nil {
		return Policy{}, fmt.Errorf("redaction policy: %w", err)
	}
	return p, nil
}

// Field returns what becomes of a structured field.
func (p *Policy) Field(name string) Mode {
	if m, ok := p.Fields[name]; ok {
		return m
	}
	if m, ok := p.preset().Fields[name]; ok {
		return m
	}
	return ModeHash
}

func (p *Policy) preset() Policy {
	if p.Preset == "" {
		return presets["balanced"]
	}
	return presets[p.Preset]
}

// mode returns what becomes of a type.
func (p *Policy) mode(t Type) Mode {
	base := p.preset()
	for _, m := range []Mode{p.Types[t], p.Default, base.Types[t], base.Default} {
		if m != "" {
			return m
		}
	}
	return ModeIndex
}

func (p *Policy) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, ok := presets[p.Preset]; p.Preset != "" && !ok {
		bad("preset %q is unknown: use one of %s", p.Preset, strings.Join(Presets(), ", "))
	}
	modes := []Mode{ModeIndex, ModeMask, ModeHash, ModePartial, ModeDrop, ModeKeep}
	known := func(m Mode) bool { return slices.Contains(modes, m) }
	if p.Default != "" && !known(p.Default) {
		bad("default %q is no mode: use one of %s", p.Default, modes)
	}
	own := map[Type]bool{}
	for i, r := range p.Recognizers {
		if err := r.check(own); err != nil {
			bad("recognizers[%d]: %w", i, err)
		}
		own[r.Type] = true
	}
	for _, t := range slices.Sorted(maps.Keys(p.Types)) {
		if _, ok := kindOf(t); !ok && !own[t] {
			bad("types: %q is no type: use one of %s, or add a recognizer for it", t, Types())
		}
		if !known(p.Types[t]) {
			bad("types: %s: %q is no mode: use one of %s", t, p.Types[t], modes)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(p.Fields)) {
		if f != FieldName && f != FieldPhone && f != FieldEmail {
			bad("fields: %q is no field: use %s, %s or %s", f, FieldName, FieldPhone, FieldEmail)
		}
		if m := p.Fields[f]; m != ModeHash && m != ModeMask && m != ModeDrop && m != ModeKeep {
			bad("fields: %s: %q is no mode of a field: use hash, mask, drop or keep", f, m)
		}
	}
	if len(p.Recognizers) > maxKinds-int(numKinds) {
		bad("recognizers: %d of them: at most %d are possible", len(p.Recognizers), maxKinds-int(numKinds))
	}
	return errors.Join(errs...)
}

func (r *Recognizer) check(own map[Type]bool) error {
	if !isTypeName(string(r.Type)) {
		return fmt.Errorf("type %q: use capitals and underscores, 2 to 30 of them, for example BADGE", r.Type)
	}
	if _, ok := kindOf(r.Type); ok || own[r.Type] || r.Type == dropTag {
		return fmt.Errorf("type %s is there already: use another name", r.Type)
	}
	if len(r.Cues) == 0 && r.Pattern == "" {
		return fmt.Errorf("type %s has neither cues nor a pattern: give it one of them", r.Type)
	}
	n := 0
	for _, c := range r.Pattern {
		switch c {
		case '9', 'A', '*':
			n++
		case ' ', '-', '.', '/':
		default:
			return fmt.Errorf("type %s: pattern %q holds %q: use 9 for a digit, A for a letter, * for either", r.Type, r.Pattern, c)
		}
	}
	if r.Pattern != "" && (n < 2 || n > 40) || len(r.Cues) == 0 && n < 5 {
		return fmt.Errorf("type %s: pattern %q has %d characters: 2 to 40 are possible, and at least 5 without cues", r.Type, r.Pattern, n)
	}
	return nil
}

func isTypeName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c-'A' >= 26 && (c != '_' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return len(s) >= 2 && len(s) <= 30
}

// apply takes the policy into the engine.
func (e *Engine) apply(p *Policy) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("redaction policy: %w", err)
	}
	e.types, e.sizes = slices.Clone(typeNames[:]), slices.Clone(sizes[:])
	for _, r := range p.Recognizers {
		k := kind(len(e.types))
		e.types = append(e.types, r.Type)
		sz := size{min: 3, max: 24}
		if n := len(stripPattern(r.Pattern)); n > 0 {
			sz = size{min: n, max: n, whole: n, other: n}
		}
		e.sizes = append(e.sizes, sz)
		e.custom = append(e.custom, custom{kind: k, pattern: stripPattern(r.Pattern), cued: len(r.Cues) > 0})
		e.letters |= k.bit()
		e.codes |= k.bit()
	}
	e.modes = make([]Mode, len(e.types))
	for k := 1; k < len(e.types); k++ {
		e.modes[k] = p.mode(e.types[k])
		if e.modes[k] == ModeKeep {
			e.keep |= kind(k).bit()
		}
		if e.modes[k] == ModeHash && len(e.key) == 0 {
			return fmt.Errorf("redaction policy: type %s is to be hashed, and there is no key", e.types[k])
		}
	}
	for _, a := range p.Allow {
		if a = alnum(a); len(a) >= 3 {
			e.allow = append(e.allow, a)
		}
	}
	return nil
}

// custom is a recognizer of a policy.
type custom struct {
	kind    kind
	pattern string
	cued    bool
}

func stripPattern(p string) string {
	return strings.Map(func(r rune) rune {
		if r == '9' || r == 'A' || r == '*' {
			return r
		}
		return -1
	}, p)
}

func (c *custom) matches(v []byte) bool {
	if len(v) != len(c.pattern) {
		return false
	}
	for i := range v {
		switch {
		case c.pattern[i] == '9' && !isDigit(v[i]), c.pattern[i] == 'A' && !isLetter(v[i]) && v[i] != '0':
			return false
		}
	}
	return true
}

// patterned returns the type of the recognizer whose pattern alone tells a value.
func (e *Engine) patterned(v []byte) kind {
	for i := range e.custom {
		if c := &e.custom[i]; !c.cued && c.matches(v) {
			return c.kind
		}
	}
	return noKind
}

// fits tells whether a value has the form that the type's recognizer asks for.
func (e *Engine) fits(k kind, v []byte) bool {
	if k < numKinds {
		return true
	}
	c := &e.custom[k-numKinds]
	return c.pattern == "" || c.matches(v)
}

// allows tells whether a text is what the policy lets stay.
func (e *Engine) allows(text string) bool {
	if len(e.allow) == 0 {
		return false
	}
	v := alnum(text)
	for _, a := range e.allow {
		if len(v) >= 3 && strings.Contains(a, v) {
			return true
		}
	}
	return false
}

// allowsCode tells whether a number or code is what the policy lets stay, or the end of it.
func (e *Engine) allowsCode(v []byte) bool {
	for _, a := range e.allow {
		if len(v) >= 4 && strings.HasSuffix(a, string(v)) {
			return true
		}
	}
	return false
}

// alnum leaves the letters and digits of a text, folded.
func alnum(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && !isDigit(byte(r)) && !isLetter(byte(r)) {
			return -1
		}
		return r
	}, fold(s))
}

// cuesOf adds the phrases of the policy's recognizers to the lexicon.
func (e *Engine) cuesOf(p *Policy) {
	for i, r := range p.Recognizers {
		for _, c := range r.Cues {
			e.lex.phrase(e.lex.cues, strings.ToLower(c), fCue, e.custom[i].kind.bit())
		}
	}
}
