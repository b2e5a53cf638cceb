package connector

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
)

// redacted is what a Secret prints instead of itself.
const redacted = "[redacted]"

// Secret is a value that must never be printed: fmt, slog and the encoders see "[redacted]", or nothing where it is
// empty. Reveal is the only way to the value.
type Secret string

// Reveal returns the value. Call it where the value is used, not before.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString keeps %#v from printing the value.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// Format keeps every other verb from printing the value.
func (s Secret) Format(f fmt.State, verb rune) {
	out := s.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		out = strconv.Quote(out)
	}
	_, _ = io.WriteString(f, out)
}

// MarshalText keeps encoders (JSON, YAML) from printing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps slog from printing the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// ByteSize is a number of bytes that is written with a unit in the environment: "512MiB", "2GiB", "10MB", "1048576".
type ByteSize int64

// byteUnits are the units ByteSize reads, in lower case; String uses those of a power of 1024 with their last letters.
var byteUnits = map[string]int64{
	"": 1, "b": 1,
	"k": 1e3, "kb": 1e3, "ki": 1 << 10, "kib": 1 << 10,
	"m": 1e6, "mb": 1e6, "mi": 1 << 20, "mib": 1 << 20,
	"g": 1e9, "gb": 1e9, "gi": 1 << 30, "gib": 1 << 30,
	"t": 1e12, "tb": 1e12, "ti": 1 << 40, "tib": 1 << 40,
}

// Decode reads a whole number with an optional unit, in any letter case: KB, MB, GB, TB are powers of 1000; KiB, MiB,
// GiB, TiB (and Kubernetes' Ki, Mi, Gi, Ti) of 1024. The error never holds the value.
func (b *ByteSize) Decode(value string) error {
	value = strings.TrimSpace(value)
	end := strings.IndexFunc(value, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(value)
	}
	unit, known := byteUnits[strings.ToLower(strings.TrimSpace(value[end:]))]
	n, err := strconv.ParseInt(value[:end], 10, 64)
	if err != nil || !known {
		return errors.New("not a size: write a whole number of bytes, or one with KiB, MiB, GiB, TiB, KB, MB, GB or TB")
	}
	if n > math.MaxInt64/unit {
		return errors.New("a size of more than 8 EiB")
	}
	*b = ByteSize(n * unit)
	return nil
}

// String writes the size in the largest unit of 1024 that leaves a whole number.
func (b ByteSize) String() string {
	n, unit := int64(b), 0
	units := [...]string{"", "KiB", "MiB", "GiB", "TiB"}
	for n != 0 && n%1024 == 0 && unit < len(units)-1 {
		n /= 1024
		unit++
	}
	return strconv.FormatInt(n, 10) + units[unit]
}
