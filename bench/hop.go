package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// runHop measures what one more plugin costs: postcall with its own plugins, and with another one behind them, in turns,
// since only runs in turns compare.
func runHop(ctx context.Context, o options, st *standIns, sizes []int, p *report) error {
	var paths []string
	for path := range strings.SplitSeq(o.hop, ",") {
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		paths = append(paths, abs)
	}
	dir, err := os.MkdirTemp(o.dir, "postcall-bench-plugins-")
	if err != nil {
		return err
	}
	defer removeDir(dir)
	env, err := hopEnv(dir, o.bin, paths)
	if err != nil {
		return err
	}
	for _, size := range sizes {
		without := plan{Size: size, Events: max(o.events*(8<<10)/size, 500), Senders: o.senders, Timeout: patience}
		spent := map[string]float64{}
		for round := range o.rounds {
			for i := range len(paths) + 1 {
				label, with := "postcall", without
				if i > 0 {
					label, with.Env = "postcall and "+filepath.Base(paths[i-1]), env[i-1]
				}
				say("%s, %d KiB, round %d of %d", label, size>>10, round+1, o.rounds)
				r, err := runPostcall(ctx, o, label, st, newCalls(newRun(), size, 1), with)
				p.Results = append(p.Results, r)
				if err != nil {
					return err
				}
				spent[label] += r.CPU / float64(o.rounds) * 1000 // µs an event
			}
		}
		for _, path := range paths {
			hop := spent["postcall and "+filepath.Base(path)] - spent["postcall"]
			say("a hop of %s with %d KiB: %.0f µs of CPU per event, %.1f %% of the %.0f µs of the rest", filepath.Base(path), size>>10,
				hop, 100*hop/spent["postcall"], spent["postcall"])
		}
	}
	return nil
}

// hopEnv makes a folder with the shipped plugins and the given ones, and a chain with each of those in turn.
func hopEnv(dir, bin string, paths []string) (env [][]string, err error) {
	own := transforms(bin)
	var links []string
	for _, name := range own {
		links = append(links, filepath.Join(bin, "plugins", name))
	}
	for _, path := range append(links, paths...) {
		if err := os.Symlink(path, filepath.Join(dir, filepath.Base(path))); err != nil {
			return nil, err
		}
	}
	for _, path := range paths {
		name := filepath.Base(path)
		file := filepath.Join(dir, name+".yaml")
		chain := fmt.Sprintf("chains:\n  phonely: [%s]\n", strings.Join(append(slices.Clip(own), name), ", "))
		if err := os.WriteFile(file, []byte(chain), 0o600); err != nil {
			return nil, err
		}
		env = append(env, []string{"POSTCALL_PLUGIN_DIR=" + dir, "POSTCALL_PLUGINS=" + file})
	}
	return env, nil
}
