package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/postcall/postcall/connector"
)

// operate opens the streams for a tool of the person on call, and the loaders where it needs them.
func operate(ctx context.Context, stderr io.Writer, sinks bool, f func(*connector.Operator, []connector.Sink) error) error {
	cfg, err := connector.LoadConfig()
	if err != nil {
		return err
	}
	if err := cfg.RequireRedactKey(); err != nil {
		return err
	}
	log := newLogger(stderr, "warn", cfg.LogFormat)
	op, err := connector.OpenOperator(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer op.Close()
	var opened []connector.Sink
	if sinks {
		opened, err = openSinks(cfg)
		defer closeSinks(opened, log)
		if err != nil {
			return err
		}
	}
	return f(op, opened)
}

// oneSink is the enabled sink of that name.
func oneSink(sinks []connector.Sink, name string) (connector.Sink, error) {
	for _, s := range sinks {
		if s.Name == name {
			return s, nil
		}
	}
	return connector.Sink{}, usagef("--sink %q is not one of POSTCALL_SINKS", name)
}

// parseWhen reads a time of day ("2026-11-22T14:00:00Z", "2026-11-22") or an age ("90m", "24h"). Empty is the zero time.
func parseWhen(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--%s takes a time (2026-11-22T14:00:00Z, 2026-11-22) or an age (90m, 24h)", flag)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func humanBytes(n uint64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
}

func age(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return now.Sub(t).Round(time.Second).String()
}
