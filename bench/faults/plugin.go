package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postcall/postcall/transforms"
)

// poisonPlugin fails on one event in 50 in its own way. Those are dead for both stores.
func poisonPlugin(name string) func(context.Context, *running) error {
	return func(ctx context.Context, r *running) error {
		switch name {
		case "poison-hang", "poison-hog", "poison-answer":
			r.few("each poison event costs several deadlines or deaths until it stands alone")
		}
		w, err := r.withPlugin(ctx, name)
		if err != nil {
			return err
		}
		n := w.poisonous(`"purpose":"poison"`)
		r.expect = expect{dead: n, missing: map[string]int{"clickhouse": n, "elasticsearch": n}, patient: 10 * time.Minute}
		if err := w.serve(ctx); err != nil {
			return err
		}
		r.checks = append(r.checks, r.flat)
		return w.load(ctx, nil)
	}
}

// few keeps a row short that is slow on purpose.
func (r *running) few(why string) {
	if r.events > 1000 {
		r.events = 1000
		r.remark("1000 deliveries: %s", why)
	}
}

// withPlugin makes a world whose last transform is a plugin that misbehaves.
func (r *running) withPlugin(ctx context.Context, name string) (*world, error) {
	w, err := r.world(ctx, "POSTCALL_TRANSFORM_TIMEOUT=1s")
	if err != nil {
		return nil, err
	}
	switch name {
	case "poison-answer": // it takes its time to make one, and memory
		w.set("POSTCALL_TRANSFORM_TIMEOUT=10s", "POSTCALL_PLUGIN_MEMORY=1GiB")
	case "poison-hog": // the bound ends it, and not the deadline
		w.set("POSTCALL_TRANSFORM_TIMEOUT=10s", "POSTCALL_PLUGIN_MEMORY=128MiB")
	}
	return w, w.plugins(ctx, name)
}

// flatLimit is more than postcall needs in any of these rows, and less than it would with what a plugin pushes at it.
const flatLimit = 400 << 20

// flat checks the most that postcall's own process ever had resident.
func (r *running) flat() error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.w.process().cmd.Process.Pid))
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(status, []byte("\nVmHWM:"))
	kib, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
	n, err := strconv.ParseInt(string(kib), 10, 64)
	if err != nil {
		return fmt.Errorf("VmHWM of postcall: %w", err)
	}
	r.remark("postcall's own process had %d MiB at most", n>>10)
	if n<<10 > flatLimit {
		return fmt.Errorf("postcall needed %d MiB, more than %d", n>>10, flatLimit>>20)
	}
	return nil
}

func garbage(ctx context.Context, r *running) error {
	r.few("100 MiB each")
	w, err := r.withPlugin(ctx, "poison-stdout")
	if err != nil {
		return err
	}
	w.set("POSTCALL_TRANSFORM_TIMEOUT=30s")
	n := 0
	w.body = func(i, serial int) []byte { // no poison: they pass
		if i%50 != 7 {
			return nil
		}
		return w.usual(i, serial, `"purpose":"poison"`)
	}
	for i := range w.calls {
		if i%50 == 7 {
			n++
		}
	}
	r.checks = append(r.checks, r.flat)
	if err := w.serve(ctx); err != nil {
		return err
	}
	if err := w.load(ctx, nil); err != nil {
		return err
	}
	if err := until(ctx, "the garbage was read", time.Minute, func() bool {
		return w.metric("postcall_plugin_log_lines_cut_total", "poison-stdout") > 0
	}); err != nil {
		return err
	}
	info, err := os.Stat(w.log())
	if err != nil {
		return err
	}
	r.remark("%d MiB of garbage left %d KiB of log", 100*n, info.Size()>>10)
	if info.Size() > 20<<20 {
		return errors.New("the garbage floods the log")
	}
	return nil
}

func slowLeak(ctx context.Context, r *running) error {
	r.few("each hundred costs the plugin a life")
	w, err := r.withPlugin(ctx, "leak")
	if err != nil {
		return err
	}
	r.checks = append(r.checks, r.flat)
	w.set("POSTCALL_PLUGIN_MEMORY=128MiB", "POSTCALL_TRANSFORM_TIMEOUT=10s", "POSTCALL_TRANSFORM_EVENTS=20")
	if err := w.serve(ctx); err != nil {
		return err
	}
	if err := w.load(ctx, nil); err != nil {
		return err
	}
	if err := w.settled(ctx); err != nil {
		return err
	}
	kills := w.metric("postcall_plugin_ends_total", `"leak"`, `"memory"`)
	r.remark("it was killed %g times for its memory", kills)
	if kills == 0 {
		return errors.New("it was never killed for its memory")
	}
	return nil
}

