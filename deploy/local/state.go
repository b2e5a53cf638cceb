package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// state is what one running `up` or `run` leaves in the cache for `status` and `down`.
type state struct {
	PID       int      `json:"pid"`
	Birth     string   `json:"birth"` // tells the process from a later one with the same number
	Command   string   `json:"command"`
	Data      string   `json:"data"`
	Throwaway []string `json:"throwaway,omitempty"` // folders that go away with the process
	Env       []string `json:"env"`                 // what clients of the engines need
}

func (c cache) stateFile(pid int) string {
	return filepath.Join(c.dir, "state", fmt.Sprintf("%d.json", pid))
}

// save writes the state file; only its owner may read it, since it holds a password.
func (s state) save(c cache) error {
	if err := os.MkdirAll(filepath.Join(c.dir, "state"), 0o700); err != nil {
		return err
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.stateFile(s.PID), append(data, '\n'), 0o600)
}

// forget removes the state file and the throw-away folders.
func (s state) forget(c cache) error {
	err := os.Remove(c.stateFile(s.PID))
	for _, dir := range s.Throwaway {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// running lists the processes that are alive, and clears up behind those that were killed.
func running(c cache) ([]state, error) {
	files, err := filepath.Glob(filepath.Join(c.dir, "state", "*.json"))
	if err != nil {
		return nil, err
	}
	var alive []state
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile
		}
		var s state
		if err := json.Unmarshal(data, &s); err != nil {
			continue // being written
		}
		if birth(s.PID) == s.Birth {
			alive = append(alive, s)
		} else {
			_ = s.forget(c)
		}
	}
	return alive, nil
}

// birth is the start time of a process in clock ticks since boot, or "" if there is no such process.
func birth(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := bytes.Cut(data, []byte(") ")) // the name before it may hold blanks
	fields := strings.Fields(string(after))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

// down asks every running process to end and waits until they have.
func down(ctx context.Context, c cache) error {
	alive, err := running(c)
	if err != nil {
		return err
	}
	if len(alive) == 0 {
		fmt.Println("nothing is running")
	}
	var all error
	for _, s := range alive {
		if err := syscall.Kill(s.PID, syscall.SIGTERM); err != nil {
			all = errors.Join(all, fmt.Errorf("end %d: %w", s.PID, err))
			continue
		}
		for birth(s.PID) == s.Birth && ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
		}
		fmt.Printf("ended %s (pid %d)\n", s.Command, s.PID)
	}
	return errors.Join(all, ctx.Err())
}

// status prints what runs, in a form that a shell can read.
func status(c cache) error {
	alive, err := running(c)
	if err != nil {
		return err
	}
	if len(alive) == 0 {
		fmt.Println("nothing is running")
	}
	for _, s := range alive {
		fmt.Printf("# %s, pid %d, data in %s\n", s.Command, s.PID, s.Data)
		for _, v := range s.Env {
			fmt.Println("export " + v)
		}
	}
	return nil
}

// lockFile takes the lock that path stands for, waiting for it if wait says what to show meanwhile. The kernel gives
// it back when this process ends.
func lockFile(ctx context.Context, path, wait string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	unlock = func() { _ = f.Close() }
	var p *progress
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || wait == "" || ctx.Err() != nil {
			break
		}
		if p == nil {
			p = startProgress(wait, nil)
		}
		time.Sleep(200 * time.Millisecond)
	}
	if p != nil {
		p.done(err)
	}
	if err != nil {
		return nil, errors.Join(err, ctx.Err(), f.Close())
	}
	return unlock, nil
}
