package connector

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const hostileSources = `
sources:
- {name: phonely, auth: [{type: bearer, secrets: [token]}]}
- {name: basic, auth: [{type: basic, username: ann, secrets: [token]}]}
- {name: query, auth: [{type: query, name: token, secrets: [token]}]}
- {name: path, auth: [{type: path, secrets: [token]}]}
- {name: retell, mapping: retell, auth: [{type: retell, secrets: [token]}]}
- {name: standard, auth: [{type: standard-webhooks, secrets: [whsec]}]}
- {name: near, allow: [192.0.2.0/24], auth: [{type: bearer, secrets: [token]}]}
- {name: crm, mapping: "{callId: .id, duration: .d}", split: "if has(\"calls\") then .calls[] else . end", auth: [{type: bearer, secrets: [token]}]}
- {name: endless, mapping: "def f: f; f", auth: [{type: bearer, secrets: [token]}]}
- {name: growing, mapping: "{callId: \"a\", list: [range(1000000)]}", auth: [{type: bearer, secrets: [token]}]}
`

// exchange sends bytes as they are and reads the status of the answer; 0 is a connection that was closed without one.
func exchange(t *testing.T, addr string, parts ...any) (int, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { // an early answer must not wait for the rest
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				_, _ = io.WriteString(c, p)
			case time.Duration:
				time.Sleep(p)
			}
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("the answer can't be read: %v", err)
		}
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

