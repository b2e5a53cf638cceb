package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/connector"
)

// limited returns a loader whose inserts may take so many bytes of the server's memory.
func limited(t *testing.T, cfg connector.ClickHouseConfig, bytes int) *Loader {
	t.Helper()
	o, err := options(cfg)
	if err != nil {
		t.Fatal(err)
	}
	o.Settings = chgo.Settings{"max_memory_usage": bytes, "max_untracked_memory": 0}
	conn, err := chgo.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &Loader{conn: conn, database: cfg.Database, timeout: cfg.Timeout, id: "limited"}
}

// DELIVERY.md, rule 18: a batch that the server's memory limit never lets in goes in by halves, and nothing of it dies.
func TestABatchThatNeverFitsIsLoadedInHalves(t *testing.T) {
	_, conn, cfg := migrated(t)
	l := limited(t, cfg, 20<<20) // 16 calls of 250 kB take 26 MiB, and 8 of them 18
	events := calls(16)
	for i := range events {
		events[i].Summary = strings.Repeat("word ", 50_000)
	}
	wantKind(t, l.Load(t.Context(), connector.Batch{Token: "whole", Events: events}), connector.ErrExhausted, "code 241")

	c := connector.Connector{
		Config: connector.Config{
			DataDir: t.TempDir(), HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", RedactKey: "0123456789abcdef0123456789abcdef",
			Timezone: "UTC", Retain: time.Hour, ShutdownTimeout: 10 * time.Second,
			Intake:    connector.IntakeConfig{MaxBytes: 64 << 20, MaxInFlight: 16 << 20},
			Batch:     connector.BatchConfig{MaxEvents: 16, MaxAge: time.Minute, MaxBytes: 64 << 20, DeadBytes: 64 << 20},
			Transform: connector.TransformConfig{Events: 100, Concurrency: 1, Timeout: time.Second},
		},
		Sinks: []connector.Sink{{Name: "clickhouse", Loader: l, Workers: 1}},
		Log:   slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	hook := serve(t, &c)
	for i := range 17 { // the last one closes the batch
		body := fmt.Sprintf(`{"callId":"c%02d","summary":%q}`, i, strings.Repeat("word ", 50_000))
		res, err := http.Post(hook, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != http.StatusOK {
			t.Fatalf("answered %s", res.Status)
		}
	}
	rows := waitForRows(t, conn, cfg.Database, 16)
	parts := one[uint64](t, conn, "SELECT uniqExact(_part) FROM "+cfg.Database+".calls_raw")
	if rows != 16 || parts < 2 {
		t.Errorf("%d rows in %d parts, want each of the 16 once, and several parts", rows, parts)
	}
}

// serve runs a connector until the test ends and returns the address of its webhook.
func serve(t *testing.T, c *connector.Connector) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan string, 1), make(chan error, 1)
	c.Started = func(hook, _ net.Addr) { up <- "http://" + hook.String() + connector.WebhookPath }
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case hook := <-up:
		return hook
	case err := <-done:
		done <- nil
		t.Fatal(err)
		return ""
	}
}

// waitForRows returns the physical rows once there are n of different calls.
func waitForRows(t *testing.T, conn driver.Conn, database string, n uint64) uint64 {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if one[uint64](t, conn, "SELECT uniqExact(call_id) FROM "+database+".calls_raw") >= n {
			return one[uint64](t, conn, "SELECT count() FROM "+database+".calls_raw")
		}
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %d calls", n)
		}
	}
}
