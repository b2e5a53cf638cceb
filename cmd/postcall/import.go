package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/source"
)

func importCommand() *cobra.Command {
	var src, rejects string
	var again bool
	c := &cobra.Command{
		Use: "import FILE...", Short: "Backfill calls from NDJSON files (.gz, .zst)", Args: cobra.MinimumNArgs(1),
		Long: `import brings past calls in: one payload a line, as the sender would have delivered it; gzip and zstd are read by what is in
the file, "-" is standard input. The calls go the way of every delivery: onto the disk of the intake, then through
redaction and the other transforms into the stores. A call that was delivered live stays as it is: an imported one is as
old as the end of its call. Above half of the intake's room the import waits, so that deliveries keep theirs.

After Ctrl-C, or a crash, run the same command again: it goes on behind the last record that is on disk. What it
remembers of a file is in POSTCALL_DATA_DIR/imports. A record that is refused is named with its line and the reason, and
the exit code is 1; the others go in.

Run it where "postcall serve" runs, as its user (in Kubernetes: kubectl exec).`,
		Example: `  postcall import calls-2025.ndjson.zst
  postcall import --source retell export/*.ndjson.gz
  postcall import --rejects refused.ndjson calls.ndjson`,
		RunE: func(c *cobra.Command, files []string) error {
			return operate(c.Context(), c.ErrOrStderr(), false, func(op *connector.Operator, _ []connector.Sink) error {
				im := importing{op: op, src: src, again: again, out: c.OutOrStdout(), stderr: c.ErrOrStderr(), stdin: c.InOrStdin(), reasons: map[string]int{}}
				return im.run(c.Context(), files, rejects)
			})
		},
	}
	c.Flags().StringVar(&src, "source", source.Phonely, "source of POSTCALL_SOURCES that the payloads come from")
	c.Flags().StringVar(&rejects, "rejects", "", "file that the lines of refused records are appended to: as they are, with what is personal in them")
	c.Flags().BoolVar(&again, "again", false, "begin at the first line, whatever was imported of the files before")
	return c
}

// importing is one run over some files.
type importing struct {
	op      *connector.Operator
	src     string
	again   bool
	out     io.Writer
	stderr  io.Writer
	stdin   io.Reader
	rejects io.Writer // nil keeps none

	bar      *importBar
	imported int
	ignored  int
	refused  int
	reasons  map[string]int // refused records by reason
}

// shownRefusals bounds the refused records that are named one by one.
const shownRefusals = 20

func (im *importing) run(ctx context.Context, files []string, rejects string) (err error) {
	// What an import holds is a few chunks, so that Go would collect all the time, for a fifth of the CPU. The bound leaves room
	// beside serve.
	collect(400, 192<<20)
	inputs, total, err := openInputs(files, im.stdin)
	defer closeInputs(inputs)
	if err != nil {
		return err
	}
	if rejects != "" {
		f, err := openRejects(rejects)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		im.rejects = f
	}
	start := time.Now()
	im.bar = newImportBar(im.stderr, total)
	for _, in := range inputs {
		if err = im.file(ctx, in); err != nil {
			break
		}
	}
	im.bar.done()
	im.summary(time.Since(start))
	switch {
	case ctx.Err() != nil:
		_, _ = fmt.Fprintln(im.stderr, "postcall: interrupted; run the same command again, and it goes on where it was")
		return errReported
	case err == nil && im.refused > 0:
		return errReported
	}
	return err
}

// file imports one file, from where an earlier run left off.
func (im *importing) file(ctx context.Context, in *input) error {
	st, err := openImportState(im.op.ImportDir(), in, im.src, im.again)
	if err != nil {
		return err
	}
	defer st.close()
	if st.Done && in.file != nil {
		_, _ = fmt.Fprintf(im.stderr, "postcall: %s was imported %s, all %d lines; --again imports it once more\n", in.name, st.At.Format(time.DateTime), st.Lines)
		im.bar.skip(in)
		return nil
	}
	if st.Lines > 0 {
		_, _ = fmt.Fprintf(im.stderr, "postcall: %s goes on behind line %d\n", in.name, st.Lines)
	}
	w, err := im.op.NewImporter(im.src, st.id)
	if err != nil {
		return err
	}
	w.Waiting = im.bar.waiting
	if err := im.pump(ctx, in, st, w); err != nil {
		return err
	}
	return st.finish()
}

