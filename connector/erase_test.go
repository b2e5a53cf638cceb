package connector

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/redact"
)

// DELIVERY.md, rule 13: the list is consulted by the sealer, by the sinks and by replays.
func TestErasedCallReachesNoStore(t *testing.T) {
	s := newStore()
	var down atomic.Bool
	down.Store(true)
	s.load = func(Batch) error {
		if down.Load() {
			return errors.New("down")
		}
		return nil
	}
	cfg := testConfig(t.TempDir())
	key := cfg.RedactKeys()[0]
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("sealed", "other")
	if code := r.post(`{"callId":"byPhone","customerPhoneNumber":"+13125550142"}`); code != 200 {
		t.Fatalf("answered %d", code)
	}
	o := operator(t, cfg, "a")
	r.eventually("sealed", func() bool {
		st, err := o.Status(t.Context())
		return err == nil && st.Counts.Kept == 3
	})
	for _, hash := range []string{callHash(key, defaultTenant, "sealed"), callHash(key, defaultTenant, "later"), redact.Hash(key, redact.KindPhone, "+13125550142")} {
		if err := o.st.erase(t.Context(), erasure{Hash: hash, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	r.stop()
	down.Store(false)
	r = start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("later", "last")
	r.eventually("the others are loaded", func() bool { return s.has("other") && s.has("last") })
	for _, id := range []string{"sealed", "byPhone", "later"} {
		if s.has(id) {
			t.Errorf("erased call %s is loaded", id)
		}
	}
	o = operator(t, cfg, "a")
	if _, err := o.Replay(t.Context(), Sink{"a", s, 1}, "r1", time.Time{}, time.Time{}, nil); err != nil {
		t.Fatal(err)
	}
	if s.calls() != 2 {
		t.Errorf("%d calls after a replay, want 2", s.calls())
	}
}

// Rule 13: a dead letter that is listed is not replayed, also before it is removed.
func TestErasedDeadLetterIsNotReplayed(t *testing.T) {
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: []Transform{rejecting}}
	r := start(t, c)
	r.deliver("c1", "poison1", "reject1")
	o := operator(t, cfg, "a")
	r.eventually("dead letters", func() bool { return len(deadLettersOf(t, o, DeadFilter{})) == 2 })
	for _, id := range []string{"poison1", "reject1"} {
		if err := o.st.erase(t.Context(), erasure{Hash: callHash(cfg.RedactKeys()[0], defaultTenant, id), At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	bad.Store(false)
	o = operator(t, cfg, "a")
	for _, l := range deadLettersOf(t, o, DeadFilter{}) {
		_ = o.ReplayDead(t.Context(), &l, c.Sinks)
	}
	batchesOf(r, s, "last")
	if s.has("poison1") || s.has("reject1") {
		t.Errorf("an erased dead letter was replayed: %v", s.newest)
	}
}

func TestErasureCoversVersionsAndChildren(t *testing.T) {
	keys := [][]byte{[]byte("0123456789abcdef"), []byte("fedcba9876543210")}
	l := newErasures(keys)
	l.upTo[callHash(keys[1], "t", "A")] = 100 // under an older key
	l.upTo[callHash(keys[0], "t", "B")] = 0
	for _, tt := range []struct {
		e    transforms.Event
		want bool
	}{
		{transforms.Event{Tenant: "t", CallID: "A", Version: 100}, true},
		{transforms.Event{Tenant: "t", CallID: "A", Version: 101}, false},
		{transforms.Event{Tenant: "t", CallID: "a", Version: 1}, false},
		{transforms.Event{Tenant: "u", CallID: "A", Version: 1}, false},
		{transforms.Event{Tenant: "t", CallID: "A#1", ParentCallID: "A", Version: 1}, true},
		{transforms.Event{Tenant: "t", CallID: "B", Version: 1 << 60}, true},
		{transforms.Event{Tenant: "t", CallID: "C"}, false},
	} {
		if got := l.covers(&tt.e); got != tt.want {
			t.Errorf("%s/%s@%d covered: %v, want %v", tt.e.Tenant, tt.e.CallID, tt.e.Version, got, tt.want)
		}
	}
}

func TestReplayHasTokensOfItsOwn(t *testing.T) {
	b := Batch{Token: "t", Events: make([]transforms.Event, 4)}
	lo, _ := b.halves()
	r := b.under("r1")
	rlo, _ := r.halves()
	if r.Token == b.Token || rlo.Token == lo.Token {
		t.Errorf("tokens of a replay: %s %s, of the batch: %s %s", r.Token, rlo.Token, b.Token, lo.Token)
	}
}

// loadOnly is a store without the optional abilities: what it has is known by its tokens alone.
type loadOnly struct{ Loader }

// DELIVERY.md, rules 13 and 17: what is erased of a batch changes no token of the rest, so a redelivery is still the same
// insert, and is cut where it was cut before.
func TestErasureChangesNoToken(t *testing.T) {
	b := Batch{Token: "t", Events: make([]transforms.Event, 8)}
	lo, hi := b.halves()
	less := b.keep([]int{0, 2, 5})
	llo, lhi := less.halves()
	if less.Token != b.Token || llo.Token != lo.Token || lhi.Token != hi.Token {
		t.Errorf("tokens %s %s %s after an erasure, %s %s %s before", less.Token, llo.Token, lhi.Token, b.Token, lo.Token, hi.Token)
	}
	if len(llo.Events) != 2 || len(lhi.Events) != 1 || lhi.at(0) != 5 || lhi.origin() != "t" {
		t.Errorf("halves have %d and %d events, the last at %d of %s", len(llo.Events), len(lhi.Events), lhi.at(0), lhi.origin())
	}
	failed := map[int]error{2: errors.New("no")}
	if got, want := lhi.Without(map[int]error{0: errors.New("no")}), hi.Without(map[int]error{1: errors.New("no")}); got != want {
		t.Errorf("the same row left out is %s and %s", got, want)
	}
	if b.Without(failed) == b.Token || b.Without(nil) != b.Token {
		t.Error("rows left out do not change the token, or none do")
	}
}

func TestErasedRedeliveryLoadsNothingTwice(t *testing.T) {
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge = 300 * time.Millisecond
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", loadOnly{s}, 1}}})
	r.deliver("c1", "c2", "poison", "c3", "c4", "c5", "c6", "secret1")
	r.eventually("loaded", func() bool { return s.calls() == 7 })
	r.deliver("d1", "secret2", "d2")
	r.eventually("loaded", func() bool { return s.calls() == 10 })
	o := operator(t, cfg, "a")
	for _, id := range []string{"c2", "poison", "c3", "secret1", "secret2"} { // c1 alone is left of a part that was cut
		if err := o.st.erase(t.Context(), erasure{Hash: callHash(cfg.RedactKeys()[0], defaultTenant, id), At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	redeliver(t, o, "a") // the list is followed by then
	r.deliver("last")
	r.eventually("the next batch is loaded", func() bool { return s.has("last") })
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
}
