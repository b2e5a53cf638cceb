package main

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector/demo"
)

// demoOptions are the flags of demo-data.
type demoOptions struct {
	calls, days int
	seed        uint64
	start, zone string
}

func demoDataCommand() *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use: "demo-data", Short: "Write a believable month of made-up calls", Args: cobra.NoArgs,
		Long: `demo-data writes NDJSON as the sender would deliver it: the calls of five small businesses, in their opening hours and on their
busy days, with callers who call again, redeliveries, corrections, voicemail, errors and a few tests. Everybody is made up: numbers
are 555-0100 to 555-0199, addresses at example.com and its kin. The same flags write the same bytes; without --start they
depend on today too.

--calls counts calls; redeliveries and corrections are further lines, about one in twenty.`,
		Example: `  postcall demo-data --calls 400 | postcall send -
  postcall demo-data --calls 100000 --seed 7 --start 2026-10-15 --timezone America/Chicago > october.ndjson`,
		RunE: func(c *cobra.Command, _ []string) error { return demoData(o, c.OutOrStdout()) },
	}
	f := c.Flags()
	f.IntVar(&o.calls, "calls", 1000, "number of calls")
	f.Uint64Var(&o.seed, "seed", 1, "another seed makes other calls")
	f.StringVar(&o.start, "start", "", "first day, for example 2026-10-15 (default: so that the last day is yesterday)")
	f.IntVar(&o.days, "days", 31, "number of days")
	f.StringVar(&o.zone, "timezone", "UTC", "time zone of the businesses (IANA name), as in POSTCALL_TIMEZONE")
	return c
}

// options checks the flags.
func (o demoOptions) options() (demo.Options, error) {
	if o.calls < 1 || o.days < 1 || o.days > 3660 {
		return demo.Options{}, usagef("--calls is at least 1, --days 1 to 3660")
	}
	zone, err := time.LoadLocation(o.zone)
	if err != nil || o.zone == "" {
		return demo.Options{}, usagef("--timezone takes an IANA name, for example America/Chicago")
	}
	opts := demo.Options{Calls: o.calls, Seed: o.seed, Days: o.days, Zone: zone}
	if o.start != "" {
		if opts.Start, err = time.ParseInLocation(time.DateOnly, o.start, zone); err != nil {
			return demo.Options{}, usagef("--start takes a day, for example 2026-10-15")
		}
	}
	return opts, nil
}

func demoData(o demoOptions, w io.Writer) error {
	opts, err := o.options()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<20)
	for body := range demo.Month(opts) {
		if _, err := out.Write(append(body, '\n')); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
