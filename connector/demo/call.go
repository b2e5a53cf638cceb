package demo

import (
	"math/rand/v2"
	"strings"
	"time"
)

// kind is what a call is.
type kind uint8

const (
	kindTalk kind = iota
	kindShort
	kindVoicemail
	kindError
)

// call is one call with all its choices. What is only spelled in its texts follows from seed.
type call struct {
	seed    uint64
	kind    kind
	test    bool
	agent   *agent
	about   *scenario
	person  person
	again   bool      // the caller called about it within the last week
	before  time.Time // when
	started time.Time
	seconds int
	outcome outcome
	mood    int // positive, neutral, negative, mixed
	lines   []line
	asked   *question
	email   bool // an address is said
}

// line is a turn before its names are filled in.
type line struct {
	user bool
	text string
}

// newCall chooses everything about a call that starts now.
func (m *month) newCall(started time.Time) call {
	c := call{seed: mix(m.o.Seed, uint64(m.made)+1), started: started}
	incident := m.slots[m.slot-1].incident
	m.who(&c, incident)
	m.becomes(&c, incident)
	c.test = m.chance(0.006)
	m.say(&c)
	c.seconds = m.length(&c)
	m.people.remember(visit{c.person, started, int(c.agentIndex()), c.about, c.kind == kindTalk && c.outcome == solved})
	return c
}

func (c *call) agentIndex() int {
	for i := range agents {
		if c.agent == &agents[i] {
			return i
		}
	}
	return 0
}

// who chooses the caller, the agent and what it is about.
func (m *month) who(c *call, incident bool) {
	if v := m.repeat(c.started); v != nil {
		c.person, c.agent = v.person, &agents[v.agent]
		if recent := c.started.Sub(v.at) < 7*24*time.Hour; !v.helped && recent && m.chance(0.85) && !v.about.outbound && v.about != &spam {
			c.about, c.again, c.before = v.about, true, v.at
			return
		}
	} else {
		c.person, c.agent = m.people.somebody(), pickAgent(m.rng)
	}
	c.about = c.agent.pick(m.rng, c.started, m.o.Zone, incident)
}

func (m *month) repeat(now time.Time) *visit {
	if !m.chance(0.24) {
		return nil
	}
	return m.people.again(m.rng, now)
}

func pickAgent(rng *rand.Rand) *agent {
	total := 0.0
	for i := range agents {
		total += agents[i].share
	}
	at := rng.Float64() * total
	for i := range agents {
		if at -= agents[i].share; at < 0 {
			return &agents[i]
		}
	}
	return &agents[0]
}

// pick chooses a scenario of the agent's menu. At night nobody is reminded, and who calls is in a hurry.
func (a *agent) pick(rng *rand.Rand, at time.Time, zone *time.Location, incident bool) *scenario {
	h := at.In(zone).Hour()
	night := h < 7 || h >= 20
	share := func(w weighted) float64 {
		switch {
		case w.outbound && (night || at.In(zone).Weekday() == time.Sunday):
			return 0
		case w.scenario == &emergency && night:
			return 6 * w.share
		case w.hit && incident:
			return 3.5 * w.share
		}
		return w.share
	}
	total := 0.0
	for _, w := range a.menu {
		total += share(w)
	}
	left := rng.Float64() * total
	for _, w := range a.menu {
		if left -= share(w); left < 0 {
			return w.scenario
		}
	}
	return a.menu[0].scenario
}

// becomes chooses how the call goes.
func (m *month) becomes(c *call, incident bool) {
	switch at := m.rng.Float64(); {
	case c.about.outbound && at < 0.36:
		c.kind = kindVoicemail
	case !c.about.outbound && at < 0.055:
		c.kind = kindShort
	case at > 0.988:
		c.kind = kindError
	}
	good := c.about.solved + c.agent.skill
	if c.again {
		good -= 0.12
	}
	if incident && c.about.hit {
		good *= 0.35
	}
	switch at := m.rng.Float64(); {
	case at < good:
		c.outcome = solved
	case at < good+c.about.handed:
		c.outcome = handed
	default:
		c.outcome = failed
	}
	c.mood = m.feel(c)
}

