package connector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
)

// highWater remembers, outside the streams, how far they have come. A stream whose newest block is damaged opens without
// an error and uses its last sequences again, so nothing inside it says that anything is missing. The file is written
// without a sync: it survives the death of the process, and after a power cut it is at most too low, which alarms nobody.
type highWater struct {
	f    *os.File
	last [2]atomic.Uint64 // by the constants below
}

// What highWater follows; the order is that of the file, 8 bytes each, little endian.
const (
	markIntake = iota
	markBatches
)

const highWaterName = "high-water"

func openHighWater(dir string) (*highWater, error) {
	f, err := os.OpenFile(filepath.Join(dir, highWaterName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the high-water marks of POSTCALL_DATA_DIR: %w", err)
	}
	h := &highWater{f: f}
	var b [16]byte
	if _, err := f.ReadAt(b[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("read the high-water marks of POSTCALL_DATA_DIR: %w", err), f.Close())
	}
	for i := range h.last {
		h.last[i].Store(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return h, nil
}

// rise records an acknowledged sequence. A mark never falls, but by reset.
func (h *highWater) rise(mark int, seq uint64) {
	if h == nil {
		return
	}
	for {
		was := h.last[mark].Load()
		if seq <= was {
			return
		}
		if h.last[mark].CompareAndSwap(was, seq) {
			h.write(mark, seq)
			return
		}
	}
}

func (h *highWater) write(mark int, seq uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seq)
	_, _ = h.f.WriteAt(b[:], int64(8*mark)) // too low a mark is no fault
}

// compare sounds the alarm where a stream ends before its mark, and takes the stream's end for the mark from then on.
func (h *highWater) compare(mark int, stream string, last uint64, log *slog.Logger, m *metrics) {
	if h == nil {
		return
	}
	if was := h.last[mark].Load(); last < was {
		m.alarm("gap", float64(was-last))
		log.Error("a stream lost its newest messages: what was in them and not loaded is lost; audit the stores, and look at the volume",
			"stream", stream, "last_sequence", last, "was", was, "messages", was-last)
	}
	h.last[mark].Store(last)
	h.write(mark, last)
}

func (h *highWater) close() {
	if h != nil {
		_ = h.f.Close()
	}
}
