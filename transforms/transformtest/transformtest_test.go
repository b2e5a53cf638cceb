package transformtest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
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

// breakers are transforms that break one rule each, and a part of what Run says about it.
var breakers = map[string]struct {
	says string
	f    func(b *breaker, batch []transforms.Event) []transforms.Event
}{
	"loses an event": {"came back", func(_ *breaker, batch []transforms.Event) []transforms.Event { return batch[:max(len(batch)-1, 0)] }},
	"turns the order": {"in order", func(_ *breaker, batch []transforms.Event) []transforms.Event {
		slices.Reverse(batch)
		return batch
	}},
	"changes the version": {"must not change", each(func(_ *breaker, e *transforms.Event) { e.Version++ })},
	"breaks extra":        {"extra", each(func(_ *breaker, e *transforms.Event) { e.Extra = []byte("{") })},
	"cuts a character":    {"UTF-8", each(func(_ *breaker, e *transforms.Event) { e.Topic = "\xe6\x97" })},
	"counts calls":        {"the same batch again", each(func(b *breaker, e *transforms.Event) { e.Topic = fmt.Sprint(b.calls.Load()) })},
	"looks at neighbours": {"without its neighbours", func(_ *breaker, batch []transforms.Event) []transforms.Event {
		for i := range batch {
			batch[i].Topic = batch[0].CallID
		}
		return batch
	}},
	"leaks": {"goroutines are left", func(_ *breaker, batch []transforms.Event) []transforms.Event {
		go func() { select {} }()
		return batch
	}},
}

func each(f func(*breaker, *transforms.Event)) func(*breaker, []transforms.Event) []transforms.Event {
	return func(b *breaker, batch []transforms.Event) []transforms.Event {
		for i := range batch {
			f(b, &batch[i])
		}
		return batch
	}
}

type breaker struct {
	name  string
	calls atomic.Int64
}

func (b *breaker) Transform(_ context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	b.calls.Add(1)
	return breakers[b.name].f(b, batch), nil
}

// TestRunFindsBreakers runs itself once for each, in a process that must fail.
func TestRunFindsBreakers(t *testing.T) {
	if name := os.Getenv("BREAKER"); name != "" {
		transformtest.Run(t, func() transforms.Transformer { return &breaker{name: name} })
		return
	}
	for name, b := range breakers {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestRunFindsBreakers$/^direct$")
			cmd.Env = append(os.Environ(), "BREAKER="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), b.says) || strings.Contains(string(out), "DATA RACE") {
				t.Errorf("error %v, want a failure with %q:\n%.2000s", err, b.says, out)
			}
		})
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
