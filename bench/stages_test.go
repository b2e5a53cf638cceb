package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// sample has functions from the innermost on.
func sample(functions ...string) *profile.Sample {
	s := &profile.Sample{}
	for _, f := range functions {
		s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: f}}}})
	}
	return s
}

func TestStageOf(t *testing.T) {
	for _, c := range []struct {
		want      string
		functions []string
	}{
		{"seal: mapping", []string{"runtime.mallocgc", own + ".(*scanner).text", own + ".(*sealer).normalize", own + ".(*sealer).seal"}},
		{"webhook: mapping", []string{own + ".(*reading).check", own + ".(*webhook).ServeHTTP", "net/http.(*conn).serve"}},
		{"webhook: HTTP and the rest", []string{"bufio.(*Reader).fill", "net/http.(*conn).serve"}},
		{"load: Elasticsearch", []string{"net.(*conn).Write", "net/http.(*persistConn).writeLoop"}},
		{"load: ClickHouse", []string{own + "/clickhouse.(*Loader).Load", own + ".(*sink).load"}},
		{stageGC, []string{"runtime.gcDrainN", "runtime.gcAssistAlloc", own + ".(*sealer).seal"}},
		{stageRest, []string{"runtime.futex", "runtime.schedule"}},
		{stageRest, nil},
	} {
		if got := stageOf(sample(c.functions...)); got != c.want {
			t.Errorf("%v: %q, want %q", c.functions, got, c.want)
		}
	}
	if !copies(sample("runtime.memmove", own+".(*sealer).seal")) || copies(sample(own+".(*sealer).seal", "runtime.memmove")) || copies(sample()) {
		t.Error("copying is told by the innermost function")
	}
}

// TestStagesAddUp holds that the table's last row is the sum, and that a page's table has a line under its head.
func TestStagesAddUp(t *testing.T) {
	p := report{Results: []result{{CPU: 0.5}, {Plan: plan{Size: 8 << 10}, CPU: 0.5, Stages: []cost{
		{Stage: "streams", CPU: 0.2, Copied: 0.05, Allocs: 10, Bytes: 2048}, {Stage: "plugin: redact-pii", CPU: 0.3},
	}}}}
	var b bytes.Buffer
	if err := p.markdown(&b); err != nil {
		t.Fatal(err)
	}
	want := "\n" +
		"| stage, 8 KiB | CPU s/1,000 | of all | copying | allocations | KiB allocated |\n" +
		"|---|---|---|---|---|---|\n" +
		"| streams | 0.2000 | 40 % | 0.0500 | 10 | 2.0 |\n" +
		"| plugin: redact-pii | 0.3000 | 60 % | - | - | - |\n" +
		"| all | 0.5000 | 100 % | 0.0500 | 10 | 2.0 |\n"
	if got := b.String()[strings.LastIndex(b.String(), "\n\n")+1:]; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := p.text(&b); err != nil || !strings.Contains(b.String(), "plugin: redact-pii  0.3000") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestOwnersAreThere holds that no function of the connector that tells a stage was renamed.
func TestOwnersAreThere(t *testing.T) {
	files, err := filepath.Glob("../connector/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var source strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	seen := 0
	for _, o := range owners {
		for f := range strings.FieldsSeq(o.functions) {
			name, ok := strings.CutPrefix(f, own+".")
			if !ok {
				continue
			}
			seen++
			declared := "func " + name + "("
			if receiver, method, ok := strings.Cut(strings.TrimPrefix(name, "(*"), ")"); ok {
				declared = " *" + receiver + ") " + strings.TrimPrefix(method, ".")
				if method != "" {
					declared += "("
				}
			}
			if !strings.Contains(source.String(), declared) {
				t.Errorf("%s: the connector declares nothing like %q", o.stage, declared)
			}
		}
	}
	if seen < 8 {
		t.Errorf("%d functions were looked for", seen)
	}
}
