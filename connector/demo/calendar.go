package demo

import (
	"math/rand/v2"
	"slices"
	"time"
)

// slot is an hour of the month: how many calls start in it, and whether it is one of the incident.
type slot struct {
	at       time.Time
	calls    int
	incident bool
}

// starts appends the seconds at which the calls of the slot start, the first one last.
func (s *slot) starts(rng *rand.Rand, to []int) []int {
	for range s.calls {
		to = append(to, rng.IntN(3600))
	}
	slices.Sort(to)
	slices.Reverse(to)
	return to
}

// byHour is the weight of the hours of a working day: nobody sleeps at the clinic's door, many call when it opens, and
// after lunch.
var byHour = [24]float64{
	0.3, 0.2, 0.15, 0.15, 0.2, 0.5, 1.5, 4, 9, 12, 11.5, 10, 6.5, 7.5, 10, 10.5, 9.5, 7, 4, 2.5, 1.8, 1.2, 0.8, 0.5,
}

// byWeekday is the weight of the days, from Sunday.
var byWeekday = [7]float64{0.16, 1.32, 1.08, 1.0, 0.98, 1.1, 0.42}

// byMonth is the weight of the months, from January: quiet in summer, busy around the turn of the year.
var byMonth = [12]float64{1.1, 1.02, 1.0, 0.98, 0.97, 0.92, 0.82, 0.86, 1.0, 1.05, 1.1, 1.12}

// calendar spreads the calls over the hours of the days. Sums are rounded, not the hours, so that no call is lost.
func calendar(o Options, rng *rand.Rand) []slot {
	y, mon, d := o.Start.In(o.Zone).Date()
	incident := incidentDay(o, rng)
	var slots []slot
	var weights []float64
	total := 0.0
	for day := range o.Days {
		noise := 0.88 + 0.24*rng.Float64()
		for at := time.Date(y, mon, d+day, 0, 0, 0, 0, o.Zone); at.Before(time.Date(y, mon, d+day+1, 0, 0, 0, 0, o.Zone)); at = at.Add(time.Hour) {
			w := weightOf(at) * noise * (0.9 + 0.2*rng.Float64())
			s := slot{at: at, incident: day == incident && at.Hour() >= 9 && at.Hour() < 18}
			if s.incident {
				w *= 1.8
			}
			total += w
			slots, weights = append(slots, s), append(weights, w)
		}
	}
	sum, before := 0.0, 0
	for i := range slots {
		sum += weights[i]
		upTo := int(sum/total*float64(o.Calls) + 0.5)
		if i == len(slots)-1 {
			upTo = o.Calls
		}
		slots[i].calls, before = upTo-before, upTo
	}
	return slots
}

func weightOf(at time.Time) float64 {
	w := byHour[at.Hour()] * byWeekday[at.Weekday()] * byMonth[at.Month()-1]
	if at.Weekday() == time.Saturday && at.Hour() >= 14 { // closed
		w *= 0.35
	}
	if isHoliday(at) {
		w *= 0.15
	}
	return w
}

// isHoliday knows the days on which everything is closed.
func isHoliday(at time.Time) bool {
	month, day := at.Month(), at.Day()
	switch {
	case month == time.January && day == 1, month == time.July && day == 4, month == time.December && day == 25:
		return true
	case month == time.November && at.Weekday() == time.Thursday: // the fourth
		return day >= 22 && day <= 28
	}
	return false
}

// incidentDay is a Tuesday, Wednesday or Thursday of the month behind its first week, or -1 where it has none.
func incidentDay(o Options, rng *rand.Rand) int {
	var days []int
	for day := 7; day < o.Days; day++ {
		switch at := o.Start.In(o.Zone).AddDate(0, 0, day); {
		case isHoliday(at):
		case at.Weekday() >= time.Tuesday && at.Weekday() <= time.Thursday:
			days = append(days, day)
		}
	}
	if len(days) == 0 {
		return -1
	}
	return days[rng.IntN(len(days))]
}
