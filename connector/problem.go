package connector

import (
	"encoding/json"
	"net/http"
)

// problem is an RFC 9457 answer. It names every wrong field and the cure, and never repeats a value of the body.
type problem struct {
	Type      string         `json:"type"` // about:blank: the status says it all
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	RequestID string         `json:"requestId,omitempty"`
	Errors    []fieldProblem `json:"errors,omitempty"`
	reason    string         // label of the counter
	why       string         // for the log, where it says more than Detail
	retrySec  string         // Retry-After
}

// fieldProblem is one wrong field.
type fieldProblem struct {
	Pointer string `json:"pointer"` // JSON pointer into the event; empty for the event itself
	Detail  string `json:"detail"`
	Event   *int   `json:"event,omitempty"` // index of the event, where a body may hold several
}

func (p problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
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

// problemsOf lists what is wrong with an event.
func problemsOf(err error) []fieldProblem {
	all := fieldErrors(err)
	out := make([]fieldProblem, len(all))
	for i, fe := range all {
		out[i] = fieldProblem{Pointer: fe.Field, Detail: fe.detail()}
	}
	return out
}

// bodyProblem is the answer to a body that can't be taken.
func bodyProblem(err error) *problem {
	all := fieldErrors(err)
	p := &problem{Status: all[0].Status, reason: "field", Detail: all[0].Error(), Errors: problemsOf(err), why: err.Error()}
	switch p.Status {
	case 0:
		p.Status = http.StatusUnprocessableEntity
	case http.StatusBadRequest:
		p.reason = "json"
	}
	return p
}
