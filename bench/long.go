package main

import (
	"context"
	"fmt"
)

// runFlat delivers ever more events, each time to a new process on a new folder: the cost of one should not depend on how
// many came before it.
func runFlat(ctx context.Context, o options, st *standIns, p *report) error {
	const size = 8 << 10
	for _, events := range []int{1_000, 10_000, 100_000, 1_000_000} {
		say("postcall, %d events of %d KiB", events, size>>10)
		r, err := runPostcall(ctx, o, "postcall", st, newCalls(newRun(), size, 1), plan{Size: size, Events: events, Senders: o.senders, Timeout: patience})
		p.Results = append(p.Results, r)
		if err != nil {
			return err
		}
	}
	return nil
}

// runBacklog fills the streams while both stores are down, and lets them be loaded. Half of each delivery is text that
// doesn't compress, so that the streams hold about as many bytes as were delivered.
func runBacklog(ctx context.Context, o options, st *standIns, p *report) error {
	c := newCalls(newRun(), 4<<10, 1)
	c.noise = 4 << 10
	room := fmt.Sprintf("%dGiB", 2*o.backlog)
	pl := plan{
		Size: c.size(), Events: o.backlog << 30 / c.size(), Senders: o.senders, Timeout: patience, Outage: true,
		Env: []string{"POSTCALL_INTAKE_MAX_BYTES=" + room, "POSTCALL_BATCH_MAX_BYTES=" + room},
	}
	say("postcall, a backlog of %d events, %d GiB", pl.Events, o.backlog)
	r, err := runPostcall(ctx, o, "postcall, after an outage", st, c, pl)
	p.Results = append(p.Results, r)
	return err
}
