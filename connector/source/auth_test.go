package source

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// load reads a file of sources that is given as text; each secret NAME is a file beside it that holds it.
func load(t testing.TB, text string, secrets map[string]string) (*Set, string) {
	t.Helper()
	dir := t.TempDir()
	for name, s := range secrets {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "sources.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := Load(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return set, dir
}

var testNow = time.UnixMilli(1779645842000)

// admit runs both steps.
func admit(s *Source, r *Request, body string) error {
	later, err := s.Admit(r)
	if err != nil || later == nil {
		return err
	}
	return later([]byte(body))
}

// Each signature was made by the sender's own code: the standard's reference library (and its specification's example),
// Retell's SDK, ElevenLabs' algorithm as its SDK has it, and for the last Node's crypto.
func TestSignaturesOfTheSendersOwnCode(t *testing.T) {
	tests := []struct {
		name, auth, secret string
		header             map[string]string
		body               string
		now                time.Time
	}{
		{"standard-webhooks, the specification's", "type: standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", map[string]string{
			"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		}, `{"test": 2432232314}`, time.Unix(1614265330, 0)},
		{"standard-webhooks, several signatures", "type: standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", map[string]string{
			"webhook-id": "msg_2", "webhook-timestamp": "1779645842",
			"webhook-signature": "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg== v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v1,GuBuNlR4MBwNgqBI54+549HaC3lKcXZvjgdcjZON6wQ=",
		}, `{"callId":"ä"}`, testNow.Add(4 * time.Minute)},
		{"retell", "type: retell", "key_0123456789abcdef", map[string]string{
			"X-Retell-Signature": "v=1779645842000,d=fb30a20257b797027e20d02b75922008a753da6a357bacb5099f0ff305b8885b",
		}, `{"event":"call_analyzed","call":{"call_id":"a"}}`, testNow.Add(-4 * time.Minute)},
		{"elevenlabs", "type: elevenlabs", "wsec_0123456789abcdef", map[string]string{
			"ElevenLabs-Signature": "t=1779645842,v0=b130999ca251c4d3b9606f169132f40fee3a95ea5fdcc2dd6c57a41ae3230c90",
		}, `{"type":"post_call_transcription"}`, testNow.Add(29 * time.Minute)},
		{"hmac", "{type: hmac, header: X-Sig, prefix: sha256=, encoding: base64url}", "generic-secret", map[string]string{
			"X-Sig": "sha256=tOZYyZBqRxtbJZqZ7pM-peqahb0qwDGn10kIUrilV_o",
		}, `{"callId":"a"}`, testNow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			auth := strings.Trim(tt.auth, "{}")
			// Two secrets are valid; the signature is by the second one.
			set, _ := load(t, "sources:\n- {name: acme, auth: [{"+auth+", secrets: [s]}]}", map[string]string{"s": "d2hhdGV2ZXItZWxzZQ==\n" + tt.secret})
			request := func() *Request {
				r := &Request{Header: http.Header{}, Now: tt.now}
				for k, v := range tt.header {
					r.Header.Set(k, v)
				}
				return r
			}
			src := set.Named("acme")
			if err := admit(src, request(), tt.body); err != nil {
				t.Fatalf("refused: %v", err)
			}
			if err := admit(src, request(), tt.body); err != nil {
				t.Errorf("a second delivery within the window is refused: %v", err)
			}
			if err := admit(src, request(), tt.body+" "); err == nil {
				t.Error("another body is taken")
			}
			if !strings.HasPrefix(tt.name, "hmac") {
				for _, by := range []time.Duration{31 * time.Minute, -31 * time.Minute} {
					late := request()
					late.Now = testNow.Add(by)
					if strings.Contains(tt.name, "specification") {
						late.Now = tt.now.Add(by)
					}
					if err := admit(src, late, tt.body); err == nil || !strings.Contains(err.Error(), "old") {
						t.Errorf("a signature %s old: %v", by, err)
					}
				}
			}
		})
	}
}

func TestWhatSendersSignIsTaken(t *testing.T) {
	for _, auth := range []string{
		"type: header, name: X-Token", "type: bearer", "type: basic, username: phonely", "type: query, name: token", "type: path", "type: vapi",
		"type: retell", "type: elevenlabs", "type: standard-webhooks", "type: hmac, header: X-Sig",
		"type: hmac, header: X-Sig, timestamp_header: X-Time, timestamp_unit: ms, signed: 'v0:{timestamp}:{body}', prefix: v0=, encoding: base64",
		"type: hmac, header: X-Sig, signature_param: s, timestamp_param: t, id_header: X-Id, signed: '{id}.{timestamp}.{body}'",
	} {
		set, _ := load(t, "sources:\n- {name: acme, auth: [{"+auth+", secrets: [s]}]}", map[string]string{"s": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
		src := set.Named("acme")
		body := []byte(`{"callId":"a"}`)
		r := httptest.NewRequest("POST", "https://receiver.example"+src.Route, bytes.NewReader(body))
		if err := src.Sign(r, body, testNow); err != nil {
			t.Fatal(err)
		}
		found, segment := set.Find(r.URL.EscapedPath())
		if found != src {
			t.Fatalf("%s: the path %s is not found", auth, r.URL.Path)
		}
		if err := admit(src, &Request{Header: r.Header, Query: r.URL.Query(), Segment: segment, Now: testNow}, string(body)); err != nil {
			t.Errorf("%s: %v", auth, err)
		}
		if err := admit(src, &Request{Header: http.Header{}, Now: testNow}, string(body)); err == nil {
			t.Errorf("%s: a request without any proof is taken", auth)
		}
	}
}

func TestProofsTogether(t *testing.T) {
	const file = `
sources:
- name: both
  auth:
  - {type: bearer, secrets: [a]}
  - {type: hmac, header: X-Sig, secrets: [b]}
- name: either
  auth_needs: any
  auth:
  - {type: bearer, secrets: [a]}
  - {type: hmac, header: X-Sig, secrets: [b]}
- name: near
  allow: [192.0.2.0/24, "2001:db8::/32"]
  auth: [{type: bearer, secrets: [a]}]
- name: only-near
  allow: [192.0.2.7]
`
	set, _ := load(t, file, map[string]string{"a": "first-secret\nsecond-secret", "b": "signing-secret"})
	body := `{"callId":"a"}`
	signed := func(h http.Header) http.Header {
		r := &http.Request{Header: h}
		if err := set.Named("both").auth[1].sign(r, []byte(body), testNow); err != nil {
			t.Fatal(err)
		}
		return r.Header
	}
	token := func(s string) http.Header { return http.Header{"Authorization": {"Bearer " + s}} }
	tests := []struct {
		source string
		header http.Header
		remote string
		status int
	}{
		{"both", signed(token("first-secret")), "198.51.100.1", 200},
		{"both", signed(token("second-secret")), "198.51.100.1", 200},
		{"both", signed(http.Header{}), "198.51.100.1", 401},
		{"both", token("first-secret"), "198.51.100.1", 401},
		{"both", http.Header{}, "198.51.100.1", 401},
		{"either", token("first-secret"), "198.51.100.1", 200},
		{"either", signed(http.Header{}), "198.51.100.1", 200},
		{"either", signed(token("wrong-secret")), "198.51.100.1", 200},
		{"either", token("wrong-secret"), "198.51.100.1", 401},
		{"near", token("first-secret"), "192.0.2.99", 200},
		{"near", token("first-secret"), "2001:db8::1", 200},
		{"near", token("first-secret"), "198.51.100.1", 403},
		{"near", http.Header{}, "192.0.2.99", 401},
		{"only-near", http.Header{}, "192.0.2.7", 200},
		{"only-near", http.Header{}, "192.0.2.8", 403},
		{"only-near", http.Header{}, "", 403},
	}
	for i, tt := range tests {
		remote, _ := netip.ParseAddr(tt.remote)
		err := admit(set.Named(tt.source), &Request{Header: tt.header, Remote: remote, Now: testNow}, body)
		status := 200
		if d, ok := errors.AsType[*Denied](err); ok {
			status = d.Status
		}
		if status != tt.status {
			t.Errorf("%d: %s: %d (%v), want %d", i, tt.source, status, err, tt.status)
		}
		if err != nil && strings.Contains(err.Error(), "wrong-secret") {
			t.Errorf("%d: the reason shows what was sent: %v", i, err)
		}
	}
	if got := set.OpenSources(); len(got) != 0 {
		t.Errorf("open sources: %v", got)
	}
}

func TestRemoteAddrBehindProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		remote string
		header []string
		want   string
	}{
		{"198.51.100.1:1000", nil, "198.51.100.1"},
		{"198.51.100.1:1000", []string{"192.0.2.1"}, "198.51.100.1"}, // not from a proxy: anybody can write a header
		{"10.1.1.1:1000", []string{"192.0.2.1"}, "192.0.2.1"},
		{"10.1.1.1:1000", []string{"192.0.2.1, 198.51.100.2, 10.2.2.2"}, "198.51.100.2"},
		{"10.1.1.1:1000", []string{"192.0.2.1", "198.51.100.2"}, "198.51.100.2"},
		{"[fd00::1]:1000", []string{"[2001:db8::5]:4711"}, "2001:db8::5"},
		{"[::ffff:10.1.1.1]:1000", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"10.1.1.1:1000", []string{"192.0.2.1, unknown"}, "invalid IP"},
		{"10.1.1.1:1000", []string{"192.0.2.1,"}, "invalid IP"},
		{"10.1.1.1:1000", nil, "10.1.1.1"},
		{"10.1.1.1:1000", []string{"10.3.3.3"}, "10.3.3.3"},
		{"@", nil, "invalid IP"},
	}
	for i, tt := range tests {
		got := RemoteAddr(&http.Request{RemoteAddr: tt.remote, Header: http.Header{"X-Forwarded-For": tt.header}}, trusted)
		if got.String() != tt.want {
			t.Errorf("%d: %s, want %s", i, got, tt.want)
		}
	}
}

func TestSecretsAreReadAgain(t *testing.T) {
	set, dir := load(t, "sources:\n- {name: acme, auth: [{type: bearer, secrets: [s]}]}", map[string]string{"s": "old-secret"})
	src := set.Named("acme")
	try := func(token string) error {
		return admit(src, &Request{Header: http.Header{"Authorization": {"Bearer " + token}}}, "")
	}
	write := func(text string) (bool, error) {
		if err := os.WriteFile(filepath.Join(dir, "s"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return set.watched[0].reload()
	}
	if changed, err := write("new-secret\nold-secret\n"); !changed || err != nil {
		t.Fatalf("changed %t, %v", changed, err)
	}
	if try("old-secret") != nil || try("new-secret") != nil {
		t.Error("one of two secrets is refused")
	}
	for _, broken := range []string{"", "short", strings.Repeat("x", maxSecretFile+1)} {
		if _, err := write(broken); err == nil {
			t.Errorf("%.10q is taken", broken)
		}
		if try("new-secret") != nil {
			t.Error("a broken file took the secrets away")
		}
	}
	if changed, err := write("new-secret"); !changed || err != nil {
		t.Fatalf("changed %t, %v", changed, err)
	}
	if try("old-secret") == nil {
		t.Error("the old secret is still taken")
	}
	if changed, err := write("new-secret"); changed || err != nil {
		t.Errorf("the same text: changed %t, %v", changed, err)
	}
}

func TestMistakesInTheFileAreNamed(t *testing.T) {
	const ok = "\n  auth: [{type: bearer, secrets: [s]}]"
	tests := []struct{ name, text, want string }{
		{"empty", "", "the file is empty; begin with sources:"},
		{"no YAML", "sources: [", "it is not YAML"},
		{"another key", "sourcs: []", "line 1, file: it has an unknown key sourcs; choose of sources"},
		{"no list", "sources: {}", "line 1, sources: it is no list with an entry"},
		{"no name", "sources:\n- route: /a", "line 2, sources[0].name: it is missing or no name"},
		{"a wrong key", "sources:\n- name: a\n  rout: /a", "line 3, sources[0]: it has an unknown key rout; choose of allow, auth, auth_needs, mapping, max_body, max_events, max_inflated, name, rate, route, split, tenant, test"},
		{"a value as key", "sources:\n- name: a\n  sk_live_0123456789012345678901234567890: x", "line 3, sources[0]: it has an unknown key;"},
		{"a key twice", "sources:\n- name: a\n  name: b", "line 3, sources[0].name: it is there twice"},
		{"an alias", "sources:\n- &a\n  name: a\n- *a", "line 4, sources[1]: it is no mapping"},
		{"two of one name", "sources:\n- name: a" + ok + "\n- name: a\n  route: /b" + ok, "sources[1].name: another source has it"},
		{"two of one route", "sources:\n- name: a" + ok + "\n- name: b\n  route: /hooks/a" + ok, "sources[1].route: another source has it"},
		{"a route up", "sources:\n- name: a\n  route: /hooks/../b", "sources[0].route: it is no path of its own"},
		{"the documentation's route", "sources:\n- name: a\n  route: /docs/x", "sources[0].route: it is no path of its own"},
		{"an unknown proof", "sources:\n- name: a\n  auth: [{type: magic}]", "line 3, sources[0].auth[0].type: it is missing or unknown; choose of header, bearer"},
		{"no secrets", "sources:\n- name: a\n  auth: [{type: bearer}]", "sources[0].auth[0].secrets: it is missing; list the files"},
		{"no such file", "sources:\n- name: a\n  auth: [{type: bearer, secrets: [nowhere]}]", "sources[0].auth[0].secrets: there is no such file"},
		{"a short secret", "sources:\n- name: a\n  auth: [{type: bearer, secrets: [short]}]", "fewer than 8 characters"},
		{"a wrong standard secret", "sources:\n- name: a\n  auth: [{type: standard-webhooks, secrets: [short2]}]", "is not whsec_ and base64"},
		{"a key of another proof", "sources:\n- name: a\n  auth: [{type: bearer, header: X, secrets: [s]}]", "sources[0].auth[0]: it has an unknown key header; choose of secrets, type"},
		{"a time that is not signed", "sources:\n- name: a\n  auth: [{type: hmac, header: X, timestamp_header: T, secrets: [s]}]", "sources[0].auth[0].signed: {timestamp} and the place of the time don't go together"},
		{"no body signed", "sources:\n- name: a\n  auth: [{type: hmac, header: X, signed: abc, secrets: [s]}]", "sources[0].auth[0].signed: it has no {body}"},
		{"something else in braces", "sources:\n- name: a\n  auth: [{type: hmac, header: X, signed: '{body}{x}', secrets: [s]}]", "sources[0].auth[0].signed: it is no template"},
		{"a bad header", "sources:\n- name: a\n  auth: [{type: header, name: 'a b', secrets: [s]}]", "sources[0].auth[0].name: it is missing or no name of a header"},
		{"a bad address", "sources:\n- name: a\n  allow: [somewhere]", "sources[0].allow[0]: it is no address"},
		{"no authority", "sources:\n- name: a\n  auth: [{type: client-certificate, ca: s}]", "sources[0].auth[0].ca: the file of an authority holds no certificate"},
		{"a rate of nothing", "sources:\n- name: a\n  rate: {per_second: 0}", "sources[0].rate.per_second: it is no number within bounds"},
		{"a size of nothing", "sources:\n- name: a\n  max_body: 1", "sources[0].max_body: it is no size"},
		{"a shipped mapping there is not", "sources:\n- name: a\n  mapping: acme", "line 3, sources[0].mapping: there is no such mapping; choose of elevenlabs, phonely, retell, vapi"},
		{"a broken mapping", "sources:\n- name: a\n  mapping: bad.jq", "line 3, sources[0].mapping: source a, line 2 of the mapping: it is no jq program"},
		{"a broken rule", "sources:\n- name: a\n  test: '.a ='", "sources[0].test: source a, line 1 of the mapping"},
		{"wrong needs", "sources:\n- name: a\n  auth_needs: some", "sources[0].auth_needs: it is neither all nor any"},
		{"a wrong tolerance", "sources:\n- name: a\n  auth: [{type: retell, tolerance: soon, secrets: [s]}]", "sources[0].auth[0].tolerance: it is no duration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"s": "secret-of-tests", "short": "abc", "short2": "whsec_???????", "bad.jq": "{\n  a: |\n}", "sources.yaml": tt.text} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Load(filepath.Join(dir, "sources.yaml"), Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got  %v\nwant %s", err, tt.want)
			}
			if strings.Contains(err.Error(), "secret-of-tests") || strings.Contains(err.Error(), "sk_live") {
				t.Errorf("the error shows a value: %v", err)
			}
		})
	}
}

func TestTheBuiltInSource(t *testing.T) {
	set, err := Load("", Options{})
	if err != nil || fmt.Sprint(set.OpenSources()) != "[phonely]" {
		t.Fatalf("%v, %v", set, err)
	}
	set, err = Load("", Options{Secrets: []string{"secret-of-tests"}})
	if err != nil || len(set.OpenSources()) != 0 {
		t.Fatalf("%v, %v", set, err)
	}
	src, _ := set.Find(PhonelyRoute)
	for _, h := range []http.Header{{"Authorization": {"bearer secret-of-tests"}}, {"X-Webhook-Secret": {"secret-of-tests"}}} {
		if err := admit(src, &Request{Header: h}, ""); err != nil {
			t.Errorf("%v: %v", h, err)
		}
	}
	for _, path := range []string{"/phonely/webhook/", "/phonely/webhook/x", "//phonely/webhook", "/phonely%2Fwebhook", "/phonely/./webhook", "/PHONELY/webhook", ""} {
		if src, _ := set.Find(path); src != nil {
			t.Errorf("path %q is found", path)
		}
	}
}
