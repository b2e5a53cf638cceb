package transformtest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postcall/postcall/transforms"
)

// checks are the rules of the contract, in the order in which they are checked.
var checks = []check{
	{name: "start", rule: "it starts and takes its settings", run: start},
	{name: "settings", rule: "a setting that it doesn't know is refused by name", only: []string{kindProcess}, run: settings},
	{name: "empty", rule: "an empty batch is answered at once", run: empty},
	{name: "golden", rule: "every event of a real call is taken", run: takesGolden},
	{name: "made", rule: "every made-up event is taken: odd, empty, huge", run: takesMade},
	{name: "order", rule: "one entry per event comes back, in order, under its id", run: order},
	{name: "identity", rule: "tenant, source, version, received time, parent and keys stay", run: identity},
	{name: "values", rule: "texts are UTF-8, numbers finite, years 1 to 9999", run: values},
	{name: "extra", rule: "extra is a JSON object or empty", run: extraIsObject},
	{name: "outcome", rule: "what is dropped or rejected has a reason", run: outcomes},
	{name: "repeat", rule: "the same batch again has the same result", needs: []string{"golden"}, run: repeat},
	{name: "restart", rule: "after a restart too", needs: []string{"repeat"}, run: restart},
	{name: "neighbours", rule: "the result of an event doesn't depend on its neighbours", needs: []string{"repeat", "order"}, run: neighbours},
	{name: "concurrent", rule: "several calls at once don't disturb each other", needs: []string{"repeat"}, run: concurrent},
	{name: "owned", rule: "what it returned is no longer its own", needs: []string{"restart"}, only: []string{kindDirect}, run: owned},
	{name: "large", rule: "a batch of 4 MiB passes, whole or in parts", needs: []string{"golden", "order"}, run: large},
	{name: "unknown", rule: "fields of a newer version come back", needs: []string{"golden", "order", "values"}, only: []string{kindGRPC, kindProcess}, run: unknown},
	{name: "cancel", rule: "a canceled call ends soon and harms no other", needs: []string{"golden"}, run: cancel},
	{name: "private", rule: "no reason, error or log line holds what a caller said", run: private},
	{name: "memory", rule: "its memory stays within bounds", needs: []string{"golden"}, only: []string{kindProcess}, run: memory},
	{name: "stop", rule: "it ends when it is asked to, and leaves nothing behind", run: stop},
}

func start(ctx context.Context, s *suite) (string, *fault) {
	began := time.Now()
	in, err := s.open(ctx)
	if err != nil {
		return "", &fault{err.Error(), "if a setting is at fault, give it by --settings; otherwise see the plugin's last words"}
	}
	s.report.Name, s.report.Version = in.name, in.version
	s.main = in
	if s.subject.kind == kindProcess && (in.name == "" || in.version == "") {
		return "", &fault{"its answer to Configure has no name or no version", "answer both: the version is kept with every event"}
	}
	return "ready after " + time.Since(began).Round(time.Millisecond).String(), nil
}

func settings(ctx context.Context, s *suite) (string, *fault) {
	const name, value = "postcall-no-such-setting", "a-value-that-may-be-a-secret"
	const change = "refuse it with INVALID_ARGUMENT and a message that names the setting and holds no value (transforms.DecodeSettings does)"
	did := "started once more with the setting " + name
	subject, err := s.subject.with(name, `"`+value+`"`)
	if err != nil {
		return "", &fault{err.Error(), "the settings must be a JSON object"}
	}
	in, err := subject.start(ctx)
	switch {
	case err == nil:
		_ = in.close()
		return did, &fault{"it starts with a setting that it can't know, so that a misspelled one would go unnoticed", change}
	case strings.Contains(err.Error(), value):
		return did, &fault{"the error holds the setting's value: " + err.Error(), change}
	case !strings.Contains(err.Error(), name):
		return did, &fault{"the error doesn't name the setting: " + err.Error(), change}
	}
	return did, nil
}

func empty(ctx context.Context, s *suite) (string, *fault) {
	const bound = 2 * time.Second
	for _, batch := range [][]transforms.Event{nil, {}} {
		a := s.call(ctx, batch)
		switch {
		case a.err != nil:
			return "", &fault{a.err.Error(), "answer an empty batch with an empty batch: postcall asks so whether the plugin is alive"}
		case len(a.out) > 0:
			return "", &fault{fmt.Sprintf("%d events come back", len(a.out)), "answer an empty batch with an empty batch"}
		case a.took > bound:
			return "", &fault{"it took " + a.took.Round(time.Millisecond).String(), "do nothing for an empty batch: postcall asks so whether the plugin is alive"}
		}
	}
	return "two of them, each within " + bound.String(), nil
}

func takesGolden(ctx context.Context, s *suite) (string, *fault) {
	events := Events()
	return s.takes(ctx, events, fmt.Sprintf("%d events, alone and together", len(events)))
}

func takesMade(ctx context.Context, s *suite) (string, *fault) {
	events := Fuzz(s.o.Seed, s.o.Events)
	return s.takes(ctx, events, fmt.Sprintf("%d events of seed %d, alone and in batches", len(events), s.o.Seed))
}

