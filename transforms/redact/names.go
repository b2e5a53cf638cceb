package redact

import "strings"

// names marks names of people: behind a cue, known ones, and such as the lists and their shape tell.
func (s *scan) names(t *textInfo) {
	if s.known.script != "" {
		s.script(t)
	}
	for i := t.lo; i < t.hi; i++ {
		w := &s.toks[i]
		if w.kind != tWord || s.taken(i) {
			continue
		}
		switch {
		case w.flags&fKnown != 0:
			i = max(i, s.knownName(t, i)-1)
		case w.flags&fWeakKnown != 0 && s.weakKnown(t, i):
		case w.flags&fNameCue != 0 && s.cuedName(t, i):
		case w.flags&fTitle != 0 && i+1 < t.hi && s.titled(t, i):
		case w.first() != 0 || w.last() != 0 || w.caps != capNone && w.word() == 0 && w.ch == 0:
			n := s.listed(t, i)
			for i+1 < n && s.toks[i+1].flags&(fKnown|fWeakKnown) == 0 { // a title can hold a name that is known
				i++
			}
		}
	}
}

// titled marks the title at i and the name behind it.
func (s *scan) titled(t *textInfo, i int) bool {
	j := i + 1
	if s.toks[j].is('.') && j+1 < t.hi {
		j++
	}
	w := &s.toks[j]
	if w.kind != tWord || s.taken(j) || w.flags&(fStop|fStreet) != 0 && w.caps == capNone || w.flags&fState != 0 && w.caps == capNone && w.last() == 0 || w.ch != 0 {
		return false
	}
	if s.toks[i].caps == capNone && !t.raw || s.toks[i].hash == hMs && t.raw && w.word() != 0 {
		return false
	}
	if w.caps != capNone || w.word() == 0 || w.last() == 1 {
		if w.caps == capNone && w.word() == 1 && w.first() == 0 && w.last() != 1 {
			return false
		}
		return s.mark(i, s.nameEnd(t, j, false), kPerson, "title")
	}
	return false
}

var hMs = hashWord("ms")

// cuedName marks the name behind the phrase that begins at i.
func (s *scan) cuedName(t *textInfo, i int) bool {
	n, _ := s.match(s.eng.lex.names.get(s.toks[i].hash), i, t.hi)
	if n == 0 {
		return false
	}
	j := i + n
	for j < t.hi && (s.toks[j].flags&fFiller != 0 || s.toks[j].is(',') || s.toks[j].is(':') || s.toks[j].flags&fTitle != 0 || s.toks[j].is('.') && s.toks[j-1].flags&fTitle != 0) {
		j++
	}
	if j >= t.hi || s.taken(j) || s.toks[j].kind != tWord {
		return false
	}
	w := &s.toks[j]
	if w.flags&fKnown != 0 || w.flags&fWeakKnown != 0 && (n >= 2 || w.caps != capNone) {
		b := s.knownName(t, j)
		return b > j && s.taken(j)
	}
	strong := s.toks[i].hash == hName || n >= 2 && (s.toks[i+n-1].hash == hIs || s.toks[i+n-2].hash == hName || s.toks[i+1].hash == hName || s.toks[i+1].hash == hNames)
	strong = strong && !(n == 2 && s.toks[i].hash == hIt) && !(n == 2 && s.toks[i].hash == hThis)
	if s.toks[i].hash == hName && n == 1 && s.toks[j].caps == capNone && t.role == roleAgent {
		return false
	}
	if strong && s.nameWord(t, j) && (w.ch == 0 || w.caps != capNone) {
		if w.word() == 1 && w.first() == 0 && w.caps == capNone || w.flags&fStop != 0 && w.caps == capNone {
			return false
		}
		b := s.nameEnd(t, j, true)
		if b-j == 1 && w.caps == capNone && w.word() != 0 && w.word() < 3 && w.first() != 1 {
			return false
		}
		return s.markName(t, j, b, "cue")
	}
	if strong && w.flags&fStop != 0 && w.first() == 1 && (j+1 == t.hi || s.toks[j+1].kind == tSymbol || s.toks[j+1].last() != 0 && s.toks[j+1].word() == 0) {
		return s.markName(t, j, s.nameEnd(t, j, true), "cue")
	}
	return s.weakName(t, i, n, j)
}

