package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// reapplyStateFile is where a run of topics reapply that was cut off goes on, in POSTCALL_DATA_DIR.
const reapplyStateFile = "topics-reapply.json"

// reapplyState remembers how far each sink is, for one taxonomy.
type reapplyState struct {
	path     string
	readOnly bool

	Taxonomy string                     `json:"taxonomy"` // its checksum
	Sinks    map[string]reapplyPosition `json:"sinks"`
}

// reapplyPosition is where the next page of a sink begins, and what was done before it.
type reapplyPosition struct {
	After   string `json:"after"`
	Seen    int    `json:"seen"`
	Changed int    `json:"changed"`
}

// openReapplyState reads the state. One of another taxonomy means nothing to this one.
func openReapplyState(path, taxonomy string, fresh bool) (*reapplyState, error) {
	s := &reapplyState{path: path, Taxonomy: taxonomy, Sinks: map[string]reapplyPosition{}}
	data, err := os.ReadFile(path)
	switch {
	case fresh || errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("read how far an earlier run came: %w", err)
	}
	var was reapplyState
	if err := json.Unmarshal(data, &was); err != nil {
		return nil, fmt.Errorf("%s is damaged: begin again with --restart", path)
	}
	if was.Taxonomy == taxonomy && was.Sinks != nil {
		s.Sinks = was.Sinks
	}
	return s, nil
}

// at is where a sink goes on.
func (s *reapplyState) at(sink string) reapplyPosition { return s.Sinks[sink] }

// save notes where a sink goes on; a sink that is through begins with its first call the next time.
func (s *reapplyState) save(sink string, p reapplyPosition) error {
	if s.readOnly {
		return nil
	}
	if p.After == "" {
		delete(s.Sinks, sink)
	} else {
		s.Sinks[sink] = p
	}
	if len(s.Sinks) == 0 {
		if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("note how far it came: %w", err)
		}
		return nil
	}
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(s.path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	if err != nil {
		return fmt.Errorf("note how far it came: %w", err)
	}
	return nil
}
