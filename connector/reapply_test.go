package connector

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/postcall/postcall/transforms/topics"
)

// remapStore is a store of calls, two on a page.
type remapStore struct {
	Loader
	calls  []StoredCall
	turns  map[SinkKey][]topics.Turn
	writes int
}

func (s *remapStore) CountCalls(context.Context) (int, error) { return len(s.calls), nil }

func (s *remapStore) ReadCalls(_ context.Context, after string) (page CallPage, err error) {
	from, _ := strconv.Atoi(after)
	to := min(from+2, len(s.calls))
	page.Calls = append(page.Calls, s.calls[from:to]...)
	if to < len(s.calls) {
		page.Next = strconv.Itoa(to)
	}
	return page, nil
}

func (s *remapStore) Remap(_ context.Context, calls []StoredCall, to []Mapped) error {
	for i := range calls {
		for k := range s.calls {
			if s.calls[k].Key == calls[i].Key {
				s.calls[k].Was, s.calls[k].Old = to[i], false
				s.writes++
			}
		}
	}
	return nil
}

func (s *remapStore) Turns(_ context.Context, keys []SinkKey) (map[SinkKey][]topics.Turn, error) {
	return s.turns, nil
}

func remapOperator() *Operator {
	return &Operator{st: &streams{srv: new(server.Server)}} // nothing runs that could load
}

func reapply(t *testing.T, s *remapStore, rules string, with func(*Reapply), after string) error {
	t.Helper()
	m, err := topics.Parse("rules.yaml", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	r := &Reapply{Rules: m, Progress: func(int, int, string) error { return nil }}
	if with != nil {
		with(r)
	}
	return remapOperator().Reapply(t.Context(), &Sink{Name: "store", Loader: s}, r, after)
}

const reapplyRules = `topics:
  - {name: Cards, any: [gift card]}
  - {name: Heard, any: [umbrella], fields: [user]}
  - {name: Short, any: [invoice], fields: [summary]}
vocabularies: {sentiment: {negative: [grumpy]}}
`

func TestReapplyMapsWhatChangesAndGoesOnWhereItStopped(t *testing.T) {
	s := &remapStore{}
	for i := range 5 {
		s.calls = append(s.calls, StoredCall{Key: SinkKey{"default", strconv.Itoa(i)}, Texts: true, Turns: true, Text: topics.Call{Summary: "a gift card"}, Was: Mapped{Topics: []string{"other"}}})
	}
	s.calls[1].Text.Summary = "nothing"
	s.calls[1].Sentiment, s.calls[1].FollowUp, s.calls[1].AISuccess, s.calls[1].EndedReason = "grumpy", "yes", "partially", "Caller hung up"
	s.calls[3].Text.Summary = "nothing" // stays as it is
	stop := errors.New("stop")
	at := ""
	err := reapply(t, s, reapplyRules, func(r *Reapply) {
		r.Progress = func(_, _ int, next string) error { at = next; return stop }
	}, "")
	if !errors.Is(err, stop) || at != "2" || s.writes != 2 {
		t.Fatalf("%v at %q after %d writes", err, at, s.writes)
	}
	if d := cmp.Diff(Mapped{Topics: []string{"other"}, Sentiment: "negative", FollowUp: new(true), EndedReason: "caller_hangup"}, s.calls[1].Was); d != "" {
		t.Error(d)
	}
	if err := reapply(t, s, reapplyRules, nil, at); err != nil || s.writes != 4 {
		t.Errorf("%v after %d writes", err, s.writes)
	}
	if err := reapply(t, s, reapplyRules, nil, ""); err != nil || s.writes != 4 {
		t.Errorf("repeated: %v after %d writes", err, s.writes)
	}
	s.calls[3].Old = true
	if err := reapply(t, s, reapplyRules, func(r *Reapply) { r.DryRun = true }, ""); err != nil || s.writes != 4 {
		t.Errorf("a dry run: %v after %d writes", err, s.writes)
	}
	if err := reapply(t, s, reapplyRules, nil, ""); err != nil || s.writes != 5 {
		t.Errorf("a row of an earlier release: %v after %d writes", err, s.writes)
	}
}

func TestReapplyAsksForTranscriptsAndKeepsWhatCameFromThem(t *testing.T) {
	heard := StoredCall{
		Key: SinkKey{"default", "heard"}, Texts: true, Text: topics.Call{Summary: "an umbrella"},
		Was: Mapped{Topics: []string{"Heard", "Gone", "Short"}, Confidence: 0.4, Rule: `any "umbrella" in user`},
	}
	mapped := func(turns map[SinkKey][]topics.Turn, with bool) Mapped {
		t.Helper()
		s := &remapStore{calls: []StoredCall{heard}, turns: turns}
		err := reapply(t, s, reapplyRules, func(r *Reapply) {
			if with {
				r.Turns = s
			}
		}, "")
		if err != nil {
			t.Fatal(err)
		}
		return s.calls[0].Was
	}
	f := func(why string, got Mapped, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, got.Topics); d != "" {
			t.Errorf("%s: %s", why, d)
		}
	}
	f("no store has transcripts", mapped(nil, false), "Heard")
	f("the store has none of it", mapped(nil, true), "Heard")
	f("somebody said it", mapped(map[SinkKey][]topics.Turn{heard.Key: {{Role: "user", Content: "my umbrella"}}}, true), "Heard")
	f("nobody said it", mapped(map[SinkKey][]topics.Turn{heard.Key: {{Role: "user", Content: "my hat"}}}, true), "other")
	heard.Texts = false
	f("all texts are erased", mapped(nil, true), "Heard", "Short")
	heard.Was.Rule = `alias "heard" in topic`
	f("the topic is erased too", mapped(nil, true), "Heard", "Short")
	heard.Text.Topic = "now another one"
	f("the topic is not", mapped(nil, true), "Short")
	heard.Text.Topic = ""
	heard.Texts, heard.Was.Rule = true, `any "umbrella" in user`
	if got := mapped(nil, false); got.Rule != heard.Was.Rule || got.Confidence != 0.4 {
		t.Errorf("what is kept keeps its rule: %+v", got)
	}
}
