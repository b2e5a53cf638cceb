package redact

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// scan is the state of one search: what is known of the call, and the spans found so far. It is reused.
type scan struct {
	eng   *Engine
	known known
	keep  []string // digits of numbers that stay
	spans []Span
	cuts  []Span // of the text being searched: its spans, and tokens that were in it (Type "")
	text  int
	run   run
}

// piece is a stretch of text without tokens in it. Detectors look at s[lo:hi] only, and lo and hi are word boundaries.
type piece struct {
	s      string
	lo, hi int
}

func (e *Engine) open(c *Call) *scan {
	s := e.scratch.Get().(*scan)
	s.eng, s.spans = e, s.spans[:0]
	s.known.load(c, e)
	s.keep = s.keep[:0]
	for _, k := range c.Keep {
		if d := normalPhone(k); len(d) >= 7 && !s.known.isPhone(d) {
			s.keep = append(s.keep, d)
		}
	}
	return s
}

// maxKept is how many numbers of a run, or spans, a scan keeps room for: one huge call must not hold memory for good.
const maxKept = 1 << 12

func (e *Engine) close(s *scan) {
	if cap(s.run.items) <= maxKept && cap(s.run.digits) <= 4*maxKept && cap(s.cuts) <= maxKept && cap(s.spans) <= maxKept {
		e.scratch.Put(s)
	}
}

// all searches every text of the call.
func (s *scan) all(c *Call) []Span {
	for i := range len(c.Turns) + len(c.Texts) {
		s.search(i, c.Text(i))
	}
	return s.spans
}

// search finds the spans of one text: it cuts the text into pieces and goes on until no piece yields another one.
func (s *scan) search(i int, t string) {
	s.text, s.cuts = i, tokens(s.cuts[:0], t)
	for {
		n := len(s.cuts)
		lo := 0
		for k := range n {
			s.piece(piece{t, lo, s.cuts[k].Start})
			lo = s.cuts[k].End
		}
		s.piece(piece{t, lo, len(t)})
		if len(s.cuts) == n {
			break
		}
		slices.SortFunc(s.cuts, byStart)
	}
	for _, c := range s.cuts {
		if c.Type != "" {
			s.spans = append(s.spans, c)
		}
	}
}

// piece runs the detectors over one piece, each over what those before it left: a URL can hold an address, an address
// can hold a name or a number.
func (s *scan) piece(p piece) {
	n := len(s.cuts)
	s.urls(p)
	s.gaps(p, n, (*scan).emails)
	s.gaps(p, n, (*scan).ipv6)
	if s.known.script != "" {
		s.gaps(p, n, (*scan).literal)
	}
	s.gaps(p, n, (*scan).words)
}

// gaps runs a detector over the stretches of the piece that the cuts from n on leave.
func (s *scan) gaps(p piece, n int, detect func(*scan, piece)) {
	found := s.cuts[n:]
	if len(found) > 1 && !slices.IsSortedFunc(found, byStart) {
		slices.SortFunc(found, byStart)
	}
	for k := range found { // a detector appends to the cuts behind found
		c := s.cuts[n+k]
		if p.lo < c.Start {
			detect(s, piece{p.s, p.lo, c.Start})
		}
		p.lo = c.End
	}
	if p.lo < p.hi {
		detect(s, p)
	}
}

func byStart(a, b Span) int { return cmp.Compare(a.Start, b.Start) }

func (s *scan) add(t Type, start, end int) {
	s.cuts = append(s.cuts, Span{s.text, start, end, t})
}

// words walks over words and numbers from left to right.
func (s *scan) words(p piece) {
	i := p.lo
	for i < p.hi {
		switch c := class[p.s[i]]; {
		case c&cDigit != 0:
			i = s.numbers(p, i)
		case c&cLetter != 0:
			i = s.word(p, i)
		case c&cHigh != 0:
			if n := letter(p, i); n > 0 {
				i = s.word(p, i)
			} else {
				_, n = utf8.DecodeRuneInString(p.s[i:p.hi])
				i += n
			}
		default:
			i++
		}
	}
}

// word handles the word at i and returns where to go on.
func (s *scan) word(p piece, i int) int {
	if s.known.begins(p, i) {
		if end := s.said(p, i, false); end > i {
			return end
		}
		if end := s.name(p, i); end > i {
			return end
		}
	}
	if class[p.s[i]]&cNumber != 0 && maybeNumber(p, i) {
		if w := numberAt(p, i); w.end > i && (w.kind != wordTens || s.known.phones > 0) {
			return s.numbers(p, i)
		}
	}
	j := wordEnd(p, i)
	if j < p.hi && isDigit(p.s[j]) {
		return s.glued(p, i, j)
	}
	return j
}

// tokens appends the redaction tokens that are in the text already: "[PHONE]", "[PHONE_2]".
func tokens(dst []Span, t string) []Span {
	at := 0
	for {
		i := strings.IndexByte(t[at:], '[')
		if i < 0 {
			return dst
		}
		at += i
		j := at + 1
		for j < len(t) && (t[j] >= 'A' && t[j] <= 'Z' || t[j] == '_' || j > at+1 && isDigit(t[j])) {
			j++
		}
		if j < len(t) && t[j] == ']' && isToken(t[at+1:j]) {
			dst = append(dst, Span{Start: at, End: j + 1})
		}
		at = j
	}
}

// isToken knows all types of tokens, also those that only other versions and configurations write.
func isToken(s string) bool {
	if i := strings.LastIndexByte(s, '_'); i > 0 && digitsOf(s[i+1:]) == s[i+1:] {
		s = s[:i]
	}
	switch Type(s) {
	case Person, Phone, Email, Card, SSN, IBAN, IP, URL,
		"ADDRESS", "CVV", "CARD_EXPIRY", "BANK_ACCOUNT", "ROUTING", "ACCOUNT_ID", "PIN", "OTP", "PASSWORD",
		"SECURITY_ANSWER", "USERNAME", "DOB", "PASSPORT", "DRIVER_LICENSE", "MEDICAL_RECORD":
		return true
	}
	return false
}
