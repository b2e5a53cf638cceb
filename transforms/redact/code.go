package redact

// codes walks over the numbers and spelled codes of a text.
func (s *scan) codes(t *textInfo) {
	c := 0
	for i := t.lo; i < t.hi; {
		for c < len(s.cues) && s.cues[c].b <= i {
			c++
		}
		if c < len(s.cues) && s.cues[c].a <= i { // "c v v" is no code
			i = s.cues[c].b
			continue
		}
		if s.taken(i) || !s.starts(i, t.hi) {
			i++
			continue
		}
		limit := min(t.hi, i+maxRun)
		if c < len(s.cues) {
			limit = min(limit, s.cues[c].a)
		}
		hi := i + 1
		for hi < limit && !s.taken(hi) {
			hi++
		}
		if end := s.address(t, i, hi); end > i {
			i = end
			continue
		}
		s.readRun(&s.run, i, hi)
		r := &s.run
		if len(r.elems) > 1 && r.elems[0].what == eLetter && r.digits > 0 {
			n := 0
			for n < len(r.elems) && r.elems[n].what == eLetter {
				n++
			}
			if n < len(r.elems) && s.toks[r.elems[n].a].gap != gapNone {
				a := int(r.elems[n].a)
				if end := s.address(t, a, hi); end > a {
					i = end
					continue
				}
				s.readRun(&s.run, i, hi)
			}
		}
		if len(r.elems) == 0 {
			i++
			continue
		}
		if k, rule := s.classify(t, r); k != noKind {
			i = s.markRun(t, r, k, rule)
			continue
		}
		i = max(i+1, s.windows(t, r))
	}
}

// maxRun is how many tokens a run can have.
const maxRun = 400

// markRun marks a run as a value and returns the token behind it.
func (s *scan) markRun(t *textInfo, r *run, k kind, rule string) int {
	a, b := s.left(t, r.a), r.b
	digits := r.digits + r.letters
	if s.known.keeps(r.canon) || s.eng.allowsCode(r.canon) {
		return b
	}
	whole := digits
	s.dialog.value(s, t, k, whole)
	if rule != "shape" && r.spoken > 0 {
		var total int
		b, total = s.bridge(t, r, k)
		a, b = s.edges(t, r, k, total, a, b)
	}
	if c := a - 1; c > t.lo && s.toks[a].gap == gapNone && s.toks[c].is('-') && s.toks[c].gap == gapNone && s.toks[c-1].kind == tWord && s.toks[c-1].flags&fCue != 0 && !s.taken(c-1) {
		a -= 2 // MRN-1234567
	}
	for c := a - 1; k == kMedical && c >= t.lo && !s.taken(c) && (s.toks[c+1].gap == gapNone && s.toks[c].kind == tWord && s.toks[c].flags&fCue != 0 || s.toks[c].letter() != 0); c-- {
		a = c // MRN1234567, m r n one two three
	}
	if (k == kDOB || k == kExpiry) && a > t.lo && s.toks[a-1].hash == hThe && !s.taken(a-1) {
		a--
	}
	if s.mark(a, b, k, rule) && t.role == roleUser && parted.has(k) {
		s.found[len(s.found)-1].group = s.dialog.group
	}
	return b
}

// left takes the plus sign, bracket and hash before a number in.
func (s *scan) left(t *textInfo, i int) int {
	for i > t.lo && !s.taken(i-1) && s.toks[i].gap == gapNone && (s.toks[i-1].is('+') || s.toks[i-1].is('(') || s.toks[i-1].is('#')) {
		i--
	}
	if i > t.lo && !s.taken(i-1) && s.toks[i-1].class == nSymbol && s.toks[i-1].val == '+' {
		i--
	}
	return i
}

