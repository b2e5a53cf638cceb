package redact

// readRun fills r with the run that begins at token i.
func (s *scan) readRun(r *run, i, hi int) {
	r.reset(i)
	sep := byte(0)
	after := -1 // elements behind a month
	for i < hi {
		n := s.readElem(r, i, hi, sep)
		if n == 0 {
			return
		}
		if r.month {
			after++
		}
		if after > 4 {
			return
		}
		i, sep = s.between(r, i+n, hi)
	}
}

// between steps over what may stand inside a run, and returns where the next element could be; hi if there is none.
func (s *scan) between(r *run, i, hi int) (int, byte) {
	sep, symbols, words := byte(0), 0, 0
	for ; i < hi; i++ {
		t := &s.toks[i]
		switch {
		case t.kind == tSymbol:
			if symbols++; symbols > 4 {
				return hi, 0
			}
			switch t.ch {
			case ',', '-', '(', ')', ':', '/', '#', '.', '\'':
				if sep == 0 || t.ch != '.' {
					sep = t.ch
				}
				if t.ch == '/' || t.ch == ':' {
					r.wide = true
				}
				if t.ch == '.' && i+1 < hi && s.toks[i+1].gap != gapNone && (s.toks[i+1].caps != capNone && s.toks[i+1].len() > 1 || s.toks[i+1].kind == tNumber && symbols == 1 && s.toks[i-1].kind == tNumber && s.toks[i-1].len() <= 2) {
					return hi, 0
				}
				if t.ch == ',' && i+1 < hi && s.toks[i+1].gap == gapNone && r.digits > 0 && r.spoken == 0 && s.toks[i+1].len() == 3 {
					r.scale = true // 1,672
				}
			default:
				return hi, 0
			}
		case t.kind != tWord:
			return i, sep
		case t.flags&fFiller != 0 && t.ch == 0:
			if words++; words > 3 {
				return hi, 0
			}
		case t.class == nSymbol && (t.val == '-' || t.val == '/' || t.val == '.') || t.hash == hSpace:
			if !s.codeLike(i+1, hi) {
				return hi, 0
			}
			sep = t.val
			if t.val == '.' {
				r.point = true
			}
			if t.val == '/' {
				r.wide = true
			}
			if words++; words > 3 {
				return hi, 0
			}
		case (t.hash == hOf || t.hash == hThe || t.hash == hDe && s.eng.tensAnd) && len(r.elems) > 0 && i+1 < hi &&
			(s.toks[i+1].class == nMonth || r.month && (s.toks[i+1].class == nOrdinal || t.hash == hDe)):
		default:
			return i, sep
		}
	}
	return hi, 0
}

// readElem reads the element at i into r and returns how many tokens it takes, 0 for none.
func (s *scan) readElem(r *run, i, hi int, sep byte) int {
	t := &s.toks[i]
	switch t.kind {
	case tNumber:
		return s.readWritten(r, i, hi, sep)
	case tWord:
	default:
		return 0
	}
	first := len(r.elems) == 0
	switch t.class {
	case nDigit:
		if t.ch == 'o' {
			if n := s.asIn(i+1, hi, 'o'); n > 0 {
				r.add(i, i+1+n, eLetter, sep, '0')
				return n + 1
			}
		}
		if first && t.val == 0 && s.starts(i, hi) {
			return s.readSmall(r, i, hi, sep)
		}
		if t.len() <= 2 && t.val == 0 && (first || r.spoken == 0 && r.letters == 0) && !s.codeLike(i+1, hi) {
			return 0
		}
		return s.readSmall(r, i, hi, sep)
	case nTeen, nTens:
		return s.readSmall(r, i, hi, sep)
	case nHundreds, nScale:
		return s.readHundreds(r, i, hi, sep)
	case nRepeat:
		return s.readRepeat(r, i, hi, sep)
	case nOrdinal:
		if first && s.dayAt(i, hi) || r.month {
			r.add(i, i+1, eOrdinal, sep, '0'+t.val/10, '0'+t.val%10)
			return 1
		}
		return 0
	case nMonth:
		if !first && t.alt != 0 && isLetter(t.alt) && r.elems[len(r.elems)-1].what == eLetter && r.letters > 0 {
			r.add(i, i+1, eLetter, sep, t.alt)
			return 1
		}
		if first && s.monthAt(i, hi) || len(r.elems) == 1 && !r.month && r.letters == 0 && r.elems[0].n <= 2 {
			r.add(i, i+1, eMonth, sep, '0'+t.val/10, '0'+t.val%10)
			return 1
		}
		return 0
	}
	if !first && t.alt != 0 {
		last := r.elems[len(r.elems)-1].what
		if isDigit(t.alt) && sep == 0 && (last == eSpoken || last == ePair || last == eLetter) && s.homophone(r, i, hi) {
			r.add(i, i+1, eSpoken, sep, t.alt)
			return 1
		}
		if isLetter(t.alt) && last == eLetter && s.codeLike(i+1, hi) {
			r.add(i, i+1, eLetter, sep, t.alt)
			return 1
		}
	}
	if first && isLetter(t.alt) && s.letterWord(i, hi) {
		r.add(i, i+1, eLetter, sep, t.alt)
		return 1
	}
	if first && isDigit(t.alt) && t.class == nNone {
		r.add(i, i+1, eSpoken, sep, t.alt)
		return 1
	}
	if t.class == nNato && (s.codeLike(i+1, hi) || !first && (s.toks[i-1].class == nNato || r.letters > 0)) {
		r.add(i, i+1, eLetter, sep, t.val)
		return 1
	}
	if t.ch == 0 {
		return s.readGlued(r, i, hi, sep)
	}
	if first && (s.articleLetter(i, hi) || s.gluedCode(i, hi)) {
		r.add(i, i+1, eLetter, sep, t.ch)
		return 1
	}
	if !s.letterAt(i, hi, !first) || first && t.gap == gapNone && i > 0 && s.toks[i-1].is('\'') {
		return 0
	}
	if !first && (t.ch == 'a' || t.ch == 'p') && i+1 < hi && s.toks[i+1].ch == 'm' && s.toks[i+1].kind == tWord { // 10 a m
		return 0
	}
	n := 1
	if n += s.asIn(i+1, hi, t.ch); n == 1 && !first && r.letters == 0 && r.elems[len(r.elems)-1].what != eWritten && !s.codeLike(i+1, hi) && t.gap != gapNone && r.digits < 3 {
		return 0
	}
	r.add(i, i+n, eLetter, sep, t.ch)
	return n
}

