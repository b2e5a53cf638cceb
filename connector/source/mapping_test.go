package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the goldens instead of comparing them")

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// samples are the bodies of testdata by the mapping that reads them.
func samples(t testing.TB) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, name := range ShippedNames() {
		files, err := filepath.Glob("testdata/" + name + "*.json")
		if err != nil || len(files) == 0 {
			t.Fatalf("no sample for mapping %s: %v", name, err)
		}
		for _, f := range files {
			if !strings.HasSuffix(f, ".golden.json") {
				out[name] = append(out[name], f)
			}
		}
	}
	return out
}

func TestShippedMappings(t *testing.T) {
	for name, files := range samples(t) {
		m, err := Shipped("test", name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			got, err := m.Map(read(t, file), 1<<20)
			golden := strings.TrimSuffix(file, ".json") + ".golden.json"
			if errors.Is(err, ErrNoCall) {
				if _, err := os.Stat(golden); err == nil {
					t.Errorf("%s: makes no call, but has a golden", file)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			var b bytes.Buffer
			if err := json.Indent(&b, got, "", "  "); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), b.String()); diff != "" {
				t.Errorf("%s: %s", file, diff)
			}
		}
	}
}

func TestOtherEventsMakeNoCall(t *testing.T) {
	for name, file := range map[string]string{"vapi": "vapi-status", "retell": "retell-started", "elevenlabs": "elevenlabs-audio"} {
		m, err := Shipped("test", name)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := m.Map(read(t, "testdata/"+file+".json"), 1<<20); !errors.Is(err, ErrNoCall) {
			t.Errorf("%s: %s, %v; want ErrNoCall", file, b, err)
		}
	}
}

func TestMappingErrorsNameSourceLineAndField(t *testing.T) {
	const body = `{"id":"secret-value","n":"5551234567","list":[1]}`
	tests := []struct{ name, program, want string }{
		{"no program", "{\n  callId: .id,\n  duration: .n |\n}", "source acme, line 4 of the mapping: it is no jq program"},
		{"unknown function", "{\n  callId: .id,\n  duration: seconds(.n)\n}", "source acme, line 3 of the mapping: it is no jq program: function not defined: seconds/1"},
		{"unknown variable", "{callId: $id}", "source acme, line 1 of the mapping: it is no jq program: variable not defined: $id"},
		{"a field fails", "{\n  callId: .id,\n\n  duration: (.n + 1)\n}", "source acme, line 4 of the mapping, field duration: cannot add: string"},
		{"a field fails behind a pipe", ". as $b |\n{callId: .id} |\n{\n  callId,\n  agentName: .callId.name\n}", "source acme, line 5 of the mapping, field agentName: expected an object but got: string"},
		{"a field iterates nothing", "{callId: .id,\n transcript: [.turns[]]}", "source acme, line 2 of the mapping, field transcript: cannot iterate over: null"},
		{"it calls error", "{callId: .id,\n summary: (if .n then error(.n) else . end)}", "source acme, line 2 of the mapping, field summary: the program calls error for this body"},
		{"a function fails", "{callId: .id,\n duration: (.id | tonumber)}", "source acme, line 2 of the mapping, field duration: tonumber can't take"},
		{"no object", "[.id]", "source acme: it makes an array; make one object"},
		{"several events", ".list[], .id | {callId: .}", "source acme: it makes more than one event of a body; use split"},
		{"no end", "def f: f; f", "source acme: it does not come to an end: more than 2000000 steps"},
		{"no end, making things", "{callId: .id, list: [range(1e18)]}", "source acme: it does not come to an end"},
		{"too much", "{callId: .id, summary: (.n * 200000)}", "source acme: it makes an event of more than 1048576 bytes"},
		{"input", "input", "source acme: it is no jq program: input(s)/0 is not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := NewMapping("acme", tt.program)
			if err == nil {
				_, err = m.Map([]byte(body), 1<<20)
			}
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("got  %v\nwant %s", err, tt.want)
			}
			for _, value := range []string{"secret-value", "5551234567"} {
				if strings.Contains(err.Error(), value) {
					t.Errorf("the error shows a value of the body: %v", err)
				}
			}
		})
	}
}

