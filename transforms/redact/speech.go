package redact

import "strings"

// The ways a number word adds digits.
const (
	wordUnit   = 1 + iota // "five", "oh"
	wordTeen              // "fifteen": two digits
	wordTens              // "fifty": one digit before a unit, else two
	wordZeros             // "hundred": two or three zeros
	wordRepeat            // "double": the next unit again
)

// numWord is a number word in a text.
type numWord struct {
	end    int
	kind   int
	digits string // of units, teens and zeros; of tens the first digit
	times  int    // of wordRepeat
}

// numberStarts holds how the number words begin that a number can begin with, "o" and "oh" aside: the third letters by
// the first two.
var numberStarts = func() (t [32 * 32]uint32) {
	for w := range strings.FieldsSeq(`zero one two three four five six seven eight nine double triple ten eleven twelve
		thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety`) {
		t[letters(w[0], w[1])] |= 1 << (w[2] & 31)
	}
	return t
}()

// letters is a number for two ASCII letters of either case.
func letters(a, b byte) int { return int(a&31)<<5 | int(b&31) }

// maybeNumber tells most words from number words by their first letters. There is a letter at i.
func maybeNumber(p piece, i int) bool {
	w := p.s[i:min(i+3, p.hi)]
	if len(w) < 2 || class[w[1]]&cLetter == 0 {
		return lower(w[0]) == 'o'
	}
	if len(w) < 3 || class[w[2]]&cLetter == 0 {
		return lower(w[0]) == 'o' && lower(w[1]) == 'h'
	}
	return numberStarts[letters(w[0], w[1])]>>(w[2]&31)&1 != 0
}

// numberAt reads the number word at i; its end is 0 where there is none.
func numberAt(p piece, i int) numWord {
	j := i
	for j < p.hi && class[p.s[j]]&cLetter != 0 {
		j++
	}
	if j-i > 9 || j < p.hi && (isDigit(p.s[j]) || letter(p, j) > 0) || j < p.hi-1 && p.s[j] == '\'' && letter(p, j+1) > 0 {
		return numWord{}
	}
	var b [10]byte
	w := numWord{end: j, kind: wordUnit}
	switch string(lowered(&b, p.s[i:j])) {
	case "zero", "oh", "o":
		w.digits = "0"
	case "one":
		w.digits = "1"
	case "two":
		w.digits = "2"
	case "three":
		w.digits = "3"
	case "four":
		w.digits = "4"
	case "five":
		w.digits = "5"
	case "six":
		w.digits = "6"
	case "seven":
		w.digits = "7"
	case "eight":
		w.digits = "8"
	case "nine":
		w.digits = "9"
	case "double":
		w.kind, w.times = wordRepeat, 2
	case "triple":
		w.kind, w.times = wordRepeat, 3
	default:
		return bigNumber(w, b[:j-i])
	}
	return w
}

func bigNumber(w numWord, word []byte) numWord {
	switch string(word) {
	case "ten":
		w.kind, w.digits = wordTeen, "10"
	case "eleven":
		w.kind, w.digits = wordTeen, "11"
	case "twelve":
		w.kind, w.digits = wordTeen, "12"
	case "thirteen":
		w.kind, w.digits = wordTeen, "13"
	case "fourteen":
		w.kind, w.digits = wordTeen, "14"
	case "fifteen":
		w.kind, w.digits = wordTeen, "15"
	case "sixteen":
		w.kind, w.digits = wordTeen, "16"
	case "seventeen":
		w.kind, w.digits = wordTeen, "17"
	case "eighteen":
		w.kind, w.digits = wordTeen, "18"
	case "nineteen":
		w.kind, w.digits = wordTeen, "19"
	case "twenty":
		w.kind, w.digits = wordTens, "2"
	case "thirty":
		w.kind, w.digits = wordTens, "3"
	case "forty":
		w.kind, w.digits = wordTens, "4"
	case "fifty":
		w.kind, w.digits = wordTens, "5"
	case "sixty":
		w.kind, w.digits = wordTens, "6"
	case "seventy":
		w.kind, w.digits = wordTens, "7"
	case "eighty":
		w.kind, w.digits = wordTens, "8"
	case "ninety":
		w.kind, w.digits = wordTens, "9"
	case "hundred":
		w.kind, w.digits = wordZeros, "00"
	case "thousand":
		w.kind, w.digits = wordZeros, "000"
	default:
		return numWord{}
	}
	return w
}

// symbol returns the character that a word says.
func symbol(word []byte) byte {
	switch string(word) {
	case "at":
		return '@'
	case "dot", "period", "point":
		return '.'
	case "underscore":
		return '_'
	case "dash", "hyphen", "minus":
		return '-'
	case "plus":
		return '+'
	}
	return 0
}

