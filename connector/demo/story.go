package demo

import (
	"strconv"
	"strings"
	"time"
)

// roll is a number below n that belongs to the call; what stands for what it is used for.
func (c *call) roll(what, n uint64) int { return int(mix(c.seed, what) % n) }

// What rolls are for.
const (
	rollItem = iota + 10
	rollDay
	rollTime
	rollAmount
	rollOrder
	rollStreet
	rollStyle
	rollSince
	rollTopic
	rollPurpose
	rollSummary
	rollSpelling
	rollFollowUp
	rollMood
	rollEnd
	rollID
	rollWho
	rollText
)

// slotTime is the day and time that the call is about: one of the next working days, between nine and six.
func (c *call) slotTime(zone *time.Location) time.Time {
	y, m, d := c.started.In(zone).Date()
	d += 1 + c.roll(rollDay, 9)
	quarter := c.roll(rollTime, 34)
	t := time.Date(y, m, d, 9+quarter/4, quarter%4*15, 0, 0, zone)
	if t.Weekday() == time.Sunday {
		t = t.AddDate(0, 0, 1)
	}
	return t
}

// since is a day before the call.
func (c *call) since(zone *time.Location) time.Time {
	if c.again {
		return c.before.In(zone)
	}
	return c.started.In(zone).AddDate(0, 0, -1-c.roll(rollSince, 5))
}

// fill appends a text with its names filled in.
func (w *writer) fill(b []byte, c *call, text string) []byte {
	for {
		i := strings.IndexByte(text, '{')
		if i < 0 {
			return append(b, text...)
		}
		b = append(b, text[:i]...)
		end := i + strings.IndexByte(text[i:], '}')
		b = w.name(b, c, text[i+1:end])
		text = text[end+1:]
	}
}

// name appends what a name in a text stands for.
func (w *writer) name(b []byte, c *call, name string) []byte {
	switch name {
	case "biz":
		return append(b, c.agent.business...)
	case "name":
		return append(append(append(b, c.person.first()...), ' '), c.person.last()...)
	case "item":
		return append(b, c.item()...)
	case "Item":
		at := len(b)
		b = append(b, c.item()...)
		b[at] -= 'a' - 'A'
		return b
	case "day":
		return append(b, w.slot.Weekday().String()...)
	case "time":
		return appendSpokenTime(b, w.slot)
	case "clock":
		return w.slot.AppendFormat(b, "3:04 PM")
	case "since":
		return append(b, c.since(w.zone).Weekday().String()...)
	case "amount":
		return strconv.AppendInt(b, int64(18+c.roll(rollAmount, 290)), 10)
	case "order":
		return strconv.AppendInt(b, int64(1200+c.roll(rollOrder, 8700)), 10)
	case "street":
		b = strconv.AppendInt(b, int64(100+c.roll(rollStreet, 880)), 10)
		return append(b, [...]string{" Maple Street", " Oak Avenue", " Lakeview Drive", " Harbor Street"}[c.roll(rollStreet+40, 4)]...)
	case "phone":
		return c.appendSpokenPhone(b)
	case "num":
		return c.appendPhone(append(b, "+1 "...), "-", "-")
	case "email":
		return c.person.appendEmail(b, c.roll(rollStyle, 2) == 0)
	case "mail":
		return c.person.appendEmail(b, false)
	}
	panic("demo: a text has the unknown name " + name) // every text is filled by a test
}

func (c *call) item() string { return c.agent.items[c.roll(rollItem, uint64(len(c.agent.items)))] }

// appendPhone appends the digits with something between their groups.
func (c *call) appendPhone(b []byte, first, second string) []byte {
	area, line := c.person.number()
	b = append(append(append(append(b, area...), first...), "555"...), second...)
	return append(b, '0', byte('0'+line/100), byte('0'+line/10%10), byte('0'+line%10))
}

// appendSpokenPhone appends the number as one of the ways in which transcripts have it.
func (c *call) appendSpokenPhone(b []byte) []byte {
	style := c.roll(rollStyle, 4)
	switch style {
	case 0:
		return c.appendPhone(b, "-", "-")
	case 1:
		return c.appendPhone(append(b, '('), ") ", "-")
	}
	var digits [10]byte
	for i, d := range c.appendPhone(digits[:0], "", "") {
		switch {
		case i == 3 || i == 6:
			b = append(b, ", "...)
		case i > 0:
			b = append(b, ' ')
		}
		if d == '0' && style == 3 {
			b = append(b, "oh"...)
		} else {
			b = append(b, digitWords[d-'0']...)
		}
	}
	return b
}

var digitWords = strings.Fields("zero one two three four five six seven eight nine ten eleven twelve")

// appendSpokenTime appends a time as people say it.
func appendSpokenTime(b []byte, t time.Time) []byte {
	b = append(b, digitWords[(t.Hour()+11)%12+1]...)
	return append(b, [...]string{"", " fifteen", " thirty", " forty-five"}[t.Minute()/15]...)
}
