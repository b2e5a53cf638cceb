package redact

// elem is one number, letter or month of a run, with the characters it stands for.
type elem struct {
	a, b   int32 // tokens, b exclusive
	off, n int32 // characters in run.canon
	what   elemKind
	sep    byte // the symbol between it and the element before; 0 is none or a space
}

type elemKind uint8

const (
	eWritten elemKind = iota
	eSpoken           // a digit
	ePair             // "fifteen", "eighty six", "twenty"
	eScale            // "two hundred fifty eight"
	eLetter
	eMonth
	eOrdinal
)

// run is a row of numbers and spelled letters that nothing but pauses and separators parts: the un-spoken form of a text,
// every character of which knows the tokens it comes from.
type run struct {
	a, b    int // tokens, b exclusive
	elems   []elem
	canon   []byte
	digits  int
	letters int
	spoken  int // elements
	scale   bool
	point   bool // "point", or a decimal point
	month   bool
	wide    bool // separated by symbols that only dates and fractions have
}

func (r *run) of(i int) []byte { e := &r.elems[i]; return r.canon[e.off : e.off+e.n] }

func (r *run) reset(a int) {
	*r = run{a: a, b: a, elems: r.elems[:0], canon: r.canon[:0]}
}

func (r *run) add(a, b int, what elemKind, sep byte, chars ...byte) {
	off := len(r.canon)
	r.canon = append(r.canon, chars...)
	r.push(a, b, what, sep, off)
}

func (r *run) push(a, b int, what elemKind, sep byte, off int) {
	n := len(r.canon) - off
	r.elems = append(r.elems, elem{int32(a), int32(b), int32(off), int32(n), what, sep})
	r.b = b
	switch what {
	case eLetter:
		r.letters += n
	case eMonth:
		r.month = true
	case eOrdinal, eWritten:
		r.digits += n
	default:
		r.digits += n
		r.spoken++
	}
}

// starts tells whether a run can begin at token i.
func (s *scan) starts(i, hi int) bool {
	t := &s.toks[i]
	switch t.kind {
	case tNumber:
		return true
	case tWord:
		switch t.class {
		case nDigit:
			if t.ch == 'o' && s.asIn(i+1, hi, 'o') > 0 {
				return true
			}
			if t.ch == 'o' || t.len() == 2 && t.val == 0 { // "oh" is a word as well
				next := i + 1
				for next < hi && s.toks[next].kind == tWord && s.toks[next].flags&fFiller != 0 && s.numberWanted(i) {
					next++
				}
				return s.numeric(next, hi)
			}
			return true
		case nTeen, nTens, nHundreds:
			return true
		case nScale:
			return s.eng.tensAnd && t.val == 3 && i+1 < hi && s.toks[i+1].class == nHundreds
		case nRepeat:
			return i+1 < hi && (s.toks[i+1].class == nDigit || s.toks[i+1].kind == tNumber || s.toks[i+1].letter() != 0)
		case nMonth:
			return s.monthAt(i, hi)
		case nOrdinal:
			return s.dayAt(i, hi)
		case nNato:
			return i+1 < hi && s.codeLike(i+1, hi)
		}
		if t.flags&fGlued != 0 && s.gluedCode(i, hi) {
			return true
		}
		if t.alt == 0 && t.ch == 0 && t.caps != capAll {
			return false
		}
		if isDigit(t.alt) && t.class == nNone && s.numberWanted(i) && s.digitsFollow(i, hi) {
			return true
		}
		if s.articleLetter(i, hi) || s.capsCode(i, hi) || s.letterWord(i, hi) {
			return true
		}
		return t.ch != 0 && s.letterAt(i, hi, false)
	}
	return false
}

// gluedCode tells whether the word at i is the beginning of a code: "GB" of "GB49AHER".
func (s *scan) gluedCode(i, hi int) bool {
	t := &s.toks[i]
	n := i + 1
	if n < hi && s.toks[n].is('-') && s.toks[n].gap == gapNone && t.len() > 1 && s.lettersWanted(i) {
		n++
	}
	if n >= hi || t.len() > 4 || s.toks[n].kind != tNumber || s.toks[n].gap != gapNone {
		return false
	}
	for k := t.start; k < t.end; k++ {
		if !isLetter(s.text[k]) {
			return false
		}
	}
	return true
}

// digitsFollow tells whether two digits are said behind token i; one or two of them can be what a recognizer heard for
// them if a digit follows.
func (s *scan) digitsFollow(i, hi int) bool {
	heard, said := 0, 0
	for i++; i < hi && heard+said < 3; i++ {
		t := &s.toks[i]
		switch {
		case t.kind != tWord:
			return false
		case s.numeric(i, hi):
			said++
		case isDigit(t.alt) && heard < 2:
			heard++
		case t.flags&fFiller == 0:
			return false
		}
		if said > 0 && heard+said > 1 {
			return true
		}
	}
	return false
}

// numberWanted tells whether a number was announced or asked for.
func (s *scan) numberWanted(i int) bool {
	d := &s.dialog
	if (d.want | d.open.bit()).any(s.eng.codes) || d.lastAge <= 2 && s.eng.codes.has(d.last) {
		return true
	}
	return s.cueNear(i, s.eng.codes)
}

// lettersWanted tells whether a code with letters was announced or asked for.
func (s *scan) lettersWanted(i int) bool {
	d := &s.dialog
	if (d.want | d.open.bit()).any(s.eng.letters) {
		return true
	}
	return s.cueNear(i, s.eng.letters)
}

