package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	bin, dir, out, stores, sizes string
	config, hop                  string
	events, senders, rounds      int
	rate                         float64
	peers, flat, stages          bool
	backlog, imported            int
}

const (
	ceilingName = "ceiling: file"
	patience    = time.Minute // with one delivery
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.bin, "bin", filepath.Dir(self), "folder of the built postcall and its plugins/")
	f.StringVar(&o.dir, "dir", os.TempDir(), "folder for data; on the disk that is to be measured")
	f.StringVar(&o.out, "out", filepath.Join("bench", "results"), "folder for the results")
	f.StringVar(&o.stores, "stores", "stand-ins", "stand-ins, or engines (bin/local up --bench -- bin/bench -stores engines)")
	f.StringVar(&o.sizes, "sizes", "8,40", "sizes of a delivery in KiB")
	f.IntVar(&o.events, "events", 20000, "deliveries of a run with 8 KiB; fewer of larger ones")
	f.IntVar(&o.senders, "senders", 64, "connections of a closed loop")
	f.Float64Var(&o.rate, "rate", 500, "deliveries a second of the open loop; 0 leaves it out")
	f.BoolVar(&o.peers, "peers", false, "postcall and Redpanda Connect in turns, with stand-ins; make bench PEERS=1 builds it")
	f.StringVar(&o.hop, "hop", "", "comma-separated paths of plugins: what one more of them costs, with stand-ins, at each of -sizes")
	f.IntVar(&o.rounds, "rounds", 2, "turns of -peers, -hop and -import")
	f.BoolVar(&o.flat, "flat", false, "cost per event from 1,000 to 1,000,000 events of 8 KiB, with stand-ins; a quarter of an hour or more")
	f.BoolVar(&o.stages, "stages", false, "where the CPU seconds and allocations go, by profiles of the running program, at each of -sizes")
	f.IntVar(&o.backlog, "backlog", 0, "GiB of deliveries that wait while both stand-ins are down, and are loaded after it; 5 take a quarter of an hour")
	f.IntVar(&o.imported, "import", 0, "postcall import against postcall send, then so many calls imported and interrupted twice: none lost, none twice")
	f.StringVar(&o.config, "config", filepath.Join("bench", "peers", "redpanda", "connect.yaml"), "what Redpanda Connect does")
	if err := f.Parse(args); err != nil {
		return err
	}
	var sizes []int
	for s := range strings.SplitSeq(o.sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 4 {
			return fmt.Errorf("-sizes %q: whole numbers of KiB, at least 4", o.sizes)
		}
		sizes = append(sizes, n<<10)
	}
	if o.events < 1 || o.senders < 1 || o.rounds < 1 {
		return errors.New("-events, -senders and -rounds are at least 1")
	}
	st, err := openStores(o.stores)
	if err != nil {
		return err
	}
	p := &report{Taken: time.Now().UTC(), Machine: machine(), Load: loadAverage(), Kind: o.stores, Stores: o.stores, Plugins: transforms(o.bin)}
	stand, standsIn := st.(*standIns)
	switch {
	case !standsIn && (o.peers || o.flat || o.backlog > 0 || o.hop != ""):
		return errors.New("-peers, -flat, -backlog and -hop run with stand-ins")
	case o.hop != "":
		p.Kind = "hop"
		err = runHop(ctx, o, stand, sizes, p)
	case o.peers:
		p.Kind = "peers"
		err = comparePeers(ctx, o, stand, sizes[0], p)
	case o.flat:
		p.Kind = "flat"
		err = runFlat(ctx, o, stand, p)
	case o.stages:
		p.Kind = "stages"
		err = runStages(ctx, o, st, sizes, p)
	case o.backlog > 0:
		p.Kind = "backlog"
		err = runBacklog(ctx, o, stand, p)
	case o.imported > 0:
		p.Kind = "import"
		err = runImport(ctx, o, st, sizes[0], p)
	default:
		err = runAll(ctx, o, st, sizes, p)
	}
	if len(p.Results) == 0 {
		return err
	}
	return errors.Join(err, p.text(os.Stdout), p.save(o.out))
}

func openStores(kind string) (stores, error) {
	switch kind {
	case "stand-ins":
		return newStandIns()
	case "engines":
		if e := newEngines(); e != nil {
			return e, nil
		}
		return nil, errors.New("no engines in the environment: run it as bin/local up --bench -- bin/bench -stores engines")
	}
	return nil, fmt.Errorf("-stores %q: stand-ins or engines", kind)
}

// runAll does the runs of every size one after the other and keeps what is done.
func runAll(ctx context.Context, o options, st stores, sizes []int, p *report) error {
	_, standsIn := st.(*standIns)
	for _, size := range sizes {
		events := max(o.events*(8<<10)/size, 500)
		closed := plan{Size: size, Events: events, Senders: o.senders, Timeout: patience}
		if standsIn {
			c := newCalls(newRun(), size, 1)
			many := closed
			many.Events *= 3 // it is over in a moment
			say("%s, %d KiB: %d bodies of %d bytes", ceilingName, size>>10, many.Events, c.size())
			r, err := ceilingFile(o.dir, c, many)
			if err != nil {
				return err
			}
			p.Results = append(p.Results, r)
			say("ceiling: file behind net/http, %d KiB", size>>10)
			if r, err = ceilingHTTP(ctx, o.dir, c, many); err != nil {
				return err
			}
			p.Results = append(p.Results, r)
		}
		say("postcall, %d KiB, closed loop of %d senders", size>>10, o.senders)
		r, err := runPostcall(ctx, o, "postcall", st, newCalls(newRun(), size, 1), closed)
		if err == nil && standsIn && size == sizes[0] {
			say("fsyncs, by strace")
			few := closed
			few.Events = min(events, 4000)
			if n, ok, serr := countSyncs(ctx, o, st, newCalls(newRun(), size, 1), few); ok {
				r.Syncs, r.SyncsFrom = n, "strace"
			} else {
				err = serr
			}
		}
		p.Results = append(p.Results, r)
		if err != nil {
			return err
		}
		if standsIn && size == sizes[0] {
			say("postcall, %d KiB, the plugins frozen while the senders run: the intake alone, then the backlog", size>>10)
			frozen := closed
			frozen.Frozen = true
			r, err := runPostcall(ctx, o, "postcall, intake alone", st, newCalls(newRun(), size, 1), frozen)
			p.Results = append(p.Results, r)
			if err != nil {
				return err
			}
		}
		if o.rate > 0 && size == sizes[0] {
			say("postcall, %d KiB, open loop of %.0f/s", size>>10, o.rate)
			open := closed
			open.Rate, open.Senders, open.Events = o.rate, 4*o.senders, min(events, int(10*o.rate))
			r, err := runPostcall(ctx, o, "postcall", st, newCalls(newRun(), size, 1), open)
			p.Results = append(p.Results, r)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// newRun is the start of the call ids of one run.
func newRun() string { return "bench-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-" }

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
