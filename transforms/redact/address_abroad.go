package redact

// postcode marks a British or Canadian postal code: "SW1A 1AA", "K1A 0B1".
func (s *scan) postcode(t *textInfo, i int) {
	b := i + 1
	spaces := 0
	for b < t.hi && b < i+7 && !s.taken(b) && s.toks[b].kind != tSymbol {
		if s.toks[b].gap != gapNone {
			if spaces++; spaces > 1 {
				break
			}
		}
		b++
		v := s.text[s.toks[i].start:s.toks[b-1].end]
		whole := b == t.hi || s.toks[b].gap != gapNone || s.toks[b].kind == tSymbol
		if whole && isPostcode(v, s.toks[i].caps != capNone || s.cueBefore(i, kAddress) || s.dialog.wants(t, kAddress)) {
			s.mark(i, b, kAddress, "postcode")
			return
		}
	}
}

// isPostcode tells whether a text is a postal code; in small letters only where an address is talked about.
func isPostcode(v string, capitals bool) bool {
	form := make([]byte, 0, 8)
	for k := range len(v) {
		switch {
		case isDigit(v[k]):
			form = append(form, '9')
		case isLetter(v[k]):
			form = append(form, 'A')
		case v[k] != ' ':
			return false
		}
	}
	if !capitals || len(v) > len(form)+1 {
		return false
	}
	switch string(form) {
	case "A99AA", "A999AA", "AA99AA", "AA999AA", "A9A9AA", "AA9A9AA", "A9A9A9":
		return true
	}
	return false
}

// foreign marks addresses in the manner of other countries: a capitalized name of a street with its number behind it,
// where another number or a word such as "at" tells that it is one: "03555 Vicolo Calcirelli 13", "lives at Kuusiku 7".
func (s *scan) foreign(t *textInfo) {
	for i := t.lo; i < t.hi; i++ {
		w := &s.toks[i]
		if s.taken(i) || w.kind == tSymbol || w.kind == tWord && (w.caps == capNone || w.ch != 0) && !streetPrefix(w.hash) {
			continue
		}
		j, led := i, false
		for j < t.hi && s.toks[j].kind == tNumber && !s.taken(j) && j < i+2 {
			led = true
			j++
		}
		words, odd := 0, 0
		for j < t.hi && !s.taken(j) && words < 6 {
			x := &s.toks[j]
			if x.kind == tSymbol && (x.ch == '.' || x.ch == '-' || x.ch == '\'') && x.gap == gapNone && words > 0 {
				j++
				continue
			}
			if x.kind != tWord || x.caps == capNone && !(s.particle(x) || streetPrefix(x.hash)) || x.flags&fStop != 0 && !s.particle(x) || x.class == nMonth || x.flags&fBefore != 0 {
				break
			}
			if x.word() == 0 {
				odd++
			}
			words++
			j++
		}
		if words == 0 || odd == 0 || j >= t.hi || s.toks[j].kind != tNumber || s.taken(j) || s.toks[j].len() > 4 {
			if words > 1 {
				i = j - 1
			}
			continue
		}
		if !led && !s.placed(t, i) {
			i = j
			continue
		}
		s.mark(i, s.foreignTail(t, j+1), kAddress, "street")
		i = j
	}
}

// streetPrefix tells words for a street that stand before its name, in small letters.
func streetPrefix(h uint64) bool {
	return h == hUl || h == hRue || h == hVia || h == hCalle || h == hRua
}

// placed tells whether a word stands before token i that an address follows.
func (s *scan) placed(t *textInfo, i int) bool {
	for k := i - 1; k >= t.lo && k >= i-3; k-- {
		switch s.toks[k].hash {
		case hAt, hAddress, hOn, hTo, hLives, hLocated, hCorner:
			return true
		}
	}
	return streetPrefix(s.toks[i].hash)
}

var hUl, hRua, hOn, hLocated, hCorner = hashWord("ul"), hashWord("rua"), hashWord("on"), hashWord("located"), hashWord("corner")

// box marks "PO Box 12", "PSC 9009, Box 9725 APO AA 33274", "Unit 7349 Box 6067 DPO AE 99081".
func (s *scan) box(t *textInfo, i int) {
	a := i
	for a > t.lo && a > i-6 && !s.taken(a-1) {
		p := &s.toks[a-1]
		if p.kind == tSymbol && (p.ch == ',' || p.ch == '.') || p.kind == tNumber || p.flags&fApt != 0 || p.hash == hPo || p.letter() == 'p' || p.letter() == 'o' || p.hash == hPsc {
			a--
			continue
		}
		break
	}
	for a < i && s.toks[a].kind == tSymbol {
		a++
	}
	if s.toks[i].hash == hBox && a == i && !s.dialog.wants(t, kAddress) && s.toks[i].caps == capNone {
		return
	}
	s.readRun(&s.run, i+1, min(t.hi, i+12))
	if len(s.run.elems) == 0 {
		return
	}
	b := s.run.b
	if s.run.elems[0].what == eWritten {
		b = int(s.run.elems[0].b)
	}
	for j := b; j < t.hi && j < b+6 && !s.taken(j); j++ {
		w := &s.toks[j]
		if w.hash == hBox && j+1 < t.hi && s.toks[j+1].kind == tNumber {
			b = j + 2
		}
		if w.hash == hApo || w.hash == hDpo || w.hash == hFpo {
			b = min(j+2, t.hi)
		}
	}
	s.mark(a, s.addressTail(t, b), kAddress, "box")
}

// unit marks addresses by their unit: "9448 Iroon Polytechniou Avenue Apt. 683 Soloi 33274".
func (s *scan) unit(t *textInfo, i int) {
	n := i + 1
	if s.toks[n].is('.') {
		n++
	}
	if n >= t.hi || s.toks[n].kind != tNumber || s.taken(n) {
		return
	}
	a := i
	number := -1
	for a > t.lo && a > i-12 && !s.taken(a-1) {
		p := &s.toks[a-1]
		if p.kind == tNumber {
			number = a - 1
		} else if p.kind == tWord && p.caps == capNone || p.kind == tSymbol && p.ch != ',' && p.ch != '-' && p.ch != '\'' && !(p.ch == '.' && p.gap == gapNone && s.toks[a].gap == gapSpace && a >= t.lo+2 && s.toks[a-2].len() < 5) {
			break
		}
		a--
	}
	if number < 0 {
		number = i
	}
	s.mark(number, s.foreignTail(t, n+1), kAddress, "unit")
}

// foreignTail extends an address over capitalized words and the numbers among them.
func (s *scan) foreignTail(t *textInfo, end int) int {
	last := end
	for j := end; j < t.hi && j < end+14 && !s.taken(j); j++ {
		w := &s.toks[j]
		switch {
		case w.flags&fApt != 0 && w.caps != capNone:
			if n := j + 1; n < t.hi && s.toks[n].is('.') {
				j++
			}
			if j+1 < t.hi && s.toks[j+1].kind == tNumber && !s.taken(j+1) {
				j++
				last = j + 1
			}
		case w.kind == tNumber && w.len() >= 3:
			last = j + 1
			if w.len() >= 4 {
				return last
			}
		case w.kind == tWord && w.caps != capNone && w.flags&fStop == 0:
			last = j + 1
		case w.kind == tSymbol && (w.ch == ',' || w.ch == '-' || w.ch == '\'' || w.ch == '.' && s.toks[j-1].flags&fApt != 0):
		default:
			return last
		}
	}
	return last
}
