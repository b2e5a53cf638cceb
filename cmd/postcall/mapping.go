package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector/source"
)

func mappingCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "mapping", Short: "Make and look at mappings from a sender's body to an event",
		Long: `A mapping is a jq program that makes an event in Phonely's field names of a sender's body. A source of POSTCALL_SOURCES
names one: a shipped one, a file that ends in .jq, or the program itself. It must make one object, or nothing (empty) of a
body that is no call; a field it sets that an event does not have is kept in extra. callId is the one that is required.

Try one with: postcall transform --mapping FILE.jq BODY.json`,
	}
	c.AddCommand(
		&cobra.Command{
			Use: "init FILE", Short: "Propose a mapping for a sender's body", Args: cobra.ExactArgs(1),
			Long: `init reads one body of a sender and writes a mapping to standard output: the likeliest place of the body for each field of
an event. Read every line of it, then try it.`,
			Example: `  postcall mapping init body.json > acme.jq
  postcall transform --mapping acme.jq body.json`,
			RunE: func(c *cobra.Command, args []string) error {
				return mappingInit(args[0], c.InOrStdin(), c.OutOrStdout())
			},
		},
		&cobra.Command{
			Use: "show NAME", Short: "Write a shipped mapping: " + strings.Join(source.ShippedNames(), ", "), Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				text, err := source.ShippedText(args[0])
				if err != nil {
					return usagef("%w", err)
				}
				_, err = io.WriteString(c.OutOrStdout(), text)
				return err
			},
		},
	)
	return c
}

func mappingInit(file string, stdin io.Reader, stdout io.Writer) error {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, maxLine+1))
	if err != nil {
		return err
	}
	if len(body) > maxLine {
		return errors.New("the body is too large; give one event")
	}
	text, err := source.Propose(body)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	_, err = io.WriteString(stdout, text)
	return err
}
