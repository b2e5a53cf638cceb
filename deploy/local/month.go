package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// month is what `postcall demo-data` is asked for.
type month struct {
	calls    int
	seed     string // empty is the first one
	start    string // first day; empty so that the last one is yesterday
	timezone string
}

// writeMonth lets the connector's binary write a month of made-up calls to a file of d's folder.
func (d *demo) writeMonth(ctx context.Context, m month) (string, error) {
	path := filepath.Join(d.server.dir, "month.ndjson")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	args := m.args()
	var problem strings.Builder
	cmd := exec.CommandContext(ctx, d.binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = d.environ(), f, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, problem.String())
	}
	return path, f.Close()
}

// args ask for the month.
func (m month) args() []string {
	args := []string{"demo-data", "--calls", strconv.Itoa(m.calls), "--timezone", m.timezone}
	if m.start != "" {
		args = append(args, "--start", m.start)
	}
	if m.seed != "" {
		args = append(args, "--seed", m.seed)
	}
	return args
}

// timezone is that of the user's setting, or UTC, which is its default.
func timezone() string {
	if zone := os.Getenv("POSTCALL_TIMEZONE"); zone != "" {
		return zone
	}
	return "UTC"
}

// deliver sends the samples, and a month of calls behind them.
func (d *demo) deliver(ctx context.Context) error {
	if err := d.postcall(ctx, fmt.Sprintf("Delivering %d sample calls", len(d.files)), append([]string{"send"}, d.files...)...); err != nil {
		return err
	}
	if d.month.calls == 0 {
		return nil
	}
	path, err := d.writeMonth(ctx, d.month)
	if err != nil {
		return err
	}
	return d.postcall(ctx, fmt.Sprintf("Delivering a month of %d made-up calls", d.month.calls), "send", path)
}

// monthLoaded returns an error until both stores hold as many calls as were delivered.
func (d *demo) monthLoaded(ctx context.Context) error {
	want := d.month.calls + len(d.calls)
	n, err := d.count(ctx)
	if err == nil && n < want {
		err = fmt.Errorf("in ClickHouse are %d of %d calls", n, want)
	}
	if err != nil {
		return err
	}
	if n, err = d.documents(ctx); err == nil && n < want {
		err = fmt.Errorf("in Elasticsearch are %d of %d calls", n, want)
	}
	return err
}
