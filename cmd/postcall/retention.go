package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/elastic"
)

func retentionCommand() *cobra.Command {
	var apply, asJSON bool
	c := &cobra.Command{
		Use: "retention", Short: "Show which old calls would be removed, or remove them", Args: cobra.NoArgs,
		Long: `retention removes from Elasticsearch the calls older than POSTCALL_ELASTICSEARCH_KEEP_DAYS, and what is personal of those older
than POSTCALL_ELASTICSEARCH_KEEP_PERSONAL_DAYS: what was said and who said it; numbers, topics and outcomes stay. Months of
which every call is too old go as whole indices. Without --apply it only shows what would go.

Run it every day, by cron or a CronJob; it is safe to repeat, to interrupt, and beside a running connector. ClickHouse removes
old rows by itself.`,
		Example: `  postcall retention            what would go
  postcall retention --apply    remove it`,
		RunE: func(c *cobra.Command, _ []string) error {
			return retention(c.Context(), c.OutOrStdout(), c.ErrOrStderr(), apply, asJSON)
		},
	}
	c.Flags().BoolVar(&apply, "apply", false, "remove them")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// retentionResult is what came of each sink that doesn't remove by itself.
type retentionResult struct {
	Applied       bool              `json:"applied"`
	Elasticsearch []elastic.Removal `json:"elasticsearch"`
}

func retention(ctx context.Context, out, progress io.Writer, apply, asJSON bool) error {
	cfg, err := connector.LoadConfig()
	if err != nil {
		return err
	}
	es := cfg.Elasticsearch
	if !slices.Contains(cfg.Sinks, "elasticsearch") {
		return errors.New("elasticsearch is not in POSTCALL_SINKS, and clickhouse removes old rows by itself: there is nothing to do")
	}
	if es.KeepDays == 0 && es.KeepPersonalDays == 0 {
		return errors.New("nothing is old: set POSTCALL_ELASTICSEARCH_KEEP_DAYS or POSTCALL_ELASTICSEARCH_KEEP_PERSONAL_DAYS to a number of days")
	}
	res := retentionResult{Applied: apply}
	if apply {
		res.Elasticsearch, err = elastic.ApplyRetention(ctx, es, time.Now(), retentionProgress(progress))
	} else {
		res.Elasticsearch, err = elastic.PlanRetention(ctx, es, time.Now())
	}
	if err != nil {
		err = fmt.Errorf("elasticsearch: %w", err)
	}
	if asJSON {
		if res.Elasticsearch == nil {
			res.Elasticsearch = []elastic.Removal{}
		}
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return errors.Join(enc.Encode(res), err)
	}
	return errors.Join(printRetention(out, res), err)
}

// retentionProgress writes a line for each part, at most one a second.
func retentionProgress(w io.Writer) func(elastic.Removal) {
	var last time.Time
	return func(r elastic.Removal) {
		if now := time.Now(); now.Sub(last) >= time.Second || r.Done == r.Calls {
			last = now
			_, _ = fmt.Fprintf(w, "%s: %s: %d of %d calls\n", r.Index, r.Action, r.Done, r.Calls)
		}
	}
}

func printRetention(w io.Writer, res retentionResult) error {
	if len(res.Elasticsearch) == 0 {
		_, err := fmt.Fprintln(w, "nothing is old enough")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "SINK\tINDEX\tSTARTED BEFORE\tCALLS\tDONE\tACTION")
	for _, r := range res.Elasticsearch {
		_, _ = fmt.Fprintf(tw, "elasticsearch\t%s\t%s\t%d\t%d\t%s\n", r.Index, r.Before.Format("2006-01-02 15:04"), r.Calls, r.Done, r.Action)
	}
	if err := tw.Flush(); err != nil || res.Applied {
		return err
	}
	_, err := fmt.Fprintln(w, "nothing has been removed: add --apply")
	return err
}
