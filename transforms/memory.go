package transforms

import (
	"context"
	"log/slog"
	"time"
)

// memoryInterval is the time between two looks at a plugin's memory: what a leak can take beyond the bound.
const memoryInterval = 100 * time.Millisecond

// watchMemory looks at the memory of the process and its group until it ends or isn't started at all, and kills it above
// the bound.
func (p *process) watchMemory(spec Spec) {
	t := time.NewTicker(memoryInterval)
	defer t.Stop()
	for {
		select {
		case <-p.runner.exited:
			return
		case <-p.gone:
			return
		case <-t.C:
		}
		pid := p.runner.pid()
		if pid == 0 {
			continue
		}
		used := groupMemory(pid, spec.Memory)
		p.memory.Store(used)
		if spec.Memory > 0 && used > spec.Memory {
			p.over.Store(used)
			spec.Logger.LogAttrs(context.Background(), slog.LevelError, "plugin killed: it needed more memory than it may have",
				slog.String("plugin", spec.Name), slog.Int("pid", pid),
				slog.Int64("bytes", used), slog.Int64("bound", spec.Memory))
			_ = p.runner.Kill(context.Background())
			return
		}
	}
}
