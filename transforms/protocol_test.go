package transforms

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/postcall/postcall/transforms/wire"
)

// testdata/protocol-v1 is a conversation as a host and a plugin of the first version have it: hosts and plugins are built
// apart, and each has to understand the other's messages for as long as the version is 1. A file is never changed; what a
// later version adds gets a file beside it.

func recorded(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/protocol-v1/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// recordedBatch is what the host sent: every field, a call with its id alone, and one that is to be split.
func recordedBatch() []Event {
	full := typical("recorded-a")
	full.Topics, full.Transforms, full.Transcript = []string{"Billing"}, []Applied{{"redact-pii", "1.0.0"}}, full.Transcript[:2]
	return []Event{full, {CallID: "recorded-b"}, {Tenant: "default", CallID: "recorded-c", Version: 7, Topics: []string{}}}
}

// recordedAnswer is what the plugin said to it: a topic more, a drop, and a split.
func recordedAnswer() []Event {
	out := recordedBatch()
	out[0].Topics = append(out[0].Topics, "Refunds")
	out[1].Drop("nothing in it")
	return append(out, Event{CallID: "recorded-c#1", ParentCallID: "recorded-c", Summary: "the second half"})
}

// TestPluginOfTodayUnderAnOldHost hands today's plugin side what a host of the first version sends.
func TestPluginOfTodayUnderAnOldHost(t *testing.T) {
	type settings struct {
		Suffix string `json:"suffix"`
	}
	s := newServer(t.Context(), "today", "2", func(_ context.Context, s settings) (Transformer, error) {
		return transformFunc(func(_ context.Context, batch []Event) ([]Event, error) {
			for i := range batch {
				batch[i].Topic += s.Suffix
			}
			return batch, nil
		}), nil
	})
	var configure wire.ConfigureRequest
	if err := proto.Unmarshal(recorded(t, "configure-request.binpb"), &configure); err != nil {
		t.Fatal(err)
	}
	if got, err := s.configure(&configure); err != nil || got.GetName() != "today" || got.GetVersion() != "2" {
		t.Fatalf("Configure: %v, %v", got, err)
	}
	answer, err := s.transform(t.Context(), &raw{b: recorded(t, "transform-request.binpb")})
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeEvents(answer.b)
	if err != nil {
		t.Fatal(err)
	}
	want := recordedBatch()
	for i := range want {
		want[i].Topic += "!"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestHostOfTodayWithAnOldPlugin hands today's host side what a plugin of the first version answers.
func TestHostOfTodayWithAnOldPlugin(t *testing.T) {
	var configured wire.ConfigureResponse
	if err := proto.Unmarshal(recorded(t, "configure-response.binpb"), &configured); err != nil {
		t.Fatal(err)
	}
	applied := Applied{configured.GetName(), configured.GetVersion()}
	answer, err := decodeEncoded(recorded(t, "transform-response.binpb"), maxAnswers)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := group("old", &applied, encode(recordedBatch()), answer)
	if err != nil {
		t.Fatal(err)
	}
	want := recordedAnswer()
	want[3].Tenant, want[3].Version = "default", 7 // inherited
	for i, before := range [][]Applied{recordedBatch()[0].Transforms, nil, nil, nil} {
		want[i].Transforms = append(before, applied)
	}
	if diff := cmp.Diff(want, flatten(groups)); diff != "" || len(groups) != 3 || len(groups[2]) != 2 {
		t.Errorf("%d groups, difference:\n%s", len(groups), diff)
	}
}

// TestHostAndPluginSayTheSame compares what today's side sends with what was recorded: as long as no field is added, each
// byte of it.
func TestHostAndPluginSayTheSame(t *testing.T) {
	got, err := AppendEvents(nil, recordedBatch())
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(recorded(t, "transform-request.binpb")) {
		t.Error("a batch has other bytes than it had")
	}
	request, err := proto.Marshal(&wire.ConfigureRequest{Protocol: protocolVersion, Name: "old-host", Settings: []byte(`{"suffix":"!"}`)})
	if err != nil || string(request) != string(recorded(t, "configure-request.binpb")) {
		t.Errorf("Configure has other bytes than it had, error %v", err)
	}
	if handshake.MagicCookieKey != "POSTCALL_PLUGIN" || handshake.MagicCookieValue != "transform" || handshake.ProtocolVersion != 1 ||
		stdinVariable != "POSTCALL_PLUGIN_STDIN" || stdinHold != "hold" {
		t.Error("the handshake is not that of wire/transform.proto")
	}
	line := strings.TrimSpace(string(recorded(t, "handshake.txt")))
	if !isHandshake([]byte(line)) {
		t.Errorf("the line of a plugin is not known: %s", line)
	}
}