// weakName marks the name behind words that other things follow too: "this is", "thanks", "for".
func (s *scan) weakName(t *textInfo, i, n, j int) bool {
	w := &s.toks[j]
	if w.flags&(fStop|fPlace|fState|fOrg|fStreet) != 0 || w.ch != 0 {
		return false
	}
	good := w.first() != 0 && w.first() <= 2 && (w.word() == 0 || w.word() == 3 && w.first() == 1)
	next := j + 1
	if next+1 < t.hi && s.toks[next].letter() != 0 && s.toks[next].ch != 'i' && s.toks[next].ch != 'a' && s.toks[next].gap != gapNone {
		next++
	}
	pair := next < t.hi && s.toks[next].kind == tWord && !s.taken(next) && s.toks[next].gap != gapNone &&
		(s.toks[next].last() != 0 && s.toks[next].word() != 1 || s.toks[next].word() == 0 && (s.toks[next].caps != capNone || t.raw)) && s.toks[next].flags&(fOrg|fStreet|fPlace|fStop) == 0
	if s.toks[i].hash == hThis && n == 2 || s.toks[i].hash == hI || s.toks[i].hash == hIm || s.toks[i].hash == hSpeaking {
		if w.caps != capNone && !t.raw && w.word() == 0 || w.first() == 1 && w.word() != 1 && pair {
			good = true
		}
		if t.raw && w.word() == 0 && (w.first() != 0 || w.last() != 0) && (next >= t.hi || pair || s.toks[next].flags&fStop != 0 || s.toks[next].kind == tSymbol) {
			good = true
		}
		if t.raw && w.word() == 0 && next >= t.hi && s.toks[i].hash == hThis {
			good = true
		}
		if w.first() == 1 && pair && s.toks[next].last() != 0 {
			good = true
		}
	}
	if w.caps != capNone && !t.raw && w.first() != 0 && w.first() <= 2 && (s.toks[i].caps == capNone || n > 1 || s.sentenceStart(t, i)) && (w.word() != 1 || w.first() == 1 && w.last() != 0) && w.class == nNone {
		good = true
	}
	if w.first() == 1 && pair && w.class == nNone && s.toks[next].last() != 0 && s.toks[next].word() == 0 {
		good = true
	}
	if !good {
		return false
	}
	return s.markName(t, j, s.nameEnd(t, j, false), "phrase")
}

var hI, hSpeaking, hNames, hIt = hashWord("i"), hashWord("speaking"), hashWord("names"), hashWord("it")

func (s *scan) markName(t *textInfo, a, b int, rule string) bool {
	if s.keepsName(a, b) || s.orgAfter(t, b) && !(t.raw && rule == "cue") {
		return false
	}
	if s.mark(a, b, kPerson, rule) {
		s.dialog.want &^= kPerson.bit()
		return true
	}
	return false
}

// keepsName tells whether the words are a name that stays: the agent's.
func (s *scan) keepsName(a, b int) bool {
	for i := a; i < b; i++ {
		if s.toks[i].flags&fKeep == 0 {
			return false
		}
	}
	return true
}

// orgAfter tells whether a word follows that makes the name one of a place or a company.
func (s *scan) orgAfter(t *textInfo, b int) bool {
	if b+1 < t.hi && s.toks[b].is('\'') && s.toks[b+1].ch == 's' {
		b += 2
	}
	for n := 0; n < 3 && b < t.hi && s.toks[b].kind == tWord && !s.taken(b); n++ {
		w := &s.toks[b]
		if w.flags&fOrg != 0 || n == 0 && w.flags&fStreet != 0 && w.caps != capNone {
			return true
		}
		if w.caps == capNone && !(t.raw && w.flags&(fStop|fAck|fFiller|fCue) == 0) {
			return false
		}
		b++
	}
	return false
}

