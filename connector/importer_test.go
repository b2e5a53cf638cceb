package connector

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postcall/postcall/transforms"
)

func importer(t *testing.T, o *Operator, id string) *Importer {
	t.Helper()
	im, err := o.NewImporter("phonely", id)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func lined(bodies ...string) []ImportRecord {
	out := make([]ImportRecord, len(bodies))
	for i := range bodies {
		out[i] = ImportRecord{N: int64(i + 1), Body: []byte(bodies[i])}
	}
	return out
}

func TestImportedCallIsAsOldAsItsEnd(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("live")
	r.eventually("the live one", func() bool { return s.has("live") })
	live := s.newest["live"]
	o := operator(t, cfg, "a")
	im := importer(t, o, "x")
	c := im.Prepare(lined(
		`{"callId":"live","callEnded":"2025-03-01T10:00:00Z"}`,
		`{"callId":"ended","callStarted":"2025-03-01T09:00:00Z","callEnded":"2025-03-01T10:00:00Z"}`,
		`{"callId":"started","callStarted":"2025-03-01T10:00:00Z"}`,
		`{"callId":"ahead","callEnded":"2099-03-01T10:00:00Z"}`,
		`{"callId":"timeless"}`,
		`{"callId":"corrected","callEnded":"2025-03-01T10:00:00Z","summary":"first"}`,
		`{"callId":"corrected","callEnded":"2025-03-01T10:00:00Z","summary":"second"}`,
	))
	if c.Records != 7 || len(c.Refused) != 0 {
		t.Fatalf("%d records, refused %v", c.Records, c.Refused)
	}
	if err := im.Write(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r.eventually("all are loaded", func() bool { return s.calls() == 6 })
	end := time.Date(2025, 3, 1, 10, 0, 0, 0, time.UTC).UnixMicro()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, want := range map[string]int64{"live": live, "ended": end + 2, "started": end + 3, "timeless": 5, "corrected": end + 7} {
		if got := s.newest[id]; got != want {
			t.Errorf("%s has version %d, want %d", id, got, want)
		}
	}
	if got := s.newest["ahead"]; got > time.Now().UnixMicro()+importSpread.Microseconds() {
		t.Errorf("a call that ends in 2099 has version %d: no delivery would win over it", got)
	}
}

func TestImportNamesWhatItRefuses(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	s := newStore()
	start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	im := importer(t, operator(t, cfg, "a"), "x")
	c := im.Prepare(lined(`{"callId":"ok"}`, `{"callId":7}`, `{"agentName":"x"}`, `[{"callId":"a1"},{"callId":"a2"},{"callId":null}]`, `{"callId":`,
		`{"callId":"big","summary":"`+strings.Repeat("x", int(im.MaxBody()))+`"}`))
	if c.Records != 3 {
		t.Errorf("%d records are taken, want 3", c.Records)
	}
	var lines []string
	for _, r := range c.Refused {
		lines = append(lines, fmt.Sprint(r.N))
		if r.Err == nil || r.Err.Error() == "" {
			t.Errorf("record %d is refused without a reason", r.N)
		}
	}
	if got := strings.Join(lines, " "); got != "2 3 4 5 6" {
		t.Errorf("records %s are refused, want 2 3 4 5 6", got)
	}
}

// A run that was killed between a write and its record of it writes the same again.
func TestChunkThatIsWrittenTwiceIsOne(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	o := operator(t, cfg, "a")
	var lines []string
	for i := range 600 { // three frames
		lines = append(lines, fmt.Sprintf(`{"callId":"c%d","callEnded":"2025-03-01T10:00:00Z"}`, i))
	}
	for range 2 {
		im := importer(t, o, "x")
		if err := im.Write(t.Context(), im.Prepare(lined(lines...))); err != nil {
			t.Fatal(err)
		}
	}
	r.eventually("all are loaded", func() bool { return s.calls() == 600 })
	r.deliver("last")
	r.eventually("the last", func() bool { return s.has("last") })
	if twice := s.twice(); len(twice) > 0 {
		t.Errorf("%d events are loaded twice", len(twice))
	}
	st, err := o.Status(t.Context())
	if err != nil || st.Counts.Received != 601 {
		t.Errorf("%d received, %v; want 601", st.Counts.Received, err)
	}
}

func TestImportLeavesHalfOfTheIntakeToTheSender(t *testing.T) {
	t.Parallel()
	s := newStore()
	var hold atomic.Bool
	hold.Store(true)
	steps := []Transform{{"slow", transformFunc(func(ctx context.Context, b []transforms.Event) ([]transforms.Event, error) {
		for hold.Load() {
			if err := sleep(ctx, 5*time.Millisecond); err != nil {
				return nil, err
			}
		}
		return b, nil
	})}}
	cfg := testConfig(t.TempDir())
	cfg.Intake.MaxBytes = 4 << 20
	cfg.Transform.Timeout = time.Minute
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	im := importer(t, operator(t, cfg, "a"), "x")
	var mu sync.Mutex
	var said []string
	im.Waiting = func(why string) { mu.Lock(); said = append(said, why); mu.Unlock() }
	const n = 60
	done := make(chan error, 1)
	go func() {
		for i := range n {
			body := fmt.Sprintf(`{"callId":"i%d","callEnded":"2025-03-01T10:00:00Z","summary":"%s"}`, i, noiseText(100<<10))
			im.looked = time.Time{} // look each time: the test is faster than a file
			if err := im.Write(t.Context(), im.Prepare([]ImportRecord{{N: int64(i + 1), Body: []byte(body)}})); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	r.eventually("the import waits", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(strings.Join(said, " "), "half full")
	})
	r.deliver(ids("live", 5)...) // answered 200
	hold.Store(false)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.eventually("all are loaded", func() bool { return s.calls() == n+5 })
}

func TestImportWithoutAConnectorEndsAtHalf(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	cfg.Intake.MaxBytes = 1 << 20
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}})
	r.stop()
	o := operator(t, cfg, "a")
	if o.Serving() {
		t.Error("it takes the streams for a connector's")
	}
	im := importer(t, o, "x")
	var err error
	for i := 0; err == nil && i < 20; i++ {
		im.looked = time.Time{}
		err = im.Write(t.Context(), im.Prepare([]ImportRecord{{N: int64(i + 1), Body: []byte(`{"callId":"i","summary":"` + noiseText(100<<10) + `"}`)}}))
	}
	if err == nil || !strings.Contains(err.Error(), "start postcall serve") {
		t.Errorf("it ended with %v", err)
	}
}

// noiseText does not compress below half.
func noiseText(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()
}
