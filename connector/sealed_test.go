package connector

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"

	"github.com/postcall/postcall/transforms"
)

func sealedExample(t testing.TB) (*sealed, *nats.Msg) {
	t.Helper()
	s := &sealed{
		Intake: "id@2026", Position: position{7, 3}, Version: 1_700_000_000_000_000,
		Counts: counts{Received: 10, Kept: 8, Dead: 1, Dropped: 1, Children: 2},
		Fates:  []fate{{Outcome: fateDead, Stage: StageNormalize, Reason: "field", Body: []byte("secret"), Received: time.UnixMicro(1).UTC()}},
		Events: []transforms.Event{
			{Tenant: "a", CallID: "1", Version: 5, Transcript: []transforms.Turn{{Role: "user", Content: "hello"}}},
			{Tenant: "a", CallID: "2", Version: 6},
			{Tenant: "a", CallID: "1", Version: 7},
			{Tenant: "b", CallID: "1", Version: 8},
		},
	}
	payload, err := transforms.AppendEvents(newPayload(nil), s.Events)
	if err != nil {
		t.Fatal(err)
	}
	if payload, err = finishPayload(payload, s.Fates); err != nil {
		t.Fatal(err)
	}
	return s, sealMessage("postcall.batches.0", s, payload, nil)
}

func TestSealedMessageRoundTrip(t *testing.T) {
	want, msg := sealedExample(t)
	got, err := openMessage(msg.Header, msg.Data)
	if err != nil {
		t.Fatal(err)
	}
	if got.Token == "" {
		t.Error("no token")
	}
	got.Token = ""
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDamagedSealedMessageIsSeen(t *testing.T) {
	_, msg := sealedExample(t)
	for i := range msg.Data {
		bad := append([]byte(nil), msg.Data...)
		bad[i] ^= 1
		if _, err := openMessage(msg.Header, bad); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit flipped in byte %d: %v, want ErrDamaged", i, err)
		}
	}
	for _, h := range []string{headerIntake, headerPosition, headerVersion, headerCounts, headerEvents} {
		bad := nats.Header{}
		maps.Copy(bad, msg.Header)
		bad.Set(h, strings.Replace(msg.Header.Get(h)+"1", "2", "3", 1))
		if _, err := openMessage(bad, msg.Data); !errors.Is(err, ErrDamaged) {
			t.Errorf("header %s changed: %v, want ErrDamaged", h, err)
		}
	}
}

func TestTokenFollowsFromContentAndPosition(t *testing.T) {
	s, msg := sealedExample(t)
	payload, _ := transforms.AppendEvents(newPayload(nil), s.Events)
	payload, _ = finishPayload(payload, s.Fates)
	same := sealMessage("postcall.batches.0", s, payload, nil)
	if token(msg.Header, msg.Data) != token(same.Header, same.Data) {
		t.Error("the same message sealed twice has two tokens")
	}
	s.Position.Event++
	other := sealMessage("postcall.batches.0", s, payload, nil)
	if token(msg.Header, msg.Data) == token(other.Header, other.Data) {
		t.Error("another position has the same token")
	}
}

// DELIVERY.md, rule 9: of each call only the highest version is loaded, per tenant.
func TestBatchHoldsTheHighestVersionOfEachCall(t *testing.T) {
	s, _ := sealedExample(t)
	b, superseded := s.batch()
	var got []int64
	for i := range b.Events {
		got = append(got, b.Events[i].Version)
	}
	if diff := cmp.Diff([]int64{6, 7, 8}, got); diff != "" || superseded != 1 {
		t.Errorf("superseded %d, versions (-want +got):\n%s", superseded, diff)
	}
}

// DELIVERY.md, rule 17: the token of a part follows from the sealed message and the rows alone.
func TestPartsHaveTokensOfTheirOwnThatRepeat(t *testing.T) {
	b := Batch{Token: "t", Events: make([]transforms.Event, 8)}
	lo, hi := b.halves()
	lo2, _ := b.halves()
	if lo.Token != lo2.Token {
		t.Error("the same part has two tokens")
	}
	if lo.Token == hi.Token || lo.Token == b.Token || hi.Token == b.Token {
		t.Errorf("tokens are not distinct: %s %s %s", b.Token, lo.Token, hi.Token)
	}
	deep, _ := hi.halves()
	direct := b.pick([]int{4, 5})
	if deep.Token != direct.Token || deep.at(1) != 5 || deep.origin() != "t" {
		t.Errorf("a part of a part is %s at %d of %s, want %s at 5 of t", deep.Token, deep.at(1), deep.origin(), direct.Token)
	}
}

func FuzzOpenMessage(f *testing.F) {
	_, msg := sealedExample(f)
	f.Add(msg.Header.Get(headerPosition), msg.Data)
	f.Fuzz(func(t *testing.T, pos string, data []byte) {
		h := nats.Header{headerIntake: {"i"}, headerPosition: {pos}, headerVersion: {"1"}, headerCounts: {"{}"}, headerEvents: {"1"}}
		if _, err := openMessage(h, data); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("error is not ErrDamaged: %v", err)
		}
	})
}
