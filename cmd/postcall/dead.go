package main

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
)

// deadFlags pick dead letters.
type deadFlags struct {
	stage, sink, reason, since, until string
	closed, asJSON, all               bool
	limit                             int
}

func (f *deadFlags) filter(id string) (connector.DeadFilter, error) {
	since, err := parseWhen("since", f.since)
	if err != nil {
		return connector.DeadFilter{}, err
	}
	until, err := parseWhen("until", f.until)
	return connector.DeadFilter{ID: id, Stage: f.stage, Sink: f.sink, Reason: f.reason, Since: since, Until: until, Closed: f.closed}, err
}

func (f *deadFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.stage, "stage", "", "webhook, normalize, transform, seal, intake or load")
	c.Flags().StringVar(&f.sink, "sink", "", "the sink that lacks the event")
	c.Flags().StringVar(&f.reason, "reason", "", "text that the reason holds")
	c.Flags().StringVar(&f.since, "since", "", "died at or after this time, or within this age")
	c.Flags().StringVar(&f.until, "until", "", "died before this time, or longer ago than this age")
}

func deadCommand() *cobra.Command {
	c := groupCommand("dead", "List, show, replay or purge what is held back", deadListCommand(), deadShowCommand(),
		deadActCommand("replay", "Bring dead letters back: to their sink, or through mapping and transforms again"),
		deadActCommand("purge", "Remove what dead letters hold, for good"))
	c.Long = `dead works on the events and bodies that postcall holds back, with their reasons. It reaches the running connector of
POSTCALL_DATA_DIR, the cluster of POSTCALL_NATS_URL, or, where nothing runs, the data directory itself.`
	c.Example = `  postcall dead list
  postcall dead list --sink elasticsearch --since 24h
  postcall dead show 3f2a
  postcall dead replay --stage transform --reason map-topics
  postcall dead purge 3f2a`
	return c
}

func deadListCommand() *cobra.Command {
	var f deadFlags
	c := &cobra.Command{Use: "list", Short: "List dead letters, oldest first", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		filter, err := f.filter("")
		if err != nil {
			return err
		}
		return operate(c.Context(), c.ErrOrStderr(), false, func(op *connector.Operator, _ []connector.Sink) error {
			found := []*connector.DeadLetter{}
			count := map[string]int{}
			err := op.Dead(c.Context(), filter, func(l *connector.DeadLetter) error {
				count[l.Stage+" "+l.Sink] += max(l.Events, 1)
				if len(found) < f.limit {
					d := *l
					d.Body, d.Event = nil, nil
					found = append(found, &d)
				}
				return nil
			})
			if err != nil {
				return err
			}
			if f.asJSON {
				return printJSON(c.OutOrStdout(), found)
			}
			return printDead(c.OutOrStdout(), found, count)
		})
	}}
	f.add(c)
	c.Flags().BoolVar(&f.closed, "closed", false, "replayed and purged ones as well")
	c.Flags().IntVar(&f.limit, "limit", 100, "entries shown at most")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return c
}

func printDead(w io.Writer, found []*connector.DeadLetter, count map[string]int) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(found) > 0 {
		_, _ = fmt.Fprintln(tw, "ID\tDIED\tSTAGE\tSINK\tEVENTS\tCALL\tSTATE\tREASON")
	}
	for _, l := range found {
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", l.ID[:min(len(l.ID), 12)], l.Died.Local().Format(time.DateTime), l.Stage, dash(l.Sink),
			max(l.Events, 1), dash(l.CallID), dash(l.State), l.Reason)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	keys := make([]string, 0, len(count))
	for k := range count {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		_, _ = fmt.Fprintf(w, "%d events at %s\n", count[k], strings.TrimSpace(k))
	}
	if len(keys) == 0 {
		_, _ = fmt.Fprintln(w, "nothing is held back")
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func deadShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one dead letter; its body only as the shape of its JSON", Args: cobra.ExactArgs(1),
		Long: `show prints what is known of a dead letter. The event of a sink's dead letter has been through redaction and is shown. A body
from before that is shown as the names of its fields and the kinds of their values, never the values.`,
		RunE: func(c *cobra.Command, args []string) error {
			return operate(c.Context(), c.ErrOrStderr(), false, func(op *connector.Operator, _ []connector.Sink) error {
				l, err := oneDead(c, op, args[0])
				if err != nil {
					return err
				}
				return showDead(c.OutOrStdout(), op, l)
			})
		},
	}
}

