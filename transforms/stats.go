package transforms

import "sync/atomic"

// Stats counts what has happened to a plugin's processes since Open.
type Stats struct {
	Running int   `json:"running"` // processes
	PIDs    []int `json:"pids,omitempty"`
	Memory  int64 `json:"memory"` // bytes of them and of their children together, as last looked at; 0 where that can't be known

	Starts    uint64 `json:"starts"`    // of processes, the first ones included
	Crashed   uint64 `json:"crashed"`   // processes that ended by themselves
	Hung      uint64 `json:"hung"`      // processes killed because they didn't answer in time
	Oversized uint64 `json:"oversized"` // processes killed because they needed more than Spec.Memory
	LogLost   uint64 `json:"logLost"`   // lines that were left out of the log, because there were too many
}

type stats struct{ starts, crashed, hung, oversized atomic.Uint64 }

// Stats returns the counts until now.
func (p *Plugin) Stats() Stats {
	s := Stats{
		Starts: p.stats.starts.Load(), Crashed: p.stats.crashed.Load(), Hung: p.stats.hung.Load(),
		Oversized: p.stats.oversized.Load(), LogLost: p.spec.limits.lost.Load(),
	}
	for _, w := range p.workers {
		if proc := w.living(); proc != nil {
			s.Running++
			s.PIDs = append(s.PIDs, proc.runner.pid())
			s.Memory += proc.memory.Load()
		}
	}
	return s
}

func (p *Plugin) started(proc *process) {
	p.stats.starts.Add(1)
	p.mu.Lock()
	p.version = proc.version
	p.mu.Unlock()
}
