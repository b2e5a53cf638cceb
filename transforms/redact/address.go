package redact

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// emails adds the written e-mail addresses of a piece.
func (s *scan) emails(p piece) {
	for at := p.lo; at < p.hi; at++ {
		n := strings.IndexByte(p.s[at:p.hi], '@')
		if n < 0 {
			return
		}
		at += n
		start, end := localStart(p, at), domainEnd(p, at+1)
		if start < at && end > 0 {
			s.add(Email, start, end)
			at = end - 1
			p.lo = end // the next address begins behind this one
		}
	}
}

// localStart returns the start of the part of an address before its @.
func localStart(p piece, at int) int {
	i := at
	for i > p.lo {
		c := p.s[i-1]
		if n := letterBefore(p, i); n > 0 {
			i -= n
		} else if isDigit(c) || strings.IndexByte("._%+-'", c) >= 0 {
			i--
		} else {
			break
		}
	}
	for i < at && strings.IndexByte(".-'%", p.s[i]) >= 0 {
		i++
	}
	return i
}

// domainEnd returns the end of the domain name at i: two labels or more, the last one of letters; 0 if there is none.
func domainEnd(p piece, i int) (end int) {
	for labels := 1; ; labels++ {
		from, letters := i, true
		for i < p.hi {
			if n := letter(p, i); n > 0 {
				i += n
			} else if isDigit(p.s[i]) || p.s[i] == '-' && i > from {
				letters = letters && labels > 1 && i > from+1 // "xn--p1ai"
				i++
			} else {
				break
			}
		}
		if i == from {
			return end
		}
		if labels > 1 && i-from > 1 && letters {
			end = i
			for end > from && p.s[end-1] == '-' {
				end--
			}
		}
		if i+1 >= p.hi || p.s[i] != '.' {
			return end
		}
		i++
	}
}

// urls adds the URLs that carry a credential or a token. The others stay; what is personal in them is found as text.
func (s *scan) urls(p piece) {
	for at := p.lo; ; {
		n := strings.Index(p.s[at:p.hi], "://")
		if n < 0 {
			return
		}
		at += n
		start := at
		for start > p.lo && class[p.s[start-1]]&cLetter != 0 {
			start--
		}
		end := at + 3
		for end < p.hi {
			r, n := utf8.DecodeRuneInString(p.s[end:p.hi])
			if unicode.IsSpace(r) || strings.ContainsRune(`"<>[]{}|\^`, r) || r == '`' {
				break
			}
			end += n
		}
		for end > at+3 && strings.IndexByte(".,;:!?)'", p.s[end-1]) >= 0 {
			end--
		}
		if start < at && CutURL(p.s[start:end]) != p.s[start:end] {
			s.add(URL, start, end)
		}
		at = max(end, at+3)
	}
}

// ipv6 adds the IPv6 addresses of a piece.
func (s *scan) ipv6(p piece) {
	for at := p.lo; ; {
		n := strings.IndexByte(p.s[at:p.hi], ':')
		if n < 0 {
			return
		}
		start := at + n
		for start > at && isHex(p.s[start-1]) {
			start--
		}
		end, colons, digits := at+n, 0, 0
		for end < p.hi && (isHex(p.s[end]) || p.s[end] == ':') {
			if p.s[end] == ':' {
				colons++
			} else if isDigit(p.s[end]) {
				digits++
			}
			end++
		}
		at = end
		if p.s[end-1] == ':' && !strings.HasSuffix(p.s[start:end], "::") {
			end--
			colons--
		}
		if colons < 2 || digits == 0 || end-start < 5 || end-start > 39 || start > p.lo && isAlnum(p.s[start-1]) || end < p.hi && isAlnum(p.s[end]) {
			continue
		}
		if a, err := netip.ParseAddr(p.s[start:end]); err == nil && a.Is6() {
			s.add(IP, start, end)
		}
	}
}

func isHex(c byte) bool { return isDigit(c) || lower(c)-'a' < 6 }

// ibanLength holds the lengths of the countries' account numbers.
var ibanLength = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
	"CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
	"FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
	"IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
	"LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
	"PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19,
	"SK": 24, "SM": 27, "ST": 25, "SV": 28, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}

// ibanEnd returns the end of the valid IBAN at i, or 0.
func ibanEnd(p piece, i int) int {
	if digitBefore(p, i) || letterBefore(p, i) > 0 || i+15 > p.hi || !digitAt(p, i+3) {
		return 0
	}
	up := func(c byte) byte { return lower(c) - 'a' + 'A' }
	n := ibanLength[string([]byte{up(p.s[i]), up(p.s[i+1])})]
	if n == 0 {
		return 0
	}
	var b [34]byte
	k, j := 0, i
	for ; j < p.hi && k < n; j++ {
		if c := p.s[j]; isAlnum(c) {
			b[k] = c
			k++
		} else if c != ' ' && c != '-' || !isAlnum(p.s[j-1]) {
			return 0
		}
	}
	if k < n || j < p.hi && isAlnum(p.s[j]) {
		return 0
	}
	rem := 0
	for x := range n {
		if c := b[(x+4)%n]; isDigit(c) {
			rem = (rem*10 + int(c-'0')) % 97
		} else {
			rem = (rem*100 + int(lower(c)-'a') + 10) % 97
		}
	}
	if rem != 1 {
		return 0
	}
	return j
}
