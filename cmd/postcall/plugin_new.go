package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/plugins/scaffold"
)

func pluginNewCommand() *cobra.Command {
	var p scaffold.Project
	c := &cobra.Command{
		Use: "new NAME", Short: "Start a plugin: a project that builds and passes its own tests", Args: cobra.ExactArgs(1),
		Long: `new makes the folder NAME with a small plugin that works, its tests, and a Makefile; change it into yours. NAME is what
POSTCALL_TRANSFORMS will call it: lower-case letters, digits and hyphens. Nothing is ever overwritten.

A project in Go is built against the version of postcall that makes it. A postcall that was built between two releases
takes the checkout that it is in, or the one that --replace names. A project in Python carries its SDK with it.`,
		Example: `  postcall plugin new drop-short --lang go
  postcall plugin new detect-accent --lang python --dir ~/plugins
  postcall plugin new drop-short --lang go --module git.example.com/team/drop-short --replace ../postcall`,
		RunE: func(c *cobra.Command, args []string) error {
			p.Name = args[0]
			if p.Lang == "" {
				return usagef("in which language? Add --lang go or --lang python")
			}
			against, err := p.Against(version, here()...)
			if err != nil {
				return usagef("%w, by --replace DIR", err)
			}
			dir, err := against.Write()
			if err != nil {
				return usageError{err}
			}
			_, err = fmt.Fprint(c.OutOrStdout(), nextSteps(against, dir))
			return err
		},
	}
	c.Flags().StringVar(&p.Lang, "lang", "", "language: go or python (required)")
	c.Flags().StringVar(&p.Dir, "dir", ".", "folder in which the project's own is made")
	c.Flags().StringVar(&p.Module, "module", "", "Go: the module's path; example.com/NAME without it")
	c.Flags().StringVar(&p.Replace, "replace", "", "Go: a checkout of postcall to build against")
	return c
}

// here are the folders that may lie in a checkout of postcall.
func here() []string {
	dirs := []string{"."}
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(exe))
	}
	return dirs
}

func nextSteps(p scaffold.Project, dir string) string {
	s := "made " + dir
	if p.Replace != "" {
		s += ", built against " + p.Replace
	}
	s += "\n\nNext:\n  cd " + dir + "\n"
	if p.Lang == "go" && p.Replace == "" {
		s += "  go mod tidy                    # fetches postcall " + p.Version + "\n"
	}
	return s + fmt.Sprintf(`  make test build                # its own tests, then dist/%[1]s
  postcall plugin test dist/%[1]s
  make build OUT=DIR             # with the DIR of POSTCALL_PLUGIN_DIR
  POSTCALL_TRANSFORMS=redact-pii,map-topics,%[1]s postcall serve
`, p.Name)
}
