package source

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

//go:embed mappings/*.jq
var shipped embed.FS

// ErrNoCall says that a mapping makes nothing of a body: it is no call, but for example the news that one has begun.
var ErrNoCall = errors.New("the mapping makes no call of it")

// Mapping makes an event in Phonely's field names of a body. It is safe for concurrent use.
type Mapping struct{ *program }

// NewMapping compiles a program. Its error names the source and the line.
func NewMapping(source, text string) (*Mapping, error) {
	p, err := compile(source, text)
	if err != nil {
		return nil, err
	}
	return &Mapping{p}, nil
}

// ShippedNames lists the shipped mappings.
func ShippedNames() []string {
	entries, _ := shipped.ReadDir("mappings") // embedded
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".jq")
	}
	return names
}

// ShippedText returns the program of a shipped mapping.
func ShippedText(name string) (string, error) {
	if !slices.Contains(ShippedNames(), name) {
		return "", fmt.Errorf("there is no such mapping; choose of %s, or name a file that ends in .jq", strings.Join(ShippedNames(), ", "))
	}
	b, err := shipped.ReadFile("mappings/" + name + ".jq")
	return string(b), err
}

// Shipped returns a shipped mapping for a source.
func Shipped(source, name string) (*Mapping, error) {
	text, err := ShippedText(name)
	if err != nil {
		return nil, err
	}
	return NewMapping(source, text)
}

// Map returns the event of a body as JSON, at most limit bytes. ErrNoCall says that there is none; any other error is a
// *ProgramError or a *BodyError.
func (m *Mapping) Map(body []byte, limit int) ([]byte, error) {
	v, err := decode(body)
	if err != nil {
		return nil, err
	}
	return m.mapValue(v, limit)
}

func (m *Mapping) mapValue(v any, limit int) ([]byte, error) {
	out, err := run(m.code, v, 1)
	switch {
	case err != nil && len(out) == 1:
		return nil, &ProgramError{Source: m.source, Reason: "it makes more than one event of a body; use split for the events, and the mapping for one of them"}
	case err != nil:
		return nil, m.fail(v, err)
	case len(out) == 0:
		return nil, ErrNoCall
	}
	event, ok := out[0].(map[string]any)
	if !ok {
		return nil, &ProgramError{Source: m.source, Reason: "it makes " + typeName(out[0]) + "; make one object with Phonely's field names"}
	}
	if size(event, limit) > limit {
		return nil, &ProgramError{Source: m.source, Reason: fmt.Sprintf("it makes an event of more than %d bytes", limit)}
	}
	b, err := gojq.Marshal(event)
	if err != nil {
		return nil, &ProgramError{Source: m.source, Reason: "it makes a value that is no JSON"}
	}
	return b, nil
}

// Line is the line on which the mapping sets a field of the event, 0 where it can't be told.
func (m *Mapping) Line(field string) int {
	name, _, _ := strings.Cut(strings.TrimPrefix(field, "/"), "/")
	if name == "" {
		return 0
	}
	return m.lineOfKey(name)
}

// Fields names the fields of the event that the mapping sets, as far as its text says.
func (m *Mapping) Fields() []string { return m.setFields() }

func typeName(v any) string {
	switch t := gojq.TypeOf(v); t {
	case "null":
		return t
	case "array", "object":
		return "an " + t
	default:
		return "a " + t
	}
}

// Read makes the event of a body in Phonely's field names, as JSON of at most limit bytes, and says whether the source's
// rule calls it a test; a rule that fails says no. Without mapping and rule the event is the body, unread. ErrNoCall says
// that there is none; any other error is a *ProgramError or a *BodyError. It is a pure function of the body.
func (s *Source) Read(body []byte, limit int) (event []byte, test bool, err error) {
	if s.mapping == nil && s.test == nil {
		return body, false, nil
	}
	v, err := decode(body)
	if err != nil {
		return nil, false, err
	}
	if s.test != nil {
		out, err := run(s.test.code, v, 1)
		test = err == nil && len(out) == 1 && out[0] == true
	}
	if s.mapping == nil {
		return body, test, nil
	}
	event, err = s.mapping.mapValue(v, limit)
	return event, test, err
}

// trimBOM cuts a byte order mark.
func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }
