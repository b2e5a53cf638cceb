package connector

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func frameOf(ds ...delivery) []byte {
	f := newFrame(nil)
	for i := range ds {
		f = appendDelivery(f, &ds[i])
	}
	return sealFrame(f, nil)
}

func someDeliveries(n int) []delivery {
	ds := make([]delivery, n)
	for i := range ds {
		ds[i] = delivery{
			Tenant: "default", Source: "phonely", Received: time.UnixMicro(1_700_000_000_000_000 + int64(i)).UTC(),
			Version: int64(i), Replayed: i%2 == 1, Body: fmt.Appendf(nil, `{"callId":"c%d"}`, i),
		}
	}
	return ds
}

func TestFrameRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 2, 256} {
		want := someDeliveries(n)
		got, err := decodeFrame(frameOf(want...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d deliveries (-want +got):\n%s", n, diff)
		}
	}
}

func TestFrameSizeIsAnUpperBound(t *testing.T) {
	d := delivery{Tenant: "tenant", Source: "source", Received: time.Now(), Version: 1 << 62, Body: bytes.Repeat([]byte("x"), 70_000)}
	if got := len(appendDelivery(newFrame(nil), &d)) - frameHeader; got > d.size() {
		t.Errorf("takes %d bytes, size says %d", got, d.size())
	}
}

func TestDamagedFrameIsSeen(t *testing.T) {
	f := frameOf(someDeliveries(3)...)
	for i := range f {
		bad := bytes.Clone(f)
		bad[i] ^= 0x10
		if _, err := decodeFrame(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("bit flipped in byte %d: %v, want ErrDamaged", i, err)
		}
		if _, err := decodeFrame(f[:i]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at byte %d: %v, want ErrDamaged", i, err)
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(frameOf(someDeliveries(3)...))
	f.Add(frameOf())
	f.Add([]byte(frameMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= frameHeader { // past the checksum, to reach the rest
			b = sumFrame(bytes.Clone(b))
		}
		ds, err := decodeFrame(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("error is not ErrDamaged: %v", err)
			}
			return
		}
		again, err := decodeFrame(frameOf(ds...))
		if err != nil || len(again) != len(ds) {
			t.Fatalf("decoded %d deliveries, encoded and decoded again %d: %v", len(ds), len(again), err)
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	ds := make([]delivery, 64)
	for i := range ds {
		ds[i] = delivery{Tenant: "default", Source: "phonely", Received: time.Now(), Body: bytes.Repeat([]byte("x"), 8<<10)}
	}
	var buf, sent []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = newFrame(buf)
		for i := range ds {
			buf = appendDelivery(buf, &ds[i])
		}
		sent = sealFrame(buf, sent)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ds)), "ns/event")
}
