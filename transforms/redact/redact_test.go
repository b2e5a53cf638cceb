package redact

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// caller is what the calls of the table know of their caller.
var caller = Call{CallerName: "Maria H. Hernández", Email: "maria.h@example.com", Phone: "+14155557777"}

// cases feed the test, the fuzz target and the benchmark: what a caller or an agent says, and what is left of it.
var cases = []struct{ name, text, want string }{
	{"nothing to find", "Hello, how can I help you today?", ""},
	{"empty", "", ""},

	{"the full name", "This is Maria Hernandez.", "This is [PERSON]."},
	{"the name with its initial", "it's maria h. hernandez speaking", "it's [PERSON] speaking"},
	{"the name with its accent", "Maria HERNÁNDEZ here", "[PERSON] here"},
	{"the name turned round", "Hernandez, Maria", "[PERSON]"},
	{"one part, genitive", "Maria's appointment, Hernandez’s file", "[PERSON]'s appointment, [PERSON]’s file"},
	{"between dashes", "hi—Maria—hello", "hi—[PERSON]—hello"},
	{"a letter of the name", "plan h is a good one", ""},
	{"a word that holds the name", "Mario's marias", "[PERSON]'s marias"},
	{"the name spelled", "M-A-R-I-A, h e r n a n d e z", "[PERSON], [PERSON]"},

	{"the known address said", "maria dot h at example dot com.", "[EMAIL]."},
	{"the known address after the name", "Maria Hernandez, maria dot h at example dot com", "[PERSON], [EMAIL]"},
	{"the known address half spelled", "m a r i a dot h, at, um, example dot com please", "[EMAIL] please"},
	{"the known address with spaces", "maria . h @ example . com", "[EMAIL]"},
	{"another address", "write to o'neil+x_1@mail.example.co.uk, or a@b.", "write to [EMAIL], or a@b."},
	{"an address at the end", "it is x@y.museum.", "it is [EMAIL]."},
	{"an address that goes on", "a@b.co@c.de@f.gh", "[EMAIL]@[EMAIL]"},
	{"no address", "me @ home, 5 @ 3.50, a@b", ""},

	{"the known number, E.164", "+14155557777", "[PHONE]"},
	{"the known number, national", "(415) 555-7777 or 415.555.7777", "[PHONE] or [PHONE]"},
	{"the known number, odd groups", "41 55 55 77 77 and 4155557777#", "[PHONE] and [PHONE]#"},
	{"the known number without area code", "just 555-7777", "just [PHONE]"},
	{"the known number digit by digit", "four one five, five five five, seven seven seven seven", "[PHONE]"},
	{"the known number with double and tens", "plus one four fifteen triple five seventy seven double seven", "[PHONE]"},
	{"the known number in a word", "tel4155557777x", "tel[PHONE]x"},
	{"the known number in a longer one", "id 00141555577779 ok", "id [PHONE] ok"},

	{"a written number", "call 212-736-5000 now", "call [PHONE] now"},
	{"a number with no separator", "it is 2127365000", "it is [PHONE]"},
	{"a foreign number", "+44 20 7946 0958, +49 (0)30 901820", "[PHONE], [PHONE]"},
	{"a local number", "call me at 736-5000 please", "call me at [PHONE] please"},
	{"an extension", "212-736-5000x12", "[PHONE]x12"},
	{"a number digit by digit", "two one two seven three six five oh oh oh", "[PHONE]"},
	{"mixed", "2 1 2 seven three six 5 0 0 0", "[PHONE]"},
	{"the business's number", "we are at 415-555-1212, four one five five five five one two one two", ""},

	{"a card", "it's 4111 1111 1111 1111 okay", "it's [CARD] okay"},
	{"a card with hyphens", "3782-822463-10005", "[CARD]"},
	{"a card without separators", "5555555555554444.", "[CARD]."},
	{"a card said", "four one one one one one one one one one one one one one one one", "[CARD]"},
	{"a card in odd groups", "41 11 1111 1111 1111", "[CARD]"},
	{"a card number with a wrong digit", "my card is 4111 1111 1111 1112", "my card is [CARD]"},

	{"a social security number", "it's 536-90-4399", "it's [SSN]"},
	{"a social security number after its cue", "my social is 536904399", "my social is [SSN]"},
	{"an IBAN", "GB82 WEST 1234 5698 7654 32, de89370400440532013000", "[IBAN], [IBAN]"},
	{"addresses of machines", "from 192.168.10.4 and 2001:db8::ff00:42:8329.", "from [IP] and [IP]."},
	{"a URL with a token", "open https://x.example/reset?token=abc now", "open [URL] now"},
	{"a URL with a password", "(http://u:p@x.example/)", "([URL])"},
	{"a plain URL", "see https://x.example/a?page=2.", ""},

	{"tokens stay", "[PHONE] [PERSON] [CARD_2] [EMAIL]", ""},
	{"a name in brackets", "[MARIA]", "[[PERSON]]"},
	{"beside a token", "[PHONE]maria[PERSON]", "[PHONE][PERSON][PERSON]"},

	{"a date", "on 2026-05-29, 05/29/2026, 29.05.2026 or May 29th 2026", ""},
	{"a time", "at 10:30, 22:15:07 or 2026-05-29T10:30:00Z", ""},
	{"a price", "it costs $1,672.00, €4155550000 or 4,155,550,123", ""},
	{"an order number", "order 123456, flight 1122, error 50312", ""},
	{"a time in milliseconds", "1716573734000 1716573734009", ""},
	{"counts", "one two three four five six seven eight nine ten", ""},
	{"small numbers", "I ordered two, then three more, so five; 1 2 3", ""},
	{"a version", "version 10.1.2.3 and 3.14159265", ""},
	{"a coordinate", "37.7749295, -122.4194155", ""},
	{"part of a code", "SM-415-555-0123-X, 112-2127365000-99", ""},
}

