package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// calls makes believable deliveries of one size. A delivery is one of a few hundred texts with a call id of its own.
type calls struct {
	run       string // start of every call id
	templates []template
	noise     int // bytes of text that don't compress, of each delivery's own
}

// template is a delivery with the places where its call id goes.
type template struct {
	body  []byte
	holes []int
}

const (
	idDigits = 9
	turns    = 38
	variants = 256 // texts of one size
)

// newCalls makes deliveries of about size bytes. The same seed makes the same texts.
func newCalls(run string, size int, seed uint64) *calls {
	c := &calls{run: run}
	rng := rand.New(rand.NewPCG(seed, uint64(size)))
	hole := run + strings.Repeat("0", idDigits)
	for range variants {
		t := template{body: payload(rng, hole, size)}
		for at := 0; ; {
			i := bytes.Index(t.body[at:], []byte(hole))
			if i < 0 {
				break
			}
			t.holes = append(t.holes, at+i+len(run))
			at += i + len(hole)
		}
		c.templates = append(c.templates, t)
	}
	return c
}

// appendCall appends the delivery with number n to b.
func (c *calls) appendCall(b []byte, n int) []byte {
	t := &c.templates[n%len(c.templates)]
	start := len(b)
	b = append(b, t.body...)
	digits := fmt.Appendf(make([]byte, 0, idDigits), "%0*d", idDigits, n)
	for _, at := range t.holes {
		copy(b[start+at:], digits)
	}
	if c.noise > 0 {
		b = append(b[:len(b)-1], `,"reference":"`...)
		b = append(appendNoise(b, uint64(n), c.noise), `"}`...)
	}
	return b
}

// appendNoise appends size bytes of words that mean nothing and occur once.
func appendNoise(b []byte, seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range size {
		if i%9 == 8 {
			b = append(b, ' ')
		} else {
			b = append(b, 'a'+byte(rng.IntN(26)))
		}
	}
	return b
}

// size is the mean length of a delivery.
func (c *calls) size() int {
	sum := 0
	for i := range c.templates {
		sum += len(c.templates[i].body)
	}
	return sum/len(c.templates) + c.noise
}

// number returns the n of a call id of this run, or false.
func number(run string, id []byte) (int, bool) {
	if len(id) != len(run)+idDigits || string(id[:len(run)]) != run {
		return 0, false
	}
	n, err := strconv.Atoi(string(id[len(run):]))
	return n, err == nil
}

type turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// payload writes a full delivery: turns whose length makes up the size, and every other field the sender documents.
func payload(rng *rand.Rand, callID string, size int) []byte {
	p := newPerson(rng)
	made := func(extra int) []byte {
		ts := make([]turn, turns)
		for i := range ts {
			role, lines := "agent", agentLines
			if i%2 == 1 {
				role, lines = "user", userLines
			}
			words := p.fill(lines[rng.IntN(len(lines))])
			for len(words) < extra {
				words += " " + p.fill(fillers[rng.IntN(len(fillers))])
			}
			ts[i] = turn{role, words}
		}
		return encode(p, callID, ts)
	}
	// A turn is in the delivery twice: as an entry and in the transcript's text.
	b := made(0)
	for extra := max(0, (size-3000)/turns/2-60); len(b) < size-turns; extra += 4 {
		b = made(extra)
	}
	return b
}

