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
  - name: Visits
    aliases: [booking a visit]
    any: [visit]
    none: [site visit]
    topics:
      - {name: Move, any: [move the visit], patterns: ['^re-?schedul(e|ing)\b', '\bv-\d{4}\b']}
      - {name: Night, any: [night visit], priority: 5}
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
	{"several, the surest first", Call{Topic: "hello", Summary: "refunding the invoice"}, "Agent|Billing|Long"},
	{"found in two fields is surer", Call{Purpose: "refunds", KeyPoints: []string{"refunds"}, Topic: "hello"}, "Long|Agent"},
	{"the name of a topic is an alias", Call{Topic: "long!"}, "Long"},
	{"an alias", Call{Topic: "Booking a Visit"}, "Visits"},
	{"an alias is the whole topic", Call{Topic: "booking a visitor"}, "none of them"},
	{"nothing takes an alias away", Call{Topic: "booking a visit", Summary: "a site visit"}, "Visits"},
	{"a part says more than the whole", Call{Summary: "the visit: move the visit"}, "Visits/Move"},
	{"what takes the whole away takes the part away", Call{Summary: "move the visit, the site visit"}, "none of them"},
	{"the name of a part is an alias, with and without the whole", Call{Topic: "visits / move"}, "Visits/Move"},
	{"a pattern at the beginning", Call{Topic: "Re-scheduling of it"}, "Visits/Move"},
	{"a pattern inside", Call{Summary: "about V-1234, please"}, "Visits/Move"},
	{"a pattern is anchored", Call{Summary: "he reschedules"}, "none of them"},
	{"a pattern is not looked for in turns", Call{Turns: []Turn{{"user", "reschedule"}}}, "none of them"},
	{"a priority outweighs a confidence", Call{Topic: "invoice", KeyPoints: []string{"night visit"}}, "Visits/Night|Billing"},
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
		if got := strings.Join(m.Match(c.call).Topics, "|"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if m.Other() != "none of them" {
		t.Error(m.Other())
	}
}

func TestTheRuleAndTheConfidenceAreSaid(t *testing.T) {
	m := matcher(t, testRules)
	f := func(c Call, confidence float64, rule string) {
		t.Helper()
		if got := m.Match(c); got.Confidence != confidence || got.Rule != rule {
			t.Errorf("%+v: %v by %s, want %v by %s", c, got.Confidence, got.Rule, confidence, rule)
		}
	}
	f(Call{Summary: "nothing"}, 0, "")
	f(Call{Topic: "Booking a visit"}, 1, `alias "booking a visit" in topic`)
	f(Call{Topic: "the visit"}, 0.9, `any "visit" in topic`)
	f(Call{Summary: "refunding it"}, 0.7, `any "refund*" in summary`)
	f(Call{Turns: []Turn{{"user", "an invoice"}}}, 0.4, `any "invoice" in user`)
	f(Call{Purpose: "an invoice", Summary: "an invoice", Turns: []Turn{{"user", "an invoice"}}}, 0.96, `any "invoice" in purpose`)
	f(Call{Topic: "rescheduling"}, 0.9, `pattern "^re-?schedul(e|ing)\\b" in topic`)
}

func TestLeastConfidence(t *testing.T) {
	m := matcher(t, "min_confidence: 0.5\n"+testRules)
	if got := m.Match(Call{Turns: []Turn{{"user", "an invoice"}}}).Topics; got[0] != "none of them" {
		t.Errorf("a word that the user said alone makes %q", got)
	}
	if got := m.Match(Call{KeyPoints: []string{"an invoice"}}).Topics; got[0] != "Billing" {
		t.Errorf("a key point makes %q", got)
	}
}

