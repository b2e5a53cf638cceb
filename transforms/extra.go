package transforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// errExtra holds nothing of the text: extra is what a sender said.
var errExtra = errors.New("extra is no JSON object")

// SetExtra sets one field of Extra to value, as encoding/json writes it. The other fields stay as they are, byte for byte
// and in their order; a new field comes last. It never changes the memory that Extra was in. After an error Extra is what
// it was.
func (e *Event) SetExtra(name string, value any) error {
	text, err := marshal(value)
	if err != nil {
		return fmt.Errorf("set extra field %q: %w", name, err)
	}
	at, err := findExtra(e.Extra, name)
	if err != nil {
		return fmt.Errorf("set extra field %q: %w", name, err)
	}
	if !at.found {
		key, err := marshal(name)
		if err != nil {
			return fmt.Errorf("set extra field %q: %w", name, err)
		}
		text = append(append(key, ':'), text...)
		if at.fields > 0 {
			text = append([]byte{','}, text...)
		}
	}
	before := e.Extra
	if len(bytes.TrimSpace(before)) == 0 {
		before, at.start, at.end = []byte("{}"), 1, 1
	}
	e.Extra = bytes.Join([][]byte{before[:at.start], text, before[at.end:]}, nil)
	return nil
}

// ReadExtra reads one field of Extra into the pointer v, as encoding/json does, and reports whether there is such a
// field. An error holds nothing of the value.
func (e *Event) ReadExtra(name string, v any) (bool, error) {
	at, err := findExtra(e.Extra, name)
	if err != nil {
		return false, fmt.Errorf("read extra field %q: %w", name, err)
	}
	if !at.found {
		return false, nil
	}
	var typ *json.UnmarshalTypeError
	switch err := json.Unmarshal(e.Extra[at.start:at.end], v); {
	case errors.As(err, &typ):
		return true, fmt.Errorf("extra field %q must be %s, not %s", typeField(name, typ), wanted(typ.Type), given(typ.Value))
	case err != nil:
		return true, fmt.Errorf("extra field %q can't be read into a %T", name, v)
	}
	return true, nil
}

// extraField is where the value of a field is, or where a new field goes.
type extraField struct {
	start, end int
	found      bool
	fields     int // before start
}

func findExtra(extra []byte, name string) (at extraField, err error) {
	if len(bytes.TrimSpace(extra)) == 0 {
		return at, nil
	}
	d := json.NewDecoder(bytes.NewReader(extra))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return at, errExtra
	}
	for ; d.More(); at.fields++ {
		key, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return at, errExtra
		}
		if key == name {
			at.found, at.end = true, int(d.InputOffset())
			at.start = at.end - len(value)
		}
	}
	end, err := d.Token()
	if err != nil || end != json.Delim('}') {
		return at, errExtra
	}
	if !at.found {
		at.end = int(d.InputOffset()) - 1
		at.start = at.end
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return at, errExtra
	}
	return at, nil
}

// marshal is json.Marshal without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
