package connector

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/redact"
)

// bodyReader says of raw bodies whether an erasure covers them. They hold no keyed hashes, so they have to be mapped.
type bodyReader struct {
	read   *reading
	cipher *bodyCipher
	erased *erasures
}

// delivery says whether the list covers a body. One that can't be mapped is covered by anything in it that reads like a
// listed call id, phone number or address.
func (r *bodyReader) delivery(d *delivery) bool {
	if !r.erased.any() {
		return false
	}
	e, ok := r.event(d)
	if !ok {
		return r.erased.mentions(d)
	}
	return r.erased.covers(&e)
}

func (r *bodyReader) event(d *delivery) (e transforms.Event, ok bool) {
	defer func() { // what makes the mapping panic can't be mapped
		if recover() != nil {
			ok = false
		}
	}()
	e, err := r.read.normalize(d.Body, d.Tenant, d.Source, d.Received)
	e.Version = d.version()
	return e, err == nil
}

// version is that of the event to come, as far as it is known before sealing.
func (d *delivery) version() int64 {
	if d.Version != 0 {
		return d.Version
	}
	return d.Received.UnixMicro()
}

// fate says whether the list covers a fate. The second result is false where its body can't be read.
func (r *bodyReader) fate(f *fate) (covered, readable bool) {
	if !r.erased.any() { // nothing has to be decrypted to know
		return false, true
	}
	if f.CallID != "" && r.erased.covers(&transforms.Event{Tenant: f.Tenant, CallID: f.CallID, ParentCallID: f.Parent, Version: f.Version}) {
		return true, true
	}
	if len(f.Body) == 0 {
		return false, true
	}
	return r.sealedBody(f.Outcome == fateDamaged, f.Tenant, f.Source, f.Version, f.Received, f.Body)
}

// sealedBody is about an encrypted body, or a damaged frame.
func (r *bodyReader) sealedBody(frame bool, tenant, source string, version int64, received time.Time, sealed []byte) (covered, readable bool) {
	body, err := r.cipher.open(sealed)
	if err != nil {
		return false, false
	}
	if frame {
		if body, err = looseFrame(body); err != nil {
			return false, false
		}
		return r.erased.mentions(&delivery{Tenant: tenant, Version: version, Body: body}), true
	}
	return r.delivery(&delivery{Tenant: tenant, Source: source, Received: received, Version: version, Body: body}), true
}

// deadLetter says the same of a dead letter.
func (r *bodyReader) deadLetter(l *DeadLetter) (covered, readable bool) {
	if l.CallID != "" && r.erased.covers(&transforms.Event{Tenant: l.Tenant, CallID: l.CallID, Version: l.Version}) {
		return true, true
	}
	switch {
	case len(l.Event) > 0:
		events, err := transforms.DecodeEvents(l.Event)
		for i := range events {
			covered = covered || r.erased.covers(&events[i])
		}
		return covered, err == nil
	case len(l.Body) == 0:
		return false, true
	case l.Stage == StageLoad: // a damaged sealed batch
		return false, false
	default:
		return r.sealedBody(l.Stage == StageIntake, l.Tenant, l.Source, l.Version, l.Received, l.Body)
	}
}

// maxMention is the longest text that mentions takes for a call id, a number or an address.
const maxMention = maxCallID

// mentions looks for what is listed among the strings and numbers of a body that is no valid event. It can't know what
// each of them stands for, so it takes them for all of it: rather too much is held to be covered than too little.
func (l *erasures) mentions(d *delivery) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.upTo) == 0 {
		return false
	}
	tenant := d.Tenant
	if tenant == "" {
		tenant = defaultTenant
	}
	e := transforms.Event{Version: d.version()}
	for text := range bodyTexts(d.Body) {
		for _, k := range l.keys {
			if l.hit(callHash(k, tenant, text), &e) ||
				(strings.ContainsAny(text, "0123456789") && l.hit(redact.Hash(k, erasePhone, text), &e)) ||
				(strings.Contains(text, "@") && l.hit(redact.Hash(k, eraseEmail, text), &e)) {
				return true
			}
		}
	}
	return false
}

// bodyTexts yields the strings and numbers of what was meant to be JSON, blanks around them left out.
func bodyTexts(body []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(body) > 0 {
			var text string
			text, body = nextText(body)
			if text = strings.TrimSpace(text); text != "" && len(text) <= maxMention && !yield(text) {
				return
			}
		}
	}
}

// nextText takes a string, or what stands between two strings, off the front.
func nextText(b []byte) (text string, rest []byte) {
	if b[0] != '"' {
		end := bytes.IndexAny(b, `",:{}[]`)
		switch {
		case end < 0:
			return string(b), nil
		case end == 0:
			return "", b[1:]
		default:
			return string(b[:end]), b[end:]
		}
	}
	end := 1
	for end < len(b) && b[end] != '"' {
		if b[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(b))
	text = string(b[1:end])
	if end < len(b) {
		end++
	}
	if strings.ContainsRune(text, '\\') {
		var unquoted string
		if json.Unmarshal(b[:end], &unquoted) == nil {
			text = unquoted
		}
	}
	return text, b[end:]
}