func TestMappingReachesNothingOutside(t *testing.T) {
	t.Setenv("POSTCALL_TEST_VALUE", "from the environment")
	m, err := NewMapping("acme", `{callId: "a", summary: ($ENV | tojson), purpose: (env | tojson)}`)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Map([]byte(`{}`), 1<<20)
	if err != nil || strings.Contains(string(b), "from the environment") {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := NewMapping("acme", `import "a" as a; a::f`); err == nil {
		t.Error("a program may import a file")
	}
	if _, err := NewMapping("acme", `include "a"; f`); err == nil {
		t.Error("a program may include a file")
	}
}

func TestBodiesByTheRuleOfThePackage(t *testing.T) {
	m, err := NewMapping("acme", `{callId: "a", extra: .}`)
	if err != nil {
		t.Fatal(err)
	}
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for body, want := range map[string]string{
		``:                                   "found nothing",
		`{"a":1`:                             "found the end of the body",
		`{"a":1,"a":2}`:                      "found a name for the second time",
		"{\"a\":\"\xff\"}":                   "found bytes that are not UTF-8",
		`{"a":"\ud800"}`:                     "found half a surrogate pair",
		`{"a":01}`:                           "found text that is not JSON",
		`{} {}`:                              "found more behind",
		deep(MaxDepth + 1):                   "objects and arrays inside each other",
		deep(20_000):                         "objects and arrays inside each other",
		`[` + strings.Repeat("1", 101) + `]`: "a number of more than 100 characters",
		`[` + strings.Repeat("1,", MaxValues) + `1]`: "more than 200000 values",
	} {
		_, err := m.Map([]byte(body), 1<<20)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want %q", body, err, want)
		}
	}
	for _, body := range []string{deep(MaxDepth), "\xef\xbb\xbf{}", `{"n":12345678901234567890123,"f":1e-999}`} {
		if _, err := m.Map([]byte(body), 1<<20); err != nil {
			t.Errorf("%.30q: %v", body, err)
		}
	}
}

func TestBodiesWithSeveralEvents(t *testing.T) {
	split, err := compile("acme", ".calls[]")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, body string
		lines      bool
		src        Source
		want       string
	}{
		{"one", `{"a":1}`, false, Source{}, `{"a":1}`},
		{"array", ` [{"a": 1}, {"a":2} ,3]`, false, Source{}, `several {"a": 1}|{"a":2}|3`},
		{"no event", `[]`, false, Source{}, "body: found an array without an event; send one call at least"},
		{"broken array", `[{"a":1},{]`, false, Source{}, "body: found text that is not JSON; send valid JSON; the mistake is behind byte 8"},
		{"array cut short", `[{"a":1},`, false, Source{}, "body: found the end of the body; send the whole JSON value"},
		{"more behind an array", `[1] 2`, false, Source{}, "body: found more behind the JSON array; send one array"},
		{"too many", `[1,2,3]`, false, Source{MaxEvents: 2}, "body: found more than 2 events; send them in several bodies"},
		{"lines", "{\"a\":1}\n\n {\"a\":2}\r\nbroken", true, Source{}, `several {"a":1}|{"a":2}|broken`},
		{"no lines", "\n \n", true, Source{}, "body: found nothing; send one JSON object a line"},
		{"split", `{"calls":[{"a":1},{"a":2}]}`, false, Source{split: split}, `several {"a":1}|{"a":2}`},
		{"split fails", `{"calls":7}`, false, Source{Name: "acme", split: split}, `error: source acme: split: cannot iterate over: number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parts, several, err := tt.src.Events([]byte(tt.body), tt.lines)
			got := ""
			if several {
				got = "several "
			}
			if err != nil {
				got = err.Error()
			}
			for i, p := range parts {
				if i > 0 {
					got += "|"
				}
				if p.Err != nil {
					got += fmt.Sprintf("error: %v", p.Err)
					continue
				}
				got += string(p.Body)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
