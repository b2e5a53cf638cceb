package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
)

func transformCommand() *cobra.Command {
	return &cobra.Command{
		Use: "transform [FILE...]", Short: "Dry run: payloads in, canonical events out",
		Long: `transform normalizes payloads (JSON or NDJSON; standard input without FILE), runs them through the configured transforms by
the real plugin processes, and writes one canonical event a line. It needs no store and no configuration. Every turn is
kept, in order, its text unchanged outside redactions. A payload that is refused is an error with its line number on
standard error; the others go on, and the exit code is 1.`,
		Example: `  postcall transform testdata/webhooks/*.json
  postcall transform < calls.ndjson > events.ndjson`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"-"}
			}
			return transform(c.Context(), "phonely", args, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
}

func transform(ctx context.Context, src string, files []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	cfg, err := connector.LoadConfig()
	if err != nil {
		return err
	}
	if cfg.RequireRedactKey() != nil {
		cfg.RedactKey = connector.Secret(rand.Text())
		_, _ = fmt.Fprintln(stderr, "postcall: POSTCALL_REDACT_KEY is not set; this run uses a key of its own, so its hashes match no other run's")
	}
	log := newLogger(stderr, "warn")
	set, err := cfg.OpenSources()
	if err != nil {
		return err
	}
	chains, err := connector.OpenTransforms(ctx, cfg, log)
	defer chains.Close()
	if err != nil {
		return err
	}
	dry, err := connector.NewDryRun(cfg, set, src, chains, log)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(stdout, 1<<20)
	defer func() { err = errors.Join(err, out.Flush()) }()
	d := dryRunner{dry: dry, out: out, stderr: stderr, limit: cfg.Transform.Events * cfg.Transform.Concurrency}
	for _, f := range files {
		if err := readPayloads(f, stdin, func(p payload) error { return d.add(ctx, p) }); err != nil {
			return err
		}
	}
	if err := d.flush(ctx); err != nil {
		return err
	}
	if d.refused > 0 {
		_, _ = fmt.Fprintf(stderr, "postcall: %d payloads refused\n", d.refused)
		return errReported
	}
	return nil
}

// dryRunner collects payloads into batches and writes what becomes of them, in order.
type dryRunner struct {
	dry     *connector.DryRun
	out     *bufio.Writer
	stderr  io.Writer
	limit   int
	batch   []payload
	buf     []byte
	refused int
}

func (d *dryRunner) add(ctx context.Context, p payload) error {
	p.body = slices.Clone(p.body)
	d.batch = append(d.batch, p)
	if len(d.batch) < d.limit {
		return nil
	}
	return d.flush(ctx)
}

func (d *dryRunner) flush(ctx context.Context) error {
	bodies := make([][]byte, len(d.batch))
	for i := range d.batch {
		bodies[i] = d.batch[i].body
	}
	results, err := d.dry.Run(ctx, bodies)
	if err != nil {
		return err
	}
	for i, r := range results {
		p := &d.batch[i]
		if p.err == nil {
			p.err = r.Err
		}
		if p.err != nil {
			d.refused++
			_, _ = fmt.Fprintf(d.stderr, "postcall: %s: %v\n", p.where(), p.err)
			continue
		}
		for j := range r.Events {
			if d.buf, err = r.Events[j].CanonicalJSON(d.buf[:0]); err != nil {
				return err
			}
			if _, err := d.out.Write(append(d.buf, '\n')); err != nil {
				return err
			}
		}
	}
	d.batch = d.batch[:0]
	return nil
}
