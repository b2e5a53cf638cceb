package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// cutOff makes an ext4 fail everything from now on, without writing its journal or any page that waits: what is on the
// device is what was synced.
func cutOff(dir string) error {
	const (
		ext4Shutdown   = 0x8004587d // EXT4_IOC_SHUTDOWN
		withoutJournal = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
	)
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := uint32(withoutJournal)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), ext4Shutdown, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		return fmt.Errorf("cut off the file system of %s: %w", dir, errno)
	}
	return nil
}

func powerLoss(ctx context.Context, r *running) error {
	return r.powerLoss(ctx, r.bin)
}

// powerLoss stops postcall and cuts the disk off under load, kills postcall, and starts it on what the disk has.
func (r *running) powerLoss(ctx context.Context, program string) error {
	w, err := r.world(ctx)
	if err != nil {
		return err
	}
	fs := mounted{dir: w.data(), image: filepath.Join(w.dir, "ext4")}
	if err := fs.make(1 << 30); err != nil {
		return err
	}
	r.after(func() { w.kill(); _ = fs.unmount() })
	w.set("POSTCALL_DATA_DIR=" + filepath.Join(fs.dir, "data"))
	if err := w.serve(ctx); err != nil {
		return err
	}
	if program != r.bin { // the streams themselves are made by the program as it is
		if err := w.process().terminate(40 * time.Second); err != nil {
			return err
		}
		w.bin = program
		if err := w.serve(ctx); err != nil {
			return err
		}
	}
	var cuts []string
	err = w.load(ctx, w.rounds(r.scale.kills, func(ctx context.Context, _ int) error {
		if err := sleep(ctx, rand.N(50*time.Millisecond)); err != nil {
			return err
		}
		// Nobody sees an fsync return after the power is gone. Here one under way may still say that all is well while the
		// file system goes down around it, so postcall is stopped first.
		if err := w.process().stop(); err != nil {
			return err
		}
		cuts = append(cuts, time.Now().Format("15:04:05.000"))
		if err := cutOff(fs.dir); err != nil {
			return err
		}
		w.kill()
		if err := errors.Join(fs.unmount(), mount("-o", "loop", fs.image, fs.dir)); err != nil {
			return err
		}
		return w.serve(ctx)
	}))
	r.remark("cut off at %s", strings.Join(cuts, ", "))
	return err
}

func (m *mounted) make(size int64) error {
	f, err := os.Create(m.image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close(), os.MkdirAll(m.dir, 0o700)); err != nil {
		return err
	}
	if out, err := exec.Command("mkfs.ext4", "-q", m.image).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return mount("-o", "loop", m.image, m.dir)
}
