package transforms

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hopPlugins are other plugins for BenchmarkHop: go test ./transforms -bench Hop -args -plugins PATH,PATH measures these.
var hopPlugins = flag.String("plugins", "", "comma-separated absolute paths of plugins to measure instead of one in Go")

// passAll is a transform that looks at each event and changes none.
type passAll struct{}

func (passAll) Transform(_ context.Context, batch []Event) ([]Event, error) {
	for i := range batch {
		if batch[i].CallID == "" {
			batch[i].Drop("no id")
		}
	}
	return batch, nil
}

// BenchmarkHop compares what an event costs in a plugin that does nothing with a call in this process: wall time,
// allocations of the host, and CPU of the host and the plugin together.
func BenchmarkHop(b *testing.B) {
	b.Run("in-process", func(b *testing.B) { hops(b, passAll{}, func() time.Duration { return 0 }) })
	paths := strings.Split(*hopPlugins, ",")
	if *hopPlugins == "" {
		paths[0] = filepath.Join(b.TempDir(), "go")
		if out, err := exec.Command("go", "build", "-o", paths[0], "./testdata/plugins/drop-short").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	for _, path := range paths {
		b.Run(filepath.Base(path), func(b *testing.B) {
			p, err := Open(b.Context(), Spec{Name: filepath.Base(path), Path: path})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = p.Close() }()
			hops(b, p, func() time.Duration { return groupCPU(b, p.PID()) })
		})
	}
}

func hops(b *testing.B, t Transformer, plugin func() time.Duration) {
	for _, n := range []int{1, 10, 100, 500} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			batch := make([]Event, n)
			for i := range batch {
				batch[i] = typical(fmt.Sprintf("call-%06d", i))
			}
			b.ReportAllocs()
			before := hostCPU(b) + plugin()
			for b.Loop() {
				if _, err := t.Transform(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			events := float64(b.N * n)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/events, "µs/event")
			b.ReportMetric(float64((hostCPU(b)+plugin()-before).Nanoseconds())/1e3/events, "cpu-µs/event")
		})
	}
}

func hostCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// groupCPU is the time of a process, in ticks of 10 ms. (A plugin that works in child processes would need more.)
func groupCPU(b *testing.B, pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
