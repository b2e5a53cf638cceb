package topics

import (
	"unicode"
	"unicode/utf8"
)

// lower holds the letters and digits of ASCII in lower case, and 0 for all other bytes.
var lower = func() (t [256]byte) {
	for c := range byte(utf8.RuneSelf) {
		if c-'a' < 26 || c-'0' < 10 {
			t[c] = c
		} else if c-'A' < 26 {
			t[c] = c + 'a' - 'A'
		}
	}
	return t
}()

// nextWord returns the first word of s from i on, in lower case, and where it ends. The word is put into buf.
func nextWord(buf []byte, s string, i int) (word []byte, end int) {
	buf = buf[:0]
	for i < len(s) {
		c := s[i]
		if l := lower[c]; l != 0 {
			buf = append(buf, l)
			i++
			continue
		}
		if c < utf8.RuneSelf {
			if c == '\'' && len(buf) > 0 {
				i++
				continue
			}
			if len(buf) > 0 {
				return buf, i
			}
			if c == '[' {
				if end := tokenEnd(s, i); end > 0 {
					return append(buf, '['), end
				}
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			buf = utf8.AppendRune(buf, unicode.ToLower(r))
		case r == '’':
		case len(buf) > 0:
			return buf, i
		}
		i += n
	}
	return buf, i
}

// tokenEnd returns the end of a redaction token such as "[PERSON]" at i, or 0. A token is a word that no phrase has.
func tokenEnd(s string, i int) int {
	for i++; i < len(s) && (s[i]-'A' < 26 || s[i] == '_' || s[i]-'0' < 10); i++ {
	}
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	return 0
}

// appendKey appends the words of s in lower case with a blank between them: texts that differ in case, punctuation and
// white space alone have the same key.
func appendKey(dst []byte, s string) []byte {
	start := len(dst)
	for i := 0; ; {
		at := len(dst)
		if at > start {
			at++
		}
		dst = append(dst, ' ')
		w, next := nextWord(dst[at:at], s, i)
		if len(w) == 0 {
			return dst[:max(start, at-1)]
		}
		if at == start { // the blank stands where the word does
			dst = dst[:start]
		}
		dst = append(dst[:at], w...)
		i = next
	}
}
