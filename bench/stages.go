package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// cost is what a stage of the pipeline takes of a run, per event.
type cost struct {
	Stage  string  `json:"stage"`
	CPU    float64 `json:"cpu_seconds_per_1000"`
	Copied float64 `json:"of_it_copying,omitempty"` // in runtime.memmove; what the kernel copies is not in it
	Allocs float64 `json:"allocations_per_event,omitempty"`
	Bytes  float64 `json:"bytes_allocated_per_event,omitempty"`
}

// owners tell the stage of a sample: the innermost of its functions that begins with one of these.
var owners = []struct{ stage, functions string }{
	{"webhook: mapping", own + ".(*reading).check"},
	{"webhook: HTTP and the rest", own + ".(*webhook) net/http.(*conn) net/http.(*connReader)"},
	{"intake: frames", own + ".(*intake)"},
	{"streams", "github.com/nats-io/"},
	{"seal: mapping", own + ".(*sealer).normalize"},
	{"seal: calls of plugins", own + ".(*chain) google.golang.org/grpc"},
	{"seal: encoding and the rest", own + ".(*sealer)"},
	{"load: ClickHouse", own + "/clickhouse. github.com/ClickHouse/"},
	{"load: Elasticsearch", own + "/elastic. github.com/elastic/ net/http.(*persistConn) net/http.(*Transport)"},
	{"load: opening batches", own + ".(*sink) " + own + ".openMessage " + own + ".(*streams).work"},
	{stageGC, "runtime.gcBgMarkWorker runtime.gcAssistAlloc runtime.bgsweep runtime.bgscavenge runtime.gcStart runtime.gcMarkDone"},
}

const (
	own       = "github.com/postcall/postcall/connector"
	stageGC   = "garbage collection"
	stageRest = "scheduler and the rest"
	window    = time.Second // of a CPU profile: nobody knows at its start how long a run takes
)

// stageOf returns the stage that a sample counts for.
func stageOf(s *profile.Sample) string {
	for _, loc := range s.Location { // the innermost first
		for _, line := range loc.Line {
			if line.Function == nil {
				continue
			}
			for _, o := range owners {
				for f := range strings.FieldsSeq(o.functions) {
					if strings.HasPrefix(line.Function.Name, f) {
						return o.stage
					}
				}
			}
		}
	}
	return stageRest
}

func copies(s *profile.Sample) bool {
	if len(s.Location) == 0 || len(s.Location[0].Line) == 0 || s.Location[0].Line[0].Function == nil {
		return false
	}
	return s.Location[0].Line[0].Function.Name == "runtime.memmove"
}

// profiler takes profiles of a postcall that serves them on its admin port.
type profiler struct {
	admin  string
	before map[string]cost // allocations so far, not per event
	cpu    chan map[string]cost
	stop   context.CancelFunc
}

// profileOf begins to take profiles of the program.
func profileOf(ctx context.Context, admin string) (*profiler, error) {
	before, err := allocations(ctx, admin)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	p := &profiler{admin, before, make(chan map[string]cost, 1), stop}
	go func() {
		spent := map[string]cost{} // CPU in samples
		for ctx.Err() == nil {
			// The last window is waited for, since its samples would be lost.
			prof, err := fetchProfile(context.WithoutCancel(ctx), fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", admin, window/time.Second))
			if err != nil {
				break // it has ended
			}
			for _, s := range prof.Sample {
				stage := stageOf(s)
				c := spent[stage]
				c.CPU += float64(s.Value[0])
				if copies(s) {
					c.Copied += float64(s.Value[0])
				}
				spent[stage] = c
			}
		}
		p.cpu <- spent
	}()
	return p, nil
}

// costs ends it and shares the CPU seconds that the program and its plugins took among the stages.
func (p *profiler) costs(ctx context.Context, byProgram map[string]float64, events int) ([]cost, error) {
	after, err := allocations(ctx, p.admin)
	p.stop()
	spent := <-p.cpu
	if err != nil {
		return nil, err
	}
	samples := 0.0
	for _, c := range spent {
		samples += c.CPU
	}
	if samples == 0 {
		return nil, fmt.Errorf("%s served no profile with samples", p.admin)
	}
	var stages []string
	for _, o := range owners {
		stages = append(stages, o.stage)
	}
	var costs []cost
	for _, name := range append(stages, stageRest) {
		c := cost{Stage: name}
		c.CPU = spent[name].CPU / samples * byProgram["postcall"]
		c.Copied = spent[name].Copied / samples * byProgram["postcall"]
		c.Allocs = (after[name].Allocs - p.before[name].Allocs) / float64(events)
		c.Bytes = (after[name].Bytes - p.before[name].Bytes) / float64(events)
		costs = append(costs, c)
	}
	for _, program := range slices.Backward(slices.Sorted(maps.Keys(byProgram))) {
		if program != "postcall" {
			costs = append(costs, cost{Stage: "plugin: " + program, CPU: byProgram[program]})
		}
	}
	return costs, nil
}

// allocations returns what each stage has allocated since the program began.
func allocations(ctx context.Context, admin string) (map[string]cost, error) {
	prof, err := fetchProfile(ctx, admin+"/debug/pprof/allocs")
	if err != nil {
		return nil, err
	}
	sum := map[string]cost{}
	for _, s := range prof.Sample { // alloc_objects, alloc_space and what is in use
		stage := stageOf(s)
		c := sum[stage]
		c.Allocs += float64(s.Value[0])
		c.Bytes += float64(s.Value[1])
		sum[stage] = c
	}
	return sum, nil
}

func fetchProfile(ctx context.Context, url string) (*profile.Profile, error) {
	b, err := get(ctx, url, "", "")
	if err != nil {
		return nil, err
	}
	return profile.ParseData(b)
}

// runStages delivers to a postcall that is profiled, and tells where its CPU seconds go.
func runStages(ctx context.Context, o options, st stores, sizes []int, p *report) error {
	for _, size := range sizes {
		say("postcall, %d KiB, profiled", size>>10)
		pl := plan{
			Size: size, Events: max(o.events*(8<<10)/size, 500), Senders: o.senders, Timeout: patience, Stages: true,
			Env: []string{"POSTCALL_ADMIN_PPROF=true"},
		}
		r, err := runPostcall(ctx, o, "postcall, profiled", st, newCalls(newRun(), size, 1), pl)
		p.Results = append(p.Results, r)
		if err != nil {
			return err
		}
	}
	return nil
}

// stages tells where the CPU seconds of a profiled run went.
func (r result) stages() grid {
	t := grid{{fmt.Sprintf("stage, %d KiB", r.Plan.Size>>10), "CPU s/1,000", "of all", "copying", "allocations", "KiB allocated"}}
	sum := cost{Stage: "all"}
	for _, c := range r.Stages {
		sum.CPU, sum.Copied, sum.Allocs, sum.Bytes = sum.CPU+c.CPU, sum.Copied+c.Copied, sum.Allocs+c.Allocs, sum.Bytes+c.Bytes
	}
	for _, c := range append(slices.Clip(r.Stages), sum) {
		t = append(t, []string{
			c.Stage, fmt.Sprintf("%.4f", c.CPU), fmt.Sprintf("%.0f %%", 100*c.CPU/r.CPU), orDash(c.Copied, "%.4f"), orDash(c.Allocs, "%.0f"), orDash(c.Bytes/1024, "%.1f"),
		})
	}
	return t
}
