package transforms

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// What a plugin may write into the log, in lines of up to a KiB; a longer one counts as several. Warnings and errors have
// a bucket of their own, so that chatter can't drown them.
const (
	logBurst   = 200
	logRefill  = 20 // a second
	logPerLine = 1 << 10
)

// logLimits are those of one plugin, whatever process of it writes. A nil one has no limit.
type logLimits struct {
	lost atomic.Uint64 // lines left out

	mu            sync.Mutex
	calm, serious bucket
}

type bucket struct {
	left float64
	at   time.Time
	lost int // since a line was last let through
}

func newLogLimits() *logLimits {
	full := bucket{left: logBurst}
	return &logLimits{calm: full, serious: full}
}

// allow says whether a line may be logged, and how many were left out since the last one of its kind.
func (l *logLimits) allow(level slog.Level, size int, now time.Time) (lost int, ok bool) {
	if l == nil {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &l.calm
	if level >= slog.LevelWarn {
		b = &l.serious
	}
	if !b.at.IsZero() {
		b.left = min(b.left+logRefill*now.Sub(b.at).Seconds(), logBurst)
	}
	b.at = now
	if b.left < 1 {
		b.lost++
		l.lost.Add(1)
		return 0, false
	}
	b.left -= float64(1 + size/logPerLine)
	lost, b.lost = b.lost, 0
	return lost, true
}
