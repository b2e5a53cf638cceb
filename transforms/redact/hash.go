package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// The kinds of values that Hash knows how to normalize. Any other kind is lower-cased and trimmed.
const (
	KindPhone = "phone"
	KindEmail = "email"
	KindName  = "name"
)

// MinKeyLen is the length in bytes that a key must have at least.
const MinKeyLen = 16

const hashLetters = 32 // 16 bytes of HMAC-SHA256, two letters a byte

// Hash returns the keyed hash of a value, for example "phone_fgkh...": the kind, an underscore and 32 letters from a to
// p, which are the first 16 bytes of an HMAC-SHA256. The value is normalized first (Normalize), so that every spelling
// of one phone number, address or name has the same hash. An empty value has no hash: the result is "".
func Hash(key []byte, kind, value string) string {
	v := Normalize(kind, value)
	if v == "" {
		return ""
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(kind))
	m.Write([]byte{0})
	m.Write([]byte(v))
	var sum [sha256.Size]byte
	out := make([]byte, 0, len(kind)+1+hashLetters)
	out = append(append(out, kind...), '_')
	for _, b := range m.Sum(sum[:0])[:hashLetters/2] {
		out = append(out, 'a'+b>>4, 'a'+b&15)
	}
	return string(out)
}

// IsHash reports whether s has the form of a hash of the kind.
func IsHash(kind, s string) bool {
	h, ok := strings.CutPrefix(s, kind)
	if !ok || len(h) != 1+hashLetters || h[0] != '_' {
		return false
	}
	for i := 1; i < len(h); i++ {
		if h[i] < 'a' || h[i] > 'p' {
			return false
		}
	}
	return true
}

// Normalize returns the form of a value that is hashed: a phone number as the digits of its E.164 form (a number without
// country code is read as one of the United States), an e-mail address trimmed and in lower case, a name in lower case
// with single spaces.
func Normalize(kind, value string) string {
	switch kind {
	case KindPhone:
		return normalPhone(value)
	case KindName:
		return strings.Join(strings.Fields(strings.ToLower(norm.NFC.String(value))), " ")
	default:
		return strings.ToLower(strings.TrimSpace(value))
	}
}

func normalPhone(value string) string {
	value = strings.TrimSpace(value)
	if len(value) == 12 && value[:2] == "+1" && len(digitsOf(value)) == 11 { // the parser takes a hundred times as long
		return value[1:]
	}
	if n, err := phonenumbers.Parse(value, DefaultRegion); err == nil && phonenumbers.IsPossibleNumber(n) {
		return phonenumbers.Format(n, phonenumbers.E164)[1:]
	}
	if d := digitsOf(value); d != "" {
		return d
	}
	return strings.ToLower(value) // "anonymous" and the like
}

func digitsOf(s string) string {
	b := make([]byte, 0, 16)
	for i := range len(s) {
		if isDigit(s[i]) {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// ParseKeys reads a comma-separated list of keys: the first one hashes, all are looked under. Its errors name a key by
// its position and never quote it.
func ParseKeys(s string) ([][]byte, error) {
	if strings.TrimSpace(s) == "" {
		return nil, errors.New("no redaction key: set one of at least 16 bytes, for example from: openssl rand -hex 32")
	}
	var keys [][]byte
	for i, k := range strings.Split(s, ",") {
		k = strings.TrimSpace(k)
		if len(k) < MinKeyLen {
			return nil, fmt.Errorf("redaction key %d has %d bytes: at least %d are needed, for example from: openssl rand -hex 32",
				i+1, len(k), MinKeyLen)
		}
		keys = append(keys, []byte(k))
	}
	return keys, nil
}
