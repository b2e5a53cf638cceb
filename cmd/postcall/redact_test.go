package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runRedact runs the command and returns what it printed.
func runRedact(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), append([]string{"redact"}, args...), strings.NewReader(stdin), &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	return out.String()
}

const plainTranscript = `Agent: Hi, can I get a number to reach you?
User: sure it's four one five, five five five,
  seventy seven double seven
Agent: Great. And your date of birth?
User: march third nineteen eighty
`

func TestRedactShowsACallBesideWhatIsLeft(t *testing.T) {
	got := runRedact(t, plainTranscript, "--explain")
	for _, want := range []string{
		"sure it's [PHONE_1]", "[DOB_1]", `"march third nineteen eighty" is "19800303", by what was asked before`, `is "4155557777"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestRedactReadsPayloads(t *testing.T) {
	got := runRedact(t, `{"callId":"c1","callerName":"Maria Hernandez","summary":"Maria asked for <b>","transcript":[{"role":"user","content":"it's Maria"}]}`)
	if !strings.Contains(got, "it's [PERSON_1]") || !strings.Contains(got, "[PERSON_1] asked for <b>") {
		t.Error(got)
	}
}

func TestRedactWritesAPage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "call.html")
	runRedact(t, "User: <script>alert(1)</script> my name is Maria Hernandez", "--html", file)
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(page); strings.Contains(s, "<script>alert") || !strings.Contains(s, `<mark data-type="PERSON"`) || !strings.Contains(s, "[PERSON_1]") {
		t.Error(s)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: others can read it", info.Mode(), err)
	}
}

func TestRedactUsesThePolicy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte("types: {PHONE: partial}\nrecognizers: [{type: BADGE, cues: [badge number], pattern: A-999}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("POSTCALL_REDACT_POLICY", file)
	got := runRedact(t, plainTranscript+"Agent: And your badge number?\nUser: it's k one two three")
	if !strings.Contains(got, "[PHONE:7777]") || !strings.Contains(got, "it's [BADGE_1]") {
		t.Error(got)
	}
}

func TestRedactRefuses(t *testing.T) {
	f := func(says string, code int, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), append([]string{"redact"}, args...), strings.NewReader(""), &out, &errs); got != code || !strings.Contains(errs.String(), says) {
			t.Errorf("%v: exit %d, %q", args, got, errs.String())
		}
	}
	f("too narrow", 2, "--width", "10")
	f("no such file", 1, filepath.Join(t.TempDir(), "none.json"))
}
