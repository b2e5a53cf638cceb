package transforms

import (
	"strings"
	"testing"
)

func TestPluginLogs(t *testing.T) {
	p, l := openFault(t, func(s *Spec) { s.Env = []string{"FAULT_NOISE=1"} })
	if _, err := p.Transform(t.Context(), batchOf("log stumble")); err != nil {
		t.Fatal(err)
	}
	_ = p.Close() // everything written has arrived after it
	for _, want := range []string{
		`level=INFO msg="hello from a plugin that prints" plugin=fault stream=stdout`,
		`level=WARN msg="about to stumble" plugin=fault stream=stderr count=3`,
		`level=INFO msg="a plain line" plugin=fault stream=stderr`,
		`level=INFO msg="a line on stdout" plugin=fault stream=stdout`,
	} {
		if !strings.Contains(l.String(), want) {
			t.Errorf("no %s in the log", want)
		}
	}
}