// homophone tells whether the word at i is a digit that a recognizer heard as another word.
func (s *scan) homophone(r *run, i, hi int) bool {
	t := &s.toks[i]
	next := i + 1
	for next < hi && s.toks[next].flags&fFiller != 0 && s.toks[next].kind == tWord {
		next++
	}
	more := next < hi && s.toks[next].kind == tWord && (s.numeric(next, hi) || isDigit(s.toks[next].alt) && s.numeric(next+1, hi))
	wanted := s.numberWanted(r.a)
	switch {
	case more:
		return r.spoken >= 2 || wanted && r.spoken+r.letters >= 1
	case t.flags&fStop != 0 || t.word() == 1 && t.hash != hWon:
		return wanted && r.spoken >= 2 && next >= s.texts[s.ti].hi
	}
	return r.spoken >= 3 || wanted && r.spoken >= 2
}

var hWon = hashWord("won")

// readGlued takes short words that are part of a code: "AB" of "AB123", "XK" between numbers.
func (s *scan) readGlued(r *run, i, hi int, sep byte) int {
	t := &s.toks[i]
	if len(r.elems) == 0 && !s.gluedCode(i, hi) && !s.capsCode(i, hi) || len(r.elems) > 0 && t.gap != gapNone && t.caps != capAll || t.len() > 4 || t.class != nNone || len(r.elems) > 0 && (t.hash == hTh || t.hash == hSt || t.hash == hNd || t.hash == hRd) {
		return 0
	}
	if len(r.elems) > 0 && s.toks[i-1].kind == tSymbol && !s.numeric(i+1, hi) && t.caps != capAll {
		return 0
	}
	if t.flags&(fUnit|fStreet|fState) != 0 && !s.gluedCode(i, hi) && !s.capsCode(i, hi) && !(t.gap == gapNone && s.numeric(i+1, hi)) {
		return 0
	}
	off := len(r.canon)
	for k := t.start; k < t.end; k++ {
		if !isLetter(s.text[k]) {
			return 0
		}
		r.canon = append(r.canon, lower(s.text[k]))
	}
	r.push(i, i+1, eLetter, sep, off)
	return 1
}

func (s *scan) readWritten(r *run, i, hi int, sep byte) int {
	t := &s.toks[i]
	off := len(r.canon)
	r.canon = append(r.canon, s.text[t.start:t.end]...)
	n, what := 1, eWritten
	if i+1 < hi && s.toks[i+1].kind == tWord && s.toks[i+1].gap == gapNone && t.len() <= 2 {
		switch s.toks[i+1].hash {
		case hTh, hSt, hNd, hRd:
			n, what = 2, eOrdinal
		}
	}
	if what == eOrdinal && !(r.month || s.dayAt(i+1, hi)) {
		r.canon = r.canon[:off]
		return 0
	}
	r.push(i, i+n, what, sep, off)
	if sep == '.' && len(r.elems) > 1 && s.toks[i].gap == gapNone {
		r.point = true
	}
	if i+2 < hi && t.len() <= 3 && s.toks[i+1].kind == tWord && s.toks[i+1].class == nScale {
		r.scale = true
		r.b = i + 2
		r.elems[len(r.elems)-1].b = int32(i + 2)
		r.elems[len(r.elems)-1].what = eScale
		return 2
	}
	return n
}

