package connector

import (
	"encoding/json"
	"net/http"
)

// problem is an RFC 9457 answer. It names the field and the cure, and never repeats a value of the body.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Field    string `json:"field,omitempty"` // JSON pointer into the body
	reason   string // label of the counter
	retrySec string // Retry-After
}

func (p problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.retrySec != "" {
		h.Set("Retry-After", p.retrySec)
	}
	p.Type = "about:blank"
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may be gone; nothing is left to do
}
