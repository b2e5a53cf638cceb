package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var chicago = func() *time.Location {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		panic(err)
	}
	return zone
}()

// autumn has the end of daylight saving time in it, on November 1.
var autumn = Options{Calls: 3000, Seed: 7, Start: time.Date(2026, 10, 15, 0, 0, 0, 0, chicago), Zone: chicago}

// payload is what the tests read of a body.
type payload struct {
	CallID              string    `json:"callId"`
	AgentName           string    `json:"agentName"`
	CallerName          string    `json:"callerName"`
	CallDirection       string    `json:"callDirection"`
	CallStarted         time.Time `json:"callStarted"`
	CallEnded           time.Time `json:"callEnded"`
	Duration            float64   `json:"duration"`
	CustomerPhoneNumber string    `json:"customerPhoneNumber"`
	MentionedEmail      string    `json:"mentionedEmail"`
	Transcript          []struct{ Role, Content string }
	TranscriptText      string   `json:"transcriptText"`
	Summary             string   `json:"summary"`
	Topic               string   `json:"topic"`
	Sentiment           string   `json:"sentiment"`
	UnansweredQuestions []string `json:"unansweredQuestions"`
	ActionItems         []string `json:"actionItems"`
	FollowUp            string   `json:"followUp"`
	FollowUpReason      string   `json:"followUpReason"`
	AISuccess           string   `json:"ai_success"`
	EndedReason         string   `json:"endedReason"`
	IsTest              bool     `json:"isTest"`
}