func pack(t *testing.T, encoding string, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	default:
		w, err = zstd.NewWriter(&out)
	}
	if err == nil {
		_, err = w.Write(b)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Each of these is answered as the table says; none takes the server down, and none is stored but the good ones.
func TestHostileRequests(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Sources = sourcesFile(t, hostileSources)
	cfg.Intake.MaxBody = 256 << 10
	cfg.HTTP = HTTPConfig{HeaderTimeout: time.Second, BodyTimeout: time.Second, WriteTimeout: 15 * time.Second, IdleTimeout: time.Second}
	s := newStore()
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	addr := strings.TrimPrefix(r.base(), "http://")
	set, err := cfg.OpenSources()
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"callId":"good"}`
	bearer := "Authorization: Bearer " + testToken + "\r\n"
	post := func(path, header, body string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" + header + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	}
	known := func(body string) string { return post(WebhookPath, bearer, body) }
	packed := func(encoding, body string) string {
		return post(WebhookPath, bearer+"Content-Encoding: "+encoding+"\r\n", body)
	}
	// signed is a request as its sender signs it, at a time.
	signed := func(name, body string, at time.Time, spoil func(http.Header)) string {
		src := set.Named(name)
		req, err := http.NewRequest("POST", "http://h"+src.Route, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := src.Sign(req, []byte(body), at); err != nil {
			t.Fatal(err)
		}
		if spoil != nil {
			spoil(req.Header)
		}
		var h bytes.Buffer
		_ = req.Header.Write(&h)
		return post(src.Route, h.String(), body)
	}
	replace := func(name, from, to string) func(http.Header) {
		return func(h http.Header) { h.Set(name, strings.Replace(h.Get(name), from, to, 1)) }
	}
	call := `{"event":"call_analyzed","call":{"call_id":"r1"}}`
	deep := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	zeros := bytes.Repeat([]byte{' '}, 32<<20)
	nested := pack(t, "gzip", []byte(pack(t, "gzip", []byte(good))))
	hugeWindow := func() string { // a frame of zstd that asks for a window of 2 GiB
		b := binary.LittleEndian.AppendUint32(nil, 0xFD2FB528)
		return string(append(b, 0x00, 0xA8, 0x01, 0x00, 0x00))
	}()
	tests := []struct {
		name  string
		parts []any
		want  int
	}{
		// The first two are not hostile: the others have to fail for what they say.
		{"good", []any{known(good)}, 200},
		{"good, signed", []any{signed("retell", call, time.Now(), nil)}, 200},
		// Who sends.
		{"no secret", []any{post(WebhookPath, "", good)}, 401},
		{"empty bearer", []any{post(WebhookPath, "Authorization: Bearer \r\n", good)}, 401},
		{"half a secret", []any{post(WebhookPath, "Authorization: Bearer "+testToken[:10]+"\r\n", good)}, 401},
		{"secret and more", []any{post(WebhookPath, "Authorization: Bearer "+testToken+"x\r\n", good)}, 401},
		{"secret in another case", []any{post(WebhookPath, "Authorization: Bearer "+strings.ToUpper(testToken)+"\r\n", good)}, 401},
		{"two authorizations", []any{post(WebhookPath, bearer+"Authorization: Bearer guess-guess\r\n", good)}, 401},
		{"bearer where basic is asked for", []any{post("/hooks/basic", bearer, good)}, 401},
		{"basic with another user", []any{post("/hooks/basic", "Authorization: Basic Ym9iOnRva2VuLW9mLXRoZS10ZXN0cy0x\r\n", good)}, 401},
		{"basic that is no base64", []any{post("/hooks/basic", "Authorization: Basic ???\r\n", good)}, 401},
		{"secret twice in the query", []any{post("/hooks/query?token="+testToken+"&token="+testToken, "", good)}, 401},
		{"secret in a parameter of another case", []any{post("/hooks/query?TOKEN="+testToken, "", good)}, 401},
		{"no secret in the path", []any{post("/hooks/path", "", good)}, 401},
		{"another secret in the path", []any{post("/hooks/path/guess-guess", "", good)}, 401},
		{"secret deeper in the path", []any{post("/hooks/path/x/"+testToken, "", good)}, 404},
		{"a forged address", []any{post("/hooks/near", bearer+"X-Forwarded-For: 192.0.2.1\r\n", good)}, 403},
		{"a forged address of another header", []any{post("/hooks/near", bearer+"X-Real-Ip: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n", good)}, 403},
		// Signatures.
		{"no signature", []any{post("/hooks/retell", "", call)}, 401},
		{"signature of another body", []any{strings.Replace(signed("retell", call, time.Now(), nil), `"r1"`, `"r2"`, 1)}, 401},
		{"signature of nothing", []any{signed("retell", call, time.Now(), func(h http.Header) { h.Set("X-Retell-Signature", "v=,d=") })}, 401},
		{"signature cut short", []any{signed("retell", call, time.Now(), func(h http.Header) { v := h.Get("X-Retell-Signature"); h.Set("X-Retell-Signature", v[:len(v)-2]) })}, 401},
		{"signature without a time", []any{signed("retell", call, time.Now(), replace("X-Retell-Signature", "v=", "x="))}, 401},
		{"another time than was signed", []any{signed("retell", call, time.Now(), replace("X-Retell-Signature", "v=1", "v=01"))}, 401},
		{"stale timestamp", []any{signed("retell", call, time.Now().Add(-6*time.Minute), nil)}, 401},
		{"timestamp to come", []any{signed("retell", call, time.Now().Add(6*time.Minute), nil)}, 401},
		{"timestamp of many digits", []any{signed("retell", call, time.Now(), func(h http.Header) {
			h.Set("X-Retell-Signature", "v="+strings.Repeat("9", 400)+",d="+strings.Repeat("0", 64))
		})}, 401},
		{"negative timestamp", []any{signed("standard", good, time.Now(), func(h http.Header) { h.Set("Webhook-Timestamp", "-1") })}, 401},
		{"standard, no id", []any{signed("standard", good, time.Now(), func(h http.Header) { h.Del("Webhook-Id") })}, 401},
		{"standard, another id", []any{signed("standard", good, time.Now(), func(h http.Header) { h.Set("Webhook-Id", "msg_x") })}, 401},
		{"standard, another version", []any{signed("standard", good, time.Now(), replace("Webhook-Signature", "v1,", "v2,"))}, 401},
		{"standard, a thousand signatures", []any{signed("standard", good, time.Now(), func(h http.Header) {
			h.Set("Webhook-Signature", strings.Repeat("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ", 200))
		})}, 401},
		// Paths and methods.
		{"another path", []any{post("/", bearer, good)}, 404},
		{"a slash more", []any{post(WebhookPath+"/", bearer, good)}, 404},
		{"two slashes", []any{post("/"+WebhookPath, bearer, good)}, 404},
		{"dots in the path", []any{post("/hooks/../phonely/webhook", bearer, good)}, 404},
		{"escaped dots", []any{post("/hooks/%2e%2e/phonely/webhook", bearer, good)}, 404},
		{"escaped slash", []any{post("/phonely%2fwebhook", bearer, good)}, 404},
		{"escaped letter", []any{post("/phonely/webhoo%6b", bearer, good)}, 404},
		{"NUL in the path", []any{post("/phonely/webhook%00", bearer, good)}, 404},
		{"another case", []any{post("/Phonely/Webhook", bearer, good)}, 404},
		{"an absolute form of another host", []any{post("http://169.254.169.254/latest", bearer, good)}, 404},
		{"GET", []any{"GET " + WebhookPath + " HTTP/1.1\r\nHost: h\r\n" + bearer + "\r\n"}, 405},
		{"PUT", []any{strings.Replace(known(good), "POST", "PUT", 1)}, 405},
		{"an unknown method", []any{strings.Replace(known(good), "POST", "BREW", 1)}, 405},
		{"CONNECT", []any{"CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n"}, 404},
		// The frame of the request.
		{"no host", []any{strings.Replace(known(good), "Host: h\r\n", "", 1)}, 400},
		{"two lengths", []any{post(WebhookPath, bearer+"Content-Length: 5\r\n", good)}, 400},
		{"a length that is no number", []any{strings.Replace(known(good), "Content-Length: 17", "Content-Length: -17", 1)}, 400},
		{"length and chunks", []any{post(WebhookPath, bearer+"Transfer-Encoding: chunked\r\n", "0\r\n\r\n")}, 400},
		{"an unknown transfer encoding", []any{post(WebhookPath, bearer+"Transfer-Encoding: gzip\r\n", good)}, 501},
		{"a chunk of no size", []any{"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\n" + bearer + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"}, 400},
		{"a chunk too large", []any{"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\n" + bearer + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"}, 400},
		{"a line break in a header", []any{post(WebhookPath, bearer+"X-A: a\rSet-Cookie: b\r\n", good)}, 400},
		{"a NUL in a header", []any{post(WebhookPath, bearer+"X-A: a\x00b\r\n", good)}, 400},
		{"a header of no name", []any{post(WebhookPath, bearer+": b\r\n", good)}, 400},
		{"a folded header", []any{post(WebhookPath, bearer+"X-A: a\r\n b\r\n", good)}, 200}, // as RFC 9112 allows; nothing reads it
		{"a header too large", []any{post(WebhookPath, bearer+"X-A: "+strings.Repeat("a", 64<<10)+"\r\n", good)}, 431},
		{"headers without end", []any{"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-A: aaaaaaaaaaaaaaaaaaaa\r\n", 4000)}, 431},
		{"HTTP/0.9", []any{"GET /phonely/webhook\r\n\r\n"}, 400},
		{"TLS where none is spoken", []any{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"}, 400},
		// Slow ones.
		{"a header that does not end", []any{"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\n", 3 * time.Second}, 0},
		{"a body that does not come", []any{"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\n" + bearer + "Content-Length: 100\r\n\r\n{", 4 * time.Second}, 408},
		{"a chunk that does not come", []any{"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\n" + bearer + "Transfer-Encoding: chunked\r\n\r\n5\r\n{", 4 * time.Second}, 408},
		// Bodies.
		{"longer than announced", []any{known(good) + "garbage"}, 200}, // the garbage is another request's, and refused there
		{"a body of no kind", []any{strings.Replace(known(good), "application/json", "text/html", 1)}, 415},
		{"a form", []any{strings.Replace(known("callId=a"), "application/json", "application/x-www-form-urlencoded", 1)}, 415},
		{"several parts", []any{strings.Replace(known(good), "application/json", "multipart/form-data; boundary=a", 1)}, 415},
		{"UTF-16", []any{strings.Replace(known("\xfe\xff\x00{\x00}"), "application/json", "application/json; charset=utf-16", 1)}, 415},
		{"UTF-16 that is not announced", []any{known("\xfe\xff\x00{\x00}")}, 400},
		{"Latin-1", []any{known("{\"callId\":\"caf\xe9\"}")}, 400},
		{"half a surrogate pair", []any{known(`{"callId":"a","summary":"\ud83d"}`)}, 400},
		{"too long by its header", []any{"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\n" + bearer + "Content-Length: 99999999999\r\n\r\n"}, 413},
		{"too long in chunks", []any{"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\n" + bearer + "Transfer-Encoding: chunked\r\n\r\n80000\r\n" + strings.Repeat(" ", 0x80000) + "\r\n0\r\n\r\n"}, 413},
		{"bomb, gzip", []any{packed("gzip", pack(t, "gzip", zeros))}, 413},
		{"bomb, deflate", []any{packed("deflate", pack(t, "deflate", zeros))}, 413},
		{"bomb, zstd", []any{packed("zstd", pack(t, "zstd", zeros))}, 413},
		{"a window of gigabytes", []any{packed("zstd", hugeWindow)}, 400},
		{"packed twice", []any{packed("gzip", nested)}, 400},
		{"packed twice, announced", []any{packed("gzip, gzip", nested)}, 415},
		{"br", []any{packed("br", "x")}, 415},
		{"no gzip", []any{packed("gzip", good)}, 400},
		{"gzip cut short", []any{packed("gzip", pack(t, "gzip", []byte(good))[:15])}, 400},
		{"gzip with a wrong checksum", []any{packed("gzip", strings.Replace(pack(t, "gzip", []byte(good)), pack(t, "gzip", []byte(good))[len(pack(t, "gzip", []byte(good)))-8:], "\x00\x00\x00\x00\x11\x00\x00\x00", 1))}, 400},
		// JSON.
		{"nesting", []any{known(`{"callId":"a","x":` + deep("[", "]", 100) + `}`)}, 422},
		{"nesting of objects", []any{known(`{"callId":"a","x":` + deep(`{"a":`, "}", 70)[:70*5] + "1" + strings.Repeat("}", 70) + `}`)}, 422},
		{"nesting without end", []any{known(strings.Repeat("[", 200_000))}, 422},
		{"nesting for a mapping", []any{post("/hooks/crm", bearer, deep("[", "]", 5000))}, 422},
		{"a huge number", []any{known(`{"callId":"a","duration":1e999999999}`)}, 422},
		{"a long number", []any{known(`{"callId":"a","x":` + strings.Repeat("9", 200_000) + `}`)}, 422},
		{"a long number for a mapping", []any{post("/hooks/crm", bearer, `{"id":`+strings.Repeat("9", 200_000)+`}`)}, 422},
		{"a huge exponent for a mapping", []any{post("/hooks/crm", bearer, `{"id":"a","d":1e999999999}`)}, 422},
		{"NaN", []any{known(`{"callId":"a","duration":NaN}`)}, 400},
		{"a name twice", []any{known(`{"callId":"a","callId":"b"}`)}, 400},
		{"a name twice, escaped", []any{known(`{"callId":"a","c\u0061llId":"b"}`)}, 400},
		{"a comment", []any{known(`{"callId":"a"/**/}`)}, 400},
		{"single quotes", []any{known(`{'callId':'a'}`)}, 400},
		{"two values", []any{known(good + good)}, 400},
		{"a NUL behind it", []any{known(good + "\x00")}, 400},
		{"a prototype", []any{known(`{"__proto__":{"callId":"a"}}`)}, 422},
		{"a number as id", []any{known(`{"callId":1}`)}, 422},
		{"line breaks in the id", []any{known(`{"callId":"a\r\nSet-Cookie: b"}`)}, 422},
		{"an id too long", []any{known(`{"callId":"` + strings.Repeat("a", 513) + `"}`)}, 422},
		{"30,000 turns", []any{known(`{"callId":"a","transcript":[` + strings.Repeat(`{},`, 29_999) + `{}]}`)}, 422},
		{"100,000 events", []any{known("[" + strings.Repeat("1,", 99_999) + "1]")}, 422},
		{"2,000 events out of one", []any{post("/hooks/crm", bearer, `{"calls":[`+strings.Repeat("1,", 1999)+"1]}")}, 422},
		{"a mapping without end", []any{post("/hooks/endless", bearer, good)}, 422},
		{"a mapping that makes too much", []any{post("/hooks/growing", bearer, good)}, 422},
	}
	if len(tests) < 62 {
		t.Fatalf("%d requests", len(tests))
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, body := exchange(t, addr, tt.parts...)
			if code != tt.want {
				t.Errorf("answered %d, want %d\n%.300s", code, tt.want, body)
			}
			if strings.Contains(body, testToken) || (code == 401 || code == 403) && len(body) > 200 {
				t.Errorf("the answer says too much: %s", body)
			}
		})
	}
	t.Cleanup(func() { // the parallel ones end before it
		if code, _ := exchange(t, addr, known(`{"callId":"after"}`)); code != 200 {
			t.Errorf("a good delivery after all of them answered %d", code)
		}
		r.eventually("what is good is loaded", func() bool { return s.has("good") && s.has("after") && s.has("r1") })
		if n := s.calls(); n != 3 {
			t.Errorf("%d calls are stored, want 3: %v", n, s.newest)
		}
		if strings.Contains(r.log.String(), testToken) || strings.Contains(r.log.String(), "panic") {
			t.Errorf("the log shows a secret or a panic")
		}
	})
}

// Thousands of connections that send nothing, half a header or half a body don't stop a good sender, nor take memory for
// what they only announce.
func TestSlowConnectionsDoNotStopAGoodSender(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.HTTP = HTTPConfig{HeaderTimeout: 30 * time.Second, BodyTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second}
	s := newStore()
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	addr := strings.TrimPrefix(r.base(), "http://")
	const n = 5000
	starts := []string{
		"", "POST", "POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\nX-A: ",
		"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n{",
		"POST " + WebhookPath + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
	}
	// A process of its own for the senders would need a second limit of files; this one has both ends.
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for i := range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("connection %d: %v (the test needs %d open files)", i, err, 2*n+100)
		}
		conns = append(conns, c)
		if _, err := io.WriteString(c, starts[i%len(starts)]); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for i := range 200 {
		if code := r.post(fmt.Sprintf(`{"callId":"c%d"}`, i)); code != 200 {
			t.Fatalf("a good delivery among %d slow connections answered %d", n, code)
		}
	}
	t.Logf("200 deliveries among %d slow connections took %s", n, time.Since(began))
	r.eventually("all are loaded", func() bool { return s.calls() == 200 })
}
