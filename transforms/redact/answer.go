package redact

// answers marks what a caller's turn answers to a question for words: a name, an address, a password.
func (s *scan) answers(t *textInfo) {
	d := &s.dialog
	want := d.want
	if t.role != roleUser {
		return
	}
	if want.has(kEmail) || d.open == kEmail || s.lastCue(t, kEmail) > 0 {
		s.answerEmail(t)
	}
	if d.age > wordTurns {
		return
	}
	if want.has(kPerson) {
		s.shortName(t)
		s.answerName(t)
	}
	for _, k := range [...]kind{kUsername, kPassword, kAnswer} {
		if want.has(k) {
			s.answerWords(t, k)
		}
	}
	for _, k := range [...]kind{kAccount, kOTP, kPassport} {
		if want.has(k) {
			s.answerLetters(t, k)
		}
	}
}

// echoWords marks the words of the last answer where the agent says them again.
func (s *scan) echoWords(t *textInfo) {
	w := s.dialog.words
	if len(w) == 0 {
		return
	}
	for i := t.lo; i < t.hi; i++ {
		if s.taken(i) || s.tokenHash(i) != w[0] {
			continue
		}
		j, n := i, 0
		for j < t.hi && n < len(w) && !s.taken(j) {
			if h := s.tokenHash(j); h == w[n] {
				n++
			} else if h != 0 {
				break
			}
			j++
		}
		if n == len(w) {
			s.mark(i, j, s.dialog.last, "echo")
			i = j
		}
	}
}

// answered notes the words that were given for a question.
func (s *scan) answered(a, b int, k kind) {
	d := &s.dialog
	d.want &^= k.bit()
	d.last, d.lastAge = k, 0
	d.words = d.words[:0]
	for i := a; i < b && len(d.words) < 12; i++ {
		if h := s.tokenHash(i); h != 0 {
			d.words = append(d.words, h)
		}
	}
}

// answerLetters marks a code of letters that is written as a word: "XKQZRT".
func (s *scan) answerLetters(t *textInfo, k kind) {
	i := s.leadIn(t, t.lo)
	if i >= t.hi {
		return
	}
	if w := &s.toks[i]; w.kind == tWord && w.word() == 0 && w.first() == 0 && w.flags == w.flags&(tierMask<<lastShift) && w.len() >= 4 && w.len() <= 10 && t.hi-i <= 3 {
		if s.mark(i, i+1, k, "question") {
			s.answered(i, i+1, k)
		}
	}
}

// wordTurns is how many turns a question for words stands: other words come soon.
const wordTurns = 2

// askedAddress marks the answer to a question for an address, before its numbers are taken for others, and what the
// agent says again of it.
func (s *scan) askedAddress(t *textInfo) {
	d := &s.dialog
	if t.role == roleAgent && len(d.words) > 0 && d.lastAge <= 2 {
		s.echoWords(t)
	}
	switch {
	case t.role == roleUser && d.last == kAddress && d.lastAge <= 2 && s.fixes(t) && !d.want.any(s.eng.codes):
		s.answerAddress(t)
	case t.role == roleUser && (d.want.has(kAddress) && d.age <= 4 || d.open == kAddress && d.openAge <= 3):
		s.answerAddress(t)
	case t.role == roleAgent && d.last == kAddress && d.lastAge <= 2 && s.confirms(t) && !s.asksNew(t):
		s.answerAddress(t)
	}
}

// asksNew tells whether an agent's turn names something else to be given.
func (s *scan) asksNew(t *textInfo) bool {
	for i := range s.cues {
		if !s.cues[i].kinds.has(kAddress) {
			return true
		}
	}
	return false
}

// leadIn returns the first token of a turn that is more than an introduction: not "yes it is", nor a cue.
func (s *scan) leadIn(t *textInfo, i int) int {
	c := 0
	for i < t.hi {
		for c < len(s.cues) && s.cues[c].b <= i {
			c++
		}
		if c < len(s.cues) && s.cues[c].a <= i {
			i = s.cues[c].b
			continue
		}
		w := &s.toks[i]
		if w.kind == tWord && w.class == nDigit && (w.val > 0 || s.numeric(i+1, t.hi)) && !s.taken(i) {
			return i
		}
		if w.kind == tSymbol && w.ch != '$' || w.kind == tWord && w.flags&(fStop|fAck|fFiller) != 0 || s.taken(i) {
			i++
			continue
		}
		return i
	}
	return i
}