// small reads a number below a hundred at i: its value and how many tokens it takes.
func (s *scan) small(i, hi int) (v, n int) {
	if i >= hi || s.toks[i].kind != tWord {
		return 0, 0
	}
	t := &s.toks[i]
	switch t.class {
	case nDigit, nTeen:
		return int(t.val), 1
	case nTens:
		j := i + 1
		if j < hi && s.toks[j].is('-') && s.toks[j].gap == gapNone {
			j++
		}
		if j < hi && s.toks[j].kind == tWord && s.toks[j].class == nDigit && s.toks[j].val > 0 {
			return int(t.val + s.toks[j].val), j + 1 - i
		}
		if j < hi && s.eng.tensAnd && s.toks[j].hash == hY && j+1 < hi && s.toks[j+1].class == nDigit {
			return int(t.val + s.toks[j+1].val), j + 2 - i
		}
		return int(t.val), 1
	}
	return 0, 0
}

// readSmall reads a spoken number with the hundreds and thousands it is part of.
func (s *scan) readSmall(r *run, i, hi int, sep byte) int {
	v, n := s.small(i, hi)
	if n == 0 {
		return 0
	}
	if j := i + n; j < hi && s.toks[j].kind == tWord && s.toks[j].class == nScale && v > 0 {
		return s.readScale(r, i, j, hi, v, sep)
	}
	t := &s.toks[i]
	if t.class == nTens && n > 1 && i+n < hi && s.toks[i+n].class == nOrdinal { // never: "twenty five third"
		n = 1
	}
	if t.class == nTens && n == 1 && i+1 < hi && s.toks[i+1].class == nOrdinal && s.toks[i+1].val < 10 && (r.month || s.dayAt(i+1, hi)) {
		v += int(s.toks[i+1].val)
		r.add(i, i+2, eOrdinal, sep, '0'+byte(v/10), '0'+byte(v%10))
		return 2
	}
	if t.class == nDigit {
		r.add(i, i+n, eSpoken, sep, '0'+t.val)
	} else {
		r.add(i, i+n, ePair, sep, '0'+byte(v/10), '0'+byte(v%10))
	}
	return n
}

func (s *scan) readScale(r *run, i, j, hi, v int, sep byte) int {
	total := 0
	for j < hi && s.toks[j].kind == tWord && s.toks[j].class == nScale {
		if s.toks[j].val == 2 {
			v *= 100
		} else {
			total = (total + v) * 1000
			v = 0
		}
		j++
		k := j
		if k < hi && s.toks[k].hash == hAnd {
			k++
		}
		w, n := s.small(k, hi)
		if n == 0 || n > 0 && s.toks[k].class == nDigit && s.numeric(k+1, hi) && s.toks[k+1].class == nDigit { // eight hundred five five five
			break
		}
		v += w
		j = k + n
	}
	total += v
	if total > 99999999 {
		total = 99999999
	}
	off := len(r.canon)
	r.canon = appendInt(r.canon, total)
	r.scale = true
	r.push(i, j, eScale, sep, off)
	return j - i
}

// readHundreds reads "mil novecientos ochenta", as languages say it that have words for the hundreds.
func (s *scan) readHundreds(r *run, i, hi int, sep byte) int {
	total, j := 0, i
	if s.toks[j].class == nScale {
		if !s.starts(i, hi) {
			return 0
		}
		total, j = 1000, j+1
	}
	if j < hi && s.toks[j].class == nHundreds {
		total, j = total+100*int(s.toks[j].val), j+1
	}
	v, n := s.small(j, hi)
	off := len(r.canon)
	r.canon = appendInt(r.canon, total+v)
	r.scale = true
	r.push(i, j+n, eScale, sep, off)
	return j + n - i
}

func appendInt(b []byte, v int) []byte {
	if v >= 10 {
		b = appendInt(b, v/10)
	}
	return append(b, '0'+byte(v%10))
}

func (s *scan) readRepeat(r *run, i, hi int, sep byte) int {
	if i+1 >= hi {
		return 0
	}
	t, next := &s.toks[i], &s.toks[i+1]
	var c byte
	what := eSpoken
	switch {
	case next.kind == tWord && next.class == nDigit:
		c = '0' + next.val
	case next.kind == tNumber && next.len() == 1:
		c = s.text[next.start]
	case next.letter() != 0:
		c, what = next.ch, eLetter
	default:
		return 0
	}
	off := len(r.canon)
	for range t.val {
		r.canon = append(r.canon, c)
	}
	r.push(i, i+2, what, sep, off)
	return 2
}
