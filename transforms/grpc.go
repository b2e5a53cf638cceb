package transforms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that rawCodec falls back to
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/postcall/postcall/transforms/wire"
)

const (
	protocolVersion = 1
	maxMessage      = 64 << 20 // bytes of a batch, either way
	maxGrowth       = 8 << 20  // bytes that an answer may have besides four times its batch, as large as a sealed batch can be
	window          = 4 << 20  // bytes in flight without a round trip; the default is 64 KiB
)

// handshake is what both sides of go-plugin must agree on.
var handshake = plugin.HandshakeConfig{
	ProtocolVersion:  protocolVersion,
	MagicCookieKey:   "POSTCALL_PLUGIN",
	MagicCookieValue: "transform",
}

// bridge registers a server with go-plugin. The host uses the connection directly.
type bridge struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

func (b *bridge) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&serviceDesc, b.server)
	return nil
}

func (b *bridge) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("not used")
}

// raw is a serialized wire.Events message: Transform goes through gRPC as bytes, and codec.go reads and writes them.
type raw struct {
	b      []byte
	pooled bool // b goes back to the pool when it was sent
}

// rawEvents encodes an answer into a pooled buffer. Text that is not UTF-8 is found by the decoder on the other side.
func rawEvents(events []Event, unknown [][]byte) (*raw, error) {
	size := sizeEvents(events)
	for _, more := range unknown {
		size += len(more)
	}
	b, err := appendEvents(pooled(size), events, unknown)
	return &raw{b, true}, err
}

// rawBatch is rawEvents for a batch.
func rawBatch(batch []Encoded) (*raw, error) {
	b, err := appendEncoded(pooled(sizeEncoded(batch)), batch)
	return &raw{b, true}, err
}

func pooled(size int) writer { return writer{b: (*messages.Get(size))[:0], toPeer: true} }

// messages holds buffers for messages to send.
var messages bufferPool

// bufferPool is a mem.BufferPool that doesn't clear what it hands out: appendEvents writes all that it sends. The default
// pool clears a MiB for a batch of 32 KiB.
type bufferPool struct{ pool sync.Pool }

// Get returns a buffer of that length.
func (p *bufferPool) Get(length int) *[]byte {
	b, _ := p.pool.Get().(*[]byte)
	if b == nil {
		b = new([]byte)
	}
	*b = slices.Grow((*b)[:0], length)[:length]
	return b
}

// Put takes a buffer back.
func (p *bufferPool) Put(b *[]byte) { p.pool.Put(b) }

// rawCodec passes raw messages as they are and everything else to the standard codec.
type rawCodec struct{ encoding.CodecV2 }

var wireCodec = rawCodec{encoding.GetCodecV2("proto")}

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(*raw); ok {
		if r.pooled {
			return mem.BufferSlice{mem.NewBuffer(&r.b, &messages)}, nil
		}
		return mem.BufferSlice{mem.SliceBuffer(r.b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

func (c rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*raw); ok {
		r.b = join(data)
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// join copies the parts of a message into one buffer. mem.BufferSlice.Materialize clears the buffer first, which takes a
// third as long again for a batch of a MiB; a strings.Builder doesn't.
func join(data mem.BufferSlice) []byte {
	var all strings.Builder
	all.Grow(data.Len())
	for _, part := range data {
		_, _ = all.Write(part.ReadOnlyData())
	}
	s := all.String()
	return unsafe.Slice(unsafe.StringData(s), len(s)) // the only reference to it
}

// serverOptions are those of a plugin's gRPC server.
func serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(wireCodec),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window),
	}
}

// dialOptions are those of the host's connection to a plugin.
func dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
	}
}

// callTransform is the host's side of the Transform method. It keeps nothing of batch.
func callTransform(ctx context.Context, conn grpc.ClientConnInterface, batch []Encoded) ([]Encoded, error) {
	request, err := rawBatch(batch)
	if err != nil {
		return nil, Permanent(err)
	}
	var answer raw
	err = conn.Invoke(ctx, wire.Transformer_Transform_FullMethodName, request, &answer,
		grpc.ForceCodecV2(wireCodec), grpc.MaxCallRecvMsgSize(maxAnswer(len(request.b))))
	if err != nil {
		return nil, fromStatus(err)
	}
	events, err := decodeEncoded(answer.b, maxAnswers*(len(batch)+1))
	if err != nil {
		return nil, Permanent(fmt.Errorf("%w: %w", ErrContract, err))
	}
	return events, nil
}

// maxAnswer is how many bytes the answer to a batch may have, so that a plugin can't fill the host's memory. A batch
// whose answer has more is cut until it fits, or until one event is found that is at fault.
func maxAnswer(batch int) int { return min(maxGrowth+4*batch, maxMessage) }

// callConfigure is the host's side of the Configure method.
func callConfigure(ctx context.Context, conn grpc.ClientConnInterface, name string, settings []byte) (*wire.ConfigureResponse, error) {
	return wire.NewTransformerClient(conn).Configure(ctx, &wire.ConfigureRequest{
		Protocol: protocolVersion, Name: name, Settings: settings,
	})
}

// toStatus carries an error of a transformer across gRPC.
func toStatus(err error) error {
	switch {
	case err == nil:
		return nil
	case IsPermanent(err):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	}
	return status.Error(codes.Unknown, err.Error())
}

// fromStatus reads what toStatus or gRPC itself made of an error.
func fromStatus(err error) error {
	s := status.Convert(err)
	switch s.Code() {
	case codes.InvalidArgument:
		return Permanent(errors.New(s.Message()))
	case codes.ResourceExhausted: // the batch is above what the plugin takes, or the answer above maxAnswer or what it can send
		return Permanent(fmt.Errorf("the batch or its answer is too large: %s", s.Message()))
	case codes.Unavailable:
		return fmt.Errorf("%w: %s", ErrPluginGone, s.Message())
	case codes.DeadlineExceeded:
		return fmt.Errorf("%s: %w", s.Message(), context.DeadlineExceeded)
	case codes.Canceled:
		return fmt.Errorf("%s: %w", s.Message(), context.Canceled)
	case codes.Unknown:
		return errors.New(s.Message())
	}
	return fmt.Errorf("%s: %s", s.Code(), s.Message())
}