func TestAFileCanExtendTheBuiltInTaxonomy(t *testing.T) {
	m := matcher(t, `extends: built-in
topics:
  - {name: Gift cards, any: [gift card*]}
  - name: Billing
    any: [gratuity]
    topics: [{name: Tips, any: [tip]}]
  - {name: Fees, aliases: [billing question]}
`)
	f := func(c Call, want ...string) {
		t.Helper()
		if got := m.Match(c).Topics; !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
	f(Call{Summary: "a gift card"}, "Gift cards")
	f(Call{Summary: "the gratuity"}, "Billing")
	f(Call{Summary: "the invoice"}, "Billing")
	f(Call{Summary: "a refund"}, "Billing/Refund")
	f(Call{Summary: "the tip"}, "Billing/Tips")
	f(Call{Topic: "Prescription refill"}, "Prescription")
	f(Call{Topic: "Billing question"}, "Fees", "Billing")
	if only := matcher(t, "vocabularies: {sentiment: {negative: [grumpy]}}"); !only.Has("Billing/Refund") {
		t.Error("a file of vocabularies alone has lost the built-in topics")
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
	f("extends: mine\ntopics:\n  - {name: A, any: [x]}", `"mine"`, "built-in")
	f("min_confidence: 2\ntopics:\n  - {name: A, any: [x]}", "min_confidence", "0 (the default) to 1")
	f("topics:\n  - {name: A, any: [x], priority: high}", "line 2", "priority must be a whole number")
	f("topics:\n  - {name: A, any: [x], priority: 5000}", "-1000 and 1000")
	f("topics:\n  - {name: A, any: [x], topics: {name: B}}", "line 2", "list of topics")
	f("topics:\n  - {name: A, topics: [{name: B, topics: [{name: C, any: [x]}]}]}", `topic "B"`, "two levels")
	f("topics:\n  - {name: A/B/C, any: [x]}", "two levels")
	f("topics:\n  - {name: A, topics: [{name: B, any: [x]}]}\n  - {name: a/b, any: [y]}", "line 3", "taken by line 2")
	f("topics:\n  - {name: A, aliases: [x]}\n  - {name: B, aliases: [X!]}", "line 3", `"A" already`)
	f("topics:\n  - {name: A, aliases: [x*]}", "without a star")
	f("topics:\n  - {name: A, aliases: ['?']}", "no word")
	f("topics:\n  - {name: A, patterns: ['x(']}", "line 2", "missing closing )", "RE2")
	f("topics:\n  - {name: A, patterns: ['^a|b']}", "begin it with ^")
	f("topics:\n  - {name: A, patterns: ['.*a']}", "begin it with ^")
	f("topics:\n  - {name: A, patterns: ['^a'], fields: [user]}", "topic, purpose and summary")
	f("topics:\n  - {name: A, patterns: ['^(a{1000}){1000}']}", "invalid repeat count")
	f("vocabularies: {mood: {good: [x]}}", "line 1", `"mood"`, "ended_reason")
	f("vocabularies: [x]", "line 1", "sentiment")
	f("vocabularies: {sentiment: [x]}", "line 1", "each value")
	f("vocabularies: {sentiment: {grim: [x]}}", `"grim"`, "positive, neutral, negative, mixed or unknown")
	f("vocabularies: {follow_up: {yes: [x], no: [X]}}", "there twice, for yes and for no")
	f("vocabularies: {ended_reason: {Bad Name: [x]}}", `"Bad Name"`, "small letters")
	f("vocabularies: {ended_reason: {gone: {a: b}}}", "must be a list of texts")
	f("vocabularies: {ended_reason: {gone: ['*']}}", "no word")
}

func TestDefault(t *testing.T) {
	m := Default()
	f := func(text string, want ...string) {
		t.Helper()
		if got := m.Match(Call{Turns: []Turn{{"agent", "You can ask about billing, or book an appointment."}, {"user", text}}}).Topics; !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	f("Hi, I'd like to schedule a cleaning.", "Appointment")
	f("I need to cancel my appointment for Tuesday", "Appointment", "Cancellation")
	f("there is a charge on my card, I want a refund", "Billing/Refund")
	f("where is my order? it never arrived", "Order status")
	f("my router is not working, can I talk to a human", "Technical support", "Human request")
	f("how much does it cost", "Sales inquiry")
	f("what time do you close", "Hours and location")
	f("can I reschedule my appointment", "Appointment/Rescheduling")
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
		if got := m.Match(Call{Summary: rules}); len(got.Topics) == 0 {
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
		first := m.Match(c)
		got := first.Topics
		if len(got) == 0 || len(got) > 1 && slices.Contains(got, m.Other()) {
			t.Fatalf("%q", got)
		}
		if isOther := got[0] == m.Other(); isOther != (first.Rule == "") || isOther != (first.Confidence == 0) || first.Confidence > 1 {
			t.Fatalf("%+v", first)
		}
		if again := m.Match(c); !slices.Equal(got, again.Topics) || again.Rule != first.Rule {
			t.Fatalf("%q, then %+v", got, again)
		}
		c.Turns = append(c.Turns, Turn{"user", "I'd like a refund"})
		if !slices.Contains(m.Match(c).Topics, "Billing/Refund") {
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
