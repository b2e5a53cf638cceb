package transforms

import (
	"fmt"
	"testing"
)

func BenchmarkHop(b *testing.B) {
	p, _ := openFault(b)
	for _, n := range []int{1, 10, 100, 500} {
		batch := make([]Event, n)
		for i := range batch {
			batch[i] = typical(fmt.Sprintf("call-%06d", i))
		}
		run := func(b *testing.B, t Transformer) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.Transform(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/event")
		}
		b.Run(fmt.Sprintf("process/batch=%d", n), func(b *testing.B) { run(b, p) })
	}
}
