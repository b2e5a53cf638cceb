package transformtest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/postcall/postcall/transforms"
)

// private looks for what callers say where operators read.
func private(_ context.Context, s *suite) (string, *fault) {
	const change = "say what is wrong with which field, never its value: reasons, errors and logs are read by people who may not read calls"
	reasons, lines := 0, s.logs.all()
	for _, a := range s.all() {
		for i := range a.out {
			reason := a.out[i].Outcome.Reason
			if reason == "" {
				continue
			}
			reasons++
			if said := said(reason, a.batch); said != "" {
				return "", &fault{fmt.Sprintf("the reason of call %.40q holds what was said: %.40q", a.out[i].CallID, said), change}
			}
		}
	}
	for _, f := range s.errors {
		if said := said(f.err.Error(), f.batch); said != "" {
			return "", &fault{fmt.Sprintf("an error holds what was said: %.40q", said), change}
		}
	}
	for _, line := range lines {
		if said := said(line, Events()); said != "" {
			return "", &fault{fmt.Sprintf("a log line holds what was said: %.40q", said), change}
		}
	}
	return fmt.Sprintf("%d reasons, %d errors, %d log lines", reasons, len(s.errors), len(lines)), nil
}

// said returns what text has of the texts of the events, or "". Short ones don't count: they could be any word.
func said(text string, events []transforms.Event) string {
	if m := markers.FindString(text); m != "" {
		return m
	}
	for i := range events {
		e := &events[i]
		all := []string{e.CallerName, e.CustomerPhoneNumber, e.MentionedEmail, e.TranscriptText, e.Summary, e.LongSummary, e.Purpose, e.FollowUpReason}
		for _, t := range e.Transcript {
			all = append(all, t.Content)
		}
		all = append(append(append(all, e.KeyPoints...), e.ActionItems...), e.UnansweredQuestions...)
		for _, said := range all {
			if utf8.RuneCountInString(said) >= 8 && strings.TrimSpace(said) != "" && strings.Contains(text, said) {
				return said
			}
		}
	}
	return ""
}

func memory(_ context.Context, s *suite) (string, *fault) {
	s.lookAtMemory()
	did := fmt.Sprintf("%d MiB at most, with 4 MiB batches and four calls at once; %d MiB are allowed", s.report.Memory>>20, s.o.Memory>>20)
	if s.report.Memory > s.o.Memory {
		return did, &fault{fmt.Sprintf("%d MiB", s.report.Memory>>20), "use less, or give it more in POSTCALL_PLUGINS: above it the plugin is killed"}
	}
	return did, nil
}

// lookAtMemory keeps the most that the process had at once, with its children where they were there at the time.
func (s *suite) lookAtMemory() {
	if s.main.memory != nil {
		s.report.Memory = max(s.report.Memory, s.main.memory(), peak(s.main.pid))
	}
}

// peak returns the most memory that a process had, in bytes, or 0 where the system doesn't tell.
func peak(pid int) int64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

func stop(ctx context.Context, s *suite) (string, *fault) {
	did := "asked to end"
	if s.subject.kind != kindProcess {
		did = "closed, then looked for goroutines"
	}
	if s.o.Costs && s.status["golden"] == OK { // the last moment at which it is open
		s.report.Costs = s.costs(ctx)
	}
	if err := s.closeAll(); err != nil {
		return did, &fault{err.Error(), "end when the host asks: its gRPC library's server stops, threads and children that go on keep the process"}
	}
	if s.subject.kind == kindProcess {
		return did, nil
	}
	if err := goleak.Find(s.before); err != nil {
		return did, &fault{"goroutines are left after it was closed: " + err.Error(), "end every goroutine in Close, and let none outlive its call"}
	}
	return did, nil
}

// costs measures batches of a typical call.
func (s *suite) costs(ctx context.Context) []Cost {
	const enough, most = 300 * time.Millisecond, 50
	typical := written()[0]
	var all []Cost
	for _, size := range []int{1, 10, 100, 500} {
		batch := make([]transforms.Event, size)
		for i := range batch {
			batch[i] = typical
			batch[i].CallID = fmt.Sprintf("cost-%d", i)
		}
		var took []time.Duration
		for began := time.Now(); len(took) < 3 || len(took) < most && time.Since(began) < enough; {
			a := s.main.call(ctx, batch, s.o.Patience)
			if a.err != nil {
				return all
			}
			took = append(took, a.took)
		}
		slices.Sort(took)
		all = append(all, Cost{size, float64(took[len(took)/2].Nanoseconds()) / 1000 / float64(size)})
	}
	return all
}
