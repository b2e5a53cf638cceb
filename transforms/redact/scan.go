package redact

import (
	"slices"
)

// Who speaks.
const (
	roleAgent = iota
	roleUser
	roleText // not a turn: a summary, a note
)

// textInfo is one text of a call.
type textInfo struct {
	s      string
	lo, hi int // tokens
	role   uint8
	raw    bool   // nothing is capitalized
	has    traits // what detectors look for; values that are found take nothing from it

	before, behind heard // what the dialog had in mind when the text was last searched, and what it had then
	same           bool  // the tokens are those that were searched last, and nothing was found in them
}

// found is a value of a round, by tokens.
type found struct {
	text, a, b int
	kind       kind
	rule       string
	group      int // of the parts of one value that is said over turns; 0 is none
}

// cue is a phrase that tells what value comes.
type cue struct {
	a, b  int // tokens
	kinds kinds
	used  bool
}

// scan is the state of one search. It is reused, and holds nothing of a call between two.
type scan struct {
	eng    *Engine
	toks   []token
	texts  []textInfo
	text   string // being searched
	ti     int
	cues   []cue
	run    run
	next   run // behind run
	found  []found
	spans  []Span
	known  known
	emails int // known when the texts were last searched
	dialog dialog
	groups int  // of values that are said in parts
	again  bool // a test: search every text in every round
}

func (e *Engine) open(c *Call) *scan {
	s := e.scratch.Get().(*scan)
	s.eng, s.groups = e, 0
	s.toks, s.texts, s.spans, s.found = s.toks[:0], s.texts[:0], s.spans[:0], s.found[:0]
	s.known.load(c, e)
	for i := range len(c.Turns) + len(c.Texts) {
		t := textInfo{s: c.Text(i), lo: len(s.toks), role: roleText}
		if i < len(c.Turns) {
			t.role = roleOf(c.Turns[i].Role)
		}
		s.tokenize(t.s)
		t.hi = len(s.toks)
		t.raw, t.has = survey(s.toks[t.lo:t.hi])
		s.texts = append(s.texts, t)
	}
	return s
}

func roleOf(r string) uint8 {
	switch r {
	case "agent", "assistant", "bot", "ai", "system", "Agent", "AGENT":
		return roleAgent
	}
	return roleUser
}

// traits tell what a text has, so that nobody looks in it for what can't be there.
type traits uint8

const (
	hasAt      traits = 1 << iota // a written @ or colon
	hasDot                        // a dot that is said, or joins what is before and behind it
	hasSaidDot                    // a dot that is said, or stands alone
	hasNumber                     // a number that is written
	hasNumeric                    // or said
	hasUnit                       // "Apt"
	hasProvider
)

// survey tells what a text has, and whether nothing in it is capitalized.
func survey(toks []token) (raw bool, has traits) {
	raw = true
	for i := range toks {
		t := &toks[i]
		switch t.kind {
		case tWord:
			if t.caps != capNone {
				raw = false
				if t.flags&fApt != 0 {
					has |= hasUnit
				}
			}
			switch t.class {
			case nNone:
			case nDigit, nTeen, nTens, nRepeat:
				has |= hasNumeric
			case nSymbol:
				if t.val == '.' {
					has |= hasDot | hasSaidDot
				}
			}
			if t.flags&fProvider != 0 {
				has |= hasProvider
			}
		case tNumber:
			has |= hasNumber | hasNumeric
		case tSymbol:
			switch {
			case t.ch == '@' || t.ch == ':':
				has |= hasAt
			case t.ch != '.' || i+1 >= len(toks):
			case t.gap == gapNone && toks[i+1].gap == gapNone:
				has |= hasDot
			case t.gap != gapNone && toks[i+1].gap != gapNone:
				has |= hasSaidDot
			}
		}
	}
	return raw, has
}

// maxKept is how many tokens a scan keeps room for: one huge call must not hold memory for good.
const maxKept = 1 << 15

