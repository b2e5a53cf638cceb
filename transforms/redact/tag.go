package redact

import (
	"strconv"
	"strings"
)

// Mode is what becomes of a value.
type Mode string

// The modes. Whatever the mode, a tag that is in a text is left as it is.
const (
	ModeIndex   Mode = "index"   // [PHONE_1], the same value the same number within a call
	ModeMask    Mode = "mask"    // [PHONE]
	ModeHash    Mode = "hash"    // [PHONE:hash], a keyed hash of the canonical value
	ModePartial Mode = "partial" // [PHONE:7777], the last four characters
	ModeDrop    Mode = "drop"    // [REDACTED], without the type
	ModeKeep    Mode = "keep"    // the value stays
)

const dropTag = "REDACTED"

// tag appends the tag of a span.
func (t *tags) tag(b []byte, s *Span) []byte {
	k := t.e.kindOf(s.Type)
	switch t.e.modes[k] {
	case ModeDrop:
		return append(append(append(b, '['), dropTag...), ']')
	case ModeHash:
		b = append(append(b, '['), s.Type...)
		if h := t.e.hash(k, s.Value); h != "" {
			b = append(append(b, ':'), h...)
		}
	case ModePartial:
		b = append(append(b, '['), s.Type...)
		if n := len(s.Value); n >= 8 && isASCII(s.Value) && isCode(s.Value[n-4:]) {
			b = append(append(b, ':'), s.Value[n-4:]...)
		}
	case ModeMask:
		b = append(append(b, '['), s.Type...)
	default:
		b = append(append(b, '['), s.Type...)
		b = append(b, '_')
		b = strconv.AppendInt(b, int64(t.number(s)), 10)
	}
	return append(b, ']')
}

func isCode(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) && !isLetter(s[i]) {
			return false
		}
	}
	return true
}

// number returns the number of the value among those of its type.
func (t *tags) number(s *Span) int {
	v := s.Value
	if w, ok := t.whole[string(s.Type)+v]; ok {
		v = w
	}
	key := string(s.Type) + "\x00" + v
	n := t.index[key]
	if s.Group > 0 {
		if t.groups == nil {
			t.groups = map[int]int{}
		}
		if g := t.groups[s.Group]; g > 0 {
			n = g
		}
	}
	if n == 0 {
		t.next[s.Type]++
		n = t.next[s.Type]
	}
	t.index[key] = n
	if s.Group > 0 {
		t.groups[s.Group] = n
	}
	return n
}

// hash returns the keyed hash of a canonical value without its kind, so that it is the one that Hash gives the field.
func (e *Engine) hash(k kind, v string) string {
	if len(e.key) == 0 {
		return ""
	}
	kind := strings.ToLower(string(e.types[k]))
	switch k {
	case kPhone:
		kind = KindPhone
	case kEmail:
		kind = KindEmail
	case kPerson:
		kind = KindName
	}
	_, h, _ := strings.Cut(Hash(e.key, kind, v), kind+"_")
	return h
}

func (e *Engine) kindOf(t Type) kind {
	for k := range e.types {
		if k > 0 && e.types[k] == t {
			return kind(k)
		}
	}
	return noKind
}

// tagAt returns the length and kind of the tag that the text begins with: "[PHONE]", "[PHONE_2]", "[PHONE:7777]".
func (e *Engine) tagAt(s string) (int, kind) {
	j := 1
	for j < len(s) && j < 40 && (s[j]-'A' < 26 || s[j] == '_') {
		j++
	}
	name := s[1:j]
	switch {
	case j == len(s) || name == "":
		return 0, 0
	case s[j] == ':':
		v := j + 1
		for j++; j < len(s) && j-v <= hashLetters && (isDigit(s[j]) || s[j]-'a' < 26); {
			j++
		}
		if n := j - v; n != 4 && !(n == hashLetters && isHashText(s[v:j])) {
			return 0, 0
		}
	case isDigit(s[j]) && strings.HasSuffix(name, "_"):
		v := j
		name = name[:len(name)-1]
		for j < len(s) && j-v < 9 && isDigit(s[j]) {
			j++
		}
	}
	if j >= len(s) || s[j] != ']' {
		return 0, 0
	}
	if name == dropTag {
		return j + 1, kOther
	}
	if k := e.kindOf(Type(name)); k != noKind {
		return j + 1, k
	}
	if k, ok := kindOf(Type(name)); ok {
		return j + 1, k
	}
	return 0, 0
}

func isHashText(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'p' {
			return false
		}
	}
	return true
}
