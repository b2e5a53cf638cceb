// Command postcall receives post-call events of AI voice agents, transforms them and loads them into ClickHouse and
// Elasticsearch.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // the image has no zone files

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
)

// version and commit are set by the linker.
var (
	version = "0.0.0-dev"
	commit  = ""
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// usageError is a command line that can't be carried out: exit 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errReported ends a command with exit 1 after it has printed its errors itself.
var errReported = errors.New("see the lines above")

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "postcall",
		Short: "Load post-call events into ClickHouse and Elasticsearch",
		Long: `postcall receives the post-call events of AI voice agents (Phonely's webhook first), removes personal data, maps topics,
and loads metrics into ClickHouse and transcripts into Elasticsearch. A 2xx means that a delivery is on disk; nothing
is loaded twice.

It is configured by environment variables; "postcall config" lists them.`,
		Example: `  postcall config                          every variable with default and meaning
  postcall migrate apply                   make the tables, the index and the alias
  postcall serve                           take deliveries
  postcall send                            deliver a sample call
  postcall demo-data | postcall send -     deliver a month of made-up calls
  postcall topics unmapped                 what falls into no topic, and rules that would take it
  postcall transform < calls.ndjson        see what the transforms make of payloads, without any store`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, c.CommandPath())
	})
	root.AddCommand(
		serveCommand(),
		sendCommand(),
		transformCommand(),
		redactCommand(),
		mappingCommand(),
		topicsCommand(),
		migrateCommand(),
		doctorCommand(),
		statusCommand(),
		auditCommand(),
		pluginCommand(),
		deadCommand(),
		replayCommand(),
		drainCommand(),
		importCommand(),
		forgetCommand(),
		retentionCommand(),
		apiCommand(),
		mcpCommand(),
		demoDataCommand(),
		assetsCommand(),
		configCommand(),
		versionCommand(),
	)
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReported):
		return 1
	case errors.As(err, &usage) || cmd == root: // an unknown command
		_, _ = fmt.Fprintf(stderr, "postcall: %v\n", err)
		return 2
	default:
		_, _ = fmt.Fprintf(stderr, "postcall: %v\n", err)
		return 1
	}
}

// wrapArgs makes wrong arguments of a command and its children usage errors. A command that only groups others prints
// its help, or refuses what it does not know.
func wrapArgs(c *cobra.Command) {
	check := c.Args
	if check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usagef("%w; see %s --help", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// groupCommand is a command that has subcommands and does nothing itself.
func groupCommand(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("unknown command %q; see %s --help", args[0], c.CommandPath())
		}
		return c.Help()
	}, Args: cobra.ArbitraryArgs}
	c.AddCommand(subs...)
	return c
}

// newLogger writes lines of the format; without one, for people where w is a terminal and JSON elsewhere.
func newLogger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // checked with the configuration
	opts := &slog.HandlerOptions{Level: l}
	if format == "text" || format == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	i, err := f.Stat()
	return err == nil && i.Mode()&os.ModeCharDevice != 0
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print version, commit and Go version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rev := commit
			goVersion := ""
			if bi, ok := debug.ReadBuildInfo(); ok {
				goVersion = bi.GoVersion
			}
			if rev == "" {
				rev = "unknown"
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "postcall %s (commit %s, %s)\n", version, rev, goVersion)
			return err
		},
	}
}

func configCommand() *cobra.Command {
	var format string
	var asJSON bool
	c := &cobra.Command{
		Use: "config", Short: "List every variable with its default and meaning", Args: cobra.NoArgs,
		Long: `config lists every variable postcall reads, with type, default and meaning. A secret NAME can also come from a file:
set NAME_FILE to its path. The values in force are not shown; "postcall doctor" checks them.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON {
				format = "json"
			}
			if err := connector.WriteConfigTable(c.OutOrStdout(), format); err != nil {
				return usageError{err}
			}
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text, markdown or json")
	c.Flags().BoolVar(&asJSON, "json", false, "the same as --format json")
	return c
}
