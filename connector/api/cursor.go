package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/postcall/postcall/connector/elastic"
)

// place is a question and where its next page begins. Its names are short, since it travels in an address.
type place struct {
	Words     string           `json:"q,omitempty"`
	Role      string           `json:"r,omitempty"`
	From      time.Time        `json:"f,omitzero"`
	To        time.Time        `json:"t,omitzero"`
	Agent     string           `json:"a,omitempty"`
	Topic     string           `json:"o,omitempty"`
	Sentiment string           `json:"m,omitempty"`
	Tests     bool             `json:"e,omitempty"`
	At        elastic.Position `json:"p,omitzero"`
}

const (
	signature = 16   // bytes
	maxPIT    = 4096 // bytes: one over very many indices would make addresses that proxies refuse
)

// cursor is the place, signed by the caller's key.
func (c *caller) cursor(p place) (string, error) {
	if len(p.At.PIT) > maxPIT {
		p.At.PIT = ""
	}
	b, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(c.sign(b), b...)), nil
}

// place reads a cursor of the same caller.
func (c *caller) place(cursor string) (p place, err error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) <= signature || !hmac.Equal(b[:signature], c.sign(b[signature:])) || json.Unmarshal(b[signature:], &p) != nil {
		return place{}, problemf(422, "cursor is none that this token was given; begin with the first page")
	}
	return p, nil
}

func (c *caller) sign(b []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write(b)
	return h.Sum(nil)[:signature]
}
