package redact

import "strings"

// item is one number of a run: "415", "five", "double four".
type item struct {
	start, end int  // in the text
	off, n     int  // its digits in run.digits
	sep        byte // what is between it and the item before: ' ' loose, '-' or '.' tight
	spoken     bool
	odd        bool // a price, an ordinal, part of a word: no part of a number but of a known one
}

// run is a row of numbers that nothing but spaces, hyphens, dots and brackets separates.
type run struct {
	items  []item
	digits []byte
}

// numbers reads the run that begins at i, searches it and returns its end.
func (s *scan) numbers(p piece, i int) int {
	r := &s.run
	end := r.read(p, i)
	if end == i { // a word such as "double" with nothing behind it, or a number that only a known value can hold
		if n := s.said(p, i, true); n > i {
			return n
		}
		return wordEnd(p, i)
	}
	from := 0
	for k := range s.known.digits[:s.known.phones] {
		v := &s.known.digits[k]
		for at := 0; ; {
			n := strings.Index(string(r.digits[at:]), v.national)
			if n < 0 {
				break
			}
			at += n
			a, b := r.cover(at, at+len(v.national))
			start := leftOf(p, r.items[a].start)
			if a > from && r.items[a].off == at && v.country != "" && string(r.of(a-1)) == v.country {
				a--
				start = plusBefore(p, leftOf(p, r.items[a].start))
			}
			if a >= from {
				s.windows(p, from, a)
				s.add(Phone, start, r.items[b].end)
				from = b + 1
			}
			at += len(v.national)
		}
		if from > 0 {
			break
		}
	}
	return max(end, s.windows(p, from, len(r.items)))
}

// of returns the digits of an item.
func (r *run) of(i int) []byte { return r.digits[r.items[i].off : r.items[i].off+r.items[i].n] }

// cover returns the first and last item that hold the digits from a to b.
func (r *run) cover(a, b int) (first, last int) {
	lo, hi := 0, len(r.items) // the last item with off <= a
	for lo+1 < hi {
		if m := (lo + hi) / 2; r.items[m].off <= a {
			lo = m
		} else {
			hi = m
		}
	}
	for last = lo; r.items[last].off+r.items[last].n < b; {
		last++
	}
	return lo, last
}

// read fills the run with the items from i on and returns its end.
func (r *run) read(p piece, i int) int {
	r.items, r.digits = r.items[:0], r.digits[:0]
	end, sep := i, byte(0)
	for {
		it := item{start: i, off: len(r.digits), sep: sep}
		if digitAt(p, i) {
			r.written(p, &it)
		} else {
			r.said(p, &it)
		}
		if it.n = len(r.digits) - it.off; it.n == 0 {
			return end
		}
		end = it.end
		r.items = append(r.items, it)
		if i, sep = separator(p, end); sep == 0 {
			return end
		}
	}
}

// written reads an item of digits.
func (r *run) written(p piece, it *item) {
	j := it.start
	for digitAt(p, j) {
		j++
	}
	r.digits = append(r.digits, p.s[it.start:j]...)
	for j+1 < p.hi && p.s[j] == ',' && isDigit(p.s[j+1]) { // 1,672.00
		it.odd = true
		for j++; digitAt(p, j); j++ {
			r.digits = append(r.digits, p.s[j])
		}
	}
	it.end = j
	it.odd = it.odd || isPrice(p, it.start) || letterBefore(p, it.start) > 0 || j < p.hi && (p.s[j] == '%' || p.s[j] == '_') ||
		letter(p, j) > 0 && !isExtension(p, j)
}

// said reads an item of number words; it has no digits where there is none.
func (r *run) said(p piece, it *item) {
	it.spoken = true
	w, times := numberAt(p, it.start), 1
	if w.kind == wordRepeat {
		i := w.end
		for i < p.hi && p.s[i] == ' ' {
			i++
		}
		w, times = numberAt(p, i), w.times
	}
	if w.kind != wordUnit || len(r.items) == 0 && w.digits == "0" && lower(p.s[it.start]) == 'o' { // "oh, 415 ..."
		return
	}
	for range times {
		r.digits = append(r.digits, w.digits...)
	}
	it.end = w.end
}

// separator returns the start of what follows the characters that may stand inside a number, and their kind, or 0.
func separator(p piece, i int) (next int, sep byte) {
	begin := i
	for ; i < p.hi && i < begin+4; i++ {
		switch c := p.s[i]; c {
		case ' ', '(', ')':
			if sep == 0 || c != ' ' {
				sep = ' '
			}
			continue
		case '-':
			if sep == 0 {
				sep = '-'
			}
			continue
		case '.':
			if sep == 0 && digitAt(p, i+1) {
				sep = '.'
				continue
			}
		case ',':
			if sep == 0 && i+1 < p.hi && p.s[i+1] == ' ' { // a pause between spoken digits
				sep = ','
				continue
			}
		case 0xC2, 0xE2: // no-break space, no-break hyphen, en dash
			if sep == 0 && strings.HasPrefix(p.s[i:p.hi], " ") {
				sep, i = ' ', i+1
				continue
			}
			if sep == 0 && (strings.HasPrefix(p.s[i:p.hi], "‑") || strings.HasPrefix(p.s[i:p.hi], "–")) {
				sep, i = '-', i+2
				continue
			}
		}
		break
	}
	if sep == 0 || i >= p.hi || !digitAt(p, i) && (class[p.s[i]]&cNumber == 0 || numberAt(p, i).end == 0) {
		return 0, 0
	}
	return i, sep
}

