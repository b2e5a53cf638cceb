package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

func TestAnswerIsJSONWhateverTheCallID(t *testing.T) {
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", newStore(), 1}}})
	for _, id := range []string{"a\U000e0001b", "x\u00ady", `quote"`, "ok"} {
		body, err := json.Marshal(map[string]string{"callId": id})
		if err != nil {
			t.Fatal(err)
		}
		rw := httptest.NewRecorder()
		r.hook.ServeHTTP(rw, httptest.NewRequest("POST", WebhookPath, strings.NewReader(string(body))))
		var answer struct{ CallID string }
		if err := json.Unmarshal(rw.Body.Bytes(), &answer); rw.Code != 200 || err != nil || answer.CallID != id {
			t.Errorf("answer to %q: %d %s (%v)", id, rw.Code, rw.Body, err)
		}
	}
}

func TestBodyLimitHasToFit(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Intake.MaxInFlight = 1 << 20
	if _, err := bodyLimit(cfg, embeddedMaxPayload); err == nil || !strings.Contains(err.Error(), "POSTCALL_INTAKE_MAX_IN_FLIGHT") {
		t.Errorf("less room in flight than one body takes: %v", err)
	}
	cfg.Intake.MaxInFlight, cfg.Intake.MaxBody = 64<<20, 3<<20 // DELIVERY.md, rule 7
	if _, err := bodyLimit(cfg, embeddedMaxPayload); err == nil || !strings.Contains(err.Error(), "POSTCALL_INTAKE_MAX_BODY") {
		t.Errorf("a body over a quarter of max_payload: %v", err)
	}
}

// Promise 1: only a frame that is known to be durable is answered 2xx.
func TestFailedPublishIsNo2xx(t *testing.T) {
	st, err := openStreams(t.Context(), testConfig(t.TempDir()), discard())
	if err != nil {
		t.Fatal(err)
	}
	in := newIntake(st, testConfig("").Intake, discard(), newMetrics(buildInfo{}))
	st.close()
	if err := in.publish(t.Context(), subject(subjectIntake, 0), frameOf(someDeliveries(1)...), make([]*waiting, 1)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("publish without a server: %v, want ErrUnavailable", err)
	}
}

func TestTooMuchInFlightIsRefused(t *testing.T) {
	in := newIntake(&streams{partitions: 1}, IntakeConfig{MaxInFlight: 100}, discard(), newMetrics(buildInfo{}))
	if !in.reserve(60) || in.reserve(60) {
		t.Error("more was reserved than there is room")
	}
	in.release(60)
	if !in.reserve(100) {
		t.Error("what was released is not free")
	}
}

// DELIVERY.md, rules 1 and 3: streams that don't belong together are refused.
func TestExchangedStreamsAreRefused(t *testing.T) {
	dir := t.TempDir()
	c := Connector{Config: testConfig(dir), Sinks: []Sink{{"a", newStore(), 1}}, Log: discard()}
	start(t, c).stop()
	m, err := readMarker(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Streams[streamIntake] = m.Streams[streamIntake].Add(-time.Hour)
	if err := writeMarker(dir, *m); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), streamIntake) {
		t.Errorf("another intake than recorded: %v", err)
	}
	m.Key = "0123"
	if err := writeMarker(dir, *m); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("encrypted streams without a key: %v", err)
	}
}

func TestAnotherIntakesPositionIsRefused(t *testing.T) {
	st, err := openStreams(t.Context(), testConfig(t.TempDir()), discard())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	s := &sealer{st: st, cfg: testConfig(""), m: newMetrics(buildInfo{}), log: discard(), at: sealed{Intake: "another", Position: position{Seq: 1}}}
	if err := s.publish(t.Context(), s.begin(), newPayload(nil)); err != nil {
		t.Fatal(err)
	}
	// begin takes this intake's identity, so the header is written by hand here
	m := sealMessage(subject(subjectBatches, 0), &sealed{Intake: "another", Position: position{Seq: 1}}, newPayload(nil), nil)
	if _, err := st.js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.lastSealed(t.Context(), 0); !errors.Is(err, errOtherIntake) {
		t.Errorf("position of another intake: %v, want errOtherIntake", err)
	}
}

