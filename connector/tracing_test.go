package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/postcall/postcall/transforms"
)

// recorder is a tracer and the spans it ended.
func recorder(t *testing.T) (trace.Tracer, *tracetest.InMemoryExporter) {
	t.Helper()
	out := tracetest.NewInMemoryExporter()
	p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(out))
	t.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	return p.Tracer("test"), out
}

func named(spans tracetest.SpanStubs, name string) (found []tracetest.SpanStub) {
	for _, s := range spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// postWith delivers a body with headers.
func (r *running) postWith(body string, header ...string) int {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url, bytes.NewReader([]byte(body)))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Errorf("deliver: %v", err)
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

func pass(_ context.Context, b []transforms.Event) ([]transforms.Event, error) { return b, nil }

const senders = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// One delivery is one trace, the sender's, from the webhook to both stores; nothing of the call is in it.
func TestTraceFollowsADeliveryToEveryStore(t *testing.T) {
	tracer, spans := recorder(t)
	a := newStore()
	var tries atomic.Int32
	a.load = func(Batch) error {
		if tries.Add(1) == 1 {
			return errors.New("Nora Whitfield can't be stored")
		}
		return nil
	}
	r := start(t, Connector{
		Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", a, 1}, {"b", newStore(), 1}}, Transforms: []Transform{{"step", transformFunc(pass)}}, Tracer: tracer,
	})
	body := `{"callId":"call-of-nora","callerName":"Nora Whitfield","customerPhoneNumber":"+13125550142"}`
	if code := r.postWith(body, "traceparent", senders, "tracestate", "vendor=nora", "baggage", "user=nora"); code != 200 {
		t.Fatalf("answered %d", code)
	}
	r.eventually("both loads ended", func() bool {
		return len(named(spans.GetSpans(), "load a")) == 1 && len(named(spans.GetSpans(), "load b")) == 1
	})
	all := spans.GetSpans()
	byID := map[trace.SpanID]string{}
	for _, s := range all {
		byID[s.SpanContext.SpanID()] = s.Name
		if got := s.SpanContext.TraceID().String(); got != senders[3:35] {
			t.Errorf("%s is of trace %s, want the sender's", s.Name, got)
		}
		if text := strings.ToLower(fmt.Sprint(s.Attributes, s.Events, s.Status, s.SpanContext.TraceState())); strings.Contains(text, "nora") || strings.Contains(text, "5550142") {
			t.Errorf("%s tells of the caller: %s", s.Name, text)
		}
	}
	byID[trace.SpanID{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}] = "sender"
	parents := map[string]string{"POST " + WebhookPath: "sender", "intake": "POST " + WebhookPath, "seal": "intake", "transform step": "seal", "load a": "seal", "load b": "seal"}
	for _, s := range all {
		if want := parents[s.Name]; s.Name != "attempt" && byID[s.Parent.SpanID()] != want {
			t.Errorf("%s is under %q, want %q", s.Name, byID[s.Parent.SpanID()], want)
		}
	}
	for name := range parents {
		if n := len(named(all, name)); n != 1 {
			t.Errorf("%d spans %s", n, name)
		}
	}
	failed := 0
	for _, s := range named(all, "attempt") {
		if s.Status.Code == codes.Error {
			failed++
		}
	}
	if n := len(named(all, "attempt")); n != 3 || failed != 1 {
		t.Errorf("%d attempts, %d failed; want 3 and 1", n, failed)
	}
}

// A batch of many traced deliveries links to them, within bounds.
func TestBatchLinksToItsDeliveriesWithinBounds(t *testing.T) {
	tracer, spans := recorder(t)
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge = 2 * time.Second
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}, Tracer: tracer})
	const n = 300
	sent := map[string]bool{}
	var wg sync.WaitGroup
	limit := make(chan struct{}, 64)
	for i := range n {
		id := fmt.Sprintf("%032x", i+1)
		sent[id] = true
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			if code := r.postWith(fmt.Sprintf(`{"callId":"c%d"}`, i), "traceparent", "00-"+id+"-b7ad6b7169203331-01"); code != 200 {
				t.Errorf("answered %d", code)
			}
		})
	}
	wg.Wait()
	r.eventually("all is sealed", func() bool { return r.metric(`postcall_events_delivered_total{sink="a"}`) == fmt.Sprint(n) })
	r.stop()
	seals := named(spans.GetSpans(), "seal")
	linked := 0
	for _, s := range seals {
		if len(s.Links) > maxLinks || s.DroppedLinks > 0 {
			t.Errorf("%d links, %d dropped", len(s.Links), s.DroppedLinks)
		}
		linked = max(linked, len(s.Links))
		for _, l := range s.Links {
			id := l.SpanContext.TraceID().String()
			if !sent[id] || id == s.SpanContext.TraceID().String() {
				t.Errorf("a link to %s, which is no other delivery", id)
			}
			delete(sent, id) // each once
		}
	}
	if linked < maxLinks/2 {
		t.Errorf("of %d batches the most links are %d", len(seals), linked)
	}
	if n := len(named(spans.GetSpans(), "POST "+WebhookPath)); n != 300 {
		t.Errorf("%d spans of deliveries", n)
	}
}

