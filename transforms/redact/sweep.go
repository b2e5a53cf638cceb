package redact

import (
	"bytes"
	"strings"
)

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
			if end := s.said(t, i, s.emails); end > i {
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
			if f := k.flags(w.hash) &^ fKeep; f != 0 {
				w.flags |= f
				t.same = false
			}
			if w.flags&fKnown != 0 {
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
			if end := s.said(t, i, 0); end > i {
				s.dialog.value(s, t, kEmail, 60)
				i = end - 1
			}
		}
	}
}

// said marks a known address or a spelled name that begins at token i, however it is said. Those before the index from
// were sought already by the letter that the token begins with.
func (s *scan) said(t *textInfo, i, from int) int {
	w := &s.toks[i]
	c := lower(s.text[w.start])
	switch w.class {
	case nNone:
	case nDigit:
		if from = 0; '0'+w.val != c && s.known.starts['0'+w.val] {
			c = '0' + w.val
		}
	case nTeen, nTens:
		c, from = '0'+w.val/10, 0
	case nNato:
		c, from = w.val, 0
	}
	if !s.known.starts[c] {
		return 0
	}
	for k := from; k < len(s.known.emails); k++ {
		v := &s.known.emails[k]
		switch n := w.len(); {
		case n > 1 && v.kind == kPerson && w.class != nNato: // who spells begins with a letter
			continue
		case w.kind == tWord && w.class == nNone && v.kind != kPerson && (n > len(v.canon) || !equalFold(s.text[w.start:w.end], v.canon[:n])):
			continue
		}
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