// numeric tells whether a number is at token i.
func (s *scan) numeric(i, hi int) bool {
	if i >= hi {
		return false
	}
	t := &s.toks[i]
	return t.kind == tNumber || t.kind == tWord && (t.class == nDigit || t.class == nTeen || t.class == nTens || t.class == nRepeat)
}

// articleLetter tells whether "a" or "i" begins a code that was asked for: it is followed by digits, not by a pair.
func (s *scan) articleLetter(i, hi int) bool {
	t := &s.toks[i]
	if t.ch != 'a' && t.ch != 'i' || !s.codeLike(i+1, hi) || !s.lettersWanted(i) {
		return false
	}
	if !s.numeric(i+1, hi) {
		return s.toks[i+1].gap != gapNone && (s.toks[i+1].class == nNato || s.toks[i+1].ch != 'm' && s.codeLike(i+2, hi) || s.asIn(i+2, hi, s.toks[i+1].ch) > 0)
	}
	n := 0
	for j := i + 1; j < hi && j < i+6; j++ {
		if s.numeric(j, hi) {
			n++
		}
	}
	return s.digitAt(i+1, hi) || n >= 4
}

// capsCode tells whether capitals that a number follows begin a code that was asked for, or that has a pattern.
func (s *scan) capsCode(i, hi int) bool {
	t := &s.toks[i]
	return t.caps == capAll && t.len() <= 4 && t.len() > 1 && s.digitAt(i+1, hi) && t.class == nNone && (len(s.eng.custom) > 0 || s.lettersWanted(i))
}

// letterWord tells whether a word that sounds like a letter begins a code that was asked for: "gee seven two".
func (s *scan) letterWord(i, hi int) bool {
	t := &s.toks[i]
	return isLetter(t.alt) && t.class == nNone && t.flags&fStop == 0 && s.digitAt(i+1, hi) && s.digitAt(i+2, hi) && s.lettersWanted(i)
}

// digitAt tells whether a single digit or a written number is at token i.
func (s *scan) digitAt(i, hi int) bool {
	return s.numeric(i, hi) && (s.toks[i].kind == tNumber || s.toks[i].class == nDigit || s.toks[i].class == nRepeat)
}

// codeLike tells whether a number, a letter or a word for a letter is at i.
func (s *scan) codeLike(i, hi int) bool {
	if i >= hi {
		return false
	}
	t := &s.toks[i]
	return s.numeric(i, hi) || t.kind == tWord && (t.ch != 0 && t.ch != 'a' && t.ch != 'i' || t.class == nNato)
}

// letterAt tells whether the word of one letter at i is a letter of a code. "a" and "i" are words unless they stand
// between letters.
func (s *scan) letterAt(i, hi int, inside bool) bool {
	t := &s.toks[i]
	next := i + 1
	for next < hi && next < i+3 && (s.toks[next].kind == tSymbol && s.toks[next].ch != '?' && s.toks[next].ch != '!' || s.toks[next].flags&fFiller != 0) {
		next++
	}
	if next >= hi {
		return inside
	}
	n := &s.toks[next]
	if s.asIn(i+1, hi, t.ch) > 0 {
		return true
	}
	if t.ch == 'a' || t.ch == 'i' {
		return n.letter() != 0 && n.ch != 'm' && (inside || n.gap > 0) && (inside || t.ch != 'i') || inside && s.numeric(next, hi)
	}
	return inside || n.letter() != 0 || s.numeric(next, hi) || n.class == nNato || n.kind == tWord && isDigit(n.alt) && s.lettersWanted(i) && s.numeric(next+1, hi)
}

// asIn returns how many tokens from i on say which letter is meant: "as in victor", "for victor", "like victor".
func (s *scan) asIn(i, hi int, c byte) int {
	n := 0
	if i+2 < hi && s.toks[i].hash == hAs && (s.toks[i+1].hash == hIn) {
		n = 2
	} else if i+1 < hi && (s.toks[i].hash == hFor || s.toks[i].hash == hLike) {
		n = 1
	} else {
		return 0
	}
	w := &s.toks[i+n]
	if w.kind != tWord || w.len() < 2 || lower(s.text[w.start]) != c {
		return 0
	}
	return n + 1
}

var (
	hAs, hIn, hFor, hLike, hAnd, hOf, hThe = hashWord("as"), hashWord("in"), hashWord("for"), hashWord("like"), hashWord("and"), hashWord("of"), hashWord("the")
	hTh, hSt, hNd, hRd                     = hashWord("th"), hashWord("st"), hashWord("nd"), hashWord("rd")
	hSpace, hThen, hA, hIs, hMy            = hashWord("space"), hashWord("then"), hashWord("a"), hashWord("is"), hashWord("my")
	hY, hDe, hDel                          = hashWord("y"), hashWord("de"), hashWord("del")
)

// monthAt tells whether the month word at i is a month: "may" is one beside a day or a year.
func (s *scan) monthAt(i, hi int) bool {
	next := i + 1
	if next < hi && s.toks[next].hash == hThe {
		next++
	}
	return next < hi && (s.numeric(next, hi) || s.toks[next].class == nOrdinal)
}

// dayAt tells whether a day with its month is at i: "third of march", "twenty first of may".
func (s *scan) dayAt(i, hi int) bool {
	next := i + 1
	if next < hi && (s.toks[next].hash == hOf || s.eng.tensAnd && s.toks[next].hash == hDe) {
		next++
	}
	return next < hi && s.toks[next].class == nMonth
}

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