// masking returns an engine that writes tags without numbers.
func masking(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Options{Policy: Policy{Default: ModeMask}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func callOf(text string) Call {
	c := caller
	c.Keep = []string{"+14155551212"}
	c.Texts = []string{text}
	return c
}

func TestRedact(t *testing.T) {
	e := masking(t)
	for _, c := range cases {
		want := c.want
		if want == "" {
			want = c.text
		}
		got := e.Redact(callOf(c.text))
		if got.Texts[0] != want {
			t.Errorf("%s: %q became\n%q, want\n%q", c.name, c.text, got.Texts[0], want)
		}
		if again := e.Redact(got); again.Texts[0] != got.Texts[0] {
			t.Errorf("%s: redacted twice: %q", c.name, again.Texts[0])
		}
	}
}

func TestAmbiguousNamesNeedMore(t *testing.T) {
	e := masking(t)
	f := func(name, text, want string) {
		t.Helper()
		if got := e.Redact(Call{CallerName: name, Texts: []string{text}}).Texts[0]; got != want {
			t.Errorf("%s: %q became %q, want %q", name, text, got, want)
		}
	}
	f("Will Young", "will you send young people? Will it? I will.", "will you send young people? Will it? I will.")
	f("Will Young", "will young and Young, Will", "[PERSON] and [PERSON]")
	f("Will Young", "my name is will, this is will", "my name is [PERSON], this is [PERSON]")
	f("Will Young", "Thank you, Will. And Mr. Young", "Thank you, [PERSON]. And [PERSON]")
	f("Will Young", "Will", "[PERSON]")
	f("May Li", "in May, on May 5 with Li", "in May, on May 5 with [PERSON]")
	f("Li", "li, a lie", "li, a lie")
	f("Grace Kelly", "the grace period, Kelly", "the grace period, [PERSON]")
	f("Dr. Ana de la Cruz", "dr de la the cruz; ana de la cruz", "[PERSON] the [PERSON]; [PERSON]")
	f("Sean O'Brien", "obrien, O’Brien's", "[PERSON], [PERSON]'s")
	f("Jean-Luc Picard", "Jean Luc, jean-luc picard", "[PERSON], [PERSON]")
	f("unknown caller", "an unknown caller, wireless", "an unknown caller, wireless")
	f("Anonymous", "I want to stay anonymous", "I want to stay anonymous")
	f("4155557777", "so 415 555 7777", "so [PHONE]")
	f("张伟", "我是张伟。", "我是[PERSON]。")
	f("Ødegård", "ØDEGÅRD ødegard", "[PERSON]")
	f(Hash([]byte("k"), KindName, "x"), "name is a name", "name is a name")
}

func TestRegion(t *testing.T) {
	e, err := New(Options{Region: "GB", Policy: Policy{Default: ModeMask}})
	if err != nil {
		t.Fatal(err)
	}
	c := e.Redact(Call{Phone: "+442079460958", Texts: []string{"020 7946 0958 and 0121 496 0123, not 29.05.2026 or 12345678"}})
	if want := "[PHONE] and [PHONE], not 29.05.2026 or 12345678"; c.Texts[0] != want {
		t.Errorf("%q, want %q", c.Texts[0], want)
	}
	c = e.Redact(Call{Turns: []Turn{{"agent", "And your address?"}, {"user", "it's 14 Larkspur Close, Leeds LS1 4AP"}, {"user", "or SW1A 1AA, phone oh two oh seven nine four six oh nine six oh"}}})
	if got := c.Turns[1].Content + "; " + c.Turns[2].Content; strings.ContainsAny(got, "0123456789") || strings.Contains(got, "nine") || !strings.Contains(got, "[PHONE]") {
		t.Errorf("%q", got)
	}
	if _, err := New(Options{Region: "us"}); err == nil {
		t.Error("an unknown region is no error")
	}
}

func TestFindTellsWhere(t *testing.T) {
	c := caller
	c.Turns = []Turn{{"user", "hi"}, {"user", "Maria, x@y.com"}}
	c.Texts = []string{"nothing", "+14155557777"}
	want := []Span{{1, 0, 5, Person, "maria", "known", 0}, {1, 7, 14, Email, "x@y.com", "shape", 0}, {3, 0, 12, Phone, "4155557777", "shape", 0}}
	if got := masking(t).Find(c); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	before := fmt.Sprint(c)
	masking(t).Redact(c)
	if fmt.Sprint(c) != before {
		t.Error("Redact changed the call it was given")
	}
}

// TestImports holds that the package is useful alone.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for p := range strings.FieldsSeq(string(out)) {
		if strings.HasSuffix(p, "postcall/transforms") || strings.Contains(p, "go-plugin") || strings.Contains(p, "grpc") {
			t.Errorf("the engine imports %s", p)
		}
	}
}

