package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/source"
)

func transformCommand() *cobra.Command {
	var src, mapping string
	c := &cobra.Command{
		Use: "transform [FILE...]", Short: "Dry run: payloads in, canonical events out",
		Long: `transform normalizes payloads (JSON or NDJSON; standard input without FILE), runs them through the configured transforms by
the real plugin processes, and writes one canonical event a line. It needs no store and no configuration. Every turn is
kept, in order, its text unchanged outside redactions. A payload that is refused is an error with its line number on
standard error; the others go on, and the exit code is 1.

With --source the payloads go through the mapping of that source of POSTCALL_SOURCES first, with --mapping through one that
no source has yet. What a mapping does not use of a payload is listed on standard error, by place and kind, never by value.`,
		Example: `  postcall transform testdata/webhooks/*.json
  postcall transform --source retell body.json
  postcall transform --mapping acme.jq body.json
  postcall transform < calls.ndjson > events.ndjson`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"-"}
			}
			if src != "" && mapping != "" {
				return usagef("--source and --mapping: give one of them")
			}
			return transform(c.Context(), src, mapping, args, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&src, "source", "", "source of POSTCALL_SOURCES that the payloads come from (default phonely)")
	c.Flags().StringVar(&mapping, "mapping", "", "mapping to try: a shipped name ("+strings.Join(source.ShippedNames(), ", ")+"), a file that ends in .jq, or a program")
	return c
}

// pickSource finds the source that payloads come from.
func pickSource(cfg connector.Config, name, mapping string) (*source.Set, string, error) {
	if mapping != "" {
		set, err := source.Adhoc("mapping", mapping)
		return set, "mapping", err
	}
	set, err := cfg.OpenSources()
	if name == "" {
		name = source.Phonely
	}
	return set, name, err
}

func transform(ctx context.Context, name, mapping string, files []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	cfg, err := connector.LoadConfig()
	if err != nil {
		return err
	}
	if cfg.RequireRedactKey() != nil {
		cfg.RedactKey = connector.Secret(rand.Text())
		_, _ = fmt.Fprintln(stderr, "postcall: POSTCALL_REDACT_KEY is not set; this run uses a key of its own, so its hashes match no other run's")
	}
	log := newLogger(stderr, "warn", cfg.LogFormat)
	set, src, err := pickSource(cfg, name, mapping)
	if err != nil {
		return err
	}
	chains, err := connector.OpenTransforms(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer chains.Close()
	dry, err := connector.NewDryRun(cfg, set, src, chains, log)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(stdout, 1<<20)
	defer func() { err = errors.Join(err, out.Flush()) }()
	d := dryRunner{dry: dry, src: set.Named(src), unused: map[string]string{}, out: out, stderr: stderr, limit: cfg.Transform.Events * cfg.Transform.Concurrency}
	for _, f := range files {
		if err := readPayloads(f, stdin, func(p payload) error { return d.add(ctx, p) }); err != nil {
			return err
		}
	}
	if err := d.flush(ctx); err != nil {
		return err
	}
	d.reportUnused()
	if d.refused > 0 {
		_, _ = fmt.Fprintf(stderr, "postcall: %d payloads refused\n", d.refused)
		return errReported
	}
	return nil
}

// dryRunner collects payloads into batches and writes what becomes of them, in order.
type dryRunner struct {
	dry     *connector.DryRun
	src     *source.Source    // nil is the built-in one
	unused  map[string]string // kinds of the places that the mapping does not use
	used    bool              // a mapping has been looked at
	out     *bufio.Writer
	stderr  io.Writer
	limit   int
	batch   []payload
	buf     []byte
	refused int
	looked  int
}

func (d *dryRunner) add(ctx context.Context, p payload) error {
	p.body = slices.Clone(p.body)
	parts := []source.Part{{Body: p.body}}
	if d.src != nil && p.err == nil {
		split, _, err := d.src.Events(p.body, false)
		if err == nil {
			parts = split
		}
	}
	for _, part := range parts {
		one := p
		if one.body = part.Body; part.Err != nil {
			one.err = part.Err
		}
		d.look(one)
		d.batch = append(d.batch, one)
	}
	if len(d.batch) < d.limit {
		return nil
	}
	return d.flush(ctx)
}

// maxLooked bounds the payloads whose unused places are looked for: the mapping runs once a place.
const maxLooked = 20

// look notes what the mapping does not use of a payload.
func (d *dryRunner) look(p payload) {
	if d.src == nil || d.src.Mapping() == nil || p.err != nil || d.looked == maxLooked {
		return
	}
	d.looked++
	unused, err := d.src.Unused(p.body, maxLine)
	if err != nil {
		return // the payload is refused, or is no call: its own line says so
	}
	d.used = true
	for _, f := range unused {
		d.unused[f.String()] = f.Kind
	}
}

// reportUnused lists the places that the mapping did not use of some payload.
func (d *dryRunner) reportUnused() {
	if len(d.unused) == 0 {
		if d.used {
			_, _ = fmt.Fprintln(d.stderr, "postcall: the mapping uses everything of the payloads")
		}
		return
	}
	_, _ = fmt.Fprintf(d.stderr, "postcall: the mapping does not use (of the first %d payloads, of one at least):\n", d.looked)
	for _, place := range slices.Sorted(maps.Keys(d.unused)) {
		_, _ = fmt.Fprintf(d.stderr, "  - %-50s %s\n", place, d.unused[place])
	}
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
		if errors.Is(p.err, source.ErrNoCall) {
			_, _ = fmt.Fprintf(d.stderr, "postcall: %s: %v\n", p.where(), p.err)
			continue
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
