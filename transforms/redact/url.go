package redact

import "strings"

// spokenURLs marks web addresses that are said with a credential in them, and those that were asked for: "admin colon
// hunter two at cam six dot example dot com slash login".
func (s *scan) spokenURLs(t *textInfo) {
	asked := s.dialog.want.has(kURL) && t.role == roleUser || t.role == roleAgent && s.dialog.last == kURL && s.dialog.lastAge <= 2
	for i := t.lo; i+1 < t.hi; i++ {
		w := &s.toks[i]
		if s.taken(i) || w.kind != tWord && !w.is('.') {
			continue
		}
		if !(s.symbolAt(i) == '.' && i > t.lo && s.toks[i+1].kind != tSymbol) || w.is('.') && (w.gap != gapNone || s.toks[i+1].gap != gapNone) {
			continue
		}
		a, b := s.urlStart(t, i), s.urlEnd(t, i)
		if a == i {
			continue
		}
		if !s.hasName(a, b) {
			continue
		}
		secret, slash, at := s.urlSecret(a, b)
		if raw := s.text[s.toks[a].start:s.toks[b-1].end]; strings.Contains(raw, "//") || strings.ContainsAny(raw, "?=") {
			full := "https://" + raw[strings.Index(raw, "//")+1:]
			if secret = CutURL(full) != full; !secret && !asked || s.toks[i-1].kind == tSymbol {
				i = b
				continue
			}
		}
		if at && !secret || !(secret && slash) && !asked && !s.cueBefore(i, kURL) {
			continue
		}
		if !slash && !secret && s.toks[a].hash != hWww && !asked {
			continue
		}
		if s.mark(a, b, kURL, "spoken") {
			s.dialog.value(s, t, kURL, 1)
		}
		i = b
	}
}

var hWww, hMark, hEquals, hToken = hashWord("www"), hashWord("mark"), hashWord("equals"), hashWord("token")

// hasName tells whether a word is among the tokens: 10.2.1 is no address of a page.
func (s *scan) hasName(a, b int) bool {
	for i := a; i < b; i++ {
		if w := &s.toks[i]; w.kind == tWord && w.len() > 1 && w.class == nNone {
			return true
		}
	}
	return false
}

// urlSecret tells what the tokens of a web address hold: a credential, a path, an "at".
func (s *scan) urlSecret(a, b int) (secret, slash, at bool) {
	colon := false
	for i := a; i < b; i++ {
		switch c := s.symbolAt(i); {
		case c == '/':
			slash = true
		case c == ':' && (i+1 >= b || !s.toks[i+1].is('/')):
			colon = true
		case c == '@':
			at = true
			secret = secret || colon
		case c == '=' || s.toks[i].hash == hEquals || s.toks[i].hash == hToken:
			secret = true
		}
	}
	return secret, slash, at
}

// urlStart returns where the web address that holds the dot at i begins.
func (s *scan) urlStart(t *textInfo, i int) int {
	a := i
	joined := true
	for a > t.lo && a > i-40 && !s.taken(a-1) {
		w := &s.toks[a-1]
		c := s.symbolAt(a - 1)
		switch {
		case c == '.' || c == '@' || c == ':' || c == '/' || c == '-' || c == '_':
			joined = true
			a--
			continue
		case w.kind == tSymbol:
			return a
		case w.kind == tNumber || w.class == nDigit || w.class == nTens || w.class == nTeen || w.ch != 0:
		case !joined && !(a < t.hi && (s.toks[a].class == nDigit || s.toks[a].kind == tNumber)):
			return a
		case w.flags&(fStop|fCue) != 0 && (w.flags&fStop != 0 || s.cueAt(a-1)):
			return a
		}
		joined = false
		a--
	}
	return a
}

// urlEnd returns where the web address that holds the dot at i ends.
func (s *scan) urlEnd(t *textInfo, i int) int {
	b := i
	joined := true
	for b < t.hi && b < i+80 && !s.taken(b) {
		w := &s.toks[b]
		c := s.symbolAt(b)
		switch {
		case w.kind == tSymbol && (w.gap != gapNone || b+1 < t.hi && s.toks[b+1].gap != gapNone || b+1 == t.hi || c == ','):
			return b
		case w.kind == tSymbol, c != 0, w.hash == hEquals, w.hash == hMark:
			joined = true
			b++
			continue
		case w.flags&fFiller != 0:
			b++
			continue
		case w.kind == tNumber || w.class == nDigit || w.class == nTens || w.class == nTeen || w.class == nRepeat || w.ch != 0:
		case w.hash == hQuestion && b+1 < t.hi && s.toks[b+1].hash == hMark:
		case !joined:
			return b
		}
		joined = w.hash == hQuestion
		b++
	}
	return b
}

var hQuestion = hashWord("question")
