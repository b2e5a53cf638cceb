package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// rounds does something while deliveries come in, spread over all of them.
func (w *world) rounds(n int, do func(context.Context, int) error) func(context.Context) error {
	w.lasting(time.Duration(n) * 700 * time.Millisecond)
	return func(ctx context.Context) error {
		for i := range n {
			if err := w.untilAcked(ctx, (float64(i)+rand.Float64())/float64(n+1)); err != nil {
				return err
			}
			w.doing("round %d of %d", i+1, n)
			if err := do(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
}

func killAtRandom(ctx context.Context, r *running) error {
	w, err := r.begin(ctx)
	if err != nil {
		return err
	}
	return w.load(ctx, w.rounds(r.scale.kills, func(ctx context.Context, _ int) error {
		if err := sleep(ctx, rand.N(50*time.Millisecond)); err != nil {
			return err
		}
		return w.killAndServe(ctx)
	}))
}

// killWhileSealing has many small batches, and kills within milliseconds of one.
func killWhileSealing(ctx context.Context, r *running) error {
	w, err := r.begin(ctx, "POSTCALL_BATCH_MAX_EVENTS=20", "POSTCALL_BATCH_MAX_AGE=10ms")
	if err != nil {
		return err
	}
	hits := 0
	err = w.load(ctx, w.rounds(r.scale.kills, func(ctx context.Context, _ int) error {
		before, limit := w.metric("postcall_batches_sealed_total"), time.Now().Add(2*time.Second)
		for time.Now().Before(limit) && ctx.Err() == nil {
			if w.metric("postcall_batches_sealed_total") > before {
				hits++
				break
			}
		}
		if err := sleep(ctx, rand.N(10*time.Millisecond)); err != nil {
			return err
		}
		return w.killAndServe(ctx)
	}))
	r.remark("%d of %d kills within milliseconds of a sealed batch", hits, r.scale.kills)
	return err
}

// killBeforeAck freezes a store, lets its inserts go out, kills postcall, and lets the store go on: it carries out what
// nobody waits for any more, and the next postcall loads it again.
func killBeforeAck(ctx context.Context, r *running) error {
	return r.killBeforeAck(ctx, "")
}

func (r *running) killBeforeAck(ctx context.Context, program string) error {
	w, err := r.world(ctx, "POSTCALL_BATCH_MAX_EVENTS=100", "POSTCALL_BATCH_MAX_AGE=20ms")
	if err != nil {
		return err
	}
	if program != "" {
		w.bin = program
	}
	if err := w.serve(ctx); err != nil {
		return err
	}
	return w.load(ctx, w.rounds(r.scale.kills, func(ctx context.Context, i int) error {
		e := []*engine{r.clickhouse, r.elasticsearch}[i%2]
		if err := sleep(ctx, rand.N(30*time.Millisecond)); err != nil {
			return err
		}
		e.freeze()
		defer e.thaw()
		if err := sleep(ctx, 100*time.Millisecond+rand.N(200*time.Millisecond)); err != nil {
			return err
		}
		w.kill()
		e.thaw()
		return w.serve(ctx)
	}))
}

func killClickHouse(ctx context.Context, r *running) error {
	w, err := r.begin(ctx)
	if err != nil {
		return err
	}
	return w.load(ctx, w.rounds(r.scale.kills, func(ctx context.Context, _ int) error {
		r.clickhouse.kill()
		if err := r.clickhouse.start(); err != nil {
			return err
		}
		return w.keepParts(ctx)
	}))
}

func killElasticsearch(ctx context.Context, r *running) error {
	w, err := r.begin(ctx)
	if err != nil {
		return err
	}
	kills := r.scale.kills
	if r.events <= 500 {
		kills = 1 // each start takes 20 s
	}
	return w.load(ctx, w.rounds(kills, func(context.Context, int) error {
		r.elasticsearch.kill()
		return r.elasticsearch.start()
	}))
}

func freezeClickHouse(ctx context.Context, r *running) error {
	return r.freeze(ctx, r.clickhouse)
}

func freezeElasticsearch(ctx context.Context, r *running) error {
	return r.freeze(ctx, r.elasticsearch)
}

// freeze stops a store for a while. Meanwhile the other one gets every call.
func (r *running) freeze(ctx context.Context, e *engine) error {
	w, err := r.begin(ctx)
	if err != nil {
		return err
	}
	w.lasting(time.Duration(r.frozen) * 4 * time.Second / 3)
	return w.load(ctx, func(ctx context.Context) error {
		if err := w.untilAcked(ctx, 0.1); err != nil {
			return err
		}
		w.doing("%s is frozen", e.name)
		e.freeze()
		defer e.thaw()
		return sleep(ctx, time.Duration(r.frozen)*time.Second)
	})
}

// terminate sends SIGTERM right after so many acknowledgements.
func terminate(ctx context.Context, r *running) error {
	w, err := r.begin(ctx)
	if err != nil {
		return err
	}
	after := int64(3000)
	if r.events < 5000 {
		after = 300
	}
	return w.load(ctx, func(ctx context.Context) error {
		for w.acked.Load() < after {
			if err := sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		begun := time.Now()
		if err := w.process().terminate(40 * time.Second); err != nil {
			return fmt.Errorf("postcall after SIGTERM: %w: %s", err, lastLine(w.log()))
		}
		r.remark("it stopped in order within %s of SIGTERM", time.Since(begun).Round(10*time.Millisecond))
		return w.serve(ctx)
	})
}

// elasticsearchDown compares ClickHouse's pace with that of runs without Elasticsearch, in turns.
func elasticsearchDown(ctx context.Context, r *running) error {
	var w *world
	pace := func(env ...string) (float64, error) {
		w.set(env...)
		if err := w.serve(ctx); err != nil {
			return 0, err
		}
		begun := time.Now()
		if err := w.load(ctx, nil); err != nil {
			return 0, err
		}
		err := until(ctx, "every call in ClickHouse", 5*time.Minute, func() bool {
			n, err := w.query(ctx, "SELECT uniqExact(call_id) FROM "+w.db+".calls_raw WHERE tenant = 'default'")
			return err == nil && number(n) >= len(w.calls)
		})
		return float64(len(w.calls)) / time.Since(begun).Seconds(), err
	}
	const rounds = 3
	var worlds [2 * rounds]*world
	for i := range worlds {
		var err error
		if worlds[i], err = r.newWorld(ctx, r.events); err != nil {
			return err
		}
	}
	if err := r.elasticsearch.stop(); err != nil {
		return err
	}
	var best float64
	var all []string
	for i := range rounds {
		w = worlds[2*i]
		alone, err := pace("POSTCALL_SINKS=clickhouse")
		if err != nil {
			return err
		}
		w.kill()
		w = worlds[2*i+1]
		down, err := pace()
		if err != nil {
			return err
		}
		if i < rounds-1 {
			w.kill()
		}
		best = max(best, down/alone)
		all = append(all, fmt.Sprintf("%.0f of %.0f", down, alone))
	}
	r.w = w
	r.remark("ClickHouse's calls/s with Elasticsearch down, of those without it: %v; the best pair has %.0f %%", all, 100*best)
	if err := r.elasticsearch.start(); err != nil {
		return err
	}
	if best < 0.9 {
		return fmt.Errorf("with Elasticsearch down, ClickHouse had at best %.0f %% of its pace, less than 90 %%", 100*best)
	}
	return nil
}