// feel chooses the mood: that of the scenario, and a worse one where it did not help, or not the first time.
func (m *month) feel(c *call) int {
	mood := c.about.mood
	switch c.outcome {
	case failed:
		mood = [4]float64{mood[0] * 0.12, mood[1] * 0.6, mood[2] + 34, mood[3] + 14}
	case handed:
		mood = [4]float64{mood[0] * 0.5, mood[1], mood[2] + 6, mood[3] + 5}
	}
	if c.again {
		mood[2] += 18
		mood[3] += 8
	}
	at := m.rng.Float64() * (mood[0] + mood[1] + mood[2] + mood[3])
	for i, share := range mood {
		if at -= share; at < 0 {
			return i
		}
	}
	return 1
}

// say chooses the turns.
func (m *month) say(c *call) {
	switch c.kind {
	case kindShort:
		c.lines = append(c.lines, line{false, one(m.rng, greetings)})
		if m.chance(0.4) {
			c.lines = append(c.lines, line{true, "Hello?"})
		}
	case kindVoicemail:
		c.lines = append(c.lines, line{true, "You've reached the voicemail of {name}. Please leave a message after the tone."},
			line{false, "Hello, this is {biz} with a reminder of your {item} on {day} at {time}. Please call us if that does not work for you."})
	default:
		m.talk(c)
	}
}

func (m *month) talk(c *call) {
	lines := make([]line, 0, 20)
	add := func(e exchange) { lines = append(lines, line{false, e.agent}, line{true, e.user}) }
	open := one(m.rng, c.about.open)
	if c.again {
		open = "I called on {since} about this already, and it is still open. " + open
	}
	if c.about.outbound {
		add(exchange{"Hello, this is the virtual assistant of {biz}. Am I speaking with {name}?", open})
	} else {
		add(exchange{one(m.rng, greetings), open})
	}
	if c.kind == kindError { // somewhere in the middle the line goes dead
		if m.chance(0.6) {
			add(c.about.talk[0])
		}
		c.lines = lines
		return
	}
	if !c.about.outbound && c.about != &spam && m.chance(0.55) {
		add(one(m.rng, askName))
	}
	for i, e := range c.about.talk {
		if i == 0 || m.chance(0.75) {
			add(e)
		}
	}
	if m.chance(c.about.contact) {
		if c.email = m.chance(0.35); c.email {
			add(one(m.rng, askEmail))
		} else {
			add(one(m.rng, askNumber))
		}
	}
	if len(c.about.asks) > 0 && m.chance(0.3) {
		c.asked = &c.about.asks[m.rng.IntN(len(c.about.asks))]
		lines = append(lines, line{true, "One more question. " + c.asked.say}, line{false, one(m.rng, dontKnow)})
	}
	end := c.about.ends[c.outcome].agent
	if c.outcome == handed {
		c.lines = append(lines, line{false, end})
		return
	}
	last := one(m.rng, closings[c.mood])
	c.lines = append(lines, line{false, end + " " + last.agent}, line{true, last.user})
}

func one[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }

// length is in seconds: words at 150 a minute, and a moment between the turns.
func (m *month) length(c *call) int {
	seconds := 2.0
	for _, l := range c.lines {
		seconds += float64(strings.Count(l.text, " ")+1)*0.4 + 0.6 + 1.6*m.rng.Float64()
	}
	switch c.kind {
	case kindShort:
		seconds = 3 + 14*m.rng.Float64()
	case kindTalk:
		seconds *= 1 + 0.5*m.rng.Float64()
		if m.chance(0.04) { // somebody looks for a number
			seconds += 60 + 300*m.rng.Float64()
		}
	}
	return int(seconds)
}
