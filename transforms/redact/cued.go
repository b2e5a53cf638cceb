package redact

import "slices"

// stretch marks the tokens from a to b that are not taken.
func (s *scan) stretch(a, b int, k kind, rule string) {
	for a < b {
		for a < b && (s.taken(a) || s.toks[a].kind == tSymbol) {
			a++
		}
		e := a
		for e < b && !s.taken(e) {
			e++
		}
		end := e
		for end > a && s.toks[end-1].kind == tSymbol {
			end--
		}
		s.mark(a, end, k, rule)
		a = e
	}
}

// lastCue returns the end of the last cue of the type in the turn.
func (s *scan) lastCue(t *textInfo, k kind) int {
	for _, c := range slices.Backward(s.cues) {
		if c.kinds.has(k) {
			return c.b
		}
	}
	return 0
}

// addressEnd returns the end of the address at i, how much in it speaks for one, and how many words are unusual.
func (s *scan) addressEnd(t *textInfo, i int) (b, strong, content int) {
	b = i
	stops := 0
	for j := i; j < t.hi && j < i+40; j++ {
		w := &s.toks[j]
		if s.taken(j) {
			if w.mark == kAddress {
				strong += 2
				b = j + 1
				continue
			}
			return b, strong, content
		}
		if w.kind == tSymbol {
			if w.ch == '?' || w.ch == '!' || w.ch == '$' || w.ch == '.' && j+1 < t.hi && s.toks[j+1].gap != gapNone && w.gap == gapNone && s.toks[j+1].caps != capNone && s.toks[j-1].len() > 4 {
				return b, strong, content
			}
			continue
		}
		if w.flags&fCueHere != 0 && w.kind == tWord && j > i {
			if c := s.cuesBefore(j); c < len(s.cues) && s.cues[c].a == j && !s.cues[c].kinds.has(kAddress) {
				return b, strong, content
			}
		}
		switch {
		case w.hash == hNo && s.numeric(j+1, t.hi):
			continue
		case w.hash == hUs && j+1 == t.hi && strong+content > 0:
		case w.kind == tNumber, w.class == nDigit, w.class == nTens, w.class == nTeen, w.class == nRepeat, w.class == nScale:
			if j+1 < t.hi && s.toks[j+1].flags&fUnit != 0 && s.toks[j+1].flags&fStreet == 0 {
				return b, strong, content
			}
			strong++
		case w.flags&(fStreet|fApt) != 0 && w.flags&fStop == 0, w.flags&fState != 0 && w.len() > 2:
			strong++
		case w.flags&(fStop|fAck) != 0 && w.flags&(fDir|fState) == 0 && !(w.hash == hNo && s.numeric(j+1, t.hi)):
			if stops++; stops > 2 || w.flags&fAck != 0 {
				return b, strong, content
			}
			continue
		case w.word() == 1 && w.caps == capNone && w.last() == 0 && w.flags&fDir == 0:
			if strong == 0 && content == 0 && !s.numeric(j+1, t.hi) {
				return b, strong, content
			}
		case w.flags&fFiller != 0:
			continue
		case w.word() == 0 || w.word() == 3 || w.caps != capNone && j > i || w.flags&(fDir|fPlace|fState) != 0 || w.first()+w.last() != 0 && w.word() != 1:
			content++
		case strong == 0 && content == 0:
			return b, strong, content
		}
		stops = 0
		b = j + 1
	}
	return b, strong, content
}

// answerWords marks the words that answer a question for a password, a user name or a secret.
func (s *scan) answerWords(t *textInfo, k kind) {
	if s.refuses(t) {
		return
	}
	i := s.leadIn(t, t.lo)
	if i >= t.hi {
		return
	}
	b := s.secretEnd(t, i, k)
	if rest := t.hi - b; b == i || rest > 9 && i-t.lo < 2 && (s.toks[i].word() != 0 || k != kAnswer) {
		return
	}
	if w := &s.toks[i]; w.kind == tWord && (w.word() == 1 || w.word() == 2 || w.flags&fPlace != 0 && k == kUsername) && w.first()+w.last() == 0 {
		if k == kUsername || b-i > 2 || s.dialog.age > 1 || t.hi-b > 2 || s.wishes(t) {
			return
		}
	}
	if s.mark(i, b, k, "question") {
		s.answered(i, b, k)
	}
}

