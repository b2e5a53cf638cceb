package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// tourOptions say what `tour` shows.
type tourOptions struct {
	run  runOptions
	page string // docs/analysts.md: which month, and which questions
	rows int    // of each metric
}

func tourCommandLine(ctx context.Context, c cache, args []string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	bin := filepath.Dir(self)
	f := flag.NewFlagSet("local tour", flag.ContinueOnError)
	o := tourOptions{run: runOptions{once: true, up: upOptions{command: "local tour"}}}
	engineFlags(f, &o.run.up)
	f.StringVar(&o.run.binary, "postcall", filepath.Join(bin, "postcall"), "the connector's binary")
	f.StringVar(&o.page, "page", filepath.Join(bin, "..", "docs", "analysts.md"), "the questions")
	f.IntVar(&o.rows, "rows", 5, "rows of each metric to show")
	if code, err := parse(f, args); err != nil {
		return code, err
	}
	return failed(runTour(ctx, c, o))
}

// runTour starts the engines and the connector on a throw-away folder, loads the month of the page and shows it.
func runTour(ctx context.Context, c cache, o tourOptions) error {
	page, err := os.ReadFile(o.page)
	if err != nil {
		return err
	}
	d := &demo{binary: o.run.binary}
	if d.month, err = monthOfPage(string(page)); err != nil {
		return fmt.Errorf("%s: %w", o.page, err)
	}
	if !exists(d.binary) {
		return fmt.Errorf("%s is missing: make build", d.binary)
	}
	d.settings = []string{"POSTCALL_TIMEZONE=" + d.month.timezone}
	if d.engines, err = startUp(ctx, c, o.run.up); err != nil {
		return err
	}
	if err = d.configure(c, o.run); err == nil {
		err = d.tour(ctx, string(page), o.rows)
	}
	if d.server != nil {
		err = errors.Join(err, d.server.close())
	}
	return errors.Join(err, d.engines.close())
}

// monthOfPage reads the command of the page that makes its month.
func monthOfPage(page string) (m month, err error) {
	_, line, _ := strings.Cut(page, "\npostcall demo-data ")
	line, _, found := strings.Cut(line, " |")
	if !found {
		return m, errors.New("there is no line \"postcall demo-data ... |\" in it")
	}
	f := flag.NewFlagSet("postcall demo-data", flag.ContinueOnError)
	f.IntVar(&m.calls, "calls", 1000, "")
	f.StringVar(&m.seed, "seed", "1", "")
	f.StringVar(&m.start, "start", "", "")
	f.StringVar(&m.timezone, "timezone", "UTC", "")
	return m, f.Parse(strings.Fields(line))
}

func (d *demo) tour(ctx context.Context, page string, rows int) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	file, err := d.writeMonth(ctx, d.month)
	if err != nil {
		return err
	}
	// One after the other: a correction comes behind what it corrects.
	if err := d.postcall(ctx, fmt.Sprintf("Delivering a month of %d made-up calls", d.month.calls), "send", "--concurrency", "1", file); err != nil {
		return err
	}
	if err := d.awaitMonth(ctx); err != nil {
		return err
	}
	if err := d.showMetrics(ctx, rows); err != nil {
		return err
	}
	return d.showPage(ctx, page)
}

// awaitMonth waits until every delivery is in both stores, corrections too.
func (d *demo) awaitMonth(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, showTimeout, fmt.Errorf("the calls were not in both stores after %s", showTimeout))
	defer cancel()
	p := startProgress("Waiting for the calls in both stores", nil)
	err := d.poll(ctx, func() error {
		if err := d.monthLoaded(ctx); err != nil {
			return err
		}
		return d.settled(ctx)
	})
	p.done(err)
	if err != nil {
		return fmt.Errorf("%w; the end of %s:\n%s", err, d.server.log(), tail(d.server.log(), 20))
	}
	return nil
}

