package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms/topics"
)

// reapplyOptions are the flags of topics reapply.
type reapplyOptions struct {
	file, sink      string
	dryRun, restart bool
	asJSON          bool
}

// reapplied is what topics reapply did to a store.
type reapplied struct {
	Sink    string        `json:"sink"`
	Seen    int           `json:"seen"`
	Changed int           `json:"changed"`
	Moves   []topicChange `json:"moves"` // of the main topic
}

// topicChange counts calls whose main topic was another one.
type topicChange struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Calls int    `json:"calls"`
}

func topicsReapplyCommand() *cobra.Command {
	var o reapplyOptions
	c := &cobra.Command{
		Use: "reapply", Short: "Give earlier calls the topics and readings of the changed taxonomy", Args: cobra.NoArgs,
		Long: `reapply walks through the calls of ClickHouse and of Elasticsearch and maps them again, as map-topics would now. Calls whose topics,
confidence, rule and readings stay as they are aren't written. A call keeps its version, so that a later delivery still
replaces it, and one that is corrected or erased meanwhile is left alone.

First restart "postcall serve" with the changed file: what it loads until then has the old topics. Run it where serve runs,
as its user. It is safe to repeat; after an error or Ctrl-C it goes on where it stopped. "postcall replay" and "dead replay"
never transform: what they load has the topics of its time, until reapply is run again.

Rules that look at what was said need the transcripts, which Elasticsearch has. For calls without one, topics that may
have come from it are kept.`,
		Example: `  postcall topics reapply --dry-run
  postcall topics reapply`,
		RunE: func(c *cobra.Command, _ []string) error {
			return operate(c.Context(), c.ErrOrStderr(), true, func(op *connector.Operator, sinks []connector.Sink) error {
				return o.run(c.Context(), op, sinks, c.OutOrStdout(), c.ErrOrStderr())
			})
		},
	}
	f := c.Flags()
	f.StringVar(&o.file, "rules", "", "file of rules (default that of POSTCALL_TOPICS, or the built-in ones)")
	f.StringVar(&o.sink, "sink", "", "only this one of POSTCALL_SINKS")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would change, and change nothing")
	f.BoolVar(&o.restart, "restart", false, "begin with the first call, though an earlier run was cut off")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return c
}

func (o *reapplyOptions) run(ctx context.Context, op *connector.Operator, sinks []connector.Sink, stdout, stderr io.Writer) error {
	rules, _, err := openRules(o.file)
	if err != nil {
		return err
	}
	cfg, err := connector.LoadConfig()
	if err != nil {
		return err
	}
	work := sinks
	if o.sink != "" {
		s, err := oneSink(sinks, o.sink)
		if err != nil {
			return err
		}
		work = []connector.Sink{s}
	}
	state, err := openReapplyState(filepath.Join(cfg.DataDir, reapplyStateFile), rules.Checksum(), o.restart || o.dryRun)
	if err != nil {
		return err
	}
	state.readOnly = o.dryRun
	var all []reapplied
	var errs []error
	for i := range work { // the second one too where the first one fails
		done, err := o.one(ctx, op, &work[i], transcripts(sinks), rules, state, stderr)
		if err != nil {
			errs = append(errs, err)
		}
		all = append(all, done)
	}
	if err := o.print(stdout, all); err != nil {
		return err
	}
	if len(errs) > 0 {
		return fmt.Errorf("not all calls were mapped again; run it again, it goes on where it stopped: %w", errors.Join(errs...))
	}
	return nil
}

// transcripts is the store that has them, or nil.
func transcripts(sinks []connector.Sink) connector.Transcripts {
	for _, s := range sinks {
		if t, ok := s.Loader.(connector.Transcripts); ok {
			return t
		}
	}
	return nil
}

func (o *reapplyOptions) one(ctx context.Context, op *connector.Operator, s *connector.Sink, turns connector.Transcripts, rules *topics.Matcher, state *reapplyState, stderr io.Writer) (reapplied, error) {
	done := reapplied{Sink: s.Name, Moves: []topicChange{}}
	total := 2 // where it can't be counted: enough for a bar
	if c, ok := s.Loader.(connector.Remapper); ok {
		if n, err := c.CountCalls(ctx); err == nil {
			total = n
		}
	}
	before := state.at(s.Name)
	bar := newBar(stderr, int64(total), s.Name)
	moves := map[topicChange]int{}
	r := &connector.Reapply{
		Rules: rules, Turns: turns, DryRun: o.dryRun,
		Changed: func(was, is connector.Mapped) {
			if from, to := mainTopic(was), mainTopic(is); from != to {
				moves[topicChange{From: from, To: to}]++
			}
		},
		Progress: func(seen, changed int, next string) error {
			done.Seen, done.Changed = before.Seen+seen, before.Changed+changed
			bar.set(done.Seen, max(total, done.Seen))
			return state.save(s.Name, reapplyPosition{After: next, Seen: done.Seen, Changed: done.Changed})
		},
	}
	err := op.Reapply(ctx, s, r, before.After)
	bar.done()
	for m, n := range moves {
		m.Calls = n
		done.Moves = append(done.Moves, m)
	}
	slices.SortFunc(done.Moves, func(a, b topicChange) int {
		return cmp.Or(b.Calls-a.Calls, strings.Compare(a.From+"\x00"+a.To, b.From+"\x00"+b.To))
	})
	return done, err
}

func mainTopic(m connector.Mapped) string {
	if len(m.Topics) == 0 {
		return "(none)"
	}
	return m.Topics[0]
}

func (o *reapplyOptions) print(w io.Writer, all []reapplied) error {
	if o.asJSON {
		return printJSON(w, all)
	}
	verb := "changed"
	if o.dryRun {
		verb = "would change"
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range all {
		_, _ = fmt.Fprintf(tw, "%s: %d of %d calls %s\n", r.Sink, r.Changed, r.Seen, verb)
		for i, m := range r.Moves {
			if i == 10 {
				_, _ = fmt.Fprintf(tw, "  ...\t%d more; --json lists them\n", len(r.Moves)-i)
				break
			}
			_, _ = fmt.Fprintf(tw, "  %d\t%s\t-> %s\n", m.Calls, m.From, m.To)
		}
	}
	return tw.Flush()
}
