package connector

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

const (
	secretPhone = "+13125550142"
	otherPhone  = "+13125550199"
)

func call(id, phone string) string {
	return `{"callId":"` + id + `","customerPhoneNumber":"` + phone + `","summary":"` + id + ` was said by ` + phone + `"}`
}

// traces are the files and messages of a data directory that hold a text: as bytes of a file, or in a message, a frame
// or a body when it is decompressed or decrypted.
func traces(t testing.TB, o *Operator, text string, raw ...[]byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(o.cfg.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // a file that is gone holds nothing
		}
		b, _ := os.ReadFile(path)
		for _, r := range append(raw, []byte(text)) {
			if bytes.Contains(b, r) {
				found = append(found, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	has := func(what string, b []byte) {
		if bytes.Contains(b, []byte(text)) {
			found = append(found, what)
		}
	}
	for _, stream := range []string{streamBatches, streamIntake, streamDead, streamRefused} {
		err := o.st.each(t.Context(), stream, 1, false, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			what := stream + " " + msg.Subject()
			for _, v := range msg.Headers() {
				has(what, []byte(strings.Join(v, "")))
			}
			switch stream {
			case streamBatches:
				m, err := openMessage(msg.Headers(), msg.Data())
				if err != nil {
					return err
				}
				wire, err := transforms.AppendEvents(nil, m.Events)
				has(what, wire)
				for i := range m.Fates {
					has(what+" fate", []byte(m.Fates[i].CallID))
					if body, err := o.cipher.open(m.Fates[i].Body); err == nil {
						has(what+" fate", body)
					}
				}
				return err
			case streamIntake:
				ds, err := decodeFrame(msg.Data())
				for i := range ds {
					has(what, ds[i].Body)
				}
				return err
			default:
				if body, err := o.cipher.open(msg.Data()); err == nil {
					has(what, body)
				}
				return nil
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// sealedData are the messages of POSTCALL_BATCHES as they are on disk.
func sealedData(t testing.TB, o *Operator) (out [][]byte) {
	t.Helper()
	err := o.st.each(t.Context(), streamBatches, 1, false, func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
		if msg.Headers().Get(headerEvents)+msg.Headers().Get(headerFates) != "00" {
			out = append(out, bytes.Clone(msg.Data()))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// redeliver has everything that is kept delivered again, as after a crash: acks are not durable.
func redeliver(t *testing.T, o *Operator, sinks ...string) {
	t.Helper()
	time.Sleep(500 * time.Millisecond) // a reset while the server writes the state of a consumer brings back what it writes
	for _, sink := range sinks {
		if _, err := o.st.js.ResetConsumerToSequence(t.Context(), streamBatches, sink, 1); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *store) clone() *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &store{load: s.load, check: s.check, loads: maps.Clone(s.loads), events: maps.Clone(s.events), newest: maps.Clone(s.newest)}
}

// rejecting is a transform that rejects calls whose id begins with "reject".
var rejecting = Transform{"strict", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
	for i := range b {
		if strings.HasPrefix(b[i].CallID, "reject") {
			b[i].Reject("no agent")
		}
	}
	return b, nil
})}

func statusOf(t testing.TB, o *Operator) *Status {
	t.Helper()
	s, err := o.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := s.Counts
	if c.Received+c.Replayed != c.Kept+c.Dead+c.Dropped+c.Damaged+c.Waiting {
		t.Errorf("counts do not add up: %+v", c)
	}
	return s
}

// DELIVERY.md, rule 13: what is forgotten leaves every stream, and every file, and nothing else does.
func TestForgottenLeavesEveryStreamAndFile(t *testing.T) {
	t.Parallel()
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge = 300 * time.Millisecond
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: []Transform{rejecting}}
	r := start(t, c)
	for _, id := range []string{"secret1", "poison-secret", "reject-secret"} {
		r.post(call(id, secretPhone))
	}
	for _, id := range []string{"other1", "poison-other", "reject-other"} {
		r.post(call(id, otherPhone))
	}
	r.eventually("loaded", func() bool { return s.calls() == 2 })
	r.post(call("other2", otherPhone))
	r.post(`{"callId":"broken","duration":{},"customerPhoneNumber":"(312) 555-0142","note":"` + secretPhone + `"}`)
	r.post(`{"callId":"broken","duration":{},"customerPhoneNumber":"` + otherPhone + `"}`)
	o := operator(t, cfg, "a")
	r.eventually("dead letters", func() bool { return s.calls() == 3 && len(deadLettersOf(t, o, DeadFilter{})) == 6 })
	if len(traces(t, o, secretPhone)) < 4 {
		t.Fatalf("the number is in %v only: the search finds too little", traces(t, o, secretPhone))
	}
	before := statusOf(t, o)
	old := sealedData(t, o)

	rep, err := o.Forget(t.Context(), Erasure{Phone: "312-555-0142"})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Resealed != 1 || rep.Events != 2 || rep.Dead != 2 || rep.Refused != 1 || rep.Unreadable != 0 {
		t.Errorf("report: %+v", rep)
	}
	r.eventually("the intake is empty", func() bool { return statusOf(t, o).Intake.Messages == 0 })
	if left := traces(t, o, secretPhone, old[0][:64]); len(left) > 0 {
		t.Errorf("the number, or the old message, is still in %v", left)
	}
	if len(traces(t, o, otherPhone)) == 0 {
		t.Error("the others are gone too")
	}
	if left := deadLettersOf(t, o, DeadFilter{}); len(left) != 3 {
		t.Errorf("%d dead letters are left, want those of the other: %+v", len(left), left)
	}
	r.eventually("everything is acknowledged", func() bool { return statusOf(t, o).Sinks[0].Pending == 0 })
	after := statusOf(t, o)
	if after.Counts.Kept != before.Counts.Kept-2 || after.Counts.Dropped != before.Counts.Dropped+2 || after.Counts.Dead != before.Counts.Dead {
		t.Errorf("counts were %+v and are %+v", before.Counts, after.Counts)
	}
	if k := after.Sinks[0]; k.Delivered != 2 || k.Dead != 1 {
		t.Errorf("the sink says %+v, want the two other calls delivered and one dead", k)
	}
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
	if res, err := o.Audit(t.Context(), c.Sinks[0], nil); err != nil || len(res.Missing) != 0 || res.Events != 3 {
		t.Errorf("audit: %+v (%v), want the 3 kept events of the others", res, err)
	}
	r.post(call("secret2", secretPhone)) // a later call of the same person
	r.deliver("last")
	r.eventually("last", func() bool { return s.has("last") })
	if s.has("secret2") {
		t.Error("a later call is loaded")
	}
	r.eventually("the intake is empty", func() bool { return statusOf(t, o).Intake.Messages == 0 })
	if left := traces(t, o, secretPhone); len(left) > 0 || statusOf(t, o).Counts.Dropped != after.Counts.Dropped+1 {
		t.Errorf("a later call is not dropped by the sealer: it is in %v", left)
	}
	r.stop()
	r = start(t, c)
	if got := r.metric(`postcall_alarms_total{kind="gap"}`); got != "" {
		t.Errorf("gap alarm counts %s for what was sealed again", got)
	}
}

// A sink that was done with the old message inserts nothing a second time, one that was not gets all that is left; both
// also when it is delivered again, and when it is sealed a third time.
func TestForgetWithSinksAtDifferentProgress(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(*store) Loader{
		"asked for versions": func(s *store) Loader { return s },
		"by token alone":     func(s *store) Loader { return loadOnly{s} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newStore(), newStore()
			var down atomic.Bool
			down.Store(true)
			b.load = func(Batch) error {
				if down.Load() {
					return errors.New("down")
				}
				return nil
			}
			cfg := testConfig(t.TempDir())
			cfg.Batch.MaxAge = 300 * time.Millisecond
			r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", wrap(a), 2}, {"b", wrap(b), 2}}})
			for _, id := range ids("c", 6) {
				r.post(call(id, otherPhone))
			}
			r.post(call("secret1", secretPhone))
			r.eventually("a is done", func() bool { return a.calls() == 7 })
			r.deliver("last")
			r.eventually("a is done", func() bool { return a.calls() == 8 })
			o := operator(t, cfg, "a", "b")
			forget := func(e Erasure) {
				t.Helper()
				if rep, err := o.Forget(t.Context(), e); err != nil || rep.Events != 1 || rep.Resealed != 1 {
					t.Fatalf("report %+v (%v), want one event", rep, err)
				}
			}
			forget(Erasure{Phone: secretPhone})
			forget(Erasure{CallID: "c003"})
			r.eventually("a has acknowledged", func() bool { return statusOf(t, o).Sinks[0].Pending == 0 })
			if k := statusOf(t, o).Sinks; k[0].Delivered != 6 || k[1].Pending != 6 || k[1].Delivered != 0 {
				t.Errorf("sinks say %+v", k)
			}
			down.Store(false)
			r.eventually("b is done", func() bool { return b.calls() == 6 })
			forget(Erasure{CallID: "c005"})
			r.eventually("both have acknowledged", func() bool { k := statusOf(t, o).Sinks; return k[0].Pending == 0 && k[1].Pending == 0 })
			redeliver(t, o, "a", "b")
			r.eventually("everything is acknowledged", func() bool {
				k := statusOf(t, o).Sinks
				return k[0].Pending == 0 && k[1].Pending == 0 && k[0].Delivered == 5 && k[1].Delivered == 5
			})
			if got := append(a.twice(), b.twice()...); len(got) > 0 {
				t.Errorf("loaded twice: %v", got)
			}
			for _, id := range []string{"secret1", "c003"} {
				if b.has(id) {
					t.Errorf("%s is loaded after it was forgotten", id)
				}
			}
		})
	}
}

// A batch that is on its way through the sealer while its call is forgotten is held against the longer list.
func TestForgottenWhileItIsSealed(t *testing.T) {
	t.Parallel()
	s := newStore()
	in, out := make(chan struct{}), make(chan struct{})
	var once sync.Once
	steps := []Transform{{"slow", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		once.Do(func() { close(in); <-out })
		return b, nil
	})}}
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.post(call("secret1", secretPhone))
	r.deliver("other")
	<-in
	o := operator(t, cfg, "a")
	rep, err := o.Forget(t.Context(), Erasure{Phone: secretPhone})
	if err != nil || rep.Waiting != 1 {
		t.Errorf("report %+v (%v), want one event waiting in the intake", rep, err)
	}
	close(out)
	r.eventually("the other is loaded", func() bool { return s.has("other") })
	if s.has("secret1") {
		t.Error("the forgotten call is loaded")
	}
	if got := statusOf(t, o).Counts; got.Kept != 1 || got.Dropped != 1 {
		t.Errorf("counts %+v, want one kept and one dropped", got)
	}
	r.eventually("nothing is left of it", func() bool { return len(traces(t, o, secretPhone)) == 0 })
}

// The sealer goes on behind a message that moved no position, and loses no count.
func TestSealerGoesOnBehindWhatWasSealedAgain(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	o := operator(t, cfg, "a")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for _, id := range ids(string(rune('a'+w)), 60) {
				r.post(call(id, otherPhone))
			}
		})
	}
	for _, id := range ids("a", 60)[:20] {
		if _, err := o.Forget(t.Context(), Erasure{CallID: id}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	r.eventually("all is sealed", func() bool { c := statusOf(t, o).Counts; return c.Received == 240 && c.Waiting == 0 })
	r.eventually("all is acknowledged", func() bool { return statusOf(t, o).Sinks[0].Pending == 0 })
	if c := statusOf(t, o).Counts; c.Kept != 220 || c.Dropped != 20 {
		t.Errorf("counts %+v, want 220 kept and 20 dropped", c)
	}
	for _, id := range append(append(ids("b", 60), ids("c", 60)...), ids("d", 60)...) {
		if !s.has(id) {
			t.Errorf("%s is lost", id)
		}
	}
	if got := s.twice(); len(got) > 0 {
		t.Errorf("loaded twice: %v", got)
	}
}

// Two processes that carry out the same erasure write each message once.
func TestTwoPassesAtOnceCountOnce(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxEvents = 2
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	for _, id := range ids("secret", 40) {
		r.post(call(id, secretPhone))
		r.post(call("x"+id, otherPhone))
	}
	r.eventually("loaded", func() bool { return s.calls() == 80 })
	var wg sync.WaitGroup
	var events atomic.Int64
	for range 3 {
		o := operator(t, cfg, "a")
		wg.Go(func() {
			rep, err := o.Forget(t.Context(), Erasure{Phone: secretPhone})
			if err != nil {
				t.Error(err)
				return
			}
			events.Add(int64(rep.Events))
		})
	}
	wg.Wait()
	o := operator(t, cfg, "a")
	if c := statusOf(t, o).Counts; c.Kept != 40 || c.Dropped != 40 || events.Load() != 40 {
		t.Errorf("counts %+v and %d events reported, want 40 of each", c, events.Load())
	}
	r.eventually("nothing is left", func() bool { return len(traces(t, o, secretPhone)) == 0 })
}

// Space is reserved: a stream that is as full as sealers may make it takes what is sealed again.
func TestForgetWorksWhenBatchesAreFull(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.load = func(Batch) error { return errors.New("down") }
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxBytes, cfg.Batch.MaxEvents = 100<<10, 4
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.post(call("secret1", secretPhone))
	for i := range 40 {
		r.post(`{"callId":"` + ids("c", 40)[i] + `","summary":"` + incompressible(8<<10) + `"}`)
	}
	r.eventually("full", func() bool { return strings.Contains(r.log.String(), "is full") })
	o := operator(t, cfg, "a")
	st := statusOf(t, o).Batches
	if st.Bytes > 100<<10 || st.Use < 0.5 || st.Use > 1 {
		t.Errorf("sealers filled %d bytes, use %.2f", st.Bytes, st.Use)
	}
	rep, err := o.Forget(t.Context(), Erasure{Phone: secretPhone})
	if err != nil || rep.Resealed != 1 {
		t.Fatalf("report %+v (%v)", rep, err)
	}
	left := traces(t, o, secretPhone)
	for _, f := range left {
		if !strings.Contains(f, streamIntake) { // its files hold what was sealed before, until the next start
			t.Errorf("still in %s", f)
		}
	}
	o.Close()
	r.stop()
	start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	if left := traces(t, operator(t, cfg, "a"), secretPhone); len(left) > 0 {
		t.Errorf("after a start still in %v", left)
	}
}
