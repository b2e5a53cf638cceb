package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
	loader "github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/connector/demo"
	"github.com/postcall/postcall/transforms"
)

// insertTarget is what an insert may cost with everything that metrics read, as a multiple of one without.
const insertTarget = 1.5

// fullBatch is the default of POSTCALL_BATCH_MAX_EVENTS. Under load batches are full; what a small one costs more is no load.
const fullBatch = 2000

// inserts measures batches that the loader inserts, in turns with and without the copy that metrics read, and without merges.
func (s *server) inserts(ctx context.Context, repeats int, w io.Writer) (err error) {
	for _, name := range []string{"calls_raw", "call_facts_raw"} {
		if _, err := s.query(ctx, "SYSTEM STOP MERGES postcall."+name, nil); err != nil {
			return err
		}
		defer func() {
			_, serr := s.query(context.WithoutCancel(ctx), "SYSTEM START MERGES postcall."+name, nil)
			err = errors.Join(err, serr)
		}()
	}
	l, err := loader.Open(connector.ClickHouseConfig{
		Addr: strings.Split(os.Getenv("POSTCALL_CLICKHOUSE_ADDR"), ","), Username: s.user, Password: connector.Secret(s.password),
		Database: "postcall", Timeout: time.Minute, Workers: 1,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	fmt.Fprintf(w, "\n| calls of a batch | without, ms | with, ms | | server's CPU ms without | with | under %.1f |\n|---|---|---|---|---|---|---|\n", insertTarget)
	missed := error(nil)
	for _, n := range []int{200, 1000, fullBatch} {
		with, without, err := s.turns(ctx, l, n, 4*repeats)
		if err != nil {
			return err
		}
		ratio, word := with.seconds/without.seconds, "-"
		if n == fullBatch {
			word = verdict(ratio < insertTarget)
			if ratio >= insertTarget {
				missed = errMissed
			}
		}
		fmt.Fprintf(w, "| %d | %.0f | %.0f | %.2f | %.0f | %.0f | %s |\n", n, 1000*without.seconds, 1000*with.seconds, ratio, 1000*without.cpu, 1000*with.cpu, word)
	}
	return missed
}

// turns loads the same calls again and again, each time as a batch that nobody has seen.
func (s *server) turns(ctx context.Context, l *loader.Loader, n, repeats int) (with, without took, err error) {
	next, stop := iter.Pull(demo.Month(demo.Options{Calls: n, Seed: 2}))
	defer stop()
	events, err := take(next, connector.NewNormalizer(time.UTC, [][]byte{[]byte(key)}), n)
	if err != nil {
		return with, without, err
	}
	b := newBar(fmt.Sprintf("Loading batches of %d", n), repeats)
	for i := range repeats {
		t, err := s.load(ctx, l, events)
		if err != nil {
			return with, without, err
		}
		if i > 0 { // the first one warms up
			with.least(t)
		}
		if t, err = s.loadAlone(ctx, l, events); err != nil {
			return with, without, err
		}
		without.least(t)
		b.at(i + 1)
	}
	return with, without, nil
}

// loadAlone does so without the copy.
func (s *server) loadAlone(ctx context.Context, l *loader.Loader, events []transforms.Event) (t took, err error) {
	if _, err := s.query(ctx, "DETACH TABLE postcall.call_facts_copy SYNC", nil); err != nil {
		return t, err
	}
	defer func() {
		_, aerr := s.query(context.WithoutCancel(ctx), "ATTACH TABLE postcall.call_facts_copy", nil)
		err = errors.Join(err, aerr)
	}()
	return s.load(ctx, l, events)
}

func (s *server) load(ctx context.Context, l *loader.Loader, events []transforms.Event) (took, error) {
	return s.timed(ctx, func() error {
		return l.Load(ctx, connector.Batch{Token: fmt.Sprintf("scale-%d", time.Now().UnixNano()), Events: events})
	})
}