// bridge goes on over one or two words that a recognizer made of digits, or that join two parts of a value, when the
// value goes on behind them.
func (s *scan) bridge(t *textInfo, r *run, k kind) (end, total int) {
	b := r.b
	total = r.digits + r.letters
	sz := &s.eng.sizes[k]
	next := &s.next
	for range 6 {
		if total >= max(sz.whole, sz.other) {
			return b, total
		}
		ok := false
		for gap := 0; gap <= 2; gap++ {
			i := b + gap
			if i >= t.hi || s.taken(i) {
				break
			}
			w := &s.toks[i]
			if gap > 0 && s.starts(i, t.hi) {
				hi := i + 1
				for hi < t.hi && hi < i+40 && !s.taken(hi) {
					hi++
				}
				s.readRun(next, i, hi)
				if len(next.elems) == 0 || next.month || next.digits < 2 && next.b < t.hi || s.negative(t, next) || next.scale {
					break
				}
				if next.digits+next.letters+total > sz.max+2 {
					break
				}
				total += next.digits + next.letters + s.heardWrong(b, i)
				b, ok = next.b, true
				break
			}
			if w.kind == tSymbol && (w.ch == '?' || w.ch == '!' || w.ch == '$') || (w.flags&(fUnit|fBefore) != 0 && w.flags&fAck == 0 || s.cueAt(i)) && w.class == nNone {
				break
			}
			if w.hash == hAnd && (gap > 0 || !s.hashIn(i+1, t.hi, hThen) && !s.starts(i+1, t.hi)) || w.kind == tWord && (w.len() > 7 || w.flags&(fStreet|fState|fNameCue) != 0 && w.flags&fAck == 0 && w.alt == 0) {
				break
			}
			if r.digits < 2 {
				break
			}
		}
		if !ok {
			return b, total
		}
	}
	return b, total
}

// heardWrong returns how many of the tokens from a to b are words that a recognizer may have made of digits.
func (s *scan) heardWrong(a, b int) int {
	n := 0
	for i := a; i < b; i++ {
		if w := &s.toks[i]; w.kind == tWord && w.flags&(fFiller|fAck|fStop) == 0 {
			n++
		}
	}
	return n
}

// edges takes in one or two words at the edge of a turn that are left of a value, and that the value lacks as many digits
// as: a recognizer made them of digits.
func (s *scan) edges(t *textInfo, r *run, k kind, total, a, b int) (int, int) {
	lacks := s.eng.sizes[k].whole - total
	if k != kPhone && k != kSSN && k != kCard || lacks < 1 || lacks > 2 || total < 5 || r.scale {
		return a, b
	}
	odd := func(i int) bool {
		w := &s.toks[i]
		return w.kind == tWord && !s.taken(i) && w.len() <= 7 && w.flags&(fStop|fAck|fFiller|fCue|fUnit|fNameCue) == 0
	}
	switch {
	case t.hi-b == lacks && odd(b) && odd(t.hi-1):
		b = t.hi
	case a-t.lo == lacks && odd(t.lo) && odd(a-1):
		a = t.lo
	}
	return a, b
}

func (s *scan) hashIn(i, hi int, h uint64) bool { return i < hi && s.toks[i].hash == h }

// classify returns the type of the whole run, or none.
func (s *scan) classify(t *textInfo, r *run) (kind, string) {
	if s.priced(t, r) {
		return noKind, ""
	}
	c := s.cueFor(t, r)
	neg := s.negative(t, r)
	if r.month {
		return s.date(t, r, c)
	}
	if c != nil && !neg {
		if k := s.best(c.kinds, r, false); k != noKind {
			c.used = true
			return k, "cue"
		}
	}
	if r.letters >= 2 && t.role != roleText {
		if k := s.spelledOut(t, r); k != noKind {
			return k, "spelled"
		}
	}
	if k := s.eng.patterned(r.canon); k != noKind {
		return k, "pattern"
	}
	if neg && r.digits < 9 {
		return noKind, ""
	}
	if k := s.shape(t, r, 0, len(r.elems)); k != noKind {
		return k, "shape"
	}
	if neg {
		return noKind, ""
	}
	if k := s.dialog.expects(s, t, r); k != noKind {
		return k, "question"
	}
	return s.long(t, r), "length"
}

// spelledOut returns the type of a row of single letters: what was asked for, or the name that people spell.
func (s *scan) spelledOut(t *textInfo, r *run) kind {
	d := &s.dialog
	for i := range r.elems {
		if e := &r.elems[i]; e.n != 1 || e.what != eLetter && s.toks[e.a].letter() != 'o' {
			return noKind
		}
	}
	for _, k := range [...]kind{kPerson, kEmail, kAnswer, kUsername, kPassword, kAddress} {
		if t.role == roleUser && d.want.has(k) || d.last == k && d.lastAge <= 2 && r.letters > 2 {
			return k
		}
	}
	if r.letters >= 4 && s.cueNear(r.a, kPerson.bit()) || r.letters >= 5 {
		return kPerson
	}
	return noKind
}

