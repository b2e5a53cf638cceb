// Command broken is a plugin that breaks one rule of the contract, the one its setting names: the tests of package
// transformtest check that it is caught.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/wire"
)

func main() {
	switch how := os.Getenv("BROKEN"); how {
	case "generated", "loses-fields":
		serveGenerated(how)
	case "takes-any-setting":
		transforms.Serve("broken", "1", func(context.Context, map[string]any) (transforms.Transformer, error) { return broken{}, nil })
	case "quotes-settings":
		transforms.Serve("broken", "1", func(_ context.Context, s map[string]string) (transforms.Transformer, error) {
			for name, value := range s {
				return nil, errors.New("unknown setting " + name + " of value " + value)
			}
			return broken{}, nil
		})
	case "no-version":
		transforms.Serve("broken", "", open)
	default:
		transforms.Serve("broken", "1", open)
		if how == "stays" {
			time.Sleep(time.Minute)
		}
	}
}

type settings struct{}

func open(context.Context, settings) (transforms.Transformer, error) {
	b := broken{how: os.Getenv("BROKEN")}
	if b.how == "hogs" {
		b.held = make([]byte, 300<<20)
		for i := range b.held {
			b.held[i] = byte(i)
		}
	}
	return b, nil
}

type broken struct {
	how  string
	held []byte
}

func (b broken) Transform(ctx context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	if b.how == "blocks" && len(batch) > 10 { // on something that only one call can have, and one that is canceled doesn't let go
		only <- struct{}{}
		select {
		case <-ctx.Done():
			stuck.Do(func() { time.Sleep(12 * time.Second) })
		case <-time.After(50 * time.Millisecond):
		}
		<-only
	}
	for i := range batch {
		e := &batch[i]
		switch {
		case b.how == "dies" && len(e.Transcript) > 5000:
			os.Exit(3)
		case b.how == "hangs" && strings.HasPrefix(e.CallID, "made-2-"):
			select {}
		case b.how == "logs":
			slog.Info("looking at a call", "caller", e.CallerName)
		case b.how == "invalid":
			e.Topic = "\xff"
		}
	}
	return batch, ctx.Err()
}

var (
	only  = make(chan struct{}, 1)
	stuck sync.Once
)

// serveGenerated serves what a plugin in another language does: generated code alone, with the limits of its library.
func serveGenerated(how string) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "POSTCALL_PLUGIN", MagicCookieValue: "transform"},
		Plugins:         plugin.PluginSet{"transform": &generated{loses: how == "loses-fields"}},
		GRPCServer:      plugin.DefaultGRPCServer,
	})
}

type generated struct {
	plugin.NetRPCUnsupportedPlugin
	wire.UnimplementedTransformerServer
	loses bool
}

func (g *generated) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	wire.RegisterTransformerServer(s, g)
	return nil
}

func (g *generated) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("not used")
}

func (g *generated) Configure(_ context.Context, r *wire.ConfigureRequest) (*wire.ConfigureResponse, error) {
	if len(r.GetSettings()) > 2 {
		return nil, errors.New("unknown setting postcall-no-such-setting")
	}
	return &wire.ConfigureResponse{Name: "generated", Version: "1"}, nil
}

func (g *generated) Transform(_ context.Context, in *wire.Events) (*wire.Events, error) {
	for _, e := range in.GetEvents() {
		if g.loses {
			e.ProtoReflect().SetUnknown(nil)
		}
	}
	return in, nil
}
