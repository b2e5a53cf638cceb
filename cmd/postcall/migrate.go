package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/connector/elastic"
)

func migrateCommand() *cobra.Command {
	var asJSON bool
	sub := func(use, short string) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			return migrate(c.Context(), c.OutOrStdout(), use, asJSON)
		}}
		c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
		return c
	}
	c := groupCommand("migrate", "Make and update the tables, views, templates, index and alias",
		sub("plan", "Show what apply would do, and change nothing"),
		sub("apply", "Bring the enabled sinks to this release's schema; safe to repeat"),
		sub("status", "Show what is there"),
		rolesCommand())
	c.Long = `migrate brings the stores of the enabled sinks (POSTCALL_SINKS) to the schema this release loads into. It destroys no
data but what is older than the retention you set (POSTCALL_CLICKHOUSE_KEEP_DAYS, _KEEP_PERSONAL_DAYS; plan shows it), and is safe
to repeat and to run twice at once. The user needs more rights for it than "postcall serve" does.`
	return c
}

func rolesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "roles", Short: "Print the SQL with which an administrator of ClickHouse makes roles", Args: cobra.NoArgs,
		Long: `roles prints the SQL that makes roles for postcall in ClickHouse: for migrating, for "postcall serve", for analysts and for programs
that ask for metrics, with a settings profile and a quota for those who read. Analysts see the views and none of the tables.
It connects to nothing. An administrator runs it, for example: postcall migrate roles | clickhouse-client --user admin --multiquery`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := connector.LoadConfig()
			if err != nil {
				return err
			}
			text, err := clickhouse.Roles(cfg.ClickHouse)
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.OutOrStdout(), text)
			return err
		},
	}
}

// migrationStep is one line of what migrate prints.
type migrationStep struct {
	Sink       string   `json:"sink"`
	Name       string   `json:"name"`
	State      string   `json:"state"`
	Action     string   `json:"action,omitempty"`
	Statements []string `json:"statements,omitempty"`
}

func migrate(ctx context.Context, w io.Writer, verb string, asJSON bool) error {
	cfg, err := connector.LoadConfig()
	if err != nil {
		return err
	}
	steps, err := migrateSinks(ctx, cfg, verb)
	if asJSON {
		if steps == nil {
			steps = []migrationStep{}
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return errors.Join(enc.Encode(steps), err)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "SINK\tWHAT\tSTATE\tACTION")
	for _, s := range steps {
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", s.Sink, s.Name, s.State, s.Action)
	}
	if ferr := tw.Flush(); ferr != nil {
		return ferr
	}
	if verb == "plan" {
		for _, s := range steps {
			for _, q := range s.Statements {
				_, _ = fmt.Fprintf(w, "\n%s;\n", q)
			}
		}
	}
	return err
}

// migrateSinks goes on with the second sink where the first one fails.
func migrateSinks(ctx context.Context, cfg connector.Config, verb string) ([]migrationStep, error) {
	var steps []migrationStep
	var errs []error
	if slices.Contains(cfg.Sinks, "clickhouse") {
		ms, err := migrateClickHouse(ctx, cfg.ClickHouse, verb)
		if err != nil {
			errs = append(errs, fmt.Errorf("clickhouse: %w", err))
		}
		for _, m := range ms {
			s := migrationStep{Sink: "clickhouse", Name: m.String(), State: string(m.State), Statements: m.Statements}
			if m.State == clickhouse.Pending {
				s.Action = "apply"
			}
			steps = append(steps, s)
		}
	}
	if slices.Contains(cfg.Sinks, "elasticsearch") {
		do := map[string]func(context.Context, connector.ElasticsearchConfig) ([]elastic.Step, error){
			"plan": elastic.Plan, "apply": elastic.Apply, "status": elastic.Status,
		}[verb]
		es, err := do(ctx, cfg.Elasticsearch)
		if err != nil {
			errs = append(errs, fmt.Errorf("elasticsearch: %w", err))
		}
		for _, s := range es {
			steps = append(steps, migrationStep{Sink: "elasticsearch", Name: s.Name, State: s.State, Action: s.Action})
		}
	}
	return steps, errors.Join(errs...)
}

func migrateClickHouse(ctx context.Context, cfg connector.ClickHouseConfig, verb string) (_ []clickhouse.Migration, err error) {
	m, err := clickhouse.OpenMigrator(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	switch verb {
	case "plan":
		return m.Plan(ctx)
	case "apply":
		return m.Apply(ctx)
	default:
		return m.Status(ctx)
	}
}
