package redact

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// with returns an engine with a policy.
func with(t testing.TB, policy string) *Engine {
	t.Helper()
	p, err := ParsePolicy([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{Policy: p, Key: []byte("a key for tests only")})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestModes(t *testing.T) {
	const said = "call me at four one five five five five oh one double four, card 4111 1111 1111 1111, i'm Maria Hernandez"
	hash := func(kind, v string) string {
		_, h, _ := strings.Cut(Hash([]byte("a key for tests only"), kind, v), "_")
		return h
	}
	f := func(policy, want string) {
		t.Helper()
		e := with(t, policy)
		got := e.Redact(Call{Turns: []Turn{{"user", said}}})
		if got.Turns[0].Content != want {
			t.Errorf("%s: %q, want %q", policy, got.Turns[0].Content, want)
		}
		if again := e.Redact(got); again.Turns[0].Content != want {
			t.Errorf("%s: twice: %q", policy, again.Turns[0].Content)
		}
	}
	f("", "call me at [PHONE_1], card [CARD_1], i'm [PERSON_1]")
	f("preset: strict", "call me at [PHONE], card [CARD], i'm [PERSON]")
	f("preset: pci", "call me at [PHONE_1], card [CARD:1111], i'm [PERSON_1]")
	f("default: drop", "call me at [REDACTED], card [REDACTED], i'm [REDACTED]")
	f("types: {PHONE: keep, CARD: mask}", "call me at four one five five five five oh one double four, card [CARD], i'm [PERSON_1]")
	f("types: {PHONE: hash, PERSON: hash}", "call me at [PHONE:"+hash(KindPhone, "+14155550144")+"], card [CARD_1], i'm [PERSON:"+hash(KindName, "maria hernandez")+"]")
	f("allow: [Maria Hernandez, '4155550144']", "call me at four one five five five five oh one double four, card [CARD_1], i'm Maria Hernandez")
}

func TestOwnRecognizers(t *testing.T) {
	e := with(t, "recognizers: [{type: BADGE, cues: [badge number], pattern: A-9999}, {type: PARCEL, pattern: AA-999999-A}, {type: LOCKER, cues: [locker]}]")
	c := e.Redact(Call{Turns: []Turn{
		{"agent", "what's your badge number"},
		{"user", "it's k as in king two oh double one"},
		{"user", "the parcel is QX 203911 B, and my locker is 4417, not badge number 12"},
	}})
	for i, want := range []string{"it's [BADGE_1]", "the parcel is [PARCEL_1], and my locker is [LOCKER_1], not badge number 12"} {
		if got := c.Turns[i+1].Content; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if again := e.Redact(c); fmt.Sprint(again) != fmt.Sprint(c) {
		t.Errorf("twice: %v", again)
	}
}

func TestPolicyIsChecked(t *testing.T) {
	f := func(policy, says string) {
		t.Helper()
		if _, err := ParsePolicy([]byte(policy)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", policy, err, says)
		}
	}
	f("preset: best", `preset "best" is unknown: use one of balanced, hipaa, pci, strict`)
	f("default: hide", `default "hide" is no mode`)
	f("types: {FAX: mask}", `"FAX" is no type`)
	f("types: {PHONE: hide}", `PHONE: "hide" is no mode`)
	f("fields: {agentName: drop}", `"agentName" is no field`)
	f("fields: {callerName: index}", `"index" is no mode of a field`)
	f("tpyes: {}", "tpyes")
	f("recognizers: [{type: badge, cues: [badge]}]", "use capitals")
	f("recognizers: [{type: PHONE, cues: [x]}]", "is there already")
	f("recognizers: [{type: BADGE}]", "neither cues nor a pattern")
	f("recognizers: [{type: BADGE, cues: [x], pattern: 99#9}]", `holds '#'`)
	f("recognizers: [{type: BADGE, pattern: 999}]", "at least 5 without cues")
	if _, err := New(Options{Policy: Policy{Default: ModeHash}}); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("hashes without a key: %v", err)
	}
	if _, err := New(Options{Languages: []string{"xx"}}); err == nil || !strings.Contains(err.Error(), "en and es") {
		t.Errorf("an unknown language: %v", err)
	}
}

// TestDocumentedPolicy reads the example of the documentation.
func TestDocumentedPolicy(t *testing.T) {
	doc, err := os.ReadFile("../../docs/redaction.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/redaction.md has no policy")
	}
	p, err := ParsePolicy([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Policy: p}); err != nil {
		t.Fatal(err)
	}
	for _, typ := range Types() {
		if !strings.Contains(string(doc), string(typ)) {
			t.Errorf("docs/redaction.md doesn't name %s", typ)
		}
	}
}

func TestSpanish(t *testing.T) {
	e := with(t, "languages: [es, en]\nregion: US")
	f := func(asked, said, want string) {
		t.Helper()
		c := e.Redact(Call{Turns: []Turn{{"agent", asked}, {"user", said}}})
		if got := c.Turns[1].Content; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("¿Cuál es su número de teléfono?", "es el seis uno dos, treinta y cuatro, cincuenta y seis, setenta y ocho", "es el [PHONE_1]")
	f("¿Y su fecha de nacimiento?", "el tres de marzo de mil novecientos ochenta", "el [DOB_1]")
	f("¿Su correo electrónico?", "maria punto lopez arroba correo punto com", "[EMAIL_1]")
	f("¿Cuántas personas serán?", "seremos cuarenta y dos personas", "seremos cuarenta y dos personas")
}

// TestNothingSurvives holds that no canonical value is left in a redacted call, and that redacting it again changes nothing.
func TestNothingSurvives(t *testing.T) {
	e := engine(t)
	s := &speaker{Rand: rand.New(rand.NewPCG(11, 5))}
	fs := forms()
	values := 0
	for range 400 {
		var c Call
		for _, turn := range s.call(fs) {
			c.Turns = append(c.Turns, Turn{turn.role, turn.text()})
		}
		spans := e.Find(c)
		out := e.Replace(c, spans)
		if again := e.Redact(out); fmt.Sprint(again) != fmt.Sprint(out) {
			t.Fatalf("twice is not once: %v, then %v", out, again)
		}
		if left := e.Find(out); len(left) > 0 {
			t.Fatalf("%v is left in %v", left, out)
		}
		for _, sp := range spans {
			if len(digitsOf(sp.Value)) < 6 || len(digitsOf(sp.Value)) != len(sp.Value) {
				continue
			}
			values++
			for _, turn := range out.Turns {
				for _, number := range numbersIn(e, turn.Content) {
					if strings.Contains(number, sp.Value) {
						t.Errorf("%s %s is left in %q", sp.Type, sp.Value, turn.Content)
					}
				}
			}
		}
	}
	if values < 300 {
		t.Errorf("only %d values were looked for", values)
	}
}

// numbersIn returns the numbers of a text, written or said.
func numbersIn(e *Engine, text string) []string {
	s := e.open(&Call{Turns: []Turn{{"user", text}}})
	defer e.close(s)
	s.text = text
	var out []string
	var r run
	for i := 0; i < len(s.toks); {
		if s.taken(i) || !s.starts(i, len(s.toks)) {
			i++
			continue
		}
		s.readRun(&r, i, len(s.toks))
		if len(r.elems) > 0 {
			out = append(out, string(r.canon))
		}
		i = max(i+1, r.b)
	}
	return out
}
