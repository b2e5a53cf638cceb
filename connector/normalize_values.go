package connector

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The times that are taken: firstTime is, endOfTime is not.
var (
	firstTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	endOfTime = time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC)
)

// timeLayouts are the ways to write a time beside strict RFC 3339. A layout without a zone is read as UTC, since the
// business time zone is an analyst's setting that says nothing about the sender. Go takes a fraction after the seconds.
var timeLayouts = [...]string{
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05Z0700",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05 MST", // UTC and GMT only, see parseTime
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	http.TimeFormat, // Date.toUTCString of JavaScript
	time.RFC1123Z,
	"Mon Jan 02 2006 15:04:05 GMT-0700", // Date.toString of JavaScript
}

// parseTime reads a time, in UTC and to the millisecond.
func parseTime(text []byte) (time.Time, bool) {
	var t time.Time
	if err := t.UnmarshalText(text); err == nil {
		return inRange(t)
	}
	if len(text) > 100 {
		return time.Time{}, false
	}
	if t, ok := parseUnix(text); ok {
		return t, true
	}
	s, _, _ := strings.Cut(string(text), " (") // Date.toString names the zone in brackets
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if zone, _ := t.Zone(); strings.HasSuffix(layout, " MST") && zone != "UTC" && zone != "GMT" {
			continue // Go makes up an offset of 0 for letters it does not know
		}
		return inRange(t)
	}
	return time.Time{}, false
}

// parseUnix reads seconds since 1970, or milliseconds where seconds would be thousands of years away.
func parseUnix(text []byte) (time.Time, bool) {
	n, ok := parseNumber(text)
	if !ok || math.Abs(n) > 1e14 {
		return time.Time{}, false
	}
	if math.Abs(n) < 1e11 {
		n *= 1000
	}
	return inRange(time.UnixMilli(int64(math.Round(n))))
}

func inRange(t time.Time) (time.Time, bool) {
	t = t.UTC().Truncate(time.Millisecond)
	return t, !t.Before(firstTime) && t.Before(endOfTime)
}

// parseNumber reads a finite decimal number.
func parseNumber(text []byte) (float64, bool) {
	for _, c := range text {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false // ParseFloat would take hexadecimal numbers, inf and nan
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

// readBool reads a word as yes or no; it is nil for any other.
func readBool(word string) *bool {
	yes := false
	switch strings.ToLower(strings.Trim(word, " \t\r\n.!")) {
	case "yes", "true", "1", "y", "success", "successful":
		yes = true
	case "no", "false", "0", "n", "fail", "failed", "failure", "unsuccessful":
	default:
		return nil
	}
	return &yes
}

// sentimentKind reads a sentiment: one of four words, perhaps with another before it that says how much.
func sentimentKind(text string) string {
	words := strings.Fields(strings.ToLower(strings.Trim(text, " \t\r\n.!")))
	if len(words) == 2 {
		switch words[0] {
		case "very", "mostly", "slightly", "somewhat", "strongly", "extremely", "overall", "generally":
			words = words[1:]
		}
	}
	if len(words) != 1 {
		return ""
	}
	switch words[0] {
	case "positive", "pos", "good":
		return "positive"
	case "negative", "neg", "bad":
		return "negative"
	case "neutral":
		return "neutral"
	case "mixed":
		return "mixed"
	}
	return ""
}

// countWords counts the parts of a text between blanks that hold a letter or a digit.
func countWords(text string) (words int32) {
	inWord := false // a letter or digit of the current part was counted
	for i := 0; i < len(text); {
		class, size := byteClass[text[i]], 1
		if class == classWide {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			class = classOf(r)
		}
		i += size
		switch class {
		case classLetter:
			if !inWord {
				words++
			}
			inWord = true
		case classSpace:
			inWord = false
		}
	}
	return words
}

// What a character is to countWords.
const (
	classOther = iota
	classSpace
	classLetter // or digit
	classWide   // begins a character of more than one byte
)

// byteClass answers for nearly all characters without the tables of package unicode.
var byteClass = func() (t [256]uint8) {
	for c := range t {
		if c < utf8.RuneSelf {
			t[c] = classOf(rune(c))
		} else {
			t[c] = classWide
		}
	}
	return t
}()

func classOf(r rune) uint8 {
	switch {
	case unicode.IsSpace(r):
		return classSpace
	case unicode.IsLetter(r), unicode.IsDigit(r):
		return classLetter
	}
	return classOther
}
