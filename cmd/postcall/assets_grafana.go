package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/clickhouse"
)

func grafanaCommand() *cobra.Command {
	var apply bool
	var out, secretFile string
	var to clickhouse.Grafana
	c := &cobra.Command{
		Use: "grafana [NAME]", Short: "Print Grafana's dashboards as JSON, write them into a folder, or import them", Args: cobra.MaximumNArgs(1),
		Long: `grafana prints the dashboard of that NAME: operations (the pipeline, out of Prometheus) or calls (the metrics of docs/metrics.md,
out of ClickHouse by the plugin grafana-clickhouse-datasource). Without a NAME, --out and --apply take both. Each dashboard asks
for its data source when it is opened.`,
		Example: `  postcall assets grafana calls > calls.json
  postcall assets grafana --out dashboards
  postcall assets grafana --apply --url http://localhost:3000 --secret-file token`,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := connector.LoadConfig()
			if err != nil {
				return err
			}
			ds, err := clickhouse.GrafanaDashboards(cfg.ClickHouse.Database)
			if err != nil {
				return err
			}
			if ds, err = named(ds, args); err != nil {
				return err
			}
			switch {
			case apply && out != "":
				return usagef("--apply and --out exclude each other")
			case apply:
				return applyGrafana(c.Context(), c.OutOrStdout(), to, secretFile, ds)
			case out != "":
				return writeDashboards(c.OutOrStdout(), out, ds)
			case len(ds) > 1:
				return usagef("name one dashboard to print, %s, or write all with --out FOLDER", dashboardNames(ds))
			}
			_, err = c.OutOrStdout().Write(ds[0].JSON)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "folder to write NAME.json into, for example for Grafana's provisioning")
	c.Flags().BoolVar(&apply, "apply", false, "import into the Grafana at --url")
	c.Flags().StringVar(&to.Address, "url", "", "Grafana's address, with the path it is served under")
	c.Flags().StringVar(&to.Folder, "folder", "postcall", "title of the folder that is made for them")
	c.Flags().StringVar(&to.Username, "user", "", "who imports; without it --secret-file holds the token of a service account")
	c.Flags().StringVar(&secretFile, "secret-file", "", "file with the password of --user, or with a token")
	return c
}

func named(ds []clickhouse.Dashboard, args []string) ([]clickhouse.Dashboard, error) {
	if len(args) == 0 {
		return ds, nil
	}
	i := slices.IndexFunc(ds, func(d clickhouse.Dashboard) bool { return d.Name == args[0] })
	if i < 0 {
		return nil, usagef("%q is no dashboard: choose of %s", args[0], dashboardNames(ds))
	}
	return ds[i : i+1], nil
}

func dashboardNames(ds []clickhouse.Dashboard) string {
	names := make([]string, len(ds))
	for i := range ds {
		names[i] = ds[i].Name
	}
	return strings.Join(names, ", ")
}

func applyGrafana(ctx context.Context, w io.Writer, to clickhouse.Grafana, secretFile string, ds []clickhouse.Dashboard) error {
	if to.Address == "" {
		return usagef("--apply needs --url, Grafana's address; see postcall assets grafana --help")
	}
	if secretFile != "" {
		b, err := os.ReadFile(secretFile)
		if err != nil {
			return fmt.Errorf("read the secret of --secret-file: %w", err)
		}
		to.Secret = connector.Secret(strings.TrimSpace(string(b)))
	}
	addresses, err := clickhouse.ApplyGrafana(ctx, to, ds)
	for _, a := range addresses {
		_, _ = fmt.Fprintln(w, a)
	}
	return err
}

func writeDashboards(w io.Writer, folder string, ds []clickhouse.Dashboard) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the folder of --out: %w", err)
	}
	for _, d := range ds {
		file := filepath.Join(folder, d.Name+".json")
		if err := os.WriteFile(file, d.JSON, 0o644); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(w, file)
	}
	return nil
}
