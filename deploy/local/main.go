// Command local runs a real ClickHouse and a real Elasticsearch on a developer's machine without Docker, for as long
// as a command needs them.
//
// The way through the code: main.go (command line), install.go (the engines into the cache), up.go (both engines with
// their data folder), server.go (one process: start, wait until healthy, end), clickhouse.go and elasticsearch.go
// (what each engine needs), run.go and show.go (the demonstration).
//
// ClickHouse is a library that chdb.go loads into a process of its own and tells to listen. A native login that it
// refuses would abort it there, so gate.go checks logins in front of it. Elasticsearch refuses to run as root: as root
// it runs as nobody, and if nobody can't enter the cache or the data folder, its part is in /var/cache/postcall.
//
// The engines end with this process however it ends. Rejected, 2026-11: a supervisor process for each engine that
// watches a pipe. The kernel's parent-death signal does the same, works while the engine is frozen, and is one line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

const usage = `local runs ClickHouse and Elasticsearch on loopback, without Docker and without root.

  local install                    install the pinned engines, and a browser, into the cache
  local browser                    print the path of a Chromium for tests; installs one where there is none
  local up [FLAGS] [-- COMMAND]    start both; run COMMAND with their addresses in its environment, or wait for Ctrl-C
  local run [--once]               start both and the connector, deliver calls and show them in both stores
  local tour                       load a made-up month, and show every metric and what docs/analysts.md asks
  local engine NAME [FLAGS]        run one engine (clickhouse, elasticsearch) in the foreground
  local status | down              show, or end, what runs

The cache: $POSTCALL_CACHE, else $XDG_CACHE_HOME/postcall, else ~/.cache/postcall. Every command has --help.
`

func main() { os.Exit(run(os.Args[1:])) }

// run returns the exit code: 0, 1 for a failure, 2 for a wrong command line, or that of the command given to `up`.
func run(args []string) int {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		fmt.Print(usage)
		return 0
	}
	if args[0] == "chdb" { // not for users: the process that becomes ClickHouse
		return report(failed(serveChdb(args[1:])))
	}
	ctx, stop := untilSignal()
	defer stop()
	c, err := openCache(os.Getenv)
	if err != nil {
		return report(1, err)
	}
	code, err := dispatch(ctx, c, args[0], args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	return report(code, err)
}

func dispatch(ctx context.Context, c cache, name string, args []string) (int, error) {
	switch name {
	case "install":
		if code, err := parse(flag.NewFlagSet("local install", flag.ContinueOnError), args); err != nil {
			return code, err
		}
		if _, found := findBrowser(c); found && installed(c) {
			fmt.Fprintln(os.Stderr, "Nothing to do: the engines are in "+c.dir)
		}
		return failed(installAll(ctx, c))
	case "browser":
		path, err := installBrowser(ctx, c)
		if err == nil {
			fmt.Println(path)
		}
		return failed(err)
	case "up":
		return upCommand(ctx, c, args)
	case "run":
		return runCommandLine(ctx, c, args)
	case "tour":
		return tourCommandLine(ctx, c, args)
	case "engine":
		return engineCommand(ctx, c, args)
	case "status":
		return failed(status(c))
	case "down":
		return failed(down(ctx, c))
	default:
		return 2, fmt.Errorf("unknown command %q; `local --help` lists them", name)
	}
}

func upCommand(ctx context.Context, c cache, args []string) (int, error) {
	f := flag.NewFlagSet("local up", flag.ContinueOnError)
	var o upOptions
	engineFlags(f, &o)
	before, command := args, []string(nil)
	for i, a := range args {
		if a == "--" {
			before, command = args[:i], args[i+1:]
			break
		}
	}
	o.command = strings.Join(append([]string{"local", "up"}, before...), " ")
	if code, err := parse(f, before); err != nil {
		return code, err
	}
	return up(ctx, c, o, command)
}

