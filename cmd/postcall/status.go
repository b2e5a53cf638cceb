package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
)

func statusCommand() *cobra.Command {
	var asJSON, once bool
	var every time.Duration
	c := &cobra.Command{
		Use: "status", Short: "Show backlog, bytes, ages, rates and when each sink has caught up", Args: cobra.NoArgs,
		Long: `status shows where everything stands: what waits in the intake, how far each sink is, what is held back, how full the streams
are. On a terminal it is refreshed in place until Ctrl-C; elsewhere it is printed once. Rates are those between two looks.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond {
				return usagef("--every is at least 100ms")
			}
			return operate(c.Context(), c.ErrOrStderr(), false, func(op *connector.Operator, _ []connector.Sink) error {
				if asJSON {
					s, err := op.Status(c.Context())
					if err != nil {
						return err
					}
					return printJSON(c.OutOrStdout(), s)
				}
				return watchStatus(c.Context(), c.OutOrStdout(), op, every, once || !isTerminal(c.OutOrStdout()))
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, once")
	c.Flags().BoolVar(&once, "once", false, "print once and end")
	c.Flags().DurationVar(&every, "every", time.Second, "time between two looks")
	return c
}

func watchStatus(ctx context.Context, w io.Writer, op *connector.Operator, every time.Duration, once bool) error {
	last, err := op.Status(ctx)
	if err != nil {
		return err
	}
	first := last
	lines := 0
	for {
		if !waitUntil(ctx, time.Now().Add(every)) {
			return nil
		}
		now, err := op.Status(ctx)
		if err != nil {
			return err
		}
		text := statusText(first, last, now)
		if lines > 0 {
			_, _ = fmt.Fprintf(w, "\x1b[%dA\x1b[J", lines) // back to the first line, clear what follows
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		if once {
			return nil
		}
		lines, last = strings.Count(text, "\n"), now
	}
}

// statusText shows s: rates since the look before it, and how fast streams fill since the first one.
func statusText(first, last, s *connector.Status) string {
	var b strings.Builder
	secs := s.At.Sub(last.At).Seconds()
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(tw, "EVENTS\treceived %d\tkept %d\tdead %d\tdropped %d\tdamaged %d\t%.0f/s in\n",
		s.Counts.Received, s.Counts.Kept, s.Counts.Dead, s.Counts.Dropped, s.Counts.Damaged, float64(s.Counts.Received-last.Counts.Received)/secs)
	_ = tw.Flush()
	_, _ = fmt.Fprintln(tw, "\nSTREAM\tMESSAGES\tBYTES\tFULL\tFULL IN\tOLDEST\tEVENTS")
	row := func(name string, st, before connector.StreamStatus, events string) {
		_, _ = fmt.Fprintf(tw, "%s\t%d\t%s\t%.0f%%\t%s\t%s\t%s\n",
			name, st.Messages, humanBytes(st.Bytes), 100*st.Use, fullIn(st, before, s.At.Sub(first.At)), age(s.At, st.Oldest), events)
	}
	row("intake", s.Intake, first.Intake, fmt.Sprintf("%d waiting", s.Counts.Waiting))
	row("batches", s.Batches, first.Batches, "-")
	row("dead", s.Dead, first.Dead, "-")
	row("refused", s.Refused, first.Refused, "-")
	_ = tw.Flush()
	_, _ = fmt.Fprintln(tw, "\nSINK\tDELIVERED\tDEAD\tPENDING\tBATCHES\tOLDEST\tRATE\tCAUGHT UP")
	for i, k := range s.Sinks {
		rate := 0.0
		if i < len(last.Sinks) && k.Delivered > last.Sinks[i].Delivered {
			rate = float64(k.Delivered-last.Sinks[i].Delivered) / secs
		}
		eta := "now"
		if todo := k.Pending + s.Counts.Waiting; todo > 0 {
			eta = "not at this rate"
			if net := rate - float64(s.Counts.Received-last.Counts.Received)/secs; net > 0 {
				eta = "in " + time.Duration(float64(todo)/net*float64(time.Second)).Round(time.Second).String()
			}
		}
		_, _ = fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%s\t%.0f/s\t%s\n", k.Name, k.Delivered, k.Dead, k.Pending, k.Batches, age(s.At, k.Oldest), rate, eta)
	}
	_ = tw.Flush()
	if c := s.Cluster; c != nil {
		_, _ = fmt.Fprintf(tw, "\nCLUSTER\t%d replicas\t%d partitions\thouse %s\n", c.Replicas, c.Partitions, cmp.Or(c.House, "nobody"))
		for p, pod := range c.Sealers {
			_, _ = fmt.Fprintf(tw, "partition %d\t%s\n", p, cmp.Or(pod, "nobody seals it"))
		}
		_ = tw.Flush()
	}
	if len(s.Transforms) > 0 {
		_, _ = fmt.Fprintln(tw, "\nTRANSFORM\tVERSION\tSTATE\tPROCESSES\tMEMORY\tSTARTS\tCRASHED\tHUNG\tTOO LARGE")
	}
	for _, t := range s.Transforms {
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\n", t.Name, t.Version, transformState(&t), t.Running, humanBytes(uint64(t.Memory)), t.Starts, t.Crashed, t.Hung, t.Oversized)
	}
	_ = tw.Flush()
	return b.String()
}

// fullIn is coarse: what grows for a moment need not go on growing.
func fullIn(now, before connector.StreamStatus, since time.Duration) string {
	left, ok := now.FullIn(before, since)
	switch {
	case !ok || left > 30*24*time.Hour:
		return "-"
	case left >= time.Hour:
		return fmt.Sprintf("%.0fh", left.Hours())
	}
	return left.Round(time.Minute).String()
}

// transformState says what a state means for the events.
func transformState(t *connector.TransformStatus) string {
	switch t.State {
	case connector.TransformHolds:
		return "CAN'T RUN, events wait"
	case connector.TransformSkipped:
		return "CAN'T RUN, events skip it"
	}
	return t.State
}
