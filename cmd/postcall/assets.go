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
	return groupCommand("assets", "Generate or import what people open: Kibana's objects", kibanaCommand())
}

func kibanaCommand() *cobra.Command {
	var apply bool
	var url, user, secretFile string
	c := &cobra.Command{
		Use: "kibana", Short: "Print Kibana's saved objects as NDJSON, or import them", Args: cobra.NoArgs,
		Long: `kibana prints the data view and the saved search of the transcripts as an NDJSON bundle for Kibana's "Saved objects"
import. With --apply it imports them itself, over older ones of the same id.`,
		Example: `  postcall assets kibana > postcall.ndjson
  postcall assets kibana --apply --url http://localhost:5601`,
		RunE: func(c *cobra.Command, _ []string) error {
			if !apply {
				b, err := elastic.KibanaBundle()
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
			if err := elastic.ApplyKibana(c.Context(), url, auth); err != nil {
				return err
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), "imported: open Discover and choose \"Call transcripts\"")
			return err
		},
	}
	c.Flags().BoolVar(&apply, "apply", false, "import into the Kibana at --url")
	c.Flags().StringVar(&url, "url", "", "Kibana's address; of a space: https://kibana/s/SPACE")
	c.Flags().StringVar(&user, "user", "", "who imports; without it --secret-file holds an API key")
	c.Flags().StringVar(&secretFile, "secret-file", "", "file with the password of --user, or with an API key")
	return c
}
