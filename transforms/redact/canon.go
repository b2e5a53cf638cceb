package redact

import "strings"

// canonical returns the form of a value that all the ways of saying it have in common.
func (s *scan) canonical(f *found) string {
	s.text = s.texts[f.text].s
	switch f.kind {
	case kPerson, kAnswer, kAddress:
		return s.plain(f, ' ')
	case kEmail, kURL, kUsername, kPassword, kIP:
		return s.plain(f, 0)
	}
	var b []byte
	r := &s.next
	for i := f.a; i < f.b; {
		if !s.starts(i, f.b) && !s.numeric(i, f.b) {
			i++
			continue
		}
		s.readRun(r, i, f.b)
		if len(r.elems) == 0 {
			i++
			continue
		}
		if f.kind == kDOB {
			if d := isoDate(r); d != "" {
				return d
			}
		}
		b = append(b, r.canon...)
		i = max(i+1, r.b)
	}
	v := string(b)
	if f.kind == kPhone && len(v) == 11 && v[0] == '1' {
		v = v[1:]
	}
	return v
}

// plain writes the words of a value with the separator between them; said numbers and symbols become what they say.
func (s *scan) plain(f *found, sep byte) string {
	var b strings.Builder
	r := &s.next
	for i := f.a; i < f.b; {
		w := &s.toks[i]
		if w.kind == tWord && w.flags&fFiller != 0 && w.ch == 0 {
			i++
			continue
		}
		if b.Len() > 0 && sep != 0 && w.gap != gapNone {
			b.WriteByte(sep)
		}
		if c := s.symbolAt(i); c != 0 && c != 0x80 && (w.kind == tSymbol && sep == 0 || w.kind == tWord && sep == 0) {
			b.WriteByte(c)
			i++
			continue
		}
		if w.kind == tWord && (w.class == nDigit || w.class == nTeen || w.class == nTens || w.class == nRepeat) && s.starts(i, f.b) {
			r.reset(i)
			if n := s.readElem(r, i, f.b, 0); n > 0 {
				b.Write(r.canon)
				i += n
				continue
			}
		}
		if w.kind != tSymbol {
			b.WriteString(fold(s.text[w.start:w.end]))
		}
		i++
	}
	return b.String()
}

// isoDate returns the date of a run as YYYYMMDD, or "" where it is none.
func isoDate(r *run) string {
	var parts []int
	month := -1
	add := func(v int) { parts = append(parts, v) }
	for i := range r.elems {
		e := &r.elems[i]
		v := 0
		for _, c := range r.of(i) {
			if !isDigit(c) || v > 99999999 {
				return ""
			}
			v = v*10 + int(c-'0')
		}
		if e.what == eMonth {
			month = v
			continue
		}
		if e.n == 8 && len(r.elems) == 1 { // 07131936
			add(v / 1000000)
			add(v / 10000 % 100)
			add(v % 10000)
			continue
		}
		add(v)
	}
	parts = joinParts(r, parts, month)
	d, m, y := 0, month, 0
	switch {
	case month > 0 && len(parts) == 2:
		d, y = parts[0], parts[1]
		if d > 31 {
			d, y = y, d
		}
	case month < 0 && len(parts) == 3 && parts[0] > 31:
		y, m, d = parts[0], parts[1], parts[2]
	case month < 0 && len(parts) == 3:
		m, d, y = parts[0], parts[1], parts[2]
		if m > 12 {
			m, d = d, m
		}
	default:
		return ""
	}
	if y < 100 {
		if y += 2000; y > 2025 {
			y -= 100
		}
	}
	if d < 1 || d > 31 || m < 1 || m > 12 || y < 1850 || y > 2100 {
		return ""
	}
	b := appendInt(nil, y*10000+m*100+d)
	return string(b)
}

// joinParts puts the parts of a year together: "nineteen" "eighty", "two thousand" "five", "zero" "seven".
func joinParts(r *run, parts []int, month int) []int {
	var out []int
	for i := 0; i < len(parts); i++ {
		v := parts[i]
		switch {
		case (v == 19 || v == 20) && i+1 < len(parts) && i+1 == len(parts)-1 && len(out) >= 1 && parts[i+1] < 100 && (month > 0 || len(out) >= 2):
			out = append(out, v*100+parts[i+1])
			i++
		case (v == 19 || v == 20) && i+2 == len(parts)-1 && parts[i+1] == 0 && parts[i+2] < 10 && len(out) >= 1:
			out = append(out, v*100+parts[i+2])
			i += 2
		case v == 2000 && i+1 < len(parts) && parts[i+1] < 100:
			out = append(out, v+parts[i+1])
			i++
		case v == 0 && i+1 < len(parts) && parts[i+1] < 10:
			out = append(out, parts[i+1])
			i++
		case v == 0:
		default:
			out = append(out, v)
		}
	}
	return out
}
