package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
)

func auditCommand() *cobra.Command {
	var sink string
	var asJSON bool
	c := &cobra.Command{
		Use: "audit", Short: "Compare what was sealed with what the stores have, and name what is missing", Args: cobra.NoArgs,
		Long: `audit reads every sealed batch that is still kept (POSTCALL_RETAIN) and that a sink has acknowledged, and asks the sink's store
for each call: it has to have the sealed version or a newer one, or the event is a dead letter of that sink. It also checks that
received = delivered + dead + dropped + damaged + pending. Exit code 1 says that something is missing.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return operate(c.Context(), c.ErrOrStderr(), true, func(op *connector.Operator, sinks []connector.Sink) error {
				if sink != "" {
					s, err := oneSink(sinks, sink)
					if err != nil {
						return err
					}
					sinks = []connector.Sink{s}
				}
				return audit(c, op, sinks, asJSON)
			})
		},
	}
	c.Flags().StringVar(&sink, "sink", "", "this sink only")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func audit(c *cobra.Command, op *connector.Operator, sinks []connector.Sink, asJSON bool) error {
	out := c.OutOrStdout()
	status, err := op.Status(c.Context())
	if err != nil {
		return err
	}
	results := []*connector.AuditResult{}
	missing := 0
	for _, s := range sinks {
		bar := newBar(c.ErrOrStderr(), 2, s.Name)
		res, err := op.Audit(c.Context(), s, bar.set)
		bar.done()
		if err != nil {
			return err
		}
		results = append(results, res)
		missing += len(res.Missing)
	}
	if asJSON {
		if err := printJSON(out, struct {
			Status *connector.Status        `json:"status"`
			Sinks  []*connector.AuditResult `json:"sinks"`
		}{status, results}); err != nil {
			return err
		}
	} else {
		k := status.Counts
		_, _ = fmt.Fprintf(out, "received %d + replayed %d = kept %d + dead %d + dropped %d + damaged %d + waiting %d\n",
			k.Received, k.Replayed, k.Kept, k.Dead, k.Dropped, k.Damaged, k.Waiting)
		for _, s := range status.Sinks {
			_, _ = fmt.Fprintf(out, "%s: kept %d = delivered %d + dead %d + pending %d\n", s.Name, k.Kept, s.Delivered, s.Dead, s.Pending)
		}
		for _, r := range results {
			_, _ = fmt.Fprintf(out, "%s: %d batches, %d calls checked, %d held back, %d missing\n", r.Sink, r.Batches, r.Events, r.Dead, len(r.Missing))
			for i, m := range r.Missing {
				if i == 50 {
					_, _ = fmt.Fprintf(out, "  and %d more; --json lists all\n", len(r.Missing)-i)
					break
				}
				_, _ = fmt.Fprintf(out, "  missing: tenant %s call %s version %d (store has %d), batch %s\n", m.Tenant, m.CallID, m.Version, m.Found, m.Batch)
			}
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d calls are missing: bring them back with `postcall replay --sink SINK --since TIME`", missing)
	}
	return nil
}

var replayID = regexp.MustCompile(`^[a-z0-9-]{1,32}$`) // it is part of subjects and tokens

func replayCommand() *cobra.Command {
	var sink, since, until, id string
	c := &cobra.Command{
		Use: "replay --sink SINK --since TIME", Short: "Load sealed batches into one sink again", Args: cobra.NoArgs,
		Long: `replay loads the sealed batches of a time range, as far as they are kept (POSTCALL_RETAIN), into one sink again, as they were
sealed: no transform runs, and versions stay, so nothing newer is overwritten. Other sinks see nothing of it. An interrupted
replay is continued by its id.`,
		Example: `  postcall replay --sink elasticsearch --since 6h
  postcall replay --sink clickhouse --since 2026-11-22T08:00:00Z --until 2026-11-22T09:00:00Z`,
		RunE: func(c *cobra.Command, _ []string) error {
			if sink == "" || since == "" {
				return usagef("replay needs --sink and --since; see postcall replay --help")
			}
			from, err := parseWhen("since", since)
			if err != nil {
				return err
			}
			to, err := parseWhen("until", until)
			if err != nil {
				return err
			}
			if id == "" {
				id = "r" + strings.ToLower(rand.Text()[:8])
			}
			if !replayID.MatchString(id) {
				return usagef("--id is that of an earlier replay: letters in lower case, digits and -, 32 at most")
			}
			return operate(c.Context(), c.ErrOrStderr(), true, func(op *connector.Operator, sinks []connector.Sink) error {
				s, err := oneSink(sinks, sink)
				if err != nil {
					return err
				}
				bar := newBar(c.ErrOrStderr(), 2, s.Name)
				res, err := op.Replay(c.Context(), s, id, from, to, bar.set)
				bar.done()
				if err != nil {
					return errors.Join(err, fmt.Errorf("after %d batches; continue with --id %s", res.Batches, id))
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "replay %s: %d batches, %d calls loaded into %s\n", res.ID, res.Batches, res.Events, s.Name)
				return err
			})
		},
	}
	c.Flags().StringVar(&sink, "sink", "", "the sink to load into")
	c.Flags().StringVar(&since, "since", "", "sealed at or after this time, or within this age")
	c.Flags().StringVar(&until, "until", "", "sealed before this time, or longer ago than this age")
	c.Flags().StringVar(&id, "id", "", "id of an interrupted replay, to continue it")
	return c
}
