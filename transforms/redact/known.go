package redact

import (
	"bytes"
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

// sweep marks what is known wherever else in the call it is said, in any form.
func (s *scan) sweep(round int) {
	k := &s.known
	for i := range s.found {
		s.learn(&s.found[i])
	}
	if !k.fresh {
		return
	}
	n := len(s.found)
	for i := range s.texts {
		t := &s.texts[i]
		s.ti, s.text = i, t.s
		s.sweepText(t)
	}
	k.fresh = len(s.found) > n // what is left of a run that held a value can hold another
}

// learn takes a value that was found among the known ones.
func (s *scan) learn(f *found) {
	k := &s.known
	t := &s.texts[f.text]
	s.text, s.ti = t.s, f.text
	switch {
	case f.rule == "known":
	case f.kind == kPerson:
		for i := f.a; i < f.b; i++ {
			w := &s.toks[i]
			if w.kind != tWord || w.len() <= 2 || w.flags&(fStop|fKnown|fKeep|fTitle) != 0 || w.class != nNone || !k.first(s.text[w.start:w.end], kPerson) {
				continue
			}
			if w.word() == 0 && w.flags&(fPlace|fState) == 0 {
				k.part(w.hash, fKnown)
			} else if w.first() != 0 || w.last() != 0 {
				k.part(w.hash, fWeakKnown)
			}
		}
		s.learnPhrase(f, 2)
	case f.kind == kEmail || f.kind == kURL:
		if v := s.canonical(f); strings.IndexByte(v, '@') > 0 {
			k.addEmail(v)
		}
		s.learnPhrase(f, 1)
	case s.eng.codes.has(f.kind):
		if v := s.canonical(f); len(v) >= 4 {
			k.code(v, f.kind)
		}
	default:
		s.learnPhrase(f, 1)
	}
}

// learnPhrase takes the words of a value.
func (s *scan) learnPhrase(f *found, least int) {
	var ws []uint64
	for i := f.a; i < f.b && len(ws) < 16; i++ {
		if h := s.tokenHash(i); h != 0 {
			ws = append(ws, h)
		}
	}
	if len(ws) < least || len(ws) == 1 && (s.toks[f.a].word() == 1 || s.toks[f.a].word() == 2 || s.toks[f.a].kind == tNumber && s.toks[f.a].len() < 4 || s.toks[f.a].flags&fStop != 0 || s.toks[f.a].len() < 3) {
		return
	}
	k := &s.known
	if k.phrases == nil {
		k.phrases = map[uint64][]knownPhrase{}
	}
	ps := k.phrases[ws[0]]
	if len(ps) >= 4 {
		return
	}
	for _, p := range ps {
		if len(p.words) == len(ws) && equal(p.words, ws) {
			return
		}
	}
	k.begins[ws[0]&255] = true
	k.phrases[ws[0]] = append(ps, knownPhrase{ws, f.kind})
	k.fresh = true
}

// tokenHash returns a number for the token's text, 0 for symbols.
func (s *scan) tokenHash(i int) uint64 {
	t := &s.toks[i]
	switch t.kind {
	case tWord:
		return t.hash
	case tNumber:
		return hashWord(s.text[t.start:min(t.end, t.start+24)])
	}
	return 0
}

func (s *scan) sweepText(t *textInfo) {
	k := &s.known
	for i := t.lo; i < t.hi; {
		if s.taken(i) {
			i++
			continue
		}
		w := &s.toks[i]
		if len(k.phrases) > 0 {
			if end := s.phraseAt(t, i); end > i {
				i = end
				continue
			}
		}
		if len(k.emails) > 0 && w.kind != tSymbol {
			if end := s.said(t, i); end > i {
				i = end
				continue
			}
		}
		if len(k.codes) > 0 && s.starts(i, t.hi) {
			hi := i + 1
			for hi < t.hi && hi < i+maxRun && !s.taken(hi) {
				hi++
			}
			s.readRun(&s.run, i, hi)
			if len(s.run.elems) > 0 {
				s.sweepRun(t, &s.run)
				i = max(i+1, s.run.b)
				continue
			}
		}
		if w.kind == tWord && k.bloom[w.hash&63] && w.flags&(fKnown|fWeakKnown) == 0 {
			if w.flags |= k.flags(w.hash) &^ fKeep; w.flags&fKnown != 0 {
				s.mark(i, i+1, kPerson, "known")
			}
		}
		i++
	}
}

// phraseAt marks the known words that begin at token i.
func (s *scan) phraseAt(t *textInfo, i int) int {
	h := s.tokenHash(i)
	if h == 0 || !s.known.begins[h&255] {
		return 0
	}
	for _, p := range s.known.phrases[h] {
		j, n := i, 0
		for j < t.hi && n < len(p.words) && !s.taken(j) {
			if g := s.tokenHash(j); g == 0 {
				j++
				continue
			} else if g != p.words[n] {
				break
			}
			n++
			j++
		}
		if n == len(p.words) && s.mark(i, j, p.kind, "known") {
			return j
		}
	}
	return 0
}

// sweepRun marks the known values in a run, and a run that is part of one.
func (s *scan) sweepRun(t *textInfo, r *run) {
	if s.known.keeps(r.canon) || s.eng.allowsCode(r.canon) {
		return
	}
	if r.month {
		if d := isoDate(r); d != "" {
			for _, v := range s.known.codes {
				if v.kind == kDOB && v.canon == d {
					s.mark(r.a, r.b, kDOB, "known")
					return
				}
			}
		}
		return
	}
	neg := s.negative(t, r)
	for _, v := range s.known.codes {
		n := len(r.canon)
		if v.kind == kDOB {
			if d := isoDate(r); d == v.canon {
				s.mark(r.a, r.b, kDOB, "known")
				return
			}
		}
		if n >= 4 && n <= len(v.canon) && !r.scale && (n > 5 || !neg) && strings.Contains(v.canon, string(r.canon)) ||
			n == len(v.canon) && n >= 4 && !neg && string(r.canon) == v.canon {
			s.mark(s.left(t, r.a), r.b, v.kind, "known")
			return
		}
		if n > len(v.canon) && (len(v.canon) > 5 || !neg) {
			if at := bytes.Index(r.canon, []byte(v.canon)); at >= 0 {
				a, b := r.cover(at, at+len(v.canon))
				s.mark(s.left(t, int(r.elems[a].a)), int(r.elems[b].b), v.kind, "known")
				return
			}
		}
	}
}

// cover returns the first and last element that hold the characters from a to b.
func (r *run) cover(a, b int) (first, last int) {
	for first+1 < len(r.elems) && int(r.elems[first+1].off) <= a {
		first++
	}
	for last = first; last+1 < len(r.elems) && int(r.elems[last].off+r.elems[last].n) < b; {
		last++
	}
	return first, last
}

// knownEmails marks the known addresses of a text, before parts of them are taken for names.
func (s *scan) knownEmails(t *textInfo) {
	for i := t.lo; i < t.hi; i++ {
		if w := &s.toks[i]; w.kind != tSymbol && !s.taken(i) && s.known.starts[lower(s.text[w.start])] {
			if end := s.said(t, i); end > i {
				s.dialog.value(s, t, kEmail, 60)
				i = end - 1
			}
		}
	}
}

// said marks a known address or a spelled name that begins at token i, however it is said.
func (s *scan) said(t *textInfo, i int) int {
	w := &s.toks[i]
	c := lower(s.text[w.start])
	switch w.class {
	case nDigit:
		if '0'+w.val != c && s.known.starts['0'+w.val] {
			c = '0' + w.val
		}
	case nTeen, nTens:
		c = '0' + w.val/10
	case nNato:
		c = w.val
	}
	if !s.known.starts[c] {
		return 0
	}
	for k := range s.known.emails {
		v := &s.known.emails[k]
		if end := s.saying(t, i, v); end > i && s.mark(i, end, v.kind, "known") {
			return end
		}
	}
	return 0
}

// saying returns the token behind the value where the tokens from i on say it, or 0.
func (s *scan) saying(t *textInfo, i int, v *value) int {
	k, tokens := 0, 0
	for j := i; j < t.hi && j < i+120 && !s.taken(j); j++ {
		rest := v.canon[k:]
		w := &s.toks[j]
		c := s.symbolAt(j)
		n := 0
		if m := w.len(); m <= len(rest) && w.kind != tSymbol && equalFold(s.text[w.start:w.end], rest[:m]) && (v.kind != kPerson || m == 1) {
			n = m
		} else if c != 0 && c == rest[0] {
			n = 1
		} else if w.kind == tWord && isDigit(rest[0]) {
			switch w.class {
			case nDigit:
				if rest[0] == '0'+w.val {
					n = 1
				}
			case nTeen:
				if len(rest) > 1 && rest[0] == '1' && rest[1] == '0'+w.val-10 {
					n = 2
				}
			case nTens:
				if rest[0] == '0'+w.val/10 {
					if n = 1; len(rest) > 1 && rest[1] == '0' {
						n = 2
					}
				}
			}
		} else if w.kind == tWord && w.class == nNato && w.val == rest[0] {
			n = 1
		}
		if n == 0 {
			if k > 0 && (w.kind == tSymbol || w.flags&fFiller != 0) && tokens < 60 {
				tokens++
				continue
			}
			return 0
		}
		if k += n; k == len(v.canon) {
			if j+1 < t.hi && s.toks[j+1].gap == gapNone && s.toks[j+1].kind != tSymbol && s.toks[j].kind != tSymbol {
				return 0
			}
			return j + 1
		}
	}
	return 0
}

// equalFold compares s with a text that is in lower case, ASCII letters only being folded.
func equalFold(s, lowered string) bool {
	for i := range len(s) {
		if lower(s[i]) != lowered[i] {
			return false
		}
	}
	return true
}
