package main

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// collector takes traces as an OpenTelemetry collector does, by HTTP and by gRPC.
type collector struct {
	v1.UnimplementedTraceServiceServer
	mu   sync.Mutex
	got  []*tracev1.ResourceSpans
	path string
}

func (c *collector) Export(_ context.Context, r *v1.ExportTraceServiceRequest) (*v1.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, r.ResourceSpans...)
	return &v1.ExportTraceServiceResponse{}, nil
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	b, err := io.ReadAll(body)
	var req v1.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(b, &req)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.path = r.URL.Path
	c.mu.Unlock()
	res, _ := c.Export(r.Context(), &req)
	out, _ := proto.Marshal(res)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(out)
}

// spans are those of a trace, by name.
func (c *collector) spans(traceID string) map[string]*tracev1.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]*tracev1.Span{}
	for _, rs := range c.got {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				if hex.EncodeToString(s.TraceId) == traceID {
					all[s.Name] = s
				}
			}
		}
	}
	return all
}

func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, rs := range c.got {
		b.WriteString(prototext.Format(rs))
	}
	return b.String()
}

// The built program sends the trace of a delivery, from the sender's span to both stores, to whatever OTEL_* names.
func TestTracesReachACollector(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			c := &collector{}
			endpoint := ""
			if protocol == "grpc" {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				srv := grpc.NewServer()
				v1.RegisterTraceServiceServer(srv, c)
				go func() { _ = srv.Serve(l) }()
				t.Cleanup(srv.Stop)
				endpoint = "http://" + l.Addr().String()
			} else {
				srv := httptest.NewServer(c)
				t.Cleanup(srv.Close)
				endpoint = srv.URL
			}
			w := newWorld(t)
			w.migrate()
			w.set("OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol, "OTEL_BSP_SCHEDULE_DELAY=100",
				"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=e2e")
			s := w.serve()
			const id = "0af7651916cd43dd8448eb211c80319c"
			req, err := http.NewRequest(http.MethodPost, "http://"+w.http+"/phonely/webhook", strings.NewReader(call("call-1", "Nora Whitfield asked about a zeppelin")))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+testSecret)
			req.Header.Set("traceparent", "00-"+id+"-b7ad6b7169203331-01")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != 200 {
				t.Fatalf("answered %d\n%s", res.StatusCode, s.log)
			}
			w.eventually("row and document", func() bool { return w.rows() == "1\t1" && w.documents() == 1 })
			s.terminate() // what is left is sent
			all := c.spans(id)
			for name, parent := range map[string]string{
				"POST /phonely/webhook": "", "intake": "POST /phonely/webhook", "seal": "intake", "transform redact-pii": "seal", "transform map-topics": "seal",
				"load clickhouse": "seal", "load elasticsearch": "seal",
			} {
				span := all[name]
				switch {
				case span == nil:
					t.Errorf("no span %s", name)
				case parent == "" && hex.EncodeToString(span.ParentSpanId) != "b7ad6b7169203331":
					t.Errorf("%s is not under the sender's span", name)
				case parent != "" && (all[parent] == nil || string(span.ParentSpanId) != string(all[parent].SpanId)):
					t.Errorf("%s is not under %s", name, parent)
				case span.EndTimeUnixNano < span.StartTimeUnixNano:
					t.Errorf("%s ends before it begins", name)
				}
			}
			text := c.text()
			for _, want := range []string{`"postcall"`, `"e2e"`, "service.version"} {
				if !strings.Contains(text, want) {
					t.Errorf("the resource has no %s", want)
				}
			}
			for _, secret := range []string{"Nora", "Whitfield", "5550142", "555-0142", "call-1", testSecret, "127.0.0.1", w.env[0]} {
				if strings.Contains(text, secret) {
					t.Errorf("the traces show %q", secret)
				}
			}
			if protocol != "grpc" && c.path != "/v1/traces" {
				t.Errorf("sent to %s", c.path)
			}
		})
	}
}

// A collector that is down or a variable that is wrong costs no delivery.
func TestTracesThatCannotBeSentCostNoDelivery(t *testing.T) {
	for what, env := range map[string][]string{
		"traces could not be sent": {"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + freeAddr(t), "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_EXPORTER_OTLP_TIMEOUT=500"},
		"traces are off":           {"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + freeAddr(t), "OTEL_EXPORTER_OTLP_PROTOCOL=pigeon"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.migrate()
			w.set(env...)
			s := w.serve()
			for i := range 5 {
				if code := w.deliver(call(fmt.Sprintf("c%d", i), "x")); code != 200 {
					t.Errorf("answered %d", code)
				}
			}
			w.eventually("the log says so: "+what, func() bool { return strings.Contains(s.log.String(), what) })
			w.eventually("all is loaded", func() bool { return w.rows() == "5\t5" && w.documents() == 5 })
			s.terminate()
		})
	}
}
