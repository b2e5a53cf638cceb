package transformtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/postcall/postcall/transforms"
)

var brokenPath string // of the executable of testdata/broken

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "transformtest-")
	if err != nil {
		panic(err)
	}
	brokenPath = filepath.Join(dir, "broken")
	if out, err := exec.Command("go", "build", "-o", brokenPath, "./testdata/broken").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

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

func (various) Transform(ctx context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	var out []transforms.Event
	for i := range batch {
		e := &batch[i]
		switch {
		case len(e.Transcript) == 0:
			e.Drop("empty")
		case e.Summary == "":
			e.Reject("no summary")
		default:
			out = append(out, e.Split(e.Clone(), transforms.Event{Topic: "a part"})...)
			continue
		}
		out = append(out, *e)
	}
	return out, ctx.Err()
}

// small refuses batches that are too large for it.
type small struct{}

func (small) Transform(_ context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	if data, err := transforms.AppendEvents(nil, batch); err != nil || len(data) > 3<<20 {
		return nil, transforms.Permanent(errors.New("the batch is too large"))
	}
	return batch, nil
}

func TestRun(t *testing.T) {
	Run(t, func() transforms.Transformer { return upper{} })
	Run(t, func() transforms.Transformer { return various{} })
	Run(t, func() transforms.Transformer { return small{} })
	RunProcess(t, transforms.Spec{Name: "broken", Path: brokenPath})
}

// transformFunc is a transformer in one function.
type transformFunc func(context.Context, []transforms.Event) ([]transforms.Event, error)

func (f transformFunc) Transform(ctx context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	return f(ctx, batch)
}

func each(f func(e *transforms.Event)) func() transforms.Transformer {
	return whole(func(batch []transforms.Event) []transforms.Event {
		for i := range batch {
			f(&batch[i])
		}
		return batch
	})
}

func whole(f func([]transforms.Event) []transforms.Event) func() transforms.Transformer {
	return func() transforms.Transformer {
		return transformFunc(func(_ context.Context, batch []transforms.Event) ([]transforms.Event, error) { return f(batch), nil })
	}
}

func erring(f func(ctx context.Context, batch []transforms.Event) error) func() transforms.Transformer {
	return func() transforms.Transformer {
		return transformFunc(func(ctx context.Context, batch []transforms.Event) ([]transforms.Event, error) {
			return batch, f(ctx, batch)
		})
	}
}

// quick is thorough enough for a transform that breaks a rule at the first chance, and patient on a busy machine;
// impatient is for what is about time.
var (
	quick     = Options{Events: 16, Patience: time.Minute, Grace: 30 * time.Second}
	impatient = Options{Events: 16, Patience: time.Minute, Grace: time.Second}
)

// breaks holds that a check fails, and no other, and part of what is said about it.
func breaks(t *testing.T, subject Subject, o Options, check, says string) {
	t.Helper()
	report := Check(t.Context(), subject, o)
	var failed []string
	for _, r := range report.Results {
		if r.Status != Failed {
			continue
		}
		failed = append(failed, r.Check)
		if !strings.Contains(r.Problem, says) || r.Change == "" {
			t.Errorf("%s: problem %q, change %q; want a problem with %q and a change", r.Check, r.Problem, r.Change, says)
		}
	}
	if !slices.Equal(failed, []string{check}) {
		t.Errorf("%q fail, want %q alone", failed, check)
	}
}