// listed marks the name that begins at i by the lists and by capitals, and returns the token behind it.
func (s *scan) listed(t *textInfo, i int) int {
	w := &s.toks[i]
	if w.ch != 0 || w.flags&(fOrg|fStop) != 0 || w.class == nMonth || w.flags&fKeep != 0 {
		return i
	}
	if i > t.lo && s.toks[i-1].kind == tWord && !s.taken(i-1) && s.toks[i-1].caps != capNone && !t.raw && s.toks[i-1].flags&(fStop|fAck) == 0 && s.toks[i].gap == gapSpace && !s.sentenceStart(t, i-1) && s.toks[i-1].word() != 0 && s.toks[i-1].first() == 0 {
		return i // in the middle of a title
	}
	if t.raw {
		return s.listedRaw(t, i)
	}
	if w.caps == capNone {
		return i
	}
	if w.caps == capAll && w.len() <= 4 && w.first() != 1 {
		return i
	}
	b := s.capsEnd(t, i)
	if s.orgAfter(t, b) || b < t.hi && s.toks[b].hash == hOfficial {
		return b
	}
	first, last := w, &s.toks[b-1]
	words := b - i
	start := s.sentenceStart(t, i)
	switch {
	case words >= 2:
		ok := first.first() != 0 && first.flags&fPlace == 0 && (first.word() == 0 || first.first() <= 2) && (last.last() != 0 || last.word() == 0 || last.first() != 0 || last.ch != 0)
		ok = ok || last.last() != 0 && last.word() == 0 && first.word() == 0 && first.flags&fPlace == 0 && last.flags&(fPlace|fState) == 0
		ok = ok || first.word() == 0 && last.word() == 0 && (first.flags|last.flags)&(fPlace|fState) == 0 && first.caps == capFirst && last.caps == capFirst &&
			(s.personal(t, i, b) || i == t.lo || !placeCue(s.toks[i-1].hash) && !s.toks[i-1].is('#'))
		if start && first.word() == 1 && first.first() != 1 {
			ok = false
		}
		if last.flags&fState != 0 && last.len() == 2 {
			ok = false
		}
		if ok && s.markName(t, i, b, "list") {
			return b
		}
	case first.flags&(fPlace|fState) == 0:
		if i > t.lo && placeCue(s.toks[i-1].hash) || start && b < t.hi && s.toks[b].kind == tWord && s.toks[b].hash == hSounds {
			break
		}
		ok := first.first() != 0 && first.first() <= 2 && first.word() == 0
		ok = ok || first.word() == 0 && first.last() != 0 && first.last() <= 2 && first.len() > 3 && !start
		ok = ok || first.word() == 0 && start && first.len() > 3 && b < t.hi && (s.toks[b].is(',') && b+1 < t.hi && s.toks[b+1].hash == hCan || s.toks[b].is(':') && first.last()+first.first() != 0 || s.toks[b].hash == hIs && first.last()+first.first() != 0)
		ok = ok || first.first() == 3 && first.word() == 0 && (first.last() == 0 || s.personal(t, i, b))
		ok = ok || first.word() == 0 && (s.personal(t, i, b) || s.besideName(t, i, b) || start && first.len() > 3 && s.pronoun(t, b))
		if ok && s.markName(t, i, b, "list") {
			return b
		}
	}
	return max(b, i+1)
}

// placeCue tells words that stand before the names of places.
func placeCue(h uint64) bool {
	switch h {
	case hIn, hFrom, hTo, hAt, hNear, hThe, hAround, hVisit, hA, hAn:
		return true
	}
	return false
}

var (
	hOfficial, hFrom, hTo, hNear  = hashWord("official"), hashWord("from"), hashWord("to"), hashWord("near")
	hAround, hVisit, hAn, hSounds = hashWord("around"), hashWord("visit"), hashWord("an"), hashWord("sounds")
)

// capsEnd returns the token behind the capitalized words from i on.
func (s *scan) capsEnd(t *textInfo, i int) int {
	b := i + 1
	for j := b; j < t.hi && j < i+7 && !s.taken(j); j++ {
		w := &s.toks[j]
		if w.kind == tSymbol && w.gap == gapNone && (w.ch == '-' || w.ch == '\'') && j+1 < t.hi && s.toks[j+1].gap == gapNone && s.toks[j+1].caps != capNone && s.toks[j+1].kind == tWord {
			continue
		}
		if w.kind == tSymbol && w.ch == '.' && w.gap == gapNone && s.toks[j-1].ch != 0 && s.toks[j-1].kind == tWord {
			continue
		}
		if w.kind == tWord && w.gap == gapSpace && s.particle(w) && j+1 < t.hi && s.toks[j+1].caps != capNone && s.toks[j+1].kind == tWord {
			continue
		}
		if w.kind != tWord || w.caps == capNone || w.gap == gapLine || w.flags&(fStop|fOrg|fStreet) != 0 && w.ch == 0 || w.ch == 'i' && !s.toks[min(j+1, t.hi-1)].is('.') {
			break
		}
		if w.word() == 1 && w.first() == 0 && w.last() == 0 && w.ch == 0 {
			break
		}
		b = j + 1
	}
	if b < t.hi && s.toks[b].is('.') && s.toks[b-1].ch != 0 && b+1 < t.hi && s.toks[b+1].caps == capNone && s.toks[b+1].kind == tWord {
		b++
	}
	return b
}

