package clickhouse

import (
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/transforms"
)

// large returns events of some 8 KiB: a call of 60 turns with its summaries.
func large(n int) []transforms.Event {
	events := make([]transforms.Event, n)
	for i := range events {
		e := full()
		e.CallID = "call-" + strings.Repeat("0123456789", 2) + string(rune('a'+i%26)) + time.Duration(i).String()
		e.Transcript = nil
		for j := range 60 {
			e.Transcript = append(e.Transcript, transforms.Turn{
				Role: []string{"agent", "user"}[j%2], Content: strings.Repeat("words of a turn ", 6), Words: int32(5 + j),
			})
		}
		e.Summary, e.LongSummary = strings.Repeat("short ", 30), strings.Repeat("longer summary ", 100)
		e.CustomerKey = "key" + e.CallID
		events[i] = e
	}
	return events
}

func BenchmarkConvert(b *testing.B) {
	types, events := ddl(b), large(1000)
	b.ReportAllocs()
	for b.Loop() {
		s := scratches.Get().(*scratch)
		s.take(events)
		convert(b, types, s)
		s.free()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}

func BenchmarkLoad(b *testing.B) {
	l, _, _ := migrated(b)
	events := large(1000)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		load(b, l, time.Duration(n).String(), events...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}
