package transformtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/wire"
)

const changeCancel = "end soon once ctx is done, with its error: look at it between events, hand it to what is called, and don't mark the error permanent"

// cancel ends calls before and while they are under way.
func cancel(ctx context.Context, s *suite) (string, *fault) {
	want := s.answers[0]
	for range 3 { // the first call of all may have taken long
		if a := s.call(ctx, want.batch); a.err == nil {
			want.took = min(want.took, a.took)
		}
	}
	did := "before the call, and in the middle of a batch of 4 MiB"
	batches := []func() (answer, time.Duration){
		func() (answer, time.Duration) { return s.cut(ctx, want.batch, 0) },
		func() (answer, time.Duration) { return s.cut(ctx, bulk(), 20*time.Millisecond) },
	}
	if s.subject.kind != kindDirect {
		did += ", and 16 calls at once"
		for _, after := range []time.Duration{want.took / 2, 2 * want.took, 8 * want.took} { // on their way, and in a queue
			batches = append(batches, func() (answer, time.Duration) {
				return s.cutMany(ctx, want.batch, max(20*time.Millisecond, after))
			})
		}
	}
	for i, f := range batches {
		a, late := f()
		switch {
		case hung(a.err) || late > s.o.Grace:
			return did, &fault{fmt.Sprintf("a call goes on for more than %s after it was canceled", s.o.Grace), changeCancel}
		case i == 0 && transforms.IsPermanent(a.err): // the others may be too large
			return did, &fault{"a canceled call fails for good: " + a.err.Error(), changeCancel}
		case errors.Is(a.err, transforms.ErrPluginGone):
			return did, &fault{a.err.Error(), changeCancel}
		}
	}
	began := time.Now()
	next := s.call(ctx, want.batch)
	if bad := same("the next call", want, next); bad != "" && (next.err != nil || s.status["repeat"] == OK) {
		return did, &fault{bad, changeCancel}
	}
	if took := time.Since(began); took > s.o.Grace+4*want.took {
		return did, &fault{fmt.Sprintf("the next call takes %s, after %s before: those that were canceled go on", took.Round(time.Millisecond), want.took.Round(time.Millisecond)), changeCancel}
	}
	return did, nil
}

// cut cancels a call after a time, and measures how much longer it goes on.
func (s *suite) cut(ctx context.Context, batch []transforms.Event, after time.Duration) (answer, time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if after == 0 {
		cancel()
	}
	canceled := time.Now().Add(after)
	defer time.AfterFunc(after, cancel).Stop()
	a := s.main.call(ctx, batch, after+s.o.Grace+time.Second)
	return a, a.returned.Sub(canceled)
}

func (s *suite) cutMany(ctx context.Context, batch []transforms.Event, after time.Duration) (answer, time.Duration) {
	const many = 16
	answers, late := make([]answer, many), make([]time.Duration, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() { answers[i], late[i] = s.cut(ctx, batch, after) })
	}
	wg.Wait()
	return answers[0], slices.Max(late)
}

// bulk is a batch of a little more than 4 MiB, the limit at which gRPC libraries refuse a message unless told otherwise.
func bulk() []transforms.Event {
	var batch []transforms.Event
	for i, size := 0, 0; size < 9<<19; i++ {
		for _, e := range written() {
			if len(e.Transcript) > 4 {
				e.CallID = fmt.Sprintf("%s/%d", e.CallID, i)
				data, _ := transforms.AppendEvents(nil, []transforms.Event{e}) // it is valid
				batch, size = append(batch, e), size+len(data)
			}
		}
	}
	return batch
}

func large(ctx context.Context, s *suite) (string, *fault) {
	batch := bulk()
	parts, bad := s.halve(ctx, batch)
	did := fmt.Sprintf("%d events of 4.5 MiB together, whole", len(batch))
	if parts > 1 {
		did = fmt.Sprintf("%d events of 4.5 MiB together, in %d parts: fewer, if it took messages of up to 64 MiB", len(batch), parts)
	}
	return did, bad
}

// halve does what postcall does with a batch that fails for good.
func (s *suite) halve(ctx context.Context, batch []transforms.Event) (parts int, bad *fault) {
	a := s.call(ctx, batch)
	const change = "accept messages of up to 64 MiB, answer within the memory it has, or refuse a batch that is too large by an error: " +
		"Permanent in Go, INVALID_ARGUMENT or RESOURCE_EXHAUSTED elsewhere"
	switch {
	case a.err == nil || isUnfit(a.err):
		_, wrong := group(a)
		if wrong != "" && a.err == nil {
			return 1, &fault{wrong, change}
		}
		return 1, nil
	case !transforms.IsPermanent(a.err) || len(batch) == 1:
		return 1, &fault{fmt.Sprintf("%d events: %v", len(batch), a.err), change}
	}
	first, bad := s.halve(ctx, batch[:len(batch)/2])
	if bad != nil {
		return first, bad
	}
	second, bad := s.halve(ctx, batch[len(batch)/2:])
	return first + second, bad
}

// unknown adds a field that no version has to each event and looks for it in the answer.
func unknown(ctx context.Context, s *suite) (string, *fault) {
	batch := Events()
	var message []byte
	for i := range batch {
		data, err := transforms.AppendEvents(nil, batch[i:i+1])
		if err != nil {
			return "", &fault{problem: err.Error()}
		}
		_, _, n := protowire.ConsumeTag(data)
		inner, _ := protowire.ConsumeBytes(data[n:])
		message = protowire.AppendBytes(append(message, data[:n]...), append(slices.Clone(inner), newer(i)...))
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Patience)
	defer cancel()
	const change = "change the events you were handed rather than make new ones, and don't throw away what your protobuf library doesn't know"
	answer, err := s.main.exchange(ctx, message)
	if err != nil {
		return "", &fault{err.Error(), change}
	}
	var out wire.Events
	if err := proto.Unmarshal(answer, &out); err != nil {
		return "", &fault{err.Error(), change}
	}
	next := 0
	for _, e := range out.GetEvents() {
		if next == len(batch) || e.GetCallId() != batch[next].CallID {
			continue // a child
		}
		if string(e.ProtoReflect().GetUnknown()) != string(newer(next)) {
			return "", &fault{fmt.Sprintf("call %.40q comes back without a field that it had: a plugin of today would cost events the fields of a newer postcall", e.GetCallId()), change}
		}
		next++
	}
	return fmt.Sprintf("%d events with two fields more", len(batch)), nil
}

// newer are two fields of a version to come.
func newer(i int) []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), uint64(i))
	return protowire.AppendString(protowire.AppendTag(b, 1001, protowire.BytesType), "kept "+strings.Repeat("x", i))
}