// besideName tells whether a name that was found stands beside the word: "Lamovec and [PERSON]".
func (s *scan) besideName(t *textInfo, a, b int) bool {
	if b+1 < t.hi && (s.toks[b].hash == hAnd || s.toks[b].is(',')) && s.toks[b+1].mark == kPerson {
		return true
	}
	return a-2 >= t.lo && (s.toks[a-1].hash == hAnd || s.toks[a-1].is(',')) && s.toks[a-2].mark == kPerson
}

// pronoun tells whether the text goes on about him or her.
func (s *scan) pronoun(t *textInfo, b int) bool {
	if b >= t.hi || s.toks[b].kind != tWord || s.toks[b].flags&fStop == 0 {
		return false
	}
	for i := b; i < t.hi && i < b+25; i++ {
		switch s.toks[i].hash {
		case hHe, hShe, hHis, hHer, hHim:
			return true
		}
	}
	return false
}

var hHe, hShe, hHis, hHer, hHim = hashWord("he"), hashWord("she"), hashWord("his"), hashWord("her"), hashWord("him")

// personal tells whether what stands around a word is what is said of people.
func (s *scan) personal(t *textInfo, a, b int) bool {
	if b < t.hi {
		n := &s.toks[b]
		if n.is('\'') && b+1 < t.hi && s.toks[b+1].ch == 's' && b+2 < t.hi {
			switch s.toks[b+2].hash {
			case hKid, hWife, hHusband, hSon, hDaughter, hMother, hFather, hBirthday, hNumber, hEmail, hPhone, hAddress, hAppointment, hAccount, hRide:
				return true
			}
			return false
		}
		switch n.hash {
		case hExplained, hRetired, hMoved, hLives, hSays, hSaid, hWill, hAsked, hWrote, hBegan, hWants, hCalled, hWorks, hBorn, hHere, hSpeaking, hTold, hFlew, hSpoke:
			return true
		}
	}
	if a > t.lo {
		switch s.toks[a-1].hash {
		case hNamed, hSays, hCalled, hWife, hHusband, hSon, hDaughter, hBrother, hSister, hMother, hFather, hSaid, hDear:
			return true
		}
	}
	return false
}

var (
	hKid, hWife, hHusband, hSon, hDaughter = hashWord("kid"), hashWord("wife"), hashWord("husband"), hashWord("son"), hashWord("daughter")
	hMother, hFather, hBirthday, hEmail    = hashWord("mother"), hashWord("father"), hashWord("birthday"), hashWord("email")
	hPhone, hAddress, hAppointment         = hashWord("phone"), hashWord("address"), hashWord("appointment")
	hAccount, hRide, hLives, hSays, hSaid  = hashWord("account"), hashWord("ride"), hashWord("lives"), hashWord("says"), hashWord("said")
	hAsked, hWrote, hBegan, hWants         = hashWord("asked"), hashWord("wrote"), hashWord("began"), hashWord("wants")
	hCalled, hWorks, hBorn, hHere, hTold   = hashWord("called"), hashWord("works"), hashWord("born"), hashWord("here"), hashWord("told")
	hFlew, hSpoke, hNamed, hBrother        = hashWord("flew"), hashWord("spoke"), hashWord("named"), hashWord("brother")
	hExplained, hRetired, hMoved           = hashWord("explained"), hashWord("retired"), hashWord("moved")
	hSister, hDear                         = hashWord("sister"), hashWord("dear")
)

