package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// pods has so many connectors on a cluster of three NATS servers.
func (r *running) pods(ctx context.Context, n int, cuttable bool, env ...string) (*world, *nodes, error) {
	w, err := r.world(ctx, append([]string{"POSTCALL_LOG_LEVEL=info"}, env...)...)
	if err != nil {
		return nil, nil, err
	}
	c, err := r.startNodes(ctx, filepath.Join(w.dir, "nats"), cuttable)
	if err != nil {
		return nil, nil, err
	}
	w.set("POSTCALL_NATS_URL=" + c.urls())
	for range n - 1 {
		if _, err := w.twin(); err != nil {
			return nil, nil, err
		}
	}
	for _, one := range w.all() {
		if err := one.serve(ctx); err != nil {
			return nil, nil, err
		}
	}
	return w, c, nil
}

// killPods kills one connector after the other.
func (w *world) killPods(ctx context.Context, every time.Duration, kills int) error {
	all := w.all()
	for i := range kills {
		w.doing("connector %d of %d killed, %d of %d times", i%len(all)+1, len(all), i+1, kills)
		if err := all[i%len(all)].killAndServe(ctx); err != nil {
			return err
		}
		if err := sleep(ctx, every); err != nil {
			return err
		}
	}
	return nil
}

const podsKilledEvery = 5 * time.Second

func clusterKills(ctx context.Context, r *running) error {
	w, _, err := r.pods(ctx, 4, false)
	if err != nil {
		return err
	}
	w.lasting(time.Duration(r.scale.kills) * podsKilledEvery)
	return w.load(ctx, func(ctx context.Context) error { return w.killPods(ctx, podsKilledEvery, r.scale.kills) })
}

// killServers kills one server after the other, each when the one before has been back for a while.
func (w *world) killServers(ctx context.Context, c *nodes, kills int) error {
	for i := range kills {
		w.doing("NATS server %d killed, %d of %d times", i%3+1, i+1, kills)
		c.kill(i % 3)
		if err := sleep(ctx, 3*time.Second+rand.N(2*time.Second)); err != nil {
			return err
		}
		if err := c.start(i % 3); err != nil {
			return err
		}
		if err := errors.Join(c.ready(ctx), sleep(ctx, 7*time.Second)); err != nil {
			return err
		}
	}
	return nil
}

func clusterServers(ctx context.Context, r *running) error {
	w, c, err := r.pods(ctx, 2, false)
	if err != nil {
		return err
	}
	kills := max(3, r.scale.kills/3)
	w.lasting(time.Duration(kills) * 11 * time.Second)
	return w.load(ctx, func(ctx context.Context) error { return w.killServers(ctx, c, kills) })
}

// cutLinks cuts one server off after the other, for longer than a lease: in turns from its peers alone, where the
// connectors that are connected to it stay so, and from everybody.
func (w *world) cutLinks(ctx context.Context, c *nodes, cuts int) error {
	for i := range cuts {
		cut, from := c.cutPeers, "its peers"
		if i%2 == 1 {
			cut, from = c.cutOff, "everybody"
		}
		w.doing("NATS server %d is cut off from %s, %d of %d times", i%3+1, from, i+1, cuts)
		if err := cut(i%3, true); err != nil {
			return err
		}
		err := sleep(ctx, 10*time.Second)
		if err := errors.Join(err, cut(i%3, false)); err != nil {
			return err
		}
		if err := sleep(ctx, 7*time.Second); err != nil {
			return err
		}
	}
	return nil
}

func clusterCuts(ctx context.Context, r *running) error {
	w, c, err := r.pods(ctx, 2, true)
	if err != nil {
		return err
	}
	cuts := max(3, r.scale.kills/3)
	w.lasting(time.Duration(cuts) * 17 * time.Second)
	return w.load(ctx, func(ctx context.Context) error { return w.cutLinks(ctx, c, cuts) })
}

// clusterAll kills connectors all the time, and meanwhile cuts off a server, then kills one, in turns.
func clusterAll(ctx context.Context, r *running) error {
	w, c, err := r.pods(ctx, 4, true)
	if err != nil {
		return err
	}
	rounds := max(2, r.scale.kills/5)
	w.lasting(time.Duration(rounds) * 30 * time.Second)
	return w.load(ctx, func(ctx context.Context) error {
		killing, done := make(chan error, 1), make(chan struct{})
		go func() {
			for {
				select {
				case <-done:
					killing <- nil
					return
				default:
				}
				if err := w.killPods(ctx, podsKilledEvery, 1+rand.N(4)); err != nil {
					killing <- err
					return
				}
			}
		}()
		var err error
		for i := 0; i < rounds && err == nil; i++ {
			err = errors.Join(w.cutLinks(ctx, c, 2), w.killServers(ctx, c, 1))
		}
		close(done)
		return errors.Join(err, <-killing)
	})
}

// clusterPace has the same deliveries taken by 1, 2 and 4 connectors, each with stores and a cluster of its own.
func clusterPace(ctx context.Context, r *running) error {
	for _, n := range []int{1, 2, 4} {
		w, c, err := r.pods(ctx, n, false, "POSTCALL_BATCH_MAX_AGE=1s")
		if err != nil {
			return err
		}
		begun := time.Now()
		if err := w.load(ctx, nil); err != nil {
			return err
		}
		acked := time.Since(begun)
		most := 0
		err = until(ctx, "every call in both stores", 10*time.Minute, func() bool {
			for _, one := range w.all() {
				most = max(most, one.memory())
			}
			ch, es := w.counts(ctx)
			return ch >= len(w.calls) && es >= len(w.calls)
		})
		if err != nil {
			return err
		}
		loaded := time.Since(begun)
		r.remark("%d connectors: %.0f deliveries/s acknowledged, %.0f/s in both stores; at most %d MiB a connector, its plugins aside", n,
			float64(w.planned())/acked.Seconds(), float64(w.planned())/loaded.Seconds(), most>>20)
		if n == 4 {
			return nil
		}
		for _, one := range w.all() {
			one.kill()
		}
		c.close()
	}
	return nil
}

// memory is what postcall has at most had in memory, in bytes, without its plugins.
func (w *world) memory() int {
	p := w.process()
	if p == nil {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return kib << 10
		}
	}
	return 0
}
