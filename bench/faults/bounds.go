package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// intakeFull freezes both stores behind small streams until deliveries are refused, and lets them go on.
func intakeFull(ctx context.Context, r *running) error {
	w, err := r.begin(ctx, "POSTCALL_INTAKE_MAX_BYTES=16MiB", "POSTCALL_BATCH_MAX_BYTES=32MiB")
	if err != nil {
		return err
	}
	w.pad = (100 << 20) / w.total // far more than both streams hold
	return w.load(ctx, func(ctx context.Context) error {
		defer r.freezeStores()()
		w.doing("the stores are frozen")
		if err := until(ctx, "64 answers 503", 2*time.Minute, func() bool { return w.busy.Load() >= senders }); err != nil {
			return err
		}
		return sleep(ctx, 3*time.Second)
	})
}

// freezeStores freezes both and returns what thaws them.
func (r *running) freezeStores() func() {
	r.clickhouse.freeze()
	r.elasticsearch.freeze()
	return func() { r.clickhouse.thaw(); r.elasticsearch.thaw() }
}

// mounted is a file system of a row's own.
type mounted struct{ dir, image string }

func mount(args ...string) error {
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("mount %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// unmount waits for the last user of the file system, and takes it away from a later one.
func (m *mounted) unmount() error {
	var out []byte
	var err error
	for range 20 {
		if out, err = exec.Command("umount", m.dir).CombinedOutput(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = exec.Command("umount", "--lazy", m.dir).Run()
	return fmt.Errorf("umount %s: %w: %s", m.dir, err, strings.TrimSpace(string(out)))
}

// diskFull has a data directory on a tmpfs that is too small, and makes it larger once deliveries are refused.
func diskFull(ctx context.Context, r *running) error {
	w, err := r.world(ctx)
	if err != nil {
		return err
	}
	w.pad = max(8<<10, (24<<20)/w.total)
	fs := mounted{dir: w.data()}
	if err := os.MkdirAll(fs.dir, 0o700); err != nil {
		return err
	}
	size := w.pad * w.total / 2 // bytes of the bodies alone
	if err := mount("-t", "tmpfs", "-o", fmt.Sprintf("size=%d", size), "tmpfs", fs.dir); err != nil {
		return err
	}
	r.after(func() { w.kill(); _ = fs.unmount() })
	if err := w.serve(ctx); err != nil {
		return err
	}
	return w.load(ctx, func(ctx context.Context) error {
		thaw := r.freezeStores()
		defer thaw()
		w.doing("the stores are frozen, the disk gets full")
		if err := until(ctx, "64 answers 503", 2*time.Minute, func() bool { return w.busy.Load() >= senders }); err != nil {
			return err
		}
		if err := sleep(ctx, 3*time.Second); err != nil {
			return err
		}
		if err := mount("-o", fmt.Sprintf("remount,size=%d", 20*size), fs.dir); err != nil {
			return err
		}
		thaw()
		w.doing("the disk has room again")
		before := w.acked.Load()
		err := until(ctx, "another acknowledgement", 30*time.Second, func() bool { return w.acked.Load() >= before+senders || w.acked.Load() >= int64(w.planned()) })
		if err == nil || ctx.Err() != nil {
			return err
		}
		return errors.Join(errors.New("with room on the disk again, no delivery was taken within 30 s; postcall had to be restarted"), w.killAndServe(ctx))
	})
}

// twoOnOne starts a second postcall on the data directory of the first, which goes on.
func twoOnOne(ctx context.Context, r *running) error {
	w, err := r.begin(ctx)
	if err != nil {
		return err
	}
	return w.load(ctx, w.rounds(3, func(ctx context.Context, _ int) error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		second := w.command(ctx, "serve")
		for _, v := range []string{"POSTCALL_HTTP_ADDR", "POSTCALL_ADMIN_ADDR"} {
			addr, err := freeAddr()
			if err != nil {
				return err
			}
			second.Env = append(second.Env, v+"="+addr)
		}
		out, err := second.CombinedOutput()
		if err == nil || second.ProcessState.ExitCode() != 1 {
			return fmt.Errorf("the second postcall ended with %s, and not with exit 1:\n%s", second.ProcessState, out)
		}
		if !strings.Contains(string(out), "another postcall uses the data directory") {
			return fmt.Errorf("the second postcall does not say what is wrong:\n%s", out)
		}
		return nil
	}))
}

// setClock lets a build read how far its clock is off from a variable.
var setClock = []patch{{
	file: "$GOROOT/src/time/time.go", old: "\t\"math/bits\"\n", with: "\t\"math/bits\"\n\t\"syscall\"\n",
}, {
	file: "$GOROOT/src/time/time.go", old: "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n",
	with: `
// clockOffset is in seconds.
var clockOffset = func() (n int64) {
	s, _ := syscall.Getenv("FAULTS_CLOCK")
	for _, c := range s {
		if c >= '0' && c <= '9' {
			n = n*10 + int64(c-'0')
		}
	}
	return -n
}()

func Now() Time {
	sec, nsec, mono := runtimeNow()
	sec += clockOffset
`,
}}

// clockBack delivers every call, sets the clock back by an hour, and corrects every call.
func clockBack(ctx context.Context, r *running) error {
	dir, err := r.program(ctx, "with a clock to set", setClock)
	if err != nil {
		return err
	}
	w, err := r.world(ctx, "POSTCALL_TRANSFORMS=none") // a plugin has its own clock, and certificates that begin now
	if err != nil {
		return err
	}
	w.bin = dir
	w.total = len(w.calls) // all are corrected below
	if err := w.serve(ctx); err != nil {
		return err
	}
	if err := w.load(ctx, nil); err != nil {
		return err
	}
	w.set("FAULTS_CLOCK=3600")
	begun := time.Now()
	if err := w.killAndServe(ctx); err != nil {
		return err
	}
	if err := w.correct(ctx, len(w.calls)); err != nil {
		return err
	}
	return w.clockIsBack(begun)
}

// clockIsBack looks for the patch at work: the log's times.
func (w *world) clockIsBack(begun time.Time) error {
	for minute := range 3 {
		if w.logged(begun.Add(time.Duration(minute)*time.Minute-time.Hour).UTC().Format(`"time":"2006-01-02T15:04:`)) > 0 {
			return nil
		}
	}
	return errors.New("the clock was not set back: no line of the log is an hour old")
}
