package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"
)

// Connector is the running pipeline.
type Connector struct {
	Config     Config
	Sinks      []Sink
	Transforms []Transform // of every source, unless Sources names it; see Chains
	Sources    map[string][]Transform
	Skip       map[string]bool
	Log        *slog.Logger
	Version    string // of the binary, for /metrics and traces
	Commit     string // likewise
	// Tracer makes the spans of deliveries and batches; nil makes none.
	Tracer trace.Tracer
	// Console, if not nil, makes what is served under [ConsolePath] on the admin port.
	Console func(*Running) http.Handler
	// Started, if not nil, is called once with the bound addresses when deliveries are taken.
	Started func(http, admin net.Addr)

	tap func(http.Handler) // hands the webhook to a benchmark
}

// Run takes deliveries and loads them until ctx ends, then stops in order within Config.ShutdownTimeout: the webhook,
// the intake, the sealers, the sinks. What is not loaded by then is on disk and goes on at the next start.
// A store that is down keeps neither Run from starting nor deliveries from being taken.
func (c *Connector) Run(ctx context.Context) (err error) {
	cipher, err := newBodyCipher(c.Config.RedactKeys())
	if err != nil {
		return err
	}
	set, err := c.Config.OpenSources()
	if err != nil {
		return err
	}
	m := newMetrics(buildInfo{c.Version, c.Commit})
	st, err := openStreams(ctx, c.Config, c.Log)
	if err != nil {
		return err
	}
	defer st.close()
	if err := st.patiently(ctx, c.Log, "compare the streams", func() error { return st.alignIntake(ctx, c.Log, m) }); err != nil {
		return err
	}
	maxBody, err := bodyLimit(c.Config, st.maxPayload)
	if err != nil {
		return err
	}

	// Each stage has a context of its own: they end one after the other, from the front to the back.
	stages := newStages(ctx)
	erased := newErasures(c.Config.RedactKeys())
	read := newReading(&c.Config, set, st.maxPayload)
	bodies := &bodyReader{read, cipher, erased}
	dead := &deadLetters{js: st.js, cipher: cipher, erased: bodies, log: c.Log, m: m}
	if err := st.patiently(ctx, c.Log, "read the erasure list", func() error { return erased.load(ctx, st) }); err != nil {
		return err
	}
	stages.sinks.Go(func(ctx context.Context) error { return erased.follow(ctx, st, c.Log) })
	sinks, err := c.startSinks(ctx, stages.sinks, st, dead, erased, m)
	if err != nil {
		return errors.Join(err, stages.stop(context.Background()))
	}
	if err := c.warnOfUnused(ctx, st); err != nil {
		return errors.Join(err, stages.stop(context.Background()))
	}
	stages.sinks.Go(func(ctx context.Context) error { return set.Watch(ctx, c.Log) })
	tr, hurry := tracing{c.Tracer}, ctx.Done()
	ch := newChain(Chains{c.Transforms, c.Sources, c.Skip}, c.Config.Transform, c.Log, m)
	ch.tracing = tr
	m.registry.MustRegister(newPluginCollector(ch.steps))
	stages.seal.Go(ch.probe)
	seal := func(ctx context.Context, p int) error {
		s := &sealer{
			st: st, partition: p, cfg: c.Config, read: read, chain: ch, cipher: cipher, log: c.Log, m: m,
			guard: &shareGuard{limit: c.Config.MaxDeadShare}, erased: erased, hurry: hurry, tracing: tr,
		}
		return s.run(ctx)
	}
	ret := &retention{st: st, sinks: append(c.sinkNames(), consumerFates), retain: c.Config.Retain, log: c.Log}
	shared, err := c.divide(ctx, stages, st, seal, []func(context.Context) error{newResealer(st, bodies, c.Log, m).run, ret.run}, m)
	if err != nil {
		return errors.Join(err, stages.stop(context.Background()))
	}
	in := newIntake(st, c.Config.Intake, c.Log, m)
	in.tracing = tr
	for p := range st.partitions {
		stages.intake.Go(func(ctx context.Context) error { return in.run(ctx, p) })
	}
	adm := &admin{st: st, m: m, sinks: sinks, chain: ch, intake: in, erased: erased, pprof: c.Config.AdminPprof, leases: shared}
	if c.Console != nil {
		op := &Operator{st: st, cipher: cipher, cfg: c.Config, dead: dead, erased: erased, here: adm}
		adm.console = c.Console(&Running{op, c.Sinks})
	}
	stages.sinks.Go(adm.watch)
	if st.srv != nil {
		control, err := listenControl(context.WithoutCancel(ctx), c.Config.DataDir, c.Log)
		if err != nil {
			return errors.Join(err, stages.stop(context.Background()))
		}
		if control != nil {
			stages.sinks.Go(func(ctx context.Context) error { return st.serveControl(ctx, control) })
		}
		in.disk = &diskWatch{dir: c.Config.DataDir, log: c.Log, m: m}
		stages.sinks.Go(in.disk.run)
	}

	hook := newWebhook(c.Config, maxBody, set, read, in, dead, c.Log, m)
	hook.tracing = tr
	if c.tap != nil {
		c.tap(hook)
	}
	servers, err := c.listen(hook, adm, set)
	if err != nil {
		return errors.Join(err, stages.stop(context.Background()))
	}
	if servers.keys != nil {
		stages.sinks.Go(func(ctx context.Context) error { return servers.keys.watch(ctx, c.Log, m) })
	}
	adm.ready.Store(true)
	if c.Started != nil {
		c.Started(servers.hook.Addr(), servers.admin.Addr())
	}
	select {
	case <-ctx.Done():
	case err = <-servers.failed:
	case <-stages.failed():
	}
	c.Log.Info("stopping; what is not loaded goes on at the next start", "deadline", c.Config.ShutdownTimeout.String())
	adm.ready.Store(false)
	stopCtx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), c.Config.ShutdownTimeout, errors.New("the shutdown deadline passed"))
	defer cancel()
	answerCtx, cancel := context.WithTimeout(stopCtx, c.Config.ShutdownTimeout/4) // a slow sender must not take it all
	servers.stop(answerCtx)
	cancel()
	if ctx.Err() != nil { // asked to stop; after a failure there is nothing to wait for
		drainCtx, cancel := context.WithTimeout(stopCtx, c.Config.ShutdownTimeout*3/4)
		defer cancel()
		if shared == nil || !shared.leave(drainCtx) { // nobody else seals what is there
			c.drain(drainCtx, st, ch, sinks)
		}
	}
	serr := stages.stop(stopCtx)
	in.close()
	servers.close()
	return errors.Join(err, serr)
}