// secretEnd returns the end of the words that can be a secret or a user name.
func (s *scan) secretEnd(t *textInfo, i int, k kind) int {
	b, n := i, 0
	for j := i; j < t.hi && !s.taken(j); j++ {
		w := &s.toks[j]
		if w.kind == tSymbol {
			if w.gap == gapNone && j+1 < t.hi && s.toks[j+1].gap == gapNone || s.symbolAt(j) == '-' || w.ch == ',' && j > i && s.codeLike(j-1, t.hi) && s.codeLike(j+1, t.hi) || w.ch == '.' && j+1 < t.hi && s.codeLike(j+1, t.hi) {
				continue
			}
			if k == kPassword && w.gap == gapNone && w.ch != '.' && w.ch != ',' && w.ch != '?' {
				b = j + 1
				continue
			}
			break
		}
		if w.kind == tWord && w.flags&(fStop|fAck) != 0 && w.class == nNone && w.ch == 0 && s.symbolAt(j) == 0 {
			break
		}
		if w.flags&fFiller != 0 || w.letter() == 'i' && j+1 < t.hi && s.toks[j+1].flags&fStop != 0 && s.toks[j+1].kind == tWord {
			if w.ch == 'i' {
				break
			}
			continue
		}
		if w.kind == tWord && w.ch == 0 && w.class == nNone {
			if n++; n > 4 {
				break
			}
		}
		b = j + 1
	}
	return b
}

// cuedWords marks passwords, user names and secrets behind their names: "the password is hunter two".
func (s *scan) cuedWords(t *textInfo) {
	for c := range s.cues {
		cu := &s.cues[c]
		if cu.used {
			continue
		}
		if cu.kinds.has(kAccount) {
			s.cuedLetters(t, cu)
		}
		for _, k := range [...]kind{kUsername, kPassword, kAnswer, kURL} {
			if cu.kinds.has(k) {
				s.cuedWord(t, cu, k)
			}
		}
	}
}

// cuedLetters marks a code of capitals behind its cue: "your confirmation number is CWVLEQ".
func (s *scan) cuedLetters(t *textInfo, c *cue) {
	i := c.b
	if i < t.hi && (s.toks[i].hash == hIs || s.toks[i].is(':')) {
		i++
	}
	if i >= t.hi || i == c.b && s.toks[i-1].hash != hIs || s.taken(i) {
		return
	}
	w := &s.toks[i]
	if w.kind == tWord && (w.caps == capAll && !t.raw || t.raw && w.word() == 0 && w.first()+w.last() == 0) && w.flags&fStop == 0 && w.len() >= 4 && w.len() <= 10 && s.mark(i, i+1, kAccount, "cue") {
		c.used = true
		s.answered(i, i+1, kAccount)
	}
}

func (s *scan) cuedWord(t *textInfo, c *cue, k kind) {
	i, is := c.b, false
	for i < t.hi && i < c.b+4 {
		w := &s.toks[i]
		if w.hash == hIs || w.hash == hWas || w.hash == hIts || w.is(':') || w.is('=') || w.class == nSymbol && w.val == '=' {
			is = true
		} else if !(w.flags&(fStop|fFiller) != 0 && w.kind == tWord && !is) && !(is && (w.flags&fFiller != 0 || w.hash == hA)) && !w.is('"') && !w.is(',') {
			break
		}
		i++
	}
	if !is && s.toks[c.b-1].hash == hIs {
		is = true
	}
	if !is || i >= t.hi || s.taken(i) || s.toks[i].flags&(fStop|fAck) != 0 && s.toks[i].kind == tWord {
		return
	}
	if k == kURL {
		return
	}
	b := s.secretEnd(t, i, k)
	if b > i && s.mark(i, b, k, "cue") {
		c.used = true
		s.answered(i, b, k)
	}
}
