package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// scale is how much a run does.
type scale struct {
	events int // deliveries of a row
	kills  int
	frozen int // seconds
	only   func(row) bool
}

var scales = map[string]scale{
	"short": {events: 500, kills: 5, frozen: 10},
	"":      {events: 20_000, kills: 20, frozen: 30},
	"long":  {events: 100_000, kills: 50, frozen: 30, only: func(r row) bool { return r.kills }},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	switch err := run(ctx, os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

var (
	errUsage = errors.New("usage")
	errOff   = errors.New("not every row is as it has to be")
)

func run(ctx context.Context, args []string) error {
	var (
		o        options
		pattern  string
		sabotage string
		list     bool
	)
	f := flag.NewFlagSet("faults", flag.ContinueOnError)
	f.StringVar(&pattern, "run", "", "regular expression of the rows to run")
	f.StringVar(&sabotage, "sabotage", "", "token, fence or fsync: the row that runs a build without it")
	f.BoolVar(&list, "list", false, "list the rows")
	f.StringVar(&o.bin, "bin", "", "folder of postcall, plugins/ and local; bin/ of the tree by default")
	f.StringVar(&o.dir, "dir", "", "folder for data; a temporary one by default")
	f.BoolVar(&o.keep, "keep", false, "keep the data and the logs of every row")
	f.IntVar(&o.events, "events", 0, "deliveries of a row; by default as $FAULTS says (short, long or unset)")
	if err := f.Parse(args); err != nil {
		return err
	}
	sc, ok := scales[os.Getenv("FAULTS")]
	if !ok {
		return fmt.Errorf("%w: FAULTS is %q, and can be short or long", errUsage, os.Getenv("FAULTS"))
	}
	if o.events > 0 {
		sc.events = o.events
	}
	if sabotage != "" {
		pattern = "^without the " + regexp.QuoteMeta(sabotage) + "$"
	}
	rows, err := choose(pattern, sc)
	if err != nil {
		return err
	}
	if list {
		for _, r := range rows {
			fmt.Printf("%-34s %s\n", r.name, r.about)
		}
		return nil
	}
	o.scale = sc
	h, err := newHarness(o)
	if err != nil {
		return err
	}
	defer h.close()
	return h.run(ctx, rows)
}

func choose(pattern string, sc scale) ([]row, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%w: -run: %w", errUsage, err)
	}
	var chosen []row
	for _, r := range allRows() {
		if re.MatchString(r.name) && (sc.only == nil || sc.only(r)) && (!r.apart || pattern != "") {
			chosen = append(chosen, r)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%w: no row is called like %q; -list lists them", errUsage, pattern)
	}
	return chosen, nil
}

// repository is the root of the tree that the working directory is in.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module github.com/postcall/postcall\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("this is not inside the postcall repository")
		}
	}
}
