package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/elastic"
)

func assetsCommand() *cobra.Command {
	return groupCommand("assets", "Generate or import what people open: Kibana's objects, Grafana's dashboards", kibanaCommand(), grafanaCommand())
}

func kibanaCommand() *cobra.Command {
	var apply bool
	var url, space, user, secretFile string
	c := &cobra.Command{
		Use: "kibana", Short: "Print Kibana's saved objects as NDJSON, or import them", Args: cobra.NoArgs,
		Long: `kibana prints a data view of the transcripts, saved searches and two dashboards as an NDJSON bundle for the import of
Kibana's "Saved objects" (8.12 and up). With --apply it imports them itself, over older ones of the same id.`,
		Example: `  postcall assets kibana > postcall.ndjson
  postcall assets kibana --apply --url http://localhost:5601 --space support --secret-file api-key`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := connector.LoadConfig()
			if err != nil {
				return err
			}
			if !apply {
				b, err := elastic.KibanaBundle(cfg.Elasticsearch.Index)
				if err != nil {
					return err
				}
				_, err = c.OutOrStdout().Write(b)
				return err
			}
			if url == "" {
				return usagef("--apply needs --url, Kibana's address; see postcall assets kibana --help")
			}
			auth := elastic.KibanaAuth{Username: user}
			if secretFile != "" {
				b, err := os.ReadFile(secretFile)
				if err != nil {
					return fmt.Errorf("read the secret of --secret-file: %w", err)
				}
				secret := connector.Secret(strings.TrimSpace(string(b)))
				if user == "" {
					auth.APIKey = secret
				} else {
					auth.Password = secret
				}
			}
			n, err := elastic.ApplyKibana(c.Context(), url, space, auth, cfg.Elasticsearch.Index)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "imported %d objects: open the dashboard \"Calls: overview\"\n", n)
			return err
		},
	}
	c.Flags().BoolVar(&apply, "apply", false, "import into the Kibana at --url")
	c.Flags().StringVar(&url, "url", "", "Kibana's address, with --apply")
	c.Flags().StringVar(&space, "space", "", "identifier of the space to import into; empty is the default one")
	c.Flags().StringVar(&user, "user", "", "who imports; without it --secret-file holds an API key")
	c.Flags().StringVar(&secretFile, "secret-file", "", "file with the password of --user, or with an API key")
	return c
}
