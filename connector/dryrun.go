package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postcall/postcall/connector/source"
	"github.com/postcall/postcall/transforms"
)

// DryRun is the way from body to canonical event without the streams: what `postcall transform` shows.
type DryRun struct {
	read  *reading
	src   string
	chain *chain
	cfg   TransformConfig
}

// DryResult is what becomes of one body: events, none when a transform dropped it, or an error that holds no value of it.
type DryResult struct {
	Events []transforms.Event
	Err    error
}

// NewDryRun takes the sources of the configuration and the name of the one whose bodies will come, and what OpenTransforms
// has opened. A transform that keeps failing ends the run.
func NewDryRun(cfg Config, set *source.Set, src string, chains Chains, log *slog.Logger) (*DryRun, error) {
	read := newReading(&cfg, set, embeddedMaxPayload)
	if _, err := read.source(src); err != nil {
		return nil, fmt.Errorf("there is no source %s: name one of POSTCALL_SOURCES, or phonely", src)
	}
	d := &DryRun{
		read: read, src: src,
		chain: newChain(chains, cfg.Transform, log, newMetrics(buildInfo{})),
		cfg:   cfg.Transform,
	}
	d.chain.giveUp = 5
	return d, nil
}

// Run returns one result per body, in order.
func (d *DryRun) Run(ctx context.Context, bodies [][]byte) ([]DryResult, error) {
	out := make([]DryResult, len(bodies))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(d.chain.calls)
	for lo := 0; lo < len(bodies); lo += d.cfg.Events {
		hi := min(lo+d.cfg.Events, len(bodies))
		g.Go(func() error { return d.part(ctx, bodies[lo:hi], out[lo:hi]) })
	}
	return out, g.Wait()
}

func (d *DryRun) tenant() string {
	if src := d.read.set.Named(d.src); src != nil {
		return src.Tenant
	}
	return defaultTenant
}

func (d *DryRun) part(ctx context.Context, bodies [][]byte, out []DryResult) error {
	var events []transforms.Event
	var owner []int
	for i, b := range bodies {
		e, err := d.read.normalize(b, d.tenant(), d.src, time.Now().UTC().Truncate(time.Microsecond))
		if err != nil {
			out[i].Err = err
			continue
		}
		events, owner = append(events, e), append(owner, i)
	}
	results, err := d.chain.apply(ctx, d.chain.key(d.src), events)
	if err != nil {
		return err
	}
	for i, r := range results {
		o := &out[owner[i]]
		for j := range r.events {
			o.Events = append(o.Events, r.events[j].Event)
		}
		for _, f := range r.fates {
			if f.Outcome == fateDead {
				o.Err = errors.Join(o.Err, fmt.Errorf("held back: %s", f.Reason))
			}
		}
	}
	return nil
}
