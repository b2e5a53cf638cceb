package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/itchyny/gojq"
)

// The bounds of JSON, for every sender.
const (
	MaxDepth  = 64      // objects and arrays inside each other
	MaxValues = 200_000 // of one event
	MaxNumber = 100     // characters

	// DefaultMaxEvents and MaxEvents bound the events of one body.
	DefaultMaxEvents = 1000
	MaxEvents        = 10_000
)

// BodyError says why a body is refused. It holds no value of it.
type BodyError struct {
	Kind   string // what was found
	Cure   string
	Status int
}

// Error puts the two into one sentence.
func (e *BodyError) Error() string { return "body: found " + e.Kind + "; " + e.Cure }

func malformed(kind, cure string) error { return &BodyError{kind, cure, http.StatusBadRequest} }

func refused(kind, cure string) error { return &BodyError{kind, cure, http.StatusUnprocessableEntity} }

// decode reads one JSON value into what gojq takes, by the rule of the package.
func decode(body []byte) (any, error) {
	body = trimBOM(body)
	d := jsonReader{dec: jsontext.NewDecoder(bytes.NewBuffer(body))}
	v, err := d.value(1)
	if err != nil {
		return nil, d.explain(err, body)
	}
	if _, err := d.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, malformed("more behind the JSON value", "send one call, as one JSON object")
	}
	return v, nil
}

type jsonReader struct {
	dec    *jsontext.Decoder
	values int
}

func (d *jsonReader) value(depth int) (any, error) {
	if d.values++; d.values > MaxValues {
		return nil, refused(fmt.Sprintf("more than %d values", MaxValues), "send less in one event")
	}
	t, err := d.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	kind := t.Kind()
	if (kind == '{' || kind == '[') && depth > MaxDepth {
		return nil, refused(fmt.Sprintf("more than %d objects and arrays inside each other", MaxDepth), "send the call flatter")
	}
	switch kind {
	case 'n':
		return nil, nil
	case 't', 'f':
		return kind == 't', nil
	case '"':
		return t.String(), nil
	case '0':
		text := t.String()
		if len(text) > MaxNumber {
			return nil, refused(fmt.Sprintf("a number of more than %d characters", MaxNumber), "send it as a string")
		}
		return json.Number(text), nil
	case '[':
		return d.array(depth)
	}
	return d.object(depth)
}

func (d *jsonReader) array(depth int) (any, error) {
	list := []any{}
	for d.dec.PeekKind() != ']' {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.dec.ReadToken()
	return list, err
}

func (d *jsonReader) object(depth int) (any, error) {
	m := map[string]any{}
	for d.dec.PeekKind() != '}' {
		t, err := d.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		name := t.String()
		if m[name], err = d.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := d.dec.ReadToken()
	return m, err
}

// explain says what the decoder's error says, without what it quotes.
func (d *jsonReader) explain(err error, body []byte) error {
	if _, ok := errors.AsType[*BodyError](err); ok {
		return err
	}
	switch {
	case len(bytes.TrimLeft(body, " \t\r\n")) == 0:
		return malformed("nothing", "send one call, as one JSON object")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return malformed("a name for the second time in one object", "send each name of an object once")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed("the end of the body", "send the whole JSON value")
	case strings.Contains(err.Error(), "UTF-8"):
		return malformed("bytes that are not UTF-8", "encode the body as UTF-8")
	case strings.Contains(err.Error(), "surrogate"):
		return malformed("half a surrogate pair", "don't cut a string inside of a character")
	case strings.Contains(err.Error(), "exceeded max depth"):
		return refused(fmt.Sprintf("more than %d objects and arrays inside each other", MaxDepth), "send the call flatter")
	}
	return malformed("text that is not JSON", "send valid JSON; the mistake is behind byte "+strconv.FormatInt(d.dec.InputOffset(), 10))
}

// Part is one event of a body: its JSON as it was sent, or why it can't be read.
type Part struct {
	Body []byte
	Err  error
}

// Events takes a body apart. A JSON array is a list of events, each line of NDJSON (lines) is one; anything else is one
// event. Several says whether the sender is to be told of each. An error means that nothing of the body can be used.
func (s *Source) Events(body []byte, lines bool) (parts []Part, several bool, err error) {
	limit := s.MaxEvents
	if limit == 0 {
		limit = DefaultMaxEvents
	}
	body = trimBOM(body)
	switch first := bytes.TrimLeft(body, " \t\r\n"); {
	case lines:
		parts, several = splitLines(body), true
	case len(first) > 0 && first[0] == '[':
		several = true
		if parts, err = splitArray(body, limit); err != nil {
			return nil, true, err
		}
	default:
		parts = []Part{{Body: body}}
	}
	if s.split != nil {
		parts = s.splitParts(parts, limit)
		several = several || len(parts) != 1
	}
	switch {
	case len(parts) > limit:
		return nil, true, refused(fmt.Sprintf("more than %d events", limit), "send them in several bodies")
	case len(parts) == 0 && !lines && s.split == nil:
		return nil, true, refused("an array without an event", "send one call at least")
	case len(parts) == 0 && lines:
		return nil, true, malformed("nothing", "send one JSON object a line")
	}
	return parts, several, nil
}

func splitLines(body []byte) (parts []Part) {
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			parts = append(parts, Part{Body: line})
		}
		if len(parts) > MaxEvents {
			break
		}
	}
	return parts
}

// splitArray reads the elements of an array as they were sent. A mistake anywhere is one of the whole body.
func splitArray(body []byte, limit int) (parts []Part, err error) {
	d := jsonReader{dec: jsontext.NewDecoder(bytes.NewBuffer(body))}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, d.explain(err, body)
	}
	for d.dec.PeekKind() != ']' {
		v, err := d.dec.ReadValue()
		if err != nil {
			return nil, d.explain(err, body)
		}
		if parts = append(parts, Part{Body: bytes.Clone(v)}); len(parts) > limit {
			return parts, nil
		}
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, d.explain(err, body)
	}
	if _, err := d.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, malformed("more behind the JSON array", "send one array")
	}
	return parts, nil
}

// splitParts runs the source's split over each part.
func (s *Source) splitParts(parts []Part, limit int) (out []Part) {
	for _, p := range parts {
		v, err := decode(p.Body)
		if err != nil {
			out = append(out, Part{p.Body, err})
			continue
		}
		events, err := run(s.split.code, v, limit+1)
		if err != nil {
			out = append(out, Part{p.Body, &ProgramError{Source: s.Name, Reason: "split: " + reason(err)}})
			continue
		}
		for _, e := range events {
			b, err := gojq.Marshal(e)
			if err != nil {
				err = &ProgramError{Source: s.Name, Reason: "split makes a value that is no JSON"}
			}
			if out = append(out, Part{b, err}); len(out) > limit {
				return out
			}
		}
	}
	return out
}