// settled waits until both stores have all calls.
func (w *world) settled(ctx context.Context) error {
	return until(ctx, "every call in both stores", 5*time.Minute, func() bool {
		ch, es := w.counts(ctx)
		return ch >= len(w.calls) && es >= len(w.calls)
	})
}

// children are the processes of a plugin, by its name.
func (w *world) children(name string) []int {
	parent := w.process().cmd.Process.Pid
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		exe, _ := os.Readlink(filepath.Join(filepath.Dir(path), "exe"))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(parent) &&
			strings.TrimSuffix(filepath.Base(exe), " (deleted)") == name {
			pids = append(pids, pid)
		}
	}
	return pids
}

// signal sends a signal to the processes of a plugin, once there are some.
func (w *world) signal(ctx context.Context, name string, s syscall.Signal) error {
	return until(ctx, "plugin "+name+" runs", 30*time.Second, func() bool {
		pids := w.children(name)
		for _, pid := range pids {
			if syscall.Kill(pid, s) != nil {
				return false
			}
		}
		return len(pids) > 0
	})
}

func childHoldsStdio(ctx context.Context, r *running) error {
	w, err := r.withPlugin(ctx, "child")
	if err != nil {
		return err
	}
	r.after(func() { w.endChildren() })
	if err := w.serve(ctx); err != nil {
		return err
	}
	return w.load(ctx, w.rounds(4, func(ctx context.Context, i int) error {
		if i%2 == 0 {
			return w.signal(ctx, "child", syscall.SIGKILL)
		}
		begun := time.Now()
		if err := w.process().terminate(40 * time.Second); err != nil {
			return fmt.Errorf("postcall after SIGTERM: %w: %s", err, lastLine(w.log()))
		}
		r.remark("with the child left behind it stopped in order within %s", time.Since(begun).Round(10*time.Millisecond))
		return w.serve(ctx)
	}))
}

// endChildren ends what the plugin child has left behind; it has written down their ids.
func (w *world) endChildren() {
	list, _ := os.ReadFile(filepath.Join(w.dir, "plugins", "children"))
	for field := range strings.FieldsSeq(string(list)) {
		pid, err := strconv.Atoi(field)
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err == nil && strings.TrimSpace(string(comm)) == "sleep" {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func freezePlugin(ctx context.Context, r *running) error {
	w, err := r.withPlugin(ctx, "good")
	if err != nil {
		return err
	}
	if err := w.serve(ctx); err != nil {
		return err
	}
	err = w.load(ctx, w.rounds(3, func(ctx context.Context, i int) error {
		return w.signal(ctx, []string{"good", "redact-pii", "map-topics"}[i], syscall.SIGSTOP)
	}))
	r.remark("%g processes were killed for not answering", w.metric("postcall_plugin_ends_total", `"timeout"`))
	return err
}

// swapPlugin locks the plugins, puts another one into the place of one, and kills that one's process.
func swapPlugin(ctx context.Context, r *running) error {
	w, err := r.withPlugin(ctx, "good")
	if err != nil {
		return err
	}
	dir := filepath.Join(w.dir, "plugins")
	good, away := filepath.Join(dir, "good"), filepath.Join(w.dir, "good")
	if err := lockPlugins(dir, "redact-pii", "map-topics", "good"); err != nil {
		return err
	}
	if err := w.serve(ctx); err != nil {
		return err
	}
	return w.load(ctx, func(ctx context.Context) error {
		if err := w.untilAcked(ctx, 0.3); err != nil {
			return err
		}
		if err := errors.Join(os.Rename(good, away), os.Symlink(filepath.Join(dir, "map-topics"), good)); err != nil {
			return err
		}
		if err := w.signal(ctx, "good", syscall.SIGKILL); err != nil {
			return err
		}
		w.doing("another plugin is in its place")
		if err := until(ctx, "the alarm", time.Minute, func() bool {
			return w.metric("postcall_transform_open", "good") == 1 && w.metric("postcall_alarms_total", "transform") > 0
		}); err != nil {
			return err
		}
		if pids := w.children("good"); len(pids) > 0 {
			return errors.New("the other plugin was started")
		}
		w.doing("it is back")
		if err := os.Rename(away, good); err != nil {
			return err
		}
		return until(ctx, "it runs again", time.Minute, func() bool { return w.metric("postcall_transform_open", "good") == 0 })
	})
}

func lockPlugins(dir string, names ...string) error {
	lock := map[string][]byte{}
	for _, name := range names {
		sum, err := transforms.Checksum(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		lock[name] = sum
	}
	return transforms.WriteLock(dir, lock)
}