// isPrice tells whether a currency sign stands before i.
func isPrice(p piece, i int) bool {
	if i > p.lo && p.s[i-1] == ' ' {
		i--
	}
	t := p.s[p.lo:i]
	return strings.HasSuffix(t, "$") || strings.HasSuffix(t, "€") || strings.HasSuffix(t, "£")
}

// isExtension tells whether "x12" or "ext" stands at i.
func isExtension(p piece, i int) bool {
	return lower(p.s[i]) == 'x' && digitAt(p, i+1) || i+3 <= p.hi && equalFold(p.s[i:i+3], "ext")
}

// leftOf returns the start of a number with the plus sign and bracket before it.
func leftOf(p piece, i int) int {
	for i > p.lo && (p.s[i-1] == '+' || p.s[i-1] == '(') {
		i--
	}
	return i
}

// plusBefore returns the start of the word "plus" before i, or i.
func plusBefore(p piece, i int) int {
	if j := i - len("plus "); j >= p.lo && equalFold(p.s[j:i], "plus ") && letterBefore(p, j) == 0 {
		return j
	}
	return i
}

// glued handles a word of letters and digits: the word begins at i, its first digit is at j.
func (s *scan) glued(p piece, i, j int) int {
	if j == i+2 {
		if end := ibanEnd(p, i); end > 0 {
			s.add(IBAN, i, end)
			return end
		}
	}
	return j // the digits follow as a number; letters before them make it odd
}

// windows looks at every row of items from a to b for a number of a known form, and returns the end of the last one it
// added, or 0.
func (s *scan) windows(p piece, a, b int) (end int) {
	for g := a; g < b; {
		it := &s.run.items[g]
		if len(s.known.sayings) > 0 && it.start >= end {
			if n := s.said(p, it.start, true); n > 0 {
				for end = n; g < b && s.run.items[g].start < n; {
					g++
				}
				continue
			}
		}
		t, n := s.window(p, a, g, b)
		if n == g {
			g++
			continue
		}
		if t != "" {
			start := it.start
			if t == Phone {
				start = leftOf(p, start)
			}
			end = s.run.items[n-1].end
			s.add(t, start, end)
		}
		g = n
	}
	return end
}

// window returns the type of the number that begins with item g and the item behind it; g itself if there is none. An
// empty type with a later item is a number that stays.
func (s *scan) window(p piece, a, g, b int) (Type, int) {
	r := &s.run
	if r.items[g].odd || r.tightLeft(p, g) {
		return "", g
	}
	n, last := 0, g
	for last < b && !r.items[last].odd && n+r.items[last].n <= 19 && !(last > g && !r.joins(last)) {
		n += r.items[last].n
		last++
	}
	if n < 4 {
		return "", g
	}
	for e := last; e > g; e-- {
		w := window{p: p, run: r, from: g, to: e, n: n, whole: g == a && e == b}
		n -= r.items[e-1].n
		if w.n < 4 || r.tightRight(p, e) {
			continue
		}
		if t, hit := s.kind(w); hit {
			return t, e
		}
	}
	return "", g
}

// joins tells whether item i can belong to the number of the item before: a comma joins spoken digits only.
func (r *run) joins(i int) bool {
	return r.items[i].sep != ',' || r.items[i].spoken && r.items[i-1].spoken
}

// tightLeft tells whether more of a number or code is joined to item i by a tight separator.
func (r *run) tightLeft(p piece, i int) bool {
	if i > 0 {
		return r.items[i].sep == '-' || r.items[i].sep == '.'
	}
	k := r.items[i].start
	if k-2 < p.lo || r.items[i].spoken {
		return false
	}
	switch p.s[k-1] {
	case '.', ',', ':', '/', '-', '_', '=':
		return isAlnum(p.s[k-2])
	}
	return p.s[k-1] == '_'
}

func (r *run) tightRight(p piece, e int) bool {
	if e < len(r.items) {
		return r.items[e].sep == '-' || r.items[e].sep == '.'
	}
	k := r.items[e-1].end
	if k+1 >= p.hi || r.items[e-1].spoken {
		return false
	}
	switch p.s[k] {
	case '.', ',', ':', '/', '-':
		return isDigit(p.s[k+1])
	}
	return false
}
