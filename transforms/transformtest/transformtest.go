// Package transformtest checks that a transform keeps the contract of transforms.Transformer. A transform's own tests
// call Run once, besides testing what the transform is for:
//
//	func TestContract(t *testing.T) {
//		transformtest.Run(t, func() transforms.Transformer { return upper{} })
//	}
package transformtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/postcall/postcall/transforms"
)

// patience is how long one call may take before it counts as one that ignores its context or hangs.
const patience = 20 * time.Second

// Run runs the checks, directly and over gRPC as in a process of its own. Each check opens a transformer, and closes it
// where it is an io.Closer. Run it with -race: several calls at once are part of the contract.
func Run(t *testing.T, open func() transforms.Transformer) {
	t.Helper()
	t.Run("direct", func(t *testing.T) { run(t, func(*testing.T) (transforms.Transformer, func()) { return direct(open) }) })
	t.Run("grpc", func(t *testing.T) {
		run(t, func(t *testing.T) (transforms.Transformer, func()) { return loopback(t, open) })
	})
}

func direct(open func() transforms.Transformer) (transforms.Transformer, func()) {
	tr := open()
	return tr, func() {
		if c, ok := tr.(io.Closer); ok {
			_ = c.Close()
		}
	}
}

func loopback(t *testing.T, open func() transforms.Transformer) (transforms.Transformer, func()) {
	tr, closeIt := direct(open)
	remote, stop, err := transforms.Loopback("transformtest", "1", tr)
	if err != nil {
		t.Fatal(err)
	}
	return remote, func() { stop(); closeIt() }
}

type check func(t *testing.T, tr transforms.Transformer)

func run(t *testing.T, open func(*testing.T) (transforms.Transformer, func())) {
	checks := []struct {
		name string
		f    check
	}{
		{"an empty batch stays empty", emptyBatch},
		{"ids and order are kept", keepsOrder},
		{"any event passes alone", alone},
		{"a repeated batch has the same result", repeats},
		{"neighbours make no difference", independent},
		{"several calls at once", concurrent},
		{"a canceled call ends", canceled},
		{"a large batch passes", large},
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			tr, closeIt := open(t)
			c.f(t, tr)
			closeIt()
			if err := goleak.Find(before); err != nil {
				t.Errorf("goroutines are left after the transformer was closed: %v", err)
			}
		})
	}
}

func emptyBatch(t *testing.T, tr transforms.Transformer) {
	for _, batch := range [][]transforms.Event{nil, {}} {
		if out := must(t, tr, batch); len(out) != 0 {
			t.Errorf("%d events of none", len(out))
		}
	}
}

func keepsOrder(t *testing.T, tr transforms.Transformer) {
	batch := Events()
	out := must(t, tr, clone(t, batch))
	groups := group(t, batch, out)
	for i, g := range groups {
		in, e := batch[i], g[0]
		if e.ParentCallID != in.ParentCallID || e.Tenant != in.Tenant || e.Version != in.Version || e.Source != in.Source ||
			!e.ReceivedAt.Equal(in.ReceivedAt) || e.CustomerKey != in.CustomerKey || e.EmailKey != in.EmailKey {
			t.Errorf("call %q: tenant, source, version, receivedAt, parentCallId and the keys must not change", e.CallID)
		}
		for n, child := range g[1:] {
			if want := fmt.Sprintf("%s#%d", in.CallID, n+1); child.CallID != want {
				t.Errorf("child %q of %q: want %q", child.CallID, in.CallID, want)
			}
		}
		for _, e := range g {
			content(t, &e)
		}
	}
}

func content(t *testing.T, e *transforms.Event) {
	if e.Outcome.Decision != transforms.Keep && e.Outcome.Reason == "" {
		t.Errorf("call %q is dropped or rejected without a reason", e.CallID)
	}
	if len(e.Extra) > 0 && (!json.Valid(e.Extra) || !strings.HasPrefix(strings.TrimSpace(string(e.Extra)), "{")) {
		t.Errorf("call %q: extra is no JSON object: %s", e.CallID, e.Extra)
	}
	if _, err := e.CanonicalJSON(nil); err != nil {
		t.Errorf("call %q: %v", e.CallID, err)
	}
	if _, err := transforms.AppendEvents(nil, []transforms.Event{*e}); err != nil {
		t.Errorf("call %q: %v", e.CallID, err)
	}
}

