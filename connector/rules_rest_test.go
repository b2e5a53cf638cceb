package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

// DELIVERY.md, rule 4: a batch that leaves nothing to load is sealed all the same, so its events don't come again, and
// its dead letters are written once, however often it is delivered. Rule 9: what dies has a version too.
func TestBatchOfFatesAloneIsSealed(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: []Transform{rejecting}})
	o := operator(t, cfg, "a")
	dead := func(n int) func() bool {
		return func() bool { return len(deadLettersOf(t, o, DeadFilter{})) >= n && statusOf(t, o).Intake.Messages == 0 }
	}
	r.deliver("reject1")
	r.eventually("a dead letter, and an empty intake", dead(1))
	frame := frameOf(delivery{Tenant: defaultTenant, Source: sourcePhonely, Received: time.Now(), Body: []byte(`{"callId":`)})
	if _, err := o.st.js.PublishMsg(t.Context(), msgWith(subject(subjectIntake, 0), frame, "1")); err != nil {
		t.Fatal(err)
	}
	r.eventually("another, of a body that can't be read any more", dead(2))
	redeliver(t, o, consumerFates)
	r.deliver("reject2")
	r.eventually("a third", dead(3))
	ls := deadLettersOf(t, o, DeadFilter{})
	if len(ls) != 3 {
		t.Errorf("%d dead letters of three events", len(ls))
	}
	versions := map[int64]bool{}
	for _, l := range ls {
		versions[l.Version] = true
	}
	if len(versions) != 3 || versions[0] {
		t.Errorf("versions of what died: %v, want three, none of them 0", versions)
	}
	if c := statusOf(t, o).Counts; c.Received != 3 || c.Dead != 3 {
		t.Errorf("counts %+v, want 3 received and dead", c)
	}
}

// DELIVERY.md, rule 14: a publish that timed out may have landed. The sealer reads the position again and seals nothing a
// second time.
func TestOwnPublishThatTimedOutIsSeen(t *testing.T) {
	t.Parallel()
	s := newStore()
	in, out := make(chan struct{}), make(chan struct{})
	var once sync.Once
	steps := []Transform{{"slow", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		if b[0].CallID == "c1" {
			once.Do(func() { close(in); <-out })
		}
		return b, nil
	})}}
	cfg := testConfig(t.TempDir())
	cfg.Transform.Timeout = 20 * time.Second
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.deliver("c0")
	r.eventually("loaded", func() bool { return s.has("c0") })
	r.deliver("c1")
	<-in
	o := operator(t, cfg, "a")
	at, seq, err := o.st.lastSealed(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	landed := &sealed{Intake: at.Intake, Position: position{Seq: at.Position.Seq + 1}, Version: time.Now().UnixMicro(), Counts: counts{Received: 2, Kept: 2}}
	landed.Events = []transforms.Event{{Tenant: defaultTenant, CallID: "c1", Version: landed.Version}}
	payload, _ := transforms.AppendEvents(newPayload(nil), landed.Events)
	payload, _ = finishPayload(payload, nil)
	_, err = o.st.js.PublishMsg(t.Context(), sealMessage(subject(subjectBatches, 0), landed, payload, nil), jetstream.WithExpectLastSequencePerSubject(seq))
	if err != nil {
		t.Fatal(err)
	}
	close(out)
	r.deliver("c2")
	r.eventually("the next call is loaded", func() bool { return s.has("c2") })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) != 3 || s.newest["c1"] != landed.Version {
		t.Errorf("loaded %v, want c0, c1 as it had landed, and c2", s.events)
	}
}

// DELIVERY.md, rule 14: the number of partitions is the stream's, whatever this process would make.
func TestPartitionsAreTheStreams(t *testing.T) {
	st, err := openStreams(t.Context(), testConfig(t.TempDir()), discard())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	for text, want := range map[string]int{"3": 3, "0": 0, "many": 0, "": 0} {
		c := st.intake.CachedInfo().Config
		c.Metadata = map[string]string{metaID: c.Metadata[metaID], metaPartitions: text}
		changed, err := st.js.UpdateStream(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		var other streams
		if err := other.use(changed); (err == nil) != (want > 0) || (err == nil && other.partitions != want) {
			t.Errorf("%q partitions are taken for %d (%v)", text, other.partitions, err)
		}
	}
}

// DELIVERY.md, rule 19: where the dead letters are full, the sink that has one to write waits with an alarm; no other sink
// does, and nothing is lost.
func TestFullDeadLettersPauseTheirSinkAlone(t *testing.T) {
	t.Parallel()
	a, b := newStore(), newStore()
	var bad atomic.Bool
	bad.Store(true)
	a.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	cfg.Batch.DeadBytes = 600 << 10 // less the share of the refused bodies
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", a, 1}, {"b", b, 1}}})
	r.deliver("c0")
	for i := range 3 {
		if code := r.post(fmt.Sprintf(`{"callId":"poison%d","summary":%q}`, i, incompressible(40<<10))); code != 200 {
			t.Fatalf("answered %d", code)
		}
	}
	r.deliver("c1")
	r.eventually("the alarm", func() bool { return r.metric(`postcall_alarms_total{kind="dead-letters"}`) != "" })
	r.eventually("the other sink has all", func() bool { return b.calls() == 5 })
	o := operator(t, cfg, "a", "b")
	r.eventually("the sink goes on where others are purged", func() bool {
		for _, l := range deadLettersOf(t, o, DeadFilter{}) {
			if err := o.PurgeDead(t.Context(), &l); err != nil {
				t.Fatal(err)
			}
		}
		return a.calls() == 2 && statusOf(t, o).Sinks[0].Pending == 0
	})
	if k := statusOf(t, o).Sinks[0]; k.Dead != 3 {
		t.Errorf("%d events count as dead, want 3", k.Dead)
	}
}

// DELIVERY.md, rule 1: a wrong key at one start would delete the backlog by a create-or-update. Nothing is created in a
// directory that has streams, not even before the error.
func TestNothingIsCreatedBesideStreams(t *testing.T) {
	dir := t.TempDir()
	c := Connector{Config: testConfig(dir), Sinks: []Sink{{"a", newStore(), 1}}, Log: discard()}
	start(t, c).stop()
	m, err := readMarker(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := openStreams(t.Context(), c.Config, discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.js.DeleteStream(t.Context(), streamDead); err != nil {
		t.Fatal(err)
	}
	if err := st.open(t.Context(), c.Config, m); err == nil || !strings.Contains(err.Error(), streamDead) {
		t.Errorf("a stream is missing: %v", err)
	}
	if _, err := st.js.Stream(t.Context(), streamDead); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("the missing stream was made anew: %v", err)
	}
	st.close()
}
