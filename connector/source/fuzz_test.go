package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzEvents: whatever a body is, it is taken apart or refused with a reason; the parts are in the body, and a body that is
// one JSON value is one for encoding/json as well.
func FuzzEvents(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Add([]byte(`[{"a":1},[],"x",1e999]`), false)
	f.Add([]byte("\xef\xbb\xbf[1,\n2]\n"), true)
	split, err := compile("x", `if type == "object" and has("calls") then .calls[]? else . end`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		kept := bytes.Clone(body)
		for _, src := range []*Source{{Name: "x"}, {Name: "x", split: split}} {
			parts, _, err := src.Events(body, lines)
			if err == nil && len(parts) == 0 && src.split == nil {
				t.Fatal("no part and no error")
			}
			for _, p := range parts {
				if p.Err == nil && src.split == nil && !bytes.Contains(body, p.Body) {
					t.Fatalf("part %q is not in the body", p.Body)
				}
			}
		}
		if v, err := decode(body); err == nil {
			if !json.Valid(trimBOM(body)) {
				t.Fatalf("%T of what is no JSON", v)
			}
		} else if _, ok := errors.AsType[*BodyError](err); !ok {
			t.Fatalf("an error of another kind: %v", err)
		}
		if !bytes.Equal(kept, body) {
			t.Fatal("the body was changed")
		}
	})
}

// FuzzMapping: no body makes a shipped mapping panic, run on, or say different things twice; an event is JSON.
func FuzzMapping(f *testing.F) {
	var mappings []*Mapping
	for name, files := range samples(f) {
		m, err := Shipped("fuzz", name)
		if err != nil {
			f.Fatal(err)
		}
		mappings = append(mappings, m)
		for _, file := range files {
			f.Add(read(f, file))
		}
	}
	f.Add([]byte(`{"event":"call_analyzed","call":{"call_id":1,"duration_ms":"x","transcript_object":{"a":1}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, m := range mappings {
			got, err := m.Map(body, 1<<20)
			again, err2 := m.Map(body, 1<<20)
			if !bytes.Equal(got, again) || (err == nil) != (err2 == nil) {
				t.Fatalf("%q, %v; then %q, %v", got, err, again, err2)
			}
			if err == nil && !json.Valid(got) {
				t.Fatalf("%q is no JSON", got)
			}
			var pe *ProgramError
			var be *BodyError
			if err != nil && !errors.Is(err, ErrNoCall) && !errors.As(err, &pe) && !errors.As(err, &be) {
				t.Fatalf("an error of another kind: %v", err)
			}
			if pe != nil && strings.Contains(pe.Reason, "panic") {
				t.Fatal(pe)
			}
		}
	})
}

// FuzzSignature: no header is taken but the one that the sender made, and none makes the parser panic.
func FuzzSignature(f *testing.F) {
	const body = `{"callId":"a"}`
	now := time.Unix(1779645842, 0)
	sec := &secrets{fixed: []string{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, standard: true}
	if _, err := sec.reload(); err != nil {
		f.Fatal(err)
	}
	generic := &signature{header: "X-Sig", prefix: "sha256=", encoding: "base64url", signed: []string{"{body}"}}
	kinds := []*signature{standardWebhooks(), retell(), elevenLabs(), generic}
	headers := make([]http.Header, len(kinds))
	for i, k := range kinds {
		k.secrets = sec
		r := &http.Request{Header: http.Header{"Webhook-Id": {"msg_1"}}}
		if err := k.sign(r, []byte(body), now); err != nil {
			f.Fatal(err)
		}
		headers[i] = r.Header
		f.Add(byte(i), r.Header.Get(k.header), r.Header.Get("Webhook-Timestamp"))
	}
	f.Add(byte(1), "v=,d=,v=,d=", "")
	f.Fuzz(func(t *testing.T, kind byte, value, at string) {
		i := int(kind) % len(kinds)
		k := kinds[i]
		h := headers[i].Clone()
		h.Set(k.header, value)
		if k.time != "" {
			h.Set(k.time, at)
		}
		later, err := k.check(&Request{Header: h, Now: now})
		if err != nil {
			if _, ok := errors.AsType[*Denied](err); !ok {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if later([]byte(body)) == nil {
			want, _ := k.parse(headers[i].Get(k.header))
			got, _ := k.parse(value)
			same := false
			for _, g := range got.given {
				same = same || bytes.Equal(g, want.given[0])
			}
			if !same {
				t.Fatalf("header %q is taken", value)
			}
		}
		if later([]byte(body+" ")) == nil {
			t.Fatal("another body is taken")
		}
	})
}
