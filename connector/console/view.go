package console

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
)

var functions = template.FuncMap{"n": number, "short": func(s string) string { return s[:min(len(s), 12)] }}

// view is what page.html is filled with. All of it is text for people; html/template escapes it.
type view struct {
	At       string // when it was looked
	Said     string // the outcome of what was done
	Problem  string // why there is nothing newer
	Refusing string
	Pod      string
	Cluster  *connector.ClusterStatus

	In, Sealed stage
	Counts     connector.Counts
	Plugins    []plugin
	Sinks      []sink
	Fork       []string // paths to the sinks
	DeadNow    int
	Dead       []row
	Held       stage // the stream of dead letters
	Calls      []call
	Unused     string
}

// stage is a box of the picture that is a stream.
type stage struct {
	Rate, Waiting, Oldest, Bytes string
	Use                          int // per cent
	Moves, Full                  bool
	Line                         string // points of the line of rates
}

// mark is a state as a sign, a word and a colour.
type mark struct{ Class, Sign, Word string }

type plugin struct {
	connector.TransformStatus
	Mark       mark
	MemoryText string
}

type sink struct {
	connector.SinkStatus
	Mark              mark
	Why, Rate, Age    string
	CaughtUp, Pending string
	Moves             bool
	Line              string
}

// row is a dead letter in the list.
type row struct {
	ID, Stage, Sink, Reason, CallID, State string
	Events                                 int
	Died, Ago                              string
}

type call struct {
	connector.LatestCall
	When, Ago, Length, Steps string
	Stores                   []store
}

type store struct {
	Name string
	Mark mark
}

var (
	good = func(word string) mark { return mark{"good", "●", word} }
	wait = func(word string) mark { return mark{"wait", "▲", word} }
	bad  = func(word string) mark { return mark{"bad", "■", word} }
)

func newView(s *seen, here connector.Here, problem error, now time.Time) *view {
	v := &view{Refusing: here.Refusing, Pod: here.Pod}
	if problem != nil {
		v.Problem = problem.Error()
	}
	if s == nil {
		s = &seen{status: &connector.Status{At: now}}
	}
	st := s.status
	v.At, v.Cluster, v.Counts, v.Unused = stamp(st.At), st.Cluster, st.Counts, strings.Join(st.Unused, ", ")
	v.In, v.Sealed, v.Held = newStage(st.Intake, st.At), newStage(st.Batches, st.At), newStage(st.Dead, st.At)
	v.In.Rate, v.In.Line, v.In.Moves = flow(s.rates[""])
	v.In.Waiting = number(st.Counts.Waiting)
	for i := range st.Transforms {
		v.Plugins = append(v.Plugins, newPlugin(&st.Transforms[i]))
	}
	for i, k := range st.Sinks {
		v.Sinks = append(v.Sinks, newSink(&k, here, s.rates, st))
		v.Fork = append(v.Fork, fmt.Sprintf("M0 50 C 50 50 50 %[1]d 100 %[1]d", (2*i+1)*50/len(st.Sinks)))
	}
	v.DeadNow = s.dead.total
	for i := range s.dead.newest {
		v.Dead = append(v.Dead, newRow(&s.dead.newest[i], now))
	}
	for _, c := range s.calls {
		v.Calls = append(v.Calls, newCall(c, s.dead.lacking, st.Sinks, now))
	}
	return v
}

func newStage(s connector.StreamStatus, at time.Time) stage {
	return stage{Waiting: number(s.Messages), Oldest: ago(s.Oldest, at), Bytes: size(s.Bytes), Use: int(math.Ceil(100 * min(s.Use, 1))), Full: s.Use >= 0.8}
}

func newPlugin(t *connector.TransformStatus) plugin {
	p := plugin{TransformStatus: *t, Mark: good("runs"), MemoryText: size(uint64(max(t.Memory, 0)))}
	switch t.State {
	case connector.TransformFails:
		p.Mark = wait("failed last")
	case connector.TransformHolds:
		p.Mark = bad("can't run, events wait")
	case connector.TransformSkipped:
		p.Mark = bad("can't run, events skip it")
	}
	return p
}

func newSink(k *connector.SinkStatus, here connector.Here, all map[string][]float64, st *connector.Status) sink {
	v := sink{SinkStatus: *k, Mark: good("loads"), Age: ago(k.Oldest, st.At), Pending: number(k.Pending), CaughtUp: "now"}
	v.Rate, v.Line, v.Moves = flow(all[k.Name])
	if k.Pending > 0 {
		v.CaughtUp = "not at this rate"
		in, out := last(all[""]), last(all[k.Name])
		if net := out - in; net > 0 {
			v.CaughtUp = "in " + span(time.Duration(float64(k.Pending+st.Counts.Waiting)/net*float64(time.Second)))
		}
	}
	for _, h := range here.Sinks {
		switch {
		case h.Name != k.Name:
		case h.State == connector.SinkPaused:
			v.Mark, v.Why = bad("paused"), h.Why
		case h.State == connector.SinkFails:
			v.Mark, v.Why = wait("fails, tries again"), h.Why
		}
	}
	if v.Why == "" && k.Batches > 0 && st.At.Sub(k.Oldest) > time.Minute {
		v.Mark = wait("is behind")
	}
	return v
}

func newRow(l *connector.DeadLetter, now time.Time) row {
	return row{
		ID: l.ID, Stage: l.Stage, Sink: l.Sink, Reason: l.Reason, CallID: l.CallID, State: cmp.Or(l.State, "held"), Events: max(l.Events, 1),
		Died: stamp(l.Died), Ago: ago(l.Died, now),
	}
}

func newCall(c connector.LatestCall, lacking map[lack]string, sinks []connector.SinkStatus, now time.Time) call {
	v := call{LatestCall: c, When: stamp(c.Received), Ago: ago(c.Received, now)}
	if c.Duration != nil {
		v.Length = span(time.Duration(*c.Duration * float64(time.Second)))
	}
	var steps []string
	for _, t := range c.Transforms {
		steps = append(steps, strings.TrimSpace(t.Name+" "+t.Version))
	}
	v.Steps = strings.Join(steps, ", ")
	for _, k := range sinks {
		one := store{k.Name, wait("on its way")}
		state, lacks := lacking[lack{c.Tenant, c.CallID, k.Name, c.Version}]
		switch {
		case lacks:
			one.Mark = bad(cmp.Or(state, "held back"))
		case c.Acked[k.Name]:
			one.Mark = good("has it")
		}
		v.Stores = append(v.Stores, one)
	}
	return v
}

func last(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1]
}

// flow is a rate in words, and the line of those before it in a box of 120 by 28.
func flow(list []float64) (rate, line string, moves bool) {
	if len(list) == 0 {
		return "–", "", false
	}
	top := 1.0
	for _, r := range list {
		top = max(top, r)
	}
	var b strings.Builder
	for i, r := range list {
		fmt.Fprintf(&b, "%.1f,%.1f ", 120-float64(len(list)-1-i)*120/(kept-1), 27-26*r/top)
	}
	now := last(list)
	if now > 0 && now < 10 {
		return strconv.FormatFloat(now, 'f', 1, 64), b.String(), true
	}
	return number(uint64(math.Round(now))), b.String(), now > 0
}

// number groups the digits.
func number(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:] // a narrow space
	}
	return s
}

func size(n uint64) string {
	for _, u := range []struct {
		unit string
		of   uint64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.of {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.of), u.unit)
		}
	}
	return fmt.Sprintf("%d B", n)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// ago is the age of what is as old as t; empty where t is not known.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(now.Sub(t))
}

func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