func TestBrokenTransformsAreCaught(t *testing.T) {
	f := func(name, check, says string, open func() transforms.Transformer) {
		t.Run(name, func(t *testing.T) {
			o := quick
			if strings.Contains(says, "for more than 1s") {
				o = impatient
			}
			breaks(t, Direct(open), o, check, says)
		})
	}
	f("fails for nothing", "empty", "no events", erring(func(_ context.Context, batch []transforms.Event) error {
		if len(batch) == 0 {
			return errors.New("no events")
		}
		return nil
	}))
	f("makes something of nothing", "empty", "1 events come back", whole(func(batch []transforms.Event) []transforms.Event {
		if len(batch) == 0 {
			return []transforms.Event{{CallID: "x"}}
		}
		return batch
	}))
	f("panics without a transcript", "golden", `call "only an id": it panicked: runtime error`, each(func(e *transforms.Event) {
		if !strings.HasPrefix(e.CallID, "made-") {
			_ = e.Transcript[0]
		}
	}))
	f("fails for many turns", "made", `1 of 16 events fail; the first, call "made-5-many-turns": too long`, erring(func(_ context.Context, batch []transforms.Event) error {
		if slices.ContainsFunc(batch, func(e transforms.Event) bool { return len(e.Transcript) > 5000 }) {
			return errors.New("too long")
		}
		return nil
	}))
	f("loses an event", "order", "come back; the first that is missing", whole(func(batch []transforms.Event) []transforms.Event { return batch[:max(len(batch)-1, 0)] }))
	f("turns the order", "order", "comes back behind 0 of", whole(func(batch []transforms.Event) []transforms.Event {
		slices.Reverse(batch)
		return batch
	}))
	f("says everything twice", "order", "comes back behind 1 of", whole(func(batch []transforms.Event) []transforms.Event {
		var out []transforms.Event
		for _, e := range batch {
			out = append(out, e, e)
		}
		return out
	}))
	f("renames", "order", "x\" comes back behind 0", each(func(e *transforms.Event) { e.CallID += "x" }))
	f("misnames children", "order", "are named with #1", whole(func(batch []transforms.Event) []transforms.Event {
		var out []transforms.Event
		for _, e := range batch {
			out = append(out, e, transforms.Event{CallID: e.CallID + "#one", ParentCallID: e.CallID})
		}
		return out
	}))
	f("changes the tenant", "identity", "tenant changed", each(func(e *transforms.Event) { e.Tenant += "x" }))
	f("changes the source", "identity", "source changed", each(func(e *transforms.Event) { e.Source += "x" }))
	f("changes the version", "identity", "version changed", each(func(e *transforms.Event) { e.Version = 7 }))
	f("changes the received time", "identity", "receivedAt changed", each(func(e *transforms.Event) { e.ReceivedAt = time.Unix(1, 0) }))
	f("changes a key", "identity", "emailKey changed", each(func(e *transforms.Event) { e.EmailKey += "x" }))
	f("makes children of others", "identity", "parentCallId changed", each(func(e *transforms.Event) { e.ParentCallID = "x" }))
	f("gives children another tenant", "identity", "tenant changed", whole(func(batch []transforms.Event) []transforms.Event {
		var out []transforms.Event
		for i := range batch {
			out = append(out, batch[i].Split(transforms.Event{Tenant: "x"})...)
		}
		return out
	}))
	f("cuts a character", "values", "not valid UTF-8", each(func(e *transforms.Event) { e.Topic = "\xe6\x97" }))
	f("divides by zero", "values", "not a finite number", each(func(e *transforms.Event) { e.Duration = new(math.NaN()) }))
	f("breaks extra", "extra", "extra is no JSON object: {", each(func(e *transforms.Event) { e.Extra = []byte("{") }))
	f("makes extra a list", "extra", "extra is no JSON object: []", each(func(e *transforms.Event) { e.Extra = []byte("[]") }))
	f("gives no reason", "outcome", "without a reason", each(func(e *transforms.Event) { e.Drop("") }))
	f("decides oddly", "outcome", "no decision 9", each(func(e *transforms.Event) { e.Outcome.Decision = 9 }))
	f("counts backwards", "outcome", "words of a turn", each(func(e *transforms.Event) {
		for i := range e.Transcript {
			e.Transcript[i].Words = -1
		}
	}))
	f("counts calls", "repeat", "the same batch again has another result", func() transforms.Transformer {
		var calls atomic.Int64
		return each(func(e *transforms.Event) { e.Topic = fmt.Sprint(calls.Add(1)) })()
	})
	f("hashes with a seed", "restart", "the same batch after a restart has another result", func() transforms.Transformer {
		seed := fmt.Sprint(rand.Uint64())
		return each(func(e *transforms.Event) { e.Topic = seed })()
	})
	f("looks at neighbours", "neighbours", "among others has another result", whole(func(batch []transforms.Event) []transforms.Event {
		for i := range batch {
			batch[i].Topic = batch[0].CallID
		}
		return batch
	}))
	f("minds its company", "concurrent", "one of several calls at once has another result", func() transforms.Transformer {
		var busy atomic.Int64
		return whole(func(batch []transforms.Event) []transforms.Event {
			defer busy.Add(-1)
			if busy.Add(1) > 1 && len(batch) > 0 {
				batch[0].Topic = "busy"
			}
			time.Sleep(5 * time.Millisecond)
			return batch
		})()
	})
	f("shares a list", "owned", `Topics[0] was "billing" and is "scribbled"`, func() transforms.Transformer {
		topics := []string{"billing"}
		return each(func(e *transforms.Event) { e.Topics = topics })()
	})
	f("doesn't look at its context", "cancel", "goes on for more than 1s", whole(func(batch []transforms.Event) []transforms.Event {
		if len(batch) > 20 {
			time.Sleep(3 * time.Second)
		}
		return batch
	}))
	f("takes the end for good", "cancel", "a canceled call fails for good", erring(func(ctx context.Context, _ []transforms.Event) error {
		return transforms.Permanent(ctx.Err())
	}))
	f("doesn't recover", "cancel", "the next call: broken", func() transforms.Transformer {
		var broken atomic.Bool
		return erring(func(ctx context.Context, _ []transforms.Event) error {
			if ctx.Err() != nil {
				broken.Store(true)
			}
			if broken.Load() {
				return errors.New("broken")
			}
			return nil
		})()
	})
	f("is too small", "large", "out of memory", erring(func(_ context.Context, batch []transforms.Event) error {
		if data, err := transforms.AppendEvents(nil, batch); err != nil || len(data) > 4<<20 {
			return errors.New("out of memory")
		}
		return nil
	}))
	f("tells in a reason", "private", "the reason of call", each(func(e *transforms.Event) {
		if e.Summary != "" {
			e.Reject("odd summary: " + e.Summary)
		}
	}))
}