// date judges a date with a month's name: one of birth where it was asked for or announced.
func (s *scan) date(t *textInfo, r *run, c *cue) (kind, string) {
	if c != nil && c.kinds.has(kDOB) {
		c.used = true
		return kDOB, "cue"
	}
	if c != nil && c.kinds.has(kExpiry) {
		c.used = true
		return kExpiry, "cue"
	}
	for _, k := range [...]kind{kDOB, kExpiry} {
		if s.dialog.wants(t, k) && (t.role == roleUser || s.echo(t, r)) {
			return k, "question"
		}
	}
	return noKind, ""
}

// long types a number that nothing tells of by its length: digits said one by one are a number of somebody.
func (s *scan) long(t *textInfo, r *run) kind {
	if r.scale || r.wide || r.point {
		return noKind
	}
	if r.counts() {
		return noKind
	}
	if s.spokenDigits(r) >= 7 && r.digits >= 7 {
		if r.digits == 10 || r.digits == 11 && r.canon[0] <= '1' || r.digits == 7 {
			return kPhone
		}
		if r.digits >= 15 {
			return kCard
		}
		return kAccount
	}
	if len(r.elems) == 1 && r.letters == 0 && (r.digits == 15 || r.digits == 16) && r.canon[0] >= '2' && r.canon[0] <= '6' {
		return kCard
	}
	if r.spoken == len(r.elems) && r.digits >= 8 && r.letters == 0 {
		if r.digits == 10 {
			return kPhone
		}
		return kAccount
	}
	return noKind
}

func (s *scan) spokenDigits(r *run) int {
	n := 0
	for i := range r.elems {
		if r.elems[i].what == eSpoken || r.elems[i].what == eWritten && r.elems[i].n == 1 {
			n += int(r.elems[i].n)
		}
	}
	return n
}

// counts tells whether somebody counts: one two three four five.
func (r *run) counts() bool {
	last := -1
	for i := range r.elems {
		v := 0
		for _, c := range r.of(i) {
			v = v*10 + int(c-'0')
		}
		if i > 0 && v != last+1 || len(r.of(i)) > 2 {
			return false
		}
		last = v
	}
	return len(r.elems) > 4
}

// cueFor returns the cue that tells what the run is: the nearest before it, or one right behind it.
func (s *scan) cueFor(t *textInfo, r *run) *cue {
	var before *cue
	at := s.cuesBefore(r.a)
	if at > 0 {
		before = &s.cues[at-1]
	}
	if before != nil && r.a-before.b < 40 {
		words := 0
		for i := before.b; i < r.a; i++ {
			tok := &s.toks[i]
			if tok.kind == tTag || tok.mark != noKind {
				words += 3
				if before.used || s.eng.codes.has(tok.mark) && before.kinds.has(tok.mark) {
					words += 20
				}
				continue
			}
			if tok.kind == tWord && tok.flags&fFiller == 0 || tok.kind == tNumber {
				words++
			}
			if tok.kind == tSymbol && (tok.ch == '.' && tok.gap == gapNone || tok.ch == '?' || tok.ch == '!') && i+1 < r.a && s.toks[i+1].caps != capNone {
				words += 4
			}
		}
		if words <= 7 && !(before.used && words > 3) {
			return before
		}
	}
	for ; at < len(s.cues) && s.cues[at].a < r.b+6; at++ {
		c := &s.cues[at]
		if c.a < r.b {
			continue
		}
		for j := r.b; j < c.a; j++ {
			if tok := &s.toks[j]; s.taken(j) || tok.kind == tNumber || tok.kind == tWord && tok.flags&(fStop|fAck) == 0 && tok.flags&fFiller == 0 || j > r.b+3 || tok.hash == hAnd {
				return nil
			}
		}
		return c
	}
	return nil
}