// takes hands over the events in batches and alone, and keeps the answers.
func (s *suite) takes(ctx context.Context, events []transforms.Event, did string) (string, *fault) {
	const change = "don't fail on what senders send: leave the event as it is, or reject it with a reason (Event.Reject); see " +
		"transformtest.Events and transformtest.Fuzz for the event"
	failures, first := 0, ""
	note := func(what string, a answer) {
		if failures++; failures == 1 {
			first = what + ": " + a.err.Error()
		}
	}
	for batch := range slices.Chunk(events, 40) {
		if a := s.call(ctx, batch); a.err == nil || isUnfit(a.err) {
			s.answers = append(s.answers, a)
		}
	}
	for i := range events {
		a := s.call(ctx, events[i:i+1])
		if a.err == nil || isUnfit(a.err) {
			s.alone[events[i].CallID] = a
			continue
		}
		note(fmt.Sprintf("call %.40q", events[i].CallID), a)
		if hung(a.err) || ctx.Err() != nil {
			return did, &fault{first, change}
		}
	}
	if failures == 0 {
		return did, nil
	}
	return did, &fault{fmt.Sprintf("%d of %d events fail; the first, %s", failures, len(events), first), change}
}

func repeat(ctx context.Context, s *suite) (string, *fault) {
	return s.again(ctx, s.main, "the same batch again", "keep nothing from call to call that a result depends on: after an error or a crash the same batch comes again")
}

func restart(ctx context.Context, s *suite) (string, *fault) {
	in, err := s.subject.start(ctx)
	if err != nil {
		return "", &fault{"it can't be opened a second time: " + err.Error(), "two of it must be able to run"}
	}
	defer func() { _ = in.close() }() // the check "stop" looks at this
	return s.again(ctx, in, "the same batch after a restart", "let no result depend on a seed, an address, a clock, or the order of a map or a set")
}

// again sends every batch that was answered once more.
func (s *suite) again(ctx context.Context, in *instance, what, change string) (string, *fault) {
	for _, first := range s.answers {
		if bad := same(what, first, in.call(ctx, first.batch, s.o.Patience)); bad != "" {
			return "", &fault{bad, change}
		}
	}
	return fmt.Sprintf("%d batches", len(s.answers)), nil
}

func neighbours(ctx context.Context, s *suite) (string, *fault) {
	const change = "look at one event only: a batch with an event that can't be transformed is halved until it is alone"
	n := 0
	answers := slices.Clone(s.answers)
	for _, a := range s.answers {
		turned := slices.Clone(a.batch)
		slices.Reverse(turned)
		answers = append(answers, s.call(ctx, turned))
	}
	for _, a := range answers {
		if isUnfit(a.err) {
			continue
		}
		if a.err != nil {
			return "", &fault{"a batch in another order: " + a.err.Error(), change}
		}
		groups, bad := group(a)
		if bad != "" {
			return "", &fault{bad, change}
		}
		for i, g := range groups {
			one, ok := s.alone[a.batch[i].CallID]
			if !ok || one.err != nil {
				continue
			}
			n++
			if bad := differ(fmt.Sprintf("call %.40q among others", a.batch[i].CallID), one.out, g); bad != "" {
				return "", &fault{bad, change}
			}
		}
	}
	return fmt.Sprintf("%d results in two orders, each against the event alone", n), nil
}

func concurrent(ctx context.Context, s *suite) (string, *fault) {
	const callers, more = 4, 5
	did := fmt.Sprintf("%d callers, each %d batches", callers, len(s.answers)+more)
	bad := make([]string, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			todo := slices.Repeat(s.answers[:1], more) // of real calls, small
			for i := range s.answers {
				todo = append(todo, s.answers[(c+i)%len(s.answers)])
			}
			for _, want := range todo {
				if bad[c] = same("one of several calls at once", want, s.main.call(ctx, want.batch, s.o.Patience)); bad[c] != "" {
					return
				}
			}
		})
	}
	wg.Wait()
	if first := cmp.Or(bad...); first != "" {
		return did, &fault{first, "share nothing between calls that changes, or guard it; run a Go transform's tests with -race"}
	}
	return did, nil
}

// owned writes into what came back, as the host may, and asks again.
func owned(ctx context.Context, s *suite) (string, *fault) {
	in, err := s.subject.start(ctx) // this may spoil it
	if err != nil {
		return "", &fault{err.Error(), "two of it must be able to run"}
	}
	defer func() { _ = in.close() }()
	a := s.answers[0]
	out, err := in.try(ctx, clones(a.batch))
	if err != nil {
		return "", &fault{err.Error(), "see the rules before"}
	}
	for i := range out {
		scribble(&out[i])
	}
	again := in.call(ctx, a.batch, s.o.Patience)
	if bad := same("the same batch, after the host has written into the answer before,", a, again); bad != "" {
		return "", &fault{bad, "return slices of each event's own: what comes back is the host's to change"}
	}
	return "wrote into an answer, and asked again", nil
}

func scribble(e *transforms.Event) {
	for i := range e.Transcript {
		e.Transcript[i] = transforms.Turn{Content: "scribbled"}
	}
	for _, list := range [][]string{e.KeyPoints, e.UnansweredQuestions, e.ActionItems, e.Topics} {
		for i := range list {
			list[i] = "scribbled"
		}
	}
	copy(e.Extra, bytes.Repeat([]byte("x"), len(e.Extra)))
	for _, p := range []*float64{e.Duration, e.Metrics.TalkRatio, e.Metrics.WordsPerMinute} {
		if p != nil {
			*p = -7
		}
	}
	for _, p := range []*bool{e.FollowUpBool, e.AISuccessBool} {
		if p != nil {
			*p = !*p
		}
	}
}
