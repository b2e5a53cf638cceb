package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/api"
)

func apiCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "api", Short: "Answer questions about calls, by REST and MCP", Args: cobra.NoArgs,
		Long: `api listens on POSTCALL_API_ADDR: GET /phonely/events/{callId}, /phonely/events?latest=1, /calls, /metrics and /metrics/{name}, the
contract at /openapi.json, and MCP at /mcp. It is a process of its own beside serve, and reads with credentials of its own,
POSTCALL_API_CLICKHOUSE_* and POSTCALL_API_ELASTICSEARCH_*; a store without an address is not enabled. Who asks shows a token of
POSTCALL_API_TOKENS. /livez, /readyz and /metrics are on POSTCALL_API_ADMIN_ADDR.`,
		Example: `  postcall api token new --name nightly --scope metrics --append tokens.txt
  POSTCALL_API_TOKENS=tokens.txt postcall api`,
		RunE: func(c *cobra.Command, _ []string) error { return serveAPI(c.Context(), c.ErrOrStderr(), true) },
	}
	c.AddCommand(groupCommand("token", "Tokens of those who ask", tokenNewCommand()))
	return c
}

func mcpCommand() *cobra.Command {
	var overHTTP bool
	var tenant string
	c := &cobra.Command{
		Use: "mcp", Short: "Answer questions about calls to AI agents, by MCP", Args: cobra.NoArgs,
		Long: `mcp speaks the Model Context Protocol on stdin and stdout, to the program that starts it, which may read the calls of --tenant. With
--http it listens on POSTCALL_API_ADDR, at /mcp, for those who show a token of POSTCALL_API_TOKENS; "postcall api" does that too, beside
REST. It reads with POSTCALL_API_CLICKHOUSE_* and POSTCALL_API_ELASTICSEARCH_*; the tools of a store without an address are absent.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if overHTTP {
				return serveAPI(c.Context(), c.ErrOrStderr(), false)
			}
			a, _, err := openAPI(c.ErrOrStderr())
			if err != nil {
				return err
			}
			defer func() { _ = a.Close() }()
			return a.ServeStdio(c.Context(), tenant, io.NopCloser(c.InOrStdin()), keepOpen{c.OutOrStdout()})
		},
	}
	c.Flags().BoolVar(&overHTTP, "http", false, "serve streamable HTTP instead of stdin and stdout")
	c.Flags().StringVar(&tenant, "tenant", "default", "whose calls, over stdin and stdout; over HTTP the token says it")
	return c
}

// keepOpen is a writer that isn't ours to close.
type keepOpen struct{ io.Writer }

// Close does nothing.
func (keepOpen) Close() error { return nil }

func openAPI(stderr io.Writer) (*api.API, *slog.Logger, error) {
	cfg, err := connector.LoadConfig()
	if err != nil {
		return nil, nil, err
	}
	log := newLogger(stderr, cfg.LogLevel, cfg.LogFormat)
	a, err := api.Open(cfg, log, version)
	return a, log, err
}

func serveAPI(ctx context.Context, stderr io.Writer, rest bool) error {
	a, log, err := openAPI(stderr)
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	return a.Serve(ctx, rest, func(listens, admin net.Addr) {
		log.Info("questions are answered", "api", "http://"+listens.String(), "admin", "http://"+admin.String())
	})
}

// newToken are the flags of api token new.
type newToken struct {
	name, tenant, expires, file string
	scopes                      []string
}

func tokenNewCommand() *cobra.Command {
	var o newToken
	c := &cobra.Command{
		Use: "new", Short: "Make a token", Args: cobra.NoArgs,
		Long: `new prints a token, and the line that makes it valid: name, tenant, scopes, the token's hash, its end. Put the line into the file
of POSTCALL_API_TOKENS, which is read again within a second, and give the token to who asks: it is shown once, and stored nowhere. To
revoke it, remove the line.

Scopes: events (single calls with their transcripts), calls (the search), metrics (numbers, and questions without an answer).`,
		RunE: func(c *cobra.Command, _ []string) error { return o.make(c.OutOrStdout(), time.Now()) },
	}
	f := c.Flags()
	f.StringVar(&o.name, "name", "", "who it is for: letters, digits, . _ and -")
	f.StringSliceVar(&o.scopes, "scope", nil, "what it may read: events, calls, metrics")
	f.StringVar(&o.tenant, "tenant", "default", "whose calls")
	f.StringVar(&o.expires, "expires", "", "when it ends: an age such as 90d, or a day; empty never")
	f.StringVar(&o.file, "append", "", "append the line to this file, and print the token alone")
	return c
}

var days = regexp.MustCompile(`^(\d{1,5})d$`)

func (o newToken) make(w io.Writer, now time.Time) error {
	var scopes []api.Scope
	for _, s := range o.scopes {
		if !slices.Contains(api.Scopes, api.Scope(s)) {
			return usagef("--scope takes events, calls and metrics")
		}
		scopes = append(scopes, api.Scope(s))
	}
	if len(scopes) == 0 || o.name == "" || o.tenant == "" || strings.ContainsAny(o.tenant, " \t\n#") {
		return usagef("--name and --scope are needed, and --tenant has no blanks: see postcall api token new --help")
	}
	var expires time.Time
	if o.expires != "" {
		var err error
		if m := days.FindStringSubmatch(o.expires); m != nil {
			d := 0
			_, _ = fmt.Sscan(m[1], &d) // digits
			expires = now.AddDate(0, 0, d)
		} else if expires, err = time.Parse(time.DateOnly, o.expires); err != nil {
			return usagef("--expires takes days (90d) or a day (2027-01-31)")
		}
		if !expires.After(now) {
			return usagef("--expires is in the past")
		}
	}
	token, line, err := api.NewToken(o.name, o.tenant, scopes, expires)
	if err != nil {
		return usageError{err}
	}
	if o.file == "" {
		_, err = fmt.Fprintf(w, "token: %s\nline:  %s\n", token, line)
		return err
	}
	if err := appendLine(o.file, line); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, token)
	return err
}

// appendLine adds a line that is whole or not there, also where the last one has no end.
func appendLine(path, line string) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("--append: %w", err)
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		line = "\n" + line
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("--append: %w", err)
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		_ = f.Close()
		return fmt.Errorf("--append: %w", err)
	}
	return f.Close()
}
