package redact

// address marks the street address that begins with the number at i, and returns the token behind it, or 0.
func (s *scan) address(t *textInfo, i, hi int) int {
	tok := &s.toks[i]
	if tok.kind == tWord && tok.class != nDigit && tok.class != nTeen && tok.class != nTens && tok.class != nRepeat {
		return 0
	}
	if i > t.lo && (s.toks[i-1].is('$') || s.toks[i-1].is('#') && s.toks[i-1].gap == gapNone) {
		return 0
	}
	s.readRun(&s.run, i, hi)
	r := &s.run
	if len(r.elems) == 0 || r.month || r.digits == 0 || len(r.elems) > 1 && r.wide {
		return 0
	}
	for k := 1; k < len(r.elems); k++ { // "I found 10. 1095 Market Street"
		if r.elems[k].sep == '.' && r.elems[k].what == eWritten && s.toks[r.elems[k].a].gap != gapNone {
			return 0
		}
	}
	b := int(r.elems[0].b)
	digits := int(r.elems[0].n)
	if r.elems[0].what != eWritten {
		b, digits = r.b, r.digits
	} else {
		for k := 1; k < len(r.elems) && (r.elems[k].what != eWritten || k == 1 && r.elems[k].n < 5); k++ { // 258 b, 12 14
			b, digits = int(r.elems[k].b), digits+int(r.elems[k].n)
		}
	}
	if digits > 7 {
		return 0
	}
	named := len(r.elems) > 1 && int(r.elems[1].b) == b && r.elems[1].what == eLetter // "1201 K Street"
	end := s.streetEnd(t, b, named)
	if end == 0 {
		end = s.plainStreet(t, i, b)
	}
	if end == 0 {
		return 0
	}
	end = s.addressTail(t, end)
	if s.mark(i, end, kAddress, "street") {
		s.dialog.value(s, t, kAddress, 6)
		return end
	}
	return 0
}

// plainStreet returns the token behind a street's name that has no street word, where an address is talked about: "is
// the address still four twenty main".
func (s *scan) plainStreet(t *textInfo, i, b int) int {
	c := s.cuesBefore(i)
	if c == 0 || !s.cues[c-1].kinds.has(kAddress) || s.cues[c-1].kinds.any(s.eng.codes) || i-s.cues[c-1].b > 4 {
		return 0
	}
	end := b
	for end < t.hi && end < b+3 && !s.taken(end) {
		w := &s.toks[end]
		if w.kind != tWord || w.flags&(fStop|fAck|fFiller|fUnit|fCue) != 0 || w.class != nNone && w.flags&fDir == 0 || w.ch != 0 {
			break
		}
		end++
	}
	if end == b {
		return 0
	}
	return end
}

// streetEnd returns the token behind "main street" at b: up to four words and a street word, or 0.
func (s *scan) streetEnd(t *textInfo, b int, named bool) int {
	words := 0
	if named {
		words = 1
	}
	for j := b; j < t.hi && j < b+9; j++ {
		w := &s.toks[j]
		if s.taken(j) {
			return 0
		}
		if w.kind == tSymbol {
			if w.ch == '.' && j > b && s.toks[j-1].flags&fDir != 0 || w.ch == '\'' || w.ch == '-' && words > 0 || w.ch == '.' && w.gap == gapNone && s.toks[j-1].len() <= 3 && words > 0 {
				continue
			}
			return 0
		}
		if w.kind == tNumber {
			if w.len() > 3 || words > 0 && !(j+1 < t.hi && s.toks[j+1].gap == gapNone && s.toks[j+1].kind == tWord) {
				return 0
			}
			continue
		}
		if w.flags&fStreet != 0 && (words > 0 || w.len() > 2 && w.flags&fUnit == 0 && (w.hash == hBroadway || w.hash == hHighway || s.spanish(w))) {
			if w.hash == hWay && words == 0 || w.flags&fStop != 0 {
				return 0
			}
			if strictStreet(w) && words > 0 && !s.wordsAreNames(b, j) {
				return 0
			}
			if j+1 < t.hi && s.toks[j+1].flags&fStreet != 0 && s.toks[j+1].kind == tWord && s.toks[j+1].gap == gapSpace && !strictStreet(&s.toks[j+1]) {
				continue
			}
			if j+1 < t.hi && s.toks[j+1].is('.') && s.toks[j+1].gap == gapNone && w.len() <= 4 && j+2 < t.hi && (s.toks[j+2].caps != capNone || s.toks[j+2].is(',')) && w.caps != capNone {
				return j + 1
			}
			return j + 1
		}
		if w.flags&(fStop|fUnit) != 0 && w.flags&fDir == 0 && w.hash != hThe && !(w.caps != capNone && w.hash != hOf) || w.flags&fAck != 0 && w.caps == capNone {
			return 0
		}
		if words++; words > 4 {
			return 0
		}
	}
	return 0
}

