package connector

import (
	"context"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// A trace follows a delivery from the webhook over the batch it is sealed in to each store. The choices (2026-11):
//
// A span's context travels in the header of a frame and of a sealed message, outside what checksum and token cover: the
// bytes that the promise is about are the same with tracing and without. Only sampled ones are written, maxTraced of a
// frame at most, 58 bytes each.
//
// A batch holds many deliveries. Its spans belong to the trace of the first traced one, so that at a few calls a minute,
// where a batch is one call, that trace is whole in any viewer; they link to the others, maxLinks at most. To let each
// batch be a trace of its own would be purer, and nobody would find it. A batch without a traced delivery has no spans.
//
// A span begins when the sender has proved who it is: strangers cause none. No attribute comes from a body, a header or
// an address; errors say their kind only. What the sender's tracestate and baggage hold is not taken.
type tracing struct {
	tracer trace.Tracer // nil traces nothing, and costs nothing
}

const (
	// headerTrace names, in a frame's header, "index=traceparent" of its traced deliveries, and in a sealed message's the
	// traceparent of the span that sealed it.
	headerTrace = "Postcall-Trace"
	maxTraced   = 64
	maxLinks    = 127 // and the parent; SDKs keep 128 links
)

// receive begins the span of a delivery, at the time it came.
func (t tracing) receive(r *request) {
	if t.tracer == nil {
		return
	}
	ctx := r.Context()
	if from := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))); from.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, from.WithTraceState(trace.TraceState{}))
	}
	ctx, r.span = t.tracer.Start(ctx, http.MethodPost+" "+r.src.Route, trace.WithTimestamp(r.start), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(
			attribute.String("http.request.method", http.MethodPost), attribute.String("http.route", r.src.Route),
			attribute.String("postcall.source", r.src.Name), attribute.String("postcall.request_id", r.id)))
	r.Request = r.WithContext(ctx)
}

// answered ends the span of a delivery; p is nil for a 200.
func (t tracing) answered(r *request, p *problem) {
	if r.span == nil {
		return
	}
	code := http.StatusOK
	if p != nil {
		code = p.Status
		r.span.SetAttributes(attribute.String("error.type", p.reason))
	}
	r.span.SetAttributes(attribute.Int("http.response.status_code", code), attribute.Int("http.request.body.size", len(r.body)))
	if code >= http.StatusInternalServerError {
		r.span.SetStatus(codes.Error, p.reason)
	}
	r.span.End()
}

// begin starts a span for a number of events under the one in ctx, where that is sampled. It takes no list of attributes:
// that would be made where nothing is traced, too.
func (t tracing) begin(ctx context.Context, name string, kind trace.SpanKind, events int) (context.Context, trace.Span) {
	if t.tracer == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, nil
	}
	return t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attribute.Int("postcall.events", events)))
}

// end ends a span that begin, sealing or loading returned. failed is the kind of what went wrong, empty for nothing.
func (t tracing) end(span trace.Span, failed string) {
	if span == nil {
		return
	}
	if failed != "" {
		span.SetStatus(codes.Error, failed)
	}
	span.End()
}

// sealing begins the span of a batch.
func (t tracing) sealing(ctx context.Context, batch []input, partition int) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, nil
	}
	var parent trace.SpanContext
	var links []trace.Link
	for i := range batch {
		switch from := batch[i].trace; {
		case from == nil:
		case !parent.IsValid():
			parent = *from
		case len(links) < maxLinks:
			links = append(links, trace.Link{SpanContext: *from})
		}
	}
	if !parent.IsValid() {
		return ctx, nil
	}
	return t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), "seal", trace.WithLinks(links...), trace.WithSpanKind(trace.SpanKindInternal),
		trace.WithAttributes(attribute.Int("postcall.events", len(batch)), attribute.Int("postcall.partition", partition)))
}

// loading begins the span of a sealed message on its way into a sink, for as long as that takes.
func (t tracing) loading(ctx context.Context, sink string, m *sealed) (context.Context, trace.Span) {
	if t.tracer == nil || m.Trace == "" {
		return ctx, nil
	}
	ctx = trace.ContextWithRemoteSpanContext(ctx, parseParent(m.Trace))
	ctx, span := t.begin(ctx, "load "+sink, trace.SpanKindConsumer, len(m.Events))
	if span != nil {
		span.SetAttributes(attribute.Float64("postcall.waited_seconds", max(time.Since(m.Written).Seconds(), 0)))
	}
	return ctx, span
}

// parentOf is the traceparent of the sampled span in ctx, else empty.
func (t tracing) parentOf(ctx context.Context) string {
	if t.tracer == nil {
		return ""
	}
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsSampled() {
		return ""
	}
	return "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-01"
}

// parseParent reads what parentOf wrote; what is none has no valid ids.
func parseParent(s string) trace.SpanContext {
	parts := strings.Split(s, "-")
	if len(parts) != 4 {
		return trace.SpanContext{}
	}
	var cfg trace.SpanContextConfig
	n1, err1 := hex.Decode(cfg.TraceID[:], []byte(parts[1][:min(len(parts[1]), 32)]))
	n2, err2 := hex.Decode(cfg.SpanID[:], []byte(parts[2][:min(len(parts[2]), 16)]))
	if err1 != nil || err2 != nil || n1 != len(cfg.TraceID) || n2 != len(cfg.SpanID) {
		return trace.SpanContext{}
	}
	cfg.TraceFlags, cfg.Remote = trace.FlagsSampled, true
	return trace.NewSpanContext(cfg)
}

// traced is what a frame's header says of the deliveries in it.
func traced(group []*waiting) string {
	var b strings.Builder
	n := 0
	for i, w := range group {
		if w.parent == "" {
			continue
		}
		if n++; n > maxTraced {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(i) + "=" + w.parent)
	}
	return b.String()
}

// trace gives the inputs of a frame the contexts that its header names.
func (t tracing) trace(ins []input, header string) {
	if t.tracer == nil || header == "" {
		return
	}
	for entry := range strings.FieldsSeq(header) {
		index, parent, _ := strings.Cut(entry, "=")
		if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < len(ins) {
			if sc := parseParent(parent); sc.IsValid() {
				ins[i].trace = &sc
			}
		}
	}
}
