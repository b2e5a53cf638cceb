package connector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/postcall/postcall/transforms"
)

// watched starts a connector and returns what the console of its process gets.
func watched(t *testing.T, c Connector) (*running, *Running) {
	t.Helper()
	var op *Running
	c.Console = func(r *Running) http.Handler {
		op = r
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	}
	for _, s := range c.Sinks {
		c.Config.Sinks = append(c.Config.Sinks, s.Name)
	}
	return start(t, c), op
}

func TestConsoleIsOnTheAdminPortAlone(t *testing.T) {
	r, _ := watched(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", newStore(), 1}}})
	for url, want := range map[string]int{r.admin + "/console/": 418, r.admin + "/console/dead/x": 418, r.url[:len(r.url)-len(WebhookPath)] + "/console/": 404} {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s answers %d, want %d", url, res.StatusCode, want)
		}
	}
}

// The latest calls are there with the store away, once each, and say which sink is done with them.
func TestLatestCallsNeedNoStore(t *testing.T) {
	fast, slow := newStore(), newStore()
	var down atomic.Bool
	down.Store(true)
	slow.load = func(Batch) error {
		if down.Load() {
			return errors.New("no route")
		}
		return nil
	}
	r, op := watched(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"fast", fast, 1}, {"slow", slow, 1}}})
	r.deliver(ids("c", 30)...)
	r.deliver("c010") // again
	r.eventually("loaded by one", func() bool { return fast.calls() == 30 })
	latest := func() []LatestCall {
		calls, err := op.Latest(t.Context(), 20)
		if err != nil {
			t.Fatal(err)
		}
		return calls
	}
	r.eventually("told", func() bool { c := latest(); return len(c) == 20 && c[0].CallID == "c010" && c[0].Acked["fast"] })
	calls := latest()
	if calls[1].CallID != "c029" || calls[0].Acked["slow"] || calls[19].Acked["slow"] {
		t.Errorf("they are %+v", calls)
	}
	if n := len(slices.CompactFunc(slices.Clone(calls), func(a, b LatestCall) bool { return a.CallID == b.CallID })); n != 20 {
		t.Errorf("a call is there twice: %+v", calls)
	}
	r.eventually("why it waits", func() bool { h := op.Here(); return h.Sinks[1].State == SinkFails && h.Sinks[1].Why == "no route" })
	if h := op.Here(); h.Sinks[0].State != SinkLoads || h.Refusing != "" || h.Pod != "" {
		t.Errorf("here: %+v", h)
	}
	down.Store(false)
	r.eventually("done by both", func() bool {
		return !slices.ContainsFunc(latest(), func(c LatestCall) bool { return !c.Acked["slow"] }) && op.Here().Sinks[1].State == SinkLoads
	})
	if s, err := op.Status(t.Context()); err != nil || s.Counts.Received != 31 || len(s.Sinks) != 2 {
		t.Errorf("status: %+v, %v", s, err)
	}
}

// Of a call that no redaction has seen only postcall's own words are told.
func TestLatestCallTellsSendersWordsAfterRedactionAlone(t *testing.T) {
	e := transforms.Event{CallID: "c", Topic: "Nora's bill", Sentiment: "cross with Nora", EndedReason: "Nora hung up", Topics: []string{"Billing"}}
	if c := latestCall(&e); c.Topic != "Billing" || c.Sentiment != "" || c.EndedReason != "" {
		t.Errorf("it tells %+v", c)
	}
	e.Topics, e.Transforms = nil, []transforms.Applied{{Name: redactPII}}
	if c := latestCall(&e); c.Topic != e.Topic || c.Sentiment != e.Sentiment || c.EndedReason != e.EndedReason {
		t.Errorf("it tells %+v", c)
	}
}

