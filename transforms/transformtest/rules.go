package transformtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postcall/postcall/transforms"
)

// all are the answers so far, in batches and alone.
func (s *suite) all() []answer {
	all := append([]answer(nil), s.answers...)
	for _, a := range s.alone {
		all = append(all, a)
	}
	return all
}

// every holds each entry that came back to a rule, which returns how it is broken or "".
func (s *suite) every(change string, broken func(in, out *transforms.Event) string) (string, *fault) {
	n := 0
	for _, a := range s.answers {
		if a.err != nil {
			continue
		}
		groups, _ := group(a)
		for i, g := range groups {
			for j := range g {
				n++
				if bad := broken(&a.batch[i], &g[j]); bad != "" {
					return "", &fault{fmt.Sprintf("call %.40q: %s", g[j].CallID, bad), change}
				}
			}
		}
	}
	return fmt.Sprintf("%d entries", n), nil
}

func order(_ context.Context, s *suite) (string, *fault) {
	n := 0
	for _, a := range s.all() {
		if a.err != nil {
			continue
		}
		n++
		if _, bad := group(a); bad != "" {
			return "", &fault{bad, "return the batch you were handed, changed: dropped events too; children follow their parent at once (Event.Split)"}
		}
	}
	return fmt.Sprintf("%d answers", n), nil
}

// group sorts an answer by the events of its batch: each event with its children. bad says where it isn't in order; what
// comes before that is in groups.
func group(a answer) (groups [][]transforms.Event, bad string) {
	child := 0
	for _, e := range a.out {
		n := len(groups)
		switch {
		case n < len(a.batch) && e.CallID == a.batch[n].CallID:
			groups, child = append(groups, []transforms.Event{e}), 0
		case n > 0 && e.ParentCallID == a.batch[n-1].CallID:
			number, err := strconv.Atoi(strings.TrimPrefix(e.CallID, a.batch[n-1].CallID+"#"))
			if err != nil || number <= child {
				return groups, fmt.Sprintf("call %.40q: the children of %.40q are named with #1, #2 and so on, in order", e.CallID, e.ParentCallID)
			}
			groups[n-1], child = append(groups[n-1], e), number
		default:
			return groups, fmt.Sprintf("call %.40q comes back behind %d of %d events", e.CallID, n, len(a.batch))
		}
	}
	if len(groups) < len(a.batch) {
		return groups, fmt.Sprintf("%d of %d events come back; the first that is missing is call %.40q", len(groups), len(a.batch), a.batch[len(groups)].CallID)
	}
	return groups, ""
}

func identity(_ context.Context, s *suite) (string, *fault) {
	return s.every("change none of them: stores, versions and erasure go by them; a child may leave them empty", func(in, out *transforms.Event) string {
		want := *in
		if child := out.CallID != in.CallID; child {
			want.ParentCallID = in.CallID
			if out.Tenant == "" {
				want.Tenant = ""
			}
			if out.Source == "" {
				want.Source = ""
			}
			if out.Version == 0 {
				want.Version = 0
			}
			if out.ReceivedAt.IsZero() {
				want.ReceivedAt = out.ReceivedAt
			}
			if out.CustomerKey == "" {
				want.CustomerKey = ""
			}
			if out.EmailKey == "" {
				want.EmailKey = ""
			}
		}
		switch {
		case out.ParentCallID != want.ParentCallID:
			return "parentCallId changed"
		case out.Tenant != want.Tenant:
			return "tenant changed"
		case out.Source != want.Source:
			return "source changed"
		case out.Version != want.Version:
			return "version changed"
		case !out.ReceivedAt.Equal(want.ReceivedAt):
			return "receivedAt changed"
		case out.CustomerKey != want.CustomerKey || out.EmailKey != want.EmailKey:
			return "customerKey or emailKey changed"
		}
		return ""
	})
}

func isUnfit(err error) bool {
	var unfit *unfitError
	return errors.As(err, &unfit)
}

func hung(err error) bool { return errors.Is(err, errHung) }

func values(_ context.Context, s *suite) (string, *fault) {
	n := 0
	for _, a := range s.all() {
		if n++; isUnfit(a.err) {
			return "", &fault{a.err.Error(), "cut text between characters (strings.ToValidUTF8 mends it), and keep numbers finite and years between 1 and 9999"}
		}
	}
	return fmt.Sprintf("%d answers", n), nil
}

func extraIsObject(_ context.Context, s *suite) (string, *fault) {
	return s.every("add fields by Event.SetExtra, or write the JSON with a library; numbers of the sender's are kept as they are", func(_, out *transforms.Event) string {
		if len(out.Extra) == 0 || json.Valid(out.Extra) && bytes.HasPrefix(bytes.TrimSpace(out.Extra), []byte("{")) {
			return ""
		}
		return fmt.Sprintf("extra is no JSON object: %.60s", out.Extra)
	})
}

func outcomes(_ context.Context, s *suite) (string, *fault) {
	return s.every("keep, drop (Event.Drop) or reject (Event.Reject) with a short reason for operators", func(_, out *transforms.Event) string {
		switch o := out.Outcome; {
		case o.Decision < transforms.Keep || o.Decision > transforms.Reject:
			return fmt.Sprintf("there is no decision %d", o.Decision)
		case o.Decision != transforms.Keep && o.Reason == "":
			return "it is dropped or rejected without a reason"
		}
		for _, t := range out.Transcript {
			if t.Words < 0 {
				return "the words of a turn are negative"
			}
		}
		return ""
	})
}

// same returns how two answers to one batch differ, or "".
func same(what string, first, second answer) string {
	switch {
	case second.err != nil && first.err == nil:
		return what + ": " + second.err.Error()
	case first.err != nil || bytes.Equal(first.data, second.data):
		return ""
	}
	return differ(what, first.out, second.out)
}

// differ returns the first difference in words, or "". Whether a list is nil makes no difference.
func differ(what string, first, second []transforms.Event) string {
	if len(first) != len(second) {
		return fmt.Sprintf("%s has %d entries, not %d", what, len(second), len(first))
	}
	for i := range first {
		if equal(first[i:i+1], second[i:i+1]) || cmp.Equal(first[i], second[i], cmpopts.EquateEmpty()) {
			continue
		}
		r := new(firstDifference)
		cmp.Equal(first[i], second[i], cmpopts.EquateEmpty(), cmp.Reporter(r))
		return fmt.Sprintf("%s has another result: call %.40q, %s", what, first[i].CallID, r.text)
	}
	return ""
}

// equal is much faster than cmp.Equal.
func equal(a, b []transforms.Event) bool {
	x, errA := transforms.AppendEvents(nil, a)
	y, errB := transforms.AppendEvents(nil, b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

// firstDifference is a cmp.Reporter that keeps the first difference.
type firstDifference struct {
	path cmp.Path
	text string
}

func (r *firstDifference) PushStep(s cmp.PathStep) { r.path = append(r.path, s) }
func (r *firstDifference) PopStep()                { r.path = r.path[:len(r.path)-1] }

func (r *firstDifference) Report(result cmp.Result) {
	if result.Equal() || r.text != "" {
		return
	}
	a, b := r.path.Last().Values()
	where := strings.TrimPrefix(strings.TrimPrefix(r.path.GoString(), "{transforms.Event}"), ".")
	r.text = fmt.Sprintf("%s was %s and is %s", where, short(a), short(b))
}

func short(v reflect.Value) string {
	for v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		return "absent"
	case v.Kind() == reflect.String:
		return fmt.Sprintf("%.60q", v)
	}
	return fmt.Sprintf("%.60s", fmt.Sprint(v))
}