// read decodes every body. Decoding fails on a text that should have been escaped.
func read(t *testing.T, o Options) []payload {
	t.Helper()
	month := func() ([]payload, error) { return decode(o) }
	if o == autumn {
		month = autumnMonth
	}
	all, err := month()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// autumnMonth is what most tests look at.
var autumnMonth = sync.OnceValues(func() ([]payload, error) { return decode(autumn) })

func decode(o Options) (all []payload, err error) {
	for body := range Month(o) {
		var p payload
		if err := json.Unmarshal(body, &p); err != nil {
			return nil, fmt.Errorf("%w in %s", err, body)
		}
		all = append(all, p)
	}
	return all, nil
}

// last returns the calls by id, each as it was delivered last.
func last(all []payload) map[string]payload {
	calls := map[string]payload{}
	for _, p := range all {
		calls[p.CallID] = p
	}
	return calls
}

func TestTheSameOptionsMakeTheSameBytes(t *testing.T) {
	sum := func(o Options) string {
		h := sha256.New()
		for body := range Month(o) {
			h.Write(body)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	first := sum(autumn)
	if again := sum(autumn); again != first {
		t.Error("two runs differ")
	}
	other := autumn
	other.Seed++
	if sum(other) == first {
		t.Error("another seed makes the same")
	}
}

func TestEveryCallIsThereAndSomeComeAgain(t *testing.T) {
	for _, n := range []int{1, 7, 400, autumn.Calls} {
		o := autumn
		o.Calls = n
		if calls := last(read(t, o)); len(calls) != n {
			t.Errorf("%d calls, want %d", len(calls), n)
		}
	}
	seen, repeated, corrected := map[string]payload{}, 0, 0
	for _, p := range read(t, autumn) {
		if before, ok := seen[p.CallID]; ok {
			if repeated++; before.Summary != p.Summary {
				corrected++
			}
			if !before.CallStarted.Equal(p.CallStarted) || before.CustomerPhoneNumber != p.CustomerPhoneNumber {
				t.Errorf("%s is another call the second time", p.CallID)
			}
		}
		seen[p.CallID] = p
	}
	if share := float64(corrected) / float64(autumn.Calls); share < 0.01 || share > 0.04 {
		t.Errorf("%d corrections", corrected)
	}
	if share := float64(repeated-corrected) / float64(autumn.Calls); share < 0.01 || share > 0.03 {
		t.Errorf("%d redeliveries", repeated-corrected)
	}
}

func TestNobodyIsReal(t *testing.T) {
	number := regexp.MustCompile(`\+?1?[ -]?\(?\d{3}\)?[ -]?\d{3}-?\d{4}|\+1\d{10}`)
	fiction := regexp.MustCompile(`55501\d\d$|555-01\d\d$`)
	address := regexp.MustCompile(`[\w.]+@[\w.]+`)
	ids := regexp.MustCompile(`call_\w+|token=\w+`)
	numbers, spoken, addresses := 0, 0, 0
	for body := range Month(autumn) {
		body = ids.ReplaceAll(body, nil)
		for _, n := range number.FindAll(body, -1) {
			if numbers++; !fiction.Match(n) {
				t.Fatalf("the number %s is not one of those reserved for fiction", n)
			}
		}
		for _, a := range address.FindAll(body, -1) {
			if addresses++; !regexp.MustCompile(`@example\.(com|org|net)\.?$`).Match(a) {
				t.Fatalf("the address %s", a)
			}
		}
		spoken += bytes.Count(body, []byte("five five five"))
	}
	if numbers < 5000 || spoken < 500 || addresses < 500 {
		t.Errorf("%d numbers, %d spoken ones, %d addresses: too few for redaction to be seen", numbers, spoken, addresses)
	}
}

func TestTheMonthHasTheShapeOfABusiness(t *testing.T) {
	var byHour [24]int
	byDay, from, to := map[string]int{}, autumn.Start, autumn.Start.AddDate(0, 0, 31)
	var weekend, weekday int
	for _, p := range last(read(t, autumn)) {
		at := p.CallStarted.In(chicago)
		if at.Before(from) || !at.Before(to) {
			t.Errorf("a call at %s", at)
		}
		byHour[at.Hour()]++
		byDay[at.Format(time.DateOnly)]++
		if at.Weekday() == time.Sunday {
			weekend++
		} else if at.Weekday() == time.Monday {
			weekday++
		}
	}
	if len(byDay) != 31 {
		t.Errorf("calls on %d days", len(byDay))
	}
	// By the wall clock, also after the clocks have been set back: in UTC the peak would be an hour wide more.
	if byHour[3]*10 > byHour[9] || byHour[12] > byHour[9] || byHour[14] < byHour[12] {
		t.Errorf("calls by hour: %d", byHour)
	}
	if weekend*4 > weekday {
		t.Errorf("%d calls on Sundays, %d on Mondays", weekend, weekday)
	}
}

func TestCallersCallAgain(t *testing.T) {
	calls := last(read(t, autumn))
	sorted := make([]payload, 0, len(calls))
	for _, p := range calls {
		sorted = append(sorted, p)
	}
	slices.SortFunc(sorted, func(a, b payload) int { return a.CallStarted.Compare(b.CallStarted) })
	before := map[string]time.Time{}
	within, later := 0, 0
	for _, p := range sorted {
		at, ok := before[p.CustomerPhoneNumber]
		switch {
		case p.CustomerPhoneNumber == "not available":
			continue
		case ok && p.CallStarted.Sub(at) <= 7*24*time.Hour:
			within++
		case ok:
			later++
		}
		before[p.CustomerPhoneNumber] = p.CallStarted
	}
	if n := len(calls); within*100 < 10*n || within*100 > 25*n || later*100 < 1*n {
		t.Errorf("of %d calls %d are by somebody who called in the week before, %d by somebody who called earlier", n, within, later)
	}
}

func TestTopicsDifferInOutcome(t *testing.T) {
	o := autumn
	o.Calls = 6000
	type tally struct{ calls, success, transfer, negative int }
	tallies := map[string]*tally{}
	for _, p := range last(read(t, o)) {
		c := tallies[p.Topic]
		if c == nil {
			c = new(tally)
			tallies[p.Topic] = c
		}
		c.calls++
		if slices.Contains(yes, p.AISuccess) && p.AISuccess != unknown {
			c.success++
		}
		if slices.Contains(transfers, p.EndedReason) {
			c.transfer++
		}
		if slices.Contains(moods[2], p.Sentiment) {
			c.negative++
		}
	}
	book, gripe, person := tallies["Appointment Booking"], tallies["Complaint"], tallies["Human Request"]
	if book.success*gripe.calls < gripe.success*book.calls || book.negative*gripe.calls*3 > gripe.negative*book.calls || person.transfer*2 < person.calls {
		t.Errorf("booking %+v, complaint %+v, human request %+v", *book, *gripe, *person)
	}
}

func TestACallTellsOneStory(t *testing.T) {
	for _, p := range read(t, autumn) {
		if len(p.UnansweredQuestions) > 0 && (p.FollowUpReason == "" && !strings.Contains(p.Summary, "settled") || !strings.Contains(p.TranscriptText, "One more question.")) {
			t.Errorf("%s: an open question that nobody asked, or follows up", p.CallID)
		}
		if d := p.CallEnded.Sub(p.CallStarted).Seconds() - p.Duration; d < 0 || d >= 1 {
			t.Errorf("%s: the duration is %f s off", p.CallID, d)
		}
		words := len(strings.Fields(p.TranscriptText))
		if rate := float64(words) * 60 / p.Duration; words > 40 && (rate > 200 || rate < 5) {
			t.Errorf("%s: %d words in %g s", p.CallID, words, p.Duration)
		}
		if strings.ContainsAny(p.TranscriptText+p.Summary, "{}") {
			t.Errorf("%s: a name is not filled in: %s", p.CallID, p.TranscriptText)
		}
	}
}

func TestKindsAndSpellingsOccur(t *testing.T) {
	seen := map[string]int{}
	for _, p := range read(t, autumn) {
		for _, v := range []string{"ai_success " + p.AISuccess, "followUp " + p.FollowUp, "sentiment " + p.Sentiment, "endedReason " + p.EndedReason, p.CallDirection} {
			seen[v]++
		}
		if p.IsTest {
			seen["test"]++
		}
		if len(p.Transcript) < 3 && p.CallDirection == "inbound" {
			seen["short"]++
		}
	}
	for _, want := range []string{
		"ai_success true", "ai_success yes", "ai_success not available", "ai_success partially", "followUp Yes.", "sentiment very positive",
		"sentiment frustrated", "endedReason voicemail", "endedReason error", "endedReason Caller hung up", "outbound", "test", "short",
	} {
		if seen[want] == 0 {
			t.Errorf("no call with %s", want)
		}
	}
}

// Every text of every scenario can be filled in, also of those that a month of 3,000 calls doesn't reach.
func TestEveryTextCanBeFilled(t *testing.T) {
	o := autumn.withDefaults()
	m := newMonth(o)
	started, _ := m.nextStart()
	for i := range agents {
		for _, w := range agents[i].menu {
			c := call{agent: &agents[i], about: w.scenario, started: started, seed: 5}
			m.w.slot = c.slotTime(o.Zone)
			texts := slices.Concat(w.open, w.purposes, w.topics)
			for _, e := range w.talk {
				texts = append(texts, e.agent, e.user)
			}
			for _, e := range w.ends {
				texts = append(append(append(append(texts, e.agent, e.action, e.reason), e.summary...), e.points...), "")
			}
			for _, text := range texts {
				got := string(m.w.fill(nil, &c, text))
				if strings.ContainsAny(got, `{}"\`) {
					t.Errorf("%q becomes %q", text, got)
				}
			}
		}
	}
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); len(got) != 1 {
		t.Errorf("it imports %q: it is to import the standard library alone", got)
	}
}

func BenchmarkMonth(b *testing.B) {
	n := 0
	b.ReportAllocs()
	o := autumn
	o.Calls = b.N
	for body := range Month(o) {
		n += len(body)
	}
	b.SetBytes(int64(n / b.N))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
