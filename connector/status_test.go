package connector

import (
	"testing"
	"time"
)

func TestFullInGoesByTheGrowthSinceTheEarlierLook(t *testing.T) {
	for name, c := range map[string]struct {
		before, now float64
		since, want time.Duration
		ok          bool
	}{
		"a quarter in an hour":      {0.25, 0.5, time.Hour, 2 * time.Hour, true},
		"full":                      {0.9, 1, time.Minute, 0, true},
		"over its limit":            {0.9, 1.1, time.Minute, 0, true},
		"emptier than before":       {0.5, 0.4, time.Hour, 0, false},
		"as full as before":         {0.5, 0.5, time.Hour, 0, false},
		"no time between the two":   {0.4, 0.5, 0, 0, false},
		"so slow that it overflows": {0, 1e-15, time.Hour, 0, false},
	} {
		got, ok := StreamStatus{Use: c.now}.FullIn(StreamStatus{Use: c.before}, c.since)
		if diff := got - c.want; ok != c.ok || (ok && diff.Abs() > time.Second) {
			t.Errorf("%s: %v, %v; want %v, %v", name, got, ok, c.want, c.ok)
		}
	}
}
