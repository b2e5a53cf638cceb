package transforms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPluginTransforms(t *testing.T) {
	p, _ := openFault(t)
	batch := append(batchOf("", "drop", "reject", "split"), fullEvent())
	before := append(batchOf("", "drop", "reject", "split"), fullEvent())
	got, err := p.Transform(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, batch); diff != "" {
		t.Errorf("the batch of the caller changed:\n%s", diff)
	}
	var want []Event
	for _, e := range before {
		switch e.Summary {
		case "drop":
			e.Drop("unwanted")
		case "reject":
			e.Reject("odd")
		}
		if e.Summary != "split" {
			e.Topic += "!"
		}
		e.Transforms = append(e.Transforms, Applied{"fault", "1.2.3"})
		want = append(want, e)
		if e.Summary == "split" {
			for _, n := range []string{"#1", "#2"} {
				c := e
				c.ParentCallID, c.CallID = e.CallID, e.CallID+n
				want = append(want, c)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p.Name() != "fault" || p.Version() != "1.2.3" || p.PID() == 0 {
		t.Errorf("name %q, version %q, pid %d", p.Name(), p.Version(), p.PID())
	}
	if err := p.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	if out, err := p.Transform(t.Context(), nil); err != nil || len(out) != 0 {
		t.Errorf("empty batch: %v, %v", out, err)
	}
}

func TestPluginTransformsConcurrently(t *testing.T) {
	p, _ := openFault(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				batch := batchOf("", "", "", "")
				batch[0].Topic = fmt.Sprint(i)
				out, err := p.Transform(t.Context(), batch)
				if err != nil {
					t.Error(err)
				} else if want := fmt.Sprint(i, "!"); out[0].Topic != want {
					t.Errorf("topic %q, want %q", out[0].Topic, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestPluginHonoursItsCaller(t *testing.T) {
	p, _ := openFault(t)
	pid := p.PID()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the host stops")
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if _, err := p.Transform(ctx, batchOf("wait")); !errors.Is(err, why) {
		t.Errorf("error %v, want the cause of the cancellation", err)
	}
	if p.PID() != pid {
		t.Error("a canceled call cost the plugin its life")
	}
	ctx, cancelTimeout := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancelTimeout()
	if _, err := p.Transform(ctx, batchOf("hang")); !errors.Is(err, ErrPluginTimeout) {
		t.Errorf("error %v, want ErrPluginTimeout", err)
	}
	if p.PID() == pid {
		t.Error("a plugin that missed a deadline lives")
	}
}

func TestPluginErrors(t *testing.T) {
	p, l := openFault(t)
	pid := p.PID()
	f := func(summary, want string, permanent bool) {
		t.Helper()
		_, err := p.Transform(t.Context(), batchOf("", summary, ""))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "plugin fault: ") {
			t.Errorf("%s: error %v, want %q", summary, err, want)
		}
		if IsPermanent(err) != permanent {
			t.Errorf("%s: permanent is %v", summary, !permanent)
		}
		if strings.Contains(fmt.Sprint(err), "caller said") {
			t.Errorf("%s: the error tells what a caller said: %v", summary, err)
		}
		if p.PID() != pid {
			t.Errorf("%s: the plugin is another process", summary)
			pid = p.PID()
		}
	}
	f("error", "the disk is full", false)
	f("permanent", "summary is odd", true)
	f("panic secret", "panicked: panic of type string", true)
	f("rename", `breaks the contract: call "bx": expected call "b", or a child of the call before it`, true)
	f("forget", `expected call "b"`, true)
	f("invalid", `breaks the contract: decode event 1 (call "b"): topic: not valid UTF-8`, true)
	f("extra", `call "b": extra must be a JSON object`, true)
	if !testing.Short() {
		f("big", "too large", true)
	}
	if log := l.String(); strings.Contains(log, "caller said") {
		t.Error("the log tells what a caller said")
	}
}
