package connector

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/postcall/postcall/connector/source"
)

// WebhookPath is where Phonely's "Send Call Data" action delivers.
const WebhookPath = source.PhonelyRoute

const (
	defaultTenant = "default"
	sourcePhonely = source.Phonely
	// SecretHeader carries the shared secret where the sender can set a header but no bearer token.
	SecretHeader = source.SecretHeader
	// RequestIDHeader is of every answer; the log and the problem name the same id.
	RequestIDHeader = "X-Request-Id"
)

// webhook is the HTTP edge. It answers 2xx only after the intake says that what was delivered is on disk.
type webhook struct {
	set         *source.Set
	read        *reading
	trusted     []netip.Prefix
	maxBody     int64
	bodyTimeout time.Duration
	intake      *intake
	dead        *deadLetters
	parts       int
	log         *slog.Logger
	limit       logLimit
	m           *metrics
	tracing     tracing
	docs        http.Handler // nil serves none

	maxRequests int64        // 0 is no bound
	requests    atomic.Int64 // under way
	inflating   chan struct{}
}

func newWebhook(cfg Config, maxBody int64, set *source.Set, read *reading, in *intake, dead *deadLetters, log *slog.Logger, m *metrics) *webhook {
	w := &webhook{
		set: set, read: read, trusted: cfg.TrustedProxies(), maxBody: maxBody, bodyTimeout: cfg.HTTP.BodyTimeout, intake: in, dead: dead,
		parts: in.st.partitions, log: log, limit: logLimit{interval: 10 * time.Second}, m: m,
		maxRequests: int64(cfg.HTTP.MaxRequests), inflating: make(chan struct{}, maxInflating),
	}
	if !cfg.HTTP.HideDocs {
		w.docs = newDocs()
	}
	return w
}

// request is one delivery on its way.
type request struct {
	*http.Request
	id       string
	start    time.Time
	span     trace.Span     // nil where it is not traced
	src      *source.Source // nil until it is known
	admitted bool           // the sender has proved who it is
	room     room
	body     []byte // once it is read and inflated
}

// ServeHTTP takes one delivery.
func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if w.docs != nil && (r.URL.Path == docsPath || strings.HasPrefix(r.URL.Path, docsPath+"/")) {
		w.docs.ServeHTTP(rw, r)
		return
	}
	req := &request{Request: r, id: strings.ToLower(rand.Text()[:16]), start: time.Now(), room: room{in: w.intake}}
	defer req.room.release()
	rw.Header().Set(RequestIDHeader, req.id)
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	var a *answer
	p := w.enter()
	if p == nil {
		defer w.requests.Add(-1)
		a, p = w.take(rw, req)
	}
	w.tracing.answered(req, p)
	if p != nil {
		w.refuse(rw, req, p)
		return
	}
	w.m.requests.WithLabelValues("200").Inc()
	w.m.ackSeconds.Observe(time.Since(req.start).Seconds())
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(a) // the client may be gone; nothing is left to do
}

// enter takes a place among the requests under way.
func (w *webhook) enter() *problem {
	if n := w.requests.Add(1); w.maxRequests > 0 && n > w.maxRequests {
		w.requests.Add(-1)
		return busy("too many requests at once")
	}
	return nil
}

// refuse answers a problem and logs it once. What a stranger can cause at will, and what passes by itself, is logged
// from time to time with a count.
func (w *webhook) refuse(rw http.ResponseWriter, r *request, p *problem) {
	w.m.requests.WithLabelValues(strconv.Itoa(p.Status)).Inc()
	w.m.refused.WithLabelValues(p.reason).Inc()
	name := ""
	if r.src != nil {
		name = r.src.Name
	}
	missed, ok := 0, true
	if !r.admitted || p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		missed, ok = w.limit.allow(p.reason+"/"+name, time.Now())
	}
	if ok {
		why := p.why
		if why == "" {
			why = p.Detail
		}
		w.log.Warn("delivery refused", "request_id", r.id, "source", name, "status", p.Status, "reason", p.reason, "why", why,
			"remote", w.remote(r.Request), "bytes", r.ContentLength, "more_like_it", missed)
	}
	p.RequestID = r.id
	p.write(rw)
}

// remote is the sender's address for the log.
func (w *webhook) remote(r *http.Request) string {
	if a := source.RemoteAddr(r, w.trusted); a.IsValid() {
		return a.String()
	}
	return r.RemoteAddr
}

// take goes through the steps of a delivery: route, who sends, the body, its events, the intake.
func (w *webhook) take(rw http.ResponseWriter, r *request) (*answer, *problem) {
	var segment string
	if r.src, segment = w.set.Find(r.URL.EscapedPath()); r.src == nil {
		return nil, &problem{Status: http.StatusNotFound, reason: "path", Detail: "no source has this path"}
	}
	if r.Method != http.MethodPost {
		rw.Header().Set("Allow", http.MethodPost)
		return nil, &problem{Status: http.StatusMethodNotAllowed, reason: "method", Detail: "use POST"}
	}
	later, err := r.src.Admit(&source.Request{
		Header: r.Header, Query: r.URL.Query(), Segment: segment, Remote: source.RemoteAddr(r.Request, w.trusted), TLS: r.TLS, Now: time.Now(),
	})
	if err != nil {
		return nil, denied(rw, err)
	}
	if r.admitted = later == nil; r.admitted {
		w.tracing.receive(r)
		if p := w.pace(r); p != nil {
			return nil, p
		}
	}
	kind, p := contentKind(r.Request)
	if p != nil {
		return nil, p
	}
	raw, p := w.readBody(rw, r)
	if p != nil {
		return nil, p
	}
	if later != nil {
		if err := later(raw); err != nil {
			return nil, denied(rw, err)
		}
		r.admitted = true
		w.tracing.receive(r)
		if p := w.pace(r); p != nil {
			return nil, p
		}
	}
	if r.body, p = w.inflate(r, kind.encoding, raw); p != nil {
		return nil, p
	}
	return w.store(r, kind.lines)
}

// pace keeps a source within its rate.
func (w *webhook) pace(r *request) *problem {
	wait, ok := r.src.Take(time.Now())
	if ok {
		return nil
	}
	return &problem{
		Status: http.StatusTooManyRequests, reason: "rate", Detail: "more deliveries than this source may make; send it again after the time in Retry-After",
		retrySec: strconv.Itoa(int(math.Ceil(min(wait.Seconds(), 60)))),
	}
}

// denied answers who is not let in: the status, and nothing that helps to get in. The log has the reason.
func denied(rw http.ResponseWriter, err error) *problem {
	d, ok := errors.AsType[*source.Denied](err)
	if !ok {
		d = &source.Denied{Status: http.StatusUnauthorized, Reason: err.Error()}
	}
	if d.Status == http.StatusForbidden {
		return &problem{Status: d.Status, reason: "forbidden", why: d.Reason}
	}
	rw.Header().Set("WWW-Authenticate", "Bearer")
	return &problem{Status: d.Status, reason: "secret", why: d.Reason}
}

func (w *webhook) tooLarge(limit int64) *problem {
	return &problem{
		Status: http.StatusRequestEntityTooLarge, reason: "too_large",
		Detail: fmt.Sprintf("the body may have %d bytes; raise POSTCALL_INTAKE_MAX_BODY or send less", limit),
	}
}

func busy(detail string) *problem {
	return &problem{Status: http.StatusServiceUnavailable, reason: "busy", Detail: detail + "; send it again after the time in Retry-After", retrySec: "2"}
}
