package redact

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// namePart is a word of a name the call knows, or of one that stays.
type namePart struct {
	hash  uint64
	flags uint32
}

// value is what is known to be personal, in canonical form.
type value struct {
	canon string
	kind  kind
}

// known is what the structured fields of a call tell, and what was found in it.
type known struct {
	parts   []namePart
	bloom   [64]bool
	script  string // a name in a script without spaces, looked for as it is
	keep    []string
	codes   []value
	emails  []value
	phrases map[uint64][]knownPhrase
	begins  [256]bool // bytes that phrases' hashes end in
	starts  [256]bool // bytes that addresses and spelled names begin with
	seen    map[string]bool
	fresh   bool // something was added since the last sweep
}

// knownPhrase is a value of words, by the hashes of its tokens.
type knownPhrase struct {
	words []uint64
	kind  kind
}

// maxKnown is how many values of a kind are looked for everywhere: a call has a handful.
const maxKnown = 48

func (k *known) clear() {
	*k = known{parts: k.parts[:0], keep: k.keep[:0], codes: k.codes[:0], emails: k.emails[:0]}
}

// load reads the structured fields of a call. Hashes and words such as "unknown" are no values.
func (k *known) load(c *Call, e *Engine) {
	k.clear()
	if !IsHash(KindEmail, c.Email) {
		k.email(strings.ToLower(strings.TrimSpace(c.Email)))
	}
	if !IsHash(KindPhone, c.Phone) {
		k.phone(c.Phone, e.region)
	}
	if name := c.CallerName; name != "" && !IsHash(KindName, name) && len(name) <= 200 {
		if len(digitsOf(name)) >= 7 { // networks send the number where they know no name
			k.phone(name, e.region)
		} else {
			k.name(name, e)
		}
	}
	for _, v := range c.Keep {
		if d := normalPhone(v); len(d) >= 7 && d == digitsOf(d) {
			if !k.has(d) {
				k.keep = append(k.keep, d)
			}
			continue
		}
		k.words(v, func(f string) { k.part(hashWord(f), fKeep) })
	}
	k.fresh = len(k.codes)+len(k.emails) > 0
}

// has tells whether the digits of an E.164 number are those of the caller.
func (k *known) has(d string) bool {
	for _, v := range k.codes {
		if strings.HasSuffix(d, v.canon) && v.kind == kPhone && len(v.canon) >= 7 {
			return true
		}
	}
	return false
}

// keeps tells whether the digits are a number that stays.
func (k *known) keeps(d []byte) bool {
	for _, n := range k.keep {
		if len(d) >= 7 && len(d) <= len(n) && strings.HasSuffix(n, string(d)) {
			return true
		}
		if national := strings.TrimPrefix(n, "1"); len(d) == 2*len(national) && string(d) == national+national {
			return true
		}
	}
	return false
}

func (k *known) flags(h uint64) uint32 {
	for i := range k.parts {
		if k.parts[i].hash == h {
			return k.parts[i].flags
		}
	}
	return 0
}

func (k *known) part(h uint64, flag uint32) {
	for i := range k.parts {
		if k.parts[i].hash == h {
			if flag != fKeep {
				k.parts[i].flags = flag
			}
			return
		}
	}
	if len(k.parts) < 4*maxKnown {
		k.parts = append(k.parts, namePart{h, flag})
		k.bloom[h&63] = true
	}
}

func (k *known) email(v string) {
	at := strings.IndexByte(v, '@')
	if at < 1 || at > len(v)-4 || len(v) > 254 || strings.ContainsAny(v, " \t\n") {
		return
	}
	k.addEmail(v)
}

func (k *known) addEmail(v string) {
	if len(k.emails) < 2*maxKnown && k.first(v, kEmail) {
		k.emails = append(k.emails, value{v, kEmail})
		k.starts[v[0]] = true
		if local, _, ok := strings.Cut(v, "@"); ok && len(local) >= 5 && k.first(local, kEmail) && strings.ContainsAny(local, "._-0123456789") {
			k.emails = append(k.emails, value{local, kEmail})
		}
	}
}

// first notes a value and tells whether it is new.
func (k *known) first(v string, kd kind) bool {
	if k.seen == nil {
		k.seen = map[string]bool{}
	}
	key := string(rune(kd)) + v
	if k.seen[key] {
		return false
	}
	k.seen[key] = true
	k.fresh = true
	return true
}

func (k *known) phone(v, region string) {
	d := digitsOf(v)
	if len(d) < 7 || len(v) > 40 {
		return
	}
	national := d
	if len(d) == 11 && d[0] == '1' && v[0] == '+' {
		national = d[1:]
	} else if n, err := phonenumbers.Parse(v, region); err == nil {
		national = phonenumbers.GetNationalSignificantNumber(n)
	}
	if len(national) < 7 {
		return
	}
	k.code(national, kPhone)
	if len(national) == 10 {
		k.code(national[3:], kPhone)
	}
}

func (k *known) code(v string, kd kind) {
	if len(k.codes) < maxKnown && k.first(v, kd) {
		k.codes = append(k.codes, value{v, kd})
	}
}

func (k *known) words(v string, f func(string)) {
	for _, w := range strings.FieldsFunc(v, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' && r != '’'
	}) {
		if w = foldWord(w); w != "" && len(w) <= 60 {
			f(w)
		}
	}
}

func (k *known) name(v string, e *Engine) {
	if isNobody(v) {
		return
	}
	k.words(v, func(f string) {
		h := hashWord(f)
		en := e.lex.get(h)
		switch {
		case len(f) == 1 || en.flags&fTitle != 0 || isParticle(f):
		case len(f) == 2 || en.flags&(fStop|fPlace|fState|fStreet|fUnit|fBefore|fCue|fOrg) != 0 || en.word() == 1 || en.word() == 2 || en.class != nNone:
			k.part(h, fWeakKnown)
		default:
			k.part(h, fKnown)
			if len(f) >= 4 && len(k.emails) < 2*maxKnown && isASCII(f) {
				k.emails = append(k.emails, value{f, kPerson})
				k.starts[f[0]] = true
			}
		}
	})
	for _, r := range v {
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Hangul) {
			k.script = strings.TrimSpace(v)
		}
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func isParticle(f string) bool {
	switch f {
	case "de", "del", "della", "di", "da", "dos", "das", "du", "la", "le", "las", "los", "el", "al", "van", "von", "der", "den", "ter", "ten",
		"bin", "ibn", "bint", "abu", "st", "san", "santa", "y", "e", "af", "av", "zu", "zum", "jr", "sr", "ii", "iii", "iv", "phd", "md", "esq", "and", "the", "of":
		return true
	}
	return false
}

// isNobody tells what networks and agents write where there is no name.
func isNobody(v string) bool {
	n := 0
	for _, w := range strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return !unicode.IsLetter(r) }) {
		switch w {
		case "unknown", "not", "available", "unavailable", "anonymous", "private", "restricted", "withheld", "blocked", "none", "null", "nil",
			"na", "n", "a", "caller", "customer", "user", "guest", "client", "patient", "wireless", "cell", "mobile", "phone", "number", "toll",
			"free", "name", "id", "test", "spam", "likely", "scam", "undefined", "unspecified", "missing", "provided", "human", "person", "no", "the":
			n++
		default:
			return false
		}
	}
	return n > 0
}
