package transforms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The executables of testdata/plugins/fault and rude.
var faultPath, rudePath string

func TestMain(m *testing.M) {
	if os.Getenv(stdinVariable) == "test-host" {
		hostThatDies()
	}
	dir, err := os.MkdirTemp("", "transforms-test-")
	if err != nil {
		panic(err)
	}
	faultPath, rudePath = filepath.Join(dir, "fault"), filepath.Join(dir, "rude")
	if out, err := exec.Command("go", "build", "-o", dir+"/", "./testdata/plugins/fault", "./testdata/plugins/rude").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// logs is where the plugin of a test writes.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func faultSpec(t testing.TB, settings string) (Spec, *logs) {
	l := new(logs)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.String())
		}
	})
	return Spec{
		Name: "fault", Path: faultPath, Settings: json.RawMessage(settings),
		Timeout: 20 * time.Second, StartTimeout: 20 * time.Second,
		Logger: slog.New(slog.NewTextHandler(l, nil)),
	}, l
}

func openFault(t testing.TB, change ...func(*Spec)) (*Plugin, *logs) {
	t.Helper()
	spec, l := faultSpec(t, `{"suffix":"!"}`)
	for _, f := range change {
		f(&spec)
	}
	p, err := Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, l
}

// batchOf makes an event of each summary, with the ids a, b and so on.
func batchOf(summaries ...string) []Event {
	var batch []Event
	for i, s := range summaries {
		e := typical(string(rune('a' + i)))
		e.Summary = s
		batch = append(batch, e)
	}
	return batch
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
