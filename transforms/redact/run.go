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
func (s *scan) starts(i, hi int) bool { return !s.toks[i].dull && s.startsHere(i, hi) }

func (s *scan) startsHere(i, hi int) bool {
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
