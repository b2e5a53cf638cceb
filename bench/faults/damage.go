package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// tear cuts off the last third of a file, as a crash of the machine may.
func tear(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, fi.Size()*2/3)
}

// flip turns one bit in the middle of a file.
func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 0x10
	return os.WriteFile(path, b, 0o600)
}

// damageIntake damages frames that are acknowledged and not yet sealed: a plugin holds the sealer up.
func damageIntake(damage func(string) error) func(context.Context, *running) error {
	return func(ctx context.Context, r *running) error {
		w, err := r.world(ctx, "POSTCALL_TRANSFORM_TIMEOUT=2s")
		if err != nil {
			return err
		}
		if err := w.plugins(ctx, "hold"); err != nil {
			return err
		}
		held := filepath.Join(w.dir, "plugins", "held")
		if err := os.WriteFile(held, nil, 0o644); err != nil {
			return err
		}
		if err := w.serve(ctx); err != nil {
			return err
		}
		if err := w.load(ctx, nil); err != nil {
			return err
		}
		w.kill()
		if err := w.damage("POSTCALL_INTAKE", damage); err != nil {
			return err
		}
		if err := os.Remove(held); err != nil {
			return err
		}
		return r.afterDamage(ctx)
	}
}

// damageBatches damages sealed batches that no store has yet: both are frozen.
func damageBatches(damage func(string) error) func(context.Context, *running) error {
	return func(ctx context.Context, r *running) error {
		w, err := r.begin(ctx, "POSTCALL_BATCH_MAX_EVENTS=50")
		if err != nil {
			return err
		}
		err = func() error {
			defer r.freezeStores()()
			if err := w.load(ctx, nil); err != nil {
				return err
			}
			if err := until(ctx, "every delivery sealed", time.Minute, func() bool {
				return w.metric("postcall_events_sealed_total") >= float64(w.planned())
			}); err != nil {
				return err
			}
			if err := sleep(ctx, 2*time.Second); err != nil { // the sealed frames are purged
				return err
			}
			w.kill()
			return w.damage("POSTCALL_BATCHES", damage)
		}()
		if err != nil {
			return err
		}
		return r.afterDamage(ctx)
	}
}

// afterDamage starts postcall on what is left. Deliveries go on, as they would: some gaps show only then.
func (r *running) afterDamage(ctx context.Context) error {
	r.expect = expect{lossy: true, patient: 15 * time.Second}
	if err := r.w.serve(ctx); err != nil {
		return err
	}
	return r.w.correct(ctx, 40)
}

// damage damages the newest file of a stream.
func (w *world) damage(stream string, how func(string) error) error {
	blocks, err := filepath.Glob(filepath.Join(w.data(), "jetstream", "jetstream", "*", "streams", stream, "msgs", "*.blk"))
	if err != nil {
		return err
	}
	newest, number := "", -1
	for _, b := range blocks {
		var n int
		fi, err := os.Stat(b)
		if _, serr := fmt.Sscanf(filepath.Base(b), "%d.blk", &n); serr != nil || err != nil || fi.Size() < 1000 {
			continue
		}
		if n > number {
			newest, number = b, n
		}
	}
	if newest == "" {
		return errors.New("the stream has no file with messages in " + w.data())
	}
	return how(newest)
}
