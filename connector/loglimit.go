package connector

import (
	"sync"
	"time"
)

// logLimit lets the first line of a kind through, and then one every interval with the count of those between: a sender
// that is told to come back must not fill the disk with log lines.
type logLimit struct {
	interval time.Duration

	mu    sync.Mutex
	kinds map[string]*limited
}

type limited struct {
	next   time.Time
	missed int
}

// allow says whether a line of the kind may be written now, and how many were not since the last one.
func (l *logLimit) allow(kind string, now time.Time) (missed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[kind]
	if k == nil {
		if l.kinds == nil {
			l.kinds = map[string]*limited{}
		}
		k = &limited{}
		l.kinds[kind] = k
	}
	if now.Before(k.next) {
		k.missed++
		return 0, false
	}
	missed, k.missed, k.next = k.missed, 0, now.Add(l.interval)
	return missed, true
}
