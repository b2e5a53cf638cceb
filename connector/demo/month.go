package demo

import (
	"container/heap"
	"iter"
	"math/rand/v2"
	"time"
)

// Options say what to make.
type Options struct {
	Calls int    // different calls; redeliveries and corrections come on top
	Seed  uint64 // the same seed, and the same other options, make the same bytes
	// Start is the first day: its date counts, in Zone. The zero value begins so that the last day is yesterday.
	Start time.Time
	Days  int            // 31 where it is 0
	Zone  *time.Location // of the businesses; UTC where it is nil
}

func (o Options) withDefaults() Options {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Days <= 0 {
		o.Days = 31
	}
	if o.Start.IsZero() {
		o.Start = time.Now().In(o.Zone).AddDate(0, 0, -o.Days)
	}
	return o
}

// Month returns the bodies of the deliveries, in the order in which a sender would send them: one JSON object in Phonely's
// field names each. A body belongs to the caller.
func Month(o Options) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		m := newMonth(o.withDefaults())
		for d := m.next(); d != nil; d = m.next() {
			m.body = m.w.write(m.body[:0], d)
			if !yield(append([]byte(nil), m.body...)) {
				return
			}
		}
	}
}

// month is the work of one Month.
type month struct {
	o      Options
	rng    *rand.Rand
	slots  []slot
	people *people
	w      writer
	body   []byte

	made    int     // calls so far
	slot    int     // the current one
	starts  []int   // seconds of the calls in it that are still to be made, the next one last
	pending waiting // deliveries that are due later

	deliveries int // so far
}

func newMonth(o Options) *month {
	rng := rand.New(rand.NewPCG(o.Seed, 0x706f737463616c6c))
	m := &month{o: o, rng: rng, people: newPeople(o.Calls), w: writer{zone: o.Zone}}
	m.slots = calendar(o, rng)
	return m
}

// delivery is one body: of a call, when it is sent, and which time it is that the call is sent.
type delivery struct {
	call
	at        time.Time
	corrected bool
	order     int
}

// next returns the delivery that is due next, or nil.
func (m *month) next() *delivery {
	for {
		started, more := m.nextStart()
		if len(m.pending) > 0 && (!more || !m.pending[0].at.After(started)) {
			return heap.Pop(&m.pending).(*delivery)
		}
		if !more {
			return nil
		}
		m.starts = m.starts[:len(m.starts)-1]
		m.plan(started)
	}
}

// nextStart returns when the next call starts; it is still the next one afterwards.
func (m *month) nextStart() (time.Time, bool) {
	for len(m.starts) == 0 {
		if m.slot == len(m.slots) {
			return time.Time{}, false
		}
		m.starts = m.slots[m.slot].starts(m.rng, m.starts)
		m.slot++
	}
	s := &m.slots[m.slot-1]
	return s.at.Add(time.Duration(m.starts[len(m.starts)-1]) * time.Second), true
}

// plan makes a call and puts its deliveries among those that wait.
func (m *month) plan(started time.Time) {
	c := m.newCall(started)
	m.made++
	ended := started.Add(time.Duration(c.seconds) * time.Second)
	m.wait(&delivery{call: c, at: ended.Add(time.Duration(2+m.rng.IntN(20)) * time.Second)})
	if m.chance(0.02) { // the workflow sends it from two of its nodes, or repeats it after a timeout
		m.wait(&delivery{call: c, at: ended.Add(time.Duration(5+m.rng.IntN(180)) * time.Second)})
	}
	if c.kind == kindTalk && m.chance(0.025) { // somebody has looked at it
		m.wait(&delivery{call: c, corrected: true, at: ended.Add(time.Duration(600+m.rng.IntN(2*86400)) * time.Second)})
	}
}

func (m *month) wait(d *delivery) {
	d.order = m.deliveries
	m.deliveries++
	heap.Push(&m.pending, d)
}

func (m *month) chance(p float64) bool { return m.rng.Float64() < p }

// waiting is a heap of deliveries by time.
type waiting []*delivery

func (w waiting) Len() int      { return len(w) }
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

func (w waiting) Less(i, j int) bool {
	if !w[i].at.Equal(w[j].at) {
		return w[i].at.Before(w[j].at)
	}
	return w[i].order < w[j].order
}

// Push is for package heap.
func (w *waiting) Push(d any) { *w = append(*w, d.(*delivery)) }

// Pop is for package heap.
func (w *waiting) Pop() any {
	last := len(*w) - 1
	d := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	return d
}
