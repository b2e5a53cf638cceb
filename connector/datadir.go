package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The marker file says which streams the data directory holds. It is written before the streams are made (Complete
// false) and after (true), so that a crash in between is told from a directory whose streams were lost or exchanged:
// JetStream itself only warns and would start empty (DELIVERY.md, rule 1).
const (
	markerName   = "postcall.json"
	markerFormat = 1
	keyNone      = "none" // in the place of a key's fingerprint: the streams are not encrypted
)

type marker struct {
	Format   int                  `json:"format"`
	Complete bool                 `json:"complete"`
	Key      string               `json:"key"`               // fingerprint of the operator's key; see encryption.go
	Wrapped  []byte               `json:"wrapped,omitempty"` // the server's key, encrypted with it
	Streams  map[string]time.Time `json:"streams"`

	stream []byte // the server's key
}

// readMarker returns the directory's marker, and an error where its streams are under none of the keys; in an empty directory it writes an incomplete one first.
func readMarker(dir string, keys []string) (*marker, error) {
	path := filepath.Join(dir, markerName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, "jetstream")); err == nil {
			return nil, fmt.Errorf("%s holds streams but no %s: restore that file, or start with an empty POSTCALL_DATA_DIR", dir, markerName)
		}
		m := marker{Format: markerFormat}
		m.newStreamKey(keys)
		return &m, writeMarker(dir, m)
	}
	if err != nil {
		return nil, fmt.Errorf("read the marker of the data directory: %w", err)
	}
	var m marker
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%s is damaged; restore it from a backup: %w", path, err)
	}
	if m.Format != markerFormat {
		return nil, fmt.Errorf("%s has format %d, this postcall knows %d: start the version that wrote it", path, m.Format, markerFormat)
	}
	again, err := m.unwrap(dir, keys)
	if err == nil && again {
		err = writeMarker(dir, m)
	}
	return &m, err
}

// writeMarker replaces the marker atomically and durably.
func writeMarker(dir string, m marker) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeDurable(filepath.Join(dir, markerName), append(b, '\n'))
}

func writeDurable(path string, b []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// dirLock keeps a second connector off the directory, from before the server starts until after it stopped
// (DELIVERY.md, rule 20).
type dirLock struct{ f *os.File }

func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make POSTCALL_DATA_DIR: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of POSTCALL_DATA_DIR: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another postcall uses the data directory %s: stop it, or set another POSTCALL_DATA_DIR", dir)
		}
		return nil, fmt.Errorf("lock POSTCALL_DATA_DIR %s: %w", dir, err)
	}
	return &dirLock{f}, nil
}

func (l *dirLock) release() { _ = l.f.Close() }