// listedRaw marks names in text without capitals: a first name that is no other word, with or without a last name.
func (s *scan) listedRaw(t *textInfo, i int) int {
	w := &s.toks[i]
	if w.first() == 0 || w.flags&(fPlace|fState) != 0 || w.class != nNone && w.class != nNato {
		return i
	}
	j := i + 1
	if j+1 < t.hi && s.toks[j].ch != 0 && s.toks[j].ch != 'i' && s.toks[j].ch != 'a' && s.toks[j].kind == tWord && s.toks[j+1].last() != 0 {
		j++
	}
	if j < t.hi && s.toks[j].is('-') && j+1 < t.hi && s.toks[j].gap == gapNone {
		j++
	}
	if j < t.hi && s.toks[j].kind == tWord && !s.taken(j) && s.toks[j].gap != gapLine {
		n := &s.toks[j]
		plain := n.flags&(fStop|fOrg|fStreet|fPlace|fState|fUnit|fCue|fAck) == 0
		switch {
		case plain && w.first() <= 2 && w.word() == 0 && (n.last() != 0 && (n.word() == 0 || n.word() == 3 && n.last() <= 2 || n.last() == 1)),
			plain && w.first() == 1 && w.word() != 1 && n.last() != 0 && n.word() == 0,
			plain && w.word() == 0 && n.last() != 0 && n.word() == 0:
			if s.orgAfter(t, j+1) {
				return j + 1
			}
			if s.markName(t, i, s.nameEnd(t, i, false), "list") {
				return j + 1
			}
		}
		if n.flags&(fOrg|fStreet|fPlace) != 0 {
			return i
		}
	}
	if w.word() == 0 && w.first() <= 2 && i+1 < t.hi && (s.toks[i+1].hash == hHere || s.toks[i+1].hash == hSpeaking) {
		s.markName(t, i, i+1, "list")
		return i + 1
	}
	return i
}

// script marks a known name in a script without spaces.
func (s *scan) script(t *textInfo) {
	at, k := 0, t.lo
	for {
		n := strings.Index(s.text[at:], s.known.script)
		if n < 0 {
			return
		}
		lo, hi := at+n, at+n+len(s.known.script)
		at = hi
		for k < t.hi && int(s.toks[k].start) < lo {
			k++
		}
		e := k
		for e < t.hi && int(s.toks[e].end) <= hi {
			e++
		}
		if k < e && int(s.toks[k].start) == lo && int(s.toks[e-1].end) == hi {
			s.mark(k, e, kPerson, "known")
		}
	}
}

// weakKnown marks a part of a known name that is a word as well: beside another part, or where a word has no capital.
func (s *scan) weakKnown(t *textInfo, i int) bool {
	w := &s.toks[i]
	alone := t.hi-t.lo <= 2
	next := i + 1
	if next < t.hi && s.toks[next].is(',') {
		next++
	}
	beside := next < t.hi && s.toks[next].flags&(fKnown|fWeakKnown) != 0 && s.toks[next].hash != w.hash && !s.taken(next)
	capital := w.caps != capNone && !t.raw && !s.sentenceStart(t, i) && !(i+1 < t.hi && (s.numeric(i+1, t.hi) || s.toks[i+1].class == nOrdinal)) && !(w.class == nMonth && placeCue(s.toks[i-1].hash))
	if !alone && !beside && !capital {
		return false
	}
	return s.knownName(t, i) > i
}

// knownName marks a part of a known name with the parts that follow it.
func (s *scan) knownName(t *textInfo, i int) int {
	b := i + 1
	for j := b; j < t.hi && j < i+10; j++ {
		w := &s.toks[j]
		if s.taken(j) {
			break
		}
		if w.kind == tWord && w.flags&(fKnown|fWeakKnown) != 0 {
			again := false
			for k := i; k < j; k++ {
				again = again || s.toks[k].hash == w.hash && s.toks[k].kind == tWord
			}
			if again {
				break
			}
			b = j + 1
			continue
		}
		if w.kind == tSymbol && (w.ch == ',' || w.ch == '.' || w.ch == '-' || w.ch == '\'') && w.gap == gapNone || w.kind == tWord && (s.particle(w) || w.ch != 0 && w.ch != 's' && w.gap != gapNone) && w.gap != gapLine {
			continue
		}
		break
	}
	if s.mark(i, b, kPerson, "known") {
		return b
	}
	return i + 1
}