func (s *scan) spanish(w *token) bool {
	return w.hash == hCalle || w.hash == hCamino || w.hash == hAvenida || w.hash == hRue || w.hash == hVia
}

// strictStreet tells street words that are common words as well: they need a name before them.
func strictStreet(w *token) bool {
	return w.word() == 1 && w.flags&fStreet != 0 && !plainStreet(w.hash)
}

func plainStreet(h uint64) bool {
	switch h {
	case hStreet, hRoad, hAvenue, hDrive, hLane, hSt, hAve, hRd, hBlvd, hDr, hLn:
		return true
	}
	return false
}

// wordsAreNames tells whether what stands before a street word could be a street's name.
func (s *scan) wordsAreNames(a, b int) bool {
	for i := a; i < b; i++ {
		w := &s.toks[i]
		if w.kind == tWord && w.caps == capNone && w.word() == 1 && w.first() == 0 && w.last() == 0 && w.flags&fDir == 0 {
			return false
		}
	}
	return true
}

var (
	hStreet, hRoad, hAvenue, hDrive, hLane = hashWord("street"), hashWord("road"), hashWord("avenue"), hashWord("drive"), hashWord("lane")
	hAve, hBlvd, hDr, hLn, hWay            = hashWord("ave"), hashWord("blvd"), hashWord("dr"), hashWord("ln"), hashWord("way")
	hBroadway, hHighway, hCalle, hCamino   = hashWord("broadway"), hashWord("highway"), hashWord("calle"), hashWord("camino")
	hAvenida, hRue, hVia, hPo, hBox        = hashWord("avenida"), hashWord("rue"), hashWord("via"), hashWord("po"), hashWord("box")
	hNumber, hPsc, hApo, hDpo, hFpo        = hashWord("number"), hashWord("psc"), hashWord("apo"), hashWord("dpo"), hashWord("fpo")
	hZip, hCode, hPostcode, hPostal        = hashWord("zip"), hashWord("code"), hashWord("postcode"), hashWord("postal")
)

