package main

import (
	"sync"
	"time"
)

// seen counts which events of a run reached a store.
type seen struct {
	mu     sync.Mutex
	run    string
	times  []uint8 // by number
	unique int
	rows   int
	last   time.Time // when the last new one came
}

// reset starts to count the events of a run.
func (s *seen) reset(run string, events int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.times, s.unique, s.rows = run, make([]uint8, events), 0, 0
}

// add counts the events with these call ids.
func (s *seen) add(ids [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		n, ok := number(s.run, id)
		if !ok || n >= len(s.times) {
			continue
		}
		s.rows++
		if s.times[n] == 0 {
			s.unique++
			s.last = time.Now()
		}
		s.times[n] = min(s.times[n], 254) + 1
	}
}

// counts returns the events that arrived, and how many rows were one too many.
func (s *seen) counts() (unique, twice int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unique, s.rows - s.unique
}
