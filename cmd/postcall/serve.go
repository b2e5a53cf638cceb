package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/connector/console"
	"github.com/postcall/postcall/connector/elastic"
)

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Take deliveries and load them", Args: cobra.NoArgs,
		Long: `serve listens for deliveries on POSTCALL_HTTP_ADDR (POST /phonely/webhook, and the routes of POSTCALL_SOURCES) and loads what
it takes into the enabled sinks. It starts
and takes deliveries while a store is down; they wait in POSTCALL_DATA_DIR. /livez, /readyz and /metrics are on
POSTCALL_ADMIN_ADDR. Ctrl-C or SIGTERM stops it in order, a second one at once.`,
		RunE: func(c *cobra.Command, _ []string) error { return serve(c.Context(), c.ErrOrStderr()) },
	}
}

func serve(ctx context.Context, stderr io.Writer) error {
	cfg, err := connector.LoadConfig()
	if err != nil {
		return err
	}
	if err := cfg.RequireRedactKey(); err != nil {
		return err
	}
	log := newLogger(stderr, cfg.LogLevel, cfg.LogFormat)
	tuneMemory(cfg)
	if links := connector.ServiceLinks(os.Environ()); len(links) > 0 {
		log.Warn("variables of another kind in the environment", "advice", serviceLinkAdvice(links))
	}
	sinks, err := openSinks(cfg)
	if err != nil {
		return err
	}
	defer closeSinks(sinks, log)
	chains, err := connector.OpenTransforms(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer chains.Close()
	for _, warning := range chains.Unredacted() {
		log.Warn("calls are stored UNREDACTED", "why", warning)
	}
	tracer, flush := openTracing(ctx, log)
	defer flush()
	c := connector.Connector{
		Config: cfg, Sinks: sinks, Transforms: chains.Default, Sources: chains.Sources, Skip: chains.Skip, Log: log, Version: version, Commit: commit, Tracer: tracer,
		Console: func(r *connector.Running) http.Handler { return console.New(cfg, r, log) },
		Started: func(hook, admin net.Addr) {
			scheme := "http://"
			if cfg.HTTP.CertPath != "" {
				scheme = "https://"
			}
			log.Info("deliveries are taken", "webhook", scheme+hook.String()+connector.WebhookPath, "admin", "http://"+admin.String())
		},
	}
	return c.Run(ctx)
}

// tuneMemory collects garbage sooner than Go's defaults. Buffers of batches come
// and go: at 50 % collecting them costs a few per cent of CPU and saves a fifth of the memory. Under a backlog JetStream
// keeps the blocks that it read or wrote for 10 s, as far as memory is not short: the soft limit makes it short, and the
// memory flat (bench/RESULTS.md).
func tuneMemory(cfg connector.Config) {
	collect(50, 128<<20+max(int64(cfg.Intake.MaxInFlight)-64<<20, 0))
}

// collect sets how often garbage is collected and the soft limit of memory in bytes, which GOGC and GOMEMLIMIT overrule.
func collect(percent int, limit int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}

func serviceLinkAdvice(links []string) string {
	return "Kubernetes set " + strings.Join(links, ", ") + " for a Service of that name; they are overlooked: set enableServiceLinks: false in the pod"
}

// openSinks lists what there is: no registry, no init. Opening connects to nothing.
func openSinks(cfg connector.Config) ([]connector.Sink, error) {
	var sinks []connector.Sink
	if slices.Contains(cfg.Sinks, "clickhouse") {
		ch, err := clickhouse.Open(cfg.ClickHouse)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, connector.Sink{Name: "clickhouse", Loader: ch, Workers: cfg.ClickHouse.Workers})
	}
	if slices.Contains(cfg.Sinks, "elasticsearch") {
		es, err := elastic.Open(cfg.Elasticsearch)
		if err != nil {
			return sinks, err
		}
		sinks = append(sinks, connector.Sink{Name: "elasticsearch", Loader: es, Workers: cfg.Elasticsearch.Workers})
	}
	if len(sinks) == 0 {
		return nil, errors.New("POSTCALL_SINKS names no sink: set clickhouse, elasticsearch or both")
	}
	return sinks, nil
}

func closeSinks(sinks []connector.Sink, log *slog.Logger) {
	for _, s := range sinks {
		if c, ok := s.Loader.(io.Closer); ok {
			if err := c.Close(); err != nil {
				log.Debug("close sink", "sink", s.Name, "err", fmt.Sprint(err))
			}
		}
	}
}
