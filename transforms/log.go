package transforms

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxLine is the length at which a line that a plugin writes is cut into two.
const maxLine = 16 << 10

// lineLog is a Writer that logs each line. It never fails: a plugin must not block because of what it writes.
type lineLog struct {
	emit func(line []byte) // keeps nothing of line
	also func(line []byte) // likewise, may be nil

	filter *panicFilter // nil passes everything

	mu  sync.Mutex
	buf []byte
}

// newLineLog logs lines of JSON with their level and attributes, as slog writes them, and other lines as they are, within
// the limits.
func newLineLog(log *slog.Logger, limits *logLimits, stream string) *lineLog {
	log = log.With("stream", stream)
	return &lineLog{filter: &panicFilter{}, emit: func(line []byte) {
		lost, ok := limits.allow(levelOf(line), len(line), time.Now()) // first: a flood mustn't cost the host much either
		if !ok {
			return
		}
		if lost > 0 {
			log.Warn("the plugin writes too much; lines were left out of the log", "lines", lost)
		}
		level, msg, attrs := parseLine(line)
		log.LogAttrs(context.Background(), level, msg, attrs...) //nolint:sloglint // the plugin's own message
	}}
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		l.buf = append(l.buf, p[:i]...)
		p = p[i+1:]
		l.line()
	}
	l.buf = append(l.buf, p...)
	if len(l.buf) >= maxLine {
		l.line()
	}
	return n, nil
}

// flush logs a last line without an end.
func (l *lineLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line()
}

func (l *lineLog) line() {
	for rest := bytes.TrimRight(l.buf, "\r"); len(rest) > 0; {
		line := rest[:min(len(rest), maxLine)]
		rest = rest[len(line):]
		if l.filter != nil {
			if line = l.filter.pass(line); line == nil {
				continue
			}
		}
		if l.also != nil {
			l.also(line)
		}
		l.emit(slices.Clip(line))
	}
	l.buf = l.buf[:0]
}

// levelOf reads the level of a line and nothing else.
func levelOf(line []byte) (level slog.Level) {
	var fields struct{ Level string }
	if line[0] == '{' && json.Unmarshal(line, &fields) == nil {
		level = parseLevel(fields.Level)
	}
	return level
}

// parseLevel reads a level as slog or Python names it; anything else is one of information.
func parseLevel(text string) (level slog.Level) {
	switch strings.ToUpper(text) {
	case "WARNING":
		return slog.LevelWarn
	case "CRITICAL", "FATAL":
		return slog.LevelError
	}
	if level.UnmarshalText([]byte(text)) != nil {
		return slog.LevelInfo
	}
	return level
}

func parseLine(line []byte) (level slog.Level, msg string, attrs []slog.Attr) {
	var fields map[string]any
	if line[0] != '{' || json.Unmarshal(line, &fields) != nil {
		return slog.LevelInfo, strings.ToValidUTF8(string(line), "\uFFFD"), nil
	}
	text, _ := fields["level"].(string)
	level = parseLevel(text)
	msg, _ = fields["msg"].(string)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch name {
		case "time", "level", "msg", "plugin", "stream": // the last two are the host's to say
		default:
			attrs = append(attrs, slog.Any(name, fields[name]))
		}
	}
	return level, msg, attrs
}

// tail keeps the end of what a plugin wrote.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 400

func (t *tail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(append(t.b, line...), '\n')
	if over := len(t.b) - tailSize; over > 0 {
		t.b = t.b[over:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(strings.ReplaceAll(string(bytes.TrimSpace(t.b)), "\n", " / "), "")
}
