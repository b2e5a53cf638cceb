package transforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

// DecodeSettings reads the settings of a plugin, a JSON object, into s, a pointer to a struct. No settings are the same as
// an empty object.
//
// If s has a method SetDefaults(), it is called first. A setting that s doesn't have, one of a wrong type, and one that is
// missing or empty though its field has the tag required:"true" are errors. If s has a method Validate() error, it decides
// at last. Each error names the setting and holds no value, which could be a secret; Validate must do the same.
func DecodeSettings(data []byte, s any) error {
	if d, ok := s.(interface{ SetDefaults() }); ok {
		d.SetDefaults()
	}
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return settingsError(data, s, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("settings: something follows the JSON object")
	}
	if name := missing(reflect.TypeOf(s), data); name != "" {
		return fmt.Errorf("settings: %q is required", name)
	}
	if v, ok := s.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	return nil
}

// settingsError says what is wrong without quoting a value.
func settingsError(data []byte, s any, err error) error {
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typ) && typ.Field == "":
		return errors.New("settings: not a JSON object")
	case errors.As(err, &typ):
		return fmt.Errorf("settings: %q must be %s, not %s", typ.Field, wanted(typ.Type), given(typ.Value))
	case errors.As(err, &syntax):
		return fmt.Errorf("settings: no valid JSON, at byte %d", syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("settings: no valid JSON, it ends early")
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("settings: unknown setting %s", name)
	}
	return refusedSetting(data, s)
}

// refusedSetting finds the setting whose type has an UnmarshalJSON or UnmarshalText that refuses it. What such an error
// says can hold the value, so it isn't told, except of a Duration.
func refusedSetting(data []byte, s any) error {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(data, &all)
	for name, value := range all {
		one, err := json.Marshal(map[string]json.RawMessage{name: value})
		if err == nil {
			err = json.Unmarshal(one, reflect.New(reflect.TypeOf(s).Elem()).Interface())
		}
		var duration durationError
		switch {
		case errors.As(err, &duration):
			return fmt.Errorf("settings: %q %w", name, duration)
		case err != nil:
			return fmt.Errorf("settings: %q has a value that is not allowed", name)
		}
	}
	return errors.New("settings: a value is not allowed")
}

// missing returns the name of the first required setting of type t that data doesn't have, or "".
func missing(t reflect.Type, data json.RawMessage) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var all map[string]json.RawMessage
	if t.Kind() != reflect.Struct || json.Unmarshal(data, &all) != nil {
		return ""
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" && f.Anonymous {
			if n := missing(f.Type, data); n != "" {
				return n
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		value := lookup(all, name)
		switch {
		case len(value) > 0:
			if n := missing(f.Type, value); n != "" {
				return name + "." + n
			}
		case f.Tag.Get("required") == "true":
			return name
		}
	}
	return ""
}

// lookup finds a setting as encoding/json does, whatever the case of its letters. Null and an empty text are no value.
func lookup(all map[string]json.RawMessage, name string) json.RawMessage {
	for key, value := range all {
		if strings.EqualFold(key, name) && string(value) != "null" && string(value) != `""` {
			return value
		}
	}
	return nil
}

// wanted names a Go type in words of JSON.
func wanted(t reflect.Type) string {
	if t == reflect.TypeFor[Duration]() {
		return `a duration like "30s"`
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	if k := t.Kind(); k >= reflect.Int && k <= reflect.Uint64 {
		return "a whole number (" + k.String() + ")"
	}
	return "a " + t.String()
}

// given names the kind of a JSON value, as json.UnmarshalTypeError.Value has it.
func given(value string) string {
	kind, _, _ := strings.Cut(value, " ") // "number 5" holds the value
	switch kind {
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	}
	return "a " + kind
}

// typeField names the field inside a value that an error is about.
func typeField(name string, err *json.UnmarshalTypeError) string {
	if err.Field == "" {
		return name
	}
	return name + "." + err.Field
}

// Duration is a time.Duration that settings give as text, like "1m30s".
type Duration struct{ time.Duration }

// UnmarshalText reads the text, which must be a duration of at least 0.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return durationError{}
	}
	d.Duration = v
	return nil
}

// MarshalText writes the duration as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

type durationError struct{}

func (durationError) Error() string { return `must be a duration like "500ms", "30s" or "1m30s"` }
