package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
)

// gate is the loader without its optional abilities, behind a door.
type gate struct {
	connector.Loader
	shut atomic.Bool
}

func (g *gate) Load(ctx context.Context, b connector.Batch) error {
	if g.shut.Load() {
		return errors.New("shut")
	}
	return g.Loader.Load(ctx, b)
}

// DELIVERY.md, rule 13, on the real engine: a batch that is sealed again without a forgotten call is no second insert of
// its other rows, neither where the old batch was inserted nor where it was not, and also when everything is delivered
// again since no ack survived. By the tokens alone, and with the loader asked for what it has.
func TestForgetInsertsNothingTwice(t *testing.T) {
	for name, wrap := range map[string]func(*Loader, *gate) connector.Loader{
		"by token alone": func(_ *Loader, g *gate) connector.Loader { return g },
		"asked for versions": func(l *Loader, g *gate) connector.Loader {
			return struct {
				connector.Loader
				connector.Versioner
			}{g, l}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, conn, ch := migrated(t)
			g := &gate{Loader: l}
			cfg := connector.Config{
				DataDir: t.TempDir(), HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", RedactKey: "0123456789abcdef0123456789abcdef",
				Timezone: "UTC", Retain: time.Hour, ShutdownTimeout: 10 * time.Second, Sinks: []string{"clickhouse"},
				Intake:    connector.IntakeConfig{MaxBytes: 64 << 20, MaxInFlight: 16 << 20},
				Batch:     connector.BatchConfig{MaxEvents: 10, MaxAge: 50 * time.Millisecond, MaxBytes: 256 << 20, DeadBytes: 16 << 20},
				Transform: connector.TransformConfig{Events: 50, Concurrency: 2, Timeout: 2 * time.Second},
			}
			c := connector.Connector{Config: cfg, Sinks: []connector.Sink{{Name: "clickhouse", Loader: wrap(l, g), Workers: 2}}, Log: slog.New(slog.DiscardHandler)}
			deliver := func(hook, prefix string, from, to int) {
				t.Helper()
				for i := from; i < to; i++ {
					body := fmt.Sprintf(`{"callId":"%s%02d","callStarted":"2026-03-01T10:00:00Z"}`, prefix, i)
					res, err := http.Post(hook, "application/json", bytes.NewBufferString(body))
					if err != nil {
						t.Fatal(err)
					}
					if _ = res.Body.Close(); res.StatusCode != http.StatusOK {
						t.Fatalf("answered %d", res.StatusCode)
					}
				}
			}
			rows := func(where string) uint64 {
				return one[uint64](t, conn, "SELECT count() FROM "+ch.Database+".calls_raw WHERE "+where)
			}
			hook, stop := runConnector(t, c)
			deliver(hook, "done", 0, 20)
			eventually(t, "loaded", func() bool { return rows("1") == 20 })
			g.shut.Store(true)
			deliver(hook, "late", 0, 20)
			forgetCalls(t, cfg, "done03", "late04") // in the middle of their batches
			if n := rows("1"); n != 20 {
				t.Fatalf("%d rows while the door is shut", n)
			}
			g.shut.Store(false)
			eventually(t, "the rest is loaded", func() bool { return rows("1") == 39 && settled(t, cfg) })
			stop()
			// No ack survives: the consumer's state is gone, and everything that is kept comes again.
			state := filepath.Join(cfg.DataDir, "jetstream", "jetstream", "$G", "streams", "POSTCALL_BATCHES", "obs", "clickhouse")
			if err := os.RemoveAll(state); err != nil {
				t.Fatal(err)
			}
			hook, stop = runConnector(t, c)
			deliver(hook, "last", 0, 1)
			eventually(t, "all is acknowledged again", func() bool { return rows("call_id = 'last00'") == 1 && settled(t, cfg) })
			stop()
			twice := "SELECT count() FROM (SELECT 1 FROM " + ch.Database + ".calls_raw GROUP BY tenant, call_id, version HAVING count() > 1)"
			if n := one[uint64](t, conn, twice); n != 0 {
				t.Errorf("%d rows are there twice", n)
			}
			if n := rows("1"); n != 40 || rows("call_id = 'late04'") != 0 {
				t.Errorf("%d rows, want 40 and none of the forgotten call", n)
			}
		})
	}
}

// runConnector starts a connector and returns where it takes deliveries.
func runConnector(t *testing.T, c connector.Connector) (hook string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan string, 1), make(chan error, 1)
	c.Started = func(h, _ net.Addr) { up <- "http://" + h.String() + connector.WebhookPath }
	go func() { done <- c.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("connector ended with %v", err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	select {
	case hook = <-up:
	case err := <-done:
		done <- nil
		t.Fatalf("connector did not start: %v", err)
	}
	return hook, stop
}

func forgetCalls(t *testing.T, cfg connector.Config, calls ...string) {
	t.Helper()
	o, err := connector.OpenOperator(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	eventually(t, "all is sealed", func() bool {
		s, err := o.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Counts.Waiting == 0
	})
	for _, id := range calls {
		if rep, err := o.Forget(t.Context(), connector.Erasure{CallID: id}); err != nil || rep.Resealed != 1 {
			t.Fatalf("forget %s: %+v (%v)", id, rep, err)
		}
	}
}

// settled says whether the sink has nothing to do.
func settled(t *testing.T, cfg connector.Config) bool {
	t.Helper()
	o, err := connector.OpenOperator(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	s, err := o.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Counts.Waiting == 0 && s.Sinks[0].Pending == 0
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
