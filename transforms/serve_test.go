package transforms

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/postcall/postcall/transforms/wire"
)

// transformFunc is a transformer in one function.
type transformFunc func(context.Context, []Event) ([]Event, error)

func (f transformFunc) Transform(ctx context.Context, batch []Event) ([]Event, error) {
	return f(ctx, batch)
}

func same(_ context.Context, batch []Event) ([]Event, error) { return batch, nil }

// generatedClient talks to a server of this package as a host in another language would: by generated code alone.
func generatedClient(t *testing.T, tr Transformer) wire.TransformerClient {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(serverOptions()...)
	s.RegisterService(&serviceDesc, newServer(t.Context(), "test", "1",
		func(context.Context, struct{}) (Transformer, error) { return tr, nil }))
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient("unix:"+ln.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return wire.NewTransformerClient(conn)
}

func TestServerSpeaksWithGeneratedCode(t *testing.T) {
	c := generatedClient(t, transformFunc(same))
	ctx := t.Context()
	if _, err := c.Transform(ctx, &wire.Events{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Transform before Configure: %v", err)
	}
	if _, err := c.Configure(ctx, &wire.ConfigureRequest{Protocol: 9}); status.Code(err) != codes.Unimplemented {
		t.Errorf("another protocol: %v", err)
	}
	got, err := c.Configure(ctx, &wire.ConfigureRequest{Protocol: protocolVersion})
	if err != nil || got.GetName() != "test" || got.GetVersion() != "1" {
		t.Fatalf("Configure: %v, %v", got, err)
	}
	if _, err := c.Configure(ctx, &wire.ConfigureRequest{Protocol: protocolVersion}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a second Configure: %v", err)
	}
	e := fullEvent()
	in := &wire.Events{Events: []*wire.Event{toWire(&e), {CallId: "b"}}}
	out, err := c.Transform(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(in, out) {
		t.Errorf("in %v\nout %v", in, out)
	}
}

// generatedServer is a plugin that knows nothing but transform.proto.
type generatedServer struct {
	wire.UnimplementedTransformerServer
}

func (generatedServer) Transform(_ context.Context, in *wire.Events) (*wire.Events, error) {
	for _, e := range in.GetEvents() {
		e.Topic = "seen"
	}
	return in, nil
}

func TestHostSpeaksWithGeneratedCode(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	wire.RegisterTransformerServer(s, generatedServer{})
	go func() { _ = s.Serve(ln) }()
	defer s.Stop()
	conn, err := grpc.NewClient("unix:"+ln.Addr().String(), append(dialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	got, err := callTransform(t.Context(), conn, encode([]Event{fullEvent(), {CallID: "b"}}))
	if err != nil {
		t.Fatal(err)
	}
	want := []Event{fullEvent(), {CallID: "b", Topic: "seen"}}
	want[0].Topic = "seen"
	if diff := cmp.Diff(want, plain(got)); diff != "" {
		t.Error(diff)
	}
}

// TestServerHandsBackWhatItDoesNotKnow: a plugin built with an older SDK must not cost an event its newer fields.
func TestServerHandsBackWhatItDoesNotKnow(t *testing.T) {
	s := newServer(t.Context(), "test", "1", func(context.Context, struct{}) (Transformer, error) {
		return transformFunc(func(_ context.Context, batch []Event) ([]Event, error) {
			child := batch[0]
			child.ParentCallID, child.CallID = "a", "a#1"
			return []Event{batch[0], child, batch[1], batch[2]}, nil
		}), nil
	})
	if _, err := s.configure(&wire.ConfigureRequest{Protocol: protocolVersion}); err != nil {
		t.Fatal(err)
	}
	data, err := AppendEvents(nil, []Event{{CallID: "a"}, {CallID: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	more, unknown := newer(t, "c")
	out, err := s.transform(t.Context(), &raw{b: append(data, more...)})
	if err != nil {
		t.Fatal(err)
	}
	var m wire.Events
	if err := proto.Unmarshal(out.b, &m); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "", string(unknown)} {
		if got := string(m.GetEvents()[i].ProtoReflect().GetUnknown()); got != want {
			t.Errorf("event %d has %q, want %q", i, got, want)
		}
	}
}

func TestLoopbackCarriesErrors(t *testing.T) {
	f := func(in error, want error, permanent bool) {
		t.Helper()
		remote, stop, err := Loopback("x", "1", transformFunc(func(context.Context, []Event) ([]Event, error) { return nil, in }))
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		_, err = remote.Transform(t.Context(), []Event{{CallID: "a"}})
		if err == nil || !strings.Contains(err.Error(), in.Error()) || IsPermanent(err) != permanent || want != nil && !errors.Is(err, want) {
			t.Errorf("%v arrives as %v", in, err)
		}
	}
	f(errors.New("the disk is full"), nil, false)
	f(Permanent(errors.New("odd")), nil, true)
	f(context.DeadlineExceeded, context.DeadlineExceeded, false)
	f(context.Canceled, context.Canceled, false)
}

func TestServeByHandSaysWhatItIs(t *testing.T) {
	out, err := exec.Command(faultPath).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "fault 1.2.3 is a plugin of postcall") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestRecordedMessages reads what earlier versions wrote: sealed batches outlive an upgrade, and plugins are built apart.
// A file is never changed. A new field gets a new file.
func TestRecordedMessages(t *testing.T) {
	want := typical("recorded")
	want.Topics, want.Outcome = []string{"Billing"}, Outcome{Reject, "odd"}
	want.Transforms = []Applied{{"redact-pii", "1.0.0"}}
	want.Transcript = want.Transcript[:2]
	const path = "testdata/events-v1.binpb"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeEvents(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Event{want, {CallID: "b"}}, got); diff != "" {
		t.Error(diff)
	}
}
