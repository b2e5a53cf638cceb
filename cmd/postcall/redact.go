package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/redact"
)

func redactCommand() *cobra.Command {
	var o redactOptions
	c := &cobra.Command{
		Use: "redact [FILE]", Short: "Show a call beside what redaction leaves of it",
		Long: `redact shows each text of a call beside what is left of it. FILE is a payload (JSON or NDJSON) or a plain transcript,
one turn a line ("Agent: ...", "User: ..."); standard input without FILE. It uses the engine of redact-pii and the policy
in POSTCALL_REDACT_POLICY, and needs no store. What it prints holds the values in the clear: it is for your eyes.`,
		Example: `  postcall redact testdata/webhooks/personal-data.json
  postcall redact --explain call.txt
  postcall redact --html call.html call.txt`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := "-"
			if len(args) > 0 {
				name = args[0]
			}
			return o.run(c.Context(), name, c.InOrStdin(), c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&o.explain, "explain", false, "list the values, in canonical form, with the rule that found each")
	c.Flags().StringVar(&o.html, "html", "", "write a page to this file instead")
	c.Flags().IntVar(&o.width, "width", 120, "columns of the terminal")
	return c
}

type redactOptions struct {
	explain bool
	html    string
	width   int
}

func (o *redactOptions) run(ctx context.Context, name string, stdin io.Reader, stdout io.Writer) error {
	if o.width < 40 {
		return usagef("--width %d is too narrow: use 40 or more", o.width)
	}
	engine, err := redactEngine()
	if err != nil {
		return err
	}
	calls, err := readCalls(ctx, name, stdin)
	if err != nil {
		return err
	}
	var shown []shownCall
	for _, c := range calls {
		shown = append(shown, showCall(engine, c))
	}
	if o.html == "" {
		return printCalls(stdout, shown, o)
	}
	var page bytes.Buffer
	if err := pageOf(&page, shown); err != nil {
		return err
	}
	if err := os.WriteFile(o.html, page.Bytes(), 0o600); err != nil { // it holds the values
		return err
	}
	_, err = fmt.Fprintf(stdout, "wrote %s; it holds the values in the clear\n", o.html)
	return err
}

// redactEngine makes the engine that redact-pii would, with a key of its own.
func redactEngine() (*redact.Engine, error) {
	cfg, err := connector.LoadConfig()
	if err != nil {
		return nil, err
	}
	var p redact.Policy
	if cfg.RedactPolicy != "" {
		data, err := os.ReadFile(cfg.RedactPolicy)
		if err != nil {
			return nil, fmt.Errorf("POSTCALL_REDACT_POLICY: %w", err)
		}
		if p, err = redact.ParsePolicy(data); err != nil {
			return nil, fmt.Errorf("POSTCALL_REDACT_POLICY (%s): %w", cfg.RedactPolicy, err)
		}
	}
	return redact.New(redact.Options{Policy: p, Key: []byte(rand.Text())})
}

// namedCall is a call with the names of its texts.
type namedCall struct {
	id    string
	call  redact.Call
	names []string
}

// readCalls reads the payloads or the plain transcript of a file.
func readCalls(ctx context.Context, name string, stdin io.Reader) ([]namedCall, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		stdin = f
	}
	data, err := io.ReadAll(io.LimitReader(stdin, maxLine))
	if err != nil {
		return nil, err
	}
	if t := bytes.TrimSpace(data); len(t) == 0 || t[0] != '{' && t[0] != '[' {
		return []namedCall{plainCall(string(data))}, nil
	}
	cfg, err := connector.LoadConfig()
	if err != nil {
		return nil, err
	}
	set, src, err := pickSource(cfg, "", "")
	if err != nil {
		return nil, err
	}
	dry, err := connector.NewDryRun(cfg, set, src, connector.Chains{}, newLogger(io.Discard, "error", ""))
	if err != nil {
		return nil, err
	}
	var calls []namedCall
	err = readPayloads("-", bytes.NewReader(data), func(p payload) error {
		if p.err != nil {
			return fmt.Errorf("%s: %w", p.where(), p.err)
		}
		results, err := dry.Run(ctx, [][]byte{p.body})
		if err != nil {
			return err
		}
		if results[0].Err != nil {
			return fmt.Errorf("%s: %w", p.where(), results[0].Err)
		}
		for i := range results[0].Events {
			calls = append(calls, eventCall(&results[0].Events[i]))
		}
		return nil
	})
	return calls, err
}

// plainCall reads a transcript of one turn a line; a line without a role goes on with the turn before.
func plainCall(text string) namedCall {
	c := namedCall{id: "transcript"}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		role, said, ok := strings.Cut(line, ":")
		isRole := ok && len(role) <= 20 && role != "" && !strings.ContainsFunc(role, func(r rune) bool { return !unicode.IsLetter(r) && r != ' ' })
		switch n := len(c.call.Turns); {
		case line == "":
		case isRole:
			role = strings.ToLower(role)
			if role == "agent" || role == "assistant" || role == "bot" || role == "ai" {
				role = transforms.RoleAgent
			}
			c.call.Turns = append(c.call.Turns, redact.Turn{Role: role, Content: strings.TrimSpace(said)})
		case n > 0:
			c.call.Turns[n-1].Content += " " + line
		default:
			c.call.Turns = append(c.call.Turns, redact.Turn{Role: transforms.RoleUser, Content: line})
		}
	}
	return c
}

func eventCall(e *transforms.Event) namedCall {
	c := namedCall{id: e.CallID, call: redact.Call{CallerName: e.CallerName, Email: e.MentionedEmail, Phone: e.CustomerPhoneNumber}}
	for _, v := range []string{e.BusinessPhoneNumber, e.AgentName} {
		if v != "" {
			c.call.Keep = append(c.call.Keep, v)
		}
	}
	for _, t := range e.Transcript {
		c.call.Turns = append(c.call.Turns, redact.Turn{Role: t.Role, Content: t.Content})
	}
	add := func(name string, texts ...string) {
		for _, t := range texts {
			if t != "" {
				c.names, c.call.Texts = append(c.names, name), append(c.call.Texts, t)
			}
		}
	}
	add("summary", e.Summary)
	add("longSummary", e.LongSummary)
	add("purpose", e.Purpose)
	add("topic", e.Topic)
	add("followUp", e.FollowUp)
	add("followUpReason", e.FollowUpReason)
	add("keyPoints", e.KeyPoints...)
	add("actionItems", e.ActionItems...)
	add("unansweredQuestions", e.UnansweredQuestions...)
	if len(e.Extra) > 0 && json.Valid(e.Extra) {
		add("extra", string(e.Extra))
	}
	return c
}
