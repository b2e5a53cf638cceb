package source

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Request is what a delivery shows of its sender.
type Request struct {
	Header  http.Header
	Query   url.Values
	Segment string     // of the path, behind the route
	Remote  netip.Addr // the sender's, behind trusted proxies; invalid where it can't be told
	TLS     *tls.ConnectionState
	Now     time.Time
}

// Denied says why a delivery is refused. The reason is for the operator's log and holds nothing the sender sent; the
// sender sees the status.
type Denied struct {
	Status int // 401 or 403
	Reason string
}

// Error returns the reason.
func (d *Denied) Error() string { return d.Reason }

func unauthorized(format string, args ...any) error {
	return &Denied{http.StatusUnauthorized, fmt.Sprintf(format, args...)}
}

// proof is one way to tell who sends.
type proof interface {
	// check says nil if the request proves it. With a later, the body has to be seen first: it is then handed to later.
	check(r *Request) (later func(body []byte) error, err error)
	// sign makes a sender's request prove it.
	sign(r *http.Request, body []byte, now time.Time) error
}

// Admit checks what can be checked before the body is read. Where a proof needs the body, it returns a function that
// takes it, as it came over the wire; nil means that the delivery is let in. An error is a *Denied.
func (s *Source) Admit(r *Request) (later func(body []byte) error, err error) {
	if len(s.allow) > 0 && !slices.ContainsFunc(s.allow, func(p netip.Prefix) bool { return r.Remote.IsValid() && p.Contains(r.Remote) }) {
		return nil, &Denied{http.StatusForbidden, "the address is not in allow"}
	}
	if len(s.auth) == 0 {
		return nil, nil
	}
	var waiting []func([]byte) error
	var denied error
	passed := 0
	for _, p := range s.auth { // all of them, so that the time does not say which one failed
		l, err := p.check(r)
		switch {
		case err != nil:
			if denied == nil {
				denied = err
			}
		case l != nil:
			waiting = append(waiting, l)
		default:
			passed++
		}
	}
	switch {
	case s.any && passed > 0, !s.any && denied == nil && len(waiting) == 0:
		return nil, nil
	case !s.any && denied != nil, len(waiting) == 0:
		return nil, denied
	}
	return func(body []byte) error { return s.settle(waiting, body) }, nil
}

// settle checks the proofs that had to wait for the body.
func (s *Source) settle(waiting []func([]byte) error, body []byte) error {
	var denied error
	passed := 0
	for _, l := range waiting {
		if err := l(body); err != nil {
			denied = err
			continue
		}
		passed++
	}
	if s.any && passed > 0 {
		return nil
	}
	return denied
}

// Sign makes a request prove what the source asks for, as its sender would: `postcall send` uses it.
func (s *Source) Sign(r *http.Request, body []byte, now time.Time) error {
	for _, p := range s.auth {
		if err := p.sign(r, body, now); err != nil {
			return err
		}
		if s.any {
			return nil
		}
	}
	return nil
}

// headerSecret is a secret as the value of a header.
type headerSecret struct {
	name    string
	secrets *secrets
}

func (p *headerSecret) check(r *Request) (func([]byte) error, error) {
	v := r.Header.Values(p.name)
	if len(v) != 1 {
		return nil, unauthorized("header %s is not there once", p.name)
	}
	if !p.secrets.match(v[0]) {
		return nil, unauthorized("header %s holds no valid secret", p.name)
	}
	return nil, nil
}

func (p *headerSecret) sign(r *http.Request, _ []byte, _ time.Time) error {
	r.Header.Set(p.name, p.secrets.first())
	return nil
}

// bearer is a secret as a bearer token.
type bearer struct{ secrets *secrets }

func (p *bearer) check(r *Request) (func([]byte) error, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(r.Header.Values("Authorization")) != 1 {
		return nil, unauthorized("there is no bearer token")
	}
	if !p.secrets.match(strings.TrimSpace(token)) {
		return nil, unauthorized("the bearer token is no valid secret")
	}
	return nil, nil
}

func (p *bearer) sign(r *http.Request, _ []byte, _ time.Time) error {
	r.Header.Set("Authorization", "Bearer "+p.secrets.first())
	return nil
}

