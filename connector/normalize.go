package connector

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postcall/postcall/connector/source"
	"github.com/postcall/postcall/transforms"
)

// The bounds of a delivery that are not the configuration's.
const (
	maxCallID   = 512                 // bytes; DELIVERY.md, rule 11
	maxRole     = 64                  // characters
	maxTurns    = 20_000              // a body of braces must not become a hundred times its size in memory
	maxDepth    = source.MaxDepth     // objects and arrays inside each other
	maxDuration = 30 * 24 * time.Hour // a longer call is a mistake of units

	maxFieldErrors = 50 // of one body; the rest is not looked at
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
//   - isTest marks a test: a boolean, or a word for one.
//   - A name twice in one object, invalid UTF-8 (half a surrogate pair too), more than 64 levels and numbers of more than
//     100 characters are refused. A byte order mark is taken.
//   - All wrong fields of a body are named at once, up to 50; a body that is no JSON is refused for that alone.
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
// is a *FieldError or FieldErrors.
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
	callID, _, err = n.check(body)
	return callID, err
}

// check is Check, and says whether the body marks itself as a test.
func (n *Normalizer) check(body []byte) (callID string, test bool, err error) {
	s := scans.Get().(*scan)
	defer s.release()
	if err := s.read(body); err != nil {
		return "", s.test, err
	}
	return strings.TrimSpace(string(s.unquote(s.texts[fieldCallID]))), s.test, nil
}

// FieldError says why a body is refused. It never holds a value of it.
type FieldError struct {
	Field  string // JSON pointer; empty for the body itself
	Kind   string // what was found there: "object", "number", "a string of more than 512 bytes"
	Cure   string // what to send instead
	Status int    // 400 for what is not JSON, 422 for JSON that is no call
	// Source and Line say which mapping made the field, and on which line, where one did.
	Source string
	Line   int
}

// Error puts the parts into one sentence.
func (e *FieldError) Error() string {
	field := e.Field
	if field == "" {
		field = "body"
	}
	return field + ": " + e.detail()
}

func (e *FieldError) detail() string {
	text := "found " + e.Kind + "; " + e.Cure
	switch {
	case e.Line > 0:
		text += " (source " + e.Source + " sets it on line " + strconv.Itoa(e.Line) + " of its mapping)"
	case e.Source != "":
		text += " (it is of the mapping of source " + e.Source + ")"
	}
	return text
}

// FieldErrors are all wrong fields of a body.
type FieldErrors []*FieldError

// Error names them all.
func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i := range e {
		parts[i] = e[i].Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns them for errors.As.
func (e FieldErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i := range e {
		errs[i] = e[i]
	}
	return errs
}

func (e FieldErrors) names(field string) bool {
	return slices.ContainsFunc(e, func(one *FieldError) bool { return one.Field == field })
}

func refused(field, kind, cure string) *FieldError {
	return &FieldError{Field: field, Kind: kind, Cure: cure, Status: http.StatusUnprocessableEntity}
}

func malformed(field, kind, cure string) *FieldError {
	return &FieldError{Field: field, Kind: kind, Cure: cure, Status: http.StatusBadRequest}
}
