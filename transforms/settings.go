package transforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// DecodeSettings reads the settings of a plugin into s, a pointer. A setting that s doesn't have, or one of a wrong
// type, is an error that names it and holds no value. No settings are the same as an empty object. Then, if s has a
// method Validate() error, that decides.
func DecodeSettings(data []byte, s any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return settingsError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("settings: something follows the JSON object")
	}
	if v, ok := s.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	return nil
}

// settingsError says what is wrong without quoting a value: it could be a secret.
func settingsError(err error) error {
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typ) && typ.Field == "":
		return errors.New("settings: not a JSON object")
	case errors.As(err, &typ):
		kind, _, _ := strings.Cut(typ.Value, " ") // "number 5" holds the value
		return fmt.Errorf("settings: %q can't be a %s, it is of type %s", typ.Field, kind, typ.Type)
	case errors.As(err, &syntax):
		return fmt.Errorf("settings: no valid JSON, at byte %d", syntax.Offset)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("settings: unknown setting %s", name)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("settings: no valid JSON, it ends early")
	}
	return fmt.Errorf("settings: %w", err)
}