// refuses tells turns that give nothing: "I don't know", "I forgot".
func (s *scan) refuses(t *textInfo) bool {
	for i := t.lo; i < t.hi; i++ {
		switch s.toks[i].hash {
		case hDont, hForgot, hForget, hRemember, hIdea, hWhy, hCant, hNot:
			return true
		}
	}
	return false
}

var (
	hDont, hForgot, hForget   = hashWord("dont"), hashWord("forgot"), hashWord("forget")
	hRemember, hIdea, hWhy    = hashWord("remember"), hashWord("idea"), hashWord("why")
	hCant, hNot, hName, hThis = hashWord("cant"), hashWord("not"), hashWord("name"), hashWord("this")
	hIts, hWas, hIm           = hashWord("its"), hashWord("was"), hashWord("im")
)

// nameWord tells whether a word can be part of a name that was asked for.
func (s *scan) nameWord(t *textInfo, i int) bool {
	w := &s.toks[i]
	if w.kind != tWord || s.taken(i) || w.flags&(fAck|fFiller) != 0 && w.first() == 0 {
		return false
	}
	if w.ch != 0 {
		return true
	}
	if w.flags&fStop != 0 {
		return w.caps != capNone && (w.first() == 1 || w.first() == 2 && w.last() != 0) && !s.sentenceStart(t, i)
	}
	if w.class != nNone && w.class != nNato && w.first() == 0 {
		return false
	}
	if w.class == nDigit || w.class == nTens || w.class == nTeen || w.class == nScale {
		return false
	}
	switch {
	case w.word() == 0, w.first() != 0 && w.first() <= 2, w.caps != capNone && !s.sentenceStart(t, i):
		return true
	case w.word() == 1:
		return w.last() == 1 && w.first() != 0
	}
	return w.first() != 0 || w.last() != 0 || w.word() == 3
}

func (s *scan) sentenceStart(t *textInfo, i int) bool {
	return i == t.lo || s.toks[i-1].is('.') || s.toks[i-1].is('?') || s.toks[i-1].is('!') || s.toks[i].gap == gapLine
}

// answerName marks the name that a turn answers with.
func (s *scan) answerName(t *textInfo) {
	i := s.leadIn(t, t.lo)
	if i >= t.hi || s.refuses(t) {
		if i >= t.hi {
			s.shortAnswer(t)
		}
		return
	}
	if !s.nameWord(t, i) || s.toks[i].ch != 0 && i+1 < t.hi && s.toks[i+1].ch == 0 && !s.nameWord(t, i+1) {
		if t.hi-t.lo > 3 || !s.plainWord(i) {
			return
		}
	}
	if s.toks[i].flags&(fPlace|fUnit) != 0 && s.toks[i].first() == 0 || s.cueAt(i) {
		return
	}
	b := s.nameEnd(t, i, true)
	if b-i == 1 && (s.toks[i].word() == 1 || s.toks[i].word() == 2) && s.toks[i].first() == 0 && s.toks[i].last() == 0 {
		return
	}
	if s.verbAfter(t, b) && b-i == 1 && s.toks[i].word() != 0 {
		return
	}
	if s.mark(i, b, kPerson, "question") {
		s.dialog.want &^= kPerson.bit()
		s.dialog.last, s.dialog.lastAge = kPerson, 0
	}
}

func (s *scan) plainWord(i int) bool {
	w := &s.toks[i]
	return w.kind == tWord && w.class == nNone && w.ch == 0
}

// verbAfter tells whether a word follows that makes the one before it no name: "stuff that", "pizza with".
func (s *scan) verbAfter(t *textInfo, b int) bool {
	return b < t.hi && s.toks[b].kind == tWord && s.toks[b].flags&fStop != 0 && s.toks[b].hash != hAnd
}

