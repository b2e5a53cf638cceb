package source

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The bounds of a signature header: what is longer is none.
const (
	maxSignatureHeader = 4096
	maxSignatures      = 16
)

// signature is HMAC-SHA256 over the body as it came over the wire, and what is signed beside it.
type signature struct {
	header string
	// separator is between several signatures in the header, or between the k=v of params; empty means that there is one.
	separator string
	prefix    string // before each signature
	sigParam  string // where the header is a list of k=v: the name of a signature
	timeParam string // likewise of the time
	encoding  string // hex, base64 or base64url
	idHeader  string // what {id} in signed is
	time      string // the header of the time, where it is not a param; empty means that none is signed
	millis    bool   // the time is in milliseconds
	signed    []string
	window    time.Duration
	secrets   *secrets
}

// parseSigned reads a template such as "{id}.{timestamp}.{body}".
func parseSigned(template string) (parts []string, err error) {
	for rest := template; rest != ""; {
		i := strings.IndexByte(rest, '{')
		if i != 0 {
			if i < 0 {
				i = len(rest)
			}
			parts, rest = append(parts, rest[:i]), rest[i:]
			continue
		}
		end := strings.IndexByte(rest, '}') + 1
		switch rest[:max(end, 0)] {
		case "{id}", "{timestamp}", "{body}":
			parts, rest = append(parts, rest[:end]), rest[end:]
		default:
			return nil, errors.New("it holds something else in braces than {id}, {timestamp} and {body}")
		}
	}
	return parts, nil
}

// signatureHeader is what a header of signatures says.
type signatureHeader struct {
	time  string
	given [][]byte
}

// parse reads the header. It is what a stranger can send, so everything about it is bounded.
func (p *signature) parse(value string) (h signatureHeader, err error) {
	if len(value) > maxSignatureHeader {
		return h, errors.New("it is too long")
	}
	items := []string{value}
	if p.separator != "" {
		items = strings.SplitN(value, p.separator, 4*maxSignatures)
	}
	for _, item := range items {
		item = strings.TrimSpace(item)
		if p.sigParam != "" {
			k, v, _ := strings.Cut(item, "=")
			if k == p.timeParam && p.timeParam != "" && h.time == "" {
				h.time = v
			}
			if k != p.sigParam {
				continue
			}
			item = v
		}
		text, ok := strings.CutPrefix(item, p.prefix)
		if !ok || len(h.given) == maxSignatures {
			continue // of another version
		}
		if b, err := p.decode(text); err == nil && len(b) == sha256.Size {
			h.given = append(h.given, b)
		}
	}
	if len(h.given) == 0 {
		return h, errors.New("it holds no signature of this kind")
	}
	return h, nil
}

func (p *signature) decode(text string) ([]byte, error) {
	switch p.encoding {
	case "base64":
		return base64.StdEncoding.DecodeString(text)
	case "base64url":
		return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	}
	return hex.DecodeString(text)
}

func (p *signature) encode(sum []byte) string {
	switch p.encoding {
	case "base64":
		return base64.StdEncoding.EncodeToString(sum)
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(sum)
	}
	return hex.EncodeToString(sum)
}

func (p *signature) check(r *Request) (func([]byte) error, error) {
	values := r.Header.Values(p.header)
	if len(values) != 1 {
		return nil, unauthorized("header %s is not there once", p.header)
	}
	h, err := p.parse(values[0])
	if err != nil {
		return nil, unauthorized("header %s: %v", p.header, err)
	}
	if p.time != "" {
		h.time = r.Header.Get(p.time)
	}
	if p.time != "" || p.timeParam != "" {
		if err := p.fresh(h.time, r.Now); err != nil {
			return nil, err
		}
	}
	id := ""
	if p.idHeader != "" {
		if id = r.Header.Get(p.idHeader); id == "" {
			return nil, unauthorized("header %s is not there", p.idHeader)
		}
	}
	return func(body []byte) error {
		ok := 0
		for _, s := range *p.secrets.now.Load() {
			sum := p.sum(s.key, id, h.time, body)
			for _, given := range h.given {
				if hmac.Equal(sum, given) {
					ok = 1
				}
			}
		}
		if ok == 0 {
			return unauthorized("the signature in header %s is not of this body and any valid secret", p.header)
		}
		return nil
	}, nil
}

// fresh checks the time that was signed. It is text: what is signed is as it was written.
func (p *signature) fresh(text string, now time.Time) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > 16 || n < 0 {
		return unauthorized("the time of the signature is missing or no number")
	}
	at := time.Unix(n, 0)
	if p.millis {
		at = time.UnixMilli(n)
	}
	if age := now.Sub(at); age > p.window || age < -p.window {
		return unauthorized("the signature is %s old, at most %s are taken; if it comes again and again, compare the clocks", age.Round(time.Second), p.window)
	}
	return nil
}

func (p *signature) sum(key []byte, id, at string, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, part := range p.signed {
		switch part {
		case "{id}":
			m.Write([]byte(id))
		case "{timestamp}":
			m.Write([]byte(at))
		case "{body}":
			m.Write(body)
		default:
			m.Write([]byte(part))
		}
	}
	return m.Sum(nil)
}

func (p *signature) sign(r *http.Request, body []byte, now time.Time) error {
	at := strconv.FormatInt(now.Unix(), 10)
	if p.millis {
		at = strconv.FormatInt(now.UnixMilli(), 10)
	}
	id := ""
	if p.idHeader != "" {
		if id = r.Header.Get(p.idHeader); id == "" {
			id = "msg_" + rand.Text()
			r.Header.Set(p.idHeader, id)
		}
	}
	list := *p.secrets.now.Load()
	text := p.prefix + p.encode(p.sum(list[0].key, id, at, body))
	if p.sigParam != "" {
		text = p.sigParam + "=" + text
	}
	if p.timeParam != "" {
		text = p.timeParam + "=" + at + p.separator + text
	}
	if p.time != "" {
		r.Header.Set(p.time, at)
	}
	r.Header.Set(p.header, text)
	return nil
}

// The presets, as their senders document them. Secrets are set by the reader of the file.
func standardWebhooks() *signature {
	return &signature{
		header: "Webhook-Signature", separator: " ", prefix: "v1,", encoding: "base64", idHeader: "Webhook-Id", time: "Webhook-Timestamp",
		signed: []string{"{id}", ".", "{timestamp}", ".", "{body}"}, window: 5 * time.Minute,
	}
}

func retell() *signature {
	return &signature{
		header: "X-Retell-Signature", separator: ",", sigParam: "d", timeParam: "v", encoding: "hex", millis: true,
		signed: []string{"{body}", "{timestamp}"}, window: 5 * time.Minute,
	}
}

func elevenLabs() *signature {
	return &signature{
		header: "ElevenLabs-Signature", separator: ",", sigParam: "v0", timeParam: "t", encoding: "hex",
		signed: []string{"{timestamp}", ".", "{body}"}, window: 30 * time.Minute,
	}
}