func FuzzRedact(f *testing.F) {
	for _, c := range cases {
		f.Add(caller.CallerName, caller.Email, caller.Phone, c.text, c.want)
	}
	for _, c := range cases { // side by side
		f.Add(caller.CallerName, caller.Email, caller.Phone, cases[len(c.text)%len(cases)].text+c.text, c.text+c.text)
	}
	sp := &speaker{Rand: rand.New(rand.NewPCG(3, 3))}
	fs := forms()
	for range 60 {
		var said [2]strings.Builder
		for _, turn := range sp.call(fs) {
			said[len(turn.role)%2].WriteString(turn.text() + "\n")
		}
		f.Add("", "", "", said[0].String(), said[1].String())
	}
	f.Add("Will Young", "7@x.co", "+442079460958", "will 7 at x dot co\n020 7946 0958", "[PERSON")
	e := masking(f)
	f.Fuzz(func(t *testing.T, name, email, phone, turn, text string) {
		c := Call{CallerName: name, Email: email, Phone: phone, Turns: []Turn{{"agent", text}, {"user", turn}}, Texts: []string{text + turn}}
		once := e.Redact(c)
		if len(once.Turns) != 2 || len(once.Texts) != 1 || once.Turns[1].Role != "user" {
			t.Fatalf("the call has another shape: %+v", once)
		}
		for i := range 3 {
			in, out := c.Text(i), once.Text(i)
			if utf8.ValidString(in) && !utf8.ValidString(out) {
				t.Fatalf("%q became invalid: %q", in, out)
			}
			if len(out) > 20*len(in)+16 {
				t.Fatalf("%q grew to %q", in, out)
			}
		}
		again := e.Redact(once)
		if fmt.Sprint(again) != fmt.Sprint(once) {
			t.Fatalf("twice is not once: %+v, then %+v, then %+v", c, once, again)
		}
		once.CallerName, once.Email, once.Phone = "", "", "" // the fields are hashes then
		if again = e.Redact(once); fmt.Sprint(again.Turns, again.Texts) != fmt.Sprint(once.Turns, once.Texts) {
			t.Fatalf("twice is not once without fields: %+v, then %+v, then %+v", c, once, again)
		}
		end := 0
		spans := e.Find(c)
		if every := everyRound(e, c); !sameSpans(spans, every) {
			t.Fatalf("found %+v, and %+v where every text is searched in every round", spans, every)
		}
		for i, s := range spans {
			if i > 0 && s.Text == 0 && s.Start < end || s.End <= s.Start || s.End > len(c.Text(s.Text)) {
				t.Fatalf("span %+v", s)
			}
			end = s.End
		}
		survives(t, e, turn+" ", " "+text)
	})
}

// survives holds that no known value survives between any two texts, unless what is around it makes another word of it.
func survives(t *testing.T, e *Engine, before, after string) {
	t.Helper()
	c := caller
	values := []string{"Maria Hernandez", "HERNÁNDEZ", "maria.h@example.com", "(415) 555-7777", "+14155557777"}
	for _, v := range values {
		c.Texts = append(c.Texts, before+v+after)
	}
	for i, text := range e.Redact(c).Texts {
		if strings.Count(text, values[i]) > strings.Count(before+after, values[i]) {
			t.Fatalf("%q survives in %q", values[i], text)
		}
	}
}

func TestConcurrent(t *testing.T) {
	e := masking(t)
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 200 {
				c := cases[r.IntN(len(cases))]
				want := c.want
				if want == "" {
					want = c.text
				}
				if got := e.Redact(callOf(c.text)); got.Texts[0] != want {
					t.Errorf("%q", got.Texts[0])
				}
			}
		})
	}
}
