package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms/topics"
)

// tryOptions are the flags of topics try.
type tryOptions struct {
	file, field string
	asJSON      bool
}

// tried is what the rules make of a text.
type tried struct {
	Text       string   `json:"text"`
	Topics     []string `json:"topics"`
	Confidence float64  `json:"confidence"`
	Rule       string   `json:"rule,omitempty"`
}

func topicsTryCommand() *cobra.Command {
	var o tryOptions
	c := &cobra.Command{
		Use: "try [TEXT...]", Short: "Show which topics a text gets, by which rule and how surely",
		Long: `try maps each TEXT, or without one each line of standard input. A text is a summary, or what --as says: topic, purpose, summary,
user (what the caller says) or agent. A line that is a JSON object is a payload of Phonely's, which is mapped whole.`,
		Example: `  postcall topics try "The caller wants the money back"
  postcall topics try --rules topics.yaml --as topic "Gift Cards" "Billing question"
  postcall demo-data --calls 20 | postcall topics try`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(args, c.InOrStdin(), c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.file, "rules", "", "file of rules (default that of POSTCALL_TOPICS, or the built-in ones)")
	f.StringVar(&o.field, "as", "summary", "which field of a call a text is")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, one object a line")
	return c
}

func (o *tryOptions) run(args []string, stdin io.Reader, stdout io.Writer) error {
	if _, err := o.call(""); err != nil {
		return err
	}
	rules, _, err := openRules(o.file)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	if !o.asJSON {
		_, _ = fmt.Fprintln(out, "TOPICS\tCONFIDENCE\tRULE\tTEXT")
	}
	show := func(text string) error {
		c, err := o.call(text)
		if err != nil {
			return err
		}
		r := rules.Match(c)
		if o.asJSON {
			return json.NewEncoder(stdout).Encode(tried{text, r.Topics, r.Confidence, r.Rule})
		}
		_, err = fmt.Fprintf(out, "%s\t%.2f\t%s\t%s\n", strings.Join(r.Topics, ", "), r.Confidence, r.Rule, shortened(firstOf(c, text), 60))
		return err
	}
	for _, text := range args {
		if err := show(text); err != nil {
			return err
		}
	}
	if len(args) == 0 {
		lines := bufio.NewScanner(stdin)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			if text := strings.TrimSpace(lines.Text()); text != "" {
				if err := show(text); err != nil {
					return err
				}
			}
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
	}
	return out.Flush()
}

// call makes a call of a text, or of a payload.
func (o *tryOptions) call(text string) (c topics.Call, err error) {
	if strings.HasPrefix(text, "{") {
		return payloadCall(text)
	}
	switch o.field {
	case "topic":
		c.Topic = text
	case "purpose":
		c.Purpose = text
	case "summary":
		c.Summary = text
	case "user", "agent":
		c.Turns = []topics.Turn{{Role: o.field, Content: text}}
	default:
		return c, usagef("--as is topic, purpose, summary, user or agent")
	}
	return c, nil
}

func payloadCall(body string) (c topics.Call, err error) {
	e, err := connector.NewNormalizer(time.UTC, nil).Normalize([]byte(body), "default", "phonely", time.Now())
	if err != nil {
		return c, err
	}
	c = topics.Call{
		Topic: e.Topic, Purpose: e.Purpose, Summary: e.Summary, FollowUpReason: e.FollowUpReason, KeyPoints: e.KeyPoints, ActionItems: e.ActionItems,
	}
	for _, t := range e.Transcript {
		c.Turns = append(c.Turns, topics.Turn{Role: t.Role, Content: t.Content})
	}
	return c, nil
}

// firstOf is what stands for a call in a table.
func firstOf(c topics.Call, text string) string {
	if !strings.HasPrefix(text, "{") {
		return text
	}
	for _, s := range []string{c.Summary, c.Purpose, c.Topic} {
		if s != "" {
			return s
		}
	}
	return "(no summary)"
}

func shortened(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
