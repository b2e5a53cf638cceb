package transforms

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/postcall/postcall/transforms/wire"
)

// Serve is the whole main function of a plugin: it serves the transformer that open makes, and returns when postcall
// ends the plugin. Started by hand it says what it is and exits.
//
// The settings arrive once and are read into S as DecodeSettings says. ctx lives as long as the plugin. Where the
// transformer is an io.Closer, it is closed at the end.
//
// slog's default logger then writes lines of JSON to stderr, which postcall logs under the plugin's name. Stdout belongs
// to the handshake.
func Serve[S any](name, version string, open func(ctx context.Context, s S) (Transformer, error)) {
	if os.Getenv(handshake.MagicCookieKey) != handshake.MagicCookieValue {
		fmt.Fprintf(os.Stderr, "%s %s is a plugin of postcall, which starts it: name it in POSTCALL_TRANSFORMS\n", name, version)
		os.Exit(2)
	}
	if os.Getenv(stdinVariable) == stdinHold {
		go exitWithHost(os.Stdin)
	}
	stdout, stderr := os.Stdout, os.Stderr
	slog.SetDefault(slog.New(slog.NewJSONHandler(stderr, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := newServer(ctx, name, version, open)
	s.begin = func() { os.Stdout, os.Stderr = stdout, stderr }
	defer s.close()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         plugin.PluginSet{"transform": &bridge{server: s}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, serverOptions()...)...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Output: stderr, Level: hclog.Error}),
	})
}

const stdinVariable, stdinHold = "POSTCALL_PLUGIN_STDIN", "hold"

// exitWithHost ends the process when the host is gone, however that happened: a plugin must not outlive it.
func exitWithHost(stdin io.Reader) {
	_, _ = io.Copy(io.Discard, stdin)
	if dir, err := os.Getwd(); err == nil && strings.HasPrefix(filepath.Base(dir), folderPrefix) {
		_ = os.RemoveAll(dir) // the host can't any more
	}
	os.Exit(3)
}

// server is the plugin's side of the service.
type server struct {
	name, version string
	open          func(settings []byte) (Transformer, error)
	// begin, if any, takes back stdout and stderr, which go-plugin replaces by streams over gRPC before it serves: what
	// a plugin writes at its end would be lost in them. The host reads the real ones all the time.
	begin       func()
	opening     atomic.Bool
	transformer atomic.Pointer[Transformer]
}

func newServer[S any](ctx context.Context, name, version string, open func(context.Context, S) (Transformer, error)) *server {
	return &server{name: name, version: version, open: func(settings []byte) (Transformer, error) {
		var s S
		if err := DecodeSettings(settings, &s); err != nil {
			return nil, err
		}
		return open(ctx, s)
	}}
}

func (s *server) configure(r *wire.ConfigureRequest) (*wire.ConfigureResponse, error) {
	if r.GetProtocol() != protocolVersion {
		return nil, status.Errorf(codes.Unimplemented, "%s speaks version %d of the protocol, the host speaks %d", s.name, protocolVersion, r.GetProtocol())
	}
	if !s.opening.CompareAndSwap(false, true) {
		return nil, status.Errorf(codes.FailedPrecondition, "%s is already configured", s.name)
	}
	if s.begin != nil {
		s.begin()
	}
	t, err := s.open(r.GetSettings())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if t == nil {
		return nil, status.Errorf(codes.Internal, "%s opened no transformer", s.name)
	}
	s.transformer.Store(&t)
	return &wire.ConfigureResponse{Name: s.name, Version: s.version}, nil
}

func (s *server) transform(ctx context.Context, in *raw) (_ *raw, err error) {
	t := s.transformer.Load()
	if t == nil {
		return nil, status.Errorf(codes.FailedPrecondition, "%s is not configured", s.name)
	}
	batch, unknown, err := decodeEvents(in.b)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	ids := make([]string, len(batch))
	for i := range batch {
		ids[i] = batch[i].CallID
	}
	out, err := s.try(ctx, *t, batch)
	if err != nil {
		return nil, toStatus(err)
	}
	answer, err := rawEvents(out, align(unknown, ids, out))
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return answer, nil
}

// try makes a panic an error: it is the batch that makes a transformer panic, and finding the event is cheaper than
// starting the plugin again for each half. The value of a panic can be what a caller said, so it isn't told.
func (s *server) try(ctx context.Context, t Transformer, batch []Event) (out []Event, err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		what := fmt.Sprintf("panic of type %T", v)
		if e, ok := v.(runtime.Error); ok {
			what = e.Error()
		}
		slog.Error("transform panicked", "panic", what, "stack", string(debug.Stack())) //nolint:sloglint // Serve sets the default: it owns the process
		err = Permanent(fmt.Errorf("%s panicked: %s", s.name, what))
	}()
	return t.Transform(ctx, batch)
}

func (s *server) close() {
	if t := s.transformer.Load(); t != nil {
		if c, ok := (*t).(io.Closer); ok {
			if err := c.Close(); err != nil {
				slog.Error("close", "error", err.Error()) //nolint:sloglint // likewise
			}
		}
	}
}

// align finds for each event of an answer the fields that this version of postcall didn't know: those of the input
// with the same id, in the same order.
func align(unknown [][]byte, ids []string, out []Event) [][]byte {
	if unknown == nil {
		return nil
	}
	aligned, next := make([][]byte, len(out)), 0
	for i := range out {
		if next < len(ids) && out[i].CallID == ids[next] {
			aligned[i] = unknown[next]
			next++
		}
	}
	return aligned
}

// serviceDesc is wire.Transformer_ServiceDesc with a Transform method on raw messages.
var serviceDesc = grpc.ServiceDesc{
	ServiceName: wire.Transformer_ServiceDesc.ServiceName,
	HandlerType: (*any)(nil),
	Metadata:    wire.Transformer_ServiceDesc.Metadata,
	Methods: []grpc.MethodDesc{
		{MethodName: "Configure", Handler: func(srv any, _ context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			r := new(wire.ConfigureRequest)
			if err := dec(r); err != nil {
				return nil, err
			}
			return srv.(*server).configure(r)
		}},
		{MethodName: "Transform", Handler: func(srv any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			r := new(raw)
			if err := dec(r); err != nil {
				return nil, err
			}
			return srv.(*server).transform(ctx, r)
		}},
	},
}
