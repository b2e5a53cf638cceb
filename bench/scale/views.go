package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	metrics "github.com/postcall/postcall/connector/clickhouse"
)

// The targets of a view, in seconds.
const (
	monthTarget = 1.0
	allTarget   = 5.0
)

// onTwoCores are the settings of a question: two threads, and no answer from the question before.
var onTwoCores = url.Values{"max_threads": {"2"}, "use_query_condition_cache": {"0"}}

// views times every metric view there is, over the last 30 days and over all.
func (s *server) views(ctx context.Context, repeats int, w io.Writer) error {
	names, err := s.query(ctx, "SELECT name FROM system.tables WHERE database = 'postcall' AND startsWith(name, 'metric_') AND NOT endsWith(name, '_since') ORDER BY name", nil)
	if err != nil {
		return err
	}
	list := strings.Fields(names)
	if len(list) == 0 {
		return fmt.Errorf("database postcall has no metric views")
	}
	fmt.Fprintf(w, "\n| view | last 30 days, s | CPU s | under %.0f s | all, s | CPU s | under %.0f s |\n|---|---|---|---|---|---|---|\n", monthTarget, allTarget)
	b, missed := newBar("Asking the views", len(list)), error(nil)
	for i, name := range list {
		lately := name + " WHERE day >= today() - 30"
		if m, ok := metrics.FindMetric(strings.TrimPrefix(name, "metric_")); ok && m.Repeats { // the view of it that takes the bound
			lately = m.SinceView() + "(since = today() - 30)"
		}
		month, err := s.best(ctx, repeats, "SELECT * FROM postcall."+lately+" FORMAT Null")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all, err := s.best(ctx, repeats, "SELECT * FROM postcall."+name+" FORMAT Null")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fast, fair := month.seconds < monthTarget, all.seconds < allTarget
		if !fast || !fair {
			missed = errMissed
		}
		fmt.Fprintf(w, "| %s | %.2f | %.2f | %s | %.2f | %.2f | %s |\n", name, month.seconds, month.cpu, verdict(fast), all.seconds, all.cpu, verdict(fair))
		b.at(i + 1)
	}
	return missed
}

func (s *server) best(ctx context.Context, repeats int, sql string) (best took, err error) {
	for range repeats {
		t, err := s.time(ctx, sql, onTwoCores)
		if err != nil {
			return best, err
		}
		best.least(t)
	}
	return best, nil
}