// addressTail extends an address over the unit, the town, the state and the postal code behind it.
func (s *scan) addressTail(t *textInfo, end int) int {
	last := end
	loose := 0 // words of a town, kept if a state or a code follows
	for j := end; j < t.hi && j < end+24; {
		w := &s.toks[j]
		if s.taken(j) {
			break
		}
		switch {
		case w.is('#') && j+1 < t.hi && s.toks[j+1].kind != tSymbol && !s.taken(j+1):
			j = s.unitEnd(t, j+1)
			last, loose = j, 0
		case w.letter() != 0 && w.ch != 'i' && j+2 < t.hi && s.toks[j+1].is('-') && s.toks[j+1].gap == gapNone && s.toks[j+2].kind == tNumber && s.toks[j+2].gap == gapNone && !s.taken(j+2):
			j += 3
			last = j
		case (w.kind == tNumber && w.len() < 3 && j+2 < t.hi && s.toks[j+1].gap == gapNone && s.toks[j+2].hash == hFloor || w.class == nOrdinal && j+1 < t.hi && s.toks[j+1].hash == hFloor):
			if j++; w.kind == tNumber {
				j++
			}
			j++
			last = j
		case w.hash == hNumber && loose == 0 && j == last && s.codeLike(j+1, t.hi) && !s.taken(j+1):
			s.readRun(&s.run, j+1, min(t.hi, j+12))
			if len(s.run.elems) == 0 {
				return last
			}
			j = s.limitUnit()
			last = j
		case w.hash == hOf && s.toks[j-1].hash == hDistrict:
			j++
		case w.kind == tSymbol && (w.ch == ',' || w.ch == '#' || w.ch == '-' || w.ch == '.' && w.gap == gapNone && (j+1 == t.hi || s.toks[j+1].gap != gapNone) && (s.toks[j-1].len() <= 5 && s.toks[j-1].flags&(fStreet|fApt|fDir|fState) != 0)):
			j++
		case w.kind == tSymbol:
			return last
		case w.flags&fApt != 0 && w.kind == tWord:
			n := j + 1
			for n < t.hi && (s.toks[n].is('#') || s.toks[n].is('.') || s.toks[n].hash == hNumber) {
				n++
			}
			if n < t.hi && s.toks[n].letter() == 'a' && !s.taken(n) {
				j = n + 1
				last, loose = j, 0
				continue
			}
			if n < t.hi && s.codeLike(n, t.hi) && !s.taken(n) {
				s.readRun(&s.run, n, min(t.hi, n+12))
				if len(s.run.elems) > 0 {
					j = min(s.run.b, s.limitUnit())
					last, loose = j, 0
					continue
				}
			}
			return last
		case w.kind == tNumber || w.class == nDigit || w.class == nTeen || w.class == nTens || w.class == nRepeat:
			hi := j + 1
			for hi < t.hi && hi < j+40 && !s.taken(hi) {
				hi++
			}
			s.readRun(&s.run, j, hi)
			r := &s.run
			if len(r.elems) == 0 {
				return last
			}
			first := &r.elems[0]
			if first.what == eWritten && (first.n == 5 || first.n == 9) {
				last = int(first.b)
				if len(r.elems) > 1 && r.elems[1].sep == '-' && r.elems[1].n == 4 {
					last = int(r.elems[1].b)
				}
				return s.country(t, last)
			}
			if r.spoken > 0 && (r.digits == 5 || r.digits == 9) && !s.negative(t, r) {
				return s.country(t, r.b)
			}
			if s.toks[j-1].flags&fState != 0 && j == last && (first.what == eWritten && first.n == 4 || r.spoken == len(r.elems) && r.digits == 4) && !s.negative(t, r) {
				if first.what == eWritten {
					return s.country(t, int(first.b))
				}
				return s.country(t, r.b)
			}
			if s.toks[j-1].is('#') {
				return max(last, int(first.b))
			}
			return last
		case w.kind != tWord:
			return last
		case w.flags&fState != 0 && (w.len() > 2 || w.caps != capNone || t.raw && s.zipNext(t, j+1)) && w.flags&fAck == 0 || w.flags&fState != 0 && s.zipNext(t, j+1):
			j++
			last, loose = j, 0
		case w.flags&fDir != 0 && w.len() > 1 && loose == 0:
			j++
			last = j
		case w.hash == hZip || w.hash == hPostal || w.hash == hCode || w.hash == hPostcode:
			j++
		case w.flags&fPlace != 0 && w.caps == capNone || w.caps != capNone && w.flags&(fStop|fAck) == 0 && (!t.raw) && (s.toks[j-1].is(',') || s.toks[j-1].caps != capNone || w.caps != capNone):
			j++
			if loose++; loose > 5 {
				return last
			}
		case t.raw && w.flags&(fStop|fAck|fFiller|fUnit|fCue) == 0 && loose < 5:
			j++
			loose++
		case w.flags&fFiller != 0:
			j++
		case w.hash == hIn && loose == 0:
			j++
		default:
			return last
		}
	}
	return last
}