func oneDead(c *cobra.Command, op *connector.Operator, id string) (*connector.DeadLetter, error) {
	var found []*connector.DeadLetter
	err := op.Dead(c.Context(), connector.DeadFilter{ID: id, Closed: true}, func(l *connector.DeadLetter) error {
		d := *l
		found = append(found, &d)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("no dead letter %s; `postcall dead list` lists them", id)
	case len(found) > 1:
		return nil, fmt.Errorf("%d dead letters begin with %s: give more of the id", len(found), id)
	}
	return found[0], nil
}

func showDead(w io.Writer, op *connector.Operator, l *connector.DeadLetter) error {
	meta := *l
	meta.Body, meta.Event = nil, nil
	if err := printJSON(w, meta); err != nil {
		return err
	}
	if len(l.Event) > 0 {
		e, err := op.DeadEvent(l)
		if err != nil {
			return err
		}
		b, err := e.CanonicalJSON(nil)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	}
	if len(l.Body) == 0 {
		return nil
	}
	body, err := op.DeadBody(l)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "body: %d bytes, %s\n", len(body), connector.Shape(body))
	return err
}

func deadActCommand(verb, short string) *cobra.Command {
	var f deadFlags
	c := &cobra.Command{
		Use: verb + " [ID...]", Short: short,
		Long: short + `.
It takes the dead letters named by ID, or those that the filters pick, or every one with --all.`,
		RunE: func(c *cobra.Command, ids []string) error {
			filter, err := f.filter("")
			if err != nil {
				return err
			}
			if len(ids) == 0 && !f.all && filter == (connector.DeadFilter{}) {
				return usagef("name dead letters, give a filter, or --all; see postcall dead %s --help", verb)
			}
			return operate(c.Context(), c.ErrOrStderr(), verb == "replay", func(op *connector.Operator, sinks []connector.Sink) error {
				return actOnDead(c, op, sinks, verb, ids, filter)
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&f.all, "all", false, "every dead letter")
	return c
}

func actOnDead(c *cobra.Command, op *connector.Operator, sinks []connector.Sink, verb string, ids []string, filter connector.DeadFilter) error {
	var picked []*connector.DeadLetter // without what they hold: that is read again one by one
	err := op.Dead(c.Context(), filter, func(l *connector.DeadLetter) error {
		if len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(l.ID, id) }) {
			return nil
		}
		d := *l
		d.Body, d.Event = nil, nil
		picked = append(picked, &d)
		return nil
	})
	if err != nil {
		return err
	}
	if len(ids) > 0 && len(picked) == 0 {
		return fmt.Errorf("no dead letter held has such an id; `postcall dead list` lists them")
	}
	bar := newBar(c.ErrOrStderr(), int64(len(picked)), verb)
	done, failed := 0, 0
	for _, p := range picked {
		err := op.Dead(c.Context(), connector.DeadFilter{ID: p.ID, Stage: p.Stage}, func(l *connector.DeadLetter) error {
			if verb == "purge" {
				return op.PurgeDead(c.Context(), l)
			}
			return op.ReplayDead(c.Context(), l, sinks)
		})
		if err != nil {
			if c.Context().Err() != nil {
				return err
			}
			failed++
			_, _ = fmt.Fprintf(c.ErrOrStderr(), "postcall: %v\n", err)
			continue
		}
		done++
		bar.Increment()
	}
	bar.done()
	_, _ = fmt.Fprintf(c.OutOrStdout(), "%d of %d dead letters: %s done\n", done, len(picked), verb)
	if failed > 0 {
		return errReported
	}
	return nil
}
