package connector

import (
	"testing"
	"time"
)

func TestLogLimit(t *testing.T) {
	l := &logLimit{interval: 10 * time.Second}
	now := time.Unix(0, 0)
	lines, missed := 0, 0
	for range 1000 { // 100 s
		if n, ok := l.allow("busy", now); ok {
			lines, missed = lines+1, missed+n
		}
		now = now.Add(100 * time.Millisecond)
	}
	if lines != 10 || missed != 900-9 {
		t.Errorf("%d lines that count %d more, want 10 and 891", lines, missed)
	}
	if _, ok := l.allow("other", now); !ok {
		t.Error("one kind silences another")
	}
}
