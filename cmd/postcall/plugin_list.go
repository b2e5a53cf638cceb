package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
)

func pluginListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the plugins with version, checksum, lock and state", Args: cobra.NoArgs,
		Long: `list shows the plugins of POSTCALL_TRANSFORMS and POSTCALL_PLUGINS, and what else is in POSTCALL_PLUGIN_DIR. STATE is that of
the connector at POSTCALL_ADMIN_ADDR: runs, fails (its last call), CAN'T RUN (its events wait or skip it), or nothing where no
connector runs. A plugin that doesn't run there is started for a moment to learn its version, unless the lock file says that it
is another one.`,
		Example: `  postcall plugin list
  postcall plugin list --json | jq '.[] | select(.lock != "ok")'`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := connector.LoadConfig()
			if err != nil {
				return err
			}
			list, err := connector.ListPlugins(c.Context(), cfg)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			return writePlugins(c.OutOrStdout(), list)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func writePlugins(w io.Writer, list []connector.PluginInfo) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "PLUGIN\tVERSION\tPROTOCOL\tCHECKSUM\tLOCK\tIN USE\tSTATE")
	for _, p := range list {
		protocol, inUse := "-", "no"
		if p.Protocol > 0 {
			protocol = fmt.Sprint(p.Protocol)
		}
		if p.InUse {
			inUse = "yes"
		}
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, orDash(p.Version), protocol, orDash(shortSum(p.Checksum)), p.Lock, inUse, pluginState(&p))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, p := range list {
		if p.Problem != "" {
			_, _ = fmt.Fprintf(w, "%s: %s\n", p.Name, p.Problem)
		}
	}
	return nil
}

func pluginState(p *connector.PluginInfo) string {
	t := p.Running
	if t == nil {
		return "-"
	}
	pids := make([]string, len(t.PIDs))
	for i, pid := range t.PIDs {
		pids[i] = fmt.Sprint(pid)
	}
	s := fmt.Sprintf("%s, %s", transformState(t), humanBytes(uint64(t.Memory)))
	if len(pids) > 0 {
		s += ", pid " + strings.Join(pids, " ")
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func shortSum(hex string) string { return hex[:min(len(hex), 12)] }

func pluginLockCommand() *cobra.Command {
	var asJSON, check, all bool
	c := &cobra.Command{
		Use: "lock", Short: "Write the checksums of the plugins; serve starts no other ones", Args: cobra.NoArgs,
		Long: `lock writes plugins.lock into POSTCALL_PLUGIN_DIR: the SHA-256 of each plugin that POSTCALL_TRANSFORMS or POSTCALL_PLUGINS
uses, as sha256sum prints it (that of a folder is over its files). It shows what changed and asks nothing. Where there is a lock
file, "postcall serve" starts no plugin that differs from it or isn't in it, and looks again at each start of a process. Run it
after you have put plugins there that you trust, and start the connector again. Remove the file to lock nothing.`,
		Example: `  postcall plugin lock            after an update, on the machine or while the image is built
  postcall plugin lock --check    exit code 1 if it would change anything; writes nothing
  postcall plugin lock --all      also the plugins that are not in use`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := connector.LoadConfig()
			if err != nil {
				return err
			}
			r, err := connector.CompareLock(cfg, all)
			if r == nil || check && err != nil {
				return err
			}
			if !check {
				if err := r.Write(); err != nil {
					return err
				}
			}
			if asJSON {
				err = printJSON(c.OutOrStdout(), r)
			} else {
				err = writeLock(c.OutOrStdout(), r, check)
			}
			if err == nil && check && !r.Same() {
				return errReported
			}
			return err
		},
	}
	c.Flags().BoolVar(&check, "check", false, "write nothing; exit code 1 if the lock file and the plugins differ")
	c.Flags().BoolVar(&all, "all", false, "lock every plugin in POSTCALL_PLUGIN_DIR")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func writeLock(w io.Writer, r *connector.LockReport, check bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range r.Plugins {
		was := ""
		if p.State == connector.LockChanged {
			was = "was " + shortSum(p.Was)
		}
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", p.State, p.Name, orDash(shortSum(p.Now)), was)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	differ := slices.ContainsFunc(r.Plugins, func(p connector.LockChange) bool { return p.State != connector.LockSame })
	end := r.File + " is as it was"
	switch {
	case check && !r.Exists:
		end = r.File + " isn't there, so any plugin is started; write it by: postcall plugin lock"
	case check && differ:
		end = r.File + " and the plugins differ; if these are the ones to trust: postcall plugin lock"
	case check:
		end = r.File + " and the plugins agree"
	case differ || !r.Exists:
		end = r.File + " is written; a connector that runs reads it when it is started again"
	}
	_, err := fmt.Fprintln(w, end)
	return err
}
