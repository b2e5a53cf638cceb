package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
)

func doctorCommand() *cobra.Command {
	var asJSON, running bool
	c := &cobra.Command{
		Use: "doctor", Short: "Check configuration, stores, schema and plugins", Args: cobra.NoArgs,
		Long: `doctor checks what "postcall serve" will depend on: the configuration, each enabled store (reachable, credentials, schema,
deduplication window), each plugin (starts, transforms an event), and whether a connector runs at POSTCALL_ADMIN_ADDR.
It changes nothing. Exit code 1 says that something has to be put right; each such line names the cure.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return doctor(c.Context(), c.OutOrStdout(), asJSON, running)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&running, "running", false, "a connector has to run at POSTCALL_ADMIN_ADDR")
	return c
}

// finding is one thing doctor looked at.
type finding struct {
	What    string `json:"what"`
	OK      bool   `json:"ok"`
	Warning bool   `json:"warning,omitempty"` // nothing is broken, but somebody should know
	Detail  string `json:"detail"`
}

func doctor(ctx context.Context, w io.Writer, asJSON, running bool) error {
	var found []finding
	add := func(what string, err error, good string) {
		f := finding{What: what, OK: err == nil, Detail: good}
		if err != nil {
			f.Detail = err.Error()
		}
		found = append(found, f)
	}
	warn := func(what, text string) {
		found = append(found, finding{What: what, OK: true, Warning: true, Detail: text})
	}
	cfg, err := connector.LoadConfig()
	if err == nil {
		err = cfg.RequireRedactKey()
	}
	add("configuration", err, "complete")
	if err == nil {
		examineSources(cfg, add)
	}
	if links := connector.ServiceLinks(os.Environ()); len(links) > 0 {
		add("environment", nil, serviceLinkAdvice(links))
	}
	if err == nil {
		examineSinks(ctx, cfg, add, warn)
		examinePlugins(ctx, cfg, add, warn)
		examineCluster(ctx, cfg, add, warn)
		examineConnector(ctx, cfg, running, add, warn)
	}
	bad := false
	for _, f := range found {
		bad = bad || !f.OK
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := enc.Encode(found); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			mark := "ok  "
			switch {
			case !f.OK:
				mark = "BAD "
			case f.Warning:
				mark = "WARN"
			}
			if _, err := fmt.Fprintf(w, "%s %-22s %s\n", mark, f.What, f.Detail); err != nil {
				return err
			}
		}
	}
	if bad {
		return errReported
	}
	return nil
}

// examineSources reads POSTCALL_SOURCES as serve does.
func examineSources(cfg connector.Config, add func(string, error, string)) {
	set, err := cfg.OpenSources()
	if err != nil {
		add("sources", err, "")
		return
	}
	for _, src := range set.Sources() {
		detail := "takes deliveries at " + src.Route
		if src.Open() {
			detail += " from anybody"
		}
		add("source "+src.Name, nil, detail)
	}
}

func examineSinks(ctx context.Context, cfg connector.Config, add func(string, error, string), warn func(string, string)) {
	sinks, err := openSinks(cfg)
	defer closeSinks(sinks, slog.New(slog.DiscardHandler))
	if err != nil {
		add("sinks", err, "")
		return
	}
	for _, s := range sinks {
		err := error(nil)
		if c, ok := s.Loader.(connector.Checker); ok {
			err = within15s(ctx, c.Check)
		}
		add("sink "+s.Name, err, "reachable, schema as this release wants it")
		if a, ok := s.Loader.(adviser); ok && err == nil {
			advise(ctx, a, s.Name, warn)
		}
	}
}

// adviser is a loader that knows what works and yet is not as the configuration wants it.
type adviser interface {
	Advice(ctx context.Context) ([]string, error)
}

// within15s calls what asks a store something.
func within15s(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 15*time.Second, errors.New("no answer within 15 s"))
	defer cancel()
	return ask(ctx)
}

func advise(ctx context.Context, a adviser, sink string, warn func(string, string)) {
	var advice []string
	err := within15s(ctx, func(ctx context.Context) (err error) {
		advice, err = a.Advice(ctx)
		return err
	})
	if err != nil {
		advice = append(advice, err.Error())
	}
	for _, text := range advice {
		warn("sink "+sink, text)
	}
}

func examinePlugins(ctx context.Context, cfg connector.Config, add func(string, error, string), warn func(string, string)) {
	chains, err := connector.OpenTransforms(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		add("plugins", err, "")
		return
	}
	defer chains.Close()
	for _, t := range chains.All() {
		detail := "starts and transforms"
		if v, ok := t.Transformer.(interface{ Version() string }); ok {
			detail = "version " + v.Version() + " " + detail
		}
		if chains.Skip[t.Name] {
			detail += "; events go on without it while it can't run (on_failure: skip)"
		}
		add("plugin "+t.Name, connector.TryTransform(ctx, t), detail)
	}
	for _, warning := range chains.Unredacted() {
		warn("privacy", warning)
	}
}

// examineCluster says what a client can see of the cluster.
func examineCluster(ctx context.Context, cfg connector.Config, add func(string, error, string), warn func(string, string)) {
	if cfg.NATS.URL == "" {
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 15*time.Second, errors.New("no answer within 15 s"))
	defer cancel()
	op, err := connector.OpenOperator(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		add("cluster", err, "")
		return
	}
	defer op.Close()
	c, err := op.Cluster(ctx)
	if err != nil {
		add("cluster", err, "")
		return
	}
	idle := 0
	for _, pod := range c.Sealers {
		if pod == "" {
			idle++
		}
	}
	add("cluster", nil, fmt.Sprintf("%d replicas, %d partitions, %d of them sealed by nobody, max_payload %d bytes", c.Replicas, c.Partitions, idle, c.MaxPayload))
	for _, text := range c.Advice() {
		warn("cluster", text)
	}
}

// examineConnector says whether a connector runs here; that none does is no fault.
func examineConnector(ctx context.Context, cfg connector.Config, required bool, add func(string, error, string), warn func(string, string)) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+cfg.AdminAddr+"/readyz", nil)
	if err != nil {
		add("connector", err, "")
		return
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil && required {
		add("connector", errors.New("none runs at POSTCALL_ADMIN_ADDR; start it with: postcall serve"), "")
		return
	}
	if err != nil {
		add("connector", nil, "none runs at POSTCALL_ADMIN_ADDR; start it with: postcall serve")
		return
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		add("connector", fmt.Errorf("runs, but is not ready (%d): see its log", res.StatusCode), "")
		return
	}
	add("connector", nil, "runs and takes deliveries")
	steps, err := connector.ReadTransforms(ctx, cfg)
	if err != nil {
		add("transforms", err, "")
	}
	for _, t := range steps {
		if t.State == connector.TransformHolds || t.State == connector.TransformSkipped {
			add("transform "+t.Name, fmt.Errorf("in the running connector: %s; see the connector's log for why", transformState(&t)), "")
		}
	}
	op, err := connector.OpenOperator(ctx, cfg, slog.New(slog.DiscardHandler))
	if errors.Is(err, connector.ErrNoStreams) { // asked from another pod or machine: nothing is wrong with that
		warn("streams", "are not in POSTCALL_DATA_DIR; run doctor or status beside the connector to see them")
		return
	}
	if err != nil {
		add("streams", err, "")
		return
	}
	defer op.Close()
	st, err := op.Status(ctx)
	if err == nil && len(st.Unused) > 0 {
		err = fmt.Errorf("sinks %s were enabled before and are not in POSTCALL_SINKS: what they lack is removed with the batches", strings.Join(st.Unused, ", "))
	}
	if err != nil {
		add("streams", err, "")
		return
	}
	add("streams", nil, fmt.Sprintf("intake %.0f%% full, batches %.0f%%, dead letters %.0f%%", 100*st.Intake.Use, 100*st.Batches.Use, 100*st.Dead.Use))
}
