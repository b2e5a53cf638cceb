package connector

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Shape describes a body that no redaction has seen: the names of its fields and the kinds of their values, never a value.
func Shape(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return "not one JSON value"
	}
	return shape(v, 0)
}

// A name is shown where it looks like one that a program chose. Others, and those with a number in them, may be a value: of
// an object with callers for keys, for example.
var (
	fieldName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,39}$`)
	numberInName = regexp.MustCompile(`[0-9]{5}`)
)

func shape(v any, depth int) string {
	switch v := v.(type) {
	case map[string]any:
		if depth > 3 {
			return "object"
		}
		parts := make([]string, 0, len(v))
		for k, in := range v {
			if !fieldName.MatchString(k) || numberInName.MatchString(k) {
				k = fmt.Sprintf("(name of %d bytes)", len(k))
			}
			parts = append(parts, k+": "+shape(in, depth+1))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return fmt.Sprintf("[%d of %s]", len(v), shape(v[0], depth+1))
	case string:
		return fmt.Sprintf("string(%d)", len(v))
	case float64:
		return "number"
	case bool:
		return "boolean"
	default:
		return "null"
	}
}
