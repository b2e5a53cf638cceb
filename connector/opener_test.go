package connector

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

// fetched is a message of POSTCALL_BATCHES as a consumer hands it out.
type fetched struct {
	jetstream.Msg
	m   *nats.Msg
	seq uint64
}

func (f fetched) Headers() nats.Header { return f.m.Header }
func (f fetched) Data() []byte         { return f.m.Data }
func (f fetched) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Stream: f.seq}}, nil
}

func TestOpenerDecodesOnceAndKeepsNothing(t *testing.T) {
	s := &sealed{Intake: "i", Events: []transforms.Event{{CallID: "c1"}}}
	payload, err := transforms.AppendEvents(newPayload(nil), s.Events)
	if err != nil {
		t.Fatal(err)
	}
	if payload, err = finishPayload(payload, nil); err != nil {
		t.Fatal(err)
	}
	msg := sealMessage("postcall.batches.0", s, payload, nil)
	var o opener
	got := make([]*sealed, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i], _ = o.open(fetched{m: msg, seq: uint64(1 + i%2)}) })
	}
	wg.Wait()
	for i := range got {
		if got[i] == nil || got[i].Events[0].CallID != "c1" {
			t.Fatalf("sink %d got %+v", i, got[i])
		}
		if got[i] != got[i%2] {
			t.Errorf("sink %d decoded message %d again", i, 1+i%2)
		}
	}
	first := o.at(1)
	runtime.KeepAlive(got)
	got = nil
	runtime.GC()
	if first.batch.Value() != nil {
		t.Error("a batch that nobody works on is kept")
	}
	if m, err := o.open(fetched{m: msg, seq: 1}); err != nil || m.Events[0].CallID != "c1" {
		t.Errorf("open again: %v, %v", m, err)
	}
	damaged := &nats.Msg{Header: msg.Header, Data: append([]byte("X"), msg.Data[1:]...)}
	for range 2 {
		if _, err := o.open(fetched{m: damaged, seq: 3}); !errors.Is(err, ErrDamaged) {
			t.Errorf("damaged message: %v", err)
		}
	}
}
