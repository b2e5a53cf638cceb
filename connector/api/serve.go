package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// meter counts what was asked, by route or tool. It has no label that a client chooses.
type meter struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMeter() *meter {
	m := &meter{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postcall_api_requests_total", Help: "Requests by route or tool and HTTP status (of tools 200 or 500)."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "postcall_api_request_seconds", Help: "Time to the answer, by route or tool.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}, []string{"route"}),
	}
	m.registry.MustRegister(m.requests, m.seconds)
	return m
}

func (m *meter) done(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// Serve serves REST and MCP, or MCP alone, until ctx ends. started is called with the addresses once they listen.
func (a *API) Serve(ctx context.Context, rest bool, started func(api, admin net.Addr)) error {
	t, err := openTokens(a.cfg.Tokens, a.cfg.Rate)
	if err != nil {
		return err
	}
	if len(*t.now.Load()) == 0 {
		a.log.Warn("the file of tokens has none: nobody can ask anything; postcall api token new makes one")
	}
	ln, err := net.Listen("tcp", a.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen for questions (POSTCALL_API_ADDR): %w", err)
	}
	admin, err := net.Listen("tcp", a.cfg.AdminAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("listen for operators (POSTCALL_API_ADMIN_ADDR): %w", err), ln.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go t.watch(ctx, a.log)
	failed := make(chan error, 2)
	srv, adm := a.httpServer(a.handler(t, rest)), a.httpServer(a.adminHandler())
	go func() { failed <- srv.Serve(ln) }()
	go func() { failed <- adm.Serve(admin) }()
	started(ln.Addr(), admin.Addr())
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	stop, done := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Timeout)
	defer done()
	return errors.Join(err, srv.Shutdown(stop), adm.Close())
}

func (a *API) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: a.cfg.Timeout + 15*time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// adminHandler is for operators: /livez while the process runs, /readyz while an enabled store answers, /metrics.
func (a *API) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Ping(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.meter.registry, promhttp.HandlerOpts{}))
	return mux
}

// Ping is an error where no enabled store answers: while one does, its questions can be asked.
func (a *API) Ping(ctx context.Context) error {
	var errs []error
	asked := 0
	if a.metrics != nil {
		asked++
		if err := a.metrics.Ping(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	if a.calls != nil {
		asked++
		if err := a.calls.Ping(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) < asked {
		return nil
	}
	return errors.Join(errs...)
}
