// Command rude is a plugin that knows nothing but wire/transform.proto and keeps to none of its bounds: it does what an
// event's summary says. Called poison-X, it does X to an event whose purpose is poison: bench/faults runs it so.
package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/postcall/postcall/transforms/wire"
)

func main() {
	stdout := os.Stdout
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "POSTCALL_PLUGIN", MagicCookieValue: "transform"},
		Plugins:         plugin.PluginSet{"transform": bridge{stdout: stdout}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxSendMsgSize(math.MaxInt), grpc.MaxRecvMsgSize(math.MaxInt))...)
		},
	})
}

type bridge struct {
	plugin.NetRPCUnsupportedPlugin
	stdout *os.File
}

func (b bridge) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	r := &rude{stdout: b.stdout}
	if exe, err := os.Executable(); err == nil {
		_, r.poison, _ = strings.Cut(filepath.Base(exe), "poison-")
	}
	wire.RegisterTransformerServer(s, r)
	return nil
}

func (bridge) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	panic("a plugin is no host")
}

type rude struct {
	wire.UnimplementedTransformerServer
	stdout *os.File // the real one: go-plugin replaces os.Stdout
	poison string
}

func (*rude) Configure(_ context.Context, r *wire.ConfigureRequest) (*wire.ConfigureResponse, error) {
	return &wire.ConfigureResponse{Name: r.GetName(), Version: "0.0.1"}, nil
}

func (r *rude) Transform(_ context.Context, in *wire.Events) (*wire.Events, error) {
	for _, e := range in.GetEvents() {
		order := e.GetSummary()
		if r.poison != "" {
			order = ""
			if e.GetPurpose() == "poison" {
				order = r.poison + " 100"
			}
		}
		what, arg, _ := strings.Cut(order, " ")
		n, _ := strconv.Atoi(arg)
		switch what {
		case "answer": // n MiB
			e.LongSummary = strings.Repeat("x", n<<20)
		case "stdout": // n MiB without the end of a line
			for range n {
				_, _ = r.stdout.WriteString(strings.Repeat("\xffgarbage", 1<<17))
			}
		case "rename":
			e.CallId = "another"
		case "panic": // in a goroutine that nobody guards
			go panic("out of its mind:\n" + arg)
			select {}
		}
	}
	return in, nil
}