func TestForgottenCallIsNotAmongTheLatest(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	r, op := watched(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("stays", "goes")
	r.eventually("loaded", func() bool { return s.calls() == 2 })
	if _, err := operator(t, cfg, "a").Forget(t.Context(), Erasure{CallID: "goes"}); err != nil {
		t.Fatal(err)
	}
	r.eventually("one is left", func() bool {
		calls, err := op.Latest(t.Context(), 20)
		return err == nil && len(calls) == 1 && calls[0].CallID == "stays"
	})
}

func TestOneDeadLetterIsFoundByStageAndID(t *testing.T) {
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	r, op := watched(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1", "poison")
	if code := r.post(`{"callId":7}`); code != 422 {
		t.Fatalf("answered %d", code)
	}
	list := func() []DeadLetter { return deadLettersOf(t, op.Operator, DeadFilter{Brief: true}) }
	r.eventually("two", func() bool { return len(list()) == 2 })
	for _, brief := range list() {
		if len(brief.Body)+len(brief.Event) > 0 {
			t.Errorf("%s of stage %s holds what was not to be read", brief.ID, brief.Stage)
		}
		l, err := op.DeadLetter(t.Context(), brief.Stage, brief.ID)
		if err != nil || l.Reason != brief.Reason || len(l.Body)+len(l.Event) == 0 {
			t.Errorf("%+v, %v", l, err)
		}
		if _, err := op.DeadLetter(t.Context(), StageSeal, brief.ID); !errors.Is(err, ErrNoDeadLetter) {
			t.Errorf("of another stage: %v", err)
		}
		if _, err := op.DeadLetter(t.Context(), brief.Stage, "*"); !errors.Is(err, ErrNoDeadLetter) {
			t.Errorf("of any id: %v", err)
		}
		if brief.Stage == StageLoad {
			bad.Store(false)
			if err := op.Replay(t.Context(), l); err != nil || !s.has("poison") {
				t.Errorf("replay: %v", err)
			}
			if l, err := op.DeadLetter(t.Context(), brief.Stage, brief.ID); err != nil || l.State != DeadReplayed {
				t.Errorf("after it: %+v, %v", l, err)
			}
		}
	}
}

// A replay by the connector's own process keeps a sink that loads alone from loading meanwhile, as one by a tool does.
func TestReplayInTheProcessLoadsAlone(t *testing.T) {
	s := &exclusiveStore{store: newStore()}
	_, op := watched(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}})
	err := op.alone(t.Context(), &Sink{"a", s, 1}, func(ctx context.Context) error {
		c, err := op.st.batches.Consumer(ctx, "a")
		if err == nil && !c.CachedInfo().Paused {
			err = errors.New("the sink goes on meanwhile")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestShapeShowsNoValue(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := Shape([]byte(body)); got != want {
			t.Errorf("shape is %s, want %s", got, want)
		}
	}
	f(`{"callId":7,"callerName":"Nora","transcript":[{"role":"user","content":"4111"}],"ok":true,"none":null,"list":[]}`,
		"{callId: number, callerName: string(4), list: [], none: null, ok: boolean, transcript: [1 of {content: string(4), role: string(4)}]}")
	f(`{"+13125550142":1}`, "{(name of 12 bytes): number}")
	f(`{"p13125550142":1}`, "{(name of 12 bytes): number}")
	f(`{"Nora Whitfield":{"<b>":{"a":{"b":{"c":1}}}}}`, fmt.Sprintf("{(name of %d bytes): {(name of 3 bytes): {a: {b: object}}}}", len("Nora Whitfield")))
	f(`Nora`, "not one JSON value")
}

// On a cluster each process tells of itself, and all tell the same of what is everybody's.
func TestConsolesOfAClusterTellWhoTheyAre(t *testing.T) {
	_, urls := startNATS(t, 1)
	s := newStore()
	a, opA := watched(t, Connector{Config: clusterConfig(t, urls), Sinks: []Sink{{"clickhouse", s, 1}}})
	_, opB := watched(t, Connector{Config: clusterConfig(t, urls), Sinks: []Sink{{"clickhouse", s, 1}}})
	a.deliver("c1", "c2", "c3")
	a.eventually("loaded", func() bool { return s.calls() == 3 })
	if podA, podB := opA.Here().Pod, opB.Here().Pod; podA == "" || podB == "" || podA == podB {
		t.Errorf("the pods are %q and %q", podA, podB)
	}
	for _, op := range []*Running{opA, opB} {
		a.eventually("both tell it", func() bool {
			st, err := op.Status(t.Context())
			calls, err2 := op.Latest(t.Context(), 20)
			return err == nil && err2 == nil && st.Cluster != nil && st.Counts.Received == 3 && st.Sinks[0].Delivered == 3 && len(calls) == 3
		})
	}
}
