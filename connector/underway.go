package connector

import (
	"sync"
	"time"
)

// underWay knows since when the batches that a sink is at have waited. They come in order, so the oldest of them is the
// oldest that the sink lacks.
type underWay struct {
	mu    sync.Mutex
	next  int
	since map[int]time.Time
}

// begin takes a batch that was sealed at a time; what it returns lets it go.
func (u *underWay) begin(sealed time.Time) (end func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.since == nil {
		u.since = map[int]time.Time{}
	}
	id := u.next
	u.next++
	u.since[id] = sealed
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.since, id)
	}
}

// age is that of the oldest; 0 where there is none.
func (u *underWay) age(now time.Time) (age time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, at := range u.since {
		age = max(age, now.Sub(at))
	}
	return age
}
