package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/transformtest"
)

func pluginCheckCommand() *cobra.Command {
	var asJSON, showLog bool
	var settings, settingsFile string
	o := transformtest.Options{Costs: true}
	c := &cobra.Command{
		Use: "test PATH", Short: "Check that a plugin, in any language, keeps to the contract", Args: cobra.ExactArgs(1),
		Long: `test starts the plugin at PATH (an executable file, or a folder with an executable of its own name), hands it events of real
calls and made-up ones, and checks what comes back: ids, order and versions stay; the same batch again, after a restart, among
other neighbours and beside other calls has the same result; a canceled call ends; 4 MiB pass; fields of a newer version come
back; memory is bounded; and no reason, error or log line holds what a caller said. Each line is a rule. After FAIL it says how
the rule is broken and what to change. Nothing is stored and no connector is needed.

Exit code 1 says that a rule is broken, or that the plugin doesn't start. The events are the same for the same --seed; the Go
package transforms/transformtest holds the same checks for a plugin's own tests.`,
		Example: `  postcall plugin test dist/drop-short
  postcall plugin test dist/drop-short --settings '{"seconds": 10}'
  postcall plugin test bin/plugins/redact-pii --settings-file settings.yaml     where a setting is a secret
  postcall plugin test dist/drop-short --seed 7 --events 1000 --json > report.json`,
		RunE: func(c *cobra.Command, args []string) error {
			spec, err := checkedPlugin(args[0], settings, settingsFile)
			if err != nil {
				return err
			}
			if o.Events < 1 || o.Patience < time.Second {
				return usagef("--events is at least 1, --patience at least 1s")
			}
			if showLog {
				spec.Logger = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
			}
			out := c.OutOrStdout()
			if !asJSON {
				o.Progress = func(r transformtest.Result) { writeResult(out, r) }
			}
			report := transformtest.Check(c.Context(), transformtest.Process(spec), o)
			return reported(out, report, asJSON, c.Context().Err())
		},
	}
	c.Flags().StringVar(&settings, "settings", "", "the plugin's settings, a JSON object; other users of the machine can see it")
	c.Flags().StringVar(&settingsFile, "settings-file", "", "the same from a file, JSON or YAML")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of the made-up events")
	c.Flags().IntVar(&o.Events, "events", 200, "how many events are made up")
	c.Flags().DurationVar(&o.Patience, "patience", 30*time.Second, "how long a call may take, like POSTCALL_TRANSFORM_TIMEOUT")
	c.Flags().BoolVar(&showLog, "log", false, "show what the plugin logs, on standard error")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// checkedPlugin says how to start the plugin.
func checkedPlugin(path, settings, file string) (transforms.Spec, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return transforms.Spec{}, err
	}
	name := filepath.Base(abs)
	if _, err := transforms.Executable(filepath.Dir(abs), name); err != nil {
		return transforms.Spec{}, usagef("%s is no plugin: %w", path, err)
	}
	data := []byte(settings)
	if file != "" {
		if settings != "" {
			return transforms.Spec{}, usagef("--settings and --settings-file exclude each other")
		}
		if data, err = os.ReadFile(file); err != nil {
			return transforms.Spec{}, usageError{err}
		}
	}
	data, err = settingsObject(data)
	return transforms.Spec{Name: name, Path: abs, Settings: data}, err
}

// settingsObject reads JSON, or YAML, of which JSON is a part. An error holds nothing of it: it could be a secret.
func settingsObject(data []byte) (json.RawMessage, error) {
	if json.Valid(data) {
		return data, nil
	}
	var all map[string]any
	if err := yaml.Unmarshal(data, &all); err != nil {
		return nil, usagef("the settings are no JSON object and no YAML mapping")
	}
	if all == nil {
		return json.RawMessage("{}"), nil
	}
	out, err := json.Marshal(all)
	if err != nil {
		return nil, usagef("the settings can't be written as JSON")
	}
	return out, nil
}

func writeResult(w io.Writer, r transformtest.Result) {
	mark := map[transformtest.Status]string{transformtest.OK: "ok  ", transformtest.Failed: "FAIL", transformtest.Unchecked: "-   "}[r.Status]
	did := r.Did
	if r.Status == transformtest.Unchecked {
		did = r.Problem
	}
	_, _ = fmt.Fprintf(w, "%s  %-61s %6.2fs  %s\n", mark, r.Rule, r.Seconds, did)
	if r.Status == transformtest.Failed {
		_, _ = fmt.Fprintf(w, "      problem: %s\n      change:  %s\n", r.Problem, r.Change)
	}
}

// reported ends the report. A plugin that breaks a rule is an error that needs no words any more.
func reported(w io.Writer, r *transformtest.Report, asJSON bool, ended error) error {
	counts := map[transformtest.Status]int{}
	for _, result := range r.Results {
		counts[result.Status]++
	}
	var err error
	if asJSON {
		err = printJSON(w, struct {
			OK bool `json:"ok"`
			*transformtest.Report
		}{r.OK() && ended == nil, r})
	} else {
		_, err = io.WriteString(w, summary(r, counts))
	}
	switch {
	case err != nil:
		return err
	case ended != nil:
		return errors.New("it was ended before all was checked")
	case !r.OK():
		return errReported
	}
	return nil
}

func summary(r *transformtest.Report, counts map[transformtest.Status]int) string {
	var b strings.Builder
	if r.Name != "" {
		_, _ = fmt.Fprintf(&b, "\n%s %s, protocol %d", r.Name, r.Version, r.Protocol)
	}
	if r.Memory > 0 {
		_, _ = fmt.Fprintf(&b, ", at most %s of memory", humanBytes(uint64(r.Memory)))
	}
	if len(r.Results) == 1 {
		return b.String() + "it doesn't start, so nothing else was checked\n"
	}
	for i, cost := range r.Costs {
		lead := ", "
		if i == 0 {
			lead = "\nan event costs, there and back, "
		}
		_, _ = fmt.Fprintf(&b, "%s%.0f µs in batches of %d", lead, cost.Micros, cost.Batch)
	}
	_, _ = fmt.Fprintf(&b, "\n%d rules: %d kept, %d broken, %d not checked\n", len(r.Results),
		counts[transformtest.OK], counts[transformtest.Failed], counts[transformtest.Unchecked])
	return b.String()
}
