package clickhouse

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
)

func wantKind(t *testing.T, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want one of kind %q with %q", err, kind, text)
	}
}

// The insert is done and its answer is lost: the next attempt, on another connection, must not insert again.
func TestALostAnswerIsOneRow(t *testing.T) {
	l, _, cfg := migrated(t)
	cfg.Addr = []string{loseAnswers(t, cfg.Addr[0])}
	lossy := loader(t, cfg)
	if _, err := lossy.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := large(1000)
	err := lossy.Load(t.Context(), connector.Batch{Token: "t1", Events: events})
	if err == nil || errors.Is(err, connector.ErrPaused) || errors.Is(err, connector.ErrRefused) {
		t.Fatalf("got %v, want a plain error", err)
	}
	wantRows(t, l, "1", 1000, 1000)
	load(t, l, "t1", events...)
	wantRows(t, l, "1", 1000, 1000)
}

// loseAnswers returns the address of a proxy that cuts a connection when the server has answered an insert of some size.
func loseAnswers(t *testing.T, upstream string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", upstream)
			if err != nil {
				_ = client.Close()
				continue
			}
			var sent atomic.Int64
			go pipe(server, client, func(b []byte) bool { sent.Add(int64(len(b))); return true })
			const size, endOfStream = 50_000, 5
			go pipe(client, server, func(b []byte) bool { return sent.Load() < size || b[len(b)-1] != endOfStream })
		}
	}()
	return ln.Addr().String()
}

// pipe copies until an end is closed or pass returns false, and closes both.
func pipe(dst, src net.Conn, pass func([]byte) bool) {
	defer dst.Close()
	defer src.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if err != nil || !pass(buf[:n]) {
			return
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}

func TestSchemaFaultsPause(t *testing.T) {
	load1 := func(l *Loader) error {
		return l.Load(context.Background(), connector.Batch{Token: "t1", Events: calls(1)})
	}
	t.Run("not migrated", func(t *testing.T) {
		l := loader(t, engine(t))
		wantKind(t, load1(l), connector.ErrPaused, "postcall migrate apply")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "postcall migrate apply")
	})
	t.Run("table dropped", func(t *testing.T) {
		l, conn, cfg := migrated(t)
		exec(t, conn, "DROP TABLE "+cfg.Database+".calls_raw SYNC")
		wantKind(t, load1(l), connector.ErrPaused, "code 60: Table")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "calls_raw is missing")
	})
	t.Run("column dropped", func(t *testing.T) {
		l, conn, cfg := migrated(t)
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw DROP COLUMN summary, DROP COLUMN extra")
		wantKind(t, load1(l), connector.ErrPaused, "code 16")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "lacks the columns summary, extra")
	})
	t.Run("column of another type", func(t *testing.T) {
		l, conn, cfg := migrated(t)
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw MODIFY COLUMN summary UInt8")
		wantKind(t, load1(l), connector.ErrPaused, "column summary")
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw MODIFY COLUMN summary String")
		if err := load1(l); err != nil {
			t.Error("after the cure:", err)
		}
	})
	t.Run("window too small", func(t *testing.T) {
		l, conn, cfg := migrated(t)
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw MODIFY SETTING non_replicated_deduplication_window = 100")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "MODIFY SETTING non_replicated_deduplication_window = 100000")
		exec(t, conn, "ALTER TABLE "+cfg.Database+".calls_raw RESET SETTING non_replicated_deduplication_window")
		wantKind(t, l.Check(t.Context()), connector.ErrPaused, "MODIFY SETTING")
	})
}

func TestAServerThatIsDownIsRetried(t *testing.T) {
	cfg := connector.ClickHouseConfig{Addr: []string{closedPort(t)}, Database: "postcall", Timeout: 5 * time.Second, Workers: 1}
	l := loader(t, cfg)
	m := migrator(t, cfg)
	_, applyErr := m.Apply(t.Context())
	_, pingErr := l.Ping(t.Context())
	for act, err := range map[string]error{
		"load":  l.Load(t.Context(), connector.Batch{Token: "t1", Events: calls(1)}),
		"check": l.Check(t.Context()),
		"ping":  pingErr,
		"apply": applyErr,
	} {
		if err == nil || errors.Is(err, connector.ErrPaused) || errors.Is(err, connector.ErrRefused) || errors.Is(err, connector.ErrTooLarge) {
			t.Errorf("%s: %v, want a plain error", act, err)
		}
	}
}

// A server that takes the connection and says nothing.
func TestASilentServerEndsAtTheDeadline(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l := loader(t, connector.ClickHouseConfig{Addr: []string{ln.Addr().String()}, Database: "postcall", Timeout: 200 * time.Millisecond, Workers: 1})
	begin := time.Now()
	err = l.Load(t.Context(), connector.Batch{Token: "t1", Events: calls(1)})
	if took := time.Since(begin); err == nil || took > 5*time.Second {
		t.Errorf("%v after %s", err, took)
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	ok := connector.ClickHouseConfig{Addr: []string{"127.0.0.1:1"}, Database: "postcall", Timeout: time.Second}
	for name, change := range map[string]func(*connector.ClickHouseConfig){
		"POSTCALL_CLICKHOUSE_ADDR":     func(c *connector.ClickHouseConfig) { c.Addr = nil },
		"POSTCALL_CLICKHOUSE_DATABASE": func(c *connector.ClickHouseConfig) { c.Database = "a`b; DROP" },
		"POSTCALL_CLICKHOUSE_TIMEOUT":  func(c *connector.ClickHouseConfig) { c.Timeout = 0 },
	} {
		cfg := ok
		change(&cfg)
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
