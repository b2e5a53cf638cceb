package demo

import (
	"math/rand/v2"
	"sort"
	"strings"
	"time"
)

// person is who calls. Everything else about somebody follows from the number.
type person int

// history is how many of the last calls are known when somebody calls again.
const history = 1 << 16

// people are those who call: new ones one after the other, and those who have called.
type people struct {
	all  int
	next int
	past []visit // the last calls, the oldest first
}

// visit is what somebody who calls again was there for.
type visit struct {
	person person
	at     time.Time
	agent  int
	about  *scenario
	helped bool
}

func newPeople(calls int) *people {
	return &people{all: min(max(calls, 100), len(areaCodes)*100)}
}

// somebody returns a person who has not called, as long as there are some.
func (p *people) somebody() person {
	n := p.next % p.all
	p.next++
	return person(n)
}

// again returns a call before now that somebody calls again about: mostly of the last week, and mostly one that did not
// help. It is nil where there was none.
func (p *people) again(rng *rand.Rand, now time.Time) *visit {
	week := sort.Search(len(p.past), func(i int) bool { return p.past[i].at.After(now.AddDate(0, 0, -7)) })
	from, to := week, len(p.past)
	if week > 0 && rng.IntN(4) == 0 || from == to {
		from, to = 0, week
	}
	if from == to {
		return nil
	}
	v := &p.past[from+rng.IntN(to-from)]
	for range 2 {
		if v.helped {
			v = &p.past[from+rng.IntN(to-from)]
		}
	}
	if now.Sub(v.at) < time.Hour {
		return nil
	}
	return v
}

func (p *people) remember(v visit) {
	if len(p.past) == 2*history {
		p.past = append(p.past[:0], p.past[history:]...)
	}
	p.past = append(p.past, v)
}

func (p person) first() string { return firstNames[mix(uint64(p), 1)%uint64(len(firstNames))] }
func (p person) last() string  { return lastNames[mix(uint64(p), 2)%uint64(len(lastNames))] }

// number is one that is reserved for fiction. The first hundreds of people live where the businesses are.
func (p person) number() (area string, line int) {
	return areaCodes[int(p)/100], 100 + int(mix(uint64(int(p)/100), 3)%100+uint64(p)*37)%100
}

// appendEmail appends the address; spoken is how it is said on the phone.
func (p person) appendEmail(b []byte, spoken bool) []byte {
	dot, at := ".", "@"
	if spoken {
		dot, at = " dot ", " at "
	}
	domain := [...]string{"example.com", "example.org", "example.net"}[mix(uint64(p), 4)%3]
	b = appendLower(b, p.first())
	b = append(b, dot...)
	b = appendLower(b, p.last())
	if n := mix(uint64(p), 5) % 100; n >= 60 {
		b = append(b, byte('0'+n/10), byte('0'+n%10))
	}
	b = append(b, at...)
	if spoken {
		name, end, _ := strings.Cut(domain, ".")
		return append(append(append(b, name...), dot...), end...)
	}
	return append(b, domain...)
}

func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, s[i]|0x20)
	}
	return b
}

// mix makes a number of two that looks like neither (splitmix64).
func mix(a, b uint64) uint64 {
	z := a*0x9e3779b97f4a7c15 + b*0xd1b54a32d192ed03 + 0x2545f4914f6cdd1d
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// areaCodes are those of the city first, then of its state, then others that exist or could.
var areaCodes = func() (all []string) {
	near := strings.Fields("312 773 872 630 331 708 464 847 224 815 779 217 447 309 861 618 730")
	all = near
	for n := 201; n < 1000; n++ {
		code := string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
		if n%100 == 11 || n/10%10 == 9 || n == 555 || n/10 == 80 || n%100/10 == n%10 { // services, reserved, toll-free
			continue
		}
		if !strings.Contains(strings.Join(near, " "), code) {
			all = append(all, code)
		}
	}
	return all
}()

var (
	firstNames = strings.Fields(`Darnell Priscilla Tobias Marisol Ingrid Wendell Fatima Kenji Odette Ruben Saskia Leandro Nora Elijah Grace
Hector Imani Jasper Keiko Lamar Miriam Nikolai Olivia Pablo Quentin Rosa Samir Tessa Umar Valeria Walter Ximena Yusuf Zoe Amara Boris
Celia Dmitri Esther Felix Gloria Harold Irene Jerome Kamala Louis Monique Nadia Oscar Penelope Ramon Sylvia Theo Ursula Victor Wanda
Andre Bianca Curtis Delia`)
	lastNames = strings.Fields(`Whitfield Vandermeer Okafor Lindqvist Castellano Brightwater Nakamura Delacroix Petrov Haverford Abernathy
Boudreaux Calloway Dominguez Eriksen Fairbanks Gallagher Hernandez Ibrahim Jankowski Kowalski Larsson Mbeki Norwood Ostrowski Pemberton
Quigley Ramirez Schneider Tanaka Underhill Vasquez Wozniak Yamamoto Zimmerman Ashcroft Bellamy Chaudhry Drummond Escobar Fitzgerald
Goldstein Holloway Iverson Jimenez Kendrick Lombardi Mansfield Novak Oyelaran Prescott Rosenthal Sandoval Thornton Ueda Villanueva
Winslow Yates Zapata Hargrove`)
)