// These are about goroutines, so they run alone.
func TestBrokenTransformsThatLeak(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	breaks(t, Direct(whole(func(batch []transforms.Event) []transforms.Event {
		go func() { <-end }()
		return batch
	})), quick, "stop", "goroutines are left")
}

func result(t *testing.T, r *Report, check string) Result {
	t.Helper()
	i := slices.IndexFunc(r.Results, func(r Result) bool { return r.Check == check })
	if i < 0 {
		t.Fatalf("no %s in %+v", check, r)
	}
	return r.Results[i]
}

func TestPluginsThatHangAreCaught(t *testing.T) {
	o := quick
	o.Patience = 5 * time.Second
	if r := result(t, Check(t.Context(), broken("hangs"), o), "made"); r.Status != Failed || !strings.Contains(r.Problem, `call "made-2-blank-parts": no answer within 5s`) {
		t.Errorf("%+v", r)
	}
}

func TestErrorsThatTellAreCaught(t *testing.T) {
	report := Check(t.Context(), Direct(erring(func(_ context.Context, batch []transforms.Event) error {
		if len(batch) > 0 && len(batch[0].Transcript) > 3 {
			return fmt.Errorf("can't parse %q", batch[0].Transcript[1].Content)
		}
		return nil
	})), quick)
	if r := result(t, report, "private"); r.Status != Failed || !strings.Contains(r.Problem, "an error holds what was said") {
		t.Errorf("%+v", r)
	}
}

func broken(how string) Subject {
	return Process(transforms.Spec{Name: "broken", Path: brokenPath, Env: []string{"BROKEN=" + how}})
}