// shortName marks a name that is a word of lead-ins behind one: "yes it's mark, make it two".
func (s *scan) shortName(t *textInfo) {
	for i := t.lo; i+1 < t.hi; i++ {
		switch s.toks[i].hash {
		case hIts, hName, hThis:
		case hIs:
			if i == t.lo || s.toks[i-1].hash != hName && s.toks[i-1].hash != hThis && s.toks[i-1].hash != hIt {
				continue
			}
		default:
			continue
		}
		if w := &s.toks[i+1]; w.kind == tWord && !s.taken(i+1) && w.first() == 1 && w.flags&fAck == 0 && w.hash != hIs {
			if s.mark(i+1, s.nameEnd(t, i+1, true), kPerson, "question") {
				s.dialog.want &^= kPerson.bit()
			}
			return
		}
	}
}

// shortAnswer marks names that are words of lead-ins as well: "it's will", "mark".
func (s *scan) shortAnswer(t *textInfo) {
	i := t.hi - 1
	for i >= t.lo && s.toks[i].kind == tSymbol {
		i--
	}
	if i < t.lo || s.taken(i) || s.toks[i].kind != tWord || s.toks[i].flags&fCue != 0 {
		return
	}
	w := &s.toks[i]
	if w.first() == 0 || w.first() > 2 || w.len() < 3 || w.flags&fAck != 0 {
		return
	}
	if i > t.lo && (s.toks[i-1].hash == hIts || s.toks[i-1].hash == hIs || s.toks[i-1].hash == hName || s.toks[i-1].hash == hThis) {
		s.mark(i, i+1, kPerson, "question")
	}
}

// nameEnd returns the token behind the name that begins at i.
func (s *scan) nameEnd(t *textInfo, i int, asked bool) int {
	n := 0
	b := i
	for j := i; j < t.hi && n < 5; j++ {
		w := &s.toks[j]
		if j > i && w.kind == tSymbol {
			if (w.ch == '-' || w.ch == '\'') && w.gap == gapNone && j+1 < t.hi && s.toks[j+1].gap == gapNone && s.toks[j+1].kind == tWord && s.toks[j+1].ch != 's' && !s.taken(j+1) {
				continue
			}
			if w.ch == '.' && w.gap == gapNone && (s.toks[j-1].ch != 0 || s.toks[j-1].flags&fTitle != 0) && s.toks[j-1].kind == tWord && j+1 < t.hi && s.toks[j+1].kind == tWord && (s.toks[j+1].caps != capNone || s.toks[j+1].flags&fKnown != 0 || t.raw && s.toks[j+1].last() != 0 && s.toks[j+1].word() == 0) {
				continue
			}
			break
		}
		if w.kind != tWord || s.taken(j) {
			break
		}
		if j > i && s.particle(w) && j+1 < t.hi && s.nameWord(t, j+1) && s.toks[j+1].ch == 0 {
			continue
		}
		if j > i && w.flags&fCue != 0 && s.cueAt(j) {
			break
		}
		if j > i && w.ch != 0 && (w.ch == 'i' || w.ch == 'a') && w.caps == capNone {
			break
		}
		if j > i && w.ch != 0 && w.caps == capNone && !asked && !(j+1 < t.hi && s.nameWord(t, j+1)) {
			break
		}
		if j == i+1 && w.last() != 0 && w.word() != 1 && s.toks[i].first() == 1 && w.flags&(fStop|fUnit|fAck|fFiller|fCue) == 0 && w.class == nNone {
			n++
			b = j + 1
			continue
		}
		surname := j > i && w.last() == 1 && w.flags&(fStop|fUnit|fAck|fFiller) == 0 && w.class == nNone && (s.toks[j-1].first() != 0 || s.toks[j-1].ch != 0)
		if j > i && !surname && (!s.nameWord(t, j) || w.word() == 1 && w.caps == capNone && !(w.first() == 1 && w.last() != 0)) {
			break
		}
		n++
		b = j + 1
	}
	return max(b, i+1)
}

func (s *scan) particle(w *token) bool {
	switch w.hash {
	case hDe, hDel, hLa, hVan, hVon, hDer, hBin, hAl, hDi, hDa:
		return true
	}
	return false
}

