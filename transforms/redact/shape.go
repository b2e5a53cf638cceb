package redact

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// windows looks for numbers of a known form among the elements of a run that is none as a whole, marks them and returns
// the token to go on at.
func (s *scan) windows(t *textInfo, r *run) int {
	end := r.b
	if r.spoken*2 > len(r.elems) && r.digits < 13 {
		return end
	}
	for g := 0; g < len(r.elems); {
		e := min(len(r.elems), g+16)
		hit := false
		for ; e > g; e-- {
			if (g > 0 || e < len(r.elems)) && e-g >= 1 {
				if k := s.shape(t, r, g, e); k != noKind {
					a := s.left(t, int(r.elems[g].a))
					var sub run
					sub.canon = r.canon[r.elems[g].off : r.elems[e-1].off+r.elems[e-1].n]
					sub.digits = len(sub.canon)
					if !s.known.keeps(sub.canon) {
						s.dialog.value(s, t, k, len(sub.canon))
						s.mark(a, int(r.elems[e-1].b), k, "shape")
					}
					hit = true
					break
				}
			}
		}
		if hit {
			g = e
		} else {
			g++
		}
	}
	return end
}

// shape returns the type of the elements from g to e by their form and check digits.
func (s *scan) shape(t *textInfo, r *run, g, e int) kind {
	el := r.elems[g:e]
	n, written, letters := 0, 0, 0
	for i := range el {
		n += int(el[i].n)
		switch el[i].what {
		case eWritten:
			written++
		case eLetter:
			letters += int(el[i].n)
		case eScale, eMonth, eOrdinal:
			return noKind
		}
	}
	d := r.canon[el[0].off : el[len(el)-1].off+el[len(el)-1].n]
	if letters > 0 {
		if n >= 15 && n <= 34 && letters >= 2 && isIBAN(d) {
			return kIBAN
		}
		return noKind
	}
	if n < 7 || n > 19 {
		if isIP(r, el) {
			return kIP
		}
		return noKind
	}
	if isIP(r, el) {
		return kIP
	}
	if e < len(r.elems) && r.elems[e].sep == '-' && r.elems[e].what == eWritten || g > 0 && el[0].sep == '-' && r.elems[g-1].what == eWritten {
		return noKind // part of a longer code
	}
	if g > 0 && r.elems[g-1].what == eLetter && s.toks[el[0].a].gap == gapNone {
		return noKind
	}
	if a := int(el[0].a); g == 0 && a-2 >= t.lo && s.toks[a].gap == gapNone && s.toks[a-1].is('-') && s.toks[a-1].gap == gapNone && s.toks[a-2].kind == tWord {
		return noKind
	}
	if g > 0 && el[0].sep == '.' && el[0].what == eWritten {
		return noKind // a fraction
	}
	if r.scale && g == 0 && e == len(r.elems) {
		return noKind
	}
	switch {
	case n == 9 && shaped(el, 3, 2, 4) && (el[1].sep == '-' || written < len(el) || el[1].sep == 0) && isSSN(d):
		return kSSN
	case n >= 13 && luhn(d) && (network(d) || d[0] >= '2' && d[0] <= '6' && len(el) != 1):
		return kCard
	case n >= 14 && (shaped(el, 4, 4, 4, 4) || shaped(el, 4, 6, 5) || shaped(el, 4, 6, 4)):
		return kCard
	case n <= 15 && s.isPhone(t, r, el, d, written):
		return kPhone
	}
	return noKind
}

func shaped(el []elem, n ...int32) bool {
	if len(el) != len(n) {
		return false
	}
	for i := range el {
		if el[i].n != n[i] {
			return false
		}
	}
	return true
}

func isSSN(d []byte) bool {
	return string(d[:3]) != "000" && string(d[3:5]) != "00" && string(d[5:]) != "0000"
}

