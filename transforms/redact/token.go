package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

type tokenKind uint8

const (
	tWord tokenKind = iota
	tNumber
	tSymbol
	tTag // a tag that is in the text, or a value found in an earlier round
)

// The space before a token.
const (
	gapNone = iota
	gapSpace
	gapLine
)

// How a word is capitalized.
const (
	capNone  = iota
	capFirst // "Maria", "M"
	capAll   // "MARIA"
	capMixed
)

// token is a word, a row of digits, a symbol or a tag of a text.
type token struct {
	hash       uint64 // of words, folded
	start, end int32
	entry
	kind tokenKind
	gap  uint8
	caps uint8
	ch   byte // of symbols; the letter of words of one letter; 0x80 for symbols outside ASCII
	mark kind // of tags, and of tokens found in this round; never noKind of a tag
	dull bool // no run of numbers and letters begins here, whatever is around it; see starts
}

func (t *token) len() int { return int(t.end - t.start) }

// letter returns the character of a word of one letter, or 0.
func (t *token) letter() byte {
	if t.kind == tWord {
		return t.ch
	}
	return 0
}

func (t *token) is(c byte) bool { return t.kind == tSymbol && t.ch == c }

func lower(c byte) byte {
	if c-'A' < 26 {
		return c + 'a' - 'A'
	}
	return c
}

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return c|0x20-'a' < 26 && c|0x20 >= 'a' }

// The classes of bytes.
const (
	bSpace = 1 + iota
	bLine
	bDigit
	bLetter
	bHigh
)

var byteClass = func() (t [256]uint8) {
	for i := range t {
		switch c := byte(i); {
		case c == ' ' || c == '\t' || c == '\r':
			t[i] = bSpace
		case c == '\n':
			t[i] = bLine
		case isDigit(c):
			t[i] = bDigit
		case c-'a' < 26 || c-'A' < 26:
			t[i] = bLetter
		case c >= 0x80:
			t[i] = bHigh
		}
	}
	return t
}()

// tokenize appends the tokens of a text.
func (s *scan) tokenize(text string) {
	gap := uint8(gapLine)
	for i := 0; i < len(text); {
		start := i
		t := token{start: int32(i), gap: gap}
		gap = gapNone
		switch c := text[i]; byteClass[c] {
		case bSpace:
			gap = max(t.gap, gapSpace)
			i++
			continue
		case bLine:
			gap = gapLine
			i++
			continue
		case bDigit:
			t.kind = tNumber
			s.glue(t.gap)
			for i < len(text) && isDigit(text[i]) {
				i++
			}
		case bLetter:
			i = s.word(text, i, &t)
		case bHigh:
			r, n := utf8.DecodeRuneInString(text[i:])
			switch {
			case unicode.IsLetter(r):
				i = s.word(text, i, &t)
			case unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff':
				gap = max(t.gap, gapSpace)
				i += n
				continue
			default:
				t.kind, t.ch, t.dull = tSymbol, plainSymbol(r), true
				i += n
			}
		case 0:
			if c == '[' {
				if n, k := s.eng.tagAt(text[i:]); n > 0 {
					t.kind, t.mark, t.dull = tTag, k, true
					i += n
					break
				}
			}
			t.kind, t.ch, t.dull = tSymbol, c, true
			i++
		}
		t.end = int32(i)
		if i == start {
			i++
		}
		s.toks = append(s.toks, t)
	}
}

// glue notes at the word before a number that the number is glued to it, with or without a hyphen.
func (s *scan) glue(gap uint8) {
	n := len(s.toks)
	if gap != gapNone || n == 0 {
		return
	}
	p := &s.toks[n-1]
	if n > 1 && p.is('-') && p.gap == gapNone {
		p = &s.toks[n-2]
	}
	if p.kind == tWord {
		p.flags |= fGlued
		p.dull = false
	}
}

func plainSymbol(r rune) byte {
	switch r {
	case '‐', '‑', '‒', '–', '—', '−':
		return '-'
	case '’', '‘':
		return '\''
	case '“', '”':
		return '"'
	case '…':
		return '.'
	}
	return 0x80
}

// word reads the word at i and returns its end.
func (s *scan) word(text string, i int, t *token) int {
	h, j, upper := uint64(hashSeed), i, 0
	for ; j < len(text); j++ {
		c := text[j]
		if byteClass[c] != bLetter {
			break
		}
		if c < 'a' {
			upper++
			c |= 0x20
		}
		h = (h ^ uint64(c)) * hashPrime
	}
	if j < len(text) && (text[j] >= 0x80 || text[j] == '\'') {
		if end, ok := s.longWord(text, i, j, h, t); ok {
			return end
		}
	}
	t.hash, t.entry = h, s.eng.lex.get(h)
	s.finish(text, i, j, upper, t)
	return j
}

func (s *scan) finish(text string, i, j, upper int, t *token) {
	if j == i+1 {
		t.ch = lower(text[i])
	}
	switch {
	case upper == 0:
	case upper == 1 && text[i] < 'a':
		t.caps = capFirst
	case upper == j-i:
		t.caps = capAll
	default:
		t.caps = capMixed
	}
	t.dull = t.class == nNone && t.alt == 0 && t.ch == 0 && t.caps != capAll
	if s.known.bloom[t.hash&63] {
		t.flags |= s.known.flags(t.hash)
	}
}

// longWord reads words with letters outside ASCII, and those with an apostrophe in them if they are words with it.
func (s *scan) longWord(text string, i, j int, h uint64, t *token) (int, bool) {
	plain := true
	end := j
	for end < len(text) {
		if isLetter(text[end]) {
			end++
			continue
		}
		n := apostrophe(text[end:])
		if n > 0 && end+n < len(text) {
			if r, _ := utf8.DecodeRuneInString(text[end+n:]); unicode.IsLetter(r) && end > i {
				hw := hashFolded(text[i : end+n+wordLen(text[end+n:])])
				if e := s.eng.lex.slot(hw); e != nil || s.known.bloom[hw&63] && s.known.flags(hw) != 0 {
					end += n
					plain = false
					continue
				}
			}
			break
		}
		r, n := utf8.DecodeRuneInString(text[end:])
		if text[end] < 0x80 || !unicode.IsLetter(r) && !unicode.IsMark(r) {
			break
		}
		if unspaced(r) {
			if end == i {
				end += n
				plain = false
			}
			break
		}
		plain = false
		end += n
	}
	if plain || end == j {
		return 0, false
	}
	t.hash = hashFolded(text[i:end])
	t.entry = s.eng.lex.get(t.hash)
	r, _ := utf8.DecodeRuneInString(text[i:])
	if unicode.IsUpper(r) {
		t.caps = capFirst
	}
	if s.known.bloom[t.hash&63] {
		t.flags |= s.known.flags(t.hash)
	}
	return end, true
}

// unspaced tells letters of scripts that have no space between words: each is a token.
func unspaced(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Hangul)
}

func apostrophe(s string) int {
	if s[0] == '\'' {
		return 1
	}
	if strings.HasPrefix(s, "’") {
		return len("’")
	}
	return 0
}

func wordLen(s string) int {
	for i, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) {
			return i
		}
	}
	return len(s)
}

// fold brings a word into the form that lists have: lower case without accents and apostrophes.
func fold(w string) string {
	plain := true
	for i := range len(w) {
		if c := w[i]; c >= 0x80 || c-'A' < 26 || c == '\'' {
			plain = false
			break
		}
	}
	if plain {
		return w
	}
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
