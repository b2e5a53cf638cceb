package redact

import "strings"

// nameWord returns the end of the word at i the way names are written: inner apostrophes belong to it ("O'Brien"), a
// genitive does not ("Maria's"). plain is set for words of ASCII letters only.
func nameWord(p piece, i int) (end int, plain bool) {
	plain = true
	for i < p.hi {
		if n := letter(p, i); n > 0 {
			plain = plain && n == 1
			i += n
			continue
		}
		n := apostrophe(p, i)
		if n == 0 || letter(p, i+n) == 0 || lower(p.s[i+n]) == 's' && letter(p, i+n+1) == 0 {
			break
		}
		plain = false
		i += n
	}
	return i, plain
}

func apostrophe(p piece, i int) int {
	if p.s[i] == '\'' {
		return 1
	}
	if p.s[i] == 0xE2 && i+3 <= p.hi && p.s[i:i+3] == "’" {
		return 3
	}
	return 0
}

// part returns the index of the name part that the word is, or -1.
func (k *known) part(word string, plain bool) int {
	if !plain {
		word = fold(word)
	}
	for i := range k.parts {
		if equalFold(word, k.parts[i].fold) {
			return i
		}
	}
	return -1
}

// name adds the longest run of name parts that begins at i, if it says enough, and returns its end, or 0.
func (s *scan) name(p piece, i int) int {
	if len(s.known.parts) == 0 || digitBefore(p, i) || letterBefore(p, i) > 0 {
		return 0
	}
	end, plain := nameWord(p, i)
	at := s.known.part(p.s[i:end], plain)
	if at < 0 || digitAt(p, end) {
		return 0
	}
	one, first := end, at
	kinds := 1 << s.known.parts[at].kind
	ordered, words := true, 1
	seen := uint64(1) << (at & 63)
	for {
		j := nextWord(p, end)
		if j == 0 || s.known.addressAt(p, j) { // "Maria Hernandez, maria dot h at ..."
			break
		}
		e, plain := nameWord(p, j)
		n := s.known.part(p.s[j:e], plain)
		if n < 0 || seen&(1<<(n&63)) != 0 || digitAt(p, e) || e == j+1 && (p.s[j] == 'a' || p.s[j] == 'i') { // "maria i will"
			break
		}
		ordered = ordered && n > at
		kinds |= 1 << s.known.parts[n].kind
		end, at = e, n
		seen |= 1 << (n & 63)
		words++
	}
	switch {
	case kinds&(1<<partStrong) != 0:
	case words > 1 && ordered && first == 0 && at == len(s.known.parts)-1: // "Will Young"
	case s.known.parts[first].kind == partWeak && s.weak(p, i, one, first == 0):
		end = one
	default:
		return 0
	}
	s.add(Person, i, end)
	return end
}

// addressAt tells whether the known e-mail address is said at i.
func (k *known) addressAt(p piece, i int) bool {
	return len(k.sayings) > 0 && k.sayings[0].typ == Email && k.sayings[0].canon[0] == lower(p.s[i]) && k.sayings[0].match(p, i) > 0
}

// nextWord returns the start of the word behind one space, hyphen, comma or the dot of an initial, or 0.
func nextWord(p piece, i int) int {
	for n := 0; n < 3 && i < p.hi; n++ {
		if letter(p, i) > 0 {
			if n == 0 {
				return 0
			}
			return i
		}
		switch p.s[i] {
		case ' ', '-', '.', ',', '\t':
			i++
		default:
			return 0
		}
	}
	if letter(p, i) > 0 {
		return i
	}
	return 0
}

// weak tells whether a name that is also a word is meant as a name here: after a cue, or by a capital where a plain word
// has none.
func (s *scan) weak(p piece, i, end int, firstName bool) bool {
	if strings.Trim(p.s[p.lo:p.hi], " .!?,") == p.s[i:end] { // the answer to a question for the name
		return true
	}
	prev, before := lastWords(p, i)
	var b1, b2 [10]byte
	w1, w2 := lowered(&b1, prev), lowered(&b2, before)
	switch string(w1) {
	case "mr", "mrs", "ms", "miss", "dr", "named", "hello", "hey", "dear":
		return !equalFold(p.s[i:end], "may")
	case "is":
		if w := string(w2); w == "name" || firstName && w == "this" && !isUpperWord(p, i, end) {
			return true
		}
	case "with", "to":
		if w := string(w2); w == "speaking" || w == "talking" {
			return true
		}
	}
	if !isUpper(p.s[i]) || in(months, fold(p.s[i:end])) || !midSentence(p, i) {
		return false
	}
	return end+1 >= p.hi || p.s[end] != ' ' || !isUpper(p.s[end+1]) // "Long Beach"
}

func isUpperWord(p piece, i, end int) bool { return end-i > 1 && isUpper(p.s[i]) && isUpper(p.s[i+1]) }

// midSentence tells whether the word at i follows another one in the same sentence.
func midSentence(p piece, i int) bool {
	for i--; i >= p.lo; i-- {
		switch c := p.s[i]; {
		case c == ' ':
		case c == ',' || c == '\'' || class[c]&(cLetter|cDigit|cHigh) != 0:
			return true
		default:
			return false
		}
	}
	return false
}

// lastWords returns the two words before i.
func lastWords(p piece, i int) (prev, before string) {
	var w [2]string
	for k := range w {
		for n := 0; i > p.lo && !isAlnum(p.s[i-1]) && n < 3; n++ {
			i--
		}
		j := i
		for j > p.lo && isAlnum(p.s[j-1]) && i-j < 12 {
			j--
		}
		w[k], i = p.s[j:i], j
	}
	return w[0], w[1]
}
