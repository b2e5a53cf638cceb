package connector

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sinkhole counts what it is given.
type sinkhole struct{ events atomic.Int64 }

func (s *sinkhole) Load(_ context.Context, b Batch) error {
	s.events.Add(int64(len(b.Events)))
	return nil
}

func callOf(size int) string {
	var turns []string
	for n := 0; n < size; n += 200 {
		turns = append(turns, fmt.Sprintf(`{"role":%q,"content":%q}`, []string{"agent", "user"}[len(turns)%2],
			strings.Repeat("and then we looked at the booking again ", 4)))
	}
	return `,"agentName":"Front desk","callerName":"Nora Whitfield","customerPhoneNumber":"+13125550142","duration":60,` +
		`"callStarted":"2026-11-02T15:04:05Z","transcript":[` + strings.Join(turns, ",") + `]}`
}

// BenchmarkPipeline takes 8 KiB events from 64 senders through the handler, the streams on disk, the shipped plugins as
// processes and two sinks that store nothing. It reports the time until the last one is loaded.
func BenchmarkPipeline(b *testing.B) {
	dir := b.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir+"/", "../plugins/...").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	for _, plugins := range [][]string{nil, {"redact-pii", "map-topics"}} {
		b.Run(fmt.Sprint(len(plugins), "-plugins"), func(b *testing.B) {
			cfg := testConfig(b.TempDir())
			cfg.PluginDir, cfg.Transforms = dir, plugins
			cfg.Intake.MaxBytes, cfg.Batch.MaxBytes, cfg.Batch.MaxEvents, cfg.Batch.MaxAge = 2<<30, 4<<30, 2000, time.Second
			cfg.Transform.Events = 100
			chains, err := OpenTransforms(b.Context(), cfg, discard())
			if err != nil {
				b.Fatal(err)
			}
			defer chains.Close()
			x, y := &sinkhole{}, &sinkhole{}
			c := Connector{Config: cfg, Sinks: []Sink{{"x", x, 2}, {"y", y, 2}}, Transforms: chains.Default, Log: discard()}
			var hook http.Handler
			up := make(chan struct{})
			c.Started = func(net.Addr, net.Addr) { close(up) }
			c.tap = func(h http.Handler) { hook = h }
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			<-up
			rest := callOf(8 << 10)
			b.SetBytes(int64(len(rest)))
			b.ReportAllocs()
			b.ResetTimer()
			var next atomic.Int64
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						body := fmt.Appendf(nil, `{"callId":"c%d"%s`, i, rest)
						rw := httptest.NewRecorder()
						hook.ServeHTTP(rw, httptest.NewRequest(http.MethodPost, WebhookPath, bytes.NewReader(body)))
						if rw.Code != http.StatusOK {
							b.Errorf("answered %d", rw.Code)
						}
					}
				})
			}
			wg.Wait()
			accepted := b.Elapsed()
			for x.events.Load() < int64(b.N) || y.events.Load() < int64(b.N) {
				time.Sleep(time.Millisecond)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/accepted.Seconds(), "accepted/s")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "loaded/s")
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}
