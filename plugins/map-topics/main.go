// Command map-topics is the transform that gives events the topics of the operator's taxonomy, and reads the sender's
// spellings by its vocabularies (transforms/topics). It comes behind redact-pii: topics need no personal data.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/topics"
)

const version = "0.2.0"

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

// Transform sets the topics of each event; those it had are gone. It reads the sender's spellings again by the operator's
// vocabularies: what they don't have stays as it was read.
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
		found := m.rules.Match(topics.Call{
			Topic: e.Topic, Purpose: e.Purpose, Summary: e.Summary, FollowUpReason: e.FollowUpReason,
			KeyPoints: e.KeyPoints, ActionItems: e.ActionItems, Turns: turns,
		})
		e.Topics, e.TopicConfidence, e.TopicRule = found.Topics, found.Confidence, found.Rule
		m.read(e)
	}
	return batch, nil
}

// read reads the spellings.
func (m *mapper) read(e *transforms.Event) {
	v := m.rules.Vocabularies()
	if value, known := v.Sentiment.Read(e.Sentiment); known {
		e.SentimentKind = value
		if value == topics.Unknown {
			e.SentimentKind = ""
		}
	}
	if value, known := v.FollowUp.Read(e.FollowUp); known {
		e.FollowUpBool = yesNo(value)
	}
	if value, known := v.AISuccess.Read(e.AISuccess); known {
		e.AISuccessBool = yesNo(value)
	}
	e.EndedReasonKind = ""
	if value, known := v.EndedReason.Read(e.EndedReason); known {
		e.EndedReasonKind = value
	}
}

func yesNo(value string) *bool {
	if value == topics.Unknown {
		return nil
	}
	return new(value == "yes")
}
