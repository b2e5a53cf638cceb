package connector

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// admin serves the operators' port: /livez is 200 while the process runs, with a store down too; /readyz is 200 while
// deliveries are taken; /metrics is Prometheus'; /transforms says as JSON how the transforms do.
type admin struct {
	ready atomic.Bool
	st    *streams
	m     *metrics
	sinks []string
	chain *chain
}

func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !a.ready.Load() {
			http.Error(w, "not ready: starting or stopping", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET "+transformsPath, a.chain.serveStatus)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.m.registry, promhttp.HandlerOpts{}))
	return mux
}

// watch keeps the gauges of streams and sinks current until ctx ends.
func (a *admin) watch(ctx context.Context) error {
	for {
		a.look(ctx)
		if sleep(ctx, 5*time.Second) != nil {
			return nil
		}
	}
}

func (a *admin) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, name := range []string{streamIntake, streamBatches, streamDead, streamRefused} {
		st, err := a.st.js.Stream(ctx, name)
		if err != nil {
			return
		}
		s := streamStatus(st.CachedInfo())
		a.m.streamBytes.WithLabelValues(name).Set(float64(s.Bytes))
		a.m.streamMsgs.WithLabelValues(name).Set(float64(s.Messages))
		a.m.streamUse.WithLabelValues(name).Set(s.Use)
	}
	for _, name := range a.sinks {
		c, err := a.st.batches.Consumer(ctx, name)
		if err != nil {
			return
		}
		i := c.CachedInfo()
		a.m.pending.WithLabelValues(name).Set(float64(i.NumPending) + float64(i.NumAckPending))
	}
}
