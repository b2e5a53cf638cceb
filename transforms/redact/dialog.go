package redact

// dialog is what the turns before tell about the one being searched.
type dialog struct {
	heard
	words []uint64 // the last answer, if it was words
}

// heard is the part of a dialog that can be compared. What can't tell anything any more is at rest in it, so that a search
// that was here before with the same in mind is known by it.
type heard struct {
	want    kinds // asked for, and not given yet
	age     int   // turns since
	open    kind  // a value that was given in part
	have    int   // how much of it
	openAge int
	group   int  // of its parts
	last    kind // the last value given by the caller
	lastAge int
	prev    uint8 // role of the turn before
}

func (d *dialog) reset() {
	*d = dialog{heard: heard{lastAge: lastTurns + 1, prev: roleText}, words: d.words[:0]}
}

// rest ends what is too long ago to tell anything.
func (d *dialog) rest() {
	if d.age = min(d.age, wantTurns+1); d.age > wantTurns {
		d.want = 0
	}
	if d.openAge > openTurns {
		d.open = noKind
	}
	if d.open == noKind {
		d.have, d.openAge, d.group = 0, 0, 0
	}
	d.lastAge = min(d.lastAge, lastTurns+1)
}

const (
	wantTurns = 7 // how long a question stands
	openTurns = 5
	lastTurns = 4
)

// parted are the kinds whose values are said in parts.
const parted kinds = 1<<kPhone | 1<<kSSN | 1<<kCard | 1<<kBank | 1<<kRouting | 1<<kIBAN | 1<<kAccount | 1<<kPassport | 1<<kLicense |
	1<<kMedical | 1<<kEmail | 1<<kAddress | 1<<kOTP | 1<<kDOB | 1<<kUsername | 1<<kPassword

// value notes that a value was given.
func (d *dialog) value(s *scan, t *textInfo, k kind, n int) {
	if t.role == roleText {
		return
	}
	d.last, d.lastAge = k, 0
	d.words = d.words[:0]
	if t.role == roleAgent {
		if k != d.open {
			d.open = noKind
		}
		return
	}
	sz := &s.eng.sizes[k]
	if d.open == k {
		if !s.fixes(t) {
			d.have += n
		}
	} else {
		d.have = n
		s.groups++
		d.group = s.groups
	}
	d.open, d.openAge = noKind, 0
	if parted.has(k) && (sz.whole == 0 || d.have < sz.whole || k == kBank || k == kAccount || k == kAddress) && !(d.have == sz.other && k != kBank && k != kCard && k != kAccount) || k == kSSN && d.have < 9 && d.have != 4 {
		d.open = k
	}
	d.want &^= k.bit()
}

// expects returns the type of a run by what was asked for.
func (d *dialog) expects(s *scan, t *textInfo, r *run) kind {
	n := r.digits + r.letters
	switch t.role {
	case roleAgent:
		if d.last == kAddress && d.lastAge <= 2 && n >= 2 && s.echo(t, r) && s.only(t, r) {
			return kAddress
		}
		if (d.lastAge <= lastTurns || d.open != noKind) && d.last != noKind && n >= 2 && s.eng.codes.has(d.last) && (n >= 3 || d.open != noKind) && s.echo(t, r) {
			return d.last
		}
	case roleUser:
		if k := s.best(d.want&s.eng.codes, r, true); k != noKind && (n >= 3 || s.only(t, r)) && !(r.point && r.digits < 5) && !(r.scale && !s.only(t, r) && r.digits < 7) &&
			!(r.a-1 > t.lo && s.toks[r.a-1].hash == hAnd && s.taken(r.a-2) && r.scale) {
			return k
		}
		if d.want.has(kAddress) && r.digits == 5 && !r.scale {
			return kAddress
		}
		if d.open != noKind && n >= 2 && s.eng.codes.has(d.open) && d.openAge <= openTurns && s.goesOn(t, r) {
			return d.open
		}
		if d.last != noKind && d.lastAge <= lastTurns && n >= 2 && s.eng.codes.has(d.last) && s.corrects(t, r) {
			return d.last
		}
	}
	return noKind
}

// wants tells whether the turn answers a question for the type, or says its answer again.
func (d *dialog) wants(t *textInfo, k kind) bool {
	switch t.role {
	case roleUser:
		return d.want.has(k)
	case roleAgent:
		return d.last == k && d.lastAge <= 2
	}
	return false
}

// longTurn is how many tokens a turn has that is no answer any more: it is not read again for every number in it.
const longTurn = 200

// only tells whether the turn is little more than the run.
func (s *scan) only(t *textInfo, r *run) bool {
	if t.hi-t.lo > longTurn {
		return false
	}
	other := 0
	for i := t.lo; i < t.hi; i++ {
		if i >= r.a && i < r.b {
			continue
		}
		if tok := &s.toks[i]; tok.kind == tWord && tok.flags&(fStop|fAck|fFiller) == 0 {
			other++
		}
	}
	return other <= 1
}