func (e *Engine) close(s *scan) {
	if cap(s.toks) <= maxKept && cap(s.run.canon)+cap(s.next.canon) <= maxKept && cap(s.texts) <= maxKept && cap(s.spans) <= maxKept {
		clear(s.texts)
		s.text = ""
		s.known.clear()
		e.scratch.Put(s)
	}
}

// maxRounds bounds how often a call is searched.
const maxRounds = 12

// all searches the call until no text yields another value: what is found becomes a tag, and a text with tags in it is
// searched just like one that came with them. A text that yielded nothing yields nothing again as long as it, the known
// addresses and what the dialog has in mind before it are the same.
func (s *scan) all() {
	for round := range maxRounds {
		s.found = s.found[:0]
		s.dialog.reset()
		known := s.emails
		s.emails = len(s.known.emails)
		for i := range s.texts {
			t := &s.texts[i]
			answer := len(s.dialog.words) > 0
			last := i == len(s.texts)-1 // whose cues the sweep reads
			if t.same && !s.again && !answer && !last && s.emails == known && t.before == s.dialog.heard {
				s.dialog.heard = t.behind
				continue
			}
			t.before = s.dialog.heard
			s.detect(i)
			t.behind, t.same = s.dialog.heard, !answer
		}
		s.sweep(round)
		if len(s.found) == 0 {
			break
		}
		s.collapse()
	}
	slices.SortFunc(s.spans, func(a, b Span) int {
		if a.Text != b.Text {
			return a.Text - b.Text
		}
		return a.Start - b.Start
	})
}

// mark adds a value of the current text, unless one of its tokens is taken.
func (s *scan) mark(a, b int, k kind, rule string) bool {
	if a >= b || s.eng.keep.has(k) {
		return false
	}
	for i := a; i < b; i++ {
		if s.taken(i) {
			return false
		}
	}
	if s.eng.allows(s.text[s.toks[a].start:s.toks[b-1].end]) {
		return false
	}
	if k == kPerson {
		a = s.title(a)
	}
	for i := a; i < b; i++ {
		s.toks[i].mark = k
	}
	s.found = append(s.found, found{text: s.ti, a: a, b: b, kind: k, rule: rule})
	return true
}

// title returns where a name begins with the title before it.
func (s *scan) title(a int) int {
	lo := s.texts[s.ti].lo
	i := a - 1
	if i > lo && s.toks[i].is('.') && s.toks[i].gap == gapNone {
		i--
	}
	if i >= lo && s.toks[i].kind == tWord && s.toks[i].flags&fTitle != 0 && !s.taken(i) && (i == a-1 || !s.taken(i+1)) {
		return i
	}
	return a
}

func (s *scan) taken(i int) bool { return s.toks[i].mark != noKind }

// collapse turns the values of a round into spans and tags.
func (s *scan) collapse() {
	slices.SortFunc(s.found, func(x, y found) int { return x.a - y.a })
	out, k := 0, 0
	f := 0
	for i := range s.texts {
		t := &s.texts[i]
		lo := out
		for k = t.lo; k < t.hi; {
			if f < len(s.found) && s.found[f].a == k {
				f = s.join(f)
				v := &s.found[f]
				s.spans = append(s.spans, s.span(v))
				tag := token{start: s.toks[v.a].start, end: s.toks[v.b-1].end, kind: tTag, gap: s.toks[v.a].gap, mark: v.kind, dull: true}
				s.toks[out] = tag
				t.same = false
				k, out, f = v.b, out+1, f+1
				continue
			}
			s.toks[out] = s.toks[k]
			k, out = k+1, out+1
		}
		t.lo, t.hi = lo, out
	}
	s.toks = s.toks[:out]
}

