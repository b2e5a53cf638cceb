package demo

import (
	"strconv"
	"time"
)

// writer writes deliveries as JSON. No text has a character that JSON escapes: a test holds that.
type writer struct {
	zone *time.Location
	slot time.Time // the day and time of the call that is written
	text []byte    // the transcript as one text
}

func (w *writer) write(b []byte, d *delivery) []byte {
	c := &d.call
	w.slot = c.slotTime(w.zone)
	b = append(b, `{"callId":"`...)
	b = c.appendID(b)
	b = text(b, "agentName", c.agent.name)
	b = w.caller(b, c)
	b = c.appendTimes(b)
	b = text(b, "businessPhoneNumber", c.agent.line)
	b = w.mentioned(b, c)
	b = w.transcript(b, c)
	b = append(c.appendID(append(b, `","recordingUrl":"https://app.phonely.ai/recordings/`...)), `.mp3?token=`...)
	b = strconv.AppendUint(b, mix(c.seed, rollID+1)>>24, 16)
	b = c.appendID(append(b, `","dashboardUrl":"https://app.phonely.ai/calls/`...))
	b = w.outcome(b, d)
	if c.test {
		b = append(b, `","isTest":true}`...)
		return b
	}
	return append(b, `"}`...)
}

// text appends a member whose value needs nothing filled in, behind one that is still open.
func text(b []byte, name, value string) []byte {
	return append(append(append(append(b, `","`...), name...), `":"`...), value...)
}

func (c *call) appendID(b []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, "call_"...)
	for id, i := mix(c.seed, rollID), 0; i < 14; i++ {
		b = append(b, digits[id&15])
		id >>= 4
	}
	return b
}

// caller appends name, direction and number, as far as they are known.
func (w *writer) caller(b []byte, c *call) []byte {
	switch {
	case c.test:
		b = text(b, "callerName", "Test Caller")
	case c.kind == kindShort || c.about == &spam || c.roll(rollWho, 8) == 0:
		b = text(b, "callerName", "not available")
	default:
		b = w.fill(append(b, `","callerName":"`...), c, "{name}")
	}
	if c.about.outbound {
		b = text(b, "callDirection", "outbound")
	} else {
		b = text(b, "callDirection", "inbound")
	}
	if c.roll(rollWho, 33) == 1 {
		return text(b, "customerPhoneNumber", "not available")
	}
	return c.appendPhone(append(b, `","customerPhoneNumber":"+1`...), "", "")
}

func (c *call) appendTimes(b []byte) []byte {
	const layout = "2006-01-02T15:04:05.000Z"
	b = c.started.UTC().AppendFormat(append(b, `","callStarted":"`...), layout)
	ended := c.started.Add(time.Duration(c.seconds)*time.Second + time.Duration(c.roll(rollEnd, 1000))*time.Millisecond)
	b = ended.UTC().AppendFormat(append(b, `","callEnded":"`...), layout)
	b = strconv.AppendInt(append(b, `","duration":`...), int64(c.seconds), 10)
	return append(b, `,"channel":"phone`...)
}

// mentioned appends what the sender found in the transcript.
func (w *writer) mentioned(b []byte, c *call) []byte {
	if c.email && c.kind == kindTalk {
		b = c.person.appendEmail(append(b, `","mentionedEmail":"`...), false)
	} else {
		b = text(b, "mentionedEmail", "not available")
	}
	if c.about.dated && (c.kind == kindTalk || c.kind == kindVoicemail) {
		b = w.slot.AppendFormat(append(b, `","mentionedDate":"`...), time.DateOnly)
		return w.slot.AppendFormat(append(b, `","mentionedTime":"`...), "15:04")
	}
	return text(text(b, "mentionedDate", "not available"), "mentionedTime", "not available")
}

// transcript appends the turns, and the same as one text.
func (w *writer) transcript(b []byte, c *call) []byte {
	w.text = w.text[:0]
	b = append(b, `","transcript":[`...)
	for i, l := range c.lines {
		if i > 0 {
			b = append(b, ',')
			w.text = append(w.text, `\n`...)
		}
		if l.user {
			b = append(b, `{"role":"user","content":"`...)
			w.text = append(w.text, "User: "...)
		} else {
			b = append(b, `{"role":"agent","content":"`...)
			w.text = append(w.text, "Agent: "...)
		}
		from := len(b)
		b = w.fill(b, c, l.text)
		w.text = append(w.text, b[from:]...)
		b = append(b, `"}`...)
	}
	return append(append(b, `],"transcriptText":"`...), w.text...)
}