// echo tells whether an agent's turn says again what it heard.
func (s *scan) echo(t *textInfo, r *run) bool {
	if t.hi-t.lo > longTurn {
		return false
	}
	other, says := 0, false
	for i := t.lo; i < t.hi; i++ {
		if i >= r.a && i < r.b {
			continue
		}
		tok := &s.toks[i]
		if tok.kind != tWord || s.taken(i) {
			continue
		}
		switch tok.hash {
		case hCorrect, hRight, hThats, hConfirm, hRepeat, hHeard, hGot:
			says = true
		}
		if tok.flags&(fStop|fAck|fFiller|fCue) == 0 && tok.class == nNone && tok.ch == 0 {
			other++
		}
	}
	if r.scale && r.digits < 5 && !s.only(t, r) && !says {
		return false
	}
	return other <= 2 || says && other <= 6
}

var (
	hCorrect, hRight, hThats, hConfirm = hashWord("correct"), hashWord("right"), hashWord("thats"), hashWord("confirm")
	hRepeat, hHeard, hGot, hSorry      = hashWord("repeat"), hashWord("heard"), hashWord("got"), hashWord("sorry")
	hNo, hActually, hMeant, hMean      = hashWord("no"), hashWord("actually"), hashWord("meant"), hashWord("mean")
)

// goesOn tells whether the run is where a turn goes on with a value: nothing but fillers stands before it.
func (s *scan) goesOn(t *textInfo, r *run) bool {
	if r.a-t.lo > longTurn {
		return false
	}
	words := 0
	joined := false
	for i := t.lo; i < r.a; i++ {
		tok := &s.toks[i]
		if tok.kind == tTag || tok.mark != noKind {
			if s.eng.codes.has(tok.mark) {
				words = 0
				continue
			}
			return false
		}
		if tok.kind != tWord {
			continue
		}
		if tok.flags&(fStop|fAck|fFiller) == 0 {
			return false
		}
		if tok.hash == hThen || tok.flags&fFiller != 0 {
			joined = true
		}
		if words++; words > 6 {
			return false
		}
	}
	d := &s.dialog
	if d.prev == roleUser && !joined {
		sz := &s.eng.sizes[d.open]
		if r.scale || r.digits < 3 || r.digits >= 3 && string(r.canon[r.digits-2:]) == "00" || sz.whole == 0 || d.have+r.digits > max(sz.whole, sz.other) {
			return false
		}
	}
	if r.scale && d.open != kPhone && d.open != kAddress && !(d.prev == roleAgent && s.only(t, r)) {
		return false
	}
	return !(r.a-1 > t.lo && s.toks[r.a-1].hash == hAnd && s.taken(r.a-2) && (r.scale || r.spoken < len(r.elems)))
}

// fixes tells whether the turn begins with a no.
func (s *scan) fixes(t *textInfo) bool {
	for i := t.lo; i < t.hi && i < t.lo+4; i++ {
		switch s.toks[i].hash {
		case hNo, hSorry, hActually, hMeant:
			return true
		}
	}
	return false
}

// corrects tells whether the turn puts right what was said before.
func (s *scan) corrects(t *textInfo, r *run) bool {
	for i := t.lo; i < r.a && i < t.lo+8; i++ {
		switch s.toks[i].hash {
		case hNo, hSorry, hActually, hMeant, hMean:
			return true
		}
	}
	if t.hi-t.lo > longTurn {
		return false
	}
	for i := t.lo; i < t.hi; i++ {
		if tok := &s.toks[i]; (i < r.a || i >= r.b) && tok.kind == tWord && tok.flags&(fStop|fAck|fFiller) == 0 {
			return false
		}
	}
	return !r.scale && r.digits >= 3
}

// after notes what the turn asked for.
func (d *dialog) after(s *scan, t *textInfo, first int) {
	if t.role == roleText {
		return
	}
	if t.role == roleUser {
		for i := t.lo; i < t.hi; i++ {
			if k := s.toks[i].mark; s.toks[i].kind == tTag && k != noKind {
				d.want &^= k.bit()
				d.last, d.lastAge = k, 0
			}
		}
	}
	d.age++
	d.openAge++
	d.lastAge++
	var ask kinds
	for i := range s.cues {
		c := &s.cues[i]
		if c.used {
			continue
		}
		if t.role == roleUser {
			if t.hi-c.b <= 2 && t.hi-c.b >= 0 && !s.valueAfter(t, c) && s.isAfter(t, c) {
				ask |= c.kinds
			}
			continue
		}
		if !s.valueAfter(t, c) || c.kinds.has(kPerson) && c.b < t.hi && s.toks[c.b].hash != hIs && !s.taken(c.b) {
			ask |= c.kinds
		}
	}
	if ask == 0 && t.role == roleAgent && s.asksSpelling(t) {
		ask = kPerson.bit()
		if spelled.has(d.last) {
			ask = d.last.bit()
		}
	}
	if ask == 0 && t.role == roleAgent && s.asksNumber(t) {
		ask = kAccount.bit() | kPhone.bit()
	}
	if ask.has(kAnswer) {
		ask &^= kPerson.bit() | kAddress.bit()
	}
	if t.role == roleAgent {
		q := s.question(t)
		if q && !s.confirms(t) {
			d.lastAge = max(d.lastAge, lastTurns+1)
		}
		switch {
		case ask != 0 && q:
			d.want, d.age = ask, 0
			if !ask.has(d.open) {
				d.open = noKind
			}
		case q && !s.confirms(t) && d.open == noKind:
			d.want = 0
		case q && !s.confirms(t):
			d.want, d.open = 0, noKind
		}
	} else if ask != 0 {
		d.want |= ask
		d.age = 0
	}
	d.rest()
	d.prev = t.role
}

