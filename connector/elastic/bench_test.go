package elastic

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/postcall/postcall/transforms"
)

// thousand are 1000 events of about 8 KiB of canonical JSON each.
func thousand(tb testing.TB) (events []transforms.Event, size int) {
	tb.Helper()
	for i := range 1000 {
		e := full("call-"+strconv.Itoa(i), int64(i+1))
		e.Transcript = nil
		for j := range 28 {
			role := transforms.RoleAgent
			if j%2 == 1 {
				role = transforms.RoleUser
			}
			e.Transcript = append(e.Transcript, transforms.Turn{Role: role, Content: strings.Repeat("I'd like to move it to \"Thursday\", please. ", 3)})
		}
		b, err := e.CanonicalJSON(nil)
		if err != nil {
			tb.Fatal(err)
		}
		size = len(b)
		events = append(events, e)
	}
	return events, size
}

func BenchmarkPayload(b *testing.B) {
	events, size := thousand(b)
	refuse := func(i int, err error) { b.Fatal(i, err) }
	var out int
	b.ReportAllocs()
	for b.Loop() {
		out = 0
		for from := 0; from < len(events); {
			p := newPayload()
			from = p.fill(events, nil, from, payloadBytes, refuse)
			out += len(p.b)
			p.recycle()
		}
	}
	perEvent(b, len(events))
	b.ReportMetric(float64(size), "bytes-in/event")
	b.ReportMetric(float64(out)/float64(len(events)), "bytes-out/event")
}

// BenchmarkEncodingJSON is the rejected option: the same event by encoding/json, without the flat texts.
func BenchmarkEncodingJSON(b *testing.B) {
	events, _ := thousand(b)
	b.ReportAllocs()
	for b.Loop() {
		for i := range events {
			if _, err := json.Marshal(&events[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	perEvent(b, len(events))
}

// BenchmarkLoad is the whole way into the real engine.
func BenchmarkLoad(b *testing.B) {
	l := migrated(b)
	events, _ := thousand(b)
	b.ReportAllocs()
	for version := int64(1); b.Loop(); version++ {
		for i := range events {
			events[i].Version = version
		}
		if err := l.Load(b.Context(), batch(events...)); err != nil {
			b.Fatal(err)
		}
	}
	perEvent(b, len(events))
}

func perEvent(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/event")
}
