package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
)

func drainCommand() *cobra.Command {
	var partitions int
	c := &cobra.Command{
		Use: "drain --partitions N", Short: "Change the number of partitions of a cluster", Args: cobra.NoArgs,
		Long: `drain gives the streams of a cluster (POSTCALL_NATS_URL) another number of partitions: as many connectors can seal at once, and one
more keeps house. Every connector has to be stopped in order, so that nothing waits in the intake; drain looks for that, and changes
nothing where it is not so. What is sealed stays as it is. Set POSTCALL_PARTITIONS to the same number, or leave it unset.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if partitions < 1 {
				return usagef("--partitions is needed, 1 or more")
			}
			return operate(c.Context(), c.ErrOrStderr(), false, func(op *connector.Operator, _ []connector.Sink) error {
				if err := op.Drain(c.Context(), partitions); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "the streams have %d partitions now; start the connectors\n", partitions)
				return err
			})
		},
	}
	c.Flags().IntVar(&partitions, "partitions", 0, "number of partitions")
	return c
}
