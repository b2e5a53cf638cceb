package topics

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const testRules = `
other: none of them
topics:
  - name: Billing
    any: [invoice, "payment method", charg*, "don't pay"]
    none: [free of charge]
  - name: Straße
    any: "ÄRGER in der Straße"
    fields: [transcript]
  - {name: Agent, any: [hello], fields: [agent, topic]}
  - {name: Long, any: [a b c d, b c, refund*, refunds please]}
`

// cases feed the test, the fuzz target and the benchmark.
var cases = []struct {
	name string
	call Call
	want string
}{
	{"nothing", Call{}, "none of them"},
	{"a word", Call{Summary: "The INVOICE's wrong"}, "none of them"},
	{"a word in capitals", Call{Summary: "an INVOICE, wrong"}, "Billing"},
	{"part of a word", Call{Summary: "invoiced preinvoice"}, "none of them"},
	{"a phrase over punctuation", Call{Purpose: "payment -- Method?"}, "Billing"},
	{"a phrase is in one text", Call{KeyPoints: []string{"payment", "method"}}, "none of them"},
	{"a star", Call{Topic: "overcharge charging"}, "Billing"},
	{"none takes it away", Call{Topic: "charging", Summary: "is it free of charge"}, "none of them"},
	{"an apostrophe", Call{Summary: "I don’t pay"}, "Billing"},
	{"beyond ASCII", Call{Turns: []Turn{{"user", "ärger IN DER STRAßE!"}}}, "Straße"},
	{"not in that field", Call{Summary: "ärger in der straße"}, "none of them"},
	{"the agent's words", Call{Turns: []Turn{{"agent", "hello invoice"}}}, "Agent"},
	{"the user's words", Call{Turns: []Turn{{"user", "hello invoice"}}}, "Billing"},
	{"overlapping phrases", Call{Summary: "a b c"}, "Long"},
	{"several, in the order of the rules", Call{Topic: "hello", Summary: "refunding the invoice"}, "Billing|Agent|Long"},
	{"a token is no word", Call{Summary: "payment [PERSON] method, a [INVOICE]"}, "none of them"},
	{"brackets", Call{Summary: "[invoice] [x"}, "Billing"},
	{"broken bytes", Call{Summary: "\xff\xfeinvoice\xff"}, "Billing"},
}

func matcher(t testing.TB, rules string) *Matcher {
	t.Helper()
	m, err := Parse("rules.yaml", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMatch(t *testing.T) {
	m := matcher(t, testRules)
	for _, c := range cases {
		if got := strings.Join(m.Match(c.call), "|"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if m.Other() != "none of them" {
		t.Error(m.Other())
	}
}

func TestParseErrorsNameTheLineAndTheCure(t *testing.T) {
	f := func(rules string, says ...string) {
		t.Helper()
		_, err := Parse("rules.yaml", []byte(rules))
		for _, s := range append(says, "rules.yaml: ") {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%q: %v, want %q", rules, err, s)
			}
		}
	}
	f(``, "no rules", "at least one")
	f(`# nothing`, "no rules")
	f(`topics: []`, "no rules")
	f("topics:\n  - name: A\n    any: [x\n", "line ")
	f("topics:\n  - name: A\n    words: [x]", "line 3", `"words"`, "any")
	f("topic:\n  - name: A", "line 1", "topic")
	f("topics:\n  - just a text", "line 2", "mapping")
	f("topics:\n  - name: A\n    any: {a: b}", "line 3", "list of texts")
	f("topics:\n  - name: [A]\n    any: [b]", "line 2", "a text")
	f("topics:\n  - name: A\n    any: [b]\n    any: [c]", "line 4", "twice")
	f("topics:\n  - any: [b]", "line 2", "needs a name")
	f("topics:\n  - name: A\n  - name: B\n    any: [x]\n  - {name: b, any: [y]}", "line 2", "never match", "line 5", "taken by line 3")
	f("topics:\n  - {name: Other, any: [x]}", "choose another name")
	f("topics:\n  - {name: A, any: ['?!']}", "no word")
	f("topics:\n  - {name: A, any: [ab*]}", "three letters")
	f("topics:\n  - {name: A, any: ['call * back']}", "stands alone")
	f("topics:\n  - {name: A, any: [x], fields: [text]}", `unknown field "text"`, "summary")
	f("topics:\n  - {name: A, any: [x]}\n---\na: b", "one YAML document")
	f("topics:\n  - {name: A, any: [x, ~]}", "list of texts")
}

func TestDefault(t *testing.T) {
	m := Default()
	f := func(text string, want ...string) {
		t.Helper()
		if got := m.Match(Call{Turns: []Turn{{"agent", "You can ask about billing, or book an appointment."}, {"user", text}}}); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	f("Hi, I'd like to schedule a cleaning.", "Appointment")
	f("I need to cancel my appointment for Tuesday", "Appointment", "Cancellation")
	f("there is a charge on my card, I want a refund", "Billing", "Refund")
	f("where is my order? it never arrived", "Order status")
	f("my router is not working, can I talk to a human", "Technical support", "Human request")
	f("how much does it cost", "Sales inquiry")
	f("what time do you close", "Hours and location")
	f("good morning", "other")
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for p := range strings.FieldsSeq(string(out)) {
		if strings.HasSuffix(p, "postcall/transforms") || strings.Contains(p, "go-plugin") || strings.Contains(p, "grpc") {
			t.Errorf("the mapper imports %s", p)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(testRules)
	f.Add(string(defaultRules))
	f.Add("topics:\n  - &a {name: A, any: [x]}\n  - *a\n  - <<: *a")
	f.Fuzz(func(t *testing.T, rules string) {
		m, err := Parse("rules.yaml", []byte(rules))
		if err != nil {
			if m != nil || !strings.HasPrefix(err.Error(), "rules.yaml: ") {
				t.Fatalf("%v with %v", m, err)
			}
			return
		}
		if got := m.Match(Call{Summary: rules}); len(got) == 0 {
			t.Fatal("no topic")
		}
	})
}

func FuzzMatch(f *testing.F) {
	for _, c := range cases {
		f.Add(c.call.Topic, c.call.Summary, fmt.Sprint(c.call.Turns))
	}
	m := Default()
	f.Fuzz(func(t *testing.T, topic, summary, turn string) {
		c := Call{Topic: topic, Summary: summary, Turns: []Turn{{"user", turn}}}
		got := m.Match(c)
		if len(got) == 0 || len(got) > 1 && slices.Contains(got, m.Other()) {
			t.Fatalf("%q", got)
		}
		if again := m.Match(c); !slices.Equal(got, again) {
			t.Fatalf("%q, then %q", got, again)
		}
		c.Turns = append(c.Turns, Turn{"user", "I'd like a refund"})
		if !slices.Contains(m.Match(c), "Refund") {
			t.Fatal("one text hides another")
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	m := Default()
	text := "Yes hi, I was looking at the schedule on your website and I couldn't find a slot that works. Is the invoice paid? "
	c := Call{Topic: "Billing question", Summary: "asked about an invoice"}
	size := 0
	for ; size < 8<<10; size += len(text) {
		c.Turns = append(c.Turns, Turn{"user", text})
	}
	b.Run("8KiB", func(b *testing.B) {
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			m.Match(c)
		}
	})
}