// What the rules ask of the streams and consumers themselves: 5 (the window covers every sealed message, redelivery never
// ends), 15 (three replicas on a cluster), 16 (refused bodies make room), 20 (consumers begin at the first batch).
func TestStreamsAreMadeAsTheRulesSay(t *testing.T) {
	for cluster, replicas := range map[bool]int{false: 1, true: 3} {
		for _, sc := range streamConfigs(testConfig(""), "id", cluster) {
			if sc.Replicas != replicas {
				t.Errorf("%s has %d replicas, want %d", sc.Name, sc.Replicas, replicas)
			}
			if want := sc.Name == streamRefused; (sc.Discard == jetstream.DiscardOld) != want {
				t.Errorf("%s discards old: %v, want %v", sc.Name, !want, want)
			}
			if sc.Name == streamBatches && (sc.MaxMsgs <= 0 || sc.MaxMsgs >= 100_000) {
				t.Errorf("%s may have %d messages: the deduplication window has 100,000", sc.Name, sc.MaxMsgs)
			}
			if sc.Name == streamRefused && sc.MaxBytes > int64(testConfig("").Batch.DeadBytes)/8 {
				t.Errorf("refused bodies may take %d of the %d bytes of dead letters", sc.MaxBytes, testConfig("").Batch.DeadBytes)
			}
			if sc.MaxBytes <= 0 || sc.MaxAge != 0 {
				t.Errorf("%s is not bounded by bytes alone: %d, %s", sc.Name, sc.MaxBytes, sc.MaxAge)
			}
		}
	}
	st, err := openStreams(t.Context(), testConfig(t.TempDir()), discard())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	c, err := st.consumer(t.Context(), "a", 2, false)
	if err != nil {
		t.Fatal(err)
	}
	k := c.CachedInfo().Config
	if k.MaxDeliver != -1 || k.DeliverPolicy != jetstream.DeliverAllPolicy || k.AckPolicy != jetstream.AckExplicitPolicy || heartbeat*2 > k.AckWait {
		t.Errorf("consumer is %+v", k)
	}
}

// DELIVERY.md, rule 6: above 70 % the oldest that are done go, whatever their age.
func TestExcessBringsTheStreamBackToSeventyPercent(t *testing.T) {
	f := func(msgs, maxMsgs, bytes, maxBytes int64, want uint64) {
		t.Helper()
		if got := excess(maxBytes, maxMsgs, jetstream.StreamState{Msgs: uint64(msgs), Bytes: uint64(bytes)}); got != want {
			t.Errorf("%d of %d messages, %d of %d bytes: %d too many, want %d", msgs, maxMsgs, bytes, maxBytes, got, want)
		}
	}
	f(10, 100, 70, 100, 0)
	f(10, 100, 100, 100, 3)
	f(80, 100, 10, 100, 10)
	f(0, 100, 0, 100, 0)
}

// DELIVERY.md, rule 8: the guard of a sink, whose canary passes.
func TestSinkPausesWhenItsStoreRefusesNearlyAll(t *testing.T) {
	s := newStore()
	s.load = func(Batch) error { return Refused(errors.New("code 53")) }
	cfg := testConfig(t.TempDir())
	cfg.MaxDeadShare = 0.5
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", canaryStore{s, func() error { return nil }}, 1}}})
	r.deliver(ids("c", 150)...)
	r.eventually("the alarm", func() bool { return r.metric(`postcall_alarms_total{kind="refusals"}`) != "" })
	var dead int
	_, _ = fmt.Sscan(r.metric(`postcall_events_dead_total{sink="a",stage="load"}`), &dead)
	if dead >= guardLeast {
		t.Errorf("%d events died", dead)
	}
}

// A stream that lost its newest messages opens without an error, and uses their sequences again. Lost may be, unseen not.
func TestLostTailOfAStreamIsSeen(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{streamIntake, streamBatches} {
		s := newStore()
		cfg := testConfig(t.TempDir())
		c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}}
		r := start(t, c)
		r.deliver("c0")
		r.eventually("loaded", func() bool { return s.calls() == 1 })
		r.stop()
		dir, saved := streamDir(cfg.DataDir, stream), filepath.Join(t.TempDir(), "saved")
		if err := os.CopyFS(saved, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		r = start(t, c)
		r.deliver(ids("more", 5)...)
		r.eventually("loaded", func() bool { return s.calls() == 6 })
		r.stop()
		if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(saved))); err != nil {
			t.Fatal(err)
		}
		r = start(t, c)
		if got := r.metric(`postcall_alarms_total{kind="gap"}`); got == "" {
			t.Errorf("%s lost its tail and no alarm sounds", stream)
		}
	}
}

func TestMissingBatchSoundsTheAlarm(t *testing.T) {
	s := newStore()
	cfg := testConfig(t.TempDir())
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	for i, id := range ids("c", 3) {
		r.deliver(id)
		r.eventually("loaded", func() bool { return s.calls() == i+1 })
	}
	r.stop()
	st, err := openStreams(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.batches.SecureDeleteMsg(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	st.close()
	r = start(t, c)
	if got := r.metric(`postcall_alarms_total{kind="gap"}`); got != "1" {
		t.Errorf("gap alarm counts %q, want 1", got)
	}
}

func TestEventsWithoutATopicAreCounted(t *testing.T) {
	s := newStore()
	steps := []Transform{{"topics", transformFunc(func(_ context.Context, b []transforms.Event) ([]transforms.Event, error) {
		for i := range b {
			b[i].Topics = []string{map[bool]string{true: "other", false: "Billing"}[b[i].CallID == "odd"]}
		}
		return b, nil
	})}}
	r := start(t, Connector{Config: testConfig(t.TempDir()), Sinks: []Sink{{"a", s, 1}}, Transforms: steps})
	r.deliver("odd", "c1", "c2")
	r.eventually("loaded", func() bool { return s.calls() == 3 })
	if got := r.metric("postcall_topic_other_total"); got != "1" {
		t.Errorf("other counts %q, want 1", got)
	}
}
