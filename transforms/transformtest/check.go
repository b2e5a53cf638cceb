package transformtest

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"go.uber.org/goleak"

	"github.com/postcall/postcall/transforms"
)

// Options say how thorough Check is. The zero value is thorough enough for a plugin's own tests.
type Options struct {
	Seed   uint64 // of the made-up events; 0 is 1
	Events int    // how many of them; 0 is 64

	Patience time.Duration // for one call, before it counts as one that hangs; 0 is a minute, for the race detector on a busy machine
	Grace    time.Duration // for a canceled call to end; 0 is 5 s
	Memory   int64         // bytes that a process may have; 0 is 256 MiB, the default of POSTCALL_PLUGIN_MEMORY

	Costs    bool         // measure what an event costs too
	Progress func(Result) // called after each check, may be nil
}

// Report is what Check found.
type Report struct {
	Name     string   `json:"name,omitempty"`    // as the plugin reports it; of a process only, like the next two
	Version  string   `json:"version,omitempty"` // likewise
	Protocol int      `json:"protocol,omitempty"`
	Seed     uint64   `json:"seed"`
	Results  []Result `json:"results"`
	Costs    []Cost   `json:"costs,omitempty"`
	Memory   int64    `json:"memoryBytes,omitempty"` // the most that the process had, where the system tells
}

// OK reports whether the transform keeps every rule.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.Results, func(r Result) bool { return r.Status != OK })
}

// Result is what one check found.
type Result struct {
	Check   string  `json:"check"`             // a word that stays the same from version to version
	Rule    string  `json:"rule"`              // what must hold
	Status  Status  `json:"status"`            //
	Did     string  `json:"did,omitempty"`     // what was done to find out
	Problem string  `json:"problem,omitempty"` // how the rule is broken, or why it wasn't checked
	Change  string  `json:"change,omitempty"`  // what to do about it
	Seconds float64 `json:"seconds"`
}

// Status is how a check ended.
type Status string

// The ways a check ends.
const (
	OK        Status = "ok"
	Failed    Status = "failed"
	Unchecked Status = "unchecked" // since something that it needs has failed
)

// Cost is what an event costs in batches of a size.
type Cost struct {
	Batch  int     `json:"batch"`
	Micros float64 `json:"micros"` // per event, there and back; the median of several batches
}

// Check holds a transform to the contract, one rule after the other. It goes on after a failure with what can still be
// checked, but not where the transform doesn't even start. When ctx ends, so does the check under way, as a failure; no
// other begins.
func Check(ctx context.Context, subject Subject, o Options) *Report {
	s := newSuite(subject, o)
	defer func() { _ = s.closeAll() }() // where the check that does it was not reached
	for _, c := range checks {
		if ctx.Err() == nil && s.status["start"] != Failed && (len(c.only) == 0 || slices.Contains(c.only, subject.kind)) {
			s.run(ctx, c)
		}
	}
	return s.report
}

// suite is a run of Check.
type suite struct {
	subject Subject
	o       Options
	report  *Report
	status  map[string]Status
	logs    *logKeeper
	before  goleak.Option // the goroutines that were there before

	main   *instance
	opened []*instance

	answers []answer          // of the golden and made-up events, in batches
	alone   map[string]answer // and each alone, by its id
	errors  []failed          // all that calls ended with
}

// check is one rule and how it is checked. run returns what it did, and what is wrong.
type check struct {
	name, rule string
	needs      []string // checks that must have passed
	only       []string // kinds of subjects; none means all
	run        func(context.Context, *suite) (did string, bad *fault)
}

// fault is how a rule is broken and what to do about it.
type fault struct{ problem, change string }

func newSuite(subject Subject, o Options) *suite {
	o.Seed, o.Events = cmp.Or(o.Seed, 1), cmp.Or(o.Events, 64)
	o.Patience, o.Grace = cmp.Or(o.Patience, time.Minute), cmp.Or(o.Grace, 5*time.Second)
	o.Memory = cmp.Or(o.Memory, 256<<20)
	s := &suite{
		subject: subject, o: o, report: &Report{Seed: o.Seed},
		status: map[string]Status{}, alone: map[string]answer{}, logs: new(logKeeper), before: goleak.IgnoreCurrent(),
	}
	if subject.kind == kindProcess {
		s.logs.next = subject.spec.Logger
		spec := *subject.spec
		spec.Logger = slog.New(s.logs)
		s.subject = Process(spec)
		s.report.Protocol = transforms.ProtocolVersion
	}
	return s
}

func (s *suite) run(ctx context.Context, c check) {
	r := Result{Check: c.name, Rule: c.rule, Status: OK}
	began := time.Now()
	if lacks := slices.DeleteFunc(slices.Clone(c.needs), func(n string) bool { return s.status[n] == OK }); len(lacks) > 0 {
		r.Status, r.Problem = Unchecked, "not checked, since this has failed: "+rule(lacks[0])
	} else {
		did, bad := c.run(ctx, s)
		r.Did = did
		if bad != nil {
			r.Status, r.Problem, r.Change = Failed, bad.problem, bad.change
		}
	}
	r.Seconds = time.Since(began).Seconds()
	s.status[c.name] = r.Status
	s.report.Results = append(s.report.Results, r)
	if s.o.Progress != nil {
		s.o.Progress(r)
	}
}

func rule(name string) string {
	return checks[slices.IndexFunc(checks, func(c check) bool { return c.name == name })].rule
}
