package redact

import (
	"net/netip"
	"strings"
)

// web finds what is written with marks of its own: e-mail addresses, URLs with a credential in them, IPv6 addresses.
func (s *scan) web(t *textInfo) {
	for i := t.lo; i < t.hi; i++ {
		tok := &s.toks[i]
		if tok.kind != tSymbol || tok.mark != noKind {
			continue
		}
		switch tok.ch {
		case '@':
			i = max(i, s.email(t, i)-1)
		case ':':
			i = max(i, s.url(t, i)-1, s.ipv6(t, i)-1)
		}
	}
}

func (s *scan) glued(i int) bool { return s.toks[i].gap == gapNone }

// email marks the address around the @ at i and returns the token behind it.
func (s *scan) email(t *textInfo, at int) int {
	a := at
	for a > t.lo && s.glued(a) && !s.taken(a-1) {
		p := &s.toks[a-1]
		if p.kind == tSymbol && strings.IndexByte("._%+-'", p.ch) < 0 {
			break
		}
		a--
	}
	for a < at && s.toks[a].kind == tSymbol && strings.IndexByte(".-'%", s.toks[a].ch) >= 0 {
		a++
	}
	b := s.domain(t, at+1)
	if a == at || b == 0 {
		return 0
	}
	s.mark(a, b, kEmail, "shape")
	s.dialog.value(s, t, kEmail, 60)
	return b
}

// domain returns the token behind the domain name at i, or 0.
func (s *scan) domain(t *textInfo, i int) int {
	end, labels, letters := 0, 0, false
	for i < t.hi && s.glued(i) && !s.taken(i) {
		tok := &s.toks[i]
		switch {
		case tok.kind == tWord:
			letters = true
		case tok.kind == tNumber:
			letters = false
		case tok.is('-') && i+1 < t.hi && s.glued(i+1) && s.toks[i+1].kind != tSymbol:
			i++
			continue
		case tok.is('.') && i+1 < t.hi && s.glued(i+1) && s.toks[i+1].kind != tSymbol && !s.taken(i+1):
			labels++
			i++
			continue
		default:
			return end
		}
		i++
		if labels > 0 && letters && s.toks[i-1].len() > 1 {
			end = i
		} else if labels > 0 {
			end = max(end, 0)
		}
	}
	return end
}

// url marks a URL with a credential in it, whose "://" begins at i, and returns the token behind it.
func (s *scan) url(t *textInfo, i int) int {
	if i+2 >= t.hi || !s.toks[i+1].is('/') || !s.toks[i+2].is('/') || !s.glued(i+1) || !s.glued(i+2) || i == t.lo || s.toks[i-1].kind != tWord || !s.glued(i) {
		return s.userAt(t, i)
	}
	b := i + 3
	for b < t.hi && s.glued(b) && !s.taken(b) {
		if tok := &s.toks[b]; tok.kind == tSymbol && strings.IndexByte("<>\"`|\\^{}", tok.ch) >= 0 {
			break
		}
		b++
	}
	for b > i+3 && s.toks[b-1].kind == tSymbol && strings.IndexByte(".,;!?)]'", s.toks[b-1].ch) >= 0 {
		b--
	}
	if b == i+3 {
		return 0
	}
	u := s.text[s.toks[i-1].start:s.toks[b-1].end]
	if CutURL(u) != u {
		s.mark(i-1, b, kURL, "shape")
	}
	return b
}

// userAt marks "user:password@host.tld/path".
func (s *scan) userAt(t *textInfo, i int) int {
	if i == t.lo || !s.glued(i) || i+1 >= t.hi || !s.glued(i+1) || s.toks[i-1].kind == tSymbol || s.taken(i-1) {
		return 0
	}
	j := i + 1
	for j < t.hi && j < i+20 && s.glued(j) && !s.taken(j) && !s.toks[j].is('@') {
		j++
	}
	if j >= t.hi || !s.toks[j].is('@') || !s.glued(j) || j == i+1 {
		return 0
	}
	b := s.domain(t, j+1)
	if b == 0 {
		return 0
	}
	for b < t.hi && s.glued(b) && !s.taken(b) && (s.toks[b].kind != tSymbol || strings.IndexByte("/-_=?&%", s.toks[b].ch) >= 0) {
		b++
	}
	a := i - 1
	s.mark(a, b, kURL, "shape")
	return b
}

// ipv6 marks the IPv6 address around the colon at i and returns the token behind it.
func (s *scan) ipv6(t *textInfo, i int) int {
	part := func(k int) bool {
		w := &s.toks[k]
		return !s.taken(k) && (w.is(':') || w.kind == tNumber && w.len() <= 4 || w.kind == tWord && w.len() <= 4)
	}
	a, b := i, i+1
	for a > t.lo && a > i-4 && s.glued(a) && part(a-1) {
		a--
	}
	for b < t.hi && b < i+32 && s.glued(b) && part(b) {
		b++
	}
	for b > a+1 && s.toks[b-1].is(':') && !s.toks[b-2].is(':') {
		b--
	}
	text := s.text[s.toks[a].start:s.toks[b-1].end]
	if len(text) < 6 || len(text) > 45 || strings.Count(text, ":") < 3 {
		return 0
	}
	if ip, err := netip.ParseAddr(text); err != nil || !ip.Is6() {
		return 0
	}
	s.mark(a, b, kIP, "shape")
	return b
}

// symbolAt returns the character that the token at i says or is, or 0.
func (s *scan) symbolAt(i int) byte {
	t := &s.toks[i]
	if t.kind == tSymbol {
		return t.ch
	}
	if t.kind == tWord && t.class == nSymbol {
		return t.val
	}
	return 0
}

