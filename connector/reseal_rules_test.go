package connector

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

// batchesOf delivers calls one batch each, and waits for them.
func batchesOf(r *running, s *store, calls ...string) {
	r.t.Helper()
	for _, id := range calls {
		r.deliver(id)
		r.eventually("loaded "+id, func() bool { return s.has(id) })
	}
}

func forget(t *testing.T, o *Operator, calls ...string) {
	t.Helper()
	for _, id := range calls {
		rep, err := o.Forget(t.Context(), Erasure{CallID: id})
		if err != nil || rep.Resealed != 1 || rep.Events != 1 {
			t.Fatalf("forget %s: %+v (%v)", id, rep, err)
		}
	}
}

// What was sealed again is an expected gap, however often; any other gap still sounds the alarm.
func TestOnlyAnUnexpectedGapSoundsTheAlarm(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge = 100 * time.Millisecond
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	batchesOf(r, s, "c0")
	r.deliver("c1", "c2", "c3", "c4") // one batch, most likely
	batchesOf(r, s, "c5", "c6")
	o := operator(t, cfg, "a")
	forget(t, o, "c1", "c3", "c5")
	batchesOf(r, s, "last")
	forget(t, o, "last") // the newest one, which holds the position
	o.Close()
	r.stop()
	r = start(t, c)
	if got := r.metric(`postcall_alarms_total{kind="gap"}`); got != "" {
		t.Errorf("gap alarm counts %s, want none", got)
	}
	r.stop()
	st, err := openStreams(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	lost, held := uint64(0), uint64(0)
	for seq := uint64(2); lost == 0; seq++ {
		if m, err := st.batches.GetMsg(t.Context(), seq); err == nil {
			lost = seq
			held, _ = strconv.ParseUint(m.Header.Get(headerEvents), 10, 64)
		}
	}
	if err := st.batches.SecureDeleteMsg(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if batches, events, err := st.holes(t.Context()); batches != 1 || events != held || err != nil {
		t.Errorf("%d batches with %d events are missing, %v; want 1 with %d", batches, events, err, held)
	}
	st.close()
	r = start(t, c)
	if got := r.metric(`postcall_alarms_total{kind="gap"}`); got != "1" {
		t.Errorf("gap alarm counts %q after a real loss, want 1", got)
	}
	batchesOf(r, s, "after")
}

// Holes hold up neither acks nor retention: a sink that was behind them is waited for, and then everything but the
// newest message goes.
func TestRetentionGoesOnPastWhatWasSealedAgain(t *testing.T) {
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
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", a, 1}, {"b", b, 2}}})
	batchesOf(r, a, ids("c", 8)...)
	o := operator(t, cfg, "a", "b")
	forget(t, o, "c000", "c003", "c004", "c007")
	ret := &retention{st: o.st, sinks: []string{"a", "b", consumerFates}, retain: 0, log: discard()}
	if err := ret.sweep(t.Context(), farFuture()); err != nil {
		t.Fatal(err)
	}
	if left := statusOf(t, o).Batches.Messages; left < 8 {
		t.Errorf("%d messages are left while b needs them", left)
	}
	down.Store(false)
	r.eventually("b is done", func() bool { return b.calls() == 4 && statusOf(t, o).Sinks[1].Pending == 0 })
	r.eventually("one message is left", func() bool {
		if err := ret.sweep(t.Context(), farFuture()); err != nil {
			t.Fatal(err)
		}
		return statusOf(t, o).Batches.Messages == 1
	})
	batchesOf(r, a, "last")
	if got := statusOf(t, o).Counts; got.Kept != 5 || got.Dropped != 4 {
		t.Errorf("counts %+v", got)
	}
}

// An idle partition keeps no caller's data, also where an older batch was sealed again behind the empty message.
func TestIdlePartitionPutsAnEmptyMessageBehindWhatWasSealedAgain(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge, cfg.Retain = 100*time.Millisecond, 700*time.Millisecond
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1", "c2")
	o := operator(t, cfg, "a")
	last := func() *jetstream.RawStreamMsg {
		raw, err := o.st.batches.GetLastMsgForSubject(t.Context(), subject(subjectBatches, 0))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	r.eventually("loaded", func() bool { return s.calls() == 2 })
	forget(t, o, "c1")
	if last().Header.Get(headerEvents) != "1" {
		t.Fatalf("the last message holds %s events, want what was sealed again", last().Header.Get(headerEvents))
	}
	r.eventually("an empty message is behind it", func() bool { return last().Header.Get(headerEvents) == "0" })
	// Once more, behind the empty one.
	m, err := o.st.batches.GetMsg(t.Context(), last().Sequence-1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openMessage(m.Header, m.Data)
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := transforms.AppendEvents(newPayload(nil), again.Events)
	payload, _ = finishPayload(payload, nil)
	if _, err := o.st.js.PublishMsg(t.Context(), sealMessage(m.Subject, again, payload, nil)); err != nil {
		t.Fatal(err)
	}
	if last().Header.Get(headerEvents) != "1" {
		t.Fatal("the message is not the last one")
	}
	r.eventually("an empty message is behind that too", func() bool { return last().Header.Get(headerEvents) == "0" })
	r.eventually("nothing else is left", func() bool { return statusOf(t, o).Batches.Messages == 1 })
	batchesOf(r, s, "c3")
}

// What a crash left is carried out at the next start; an entry is done when what was under way has settled.
func TestPendingErasuresAreCarriedOutAtTheStart(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	c := Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}}
	r := start(t, c)
	r.post(call("secret1", secretPhone))
	r.post(call("c1", otherPhone))
	r.eventually("loaded", func() bool { return s.calls() == 2 })
	o := operator(t, cfg, "a")
	list := func(at time.Time) {
		t.Helper()
		entries, err := (&Erasure{Phone: secretPhone}).entries(cfg.RedactKeys(), at)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := o.st.erase(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	pending := func() int {
		l := newErasures(cfg.RedactKeys())
		if err := l.load(t.Context(), o.st); err != nil {
			t.Fatal(err)
		}
		return len(l.pending())
	}
	list(time.Now())
	o.Close()
	r.stop()
	r = start(t, c)
	o = operator(t, cfg, "a")
	r.eventually("nothing is left", func() bool { return len(traces(t, o, secretPhone)) == 0 })
	if pending() != 1 {
		t.Errorf("%d entries are pending before they settled, want 1", pending())
	}
	list(time.Now().Add(-2 * settleTime)) // again, and long ago
	o.Close()
	r.stop()
	r = start(t, c)
	o = operator(t, cfg, "a")
	r.eventually("it is done", func() bool { return pending() == 0 })
	r.post(call("secret2", secretPhone))
	batchesOf(r, s, "c2")
	if s.has("secret2") {
		t.Error("an entry that is done covers nothing any more")
	}
}

func TestListedEntryNeverCoversLess(t *testing.T) {
	st, err := openStreams(t.Context(), testConfig(t.TempDir()), discard())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	for i, tt := range []struct{ first, then, want int64 }{{0, 5, 0}, {5, 0, 0}, {5, 3, 5}, {3, 5, 5}} {
		hash := fmt.Sprint("phone_", i)
		for _, upTo := range []int64{tt.first, tt.then} {
			if err := st.erase(t.Context(), erasure{Hash: hash, UpTo: upTo}); err != nil {
				t.Fatal(err)
			}
		}
		l := newErasures(nil)
		if err := l.load(t.Context(), st); err != nil {
			t.Fatal(err)
		}
		if got, ok := l.upTo[hash]; !ok || got != tt.want {
			t.Errorf("up to %d and then %d covers up to %d, want %d", tt.first, tt.then, got, tt.want)
		}
	}
}

func TestErasureNamesOneThing(t *testing.T) {
	for _, e := range []Erasure{{}, {CallID: "c", Phone: secretPhone}, {Phone: "anonymous"}, {Email: "someone"}, {CallID: "c", UpTo: -1}} {
		if _, err := e.entries([][]byte{[]byte("0123456789abcdef")}, time.Now()); err == nil {
			t.Errorf("%+v is taken", e)
		}
	}
	keys := [][]byte{[]byte("0123456789abcdef"), []byte("fedcba9876543210")}
	a, err := (&Erasure{Phone: "(312) 555-0142"}).entries(keys, time.Now())
	b, err2 := (&Erasure{Phone: secretPhone}).entries(keys, time.Now())
	if err != nil || err2 != nil || len(a) != 2 || a[0].Hash != b[0].Hash || a[1].Hash != b[1].Hash || a[0].Hash == a[1].Hash {
		t.Errorf("entries %v %v (%v, %v), want one for each key, whatever the spelling", a, b, err, err2)
	}
}

// A body that can't be mapped is searched for anything that reads like what is listed.
func TestUnmappableBodyIsSearched(t *testing.T) {
	keys := [][]byte{[]byte("0123456789abcdef")}
	l := newErasures(keys)
	for _, e := range []Erasure{{Phone: secretPhone}, {Email: "Ann@Example.com"}, {CallID: "call-1"}, {CallID: "17", UpTo: 5}} {
		entries, err := e.entries(keys, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l.upTo[entries[0].Hash] = e.UpTo
	}
	for _, tt := range []struct {
		body string
		want bool
	}{
		{`{"customer":{"phone":"312-555-0142"}`, true},
		{`{"mail" : " ann@example.com "`, true},
		{`["call-1"]`, true},
		{`{"id":"call\u002d1`, false}, // cut off inside
		{`{"id":"call\u002d1"`, true},
		{`{"callId":17,`, true},
		{`{"callId":`, false},
		{`call-1`, true},
		{`{"say":"call-1 and on"}`, false},
		{`{"phone":"312-555-0143"}`, false},
		{`"\`, false},
		{``, false},
	} {
		if got := l.mentions(&delivery{Tenant: defaultTenant, Version: 3, Body: []byte(tt.body)}); got != tt.want {
			t.Errorf("%s is covered: %v, want %v", tt.body, got, tt.want)
		}
	}
	if l.mentions(&delivery{Tenant: defaultTenant, Version: 6, Body: []byte(`17`)}) {
		t.Error("a later version is covered")
	}
	if l.mentions(&delivery{Tenant: "another", Version: 3, Body: []byte(`"call-1"`)}) {
		t.Error("another tenant's call is covered")
	}
}

// The records of a batch's dead letters stay for as long as the batch, also where that was sealed again.
func TestRecordsStayForWhatWasSealedAgain(t *testing.T) {
	t.Parallel()
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge = 300 * time.Millisecond
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1", "poison1", "c2")
	o := operator(t, cfg, "a")
	r.eventually("a dead letter", func() bool { return len(deadLettersOf(t, o, DeadFilter{})) == 1 })
	l := deadLettersOf(t, o, DeadFilter{})[0]
	if err := o.PurgeDead(t.Context(), &l); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	forget(t, o, "c1")
	r.eventually("acknowledged", func() bool { return statusOf(t, o).Sinks[0].Pending == 0 })
	ret := &retention{st: o.st, sinks: []string{"a", consumerFates}, retain: time.Nanosecond, log: discard()}
	info, err := o.st.batches.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := o.st.batches.Purge(t.Context(), jetstream.WithPurgeSequence(info.State.LastSeq)); err != nil { // the fence before it
		t.Fatal(err)
	}
	if err := ret.sweepRecords(t.Context(), farFuture()); err != nil {
		t.Fatal(err)
	}
	if left := deadLettersOf(t, o, DeadFilter{Closed: true}); len(left) != 1 || left[0].State != DeadPurged {
		t.Errorf("records left while their batch is kept: %+v", left)
	}
}

// A dead letter outlives its batch. Its event counts as kept then, so its erasure leaves it dead in the accounts.
func TestErasedDeadLetterOfAGoneBatchStaysDead(t *testing.T) {
	t.Parallel()
	s := newStore()
	var bad atomic.Bool
	bad.Store(true)
	s.load = refusing(&bad)
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	batchesOf(r, s, "c1")
	r.deliver("poison1")
	o := operator(t, cfg, "a")
	r.eventually("a dead letter", func() bool { return len(deadLettersOf(t, o, DeadFilter{})) == 1 })
	batchesOf(r, s, "c2")
	r.eventually("acknowledged", func() bool { return statusOf(t, o).Sinks[0].Pending == 0 })
	ret := &retention{st: o.st, sinks: []string{"a", consumerFates}, retain: 0, log: discard()}
	r.eventually("the batches are gone", func() bool {
		if err := ret.sweep(t.Context(), farFuture()); err != nil {
			t.Fatal(err)
		}
		return statusOf(t, o).Batches.Messages == 1
	})
	rep, err := o.Forget(t.Context(), Erasure{CallID: "poison1"})
	if err != nil || rep.Dead != 1 || rep.Resealed != 0 {
		t.Errorf("report %+v (%v), want one dead letter", rep, err)
	}
	left := deadLettersOf(t, o, DeadFilter{Closed: true})
	if len(left) != 1 || left[0].CallID != "" || left[0].State != DeadPurged {
		t.Errorf("left of it: %+v", left)
	}
	for range 2 {
		if k := statusOf(t, o).Sinks[0]; k.Delivered != 2 || k.Dead != 1 {
			t.Errorf("the sink says %+v, want 2 delivered and one dead", k)
		}
		if err := ret.sweepRecords(t.Context(), farFuture()); err != nil {
			t.Fatal(err)
		}
	}
}

// What is damaged is searched where it can be read, and counted where it can't.
func TestDamagedDataIsErasedOrCounted(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	batchesOf(r, s, "c1")
	o := operator(t, cfg, "a")
	bad := frameOf(delivery{Tenant: defaultTenant, Source: sourcePhonely, Received: time.Now(), Body: []byte(call("secret1", secretPhone))})
	bad[5] ^= 1 // of the checksum
	if _, err := o.st.js.PublishMsg(t.Context(), msgWith(subject(subjectIntake, 0), bad, "1")); err != nil {
		t.Fatal(err)
	}
	r.eventually("a damaged frame", func() bool { return len(deadLettersOf(t, o, DeadFilter{Stage: StageIntake})) == 1 })
	batchesOf(r, s, "c2")
	r.stop()
	st, err := openStreams(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	at, seq, err := st.lastSealed(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	m := sealMessage(subject(subjectBatches, 0), &sealed{Intake: at.Intake, Position: at.Position, Version: at.Version, Counts: at.Counts}, []byte("payload"), nil)
	m.Data[len(m.Data)-1] ^= 1
	if _, err := st.js.PublishMsg(t.Context(), m, jetstream.WithExpectLastSequencePerSubject(seq)); err != nil {
		t.Fatal(err)
	}
	st.close()
	r = start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	o = operator(t, cfg, "a")
	r.eventually("a damaged batch", func() bool { return len(deadLettersOf(t, o, DeadFilter{Stage: StageLoad})) == 1 })
	rep, err := o.Forget(t.Context(), Erasure{Phone: secretPhone})
	if err != nil || rep.Dead != 1 || rep.Unreadable != 2 {
		t.Errorf("report %+v (%v), want the frame removed, and the batch unreadable in its stream and as a dead letter", rep, err)
	}
	r.eventually("nothing is left", func() bool { return len(deadLettersOf(t, o, DeadFilter{Stage: StageIntake})) == 0 })
}

func TestResealedMessageRoundTrip(t *testing.T) {
	want := &sealed{
		Intake: "i", Position: position{7, 3}, Version: 9, Erasures: 12, Counts: counts{Kept: 2, Dropped: 2},
		Origin: "0123", Erased: []int{0, 2, 3, 4, 9}, Replaces: []uint64{5, 11}, SealedAt: time.Unix(1_700_000_000, 5).UTC(),
		Events: []transforms.Event{{CallID: "1"}, {CallID: "5"}},
	}
	payload, err := transforms.AppendEvents(newPayload(nil), want.Events)
	if err != nil {
		t.Fatal(err)
	}
	if payload, err = finishPayload(payload, nil); err != nil {
		t.Fatal(err)
	}
	msg := sealMessage("postcall.batches.0", want, payload, nil)
	got, err := openMessage(msg.Header, msg.Data)
	if err != nil || got.Token != "0123" {
		t.Fatalf("token %v, error %v", got, err)
	}
	b, _ := got.batch()
	if b.at(0) != 1 || b.at(1) != 5 || b.size() != 7 || b.origin() != "0123" || !b.torn {
		t.Errorf("batch %+v, want its events at 1 and 5 of 7", b)
	}
	got.Token = ""
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, h := range []string{headerErasures, headerOrigin, headerErased, headerReplaces, headerSealed} {
		for _, v := range []string{"", strings.Replace(msg.Header.Get(h), "1", "3", 1) + "7", "x"} {
			bad := nats.Header{}
			maps.Copy(bad, msg.Header)
			bad.Set(h, v)
			if _, err := openMessage(bad, msg.Data); !errors.Is(err, ErrDamaged) {
				t.Errorf("header %s is %q: %v, want ErrDamaged", h, v, err)
			}
		}
	}
	for _, text := range []string{"3,3", "5-4", "1,", "-1", "1-99999999999", "a"} {
		if ns, err := readRanges[int](text); err == nil {
			t.Errorf("%q reads as %v", text, ns)
		}
	}
}

// A store forgets tokens in time, and what was sealed again may outlive that: it is asked what it has.
func TestForgottenTokenIsNoSecondInsert(t *testing.T) {
	t.Parallel()
	s := newStore()
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge = 300 * time.Millisecond
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.deliver("c1", "c2", "c3")
	r.eventually("loaded", func() bool { return s.calls() == 3 })
	s.mu.Lock()
	s.loads = map[string]int{}
	delete(s.newest, "c3") // and lost a row
	s.mu.Unlock()
	o := operator(t, cfg, "a")
	forget(t, o, "c1")
	r.eventually("acknowledged", func() bool { return statusOf(t, o).Sinks[0].Pending == 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, n := range s.events {
		if want := map[bool]int{true: 2, false: 1}[strings.Contains(k, "c3")]; n != want {
			t.Errorf("%s was inserted %d times, want %d", k, n, want)
		}
	}
}
