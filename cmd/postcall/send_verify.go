package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
)

// verifyEvery is how often a store is asked for what was delivered.
const verifyEvery = 250 * time.Millisecond

// verifier waits until the stores have what was delivered.
type verifier struct {
	sinks  []connector.Sink
	keys   []connector.SinkKey
	before map[string][]int64 // by sink: what it had of each call before the delivery
}

// newVerifier asks every enabled sink's store what it has already, so that an older delivery of a call does not count.
func newVerifier(ctx context.Context, plan *sendPlan, tenant string) (*verifier, error) {
	cfg, err := connector.LoadConfig()
	if err != nil {
		return nil, err
	}
	v := &verifier{before: map[string][]int64{}}
	for _, id := range plan.ids() {
		if id == "" {
			return nil, usagef("--verify finds calls by their id, and a payload has none at --id-path %s", plan.o.idPath)
		}
		v.keys = append(v.keys, connector.SinkKey{Tenant: tenant, CallID: id})
	}
	if v.sinks, err = openSinks(cfg); err != nil {
		v.close()
		return nil, err
	}
	for _, s := range v.sinks {
		if v.before[s.Name], err = versions(ctx, s, v.keys); err != nil {
			v.close()
			return nil, fmt.Errorf("ask %s what it has: %w", s.Name, err)
		}
	}
	return v, nil
}

func versions(ctx context.Context, s connector.Sink, keys []connector.SinkKey) ([]int64, error) {
	store, ok := s.Loader.(connector.Versioner)
	if !ok {
		return nil, errors.New("it can't be asked")
	}
	return store.Versions(ctx, keys)
}

func (v *verifier) close() { closeSinks(v.sinks, slog.New(slog.DiscardHandler)) }

// wait returns once every store has a newer version of every call, or says what is missing after the timeout.
func (v *verifier) wait(ctx context.Context, timeout time.Duration, out io.Writer) error {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var errs []error
	for _, s := range v.sinks {
		if err := v.waitFor(ctx, s); err != nil {
			errs = append(errs, err)
			continue
		}
		_, _ = fmt.Fprintf(out, "%s has %s %s after the delivery\n", s.Name, calls(len(v.keys)), time.Since(start).Round(time.Millisecond))
	}
	return errors.Join(errs...)
}

func (v *verifier) waitFor(ctx context.Context, s connector.Sink) error {
	var missing []string
	var failed error
	for {
		found, err := versions(ctx, s, v.keys)
		if err == nil {
			missing, failed = missing[:0], nil
			for i, k := range v.keys {
				if found[i] <= v.before[s.Name][i] {
					missing = append(missing, k.CallID)
				}
			}
			if len(missing) == 0 {
				return nil
			}
		} else if ctx.Err() == nil {
			failed = err
		}
		if !waitUntil(ctx, time.Now().Add(verifyEvery)) {
			break
		}
	}
	if failed != nil {
		return fmt.Errorf("ask %s what it has: %w", s.Name, failed)
	}
	return fmt.Errorf("%s does not have %s, %s first, in time; where postcall runs, see postcall status and postcall dead list",
		s.Name, calls(len(missing)), strings.Join(missing[:min(len(missing), 1)], ""))
}

func calls(n int) string {
	if n == 1 {
		return "1 call"
	}
	return fmt.Sprintf("%d calls", n)
}