// spokenEmails finds addresses that are said: "maria dot h at example dot com", and URLs.
func (s *scan) spokenEmails(t *textInfo) {
	for i := t.lo + 1; i+1 < t.hi; i++ {
		if s.taken(i) || s.symbolAt(i) != '.' || s.toks[i].is('.') && (s.toks[i].gap == gapNone || s.toks[i+1].gap == gapNone) {
			continue
		}
		if tld := &s.toks[i+1]; tld.kind != tWord || s.taken(i+1) || tld.flags&fTLD == 0 && (tld.len() != 2 || s.toks[i].is('.')) {
			continue
		}
		b := i + 2
		for b+1 < t.hi && s.symbolAt(b) == '.' && s.toks[b+1].flags&fTLD != 0 && !s.taken(b) && !s.taken(b+1) && (!s.toks[b].is('.') || s.toks[b+1].caps == capNone) {
			b += 2
		}
		at := s.atBefore(t, i)
		if at < 0 {
			continue
		}
		if a := s.localStart(t, at); a < at {
			k := kEmail
			for j := a; j < at; j++ {
				if s.symbolAt(j) == ':' {
					k = kURL
				}
			}
			if k == kURL {
				for b+1 < t.hi && s.symbolAt(b) == '/' && !s.taken(b) && s.toks[b+1].kind != tSymbol {
					b += 2
				}
			}
			s.mark(a, b, k, "spoken")
		} else {
			s.mark(at, b, kEmail, "spoken")
		}
		s.dialog.value(s, t, kEmail, 60)
		i = b
	}
}

// atBefore returns the "at" of the address whose domain holds the dot at i, or -1.
func (s *scan) atBefore(t *textInfo, i int) int {
	for j := i - 1; j >= t.lo && j >= i-14; j-- {
		tok := &s.toks[j]
		if s.taken(j) || tok.kind == tSymbol && strings.IndexByte("?!,;", tok.ch) >= 0 {
			return -1
		}
		if s.symbolAt(j) == '@' {
			return j
		}
	}
	return -1
}

// localStart returns where the part of an address before its "at" begins.
func (s *scan) localStart(t *textInfo, at int) int {
	a := at
	joined := true // the token behind is joined to the one before
	words := 0
	for a > t.lo && a > at-40 {
		p := &s.toks[a-1]
		if s.taken(a - 1) {
			break
		}
		if c := s.symbolAt(a - 1); c == '.' || c == '_' || c == '-' || c == ':' || c == '+' || c == '/' {
			if p.kind == tSymbol && p.ch == '.' && s.toks[a].gap != gapNone && p.gap == gapNone && s.toks[a].caps != capNone {
				break
			}
			if p.kind == tSymbol && p.ch == ':' && s.toks[a].gap != gapNone {
				break
			}
			a--
			joined = true
			continue
		}
		if p.kind == tSymbol {
			if p.ch == ',' && words > 0 && a-2 >= t.lo && s.toks[a-2].letter() != 0 {
				a--
				continue
			}
			break
		}
		if p.kind == tNumber || p.ch != 0 || p.class == nDigit || p.class == nTens || p.class == nTeen || p.class == nRepeat || p.class == nNato {
			if p.ch == 'a' || p.ch == 'i' { // a word, unless it is spelled
				if !joined && !(a < at && (s.toks[a].letter() != 0)) && !(a-2 >= t.lo && s.toks[a-2].letter() != 0 && s.toks[a-2].ch != 'i') {
					break
				}
			}
			a--
			joined = false
			continue
		}
		if p.flags&fFiller != 0 && a < at {
			a--
			continue
		}
		if p.flags&fStop != 0 && !(joined && p.len() > 3 && a < at && a-2 >= t.lo && s.symbolAt(a-2) != 0 && s.symbolAt(a-2) != ',' && s.symbolAt(a-2) != ':') {
			if p.hash == hIn && a-2 >= t.lo && s.toks[a-2].hash == hAs || p.hash == hAs && a-2 >= t.lo && s.toks[a-2].letter() != 0 {
				a--
				joined = true
				continue
			}
			break
		}
		if !joined && words > 0 && p.word() == 1 && p.first() == 0 {
			break
		}
		if p.flags&fCue != 0 && !joined {
			break
		}
		if words++; words > 5 {
			break
		}
		a--
		joined = false
	}
	for a < at && (s.toks[a].kind == tSymbol || s.toks[a].flags&fFiller != 0) {
		a++
	}
	return a
}

// domainsWithoutAt finds addresses at a known provider whose "at" or "dot com" got lost: "roy underscore reese gmail com".
func (s *scan) domainsWithoutAt(t *textInfo) {
	for i := t.lo + 1; i < t.hi; i++ {
		tok := &s.toks[i]
		if tok.flags&fProvider == 0 || s.taken(i) || tok.kind != tWord {
			continue
		}
		if !s.dialog.wants(t, kEmail) && !s.cueBefore(i, kEmail) {
			continue
		}
		b := i + 1
		if b < t.hi && s.symbolAt(b) == '.' && b+1 < t.hi && !s.taken(b+1) && s.toks[b].gap != gapNone {
			b += 2
		} else if b < t.hi && s.toks[b].flags&fTLD != 0 && !s.taken(b) {
			b++
		}
		at := i
		if s.symbolAt(i-1) == '@' && !s.taken(i-1) {
			at = i - 1
		}
		if a := s.localStart(t, at); a < at {
			s.mark(a, b, kEmail, "spoken")
			s.dialog.value(s, t, kEmail, 60)
			i = b
		}
	}
}

// cueBefore tells whether a cue of the type is the last one before token i, or the one before it.
func (s *scan) cueBefore(i int, k kind) bool {
	c := s.cuesBefore(i)
	return c > 0 && s.cues[c-1].kinds.has(k) || c > 1 && s.cues[c-2].kinds.has(k)
}
