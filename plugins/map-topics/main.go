// Command map-topics is the transform that gives events the topics of the operator's taxonomy, by the rules of
// transforms/topics. It comes behind redact-pii: topics need no personal data.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/topics"
)

const version = "0.1.0"

// Settings come from postcall once, when the plugin is started.
type Settings struct {
	// Rules is the path of a file of rules, or the rules themselves (YAML of more than one line). Empty means the
	// built-in taxonomy.
	Rules string `json:"rules"`
}

func main() {
	transforms.Serve("map-topics", version, func(_ context.Context, s Settings) (transforms.Transformer, error) {
		return open(s)
	})
}

func open(s Settings) (*mapper, error) {
	name, data := "rules", []byte(s.Rules)
	switch {
	case strings.TrimSpace(s.Rules) == "":
		return &mapper{topics.Default()}, nil
	case !strings.Contains(s.Rules, "\n"):
		var err error
		if name, data, err = read(s.Rules); err != nil {
			return nil, err
		}
	}
	m, err := topics.Parse(name, data)
	if err != nil {
		return nil, err
	}
	return &mapper{m}, nil
}

func read(path string) (string, []byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", nil, fmt.Errorf("read topic rules: %w", err)
	}
	return path, data, nil
}

// mapper adapts the matcher to events. It is safe for concurrent use.
type mapper struct{ rules *topics.Matcher }

var _ transforms.Transformer = (*mapper)(nil)

// Transform sets the topics of each event; those it had are gone.
func (m *mapper) Transform(ctx context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	var turns []topics.Turn // of one event after the other
	for i := range batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e := &batch[i]
		turns = turns[:0]
		for _, t := range e.Transcript {
			turns = append(turns, topics.Turn{Role: t.Role, Content: t.Content})
		}
		e.Topics = m.rules.Match(topics.Call{
			Topic: e.Topic, Purpose: e.Purpose, Summary: e.Summary, FollowUpReason: e.FollowUpReason,
			KeyPoints: e.KeyPoints, ActionItems: e.ActionItems, Turns: turns,
		})
	}
	return batch, nil
}
