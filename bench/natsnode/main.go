// Command natsnode is one JetStream server of a cluster, as a process of its own that can be killed. It syncs every write
// before it acknowledges it, and ends with its parent or on SIGTERM.
package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "natsnode:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var (
		o              = server.Options{JetStream: true, SyncAlways: true, NoSigs: true}
		peers, logFile string
		maxPayload     int
	)
	f := flag.NewFlagSet("natsnode", flag.ContinueOnError)
	f.StringVar(&o.ServerName, "name", "", "name of the server, another one for each")
	f.StringVar(&o.StoreDir, "dir", "", "folder of the streams")
	f.StringVar(&o.Host, "host", "127.0.0.1", "address to listen on")
	f.IntVar(&o.Port, "port", 4222, "port of clients")
	f.IntVar(&o.Cluster.Port, "cluster-port", 6222, "port of the other servers")
	f.StringVar(&peers, "peers", "", "host:port of the other servers' cluster ports, separated by commas")
	f.IntVar(&maxPayload, "max-payload", 1<<20, "largest message")
	f.StringVar(&logFile, "log", "", "file of the log")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.Cluster.Name, o.Cluster.Host, o.MaxPayload, o.LogFile, o.Logtime = "postcall", o.Host, int32(maxPayload), logFile, true
	for p := range strings.SplitSeq(peers, ",") {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: p})
	}
	s, err := server.NewServer(&o)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	s.Start()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}
