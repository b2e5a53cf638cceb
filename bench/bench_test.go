package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/clickhouse"
	sdk "github.com/postcall/postcall/transforms"
)

func TestCallsAreWhatTheyAreCalled(t *testing.T) {
	for _, size := range []int{8 << 10, 40 << 10} {
		c := newCalls("run-", size, 1)
		c.noise = size / 40
		if n := c.size(); n < size*9/10 || n > size*11/10 {
			t.Errorf("calls of %d bytes have %d", size, n)
		}
		ids := map[string]bool{}
		for n := range 600 {
			b := c.appendCall(nil, n)
			var call struct {
				CallID     string `json:"callId"`
				Transcript []turn
			}
			if err := json.Unmarshal(b, &call); err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
			got, ok := number("run-", []byte(call.CallID))
			if !ok || got != n || ids[call.CallID] {
				t.Fatalf("call %d has the id %s", n, call.CallID)
			}
			ids[call.CallID] = true
			if len(call.Transcript) != turns || strings.Contains(string(b), "{") && strings.Contains(call.Transcript[0].Content, "{") {
				t.Fatalf("call %d: transcript %v", n, call.Transcript)
			}
		}
	}
}

func TestSeenCountsEachEventOnce(t *testing.T) {
	var s seen
	s.reset("a-", 3)
	s.add([][]byte{[]byte("a-000000000"), []byte("a-000000001"), []byte("a-000000001"), []byte("b-000000002"), []byte("a-000000009"), nil})
	if unique, twice := s.counts(); unique != 2 || twice != 1 {
		t.Errorf("got %d and %d twice", unique, twice)
	}
}

func TestBulkIDs(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	ids, err := bulkIDs(strings.NewReader(`{"index":{"_id":"default:c1","version":7}}` + "\n" + `{"t":"` + long + `"}` + "\n" + `{"index":{"_index":"i","_id":"c2"}}` + "\n{}\n"))
	if err != nil || len(ids) != 2 || string(ids[0]) != "c1" || string(ids[1]) != "c2" {
		t.Errorf("got %q, %v", ids, err)
	}
	for _, bad := range []string{"{}\n{}\n", `{"index":{"_id":"a"}}` + "\n"} {
		if _, err := bulkIDs(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is no bulk", bad)
		}
	}
}

// TestStandInTakesTodaysCalls holds it to what the migrations and the loader of today ask: where it falls behind, the sink of
// a bench would pause.
func TestStandInTakesTodaysCalls(t *testing.T) {
	c, err := newClickHouseStandIn()
	if err != nil {
		t.Fatal(err)
	}
	c.reset("a-", 2)
	cfg := connector.ClickHouseConfig{Addr: []string{c.addr}, Database: "postcall", Timeout: 10 * time.Second, Layout: "single", Workers: 1}
	m, err := clickhouse.OpenMigrator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := clickhouse.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := []sdk.Event{{Tenant: "t", CallID: "a-000000000", CallStarted: time.Now()}, {Tenant: "t", CallID: "a-000000001", CallStarted: time.Now()}}
	if err := l.Load(t.Context(), connector.Batch{Token: "1", Events: events}); err != nil {
		t.Fatal(err)
	}
	if got, twice := c.counts(); got != 2 || twice != 0 {
		t.Errorf("it counts %d, %d twice", got, twice)
	}
}

