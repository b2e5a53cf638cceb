package redact

import (
	"unicode"
	"unicode/utf8"
)

// The classes of bytes.
const (
	cDigit  = 1 << iota
	cLetter // of ASCII
	cHigh   // part of a rune beyond ASCII
	cNumber // a letter that a number word can begin with
)

var class = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = cDigit
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			t[c] = cLetter
		case c >= 0x80:
			t[c] = cHigh
		}
	}
	for _, c := range "zotfsendZOTFSEND" {
		t[c] |= cNumber
	}
	return t
}()

func isDigit(c byte) bool { return c-'0' < 10 }

func isAlnum(c byte) bool { return class[c]&(cDigit|cLetter) != 0 }

func lower(c byte) byte {
	if c-'A' < 26 {
		return c + 'a' - 'A'
	}
	return c
}

func isUpper(c byte) bool { return c-'A' < 26 }

// letter returns the length of the letter or combining mark at i, or 0 where there is none.
func letter(p piece, i int) int {
	if i >= p.hi {
		return 0
	}
	switch c := class[p.s[i]]; {
	case c&cLetter != 0:
		return 1
	case c&cHigh != 0:
		if r, n := utf8.DecodeRuneInString(p.s[i:p.hi]); unicode.IsLetter(r) || unicode.IsMark(r) {
			return n
		}
	}
	return 0
}

// letterBefore returns the length of the letter that ends at i, or 0.
func letterBefore(p piece, i int) int {
	if i <= p.lo {
		return 0
	}
	switch c := class[p.s[i-1]]; {
	case c&cLetter != 0:
		return 1
	case c&cHigh != 0:
		if r, n := utf8.DecodeLastRuneInString(p.s[p.lo:i]); unicode.IsLetter(r) || unicode.IsMark(r) {
			return n
		}
	}
	return 0
}

// wordEnd returns the end of the letters that begin at i.
func wordEnd(p piece, i int) int {
	for {
		for i < p.hi && class[p.s[i]]&cLetter != 0 {
			i++
		}
		n := letter(p, i)
		if n == 0 {
			break
		}
		i += n
	}
	return i
}

// digitBefore and digitAt tell whether a digit ends or begins at i.
func digitBefore(p piece, i int) bool { return i > p.lo && isDigit(p.s[i-1]) }
func digitAt(p piece, i int) bool     { return i < p.hi && isDigit(p.s[i]) }

// equalFold compares s with a text that is in lower case, ASCII letters only being folded.
func equalFold(s, lowered string) bool {
	if len(s) != len(lowered) {
		return false
	}
	for i := range len(s) {
		if lower(s[i]) != lowered[i] {
			return false
		}
	}
	return true
}

// lowered writes the lower case of an ASCII word into b and returns it; a word that is longer than b is cut to nothing.
func lowered(b *[10]byte, s string) []byte {
	if len(s) > len(b) {
		return nil
	}
	for i := range len(s) {
		b[i] = lower(s[i])
	}
	return b[:len(s)]
}
