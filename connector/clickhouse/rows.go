package clickhouse

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/postcall/postcall/transforms"
)

// The times that a DateTime64 column holds and the driver encodes right: the type ends in 2299, but the driver counts
// nanoseconds in an int64, which wraps in 2262.
var (
	firstTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	endOfTime = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// take makes rows of the events that the columns can hold, and returns why the others can't, by index. The result
// depends on nothing but the events.
func (s *scratch) take(events []transforms.Event) map[int]error {
	s.events = s.events[:0]
	var failed map[int]error
	for i := range events {
		if err := check(&events[i]); err != nil {
			if failed == nil {
				failed = map[int]error{}
			}
			failed[i] = err
			continue
		}
		s.events = append(s.events, &events[i])
	}
	return failed
}

// check says whether every column can hold the event's value. Its errors name fields and never values.
func check(e *transforms.Event) error {
	if e.CallID == "" {
		return errors.New("callId is empty")
	}
	if e.Version < 0 {
		return errors.New("version is negative")
	}
	if err := checkTimes(e); err != nil {
		return err
	}
	if err := checkFloats(e); err != nil {
		return err
	}
	return checkCounts(e)
}

func checkTimes(e *transforms.Event) error {
	if e.CallStarted.IsZero() {
		return errors.New("callStarted is missing")
	}
	for _, t := range [...]struct {
		field string
		value time.Time
	}{{"callStarted", e.CallStarted}, {"callEnded", e.CallEnded}, {"receivedAt", received(e)}} {
		if !t.value.IsZero() && (t.value.Before(firstTime) || !t.value.Before(endOfTime)) {
			return fmt.Errorf("%s is not between the years 1900 and 2261", t.field)
		}
	}
	return nil
}

func checkFloats(e *transforms.Event) error {
	for _, f := range [...]struct {
		field string
		value *float64
	}{{"duration", e.Duration}, {"topicConfidence", &e.TopicConfidence}, {"talkRatio", e.Metrics.TalkRatio}, {"wordsPerMinute", e.Metrics.WordsPerMinute}} {
		if f.value != nil && (math.IsNaN(*f.value) || math.IsInf(*f.value, 0)) {
			return fmt.Errorf("%s is not a finite number", f.field)
		}
	}
	return nil
}

func checkCounts(e *transforms.Event) error {
	m := &e.Metrics
	for _, c := range [...]struct {
		field      string
		value, max int32
	}{
		{"turns", m.Turns, math.MaxInt32},
		{"agentTurns", m.AgentTurns, math.MaxInt32},
		{"userTurns", m.UserTurns, math.MaxInt32},
		{"agentWords", m.AgentWords, math.MaxInt32},
		{"userWords", m.UserWords, math.MaxInt32},
		{"unansweredQuestions", m.UnansweredQuestions, math.MaxInt32},
		{"actionItems", m.ActionItems, math.MaxInt32},
		{"hour", m.Hour, 23},
		{"weekday", m.Weekday, 7},
	} {
		if c.value < 0 || c.value > c.max {
			return fmt.Errorf("metrics.%s is not between 0 and %d", c.field, c.max)
		}
	}
	for i := range e.Transcript {
		if e.Transcript[i].Words < 0 {
			return fmt.Errorf("transcript[%d] has a negative number of words", i)
		}
	}
	return nil
}
