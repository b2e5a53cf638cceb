package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// openTracing makes the tracer that the standard OTEL_* variables ask for; nil where they name no endpoint. What is wrong
// with them is said in the log: deliveries are not refused for want of traces. stop sends what is left.
//
// The two exporters are linked, and not contrib's autoexport (2026-11): that brings those of metrics and logs as well.
func openTracing(ctx context.Context, log *slog.Logger) (tracer trace.Tracer, stop func()) {
	off := func() {}
	exporter, err := openExporter(ctx)
	if err != nil {
		log.Warn("traces are off", "why", err)
	}
	if exporter == nil {
		return nil, off
	}
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(&exportErrors{log: log})
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(traceResource(ctx)))
	log.Info("traces are sent")
	return provider.Tracer("github.com/postcall/postcall", trace.WithInstrumentationVersion(version)), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = provider.Shutdown(ctx) // the error handler has it
	}
}

// otelVariable is the one for traces where it is set, else the one for all signals.
func otelVariable(name string) string {
	if v := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); v != "" {
		return v
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_" + name)
}

// openExporter makes the exporter, which reads the rest of the variables itself; nil for none.
func openExporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	kind := os.Getenv("OTEL_TRACES_EXPORTER")
	if otelVariable("ENDPOINT") == "" || kind == "none" || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	if kind != "" && kind != "otlp" {
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER names an exporter that is not built in: set otlp or none, or unset it")
	}
	switch otelVariable("PROTOCOL") {
	case "", "http/protobuf":
		return otlptracehttp.New(ctx)
	case "grpc":
		return otlptracegrpc.New(ctx)
	}
	return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL names a protocol that is not built in: set http/protobuf or grpc, or unset it")
}

// traceResource says who sends; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say more, or otherwise.
func traceResource(ctx context.Context) *resource.Resource {
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "postcall"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		otel.Handle(err)
	}
	return res
}

// exportErrors logs that traces can't be sent, once a minute at most.
type exportErrors struct {
	log  *slog.Logger
	last atomic.Int64
}

// Handle implements otel.ErrorHandler.
func (e *exportErrors) Handle(err error) {
	now, last := time.Now().Unix(), e.last.Load()
	if now-last >= 60 && e.last.CompareAndSwap(last, now) {
		e.log.Warn("traces could not be sent; deliveries are not affected", "err", err)
	}
}