// chunk is what one worker checks at once; the bytes are those of the file up to its end.
type chunk struct {
	records []connector.ImportRecord
	last    int64 // line
	read    int64
	made    chan *connector.ImportChunk
}

// pump reads chunks, has them checked by as many workers as there are cores, and writes them in the order of the file.
func (im *importing) pump(ctx context.Context, in *input, st *importState, w *connector.Importer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := max(runtime.GOMAXPROCS(0), 1)
	todo, order := make(chan *chunk), make(chan *chunk, 2*workers)
	for range workers {
		go func() {
			for c := range todo {
				c.made <- w.Prepare(c.records)
			}
		}()
	}
	var readErr error
	go func() {
		defer close(order)
		defer close(todo)
		readErr = in.chunks(st.Lines, w.MaxBody(), func(c *chunk) bool {
			c.made = make(chan *connector.ImportChunk, 1)
			for _, to := range []chan *chunk{order, todo} {
				select {
				case to <- c:
				case <-ctx.Done():
					return false
				}
			}
			return true
		})
	}()
	for c := range order {
		var made *connector.ImportChunk
		select {
		case made = <-c.made:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := w.Write(ctx, made); err != nil {
			return fmt.Errorf("%s, behind line %d: %w", in.name, st.Lines, err)
		}
		if err := im.note(in, c, made); err != nil {
			return err
		}
		if err := st.advance(c.last); err != nil {
			return err
		}
		im.bar.to(in, c.read, made.Records)
	}
	if readErr != nil {
		return fmt.Errorf("read %s: %w", in.name, readErr)
	}
	return ctx.Err()
}

// note counts what became of a chunk and names what was refused.
func (im *importing) note(in *input, c *chunk, made *connector.ImportChunk) error {
	im.imported += made.Records
	im.ignored += made.Ignored
	for _, r := range made.Refused {
		if im.refused++; im.refused <= shownRefusals {
			im.bar.say(fmt.Sprintf("postcall: %s line %d: %v\n", in.name, r.N, r.Err))
		} else if im.refused == shownRefusals+1 {
			im.bar.say("postcall: more are refused; the summary counts them by reason\n")
		}
		im.reasons[r.Err.Error()]++
		if im.rejects == nil {
			continue
		}
		if i := slices.IndexFunc(c.records, func(rec connector.ImportRecord) bool { return rec.N == r.N }); i >= 0 && c.records[i].Body != nil {
			if _, err := im.rejects.Write(append(slices.Clip(c.records[i].Body), '\n')); err != nil {
				return fmt.Errorf("write --rejects: %w", err)
			}
		}
	}
	return nil
}

// shownReasons bounds the reasons of the summary.
const shownReasons = 20

func (im *importing) summary(took time.Duration) {
	_, _ = fmt.Fprintf(im.out, "%d calls on disk, %d refused, %d ignored by the mapping, in %s (%.0f/s); \"postcall status\" shows their way into the stores\n",
		im.imported, im.refused, im.ignored, took.Round(10*time.Millisecond), float64(im.imported)/took.Seconds())
	reasons := slices.SortedFunc(maps.Keys(im.reasons), func(a, b string) int { return im.reasons[b] - im.reasons[a] })
	for i, why := range reasons {
		if i == shownReasons {
			_, _ = fmt.Fprintf(im.out, "  and %d more reasons\n", len(reasons)-i)
			break
		}
		_, _ = fmt.Fprintf(im.out, "  %6d  %s\n", im.reasons[why], why)
	}
	if !im.op.Serving() && im.imported > 0 {
		_, _ = fmt.Fprintln(im.out, "No connector runs on this data directory: start postcall serve to load them.")
	}
}