func isFiller(word []byte) bool {
	switch string(word) {
	case "uh", "um", "er", "erm", "hmm":
		return true
	}
	return false
}

// saying is a known value, in lower case, to be found however it is said.
type saying struct {
	canon string
	typ   Type
	// spelled is set for words that are found elsewhere when they are said as one: only "m a r i a" counts here.
	spelled bool
}

// said looks for a known value that begins at i, adds it and returns its end, or 0.
func (s *scan) said(p piece, i int, number bool) int {
	if letterBefore(p, i) > 0 || digitBefore(p, i) {
		return 0
	}
	var digit byte // the first one said; 0 where that takes a closer look
	if number {
		if digit = p.s[i]; !isDigit(digit) {
			digit = 0
			if w := numberAt(p, i); w.kind != wordRepeat && w.end > 0 {
				digit = w.digits[0]
			}
		}
	}
	for k := range s.known.sayings {
		v := &s.known.sayings[k]
		if isDigit(v.canon[0]) != number || digit != 0 && digit != v.canon[0] || !number && !v.begins(p, i) {
			continue
		}
		if end := v.match(p, i); end > i {
			start := leftOf(p, i)
			if v.canon[0] == '1' && v.typ == Phone {
				start = plusBefore(p, start)
			}
			s.add(v.typ, start, end)
			return end
		}
	}
	return 0
}

// begins tells most words from the first one of a value of letters by their first two letters.
func (v *saying) begins(p piece, i int) bool {
	if lower(p.s[i]) != v.canon[0] {
		return false
	}
	if i+1 < p.hi && class[p.s[i+1]]&cLetter != 0 {
		return !v.spelled && len(v.canon) > 1 && lower(p.s[i+1]) == v.canon[1]
	}
	return true
}

// match returns the end of the value where the text at i says it, or 0.
func (v *saying) match(p piece, i int) int {
	k, last := 0, 0
	for k < len(v.canon) {
		for gap := 0; i < p.hi && !isAlnum(p.s[i]); i++ { // symbols that are written count, the others are pauses
			if p.s[i] == v.canon[k] {
				if k, last = k+1, i+1; k == len(v.canon) {
					return last
				}
				gap = 0
			} else if gap++; gap > 6 || p.s[i] == '\n' {
				return 0
			}
		}
		n, end := v.word(p, i, k)
		if end == 0 || v.spelled && n != 1 {
			return 0
		}
		if n > 0 {
			last = end
		}
		k, i = k+n, end
	}
	if last < p.hi && isAlnum(p.s[last]) {
		return 0
	}
	return last
}

// word returns how many characters of the value from k on the word at i stands for, and its end (0: none of them).
func (v *saying) word(p piece, i, k int) (n, end int) {
	rest := v.canon[k:]
	j := i
	for j < p.hi && isAlnum(p.s[j]) {
		j++
	}
	if j == i || j < p.hi && p.s[j] >= 0x80 && letter(p, j) > 0 {
		return 0, 0
	}
	if n = j - i; n <= len(rest) && equalFold(p.s[i:j], rest[:n]) {
		return n, j
	}
	if isDigit(rest[0]) {
		if w := numberAt(p, i); w.end > 0 {
			return w.prefix(p, rest)
		}
	}
	var b [10]byte
	word := lowered(&b, p.s[i:j])
	if c := symbol(word); c != 0 && c == rest[0] {
		return 1, j
	}
	if k > 0 && isFiller(word) {
		return 0, j
	}
	return 0, 0
}

// prefix returns how many of the digits the number word stands for, and where it ends.
func (w numWord) prefix(p piece, rest string) (n, end int) {
	switch w.kind {
	case wordTens:
		if rest[0] != w.digits[0] || len(rest) < 2 {
			return 0, 0
		}
		if rest[1] == '0' {
			return 2, w.end
		}
		return 1, w.end
	case wordRepeat:
		i := w.end
		for i < p.hi && p.s[i] == ' ' {
			i++
		}
		d := numberAt(p, i)
		if digitAt(p, i) && !digitAt(p, i+1) {
			d = numWord{end: i + 1, kind: wordUnit, digits: p.s[i : i+1]}
		}
		if d.kind != wordUnit || len(rest) < w.times {
			return 0, 0
		}
		for k := range w.times {
			if rest[k] != d.digits[0] {
				return 0, 0
			}
		}
		return w.times, d.end
	default:
		if n = len(w.digits); n > len(rest) || rest[:n] != w.digits {
			return 0, 0
		}
		return n, w.end
	}
}
