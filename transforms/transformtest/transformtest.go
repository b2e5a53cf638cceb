// Package transformtest checks that a transform keeps the contract of transforms.Transformer. A transform's own tests
// call Run and RunProcess once, besides testing what the transform is for:
//
//	func TestContract(t *testing.T) {
//		transformtest.Run(t, func() transforms.Transformer { return upper{} })
//	}
//
//	func TestProcess(t *testing.T) {
//		transformtest.RunProcess(t, transforms.Spec{Name: "upper"})
//	}
//
// `postcall plugin test` does the latter with a plugin in any language. Check is both without a testing.T.
//
// What is checked: the settings are read strictly; an empty batch, events of real calls and made-up ones (Events, Fuzz)
// are taken; ids, order, and the fields that identify an event stay; texts, numbers and extra stay what they have to be;
// outcomes have reasons; a batch has the same result again, after a restart, among other neighbours, and beside other
// calls; a canceled call ends; 4 MiB pass; fields of a newer version come back; nobody learns what a caller said from a
// reason, an error or a log; memory is bounded; and nothing is left behind. What no check can see from outside is a data
// race: run the tests of a Go transform with -race.
package transformtest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/postcall/postcall/transforms"
)

// Run runs the checks on the transformer that open makes: directly, and over gRPC as in a process of its own. Run it with
// -race: several calls at once are part of the contract. open is called several times. No other test may run beside it,
// since it looks for goroutines that are left.
func Run(t *testing.T, open func() transforms.Transformer) {
	t.Helper()
	t.Run("direct", func(t *testing.T) { run(t, Direct(open)) })
	t.Run("grpc", func(t *testing.T) { run(t, OverGRPC(open)) })
}

// RunProcess runs the checks on a plugin's process. Without a path, the main package in the folder of the test is built
// and checked.
func RunProcess(t *testing.T, spec transforms.Spec) {
	t.Helper()
	if spec.Name == "" {
		spec.Name = "plugin"
	}
	if spec.Path == "" {
		spec.Path = filepath.Join(t.TempDir(), spec.Name)
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", spec.Path, ".").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	run(t, Process(spec))
}

func run(t *testing.T, subject Subject) {
	report := Check(t.Context(), subject, Options{})
	for _, r := range report.Results {
		t.Run(r.Rule, func(t *testing.T) {
			switch r.Status {
			case Failed:
				t.Errorf("%s\ndone: %s\nchange: %s", r.Problem, r.Did, r.Change)
			case Unchecked:
				t.Error(r.Problem)
			}
		})
	}
	if len(report.Results) == 0 {
		t.Error(fmt.Errorf("nothing was checked: %w", t.Context().Err()))
	}
}
