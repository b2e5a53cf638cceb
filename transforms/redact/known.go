package redact

import (
	"math"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// The parts of a name differ in how much they say alone.
const (
	partStrong  = iota // "hernandez": redacted wherever it stands
	partWeak           // "will", "may", "li": also a word; redacted beside other parts, after a cue, or by its capital
	partInitial        // "h", "de", "dr": redacted beside other parts only
)

type namePart struct {
	fold string
	kind int
}

// known is what the structured fields of a call tell.
type known struct {
	starts  [256]uint32 // by the bytes that a known value can begin with: the letters that can follow, see begins
	parts   []namePart
	script  string // a name in a script without spaces, looked for as it is
	sayings []saying
	phones  int
	digits  [2]struct{ country, national string } // the phone numbers
}

func (k *known) isPhone(e164 string) bool {
	for _, d := range k.digits[:k.phones] {
		if d.country+d.national == e164 {
			return true
		}
	}
	return false
}

// load reads the structured fields of a call. Hashes and words such as "unknown" are no values.
func (k *known) load(c *Call, e *Engine) {
	*k = known{parts: k.parts[:0], sayings: k.sayings[:0]}
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
			k.name(name)
		}
	}
}

func (k *known) email(v string) {
	at := strings.IndexByte(v, '@')
	if at < 1 || at > len(v)-4 || len(v) > 254 || strings.ContainsAny(v, " \t\n") {
		return
	}
	k.say(v, Email, false)
}

func (k *known) phone(v, region string) {
	d := digitsOf(v)
	if len(d) < 7 || k.phones == len(k.digits) {
		return
	}
	country, national := "", d
	if len(d) == 11 && d[0] == '1' && v[0] == '+' {
		country, national = "1", d[1:]
	} else if n, err := phonenumbers.Parse(v, region); err == nil {
		f := phonenumbers.Format(n, phonenumbers.E164)
		national = phonenumbers.GetNationalSignificantNumber(n)
		country = strings.TrimSuffix(f[1:], national)
	}
	if len(national) < 7 {
		return
	}
	k.digits[k.phones].country, k.digits[k.phones].national = country, national
	k.phones++
	if country == "1" {
		k.say("1"+national, Phone, false)
	}
	k.say(national, Phone, false)
	if country == "1" && len(national) == 10 {
		k.say(national[3:], Phone, false)
	}
}

func (k *known) say(canon string, t Type, spelled bool) {
	k.sayings = append(k.sayings, saying{canon, t, spelled})
	switch {
	case isDigit(canon[0]):
	case spelled || len(canon) == 1:
		k.start(canon[0], 0)
	default:
		k.start(canon[0], canon[1])
	}
}

// start notes how a value begins: with the byte c, and second where a letter follows.
func (k *known) start(c, second byte) {
	bits := uint32(1) | 1<<(second&31)
	k.starts[c] |= bits
	if c-'a' < 26 {
		k.starts[c-'a'+'A'] |= bits
	}
	if c >= 0x80 { // folding can change the first byte
		for b := 0x80; b < 256; b++ {
			k.starts[b] = math.MaxUint32
		}
	}
}

// begins tells most words from those that a known value begins with.
func (k *known) begins(p piece, i int) bool {
	next := k.starts[p.s[i]]
	return next != 0 && (i+1 >= p.hi || class[p.s[i+1]]&cLetter == 0 || next>>(p.s[i+1]&31)&1 != 0)
}

func (k *known) name(v string) {
	if isNobody(v) {
		return
	}
	accents := false
	for _, w := range strings.FieldsFunc(v, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' && r != '’'
	}) {
		f := fold(w)
		if f == "" || len(f) > 60 {
			continue
		}
		k.parts = append(k.parts, namePart{f, partKind(f)})
		k.start(f[0], (f + "\x00")[1])
		accents = true
		if len(f) >= 4 && f[0] < 0x80 {
			k.say(f, Person, true)
		}
	}
	if accents { // "Ángel" can be written for "angel"
		k.start(0x80, 0)
	}
	for _, r := range v {
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Hangul) {
			k.script = strings.TrimSpace(v)
		}
	}
}

func partKind(f string) int {
	switch {
	case len(f) == 1 || in(particles, f):
		return partInitial
	case len(f) == 2 || in(ambiguous, f):
		return partWeak
	}
	return partStrong
}

// isNobody tells what networks and agents write where there is no name.
func isNobody(v string) bool {
	n := 0
	for _, w := range strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if !in(nobody, w) {
			return false
		}
		n++
	}
	return n > 0
}

// fold brings a word into the form that name parts have: lower case without accents and apostrophes.
func fold(w string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(w) {
		switch {
		case unicode.IsMark(r) || r == '\'' || r == '’':
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// literal finds a name in a script without spaces as it is written.
func (s *scan) literal(p piece) {
	v := s.known.script
	for i := p.lo; ; i += len(v) {
		n := strings.Index(p.s[i:p.hi], v)
		if n < 0 {
			return
		}
		i += n
		s.add(Person, i, i+len(v))
	}
}
