package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	jetstream "github.com/nats-io/nats-server/v2/server"
)

// Two connectors on one JetStream, the tools beside them, and docs/scale.md's drain. (Three servers: connector's tests, and
// make faults.)
func TestToolsWorkOverACluster(t *testing.T) {
	srv, err := jetstream.NewServer(&jetstream.Options{
		Host: "127.0.0.1", Port: jetstream.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, SyncAlways: true, StoreDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	if !srv.ReadyForConnections(30 * time.Second) {
		t.Fatal("JetStream server not ready within 30 s")
	}
	w := newWorld(t)
	w.set("POSTCALL_NATS_URL=" + srv.ClientURL())
	w.migrate()
	if code, _, errs := w.postcall("", "serve"); code != 1 || !strings.Contains(errs, "POSTCALL_NATS_REPLICAS") {
		t.Errorf("three replicas on one server: exit %d, %s", code, errs)
	}
	w.set("POSTCALL_NATS_REPLICAS=1")
	first := w.serve()
	other := *w
	other.data, other.http, other.admin = t.TempDir(), freeAddr(t), freeAddr(t)
	other.env = append(append([]string{}, w.env...), "POSTCALL_DATA_DIR="+other.data, "POSTCALL_HTTP_ADDR="+other.http, "POSTCALL_ADMIN_ADDR="+other.admin)
	second := other.serve()
	for i := range 10 {
		to := []*world{w, &other}[i%2]
		body := fmt.Sprintf(`{"callId":"cl-%d","duration":60,"transcript":[{"role":"user","content":"my visit on Thursday"}]}`, i)
		if code := to.deliver(body); code != 200 {
			t.Fatalf("delivery %d answered %d", i, code)
		}
	}
	w.eventually("all are in both stores", func() bool { return w.count() == 10 && w.documents() == 10 })
	w.eventually("every partition has a sealer", func() bool {
		out := w.must("status", "--once")
		return strings.Contains(out, "4 partitions") && strings.Count(out, "partition ") == 4 && !strings.Contains(out, "nobody")
	})
	if out := w.must("audit"); strings.Contains(out, "missing 1") {
		t.Errorf("audit says\n%s", out)
	}
	if _, out, _ := w.postcall("", "doctor"); !strings.Contains(out, "sync_interval: always") || !strings.Contains(out, "1 replicas, 4 partitions, 0 of them sealed by nobody") {
		t.Errorf("doctor says\n%s", out)
	}
	w.must("import", packed(t, "old.ndjson", backfill("old", 30)))
	w.must("forget", "--call-id", "cl-3", "--yes")
	w.eventually("imported, and one forgotten", func() bool { return w.count() == 39 && w.documents() == 39 })

	if code, _, errs := w.postcall("", "drain", "--partitions", "8"); code != 1 || !strings.Contains(errs, "connectors run") {
		t.Errorf("drain beside connectors: exit %d, %s", code, errs)
	}
	first.terminate()
	second.terminate()
	if code, _, _ := w.postcall("", "drain"); code != 2 {
		t.Errorf("drain without a number: exit %d", code)
	}
	if out := w.must("drain", "--partitions", "8"); !strings.Contains(out, "8 partitions") {
		t.Errorf("drain says %s", out)
	}
	w.serve()
	if code := w.deliver(`{"callId":"after","duration":60}`); code != 200 {
		t.Errorf("after the drain a delivery is answered %d", code)
	}
	w.eventually("the call after the drain is in both stores", func() bool { return w.count() == 40 && w.documents() == 40 })
}
