package api

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	requestIDHeader = "X-Request-Id"
	openAPIPath     = "/openapi.json"
	mcpPath         = "/mcp"
	realm           = `Bearer realm="postcall"`
	maxMCPBody      = 256 << 10
)

// server is the API over HTTP.
type server struct {
	*API
	tokens *tokens
	mcp    http.Handler
	rest   bool // without it MCP alone is served
}

func (a *API) handler(t *tokens, rest bool) http.Handler {
	return &server{API: a, tokens: t, mcp: a.mcpHandler(), rest: rest}
}

// ServeHTTP answers one request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set(requestIDHeader, rand.Text()[:16])
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	started, kept := time.Now(), &keptStatus{ResponseWriter: w}
	name := "none"
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("a bug: a question ended in a panic", "panic", fmt.Sprintf("%T", v), "route", name, "request_id", h.Get(requestIDHeader))
			problemf(500, "a bug; its trace is the request's id").write(kept)
		}
		s.meter.done(name, kept.status, time.Since(started))
	}()
	if p := s.answer(kept, r, &name); p != nil {
		p.write(kept)
	}
}

// answer answers, or returns what is in the way. It sets name to the route's.
func (s *server) answer(w http.ResponseWriter, r *http.Request, name *string) *problem {
	switch {
	case r.URL.Path == openAPIPath && s.rest:
		*name = "openapi"
		return s.contract(w, r)
	case r.URL.Path == mcpPath:
		*name = "mcp"
		c, p := s.authenticate(r)
		if p != nil {
			return p
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxMCPBody)
		s.mcp.ServeHTTP(w, r.WithContext(withCaller(r.Context(), c)))
		return nil
	}
	rt, value, ok := match(r.URL.EscapedPath())
	if !ok || !s.rest {
		return problemf(404, "there is no such route; %s lists them", openAPIPath)
	}
	*name = rt.id
	return s.ask(w, r, rt, value)
}

// match finds the route of a path, as it was escaped, and the value in it.
func match(path string) (*route, string, bool) {
	for i := range routes {
		prefix, rest, open := strings.Cut(routes[i].path, "{")
		value, found := strings.CutPrefix(path, prefix)
		if found && open == (rest != "") && open == (value != "") && !strings.Contains(value, "/") {
			return &routes[i], value, true
		}
	}
	return nil, "", false
}

// ask answers a question of REST.
func (s *server) ask(w http.ResponseWriter, r *http.Request, rt *route, value string) *problem {
	if p := onlyReads(w, r); p != nil {
		return p
	}
	c, p := s.authenticate(r)
	if p != nil {
		return p
	}
	if !c.may(rt.scope) {
		p := problemf(403, "this token has not the scope %s", rt.scope)
		p.challenge = fmt.Sprintf(`%s, error="insufficient_scope", scope=%q`, realm, rt.scope)
		return p
	}
	if !s.has(rt.store) {
		return lacks(rt.store)
	}
	q, err := rt.parse(r.URL.RawQuery, value)
	if err != nil {
		return s.failed(w.Header().Get(requestIDHeader), err)
	}
	done, err := s.take()
	if err != nil {
		return s.failed("", err)
	}
	defer done()
	out, err := rt.do(r.Context(), s.API, c, q)
	if err != nil {
		return s.failed(w.Header().Get(requestIDHeader), err)
	}
	body, err := encode(out)
	if err != nil {
		return s.failed(w.Header().Get(requestIDHeader), err)
	}
	send(w, r, body)
	return nil
}

// encode is JSON with the characters of HTML as they are, and a line break at its end.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

func (rt *route) parse(rawQuery, value string) (asked, error) {
	q, err := parseQuery(rt.params, rawQuery)
	if err != nil {
		return nil, err
	}
	for _, p := range rt.params {
		if !p.inPath {
			continue
		}
		text, err := url.PathUnescape(value)
		if err != nil {
			return nil, problemf(400, "%s is not escaped as an address asks for", p.name)
		}
		if q[p.name], err = p.parse(text); err != nil {
			if p.schema.Enum != nil { // a name that nothing has
				return nil, problemf(404, "there is no such %s; %s", p.field.name, err)
			}
			return nil, err
		}
	}
	return q, nil
}

func onlyReads(w http.ResponseWriter, r *http.Request) *problem {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return problemf(405, "use GET")
	}
	return nil
}

// authenticate says who asks, within the bound that the token has.
func (s *server) authenticate(r *http.Request) (*caller, *problem) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		p := problemf(401, "send the header Authorization: Bearer TOKEN")
		p.challenge = realm
		return nil, p
	}
	c := s.tokens.find(strings.TrimSpace(token), time.Now())
	if c == nil {
		p := problemf(401, "this token is not valid, or not any more")
		p.challenge = realm + `, error="invalid_token"`
		return nil, p
	}
	reservation := c.limiter.Reserve()
	if wait := reservation.Delay(); wait > 0 {
		reservation.Cancel()
		p := problemf(429, "more than %g requests a second", s.tokens.rate)
		p.retry = int(math.Ceil(wait.Seconds()))
		return nil, p
	}
	return c, nil
}

// send writes an answer, or that the client has it already.
func send(w http.ResponseWriter, r *http.Request, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "private, no-cache") // kept, and asked for again
	h.Set("Vary", "Authorization")
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone; nothing is left to do
	}
}

func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// contract serves the OpenAPI, which holds nothing of the configuration, to anybody.
func (s *server) contract(w http.ResponseWriter, r *http.Request) *problem {
	if p := onlyReads(w, r); p != nil {
		return p
	}
	send(w, r, OpenAPI())
	return nil
}

// keptStatus remembers the status for the metrics.
type keptStatus struct {
	http.ResponseWriter
	status int
}

// WriteHeader is http.ResponseWriter's.
func (k *keptStatus) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
	k.ResponseWriter.WriteHeader(status)
}

// Write is http.ResponseWriter's.
func (k *keptStatus) Write(b []byte) (int, error) {
	if k.status == 0 {
		k.status = http.StatusOK
	}
	return k.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush.
func (k *keptStatus) Unwrap() http.ResponseWriter { return k.ResponseWriter }