func TestBrokenPluginsAreCaught(t *testing.T) {
	f := func(how, check, says string) {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			o := quick
			if how == "blocks" {
				o.Grace = 4 * time.Second
			}
			breaks(t, broken(how), o, check, says)
		})
	}
	f("takes-any-setting", "settings", "it starts with a setting that it can't know")
	f("quotes-settings", "settings", "the error holds the setting's value")
	f("no-version", "start", "no name or no version")
	f("dies", "made", "exit status 3")
	f("invalid", "values", "topic: not valid UTF-8")
	f("loses-fields", "unknown", `comes back without a field`)
	f("logs", "private", "a log line holds what was said")
	f("blocks", "cancel", "the next call")
	f("hogs", "memory", "MiB")
	f("stays", "stop", "did not end within 2s")
}

// TestGeneratedCodePasses: a plugin that accepts no message above 4 MiB, as is usual, gets large batches in parts.
func TestGeneratedCodePasses(t *testing.T) {
	report := Check(t.Context(), broken("generated"), quick)
	if report.Name != "generated" || report.Version != "1" || report.Protocol != 1 || report.Memory == 0 {
		t.Errorf("%+v", report)
	}
	for _, r := range report.Results {
		if r.Status != OK {
			t.Errorf("%+v", r)
		}
	}
	if r := result(t, report, "large"); !strings.Contains(r.Did, "in 2 parts") {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsNoPluginIsNotChecked(t *testing.T) {
	var shown []string
	o := quick
	o.Progress = func(r Result) { shown = append(shown, r.Check) }
	report := Check(t.Context(), Process(transforms.Spec{Name: "true", Path: "/bin/true", Logger: slog.New(slog.DiscardHandler)}), o)
	if len(report.Results) != 1 || report.OK() || !strings.Contains(report.Results[0].Problem, "is it a plugin?") || len(shown) != 1 {
		t.Errorf("%+v; %q were shown", report, shown)
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := quick
	o.Progress = func(r Result) {
		if r.Check == "golden" {
			cancel()
		}
	}
	if report := Check(ctx, Direct(func() transforms.Transformer { return upper{} }), o); len(report.Results) != 3 {
		t.Errorf("%d results", len(report.Results))
	}
}

func TestCosts(t *testing.T) {
	o := quick
	o.Costs = true
	report := Check(t.Context(), OverGRPC(func() transforms.Transformer { return upper{} }), o)
	if len(report.Costs) != 4 || report.Costs[3].Batch != 500 || report.Costs[0].Micros <= report.Costs[2].Micros {
		t.Errorf("%+v", report.Costs)
	}
}

// TestGoldenFiles holds the copies to their origin. Where it fails, copy testdata/golden/*.json to transforms/transformtest/golden/.
func TestGoldenFiles(t *testing.T) {
	read := func(dir string) map[string]string {
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		all := map[string]string{}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.Base(f)] = string(data)
		}
		return all
	}
	if diff := cmp.Diff(read("../../testdata/golden"), read("golden")); diff != "" {
		t.Error(diff)
	}
}

// TestEventsAreValid: what the suite hands over is what postcall could.
func TestEventsAreValid(t *testing.T) {
	made := Fuzz(3, 160)
	if diff := cmp.Diff(made, Fuzz(3, 160)); diff != "" {
		t.Errorf("the same seed makes other events:\n%.500s", diff)
	}
	if cmp.Equal(Fuzz(4, 20), Fuzz(3, 20)) {
		t.Error("another seed makes the same events")
	}
	events := append(Events(), made...)
	if _, err := transforms.AppendEvents(nil, events); err != nil {
		t.Error(err)
	}
	ids := map[string]bool{}
	for i := range events {
		e := &events[i]
		if ids[e.CallID] || e.CallID == "" || len(e.CallID) > 512 || strings.ContainsFunc(e.CallID, func(r rune) bool { return r < ' ' }) {
			t.Errorf("call id %q", e.CallID)
		}
		ids[e.CallID] = true
		if len(e.Extra) > 0 && (!json.Valid(e.Extra) || !utf8.Valid(e.Extra)) {
			t.Errorf("call %q: extra is %.100s", e.CallID, e.Extra)
		}
	}
}

func TestCheckLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	Check(t.Context(), broken("dies"), quick)
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
