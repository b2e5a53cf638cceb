package python

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/transformtest"
)

// BenchmarkHop takes events of 10 KiB to a plugin that changes nothing and back, in Python and in Go.
func BenchmarkHop(b *testing.B) {
	inGo := filepath.Join(b.TempDir(), "noop")
	if out, err := exec.Command("go", "build", "-o", inGo, "./testdata/noop").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for lang, path := range map[string]string{"python": script(b, "noop"), "go": inGo} {
		p, err := transforms.Open(b.Context(), transforms.Spec{Name: "noop", Path: path, Timeout: time.Minute, StartTimeout: time.Minute})
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range []int{1, 10, 100, 500} {
			batch := tenKiB(n)
			b.Run(fmt.Sprintf("%s/batch=%d", lang, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.Transform(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/event")
			})
		}
		_ = p.Close()
	}
}

// tenKiB returns events of 10 KiB: a call with 60 turns.
func tenKiB(n int) []transforms.Event {
	batch := make([]transforms.Event, n)
	for i := range batch {
		batch[i] = transformtest.Events()[0]
		batch[i].CallID = fmt.Sprintf("call-%06d", i)
		batch[i].Transcript = nil
		for range 60 {
			batch[i].Transcript = append(batch[i].Transcript, transforms.Turn{Role: "user", Content: strings.Repeat("and so on, ", 14), Words: 42})
		}
	}
	return batch
}
