package transforms

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	parent := typical("a")
	parent.Drop("split into parts")
	got := parent.Split(Event{Topic: "x"}, Event{CallID: "overwritten", Topic: "y"})
	want := []Event{parent, {CallID: "a#1", ParentCallID: "a", Topic: "x"}, {CallID: "a#2", ParentCallID: "a", Topic: "y"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	child := got[1]
	got = append(child.Split(Event{}), parent.Split()...)
	batch := []Event{child, parent}
	if _, err := checkAnswer("p", "1", batch, got); err != nil {
		t.Errorf("a split of a child: %v", err)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	e, want := fullEvent(), fullEvent()
	c := e.Clone()
	if diff := cmp.Diff(want, c); diff != "" {
		t.Fatal(diff)
	}
	c.Transcript[0].Content, c.Transforms[0].Name, c.Extra[0] = "changed", "changed", 'x'
	for _, list := range [][]string{c.KeyPoints, c.UnansweredQuestions, c.ActionItems, c.Topics} {
		list[0] = "changed"
	}
	*c.Duration, *c.Metrics.TalkRatio, *c.Metrics.WordsPerMinute = -1, -1, -1
	*c.FollowUpBool, *c.AISuccessBool = !*c.FollowUpBool, !*c.AISuccessBool
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("a change of the copy changed the event:\n%s", diff)
	}
	empty := Event{CallID: "a"}
	if diff := cmp.Diff(empty, empty.Clone()); diff != "" {
		t.Error(diff)
	}
}

func TestSetExtra(t *testing.T) {
	f := func(extra, name string, value any, want string) {
		t.Helper()
		before := []byte(extra)
		e := Event{Extra: before}
		if err := e.SetExtra(name, value); err != nil || string(e.Extra) != want {
			t.Errorf("%s: %s, %v, want %s", extra, e.Extra, err, want)
		}
		if string(before) != extra {
			t.Errorf("the memory of %s became %s", extra, before)
		}
		again := e.Extra
		if err := e.SetExtra(name, value); err != nil || string(e.Extra) != string(again) {
			t.Errorf("a second time: %s, %v", e.Extra, err)
		}
	}
	f("", "a", 1, `{"a":1}`)
	f(" ", "a", nil, `{"a":null}`)
	f("{}", "a", "<b>&", `{"a":"<b>&"}`)
	f(" { } ", "a", true, ` { "a":true} `)
	f(`{"b": 1.50}`, "a", []string{"x"}, `{"b": 1.50,"a":["x"]}`)
	f(`{ "b":{"a":1} , "a" : 0.10 ,"c":12345678901234567890 }`, "a", map[string]int{"n": 2}, `{ "b":{"a":1} , "a" : {"n":2} ,"c":12345678901234567890 }`)
	f(`{"caf\u00e9":"x"}`, "café", "y", `{"caf\u00e9":"y"}`)
	f("", "\"\n", 1, `{"\"\n":1}`)
}

func TestSetExtraFails(t *testing.T) {
	f := func(extra string, value any, says string) {
		t.Helper()
		e := Event{Extra: json.RawMessage(extra)}
		err := e.SetExtra("field", value)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", extra, err, says)
		}
		if string(e.Extra) != extra {
			t.Errorf("after the error extra is %s, not %s", e.Extra, extra)
		}
	}
	for _, extra := range []string{`[]`, `"s3cret"`, `{"s3cret`, `{"a":s3cret}`, `{"a":1`, `{"a":1}{}`, `{"a":1,}`, `null`} {
		f(extra, 1, "extra is no JSON object")
	}
	f(`{}`, math.NaN(), "NaN")
	f(`{}`, func() {}, "unsupported type")
}

func TestReadExtra(t *testing.T) {
	e := Event{Extra: json.RawMessage(`{"n":3,"list":["a","b"],"none":null,"o":{"x":"s3cret"}}`)}
	var n int
	if ok, err := e.ReadExtra("n", &n); !ok || err != nil || n != 3 {
		t.Errorf("n is %d, %v, %v", n, ok, err)
	}
	var list []string
	if ok, err := e.ReadExtra("list", &list); !ok || err != nil || len(list) != 2 {
		t.Errorf("list is %q, %v, %v", list, ok, err)
	}
	if ok, err := e.ReadExtra("x", &n); ok || err != nil {
		t.Errorf("a field that isn't there: %v, %v", ok, err)
	}
	if ok, err := (&Event{}).ReadExtra("x", &n); ok || err != nil {
		t.Errorf("no extra: %v, %v", ok, err)
	}
	f := func(name string, v any, says string) {
		t.Helper()
		_, err := e.ReadExtra(name, v)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
	var o struct {
		X int `json:"x"`
	}
	f("n", &list, `extra field "n" must be a list, not a number`)
	f("o", &n, `extra field "o" must be a whole number (int), not an object`)
	f("o", &o, `extra field "o.x" must be a whole number (int), not a string`)
	e.Extra = json.RawMessage(`{"s3cret`)
	f("n", &n, "extra is no JSON object")
}