// consumerFates is the durable consumer that derives dead letters from the fates in sealed messages.
const consumerFates = "dead-letters"

// startSinks opens every durable consumer before the first delivery is taken, then lets the sinks run.
func (c *Connector) startSinks(ctx context.Context, g *stage, st *streams, dead *deadLetters, erased *erasures, m *metrics) ([]*sink, error) {
	type starter struct {
		name    string
		workers int
		alone   bool // one batch at a time over all pods
		cons    jetstream.Consumer
		needs   func(nats.Header) bool // nil needs every message
		handle  func(context.Context, *sealed) error
	}
	starts := []starter{{name: consumerFates, workers: 1, needs: hasFates, handle: dead.putFates}}
	var sinks []*sink
	for _, sk := range c.Sinks {
		s := &sink{Sink: sk, dead: dead, log: c.Log, m: m, guard: &shareGuard{limit: c.Config.MaxDeadShare}, erased: erased, tracing: tracing{c.Tracer}}
		m.zeroSink(sk.Name)
		sinks = append(sinks, s)
		starts = append(starts, starter{name: sk.Name, workers: sk.workers(), alone: sk.exclusive(), handle: s.handle})
	}
	for i := range starts {
		s := &starts[i]
		err := st.patiently(ctx, c.Log, "open the consumers", func() (err error) {
			s.cons, err = st.consumer(ctx, s.name, s.workers, s.alone)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, s := range starts {
		g.Go(func(ctx context.Context) error {
			return st.consume(ctx, s.cons, s.name, s.workers, dead, c.Log, s.needs, s.handle)
		})
	}
	return sinks, nil
}

func (c *Connector) warnOfUnused(ctx context.Context, st *streams) error {
	return st.patiently(ctx, c.Log, "list the consumers", func() error {
		unused, err := st.unusedSinks(ctx, c.sinkNames())
		if len(unused) > 0 {
			c.Log.Warn("sinks that were enabled before are not any more; what they lack is removed with the batches", "sinks", unused)
		}
		return err
	})
}

func (c *Connector) sinkNames() []string {
	names := make([]string, len(c.Sinks))
	for i := range c.Sinks {
		names[i] = c.Sinks[i].Name
	}
	return names
}

// bodyLimit is the largest body the webhook takes: a share of the stream's largest message, since an event can grow on
// its way (DELIVERY.md, rule 7).
func bodyLimit(cfg Config, maxPayload int) (int64, error) {
	share := int64(maxPayload / 4)
	limit := int64(cfg.Intake.MaxBody)
	if limit == 0 {
		limit = min(share, 2<<20)
	}
	switch {
	case limit > int64(cfg.Intake.MaxInFlight):
		return 0, fmt.Errorf("POSTCALL_INTAKE_MAX_IN_FLIGHT has no room for one body of %d bytes: raise it, or lower POSTCALL_INTAKE_MAX_BODY", limit)
	case limit > share:
		return 0, fmt.Errorf("POSTCALL_INTAKE_MAX_BODY is over a quarter of the stream's max_payload (%d bytes): set it to %d or less, or raise max_payload", maxPayload, share)
	default:
		return limit, nil
	}
}
