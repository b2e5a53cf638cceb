package redact

import (
	"bytes"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// window is a row of items that could be one number.
type window struct {
	p        piece
	run      *run
	from, to int // items
	n        int // digits
	whole    bool
}

func (w *window) items() []item { return w.run.items[w.from:w.to] }

func (w *window) digits() []byte {
	return w.run.digits[w.run.items[w.from].off : w.run.items[w.from].off+w.n]
}

// shape tells whether the items have these numbers of digits.
func (w *window) shape(n ...int) bool {
	if len(n) != w.to-w.from {
		return false
	}
	for i := range w.items() {
		if w.items()[i].n != n[i] {
			return false
		}
	}
	return true
}

// single tells whether the digits were said or written one by one, in part at least.
func (w *window) single() bool {
	for i := range w.items() {
		if it := &w.items()[i]; it.spoken {
			return true
		}
	}
	return w.to-w.from == w.n && w.n > 1
}

// kind returns the type of the number; hit without a type is a number that stays.
func (s *scan) kind(w window) (t Type, hit bool) {
	switch {
	case w.isIP():
		return IP, true
	case w.n == 9 && w.isSSN():
		return SSN, true
	case w.n >= 13 && w.isCard():
		return Card, true
	case w.n >= 7 && w.n <= 15 && s.isPhone(&w):
		if s.keeps(w.digits()) {
			return "", true
		}
		return Phone, true
	}
	return "", false
}

func (w *window) isIP() bool {
	if w.to-w.from != 4 || w.n > 12 {
		return false
	}
	for i, it := range w.items() {
		if i > 0 && it.sep != '.' || it.n > 3 || it.spoken {
			return false
		}
		if d := w.run.of(w.from + i); it.n == 3 && string(d) > "255" || it.n > 1 && d[0] == '0' {
			return false
		}
	}
	return !w.after("version", "release", " v")
}

func (w *window) isSSN() bool {
	d := w.digits()
	if string(d[:3]) == "000" || string(d[:3]) == "666" || string(d[3:5]) == "00" || string(d[5:]) == "0000" {
		return false
	}
	return w.shape(3, 2, 4) || w.after("social", "ssn")
}

// isCard tells card numbers: grouped as on a card, or of one of the networks, with the right check digit; or called one.
func (w *window) isCard() bool {
	grouped := w.to-w.from == 1 || w.shape(4, 4, 4, 4) || w.shape(4, 6, 5) || w.shape(4, 6, 4) || w.shape(4, 4, 5) ||
		w.shape(4, 4, 4, 1) || w.shape(4, 4, 4, 3) || w.shape(4, 4, 4, 4, 3) || w.shape(4, 4, 4, 4, 2)
	if d := w.digits(); luhn(d) {
		if network(d) || grouped && d[0] >= '2' && d[0] <= '6' { // no card begins with a 1 as times in milliseconds do
			return true
		}
	}
	return grouped && w.after("card", "visa", "amex", "credit", "debit")
}

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
	case two == 34, two == 37:
		return n == 15
	case two == 30, two == 36, two == 38:
		return n == 14
	}
	return false
}

var phoneCues = []string{"phone", "cell", "mobile", "fax", "callback", "reach me", "call me", "text me", "contact number"}

var otherCues = []string{
	"order", "confirmation", "reference", "invoice", "ticket", "tracking", "case", "claim", "policy",
	"account", "booking", "flight", "serial", "#", " id",
}

// isPhone tells phone numbers: international ones by their plus sign, those of the region by their form and plan, others
// by what is said before them.
func (s *scan) isPhone(w *window) bool {
	d, start := w.digits(), w.run.items[w.from].start
	if start > w.p.lo && (w.p.s[start-1] == '+' || start-2 >= w.p.lo && w.p.s[start-1] == '(' && w.p.s[start-2] == '+') {
		return len(d) >= 8 && d[0] != '0'
	}
	if w.single() {
		return w.whole && s.eng.nanp && nanp(d)
	}
	if len(w.run.of(w.from)) <= 3 && (d[0] == '0' && d[1] == '0' || string(d[:3]) == "011") {
		if d = d[2:]; d[0] == '1' && string(w.digits()[:3]) == "011" {
			d = d[1:]
		}
		return len(d) >= 9 && len(d) <= 15 && s.valid("+"+string(d))
	}
	if w.isDate() {
		return false
	}
	if s.eng.nanp {
		if w.shape(3, 3, 4) || w.shape(1, 3, 3, 4) && d[0] == '1' {
			return d[len(d)-10] >= '2'
		}
		if w.shape(3, 4) {
			return d[0] >= '2' && (w.items()[1].sep == '-' && !w.after(otherCues...) || w.after(phoneCues...))
		}
		if nanp(d) && w.to-w.from <= 3 {
			return !w.after(otherCues...)
		}
	} else if len(d) <= 12 && w.to-w.from <= 6 && s.valid(string(d)) && !w.after(otherCues...) {
		return true
	}
	return len(d) >= 9 && len(d) <= 13 && w.after(phoneCues...) && !w.after(otherCues...)
}

// valid asks the number plans.
func (s *scan) valid(number string) bool {
	n, err := phonenumbers.Parse(number, s.eng.region)
	return err == nil && phonenumbers.IsValidNumber(n)
}

// isDate tells 2026-05-29, 29.05.2026 and the like.
func (w *window) isDate() bool {
	if w.to-w.from == 1 {
		return false
	}
	d := w.items()
	return len(d) >= 3 && (d[0].n == 4 && d[1].n <= 2 && d[2].n <= 2 || d[0].n <= 2 && d[1].n <= 2 && d[2].n == 4)
}

// keeps tells whether the digits are a number that stays.
func (s *scan) keeps(d []byte) bool {
	for _, k := range s.keep {
		if len(d) <= len(k) && strings.HasSuffix(k, string(d)) {
			return true
		}
	}
	return false
}

const cueReach = 40 // bytes before a number in which a word tells what it is

// after tells whether one of the words stands shortly before the window.
func (w *window) after(words ...string) bool {
	var b [cueReach]byte
	end := w.run.items[w.from].start
	text := w.p.s[max(w.p.lo, end-cueReach):end]
	for i := range len(text) {
		b[i] = lower(text[i])
	}
	for _, word := range words {
		if bytes.Contains(b[:len(text)], []byte(word)) {
			return true
		}
	}
	return false
}