func isIP(r *run, el []elem) bool {
	if len(el) < 4 || !r.point && el[1].sep != '.' {
		return false
	}
	octets, n := 1, 0
	v := 0
	for i := range el {
		if i > 0 && el[i].sep == '.' {
			octets, n, v = octets+1, 0, 0
		}
		for _, c := range r.of2(&el[i]) {
			v = v*10 + int(c-'0')
			n++
		}
		if n > 3 || v > 255 {
			return false
		}
	}
	return octets == 4
}

func (r *run) of2(e *elem) []byte { return r.canon[e.off : e.off+e.n] }

// luhn checks the last digit of a card number.
func luhn(d []byte) bool {
	sum, double := 0, false
	for _, c := range slices.Backward(d) {
		v := int(c - '0')
		if double {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
		double = !double
	}
	return sum%10 == 0 && sum > 0
}

// network tells whether the digits begin and are as many as those of a card network.
func network(d []byte) bool {
	two := int(d[0]-'0')*10 + int(d[1]-'0')
	switch n := len(d); {
	case d[0] == '4':
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, two >= 22 && two <= 27, two == 35, two == 60, two == 64, two == 65, two == 62:
		return n == 16
	case two == 34, two == 37, two == 18, two == 21:
		return n == 15
	case two == 30, two == 36, two == 38:
		return n == 14
	case two == 50, two == 56, two == 57, two == 58, two == 63, two == 67, two == 68:
		return n >= 12 && n <= 19
	}
	return false
}

// isIBAN checks an IBAN, in lower case, by its rest modulo 97.
func isIBAN(d []byte) bool {
	if !isLetter(d[0]) || !isLetter(d[1]) || !isDigit(d[2]) || !isDigit(d[3]) {
		return false
	}
	rest := 0
	for i := range d {
		c := d[(i+4)%len(d)]
		if isDigit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'a') + 10) % 97
		}
	}
	return rest == 1
}

// isPhone tells phone numbers: international ones by their plus sign, those of the region by their form and plan.
func (s *scan) isPhone(t *textInfo, r *run, el []elem, d []byte, written int) bool {
	a := int(el[0].a)
	if a > t.lo && s.toks[a-1].is('+') || a > t.lo && s.toks[a-1].class == nSymbol && s.toks[a-1].val == '+' ||
		a-1 > t.lo && s.toks[a-1].is('(') && s.toks[a-2].is('+') {
		return len(d) >= 8 && d[0] != '0'
	}
	if written < len(el) { // said: see long
		return false
	}
	if len(d) >= 11 && el[0].n <= 3 && (d[0] == '0' && d[1] == '0' || string(d[:3]) == "011") {
		c := strings.TrimPrefix(strings.TrimPrefix(string(d), "011"), "00")
		return len(c) >= 9 && s.valid("+"+c)
	}
	if isDateShape(el) {
		return false
	}
	if d[0] == '0' && len(d) >= 9 && len(d) <= 12 && len(el) >= 2 && len(el) <= 5 {
		ok := true
		for i := range el {
			ok = ok && el[i].n >= 2
		}
		if ok {
			return true
		}
	}
	if s.eng.nanp {
		if shaped(el, 3, 3, 4) || shaped(el, 1, 3, 3, 4) && d[0] == '1' || shaped(el, 3, 7) || shaped(el, 6, 4) {
			return d[len(d)-10] >= '2'
		}
		if shaped(el, 3, 4) {
			return d[0] >= '2' && el[1].sep == '-'
		}
		return len(el) <= 3 && nanp(d)
	}
	return len(d) <= 12 && len(el) <= 6 && s.valid(string(d))
}

// valid asks the number plans.
func (s *scan) valid(number string) bool {
	n, err := phonenumbers.Parse(number, s.eng.region)
	return err == nil && phonenumbers.IsValidNumber(n)
}

// isDateShape tells 2026-05-29, 29.05.2026 and the like.
func isDateShape(d []elem) bool {
	return len(d) >= 3 && (d[0].n == 4 && d[1].n <= 2 && d[2].n <= 2 || d[0].n <= 2 && d[1].n <= 2 && d[2].n == 4)
}