// join makes one of values of words that follow one another, and returns its index.
func (s *scan) join(f int) int {
	for f+1 < len(s.found) {
		v, n := &s.found[f], &s.found[f+1]
		if v.kind != n.kind || v.text != n.text || v.kind != kAddress && v.kind != kPerson && v.kind != kEmail {
			break
		}
		gap := n.a - v.b
		if gap > 2 || gap > 0 && v.kind != kAddress {
			break
		}
		for i := v.b; i < n.a; i++ {
			if !s.toks[i].is(',') {
				return f
			}
		}
		n.a = v.a
		f++
	}
	return f
}

func (s *scan) span(v *found) Span {
	start, end := int(s.toks[v.a].start), int(s.toks[v.b-1].end)
	return Span{Text: v.text, Start: start, End: end, Type: s.eng.types[v.kind], Rule: v.rule, Group: v.group, Value: s.canonical(v)}
}

// detect finds the values of one text.
func (s *scan) detect(i int) {
	t := &s.texts[i]
	s.ti, s.text = i, t.s
	first := len(s.found)
	s.findCues(t)
	if t.has&hasAt != 0 {
		s.web(t)
	}
	if len(s.known.emails) > 0 {
		s.knownEmails(t)
	}
	if t.has&hasDot != 0 {
		s.spokenURLs(t)
	}
	if t.has&hasSaidDot != 0 {
		s.spokenEmails(t)
	}
	if t.has&hasProvider != 0 {
		s.domainsWithoutAt(t)
	}
	s.askedAddress(t)
	s.codes(t)
	if t.has&(hasNumeric|hasUnit) != 0 {
		s.addresses(t)
	}
	if t.has&hasNumber != 0 && !t.raw {
		s.foreign(t)
	}
	s.answers(t)
	s.cuedWords(t)
	s.names(t)
	s.dialog.after(s, t, first)
}

// findCues lists the phrases of the text that tell of values.
func (s *scan) findCues(t *textInfo) {
	s.cues = s.cues[:0]
	for i := t.lo; i < t.hi; i++ {
		tok := &s.toks[i]
		if tok.flags&fCue == 0 || tok.kind != tWord || tok.mark != noKind {
			continue
		}
		tok.flags &^= fCueHere
		if n, k := s.match(s.eng.lex.cues.get(tok.hash), i, t.hi); n > 0 {
			s.cues = append(s.cues, cue{a: i, b: i + n, kinds: k})
			tok.flags |= fCueHere
			for i++; n > 1; n-- {
				s.toks[i].flags &^= fCueHere
				i++
			}
			i--
		}
	}
}

// cuesBefore returns how many cues end at token i or before.
func (s *scan) cuesBefore(i int) int {
	lo, hi := 0, len(s.cues)
	for lo < hi {
		if m := (lo + hi) / 2; s.cues[m].b <= i {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// cueNear tells whether a cue of one of the types ends shortly before token i.
func (s *scan) cueNear(i int, ks kinds) bool {
	for c := s.cuesBefore(i) - 1; c >= 0 && s.cues[c].b > i-5; c-- {
		if s.cues[c].kinds.any(ks) {
			return true
		}
	}
	return false
}

// cueAt tells whether a cue begins at token i.
func (s *scan) cueAt(i int) bool { return s.toks[i].flags&fCueHere != 0 }

// match returns the length of the longest phrase at token i, and what it tells.
func (s *scan) match(ps []phrase, i, hi int) (n int, k kinds) {
	for p := range ps {
		w := ps[p].words
		if len(w)+1 <= n || i+len(w) >= hi {
			continue
		}
		j, m := i+1, 0
		for ; m < len(w) && j < hi; j++ {
			t := &s.toks[j]
			if t.kind == tSymbol && t.gap == gapNone && (t.ch == '.' || t.ch == '-' || t.ch == '\'') { // d.o.b., e-mail
				continue
			}
			if t.hash != w[m] || t.kind != tWord || t.mark != noKind {
				break
			}
			m++
		}
		if m == len(w) && j-i > n {
			n, k = j-i, ps[p].kinds
		}
	}
	return n, k
}
