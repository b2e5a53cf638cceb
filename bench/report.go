package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is everything of one call of the program.
type report struct {
	Taken   time.Time `json:"taken"`
	Machine string    `json:"machine"`
	Load    string    `json:"load_average"` // before the first run: others on the machine show here
	Kind    string    `json:"kind"`         // of the runs: stand-ins, engines or peers
	Stores  string    `json:"stores"`
	Plugins []string  `json:"plugins"`
	Results []result  `json:"results"`
}

// machine describes the machine in general terms.
func machine() string {
	mem := "unknown memory"
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kib); err == nil {
			mem = fmt.Sprintf("%d GiB of memory", (kib+1<<19)>>20)
		}
	}
	return fmt.Sprintf("%d cores, %s, %s/%s, %s", runtime.NumCPU(), mem, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:2], " ")
}

// columns are the heads of the table and how each is read of a result.
var columns = []struct {
	head string
	of   func(r, ceiling result) string
}{
	{"run", func(r, _ result) string { return r.Name }},
	{"KiB", func(r, _ result) string { return fmt.Sprintf("%.0f", float64(r.Plan.Size)/1024) }},
	{"senders", func(r, _ result) string {
		if r.Plan.Rate > 0 {
			return fmt.Sprintf("open, %.0f/s", r.Plan.Rate)
		}
		return fmt.Sprint(r.Plan.Senders)
	}},
	{"events", func(r, _ result) string { return fmt.Sprint(r.Load.Accepted) }},
	{"accepted/s", func(r, _ result) string { return fmt.Sprintf("%.0f", r.accepted()) }},
	{"of ceiling", func(r, c result) string {
		if c.Load.Seconds == 0 || r.Plan.Rate > 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", r.accepted()/c.accepted())
	}},
	{"p50 ms", func(r, _ result) string { return fmt.Sprintf("%.1f", r.Load.P50) }},
	{"p99 ms", func(r, _ result) string { return fmt.Sprintf("%.1f", r.Load.P99) }},
	{"max ms", func(r, _ result) string { return fmt.Sprintf("%.0f", r.Load.Max) }},
	{"in both stores/s", func(r, _ result) string { return orDash(r.Stored, "%.0f") }},
	{"CPU s/1,000", func(r, _ result) string { return orDash(r.CPU, "%.3f") }},
	{"until answered", func(r, _ result) string { return orDash(r.IntakeCPU, "%.3f") }},
	{"RSS MiB", func(r, _ result) string { return orDash(r.Peak, "%.0f") }},
	{"syncs/event", func(r, _ result) string {
		s := orDash(r.Syncs, "%.3f")
		if r.SyncsFrom == "metrics" {
			s += " (metrics)"
		}
		return s
	}},
	{"RSS by phase", func(r, _ result) string {
		var s []string
		for _, v := range r.Peaks {
			s = append(s, fmt.Sprintf("%.0f", v))
		}
		return strings.Join(s, " ")
	}},
	{"drained/s", func(r, _ result) string { return orDash(r.Drained, "%.0f") }},
	{"written x", func(r, _ result) string { return orDash(r.Wrote, "%.2f") }},
	{"missing", func(r, _ result) string { return fmt.Sprint(r.Missing) }},
	{"twice", func(r, _ result) string { return fmt.Sprint(r.Twice) }},
}

func orDash(v float64, format string) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// ceilingOf is the plain file's run with the same size.
func (p *report) ceilingOf(r result) result {
	for _, c := range p.Results {
		if c.Name == ceilingName && c.Plan.Size == r.Plan.Size {
			return c
		}
	}
	return result{}
}

// grid is a table: its head and its rows.
type grid [][]string

// tables are that of the runs, and one of the stages of each run that was profiled.
func (p *report) tables() []grid {
	runs := make(grid, 1+len(p.Results))
	for _, c := range columns {
		runs[0] = append(runs[0], c.head)
		for i, r := range p.Results {
			runs[1+i] = append(runs[1+i], c.of(r, p.ceilingOf(r)))
		}
	}
	all := []grid{runs}
	for _, r := range p.Results {
		if r.Stages != nil {
			all = append(all, r.stages())
		}
	}
	return all
}

// text prints the tables for a terminal.
func (p *report) text(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, t := range p.tables() {
		if i > 0 {
			fmt.Fprintln(tw)
		}
		for _, row := range t {
			fmt.Fprintln(tw, strings.Join(row, "\t")+"\t")
		}
	}
	return tw.Flush()
}

// markdown prints the same as a page's tables, with what they were taken on.
func (p *report) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s; load average before: %s; stores: %s; plugins: %s\n", p.Taken.Format(time.DateOnly), p.Machine, p.Load, p.Stores, strings.Join(p.Plugins, ", "))
	for _, t := range p.tables() {
		b.WriteByte('\n')
		for i, row := range t {
			b.WriteString("| " + strings.Join(row, " | ") + " |\n")
			if i == 0 {
				b.WriteString("|" + strings.Repeat("---|", len(row)) + "\n")
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// save writes the report as JSON and as markdown into dir.
func (p *report) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	base := filepath.Join(dir, p.Taken.Format("20060102-150405")+"-"+p.Kind)
	if err := os.WriteFile(base+".json", append(b, '\n'), 0o644); err != nil {
		return err
	}
	if p.Kind == "peers" {
		if err := p.plot(base + ".svg"); err != nil {
			return err
		}
	}
	f, err := os.Create(base + ".md")
	if err != nil {
		return err
	}
	if err := p.markdown(f); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "written:", base+".json")
	return f.Close()
}