// Who is not let in causes no span, and a sender that samples not is followed.
func TestStrangersAndUnsampledSendersCauseNoSpans(t *testing.T) {
	tracer, spans := recorder(t)
	cfg := testConfig(t.TempDir())
	cfg.WebhookSecret = "a-secret-of-the-sender"
	s := newStore()
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Tracer: tracer})
	if code := r.postWith(`{"callId":"c1"}`, "traceparent", senders); code != 401 {
		t.Errorf("answered %d", code)
	}
	if code := r.postWith(`{"callId":"c2"}`, SecretHeader, "a-secret-of-the-sender", "traceparent", senders[:len(senders)-1]+"0"); code != 200 {
		t.Errorf("answered %d", code)
	}
	r.eventually("it is loaded", func() bool { return s.has("c2") })
	if all := spans.GetSpans(); len(all) > 0 {
		t.Errorf("%d spans, the first is %s", len(all), all[0].Name)
	}
	if code := r.postWith(`{"callId":["bad"]}`, SecretHeader, "a-secret-of-the-sender", "traceparent", senders); code != 422 {
		t.Errorf("answered %d", code)
	}
	r.eventually("the refused delivery's span", func() bool { return len(named(spans.GetSpans(), "POST "+WebhookPath)) == 1 })
}

// Headers of traces are on what is stored only while traces are on, and where they are, bytes and token are the same.
func TestTracingChangesNothingThatIsStored(t *testing.T) {
	headers := func(tracer trace.Tracer) (found []string) {
		cfg := testConfig(t.TempDir())
		s := newStore()
		r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Tracer: tracer})
		r.postWith(`{"callId":"c1"}`, "traceparent", senders)
		r.eventually("it is loaded", func() bool { return s.has("c1") })
		o := operator(t, cfg, "a")
		if err := o.st.each(t.Context(), streamBatches, 1, true, func(m jetstream.Msg, _ *jetstream.MsgMetadata) error {
			found = append(found, m.Headers().Get(headerTrace))
			return nil
		}); err != nil {
			t.Error(err)
		}
		return found
	}
	if got := headers(nil); !slices.Equal(got, []string{""}) {
		t.Errorf("without traces the sealed messages have %q", got)
	}
	tracer, _ := recorder(t)
	if got := headers(tracer); len(got) != 1 || !strings.HasPrefix(got[0], senders[:36]) {
		t.Errorf("with traces they have %q", got)
	}
	s := sealed{Intake: "i", Position: position{Seq: 2}, Version: 3}
	payload, err := finishPayload(newPayload(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	without := sealMessage("s", &s, payload, nil)
	s.Trace = senders
	with := sealMessage("s", &s, payload, nil)
	if !bytes.Equal(with.Data, without.Data) || token(with.Header, with.Data) != token(without.Header, without.Data) {
		t.Error("a trace changes the bytes or the token of a sealed message")
	}
	m, err := openMessage(with.Header, with.Data)
	if err != nil || m.Trace != senders {
		t.Errorf("read back %q, %v", m.Trace, err)
	}
}

func TestTraceHeaders(t *testing.T) {
	if sc := parseParent(senders); sc.TraceID().String() != senders[3:35] || sc.SpanID().String() != senders[36:52] || !sc.IsSampled() || !sc.IsRemote() {
		t.Errorf("%s is read as %v", senders, sc)
	}
	for _, bad := range []string{"", "-", "---", "00-0af7-b7ad-01", "00-zz-zz-01", strings.Repeat("0", 200), "00-" + strings.Repeat("a", 64) + "-" + strings.Repeat("b", 64)} {
		if sc := parseParent(bad); sc.IsValid() {
			t.Errorf("%q is read as %v", bad, sc)
		}
	}
	group := make([]*waiting, 200)
	for i := range group {
		group[i] = &waiting{}
		if i%2 == 1 {
			group[i].parent = senders
		}
	}
	header := traced(group)
	if n := strings.Count(header, "="); n != maxTraced || len(header) > maxTraced*60 {
		t.Errorf("%d contexts in %d bytes", n, len(header))
	}
	ins := make([]input, 10)
	tracing{tracer: trace.Tracer(nil)}.trace(ins, header)
	if ins[1].trace != nil {
		t.Error("contexts are read while traces are off")
	}
	tracer, _ := recorder(t)
	tracing{tracer}.trace(ins, header+" 3=garbage x=y -1="+senders)
	for i := range ins {
		if (ins[i].trace != nil) != (i%2 == 1) {
			t.Errorf("input %d has the context %v", i, ins[i].trace)
		}
	}
}

// BenchmarkTracingOff is what tracing costs a delivery and a batch while it is off.
func BenchmarkTracingOff(b *testing.B) {
	var t tracing
	batch := make([]input, 2000)
	ctx := context.Background()
	req := &request{}
	b.ReportAllocs()
	for b.Loop() {
		t.receive(req)
		_, span := t.begin(ctx, "intake", trace.SpanKindProducer, 1)
		t.end(span, "")
		_ = t.parentOf(ctx)
		t.answered(req, nil)
		_, span = t.sealing(ctx, batch, 0)
		t.end(span, "")
		_, span = t.loading(ctx, "a", &sealed{})
		t.end(span, "")
	}
}
