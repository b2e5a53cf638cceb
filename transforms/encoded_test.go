package transforms

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// through hands events through plugins as a chain does and returns what a sealed batch would hold.
func hand(t *testing.T, batch []Event, plugins ...Transformer) (events []Event, sealed []byte, kept int) {
	t.Helper()
	at := encode(batch)
	for _, p := range plugins {
		groups, err := Apply(t.Context(), "in-process", p, at)
		if err != nil {
			t.Fatal(err)
		}
		at = nil
		for _, g := range groups {
			at = append(at, g...)
		}
	}
	for i := range at {
		if at[i].wire != nil {
			kept++
		}
	}
	sealed, err := AppendEncoded([]byte("before"), at)
	if err != nil {
		t.Fatal(err)
	}
	return plain(at), sealed, kept
}

func open(t *testing.T, name string, tr Transformer) Transformer {
	t.Helper()
	remote, stop, err := Loopback(name, "1", tr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return remote
}

// TestBytesOfAnAnswerAreThoseOfItsEvents: whatever way events came through a chain, the bytes say the same.
func TestBytesOfAnAnswerAreThoseOfItsEvents(t *testing.T) {
	p, _ := openFault(t)
	other := open(t, "other", transformFunc(same))
	for _, plugins := range [][]Transformer{{}, {p}, {p, other}, {other, transformFunc(same), p}, {transformFunc(same)}} {
		batch := append(batchOf("", "drop", "reject", "split"), fullEvent(), Event{CallID: "bare"})
		events, sealed, kept := hand(t, batch, plugins...)
		want, err := AppendEvents([]byte("before"), events)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, sealed) {
			t.Errorf("%d plugins: the bytes differ", len(plugins))
		}
		got, err := DecodeEvents(sealed[len("before"):])
		if diff := cmp.Diff(events, got); diff != "" || err != nil {
			t.Errorf("%d plugins: error %v, difference:\n%s", len(plugins), err, diff)
		}
		if remote := len(plugins) > 0 && !isFunc(plugins[len(plugins)-1]); remote != (kept > 0) {
			t.Errorf("%d plugins: %d of %d events kept their bytes", len(plugins), kept, len(events))
		}
	}
}

func isFunc(t Transformer) bool {
	_, ok := t.(transformFunc)
	return ok
}

// TestNothingHidesInTheBytesOfAnAnswer: what the fields of an event don't say is not in a sealed batch.
func TestNothingHidesInTheBytesOfAnAnswer(t *testing.T) {
	clean, err := AppendEvents(nil, []Event{{CallID: "a", Summary: "[NAME] called"}})
	if err != nil {
		t.Fatal(err)
	}
	message, _ := protowire.ConsumeBytes(clean[1:])
	f := func(what string, message []byte) {
		t.Helper()
		answer := protowire.AppendBytes([]byte{tagEvents}, message)
		out, err := decodeEncoded(answer, 10)
		if err != nil {
			t.Fatal(err)
		}
		groups, err := group("p", &Applied{"p", "1"}, encode([]Event{{CallID: "a"}}), out)
		if err != nil {
			t.Fatal(err)
		}
		got, err := AppendEncoded(nil, groups[0])
		if err != nil {
			t.Fatal(err)
		}
		want, err := AppendEvents(nil, []Event{{CallID: "a", Summary: "[NAME] called", Transforms: []Applied{{"p", "1"}}}})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	text := func(tag uint64, s string) []byte { return protowire.AppendString(protowire.AppendVarint(nil, tag), s) }
	f("nothing", message)
	f("an overwritten field", append(text(14<<3|2, "Jordan Smith called"), message...))
	f("an unknown field", append(bytes.Clone(message), text(999<<3|2, "Jordan Smith")...))
	f("an overwritten number", append(protowire.AppendVarint(protowire.AppendVarint(nil, tagVersion), 7), append(bytes.Clone(message), 0xc0, 0x02, 0)...))
	f("a transform that isn't one", append(bytes.Clone(message), protowire.AppendBytes(protowire.AppendVarint(nil, tagTransforms), text(tagAppliedName, "Jordan Smith"))...))
}

// BenchmarkHandOn compares what the next plugin and a sealed batch are given of an answer: its bytes, or its events
// encoded again.
func BenchmarkHandOn(b *testing.B) {
	const n = 100
	batch := make([]Event, n)
	for i := range batch {
		batch[i] = typical(fmt.Sprintf("call-%06d", i))
	}
	data, err := AppendEvents(nil, batch)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := decodeEncoded(data, n)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, write func([]byte) ([]byte, error)) {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 2*len(data))
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := write(buf); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*n), "µs/event")
		})
	}
	run("bytes", func(buf []byte) ([]byte, error) { return AppendEncoded(buf, answer) })
	run("events", func(buf []byte) ([]byte, error) { return AppendEvents(buf, batch) })
	run("check of the bytes", func(buf []byte) ([]byte, error) { return buf, sizesAgree(answer) })
}

// sizesAgree is what through pays for the bytes of an event.
func sizesAgree(batch []Encoded) error {
	for i := range batch {
		if sizeEvent(&batch[i].Event) != len(batch[i].wire) {
			return errors.New("the bytes hold something else")
		}
	}
	return nil
}