func encode(p person, callID string, ts []turn) []byte {
	var text strings.Builder
	for i, t := range ts {
		if i > 0 {
			text.WriteByte('\n')
		}
		name := map[string]string{"agent": "Agent", "user": "User"}[t.Role]
		text.WriteString(name + ": " + t.Content)
	}
	b, err := json.Marshal(map[string]any{
		"callId": callID, "agentName": p.agent, "callerName": p.first + " " + p.last, "callDirection": "inbound",
		"callStarted": p.started.Format(time.RFC3339), "callEnded": p.started.Add(p.length).Format(time.RFC3339),
		"duration": p.length.Seconds(), "businessPhoneNumber": "+13125550142", "customerPhoneNumber": "+1312" + p.phone,
		"mentionedEmail": p.email, "mentionedDate": "2026-05-29", "mentionedTime": "14:00",
		"transcriptText": text.String(), "transcript": ts,
		"recordingUrl": "https://app.phonely.ai/recordings/" + callID + ".mp3?token=3f9c1d7be2",
		"dashboardUrl": "https://app.phonely.ai/calls/" + callID,
		"summary":      p.fill("{first} {last} moved an appointment to Friday and left {email} for the receipt."),
		"longSummary":  p.fill("{first} {last} called from {phone} about a visit on Thursday. The agent offered two slots and moved it to Friday at 2 PM. The question about the warranty stayed open; the receipt goes to {email}."),
		"purpose":      "Move an appointment", "topic": "Appointment Booking", "sentiment": []string{"positive", "neutral", "negative", "mixed"}[len(p.last)%4],
		"keyPoints":           []string{"Visit moved to Friday 2 PM", p.fill("Receipt goes to {email}")},
		"unansweredQuestions": []string{"Does the warranty cover the second visit?"},
		"actionItems":         []string{p.fill("Call {first} back at {phone} about the warranty")},
		"followUp":            "yes", "followUpReason": "The caller wants to know about the warranty", "ai_success": "true", "endedReason": "caller_hangup",
	})
	if err != nil {
		panic(err) // strings and numbers
	}
	return b
}

// person is who calls. Everybody is made up; numbers are those reserved for fiction.
type person struct {
	first, last, agent, email, phone string
	started                          time.Time
	length                           time.Duration
}

func newPerson(rng *rand.Rand) person {
	pick := func(of []string) string { return of[rng.IntN(len(of))] }
	p := person{first: pick(firstNames), last: pick(lastNames), agent: pick(agents)}
	p.email = strings.ToLower(p.first) + "." + strings.ToLower(p.last) + strconv.Itoa(rng.IntN(90)+10) + "@example.net"
	p.phone = fmt.Sprintf("55501%02d", rng.IntN(100))
	p.started = time.Date(2026, 5, 1+rng.IntN(28), 8+rng.IntN(10), rng.IntN(60), rng.IntN(60), 0, time.UTC)
	p.length = time.Duration(120+rng.IntN(480)) * time.Second
	return p
}

func (p person) fill(s string) string {
	if !strings.Contains(s, "{") {
		return s
	}
	return strings.NewReplacer("{first}", p.first, "{last}", p.last, "{email}", p.email,
		"{phone}", "312-"+p.phone[:3]+"-"+p.phone[3:], "{agent}", p.agent).Replace(s)
}

var (
	firstNames = strings.Fields("Darnell Priscilla Tobias Marisol Ingrid Wendell Fatima Kenji Odette Ruben Saskia Leandro")
	lastNames  = strings.Fields("Whitfield Vandermeer Okafor Lindqvist Castellano Brightwater Nakamura Delacroix Petrov Haverford")
	agents     = []string{"Riverside Auto Desk", "Maple Street Pharmacy", "Northgate Dental", "Harbor Plumbing"}
	agentLines = []string{
		"{agent}, this call is recorded. How can I help you?",
		"Sure. I have Thursday at nine or Friday at two. Which one suits you better?",
		"Happy to, {first}. Can you confirm the number we have for you?",
		"Thank you. Which email should the receipt go to?",
		"About ninety minutes for an inspection. Do you want to wait here?",
		"I'm not sure about that, a colleague will call you back on it.",
		"Let me read that back to you: Friday at two, for about an hour.",
		"Is there anything else that I can do for you today?",
		"One moment, I'm looking at the calendar for next week.",
		"That is done. You will get a message with the address in a minute.",
	}
	userLines = []string{
		"Hi, this is {first} {last}. I have a visit on Thursday and can't make it.",
		"Friday at two, please. How long does it usually take?",
		"Yes, it's {phone}, the same as last time.",
		"Send it to {email}, please.",
		"And does the warranty cover it if you have to come a second time?",
		"No, the other one. The blue van, not the small car.",
		"That works for me. My sister may come instead, she has the key.",
		"Okay, and what would that cost me roughly?",
		"Could you say that again? The line was bad for a moment.",
		"Great, thank you.",
	}
	fillers = []string{
		"It started on Monday, and it is worse in the morning.", "We were there in March for the same thing.",
		"I would rather not drive far with it.", "The last time it took a good deal longer than you had said.",
		"You can leave a message if nobody picks up.", "It is the third door on the left side of the yard.",
		"My neighbor told me that you also do it on Saturdays.", "I have the papers from the last visit here.",
	}
)