func alone(t *testing.T, tr transforms.Transformer) {
	for _, e := range Events() {
		in := []transforms.Event{e}
		group(t, in, must(t, tr, clone(t, in)))
	}
}

func repeats(t *testing.T, tr transforms.Transformer) {
	first := must(t, tr, clone(t, Events()))
	for range 2 {
		same(t, "the same batch again", first, must(t, tr, clone(t, Events())))
	}
}

// independent matters since a batch with an event that can't be transformed is cut until that event is alone.
func independent(t *testing.T, tr transforms.Transformer) {
	batch := Events()
	for i, g := range group(t, batch, must(t, tr, clone(t, batch))) {
		one := must(t, tr, clone(t, batch[i:i+1]))
		same(t, fmt.Sprintf("call %q without its neighbours", batch[i].CallID), g, one)
	}
}

func concurrent(t *testing.T, tr transforms.Transformer) {
	want := must(t, tr, clone(t, Events()))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				out, err := call(t.Context(), tr, clone(t, Events()))
				if err != nil {
					t.Errorf("one of several calls: %v", err)
					return
				}
				same(t, "one of several calls", want, out)
			}
		})
	}
	wg.Wait()
}

func canceled(t *testing.T, tr transforms.Transformer) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	batch := Events()
	if out, err := call(ctx, tr, clone(t, batch)); err == nil { // fast enough not to look at ctx: fine
		group(t, batch, out)
	} else if transforms.IsPermanent(err) {
		t.Errorf("a canceled call fails for good: %v", err)
	}
	group(t, batch, must(t, tr, clone(t, batch)))
}

func large(t *testing.T, tr transforms.Transformer) {
	var batch []transforms.Event
	for i := range 25 { // about 4 MiB
		for _, e := range Events() {
			if len(e.Transcript) > 4 {
				e.CallID = fmt.Sprintf("%s/%d", e.CallID, i)
				batch = append(batch, e)
			}
		}
	}
	group(t, batch, must(t, tr, clone(t, batch)))
}

// must calls the transformer, for which these events are no reason to fail.
func must(t *testing.T, tr transforms.Transformer, batch []transforms.Event) []transforms.Event {
	t.Helper()
	out, err := call(t.Context(), tr, batch)
	if err != nil {
		t.Fatalf("transform %d events: %v", len(batch), err)
	}
	return out
}

func call(ctx context.Context, tr transforms.Transformer, batch []transforms.Event) ([]transforms.Event, error) {
	type result struct {
		out []transforms.Event
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := tr.Transform(ctx, batch)
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		return r.out, r.err
	case <-time.After(patience):
		return nil, fmt.Errorf("no answer within %s", patience)
	}
}

// group sorts an answer by the events of its batch: each event with its children.
func group(t *testing.T, batch, out []transforms.Event) [][]transforms.Event {
	t.Helper()
	var groups [][]transforms.Event
	for _, e := range out {
		n := len(groups)
		switch {
		case n < len(batch) && e.CallID == batch[n].CallID:
			groups = append(groups, []transforms.Event{e})
		case n > 0 && e.ParentCallID == batch[n-1].CallID:
			groups[n-1] = append(groups[n-1], e)
		default:
			t.Fatalf("call %q comes after %d of %d events: one entry per event, in order, each with its id, is the contract", e.CallID, n, len(batch))
		}
	}
	if len(groups) != len(batch) {
		t.Fatalf("%d events of %d came back", len(groups), len(batch))
	}
	return groups
}

func same(t *testing.T, what string, want, got []transforms.Event) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s has %d events, not %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if reflect.DeepEqual(want[i], got[i]) {
			continue // much faster than cmp
		}
		// Whether a list is nil makes no difference.
		if diff := cmp.Diff(want[i], got[i], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s has another result (-first +second):\n%s", what, diff)
			return
		}
	}
}

// clone copies deeply: a transformer owns what it is handed.
func clone(t *testing.T, batch []transforms.Event) []transforms.Event {
	t.Helper()
	data, err := transforms.AppendEvents(nil, batch)
	if err != nil {
		t.Fatal(err)
	}
	out, err := transforms.DecodeEvents(data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
