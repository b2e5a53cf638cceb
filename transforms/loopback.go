package transforms

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// Loopback is a plugin without a process: it serves t in memory and hands batches to it over gRPC, encoded, decoded and
// checked as a Plugin's are. It is meant for the tests of a transform; package transformtest uses it. Stop ends it.
func Loopback(name, version string, t Transformer) (remote Transformer, stop func(), err error) {
	ln := bufconn.Listen(1 << 20)
	g := grpc.NewServer(serverOptions()...)
	g.RegisterService(&serviceDesc, newServer(context.Background(), name, version,
		func(context.Context, struct{}) (Transformer, error) { return t, nil }))
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = g.Serve(ln)
	}()
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return ln.DialContext(ctx) }
	conn, err := grpc.NewClient("passthrough:"+name, append(dialOptions(),
		grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	stop = func() {
		if conn != nil {
			_ = conn.Close()
		}
		g.Stop()
		<-served
	}
	if err == nil {
		_, err = callConfigure(context.Background(), conn, name, nil)
	}
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("loopback %s: %w", name, err)
	}
	return &loopback{name, version, conn}, stop, nil
}

type loopback struct {
	name, version string
	conn          *grpc.ClientConn
}

func (l *loopback) Transform(ctx context.Context, batch []Event) ([]Event, error) {
	groups, err := l.apply(ctx, encode(batch))
	return flatten(groups), err
}

func (l *loopback) apply(ctx context.Context, batch []Encoded) ([][]Encoded, error) {
	out, err := callTransform(ctx, l.conn, batch)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", l.name, err)
	}
	return group(l.name, &Applied{l.name, l.version}, batch, out)
}

// Exchange hands a serialized wire.Events message to the server and returns the message it answers, unchecked.
func (l *loopback) Exchange(ctx context.Context, message []byte) ([]byte, error) {
	return exchange(ctx, l.conn, message)
}