// best returns the type of the set that fits the run best.
func (s *scan) best(ks kinds, r *run, loose bool) kind {
	best, score := noKind, 0
	n := r.digits + r.letters
	for k := kPerson; int(k) < len(s.eng.sizes); k++ {
		if !ks.has(k) {
			continue
		}
		sz := &s.eng.sizes[k]
		if sz.max == 0 || n < sz.min && !(n+1 == sz.min && r.spoken == len(r.elems) && n > 1 && r.pairs()) || n > sz.max {
			continue
		}
		if !s.eng.fits(k, r.canon) {
			continue
		}
		if r.letters > 0 && !s.eng.letters.has(k) {
			if r.letters > 2 && r.letters > r.digits || k != kPhone && k != kBank && k != kCard && k != kMedical && k != kSSN {
				continue
			}
		}
		if k == kAddress && (n < 5 || r.letters > 0) || k == kAnswer || k == kEmail || k == kURL || k == kUsername && r.digits < 2 && r.letters < 3 {
			continue
		}
		if k == kIP && (len(r.elems) < 4 || !r.point) {
			continue
		}
		if r.digits == 0 && n < 3 {
			continue
		}
		if r.scale && (k == kCard || k == kSSN || k == kAccount || k == kBank) && len(r.elems) == 1 && r.elems[0].what == eScale && n < 5 && n >= 3 && r.canon[len(r.canon)-1] == '0' && r.canon[len(r.canon)-2] == '0' {
			continue // "my account, two hundred"
		}
		v := 1
		switch {
		case n == sz.whole:
			v = 4
		case n == sz.other:
			v = 3
		case n > sz.min && n < sz.max:
			v = 2
		}
		if v > score {
			best, score = k, v
		}
	}
	return best
}

// pairs tells whether digits were said in pairs: "eighty three" can be 803.
func (r *run) pairs() bool {
	for i := range r.elems {
		if r.elems[i].what == ePair {
			return true
		}
	}
	return false
}

// priced tells whether a currency sign stands before the run.
func (s *scan) priced(t *textInfo, r *run) bool {
	if r.a == t.lo {
		return false
	}
	p := &s.toks[r.a-1]
	return p.kind == tSymbol && (p.ch == '$' || p.ch == 0x80 && p.len() <= 3 && isCurrency(s.text[p.start:p.end]))
}

// negative tells counts, prices and times.
func (s *scan) negative(t *textInfo, r *run) bool {
	if s.priced(t, r) {
		return true
	}
	if r.a > t.lo {
		p := &s.toks[r.a-1]
		if p.kind == tWord && p.flags&fBefore != 0 && p.mark == noKind {
			return true
		}
		if p.kind == tWord && r.a-2 >= t.lo && (p.hash == hIs || p.flags&fStop != 0 && p.len() <= 3) && s.toks[r.a-2].flags&fBefore != 0 && s.toks[r.a-2].mark == noKind && r.digits < 8 {
			return true
		}
	}
	if r.b < t.hi {
		n := &s.toks[r.b]
		if n.kind == tWord && n.mark == noKind {
			if n.flags&fUnit != 0 && (r.digits < 7 || n.flags&fCue == 0 && r.scale) {
				return true
			}
			if n.gap == gapNone && n.flags&fStop == 0 && r.digits < 7 && n.len() <= 3 && r.letters == 0 && s.toks[r.b-1].kind == tNumber { // 2g, 20x
				return n.hash != hTh
			}
			if (n.ch == 'a' || n.ch == 'p') && r.b+1 < t.hi && s.toks[r.b+1].letter() == 'm' {
				return true
			}
			if n.class == nScale {
				return true
			}
			if (n.hash == hA || n.hash == hPer) && r.b+1 < t.hi && s.toks[r.b+1].flags&fUnit != 0 && r.digits < 7 {
				return true
			}
		}
		if n.is('%') || n.is('$') {
			return true
		}
	}
	if r.a > t.lo && s.toks[r.a-1].hash == hAt && len(r.elems) == 2 && r.digits <= 4 && r.spoken == 2 { // at five fifteen
		return true
	}
	if len(r.elems) == 2 && r.elems[1].sep == ':' || len(r.elems) == 3 && r.elems[1].sep == ':' && r.elems[2].sep == ':' {
		return true
	}
	if r.point && len(r.elems) == 2 {
		return true
	}
	return false
}

var hPer = hashWord("per")

func isCurrency(s string) bool {
	switch s {
	case "€", "£", "¥", "₹":
		return true
	}
	return false
}
