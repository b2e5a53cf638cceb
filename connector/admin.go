package connector

import (
	"context"
	"errors"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// admin serves the operators' port: /livez is 200 while the process runs, with a store down too; /readyz is 200 while
// deliveries are taken; /metrics is Prometheus'; /transforms says as JSON how the transforms do. Profiles are there only
// where the operator asks for them: whoever reaches the port may read them, and have the CPU work for them.
type admin struct {
	ready  atomic.Bool
	st     *streams
	m      *metrics
	sinks  []*sink
	chain  *chain
	intake *intake
	erased *erasures
	pprof  bool
	leases *leases // nil without a cluster

	console http.Handler // nil where there is none
}

func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := a.refusing(); why != "" {
			http.Error(w, "not ready: "+why, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET "+transformsPath, a.chain.serveStatus)
	metrics := promhttp.HandlerFor(a.m.registry, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		a.measure(time.Now())
		metrics.ServeHTTP(w, r)
	})
	if a.console != nil {
		mux.Handle(ConsolePath, a.console)
	}
	if a.pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	}
	return mux
}

// refusing says why deliveries are not taken; empty while they are.
func (a *admin) refusing() string {
	if !a.ready.Load() {
		return "starting or stopping"
	}
	if a.leases != nil && !a.leases.reachable() {
		return "no quorum of the JetStream cluster can be reached"
	}
	return a.intake.refusing(time.Now())
}

// measure sets the gauges that this process knows by itself.
func (a *admin) measure(now time.Time) {
	a.m.ready.Set(1)
	if a.refusing() != "" {
		a.m.ready.Set(0)
	}
	for _, s := range a.sinks {
		a.m.pendingAge.WithLabelValues(s.Name).Set(s.underWay.age(now).Seconds())
	}
	pending, age := a.erased.pending(), 0.0
	if len(pending) > 0 {
		age = now.Sub(pending[0].At).Seconds()
	}
	a.m.erasures.Set(float64(len(pending)))
	a.m.erasureAge.Set(max(age, 0))
}

// watch keeps the gauges of streams and sinks current until ctx ends.
func (a *admin) watch(ctx context.Context) error {
	for {
		a.look(ctx)
		if a.leases != nil && a.st.partitionsChanged(ctx) {
			return errors.New("the streams have another number of partitions since `postcall drain`: start this connector again")
		}
		if sleep(ctx, 5*time.Second) != nil {
			return nil
		}
	}
}

func (a *admin) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, name := range callStreams {
		st, err := a.st.js.Stream(ctx, name)
		if err != nil {
			return
		}
		info := st.CachedInfo()
		s := streamStatus(info)
		a.m.streamBytes.WithLabelValues(name).Set(float64(s.Bytes))
		a.m.streamMsgs.WithLabelValues(name).Set(float64(s.Messages))
		a.m.streamUse.WithLabelValues(name).Set(s.Use)
		if name == streamIntake {
			age := 0.0
			if !s.Oldest.IsZero() {
				age = max(time.Since(s.Oldest).Seconds(), 0)
			}
			a.m.sealAge.Set(age)
			a.intake.look(info)
		}
	}
	for _, s := range a.sinks {
		c, err := a.st.batches.Consumer(ctx, s.Name)
		if err != nil {
			return
		}
		i := c.CachedInfo()
		a.m.pending.WithLabelValues(s.Name).Set(float64(i.NumPending) + float64(i.NumAckPending))
	}
}
