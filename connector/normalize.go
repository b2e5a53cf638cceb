package connector

import (
	"net/http"
	"strings"
	"time"

	"github.com/postcall/postcall/transforms"
)

// The bounds of a delivery that are not the configuration's.
const (
	maxCallID   = 512                 // bytes; DELIVERY.md, rule 11
	maxRole     = 64                  // bytes
	maxTurns    = 20_000              // a body of braces must not become a hundred times its size in memory
	maxDepth    = 64                  // objects and arrays inside each other
	maxDuration = 30 * 24 * time.Hour // a longer call is a mistake of units
)

// Normalizer makes events of the bodies that Phonely posts. It is safe for concurrent use.
//
// The rules, chosen so that nothing a sender says is lost and nothing it did not say is stored:
//
//   - Only callId is required: text of 1 to 512 bytes without control characters, which blanks around it don't change.
//   - null, "", blanks and "not available" in any letter case all mean "not known"; what a turn says is never unknown.
//   - followUp, ai_success and sentiment may also be booleans or numbers; their text is kept, and read (see readBool).
//   - A time is RFC 3339 text, or text in one of timeLayouts, where one without a zone is UTC, or a Unix time in seconds
//     or milliseconds; from 2000 to 2100, kept to the millisecond.
//   - A list is an array of texts; unknown elements are left out.
//   - Where transcript is missing or empty, its turns are read from transcriptText (see nextTurn).
//   - What it does not know is kept in Extra, in order: numbers and strings byte for byte, blanks between them left out.
//     The unknown fields of turns are there too, as "transcript":{"<index of the turn>":{...}}.
//   - A name twice in one object, invalid UTF-8 (half a surrogate pair too) and more than 64 levels are refused. A byte
//     order mark is taken.
//   - callStarted falls back to callEnded less duration, then to the received time; duration to the time between both.
type Normalizer struct {
	loc *time.Location
	key []byte
}

// NewNormalizer reads hours and weekdays in loc and hashes personal values with the first key; without keys it leaves
// their hashes empty. A nil loc is UTC.
func NewNormalizer(loc *time.Location, keys [][]byte) *Normalizer {
	n := &Normalizer{loc: loc}
	if loc == nil {
		n.loc = time.UTC
	}
	if len(keys) > 0 {
		n.key = keys[0]
	}
	return n
}

// Normalize makes an event of a body, which it neither changes nor keeps. Its Version is left to the sealer. The error
// is a *FieldError.
func (n *Normalizer) Normalize(body []byte, tenant, source string, received time.Time) (transforms.Event, error) {
	s := scans.Get().(*scan)
	defer s.release()
	if err := s.read(body); err != nil {
		return transforms.Event{}, err
	}
	e := s.event(received)
	e.Tenant, e.Source, e.ReceivedAt = tenant, source, received.UTC()
	n.derive(&e)
	return e, nil
}

// Check returns the callId of a body that Normalize takes, and Normalize's error for any other.
func (n *Normalizer) Check(body []byte) (callID string, err error) {
	s := scans.Get().(*scan)
	defer s.release()
	if err := s.read(body); err != nil {
		return "", err
	}
	return strings.TrimSpace(string(s.unquote(s.texts[fieldCallID]))), nil
}

// FieldError says why a body is refused. It never holds a value of it.
type FieldError struct {
	Field  string // JSON pointer; empty for the body itself
	Kind   string // what was found there: "object", "number", "a string of more than 512 bytes"
	Cure   string // what to send instead
	Status int    // 400 for what is not JSON, 422 for JSON that is no call
}

// Error puts the three parts into one sentence.
func (e *FieldError) Error() string {
	field := e.Field
	if field == "" {
		field = "body"
	}
	return field + ": found " + e.Kind + "; " + e.Cure
}

func refused(field, kind, cure string) error {
	return &FieldError{Field: field, Kind: kind, Cure: cure, Status: http.StatusUnprocessableEntity}
}

func malformed(field, kind, cure string) error {
	return &FieldError{Field: field, Kind: kind, Cure: cure, Status: http.StatusBadRequest}
}
