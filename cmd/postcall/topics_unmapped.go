package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/transforms/topics"
)

// unmappedOptions are the flags of topics unmapped.
type unmappedOptions struct {
	file, since string
	least       int
	asJSON      bool
}

// unmapped is what topics unmapped finds.
type unmapped struct {
	Calls     int                   `json:"calls"` // all of the time asked for
	Unmapped  int                   `json:"unmapped"`
	Groups    []topics.Group        `json:"groups"`
	Spellings []clickhouse.Spelling `json:"spellings"`
	Proposal  string                `json:"proposal"`
}

func topicsUnmappedCommand() *cobra.Command {
	var o unmappedOptions
	c := &cobra.Command{
		Use: "unmapped", Short: "List calls without a topic, and spellings nobody knows, and propose rules", Args: cobra.NoArgs,
		Long: `unmapped reads ClickHouse: which calls have the topic other alone, put together by what the sender says about them, and which
spellings no vocabulary has. Behind the lists it proposes a file that extends the taxonomy, for you to read and correct:

  postcall topics unmapped                     look
  postcall topics unmapped --rules-only > more.yaml

Personal data was redacted before it came to ClickHouse.`,
		Example: "  postcall topics unmapped --since 168h --least 5",
		RunE: func(c *cobra.Command, _ []string) error {
			rulesOnly, err := c.Flags().GetBool("rules-only")
			if err != nil {
				return err
			}
			found, err := o.find(c.Context())
			switch {
			case err != nil:
				return err
			case rulesOnly:
				_, err = io.WriteString(c.OutOrStdout(), found.Proposal)
			case o.asJSON:
				err = printJSON(c.OutOrStdout(), found)
			default:
				err = found.print(c.OutOrStdout())
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.file, "rules", "", "file of rules (default that of POSTCALL_TOPICS, or the built-in ones)")
	f.StringVar(&o.since, "since", "", "only calls that started since then: a time, or an age (default all)")
	f.IntVar(&o.least, "least", 2, "leave out what fewer calls have")
	f.Bool("rules-only", false, "print the proposed file alone")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return c
}

func (o *unmappedOptions) find(ctx context.Context) (u *unmapped, err error) {
	since, err := parseWhen("since", o.since)
	if err != nil {
		return nil, err
	}
	if since.IsZero() {
		since = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // no call is older
	}
	rules, name, err := openRules(o.file)
	if err != nil {
		return nil, err
	}
	cfg, err := connector.LoadConfig()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(cfg.Sinks, "clickhouse") {
		return nil, errors.New("topics unmapped reads ClickHouse, which is none of POSTCALL_SINKS")
	}
	ch, err := clickhouse.Open(cfg.ClickHouse)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ch.Close()) }()
	u = &unmapped{Groups: []topics.Group{}, Spellings: []clickhouse.Spelling{}}
	if u.Calls, err = ch.CallsSince(ctx, since); err != nil {
		return nil, err
	}
	list, err := ch.Unmapped(ctx, rules.Other(), since)
	if err != nil {
		return nil, err
	}
	for _, g := range topics.Propose(list) {
		if u.Unmapped += g.Calls; g.Calls >= o.least {
			u.Groups = append(u.Groups, g)
		}
	}
	spellings, err := ch.Spellings(ctx, since)
	if err != nil {
		return nil, err
	}
	for _, s := range spellings {
		if _, known := rules.Vocabularies().Of(s.Field).Read(s.Raw); !known && s.Calls >= o.least {
			u.Spellings = append(u.Spellings, s)
		}
	}
	u.Proposal = u.propose(name)
	return u, nil
}

func (u *unmapped) print(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "%d of %d calls have no topic.\n\n", u.Unmapped, u.Calls)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "CALLS\tTOPIC AS SENT\tPURPOSE")
	for _, g := range u.Groups {
		name := g.Name
		if name == "" {
			name = "(none)"
		}
		purpose := ""
		if len(g.Purposes) > 0 {
			purpose = g.Purposes[0]
		}
		_, _ = fmt.Fprintf(tw, "%d\t%s\t%s\n", g.Calls, shortened(name, 40), shortened(purpose, 60))
	}
	if len(u.Spellings) > 0 {
		_, _ = fmt.Fprintln(tw, "\nCALLS\tFIELD\tUNKNOWN SPELLING")
		for _, s := range u.Spellings {
			_, _ = fmt.Fprintf(tw, "%d\t%s\t%s\n", s.Calls, s.Field, shortened(s.Raw, 60))
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nA file that would map them; read every line of it before you use it:\n\n%s", u.Proposal)
	return err
}

// propose writes the file: one that extends the built-in taxonomy, or what to add to an own one.
func (u *unmapped) propose(rules string) string {
	type topic struct {
		Name    string   `yaml:"name"`
		Aliases []string `yaml:"aliases,omitempty,flow"`
		Any     []string `yaml:"any,omitempty,flow"`
	}
	var file struct {
		Extends string  `yaml:"extends,omitempty"`
		Topics  []topic `yaml:"topics,omitempty"`
	}
	var b strings.Builder
	if file.Extends = "built-in"; rules != builtInRules {
		file.Extends = ""
		fmt.Fprintf(&b, "# Add this to %s.\n", rules)
	}
	for _, g := range u.Groups {
		if g.Name == "" || len(g.Name) > 60 { // nothing to go by, or a sentence
			continue
		}
		t := topic{Name: strings.ReplaceAll(g.Name, "/", " "), Any: g.Words}
		for _, a := range g.Topics {
			if len(a) <= 60 && len(t.Aliases) < 10 && strings.ContainsAny(strings.ToLower(a), "abcdefghijklmnopqrstuvwxyz0123456789") {
				t.Aliases = append(t.Aliases, strings.ReplaceAll(a, "*", " "))
			}
		}
		file.Topics = append(file.Topics, t)
	}
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(file), enc.Close()); err != nil {
		return "" // plain texts can always be written
	}
	if len(u.Spellings) > 0 {
		b.WriteString("# vocabularies:     # say what each of these stands for, or unknown\n")
		for _, s := range u.Spellings {
			fmt.Fprintf(&b, "#   %s: {unknown: [%q]}\n", s.Field, s.Raw)
		}
	}
	return b.String()
}