func runCommandLine(ctx context.Context, c cache, args []string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	bin := filepath.Dir(self)
	f := flag.NewFlagSet("local run", flag.ContinueOnError)
	o := runOptions{up: upOptions{command: "local run", preferTCP: 9000, preferHTTP: 8123, preferES: 9200}}
	engineFlags(f, &o.up)
	f.BoolVar(&o.once, "once", false, "end once the sample calls have been shown, and keep no data")
	f.StringVar(&o.binary, "postcall", filepath.Join(bin, "postcall"), "the connector's binary")
	f.StringVar(&o.samples, "samples", filepath.Join(bin, "..", "testdata", "webhooks"), "folder of the calls to deliver")
	f.IntVar(&o.calls, "calls", 300, "made-up calls of the last month to deliver too")
	f.IntVar(&o.http, "http-port", 0, "port of the webhook; 0 picks 8080 or a free one")
	f.IntVar(&o.admin, "admin-port", 0, "port of health and metrics; 0 picks 9090 or a free one")
	if code, err := parse(f, args); err != nil {
		return code, err
	}
	return failed(runDemo(ctx, c, o))
}

func engineFlags(f *flag.FlagSet, o *upOptions) {
	f.StringVar(&o.data, "data", "", "data `folder`; without one: for up and run --once one that goes away, for run one in the cache")
	f.IntVar(&o.tcpPort, "clickhouse-port", 0, "ClickHouse's native port; 0 picks one")
	f.IntVar(&o.httpPort, "clickhouse-http-port", 0, "ClickHouse's HTTP port; 0 picks a free one")
	f.IntVar(&o.elasticPort, "elasticsearch-port", 0, "Elasticsearch's port; 0 picks a free one")
	f.BoolVar(&o.bench, "bench", false, "run Elasticsearch to be measured (1 GB of heap, full compiler), not to start soon")
}

func engineCommand(ctx context.Context, c cache, args []string) (int, error) {
	if len(args) == 0 || (args[0] != "clickhouse" && args[0] != "elasticsearch") {
		return 2, errors.New("usage: local engine clickhouse|elasticsearch --data DIR [FLAGS]")
	}
	f := flag.NewFlagSet("local engine "+args[0], flag.ContinueOnError)
	data := f.String("data", "", "data folder (required)")
	port := f.Int("port", 0, "Elasticsearch's port; 0 picks a free one")
	tcp := f.Int("tcp-port", 0, "ClickHouse's native port; 0 picks a free one")
	http := f.Int("http-port", 0, "ClickHouse's HTTP port; 0 picks a free one")
	bench := f.Bool("bench", false, "run Elasticsearch to be measured")
	child := f.Bool("with-parent", false, "end when the process that started this one ends")
	if code, err := parse(f, args[1:]); err != nil {
		return code, err
	}
	if *data == "" {
		return 2, errors.New("--data is missing: name the folder that keeps the engine's data")
	}
	dir, err := filepath.Abs(*data)
	if err != nil {
		return 1, err
	}
	if *child {
		ctx = withParent(ctx)
	}
	if err := install(ctx, c); err != nil {
		return 1, err
	}
	return failed(runEngine(ctx, func() (*server, error) {
		if args[0] == "elasticsearch" {
			chosen, err := choosePort("port", *port, 0)
			if err != nil {
				return nil, err
			}
			return elasticsearch(c, dir, chosen, *bench)
		}
		chosenTCP, err1 := choosePort("tcp-port", *tcp, 0)
		chosenHTTP, err2 := choosePort("http-port", *http, 0)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return clickhouse(c, dir, chosenTCP, chosenHTTP)
	}))
}

// failed goes with the exit code of a command that has none of its own.
func failed(err error) (int, error) {
	if err != nil {
		return 1, err
	}
	return 0, nil
}

// parse wants all of args to be flags. A wrong one is a wrong command line.
func parse(f *flag.FlagSet, args []string) (int, error) {
	if err := f.Parse(args); err != nil {
		return 2, err
	}
	if f.NArg() > 0 {
		return 2, fmt.Errorf("%s: unexpected %q", f.Name(), f.Arg(0))
	}
	return 0, nil
}

// untilSignal ends with Ctrl-C or a request to end; the second one ends the process at once, and the engines with it.
func untilSignal() (context.Context, context.CancelFunc) {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// report prints err, if there is one, and returns the exit code that goes with it.
func report(code int, err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
	}
	return code
}
