package transforms

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// checkAnswer is group on plain events.
func checkAnswer(name, version string, batch, out []Event) ([]Event, error) {
	groups, err := group(name, &Applied{name, version}, encode(batch), encode(out))
	for i, g := range groups {
		if g[0].Event.CallID != batch[i].CallID {
			return nil, errors.New("an event is in the group of another")
		}
	}
	return flatten(groups), err
}

func TestCheckAnswer(t *testing.T) {
	input := func() []Event {
		return []Event{
			{Tenant: "t", Source: "s", CallID: "a", Version: 1, ReceivedAt: time.Unix(1, 1234567).UTC(), CustomerKey: "k"},
			{Tenant: "t", CallID: "b", Version: 2},
			{Tenant: "t", CallID: "b#1", ParentCallID: "b", Version: 2}, // of an earlier split
		}
	}
	f := func(want string, change func(out []Event) []Event) {
		t.Helper()
		batch, out := input(), input()
		out[0].ReceivedAt = out[0].ReceivedAt.Truncate(time.Microsecond) // as the wire does
		_, err := checkAnswer("p", "1", batch, change(out))
		switch {
		case want == "" && err != nil:
			t.Errorf("error %v", err)
		case want != "" && (!errors.Is(err, ErrContract) || !IsPermanent(err) || !strings.Contains(err.Error(), want)):
			t.Errorf("error %v, want %q", err, want)
		}
	}
	set := func(change func(e *Event)) func([]Event) []Event {
		return func(out []Event) []Event {
			change(&out[0])
			return out
		}
	}
	child := func(id, parent string) func([]Event) []Event {
		return func(out []Event) []Event {
			return append(out[:1:1], append([]Event{{CallID: id, ParentCallID: parent}}, out[1:]...)...)
		}
	}
	f("", func(out []Event) []Event { return out })
	f("", child("a#1", "a"))
	f("", child("a#7", "a"))
	f("missing", func(out []Event) []Event { return out[:2] })
	f("missing", func([]Event) []Event { return nil })
	f(`call "b": expected call "a"`, func(out []Event) []Event { return out[1:] })
	f(`call "b": expected call "a"`, func(out []Event) []Event { out[0], out[1] = out[1], out[0]; return out })
	f("belongs to no event", func(out []Event) []Event { return append(out, Event{CallID: "c"}) })
	f("belongs to no event", func(out []Event) []Event { return append(out, Event{}) })
	f("belongs to no event", func(out []Event) []Event { return append(out, out[2]) })
	f(`the children of "a"`, child("a#0", "a"))
	f(`the children of "a"`, child("a#01", "a"))
	f(`the children of "a"`, child("a#x", "a"))
	f(`the children of "a"`, child("x", "a"))
	f(`expected call "b"`, child("b#2", "b"))
	f("tenant must not change", set(func(e *Event) { e.Tenant = "u" }))
	f("version must not change", set(func(e *Event) { e.Version++ }))
	f("source must not change", set(func(e *Event) { e.Source = "" }))
	f("receivedAt must not change", set(func(e *Event) { e.ReceivedAt = time.Time{} }))
	f("parentCallId must not change", set(func(e *Event) { e.ParentCallID = "x" }))
	f("customerKey and emailKey must not change", set(func(e *Event) { e.CustomerKey = "" }))
	f("there is no decision 3", set(func(e *Event) { e.Outcome = Outcome{3, "x"} }))
	f("has a reason", set(func(e *Event) { e.Outcome = Outcome{Drop, ""} }))
	f("extra must be a JSON object", set(func(e *Event) { e.Extra = []byte(`[]`) }))
	f("extra must be a JSON object", set(func(e *Event) { e.Extra = []byte(`{"a"`) }))
	f("can't be negative", set(func(e *Event) { e.Transcript = []Turn{{Words: -1}} }))
	f("tenant must not change", func(out []Event) []Event {
		out = child("a#1", "a")(out)
		out[1].Tenant = "u"
		return out
	})
}

func TestCheckAnswerFillsInChildren(t *testing.T) {
	batch := []Event{{
		Tenant: "t", Source: "s", CallID: "a", Version: 7, ReceivedAt: time.Unix(9, 0).UTC(), CustomerKey: "k", EmailKey: "m",
		Transforms: []Applied{{"first", "1"}},
	}}
	out, err := checkAnswer("second", "2", batch, []Event{batch[0], {CallID: "a#1", ParentCallID: "a", Topic: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	parent := batch[0]
	parent.Transforms = []Applied{{"first", "1"}, {"second", "2"}}
	first := parent
	first.CallID, first.ParentCallID, first.Topic = "a#1", "a", "x"
	if diff := cmp.Diff([]Event{parent, first}, out); diff != "" {
		t.Error(diff)
	}
	if len(batch[0].Transforms) != 1 {
		t.Error("the batch changed")
	}
}
