package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// problem is an RFC 9457 answer, and the error of every question that can't be answered. It never repeats a value.
type problem struct {
	Type      string `json:"type" jsonschema:"about:blank: the status says it all"`
	Title     string `json:"title" jsonschema:"name of the status"`
	Status    int    `json:"status" jsonschema:"HTTP status"`
	Detail    string `json:"detail,omitempty" jsonschema:"what is wrong, and the cure"`
	RequestID string `json:"requestId,omitempty" jsonschema:"id of the request, in the log as well"`

	retry     int    // seconds, of Retry-After
	challenge string // WWW-Authenticate
}

func problemf(status int, format string, args ...any) *problem {
	return &problem{Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Error is what an MCP client reads.
func (p *problem) Error() string { return p.Detail }

func (p *problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retry))
	}
	if p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	}
	out := *p
	out.Type, out.Title, out.RequestID = "about:blank", http.StatusText(p.Status), h.Get(requestIDHeader)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(out) // the client may be gone; nothing is left to do
}
