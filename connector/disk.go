package connector

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"
)

// diskWatch closes the intake before the volume is full: a full disk makes JetStream disable itself, and then nothing
// can be stored or loaded any more.
type diskWatch struct {
	dir  string
	full atomic.Bool
	log  *slog.Logger
	m    *metrics
}

const diskInterval = time.Second

// reserve is the room that is kept for what is on its way and for dead letters: a twentieth of the volume, within
// 64 MiB and 1 GiB.
func reserve(size uint64) uint64 { return min(max(size/20, 64<<20), 1<<30) }

func (d *diskWatch) run(ctx context.Context) error {
	for {
		if err := d.look(); err != nil {
			d.log.Warn("free space of POSTCALL_DATA_DIR not known", "err", err)
		}
		if sleep(ctx, diskInterval) != nil {
			return nil
		}
	}
}

func (d *diskWatch) look() error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", d.dir, err)
	}
	free, size := st.Bavail*uint64(st.Bsize), st.Blocks*uint64(st.Bsize)
	d.m.diskFree.Set(float64(free))
	d.m.diskSize.Set(float64(size))
	d.m.diskReserve.Set(float64(reserve(size)))
	full := free < reserve(size)
	if full && !d.full.Load() {
		d.m.alarm("disk", 1)
		d.log.Error("the volume of POSTCALL_DATA_DIR is nearly full; deliveries are answered 503 until there is room",
			"free_bytes", free, "needed_bytes", reserve(size))
	}
	if !full && d.full.Load() {
		d.log.Info("there is room again; deliveries are taken")
	}
	d.full.Store(full)
	return nil
}
