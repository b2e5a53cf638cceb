package connector

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// WebhookPath is where Phonely's "Send Call Data" action delivers.
const WebhookPath = "/phonely/webhook"

const (
	defaultTenant = "default"
	sourcePhonely = "phonely"
	// SecretHeader carries the shared secret where the sender can set a header but no bearer token.
	SecretHeader = "X-Webhook-Secret"
)

// webhook is the HTTP edge. It answers 2xx only after accept returned nil: the body is on disk.
type webhook struct {
	secrets [][sha256.Size]byte // hashed, so that the comparison takes the same time whatever the length
	maxBody int64
	norm    *Normalizer
	intake  *intake
	dead    *deadLetters
	parts   int
	log     *slog.Logger
	limit   logLimit
	m       *metrics
}

func newWebhook(cfg Config, maxBody int64, norm *Normalizer, in *intake, dead *deadLetters, log *slog.Logger, m *metrics) *webhook {
	w := &webhook{maxBody: maxBody, norm: norm, intake: in, dead: dead, parts: in.st.partitions, log: log, limit: logLimit{interval: 10 * time.Second}, m: m}
	for _, s := range cfg.WebhookSecrets() {
		w.secrets = append(w.secrets, sha256.Sum256([]byte(s.Reveal())))
	}
	return w
}

// ServeHTTP takes one delivery.
func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	callID, p := w.take(rw, r)
	if p != nil {
		w.m.requests.WithLabelValues(strconv.Itoa(p.Status)).Inc()
		w.m.refused.WithLabelValues(p.reason).Inc()
		if missed, ok := w.limit.allow(p.reason, time.Now()); ok {
			w.log.Warn("delivery refused", "status", p.Status, "reason", p.reason, "field", p.Field, "remote", r.RemoteAddr,
				"bytes", r.ContentLength, "more_like_it", missed)
		}
		p.write(rw)
		return
	}
	w.m.requests.WithLabelValues("200").Inc()
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(struct {
		Status string `json:"status"`
		CallID string `json:"callId"`
	}{"stored", callID})
}

func (w *webhook) take(rw http.ResponseWriter, r *http.Request) (string, *problem) {
	if r.URL.Path != WebhookPath {
		return "", &problem{Status: http.StatusNotFound, reason: "path", Detail: "deliveries go to POST " + WebhookPath}
	}
	if r.Method != http.MethodPost {
		rw.Header().Set("Allow", http.MethodPost)
		return "", &problem{Status: http.StatusMethodNotAllowed, reason: "method", Detail: "use POST"}
	}
	if !w.authorized(r) {
		rw.Header().Set("WWW-Authenticate", "Bearer")
		return "", &problem{Status: http.StatusUnauthorized, reason: "secret"}
	}
	if p := contentProblem(r); p != nil {
		return "", p
	}
	if r.ContentLength > w.maxBody {
		return "", w.tooLarge()
	}
	// What the body may take is reserved before it is read; a body of unknown length counts as the largest.
	room := r.ContentLength
	if room < 0 {
		room = w.maxBody
	}
	if !w.intake.reserve(room) {
		return "", busy("too many deliveries at once")
	}
	defer w.intake.release(room)
	body, err := readBody(http.MaxBytesReader(rw, r.Body, w.maxBody), r.ContentLength)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return "", w.tooLarge()
		}
		return "", &problem{Status: http.StatusBadRequest, reason: "body", Detail: "the body ended early; send it again"}
	}
	d := delivery{Tenant: defaultTenant, Source: sourcePhonely, Received: time.Now().UTC().Truncate(time.Microsecond), Body: body}
	callID, err := w.norm.Check(body)
	if err != nil {
		if len(body) == 0 {
			return "", bodyProblem(err)
		}
		if perr := w.dead.putRefusedBody(r.Context(), d, err.Error()); perr != nil { // nothing is lost: the sender is to keep it
			w.log.Error("refused body could not be kept", "err", perr)
			return "", busy("the delivery could not be stored")
		}
		return "", bodyProblem(err)
	}
	switch err := w.intake.accept(r.Context(), d, partition(d.Tenant, callID, w.parts)); {
	case errors.Is(err, ErrFull):
		return "", busy("the intake is full")
	case err != nil:
		return "", busy("the delivery could not be stored")
	}
	return callID, nil
}

// authorized compares the request's secret with every configured one, in constant time. Without a configured secret
// the configuration keeps the webhook on loopback.
func (w *webhook) authorized(r *http.Request) bool {
	if len(w.secrets) == 0 {
		return true
	}
	given := r.Header.Get(SecretHeader)
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); given == "" && ok && strings.EqualFold(scheme, "Bearer") {
		given = strings.TrimSpace(token)
	}
	sum, ok := sha256.Sum256([]byte(given)), 0
	for i := range w.secrets {
		ok |= subtle.ConstantTimeCompare(sum[:], w.secrets[i][:])
	}
	return ok == 1
}

func contentProblem(r *http.Request) *problem {
	if ct := r.Header.Get("Content-Type"); ct != "" {
		mt, params, err := mime.ParseMediaType(ct)
		if err != nil || (mt != "application/json" && mt != "text/json" && !strings.HasSuffix(mt, "+json")) {
			return &problem{Status: http.StatusUnsupportedMediaType, reason: "content_type", Detail: "send the event as JSON with Content-Type: application/json"}
		}
		if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "us-ascii") {
			return &problem{Status: http.StatusUnsupportedMediaType, reason: "content_type", Detail: "JSON is UTF-8; leave the charset out"}
		}
	}
	if ce := r.Header.Get("Content-Encoding"); ce != "" && !strings.EqualFold(ce, "identity") {
		return &problem{Status: http.StatusUnsupportedMediaType, reason: "content_encoding", Detail: "send the body without Content-Encoding"}
	}
	return nil
}

func (w *webhook) tooLarge() *problem {
	return &problem{
		Status: http.StatusRequestEntityTooLarge, reason: "too_large",
		Detail: fmt.Sprintf("the body may have %d bytes; raise POSTCALL_INTAKE_MAX_BODY or send less", w.maxBody),
	}
}

func bodyProblem(err error) *problem {
	if fe, ok := errors.AsType[*FieldError](err); ok {
		status := fe.Status
		if status == 0 {
			status = http.StatusUnprocessableEntity
		}
		return &problem{Status: status, reason: "field", Field: fe.Field, Detail: fe.Error()}
	}
	return &problem{Status: http.StatusBadRequest, reason: "json", Detail: err.Error()}
}

func busy(detail string) *problem {
	return &problem{Status: http.StatusServiceUnavailable, reason: "busy", Detail: detail + "; send it again after the time in Retry-After", retrySec: "2"}
}

// readBody reads a body of a known length into one allocation.
func readBody(r io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(r)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	return b, nil
}
