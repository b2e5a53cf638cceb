package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/postcall/postcall/connector"
)

const (
	wrongBurst    = 10              // wrong passwords an address may send at once
	wrongEvery    = 6 * time.Second // and one more each
	wrongDelay    = 300 * time.Millisecond
	maxAddresses  = 4096
	passwordEvery = time.Second // how often the password's file is read
)

// auth lets in who knows the password. The user name is anything.
type auth struct {
	read func() (connector.Secret, error)
	log  *slog.Logger

	mu       sync.Mutex
	sum      [sha256.Size]byte
	at       time.Time
	broken   bool // the file can't be used, and that was logged
	attempts map[string]*rate.Limiter
}

func newAuth(read func() (connector.Secret, error), log *slog.Logger) *auth {
	return &auth{read: read, log: log, attempts: map[string]*rate.Limiter{}}
}

// password is the hash of the one that is valid now.
func (a *auth) password(now time.Time) [sha256.Size]byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.at) < passwordEvery {
		return a.sum
	}
	p, err := a.read()
	if err != nil && !a.broken {
		a.log.Error("the console's password can't be read again; the one before is still valid", "err", err)
	}
	if a.broken, a.at = err != nil, now; err == nil {
		a.sum = sha256.Sum256([]byte(p.Reveal()))
	}
	return a.sum
}

// limiter bounds the wrong passwords of an address.
func (a *auth) limiter(addr string) *rate.Limiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.attempts[addr]
	if l == nil {
		if len(a.attempts) >= maxAddresses {
			clear(a.attempts)
		}
		l = rate.NewLimiter(rate.Every(wrongEvery), wrongBurst)
		a.attempts[addr] = l
	}
	return l
}

// pass answers and returns false where the request may not go on. An address with too many wrong passwords is refused
// whatever it shows next: otherwise it could go on guessing.
func (a *auth) pass(w http.ResponseWriter, r *http.Request) bool {
	_, given, ok := r.BasicAuth()
	if !ok {
		challenge(w)
		return false
	}
	now := time.Now()
	limiter := a.limiter(address(r))
	if limiter.TokensAt(now) < 1 {
		w.Header().Set("Retry-After", "6")
		http.Error(w, "too many wrong passwords from this address: wait a minute", http.StatusTooManyRequests)
		return false
	}
	sum, want := sha256.Sum256([]byte(given)), a.password(now)
	if subtle.ConstantTimeCompare(sum[:], want[:]) == 1 {
		return true
	}
	if limiter.AllowN(now, 1) && limiter.TokensAt(now) < 1 {
		a.log.Warn("wrong passwords for the console; their address has to wait", "remote", address(r))
	}
	select { // it costs a guess time, and nobody else any
	case <-time.After(wrongDelay):
	case <-r.Context().Done():
	}
	challenge(w)
	return false
}

func challenge(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="postcall console", charset="UTF-8"`)
	http.Error(w, "the console asks for the password of POSTCALL_CONSOLE_PASSWORD; the user name is anything", http.StatusUnauthorized)
}

// address is whose attempts are counted together: one of IPv4, a network of 64 bits of IPv6.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
