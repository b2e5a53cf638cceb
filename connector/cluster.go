package connector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// On a cluster many pods work on the same streams. Any of them takes deliveries and loads batches; who seals a partition,
// and who keeps house, is told by leases (lease.go), and the fence of each sealed message makes it safe (DELIVERY.md,
// rules 14 and 15).
const (
	defaultReplicas = 3
	// clusterPartitions is small since each makes a batch every POSTCALL_BATCH_MAX_AGE, and the batches that may wait for a
	// store are counted (maxSealed); one seals over a thousand calls a second.
	clusterPartitions = 4
	maxPartitions     = 64
	// clusterPatience is how long a start waits for a cluster that elects its leaders.
	clusterPatience = time.Minute
)

// clusterOptions notice a dead link within seconds, and keep nothing back for a later connection: what is not sent is not
// stored, and its sender is told at once.
func clusterOptions(cfg NATSConfig, log *slog.Logger) []nats.Option {
	return append(cfg.options(),
		nats.PingInterval(2*time.Second), nats.MaxPingsOutstanding(2), nats.FlusherTimeout(5*time.Second),
		nats.Timeout(3*time.Second), nats.ReconnectWait(200*time.Millisecond), nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("the connection to JetStream is lost; it is made again", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("connected to JetStream again", "server", nc.ConnectedServerName()) }),
	)
}

// refusal is an error that no waiting cures.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// patiently tries f again for a while where the streams are a cluster's: its leaders may be in an election. The embedded
// streams answer at once or not at all.
func (s *streams) patiently(ctx context.Context, log *slog.Logger, what string, f func() error) error {
	if s.srv != nil {
		return f()
	}
	limit, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil {
			return nil
		}
		if _, final := errors.AsType[refusal](err); final || errors.Is(err, errOtherIntake) || sleep(limit, backoff(attempt, 100*time.Millisecond, 2*time.Second)) != nil {
			return err
		}
		log.Warn("the JetStream cluster is not ready; tried again", "to", what, "attempt", attempt, "err", err)
	}
}

// openCluster opens the streams of a cluster. The first pod makes them, the intake last: while that is missing, what a pod
// left that died half-way is completed, by several pods at once if need be. It is never made beside batches, whose
// positions would mean nothing (DELIVERY.md, rules 1 and 3).
func (s *streams) openCluster(ctx context.Context, cfg Config, log *slog.Logger) error {
	_, err := s.js.Stream(ctx, streamIntake)
	create := errors.Is(err, jetstream.ErrStreamNotFound)
	if err != nil && !create {
		return fmt.Errorf("look up stream %s: %w", streamIntake, err)
	}
	for _, sc := range streamConfigs(cfg, rand.Text(), true) {
		st, err := s.openOne(ctx, sc, create)
		if err != nil {
			return err
		}
		if err := checkReplicas(st.CachedInfo(), sc.Replicas); err != nil {
			return err
		}
		if err := s.use(st); err != nil {
			return refusal{err}
		}
		// The room beyond the batches goes by the partitions that there are.
		if sc.Name == streamBatches {
			limits, _ := sealedLimits(&sc)
			c := st.CachedInfo().Config
			now, _ := sealedLimits(&c)
			sc.MaxBytes = limits + c.MaxBytes - now
		}
		if st, err = s.resize(ctx, st, &sc); err != nil {
			return err
		}
		if err := s.use(st); err != nil {
			return refusal{err}
		}
	}
	if cfg.Partitions > 0 && cfg.Partitions != s.partitions {
		return refusal{fmt.Errorf("POSTCALL_PARTITIONS is %d, and the streams were made with %d: unset it, or stop every connector and run `postcall drain --partitions %d`",
			cfg.Partitions, s.partitions, cfg.Partitions)}
	}
	if slices.Contains(s.intake.CachedInfo().Config.Subjects, subjectGate) {
		return refusal{errGated}
	}
	if n := s.intake.CachedInfo().Config.Replicas; n < defaultReplicas {
		log.Warn("the streams have fewer than 3 replicas: a delivery that is acknowledged can be lost with one server", "replicas", n)
	}
	return nil
}

func (s *streams) openOne(ctx context.Context, sc jetstream.StreamConfig, create bool) (jetstream.Stream, error) {
	st, err := s.js.Stream(ctx, sc.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && create {
		if st, err = s.js.CreateStream(ctx, sc); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another pod was first
			st, err = s.js.Stream(ctx, sc.Name)
		}
	}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, refusal{fmt.Errorf("stream %s is missing beside the others: restore it from a backup, or remove all POSTCALL_ streams to begin anew", sc.Name)}
	case apiCode(err) == codeNoReplicas:
		return nil, refusal{fmt.Errorf("make stream %s with %d replicas (POSTCALL_NATS_REPLICAS): JetStream is a single server; name a cluster in POSTCALL_NATS_URL: %w", sc.Name, sc.Replicas, err)}
	case err != nil:
		return nil, fmt.Errorf("open stream %s: %w", sc.Name, err)
	}
	if create && sc.Name == streamBatches && st.CachedInfo().State.LastSeq > 0 {
		if _, err := s.js.Stream(ctx, streamIntake); err == nil { // another pod was much faster
			return st, nil
		}
		return nil, refusal{fmt.Errorf("stream %s holds batches and %s is missing: restore it from a backup, or remove all POSTCALL_ streams to begin anew", streamBatches, streamIntake)}
	}
	return st, nil
}

// codeNoReplicas is what a single server answers that is asked for replicas; jetstream has no name for it.
const codeNoReplicas = 10074

// checkReplicas refuses fewer replicas than are configured (DELIVERY.md, rule 15).
func checkReplicas(info *jetstream.StreamInfo, want int) error {
	if n := info.Config.Replicas; n < want {
		return refusal{fmt.Errorf("stream %s has %d replicas and POSTCALL_NATS_REPLICAS asks for %d: raise them (nats stream edit %s --replicas %d), or set it to %d, where a server that is lost may take calls with it",
			info.Config.Name, n, want, info.Config.Name, want, n)}
	}
	return nil
}

// intakeSubjects are those of the partitions there are, and no other: a frame that a pod of before a drain sends to one
// that is gone is refused by the stream.
func intakeSubjects(partitions int) (subjects []string) {
	for p := range partitions {
		subjects = append(subjects, subject(subjectIntake, p))
	}
	return subjects
}

// divide starts sealing and keeping house: all of it on one machine, this pod's share on a cluster.
func (c *Connector) divide(ctx context.Context, g *stages, st *streams, seal func(context.Context, int) error, house []func(context.Context) error, m *metrics) (*leases, error) {
	if st.srv != nil {
		for p := range st.partitions {
			g.seal.Go(func(ctx context.Context) error { return seal(ctx, p) })
		}
		for _, f := range house {
			g.sinks.Go(f)
		}
		return nil, nil
	}
	do := func(ctx context.Context, task int) {
		if task < st.partitions {
			_ = seal(ctx, task) // it ends with ctx
			return
		}
		if err := st.reportHoles(ctx, c.Log, m); err != nil && ctx.Err() == nil {
			c.Log.Warn("not looked for missing batches", "err", err)
		}
		var all sync.WaitGroup
		for _, f := range house {
			all.Go(func() { _ = f(ctx) }) // likewise
		}
		all.Wait()
	}
	var l *leases
	err := st.patiently(ctx, c.Log, "open the leases", func() (err error) {
		l, err = newLeases(ctx, st, do, c.Log, m)
		return err
	})
	if err == nil {
		g.seal.Go(l.run)
	}
	return l, err
}
