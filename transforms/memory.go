package transforms

import (
	"context"
	"log/slog"
	"time"
)

// memoryInterval is the time between two looks at a plugin's memory: what a leak can take beyond the bound.
const memoryInterval = 100 * time.Millisecond

// watchMemory looks at the memory of the process and its group until it ends, and kills it above the bound.
func (p *process) watchMemory(spec Spec) {
	t := time.NewTicker(memoryInterval)
	defer t.Stop()
	for {
		select {
		case <-p.runner.exited:
			return
		case <-t.C:
		}
		used := groupMemory(p.runner.pid(), spec.Memory)
		p.memory.Store(used)
		if spec.Memory > 0 && used > spec.Memory {
			p.over.Store(used)
			spec.Logger.LogAttrs(context.Background(), slog.LevelError, "plugin killed: it needed more memory than it may have",
				slog.String("plugin", spec.Name), slog.Int("pid", p.runner.pid()),
				slog.Int64("bytes", used), slog.Int64("bound", spec.Memory))
			_ = p.runner.Kill(context.Background())
			return
		}
	}
}
