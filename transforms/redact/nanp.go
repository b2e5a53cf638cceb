package redact

import (
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// nanp tells whether the digits are a number of the North American plan: an area code in use, an exchange that exists.
func nanp(d []byte) bool {
	if len(d) == 11 && d[0] == '1' {
		d = d[1:]
	}
	if len(d) != 10 || d[0] < '2' || d[3] < '2' {
		return false
	}
	return areaCodes()[int(d[0]-'0')*100+int(d[1]-'0')*10+int(d[2]-'0')]
}

// areaCodes asks phonenumbers once for every area code: one lookup a number is a hundred times faster than its parser.
var areaCodes = sync.OnceValue(func() *[1000]bool {
	var t [1000]bool
	b := []byte("+10002345678")
	for i := 200; i < 1000; i++ {
		b[2], b[3], b[4] = '0'+byte(i/100), '0'+byte(i/10%10), '0'+byte(i%10)
		n, err := phonenumbers.Parse(string(b), DefaultRegion)
		t[i] = err == nil && phonenumbers.IsValidNumber(n)
	}
	return &t
})
