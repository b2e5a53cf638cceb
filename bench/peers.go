package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// peerTable is where Redpanda Connect inserts: the columns it fills, plain where postcall's are low-cardinality or arrays.
const peerTable = `CREATE TABLE postcall.bench_calls (
  call_id String,
  agent_name String,
  caller_name String,
  call_direction String,
  call_started DateTime64(3, 'UTC'),
  call_ended DateTime64(3, 'UTC'),
  duration Float64,
  business_phone_number String,
  customer_phone_number String,
  mentioned_email String,
  mentioned_date String,
  mentioned_time String,
  summary String,
  long_summary String,
  purpose String,
  topic String,
  sentiment String,
  key_points String,
  unanswered_questions String,
  action_items String,
  follow_up String,
  follow_up_reason String,
  ai_success String,
  ended_reason String,
  recording_url String,
  dashboard_url String,
  turns UInt32,
  agent_words UInt32,
  user_words UInt32
) ENGINE = MergeTree`

// startRedpanda starts peers/redpanda with a memory buffer, which promises nothing, or a sqlite one, which doesn't sync.
func startRedpanda(ctx context.Context, o options, dir, buffer string, st *standIns) (*target, error) {
	st.ch.answer(peerTable)
	block := `{"memory": {"limit": 524288000}}`
	if buffer == "sqlite" {
		block = fmt.Sprintf(`{"sqlite": {"path": %q}}`, filepath.Join(dir, "buffer.db"))
	}
	hook := freeAddr()
	env := []string{"ADDR=" + hook, "BUFFER=" + block, "CLICKHOUSE=" + st.ch.addr, "ELASTICSEARCH=" + st.es.addr}
	argv := []string{filepath.Join(o.bin, "peers", "redpanda"), "run", o.config}
	p, err := start(argv, env, filepath.Join(dir, "redpanda.log"))
	if err != nil {
		return nil, fmt.Errorf("%w (make bench PEERS=1 builds it)", err)
	}
	t := &target{process: p, addr: hook, path: "/phonely/webhook"}
	return t, t.ready(ctx, "")
}

// runRedpanda starts it on a new folder and measures it. That it loses events is a figure, not a failure of the run.
func runRedpanda(ctx context.Context, o options, buffer string, st *standIns, c *calls, p plan) (result, error) {
	dir, err := os.MkdirTemp(o.dir, "postcall-bench-")
	if err != nil {
		return result{}, err
	}
	defer removeDir(dir)
	t, err := startRedpanda(ctx, o, dir, buffer, st)
	if err != nil {
		return result{}, err
	}
	r, err := measure(ctx, "Redpanda Connect, "+buffer+" buffer", t, st, c, p)
	if err != nil && ctx.Err() == nil && r.Load.Accepted > 0 {
		say("  %v; the end of its log:\n%s", err, tail(t.log))
		err = nil
	}
	return r, err
}

// comparePeers runs postcall and Redpanda Connect in turns, so that a busy moment of the machine hits both.
func comparePeers(ctx context.Context, o options, st *standIns, size int, p *report) error {
	closed := plan{Size: size, Events: o.events, Senders: o.senders, Timeout: patience}
	turn := func(run func(c *calls) (result, error)) error {
		r, err := run(newCalls(newRun(), size, 1))
		p.Results = append(p.Results, r)
		return err
	}
	for round := range o.rounds {
		say("round %d of %d", round+1, o.rounds)
		if err := turn(func(c *calls) (result, error) { return runPostcall(ctx, o, "postcall", st, c, closed) }); err != nil {
			return err
		}
		if err := turn(func(c *calls) (result, error) { return runRedpanda(ctx, o, "memory", st, c, closed) }); err != nil {
			return err
		}
	}
	say("once with the sqlite buffer, and fewer events")
	few := closed
	few.Events = max(o.events/10, 500)
	return turn(func(c *calls) (result, error) { return runRedpanda(ctx, o, "sqlite", st, c, few) })
}