var (
	hLa, hVan, hVon, hDer, hBin = hashWord("la"), hashWord("van"), hashWord("von"), hashWord("der"), hashWord("bin")
	hAl, hDi, hDa               = hashWord("al"), hashWord("di"), hashWord("da")
)

// answerEmail marks what is said of an address in parts, or without a domain.
func (s *scan) answerEmail(t *textInfo) {
	for i := t.lo; i < t.hi; i++ {
		if s.toks[i].mark == kEmail && s.taken(i) {
			return
		}
	}
	if s.refuses(t) {
		return
	}
	i := t.lo
	if c := s.lastCue(t, kEmail); c > 0 {
		i = c
	}
	asked := s.dialog.want.has(kEmail) || s.dialog.open == kEmail
	i = s.leadIn(t, i)
	for i > t.lo && (s.symbolAt(i-1) == '@' || s.symbolAt(i-1) == '.' || s.symbolAt(i-1) == '_') && !s.taken(i-1) && s.toks[i-1].kind == tWord {
		i--
	}
	if i >= t.hi {
		return
	}
	b := i
	common, other := 0, 0
	for j := i; j < t.hi && j < i+24 && !s.taken(j); j++ {
		w := &s.toks[j]
		c := s.symbolAt(j)
		switch {
		case c == '@' || c == '.' || c == '_' || c == '-' || c == '+':
			other++
			if w.kind == tSymbol && w.ch == '.' {
				continue
			}
		case w.kind == tSymbol:
			continue
		case w.kind == tNumber, w.ch != 0, w.class == nDigit, w.class == nTens, w.class == nTeen, w.class == nNato:
			other++
		case w.flags&fFiller != 0:
			continue
		case w.flags&(fStop|fAck) != 0:
			if w.hash != hAs && w.hash != hIn && w.hash != hFor && !(j+1 < t.hi && s.symbolAt(j+1) == '.') {
				j = t.hi
				continue
			}
		case w.word() == 1 || w.word() == 2:
			common++
		default:
			other++
		}
		b = j + 1
	}
	if other == 0 || common > 2*other || !asked && other < 3 {
		return
	}
	if s.mark(i, b, kEmail, "question") {
		s.dialog.value(s, t, kEmail, 3)
		s.dialog.open, s.dialog.openAge = kEmail, 0
	}
}

// answerAddress marks the address that a turn answers with: what follows its introduction, up to what is no address.
func (s *scan) answerAddress(t *textInfo) {
	i := t.lo
	if c := s.lastCue(t, kAddress); c > 0 {
		i = c
	}
	i = s.leadIn(t, i)
	if i >= t.hi || s.refuses(t) {
		return
	}
	if i > t.lo && s.numeric(i, t.hi) && (s.toks[i-1].hash == hNo || s.toks[i-1].hash == hNumber) && !s.taken(i-1) {
		i--
	}
	b, strong, content := s.addressEnd(t, i)
	asked := s.dialog.want.has(kAddress)
	switch {
	case b == i:
		return
	case !asked && strong < 2 && !(strong == 1 && b-i <= 6 && s.dialog.age <= 3), asked && strong == 0 && (content < 1 || b < t.hi-2 || s.wishes(t)), s.wishes(t) && strong < 2:
		return
	case strong == 1 && content == 0 && b-i == 1 && s.toks[i].len() < 3:
		return
	}
	s.stretch(i, b, kAddress, "question")
	s.dialog.value(s, t, kAddress, 2)
}

// wishes tells turns that want something: "I would like to order two".
func (s *scan) wishes(t *textInfo) bool {
	for i := t.lo; i < t.hi && i < t.lo+6; i++ {
		switch s.toks[i].hash {
		case hWant, hNeed, hLike, hOrder, hAdd, hFind, hBook, hGet:
			return true
		}
	}
	return false
}

var hUs = hashWord("us")

var hWant, hOrder, hAdd, hFind, hBook, hGet = hashWord("want"), hashWord("order"), hashWord("add"), hashWord("find"), hashWord("book"), hashWord("get")
