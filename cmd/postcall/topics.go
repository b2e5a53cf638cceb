package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms/topics"
)

func topicsCommand() *cobra.Command {
	c := groupCommand("topics", "Look at, try and change the topics that calls get",
		topicsShowCommand(), topicsCheckCommand(), topicsTryCommand(), topicsUnmappedCommand(), topicsReapplyCommand())
	c.Long = `The transform map-topics gives calls the topics of a taxonomy, and reads the sender's spellings of sentiment, follow-up, success and
ended reason by its vocabularies. POSTCALL_TOPICS names the file; without it the built-in taxonomy is used. A running
"postcall serve" takes a changed file when it is restarted; earlier calls get it by "postcall topics reapply".`
	return c
}

func topicsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Write the built-in taxonomy", Args: cobra.NoArgs,
		Example: "  postcall topics show > topics.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), topics.DefaultRules())
			return err
		},
	}
}

func topicsCheckCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "check [FILE]", Short: "Check a taxonomy, and count what is in it", Args: cobra.MaximumNArgs(1),
		Long: `check reads a taxonomy as map-topics does, and names every mistake by its line. Without FILE it reads that of POSTCALL_TOPICS, or the
built-in one.`,
		Example: "  postcall topics check topics.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			rules, name, err := openRules(name)
			if err != nil {
				return err
			}
			s := rules.Size()
			if asJSON {
				return printJSON(c.OutOrStdout(), s)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s is right: %d topics (%d of them parts), %d phrases, %d aliases, %d patterns, %d spellings\n",
				name, s.Topics, s.Parts, s.Phrases, s.Aliases, s.Patterns, s.Spellings)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// builtInRules stands for the name of a file that isn't there.
const builtInRules = "the built-in taxonomy"

// openRules reads a file of rules; without a name that of POSTCALL_TOPICS, or the built-in ones.
func openRules(name string) (*topics.Matcher, string, error) {
	if name == "" {
		cfg, err := connector.LoadConfig()
		if err != nil {
			return nil, "", err
		}
		if name = cfg.Topics; name == "" {
			return topics.Default(), builtInRules, nil
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, name, fmt.Errorf("read the taxonomy: %w", err)
	}
	m, err := topics.Parse(name, data)
	return m, name, err
}