// TestInsert sends an insert as a client does, with every kind of column, compressed.
func TestInsert(t *testing.T) {
	c, err := newClickHouseStandIn()
	if err != nil {
		t.Fatal(err)
	}
	c.reset("a-", 5)
	c.answer("-- a comment\nCREATE TABLE IF NOT EXISTS d.t\n(\n    call_id String COMMENT 'ENGINE (x)',\n    tags Array(LowCardinality(String)) COMMENT 'a',\n" +
		"    at Nullable(DateTime64(3, 'UTC')),\n    n UInt32,\n    INDEX i n TYPE minmax GRANULARITY 1\n)\nENGINE = MergeTree ORDER BY n")
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second)) // a connected socket takes one
	r := proto.NewReader(conn)
	var out proto.Buffer
	send := func() {
		t.Helper()
		if err := writeAll(conn, out.Buf); err != nil {
			t.Fatal(err)
		}
		out.Reset()
	}
	expect := func(want proto.ServerCode) {
		t.Helper()
		if got, err := r.UVarInt(); err != nil || proto.ServerCode(got) != want {
			t.Fatalf("packet %d, %v; want %s", got, err, want)
		}
	}
	block := func(input ...proto.InputColumn) {
		t.Helper()
		var b proto.Buffer
		rows := 0
		if len(input) > 0 {
			rows = input[0].Data.Rows()
		}
		if err := (proto.Block{Columns: len(input), Rows: rows}).EncodeBlock(&b, revision, input); err != nil {
			t.Fatal(err)
		}
		w := compress.NewWriter(0, compress.LZ4)
		if err := w.Compress(b.Buf); err != nil {
			t.Fatal(err)
		}
		proto.ClientCodeData.Encode(&out)
		proto.ClientData{}.EncodeAware(&out, revision)
		out.PutRaw(w.Data)
	}

	proto.ClientHello{Name: "test", ProtocolVersion: revision, Database: "default", User: "default"}.Encode(&out)
	send()
	expect(proto.ServerCodeHello)
	var hello proto.ServerHello
	if err := hello.DecodeAware(r, revision); err != nil {
		t.Fatal(err)
	}
	q := proto.Query{
		Body: "INSERT INTO d.t (call_id, tags, at, n) VALUES", Stage: proto.StageComplete, Compression: proto.CompressionEnabled,
		Info: proto.ClientInfo{ProtocolVersion: revision, Interface: proto.InterfaceTCP, Query: proto.ClientQueryInitial},
	}
	q.EncodeAware(&out, revision)
	block()
	send()
	expect(proto.ServerCodeData)
	if _, err := r.Str(); err != nil {
		t.Fatal(err)
	}
	r.EnableCompression()
	var head proto.Block
	var types proto.Results
	if err := head.DecodeBlock(r, revision, types.Auto()); err != nil || head.Columns != 4 {
		t.Fatalf("head %+v, %v", head, err)
	}
	r.DisableCompression()

	var id proto.ColStr
	id.AppendArr([]string{"a-000000001", "a-000000003", "other"})
	tags := proto.NewArray(new(proto.ColStr).LowCardinality())
	for _, v := range [][]string{{"x", "y"}, nil, {"x"}} {
		tags.Append(v)
	}
	at := proto.NewColNullable(new(proto.ColDateTime64).WithPrecision(3))
	for range 3 {
		at.Append(proto.NewNullable(time.Now()))
	}
	block(proto.InputColumn{Name: "call_id", Data: id}, proto.InputColumn{Name: "tags", Data: tags},
		proto.InputColumn{Name: "at", Data: at}, proto.InputColumn{Name: "n", Data: proto.ColUInt32{1, 2, 3}})
	block()
	send()
	expect(proto.ServerCodeEndOfStream)
	if unique, twice := c.counts(); unique != 2 || twice != 0 {
		t.Errorf("got %d and %d twice", unique, twice)
	}
}

func TestGroupFileKeepsEveryBody(t *testing.T) {
	r, err := ceilingFile(t.TempDir(), newCalls("a-", 8<<10, 1), plan{Events: 200, Senders: 8})
	if err != nil || r.Load.Accepted != 200 || r.Syncs <= 0 || r.Syncs > 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestStraceCalls(t *testing.T) {
	file := filepath.Join(t.TempDir(), "strace")
	text := `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 88.20    0.104220         385       270           fsync
 11.80    0.013940         464        30         1 fdatasync
------ ----------- ----------- --------- --------- ----------------
100.00    0.118160         393       300         1 total
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := straceCalls(file); err != nil || n != 300 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestUsageSeesThisProcess(t *testing.T) {
	p, err := start([]string{"/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 5"}, nil, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.stop() }() // it ends by the signal
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if u := p.usage(); u.CPU > 0 && u.Peak > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %+v", p.usage())
		}
	}
}
