package connector

import (
	"errors"
	"testing"
	"time"
)

// DELIVERY.md, rule 3, on a cluster: positions beyond the end of the intake swallow neither what comes after, nor what came
// before anybody noticed.
func TestClusterIntakeRolledBackSwallowsNothing(t *testing.T) {
	_, urls := startNATS(t, 1)
	cfg := clusterConfig(t, urls)
	st := connectStreams(t, cfg)
	frame := func(call string) {
		t.Helper()
		p := partition("default", call, 4)
		d := &delivery{Received: time.Now(), Tenant: "default", Source: "phonely", Body: []byte(`{"callId":"` + call + `","transcript":[{"role":"user","content":"hello"}]}`)}
		if _, err := st.js.PublishMsg(t.Context(), msgWith(subject(subjectIntake, p), sealFrame(appendDelivery(newFrame(nil), d), nil), "1")); err != nil {
			t.Fatal(err)
		}
	}
	before, between := ids("old", 8), ids("new", 8)
	for _, call := range before { // sealed, but not removed yet
		frame(call)
	}
	for p := range 4 {
		msg := sealMessage(subject(subjectBatches, p), &sealed{Intake: st.intakeID, Position: position{Seq: 1000}, Version: 7}, newPayload(nil), nil)
		if _, err := st.js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(5 * time.Millisecond)
	for _, call := range between {
		frame(call)
	}
	s := newStore()
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"clickhouse", s, 1}}})
	if got := r.metric(`postcall_alarms_total{kind="rollback"}`); got != "4" {
		t.Errorf("rollback alarm counts %q, want one for each partition", got)
	}
	after := ids("later", 8)
	r.deliver(after...)
	r.eventually("everything since is loaded", func() bool { return s.calls() >= 16 })
	for _, call := range append(between, after...) {
		if !s.has(call) {
			t.Errorf("%s is lost", call)
		}
	}
	for _, call := range before {
		if s.has(call) {
			t.Errorf("%s, which was sealed before, is sealed again", call)
		}
	}
	if twice := s.twice(); len(twice) > 0 {
		t.Errorf("loaded twice: %v", twice)
	}
}

// A frame that gets a sequence which was used before is not acknowledged, and the connector ends.
func TestRollbackUnderAConnectorIsSeen(t *testing.T) {
	_, urls := startNATS(t, 1)
	cfg := clusterConfig(t, urls)
	st := connectStreams(t, cfg)
	in := newIntake(st, cfg.Intake, discard(), newMetrics(buildInfo{}))
	ended := make(chan error, 1)
	go func() { ended <- in.run(t.Context(), 0) }()
	d := delivery{Received: time.Now(), Tenant: "default", Source: "phonely", Body: []byte(`{"callId":"c"}`)}
	for range 3 {
		if err := in.accept(t.Context(), d, 0); err != nil {
			t.Fatal(err)
		}
	}
	st.rise(500) // as another partition's frames had it, before the servers lost them
	if err := in.accept(t.Context(), d, 0); !errors.Is(err, errRolledBack) {
		t.Errorf("a used sequence is acknowledged: %v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, errRolledBack) {
			t.Errorf("the intake ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the intake goes on behind a used sequence")
	}
}
