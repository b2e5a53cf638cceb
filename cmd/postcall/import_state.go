package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// importState is how far a file has come. The record is written after each chunk that is on disk, so that a run that ends
// in between goes on behind it; it holds nothing of the calls.
type importState struct {
	File   string    `json:"file"` // as it was named last
	Source string    `json:"source"`
	Lines  int64     `json:"lines"` // done
	Done   bool      `json:"done"`
	At     time.Time `json:"at"`

	id string
	f  *os.File // nil of standard input
}

// sampled is how much of a file's beginning and end tells it from others.
const sampled = 1 << 20

// openImportState finds what an earlier run left of the same file: the same by its contents and source, not by its name.
func openImportState(dir string, in *input, src string, again bool) (_ *importState, err error) {
	now := time.Now().UTC()
	s := &importState{File: in.name, Source: src, id: now.Format("20060102T150405.000000"), At: now}
	if in.file == nil {
		return s, nil
	}
	if s.id, err = fingerprint(in, src); err != nil {
		return nil, fmt.Errorf("read %s: %w", in.name, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of what is imported: %w", err)
	}
	if s.f, err = os.OpenFile(filepath.Join(dir, s.id+".json"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("remember what is imported: %w", err)
	}
	if err := syscall.Flock(int(s.f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = s.f.Close()
		return nil, fmt.Errorf("another postcall import is at %s: wait for it", in.name)
	}
	b, err := io.ReadAll(s.f)
	if err == nil && len(b) > 0 && !again {
		if json.Unmarshal(b, s) != nil { // cut short by a crash: from the beginning, which loads nothing twice
			s.Lines, s.Done = 0, false
		}
	}
	s.File = in.name
	if again {
		s.id += "-" + now.Format("20060102T150405.000000")
	}
	return s, err
}

func fingerprint(in *input, src string) (string, error) {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\n%d\n", src, in.size)
	for _, from := range []int64{0, max(in.size-sampled, 0)} {
		if _, err := io.Copy(h, io.NewSectionReader(in.file, from, sampled)); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

func (s *importState) advance(lines int64) error {
	s.Lines = lines
	return s.write()
}

func (s *importState) finish() error {
	s.Done, s.At = true, time.Now().UTC()
	return s.write()
}

// write replaces the record in one write. It is not synced: after a power cut it is at most too far back.
func (s *importState) write() error {
	if s.f == nil {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	_, err = s.f.WriteAt(b, 0)
	if err = errors.Join(err, s.f.Truncate(int64(len(b)))); err != nil {
		return fmt.Errorf("remember what is imported: %w", err)
	}
	return nil
}

func (s *importState) close() {
	if s.f != nil {
		_ = s.f.Close()
	}
}

// openRejects opens the file that refused lines are appended to.
func openRejects(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--rejects: the folder of %s does not exist", name)
	}
	return f, err
}