var hUss, hUsns, hUscgc = hashWord("uss"), hashWord("usns"), hashWord("uscgc")

var hFloor, hDistrict = hashWord("floor"), hashWord("district")

// unitEnd returns the token behind the number of a unit at i: "c", "K2", "12".
func (s *scan) unitEnd(t *textInfo, i int) int {
	j := i + 1
	for j < t.hi && s.toks[j].gap == gapNone && !s.taken(j) && (s.toks[j].kind == tNumber || s.toks[j].kind == tWord || s.toks[j].is('-') && j+1 < t.hi && s.toks[j+1].gap == gapNone) {
		j++
	}
	return j
}

// country returns the token behind the name of a country at i, or i.
func (s *scan) country(t *textInfo, i int) int {
	j := i
	if j < t.hi && s.toks[j].is(',') {
		j++
	}
	for n := 0; n < 2 && j < t.hi && s.toks[j].kind == tWord && !s.taken(j); n++ {
		w := &s.toks[j]
		j++
		if w.flags&fState != 0 && w.len() > 2 && w.flags&(fStop|fAck) == 0 {
			return j
		}
		if w.hash != hUnited && w.hash != hNew {
			break
		}
	}
	return i
}

var hUnited, hNew = hashWord("united"), hashWord("new")

// limitUnit returns the end of the number of a unit: one written number, or what was said.
func (s *scan) limitUnit() int {
	r := &s.run
	if r.elems[0].what == eWritten {
		end := int(r.elems[0].b)
		if len(r.elems) > 1 && r.elems[1].what == eLetter && s.toks[r.elems[1].a].gap == gapNone {
			end = int(r.elems[1].b)
		}
		return end
	}
	n := 0
	for i := range r.elems {
		if n += int(r.elems[i].n); n > 4 {
			return int(r.elems[max(0, i-1)].b)
		}
	}
	return r.b
}

// zipNext tells whether a number of five digits begins at i.
func (s *scan) zipNext(t *textInfo, i int) bool {
	if i < t.hi && s.toks[i].is(',') {
		i++
	}
	if i >= t.hi || !s.numeric(i, t.hi) {
		return false
	}
	r := &s.next
	s.readRun(r, i, min(t.hi, i+12))
	return r.digits >= 5 && (len(r.elems) > 0 && (r.elems[0].what != eWritten || r.elems[0].n == 5))
}

// addresses finds the addresses that no house number begins: boxes, and a state with its postal code.
func (s *scan) addresses(t *textInfo) {
	for i := t.lo; i < t.hi; i++ {
		w := &s.toks[i]
		if w.kind != tWord || s.taken(i) {
			continue
		}
		switch {
		case (w.hash == hBox || w.hash == hPsc) && i+1 < t.hi && s.numeric(i+1, t.hi) && !s.taken(i+1):
			s.box(t, i)
		case w.flags&fState != 0 && w.flags&(fStop|fAck) == 0 && (w.len() > 2 || w.caps == capAll) && s.zipNext(t, i+1):
			j := i + 1
			if s.toks[j].is(',') {
				j++
			}
			if end := s.addressTail(t, j); end > j {
				s.mark(j, end, kAddress, "postcode")
			}
		case (w.hash == hApo || w.hash == hDpo || w.hash == hFpo) && s.zipNext(t, i+2):
			a := i
			for a > t.lo && a > i-4 && !s.taken(a-1) && s.toks[a-1].kind == tWord && s.toks[a-1].caps != capNone && s.toks[a-1].flags&fStop == 0 {
				a--
			}
			if h := s.toks[a].hash; h != hUss && h != hUsns && h != hUscgc {
				a = i
			}
			s.mark(a, s.addressTail(t, i+1), kAddress, "postcode")
		case w.flags&fApt != 0 && w.caps != capNone && i+1 < t.hi:
			s.unit(t, i)
		case w.len() <= 2 && i+1 < t.hi && s.toks[i+1].kind == tNumber && s.toks[i+1].gap == gapNone:
			s.postcode(t, i)
		}
	}
}
