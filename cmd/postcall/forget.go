package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
)

func forgetCommand() *cobra.Command {
	var e connector.Erasure
	var keepOut, asJSON, yes bool
	c := &cobra.Command{
		Use: "forget", Short: "Erase a call or a caller everywhere (GDPR Art. 17), with proof", Args: cobra.NoArgs,
		Long: `forget removes a call, or every call of a phone number or e-mail address, from ClickHouse, Elasticsearch and the streams: the
intake, sealed batches, dead letters, refused bodies. Then it counts what is left in both stores. It is safe to repeat; after
an error or Ctrl-C run it again.

A number or address is meant as the caller's (customerPhoneNumber, mentionedEmail), in every tenant and under every key
of POSTCALL_REDACT_KEY. The stores never held it in clear: it is found by its keyed hash. What others said about the caller
in their own calls was redacted when it came in.

What is erased never comes back by a replay, a dead letter or an import. A new delivery of an erased call, or a new call of
the caller, comes in again; --keep-out refuses that as well, for good.

The account, without the number or address, is appended to erasures.ndjson in POSTCALL_DATA_DIR.`,
		Example: `  postcall forget --phone +13125550142
  postcall forget --email nora@example.com --keep-out
  postcall forget --call-id 7d3c --tenant acme --yes`,
		RunE: func(c *cobra.Command, _ []string) error {
			if !keepOut {
				e.UpTo = time.Now().UnixMicro()
			}
			if !yes {
				return usagef("this removes data for good: add --yes")
			}
			return operate(c.Context(), c.ErrOrStderr(), true, func(op *connector.Operator, sinks []connector.Sink) error {
				return forget(c.Context(), op, e, sinks, asJSON, c.OutOrStdout(), c.ErrOrStderr())
			})
		},
	}
	c.Flags().StringVar(&e.CallID, "call-id", "", "id of a call; what was split from it goes too")
	c.Flags().StringVar(&e.Tenant, "tenant", "", "tenant of the call (default: the default one)")
	c.Flags().StringVar(&e.Phone, "phone", "", "phone number of a caller, E.164")
	c.Flags().StringVar(&e.Email, "email", "", "e-mail address of a caller")
	c.Flags().BoolVar(&keepOut, "keep-out", false, "drop later deliveries of it as well")
	c.Flags().BoolVar(&yes, "yes", false, "do it")
	c.Flags().BoolVar(&asJSON, "json", false, "print the account as JSON")
	return c
}

func forget(ctx context.Context, op *connector.Operator, e connector.Erasure, sinks []connector.Sink, asJSON bool, stdout, stderr io.Writer) error {
	f, err := op.ForgetEverywhere(ctx, e, sinks, func(what string) { _, _ = fmt.Fprintf(stderr, "postcall: erases in %s ...\n", what) })
	if f == nil {
		return usageError{err}
	}
	if asJSON {
		if err := printJSON(stdout, f); err != nil {
			return err
		}
	} else {
		forgetText(stdout, f)
	}
	if err != nil {
		return fmt.Errorf("not all of it could be erased; run it again: %w", err)
	}
	if !f.Proven {
		_, _ = fmt.Fprintln(stderr, "postcall: something is left, or can't be read; see above")
		return errReported
	}
	return nil
}

func forgetText(w io.Writer, f *connector.Forgotten) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "WHERE\tREMOVED\tLEFT")
	s := &f.Streams
	_, _ = fmt.Fprintf(tw, "sealed batches\t%d events of %d batches\t0\n", s.Events, s.Batches)
	_, _ = fmt.Fprintf(tw, "intake\t%d events, when they are sealed\t0\n", s.Waiting)
	_, _ = fmt.Fprintf(tw, "dead letters\t%d\t0\n", s.Dead)
	_, _ = fmt.Fprintf(tw, "refused bodies\t%d\t0\n", s.Refused)
	for _, k := range f.Stores {
		_, _ = fmt.Fprintf(tw, "%s\t%d\t%d\n", k.Sink, k.Removed, k.Left)
	}
	_ = tw.Flush()
	if s.Unreadable > 0 {
		_, _ = fmt.Fprintf(w, "%d stored pieces are damaged, or under a key that is not in POSTCALL_REDACT_KEY: nobody knows what is in them (postcall dead list)\n", s.Unreadable)
	}
	for _, k := range f.Stores {
		if k.Note != "" {
			_, _ = fmt.Fprintf(w, "%s: %s\n", k.Sink, k.Note)
		}
	}
	_, _ = fmt.Fprintf(w, "subject %s, recorded in erasures.ndjson\n", f.Subject)
}