// basic is a user and a secret as HTTP's basic authentication.
type basic struct {
	user    string
	secrets *secrets
}

func (p *basic) check(r *Request) (func([]byte) error, error) {
	user, password, ok := (&http.Request{Header: r.Header}).BasicAuth()
	if !ok || len(r.Header.Values("Authorization")) != 1 {
		return nil, unauthorized("there is no basic authentication")
	}
	// Both are compared whatever the first says, so that neither is told alone.
	known, right := p.secrets.match(password), sameText(user, p.user)
	if !known || !right {
		return nil, unauthorized("user or password is wrong")
	}
	return nil, nil
}

func (p *basic) sign(r *http.Request, _ []byte, _ time.Time) error {
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.secrets.first())))
	return nil
}

// querySecret is a secret as a parameter of the URL.
type querySecret struct {
	name    string
	secrets *secrets
}

func (p *querySecret) check(r *Request) (func([]byte) error, error) {
	v := r.Query[p.name]
	if len(v) != 1 || !p.secrets.match(v[0]) {
		return nil, unauthorized("query parameter %s holds no valid secret", p.name)
	}
	return nil, nil
}

func (p *querySecret) sign(r *http.Request, _ []byte, _ time.Time) error {
	q := r.URL.Query()
	q.Set(p.name, p.secrets.first())
	r.URL.RawQuery = q.Encode()
	return nil
}

// pathSecret is a secret as the last segment of the path.
type pathSecret struct{ secrets *secrets }

func (p *pathSecret) check(r *Request) (func([]byte) error, error) {
	if !p.secrets.match(r.Segment) {
		return nil, unauthorized("the path ends in no valid secret")
	}
	return nil, nil
}

func (p *pathSecret) sign(r *http.Request, _ []byte, _ time.Time) error {
	r.URL.Path, r.URL.RawPath = r.URL.Path+"/"+p.secrets.first(), ""
	return nil
}

// certificates is a client certificate of an authority.
type certificates struct {
	path  string
	names []string // of the certificate (DNS name or common name), one of them; none takes every one
	pool  atomic.Pointer[x509.CertPool]
	last  []byte
}

func (p *certificates) reload() (changed bool, err error) {
	b, err := os.ReadFile(p.path)
	if err != nil {
		return false, fileProblem(err)
	}
	if string(b) == string(p.last) {
		return false, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return false, fmt.Errorf("the file of an authority holds no certificate; write them as PEM")
	}
	changed = p.last != nil
	p.last = b
	p.pool.Store(pool)
	return changed, nil
}

func (p *certificates) check(r *Request) (func([]byte) error, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, unauthorized("there is no client certificate")
	}
	leaf, between := r.TLS.PeerCertificates[0], x509.NewCertPool()
	for _, c := range r.TLS.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: p.pool.Load(), Intermediates: between, CurrentTime: r.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, &Denied{http.StatusForbidden, "the client certificate is not valid for the authority"}
	}
	if len(p.names) > 0 && !slices.ContainsFunc(p.names, func(n string) bool { return n == leaf.Subject.CommonName || slices.Contains(leaf.DNSNames, n) }) {
		return nil, &Denied{http.StatusForbidden, "the client certificate has another name"}
	}
	return nil, nil
}

func (p *certificates) sign(*http.Request, []byte, time.Time) error { return nil } // the connection does

// RemoteAddr returns the sender's address: that of the connection, or where that is a trusted proxy's, the last one in
// X-Forwarded-For that is none. It is invalid where a proxy says nothing that can be read.
func RemoteAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := ap.Addr().Unmap().WithZone("")
	isTrusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	if !isTrusted(at) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if hop == "" && len(hops) == 1 {
			return at // the proxy itself
		}
		a, err := netip.ParseAddr(strings.Trim(hop, "[]"))
		if err != nil {
			ap, err := netip.ParseAddrPort(hop)
			if err != nil {
				return netip.Addr{}
			}
			a = ap.Addr()
		}
		if at = a.Unmap().WithZone(""); !isTrusted(at) {
			return at
		}
	}
	return at
}
