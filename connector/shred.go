package connector

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// What JetStream removes stays in its files for a while (read in nats-server 2.15, and seen): a deleted or purged message
// is a tombstone behind it, and its bytes go when its block is dropped, or when less than half of a block that is not the
// newest is alive. A secure delete writes the tombstone and then the whole block anew, with random bytes in the place of
// the message, and renames that file over the old one; it does not sync the directory, and does not erase again what has
// its tombstone already. So a crash between the two leaves bytes that nobody can delete.
//
// Therefore a file in the data directory says, before anything is erased of a stream, that its files are to be cleaned,
// and the next start takes out of them what has been removed, before the server opens them: what a crash left, and what
// was purged, replayed or swept before somebody was forgotten and can't be named any more (2026-11).
//
// What of an old file the disk keeps in blocks it has freed is the disk's. On a cluster the servers' files, and their Raft
// logs, are out of reach: there a message is deleted as securely as they do it.
const shredDir = "shred"

// shred removes a message for good. It is safe to repeat, and for several processes at once.
func (s *streams) shred(ctx context.Context, stream jetstream.Stream, seq uint64) error {
	name := stream.CachedInfo().Config.Name
	if err := s.noteShred(name); err != nil {
		return err
	}
	err := stream.SecureDeleteMsg(ctx, seq)
	if err == nil {
		return nil
	}
	if _, gerr := stream.GetMsg(ctx, seq); errors.Is(gerr, jetstream.ErrMsgNotFound) { // removed by another
		return nil
	}
	return fmt.Errorf("shred message %d of stream %s: %w", seq, name, err)
}

// noteShreds has the files of all streams that hold calls cleaned at the next start.
func (s *streams) noteShreds() error {
	for _, name := range callStreams {
		if err := s.noteShred(name); err != nil {
			return err
		}
	}
	return nil
}

// noteShred has the files of a stream cleaned at the next start.
func (s *streams) noteShred(stream string) error {
	if s.dir == "" {
		return nil
	}
	dir := filepath.Join(s.dir, shredDir)
	path := filepath.Join(dir, stream)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var f *os.File
		if f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			err = errors.Join(f.Close(), syncDir(dir), syncDir(s.dir))
		}
	}
	if err != nil {
		return fmt.Errorf("note that the files of stream %s are to be cleaned: %w", stream, err)
	}
	return nil
}

func blocksOf(dir, stream string) string {
	return filepath.Join(dir, "jetstream", "jetstream", "$G", "streams", stream, "msgs")
}

// finishShredding cleans the files of the streams that the notes name. The server must not run. Encrypted blocks can't be read
// here: there only files that a server left go, and what else is removed stays as ciphertext until its block goes.
func finishShredding(dir string, encrypted bool, log *slog.Logger) error {
	dir, root := filepath.Join(dir, shredDir), dir
	notes, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(notes) == 0) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read which files are to be cleaned: %w", err)
	}
	for _, n := range notes {
		// Where a stream keeps one message of a subject, the one before is removed without a tombstone.
		single := n.Name() != streamBatches && n.Name() != streamIntake
		removed, err := cleanBlocks(blocksOf(root, n.Name()), single, encrypted)
		if err == nil {
			err = os.Remove(filepath.Join(dir, n.Name()))
		}
		if err != nil {
			return fmt.Errorf("clean the files of stream %s: %w", n.Name(), err)
		}
		log.Info("the files of a stream are cleaned of what was removed", "stream", n.Name(), "messages", removed)
	}
	return syncDir(dir)
}

// cleanBlocks takes removed messages out of a stream's blocks, and files that a server left when it died.
func cleanBlocks(dir string, single, encrypted bool) (removed int, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var blocks []int
	for _, f := range files {
		switch name, ext, _ := strings.Cut(f.Name(), "."); ext {
		case "blk":
			n, err := strconv.Atoi(name)
			if err != nil {
				return 0, err
			}
			blocks = append(blocks, n)
		case "blk.tmp", "new", "new.tmp": // of a block that was never put in place
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				return 0, err
			}
		}
	}
	if encrypted {
		return 0, nil
	}
	slices.Sort(blocks) // in which they were written
	path := func(block int) string { return filepath.Join(dir, strconv.Itoa(block)+".blk") }
	c := cleaner{tombs: map[uint64]int{}}
	if single {
		c.newest = map[string]int{}
	}
	for _, n := range blocks {
		b, err := os.ReadFile(path(n))
		if err != nil {
			return 0, err
		}
		c.look(b)
	}
	c.at = 0
	for _, n := range blocks {
		b, err := os.ReadFile(path(n))
		if err != nil {
			return removed, err
		}
		rest, k := c.clean(b)
		if k == 0 {
			continue
		}
		removed += k
		// The index says what is where in the blocks; without it the server reads them again.
		if err := os.Remove(filepath.Join(dir, "index.db")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		if err := writeDurable(path(n), rest); err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// cleaner goes over the records of all blocks twice: to learn what is removed, and to take it out. A record counts as
// removed by what comes behind it only: a sequence can be used again after damage.
type cleaner struct {
	at     int            // records seen
	tombs  map[uint64]int // where the last tombstone of a sequence is
	newest map[string]int // where the last message of a subject is; nil where a stream keeps all
	last   uint64         // the highest sequence, whose record stays: without it the stream would use the sequence again
}

// Of a record in a block, little endian: length with a flag in its highest bit, 4 bytes; sequence, 8 bytes, whose two
// highest bits say that the record is erased, or a tombstone of the sequence; time, 8 bytes; length of the subject, 2
// bytes; subject.
const (
	recordHead   = 22
	recordFlag   = 1 << 31
	recordErased = 1 << 63
	recordTomb   = 1 << 62
)

func (c *cleaner) look(block []byte) {
	for r := range records(block) {
		c.at++
		switch seq := binary.LittleEndian.Uint64(r[4:]); {
		case seq&recordTomb != 0:
			c.tombs[seq&^recordTomb] = c.at
			continue
		case seq&recordErased == 0 && c.newest != nil:
			c.newest[recordSubject(r)] = c.at
		}
		c.last = max(c.last, binary.LittleEndian.Uint64(r[4:])&^recordErased)
	}
}

// clean is a block without the records of what is removed; JetStream compacts its blocks in the same way. What can't be
// read as records is kept as it is.
func (c *cleaner) clean(block []byte) (rest []byte, removed int) {
	rest = make([]byte, 0, len(block))
	read := 0
	for r := range records(block) {
		c.at++
		read += len(r)
		seq := binary.LittleEndian.Uint64(r[4:])
		if seq&(recordTomb|recordErased) == 0 && seq != c.last && (c.tombs[seq] > c.at || c.newest[recordSubject(r)] > c.at) {
			removed++
			continue
		}
		rest = append(rest, r...)
	}
	return append(rest, block[read:]...), removed
}

func records(block []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(block) >= recordHead {
			size := int(binary.LittleEndian.Uint32(block) &^ recordFlag)
			if size < recordHead || size > len(block) || !yield(block[:size]) {
				return
			}
			block = block[size:]
		}
	}
}

func recordSubject(r []byte) string {
	n := int(binary.LittleEndian.Uint16(r[20:]))
	return string(r[recordHead:min(recordHead+n, len(r))])
}
