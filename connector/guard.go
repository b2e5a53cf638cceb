package connector

import "sync"

// shareGuard watches what share of the last events was held back. A release that breaks everything would otherwise turn
// every event into a dead letter, one "bad event" at a time (DELIVERY.md, rule 8).
type shareGuard struct {
	limit float64 // share above which no more may die; 0 means never

	mu       sync.Mutex
	ok, dead float64
}

const (
	guardWindow = 2000 // events after which older ones count half
	guardLeast  = 50   // dead events before a share means anything
)

// allows counts events and says whether those that died may be dead-lettered. Where it says no, nothing was counted: the
// same events are to be tried again.
func (g *shareGuard) allows(ok, dead int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	o, d := g.ok+float64(ok), g.dead+float64(dead)
	if dead > 0 && g.limit > 0 && d >= guardLeast && d/(o+d) > g.limit {
		return false
	}
	if o+d > guardWindow {
		o, d = o/2, d/2
	}
	g.ok, g.dead = o, d
	return true
}