// spelled are the kinds whose values are spelled on demand.
const spelled kinds = 1<<kPerson | 1<<kEmail | 1<<kAddress | 1<<kUsername | 1<<kAnswer | 1<<kAccount

// asksSpelling tells whether an agent wants to have the last answer spelled.
func (s *scan) asksSpelling(t *textInfo) bool {
	for i := t.lo; i < t.hi; i++ {
		if h := s.toks[i].hash; h == hSpell || h == hSpelling || h == hSpelled {
			return true
		}
	}
	return false
}

var hSpelling, hSpelled = hashWord("spelling"), hashWord("spelled")

// asksNumber tells whether an agent asks for some number or code.
func (s *scan) asksNumber(t *textInfo) bool {
	if t.hi-t.lo > 25 || !s.question(t) {
		return false
	}
	for i := t.lo; i < t.hi; i++ {
		if h := s.toks[i].hash; (h == hNumber || h == hDigits || h == hCode) && !s.hashIn(i+1, t.hi, hOf) {
			for j := i + 1; j < t.hi; j++ {
				if s.taken(j) {
					return false
				}
			}
			return true
		}
	}
	return false
}

var hDigits = hashWord("digits")

// isAfter tells whether the caller announces a value at the end of a turn: "my number is".
func (s *scan) isAfter(t *textInfo, c *cue) bool {
	for i := c.a; i < t.hi; i++ {
		if h := s.toks[i].hash; h == hIs || h == hMy {
			return true
		}
	}
	return false
}

// valueAfter tells whether a value of the cue's kind was found behind it.
func (s *scan) valueAfter(t *textInfo, c *cue) bool {
	for i := c.b; i < t.hi && i < c.b+12; i++ {
		if s.taken(i) && c.kinds.has(s.toks[i].mark) {
			return true
		}
	}
	return false
}

// question tells whether an agent's turn asks for something.
func (s *scan) question(t *textInfo) bool {
	words := 0
	for i := t.lo; i < t.hi; i++ {
		tok := &s.toks[i]
		if tok.is('?') {
			return true
		}
		if tok.kind == tWord {
			words++
			switch tok.hash {
			case hWhat, hWhats, hWhich, hCan, hCould, hMay, hPlease, hProvide, hGive, hTell, hWho, hWhos, hWhere, hWhen, hHow, hNeed, hVerify, hConfirm, hEnter, hSpell, hKnow, hDo, hDid, hIs, hWould, hAre, hWill:
				return true
			}
		}
	}
	return words <= 25 && len(s.cues) > 0
}

// confirms tells whether an agent's turn only acknowledges or says again.
func (s *scan) confirms(t *textInfo) bool {
	other := 0
	for i := t.lo; i < t.hi; i++ {
		tok := &s.toks[i]
		if s.taken(i) {
			return true
		}
		switch tok.hash {
		case hCorrect, hRight, hThats, hConfirm, hRepeat, hHeard, hGot:
			return true
		}
		if tok.kind == tWord && tok.flags&(fStop|fAck|fFiller) == 0 {
			other++
		}
	}
	return other == 0 && t.hi-t.lo <= 8
}

var (
	hWhat, hWhats, hWhich, hCan, hCould = hashWord("what"), hashWord("whats"), hashWord("which"), hashWord("can"), hashWord("could")
	hMay, hPlease, hProvide, hGive      = hashWord("may"), hashWord("please"), hashWord("provide"), hashWord("give")
	hTell, hWho, hWhos, hWhere, hWhen   = hashWord("tell"), hashWord("who"), hashWord("whos"), hashWord("where"), hashWord("when")
	hHow, hNeed, hVerify, hEnter        = hashWord("how"), hashWord("need"), hashWord("verify"), hashWord("enter")
	hSpell, hKnow, hDo, hDid, hWould    = hashWord("spell"), hashWord("know"), hashWord("do"), hashWord("did"), hashWord("would")
	hAre, hWill, hAt                    = hashWord("are"), hashWord("will"), hashWord("at")
)
