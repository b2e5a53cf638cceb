package transformtest_test

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/transformtest"
)

// upper is a transform that keeps the contract.
type upper struct{}

func (upper) Transform(_ context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	for i := range batch {
		batch[i].Topic = strings.ToUpper(batch[i].Topic)
		for j := range batch[i].Transcript {
			batch[i].Transcript[j].Content = strings.ToUpper(batch[i].Transcript[j].Content)
		}
	}
	return batch, nil
}

// various drops, rejects and splits.
type various struct{}

func (various) Transform(_ context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	var out []transforms.Event
	for _, e := range batch {
		switch {
		case len(e.Transcript) == 0:
			e.Drop("empty")
		case e.Summary == "":
			e.Reject("no summary")
		}
		out = append(out, e)
		if e.Outcome.Decision == transforms.Keep {
			child := e
			child.CallID, child.ParentCallID = e.CallID+"#1", e.CallID
			out = append(out, child)
		}
	}
	return out, nil
}

func TestRun(t *testing.T) {
	transformtest.Run(t, func() transforms.Transformer { return upper{} })
	transformtest.Run(t, func() transforms.Transformer { return various{} })
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