// settled is an error while a sink has something to load.
func (d *demo) settled(ctx context.Context) error {
	out, err := d.output(ctx, "status", "--json")
	if err != nil {
		return err
	}
	var status struct {
		Sinks []struct {
			Name    string `json:"name"`
			Pending int    `json:"pending"`
		} `json:"sinks"`
	}
	if err := json.Unmarshal(out, &status); err != nil {
		return err
	}
	for _, s := range status.Sinks {
		if s.Pending > 0 {
			return fmt.Errorf("%s has %d calls to load", s.Name, s.Pending)
		}
	}
	return nil
}

// showMetrics prints the first rows of every view of the catalogue, which ClickHouse itself knows with its comments.
func (d *demo) showMetrics(ctx context.Context, rows int) error {
	out, err := d.clickhouse(ctx, `SELECT t.name, t.comment, arrayStringConcat(groupArrayIf('round(' || c.name || ', 2) AS ' || c.name, c.type LIKE '%Float%'), ', ')
		FROM system.tables AS t INNER JOIN system.columns AS c ON c.database = t.database AND c.table = t.name
		WHERE t.database = 'postcall' AND t.name LIKE 'metric\_%' GROUP BY t.name, t.comment ORDER BY t.name FORMAT TSVRaw`)
	if err != nil {
		return err
	}
	fmt.Printf("\n# The metrics\n")
	for line := range strings.Lines(string(out)) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		comment, rounded, _ := strings.Cut(rest, "\t")
		if rounded != "" {
			rounded = "REPLACE (" + rounded + ")"
		}
		table, err := d.clickhouse(ctx, fmt.Sprintf("SELECT * EXCEPT tenant %s FROM postcall.%s ORDER BY ALL LIMIT %d", rounded, name, rows))
		if err != nil {
			return err
		}
		fmt.Printf("\n%s\n%s\n%s", name, comment, table)
	}
	return nil
}

// showPage prints the page with the answers of this month.
func (d *demo) showPage(ctx context.Context, page string) error {
	fmt.Println()
	lines := strings.SplitAfter(page, "\n")
	for i := 0; i < len(lines); i++ {
		lang, fence := strings.CutPrefix(strings.TrimSpace(lines[i]), "```")
		if !fence {
			fmt.Print(lines[i])
			continue
		}
		from := i + 1
		for i = from; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
		}
		text := strings.Join(lines[from:i], "")
		if lang == "text" { // the answer that the page has
			continue
		}
		fmt.Print(text)
		var answer []byte
		var err error
		switch lang {
		case "sql":
			answer, err = d.clickhouse(ctx, text)
		case "http":
			answer, err = d.elastic(ctx, text)
		}
		if err != nil {
			return fmt.Errorf("%s\n%w", text, err)
		}
		fmt.Printf("\n%s", answer)
	}
	return nil
}

func (d *demo) clickhouse(ctx context.Context, query string) ([]byte, error) {
	set := url.Values{
		"default_format": {"PrettyCompactMonoBlock"}, "output_format_pretty_color": {"0"}, "output_format_pretty_row_numbers": {"0"},
		"output_format_pretty_single_large_number_tip_threshold": {"0"}, "output_format_pretty_max_value_width": {"60"},
		"output_format_pretty_max_value_width_apply_for_single_value": {"1"},
	}
	return queryClickHouse(ctx, d.engines.setting("POSTCALL_TEST_CLICKHOUSE_HTTP"), d.engines.setting("POSTCALL_CLICKHOUSE_PASSWORD"), query, set)
}

// elastic makes the request of a block of the page: a line with method and path, and the body below it.
func (d *demo) elastic(ctx context.Context, question string) ([]byte, error) {
	head, body, _ := strings.Cut(question, "\n")
	method, path, _ := strings.Cut(head, " ")
	out, err := fetch(ctx, method, d.engines.setting("POSTCALL_ELASTICSEARCH_URL")+"/"+path+"?filter_path=hits.hits._source,hits.hits.inner_hits.turns.hits.hits.highlight,aggregations.*.buckets",
		http.Header{"Content-Type": {"application/json"}}, body)
	if err != nil {
		return nil, err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, out, "", "  "); err != nil {
		return nil, err
	}
	return append(pretty.Bytes(), '\n'), nil
}
