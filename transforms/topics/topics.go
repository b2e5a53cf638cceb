package topics

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"sync"
)

// Other is the topic of a call that no rule matches, unless the rules name another one.
const Other = "other"

// Call holds the texts of a call that rules can look at.
type Call struct {
	Topic, Purpose, Summary, FollowUpReason string
	KeyPoints, ActionItems                  []string
	Turns                                   []Turn
}

// Turn is one utterance. The role "agent" is the agent, every other one is the user.
type Turn struct {
	Role, Content string
}

// Result is what the rules make of a call.
type Result struct {
	// Topics are never empty. The first one is the main one: of the highest priority, of those the one with the highest
	// confidence, of those the first in the file. The others are in the order of the file. Other stands alone.
	Topics []string
	// Confidence is that of the main topic, 0 to 1, with two digits; 0 where it is Other.
	Confidence float64
	// Rule says what made the main topic: a word, an alias or a pattern of the rules, and the field it was found in. It
	// holds nothing of the call. It is empty where the topic is Other.
	Rule string
}

// field is a set of fields. A field with a lower bit says more about what a call is about, and is read first.
type field uint16

const (
	fieldTopic field = 1 << iota
	fieldPurpose
	fieldSummary
	fieldKeyPoints
	fieldActionItems
	fieldFollowUpReason
	fieldUser
	fieldAgent
	fieldAlias // not one that a rule can name: the sender's topic is an alias

	fieldsByDefault = fieldTopic | fieldPurpose | fieldSummary | fieldKeyPoints | fieldUser
	fieldsOfTurns   = fieldUser | fieldAgent
	fieldsShort     = fieldTopic | fieldPurpose | fieldSummary // where patterns are looked for
)

// fieldList has the fields in the order of their bits, each with how much a match in it alone is worth.
var fieldList = [...]struct {
	name       string
	confidence float64
}{
	{"topic", 0.9},
	{"purpose", 0.8},
	{"summary", 0.7},
	{"keyPoints", 0.6},
	{"actionItems", 0.5},
	{"followUpReason", 0.5},
	{"user", 0.4},
	{"agent", 0.3},
	{"topic", 1},
}

var fieldNames = map[string]field{
	"topic": fieldTopic, "purpose": fieldPurpose, "summary": fieldSummary, "keyPoints": fieldKeyPoints,
	"actionItems": fieldActionItems, "followUpReason": fieldFollowUpReason, "user": fieldUser, "agent": fieldAgent,
	"transcript": fieldUser | fieldAgent,
}

func fieldSet(names []string) (set field, err error) {
	for _, n := range names {
		f, ok := fieldNames[n]
		if !ok {
			return 0, fmt.Errorf("unknown field %q: use topic, purpose, summary, keyPoints, actionItems, followUpReason, transcript, user or agent", n)
		}
		set |= f
	}
	return set, nil
}

// confidence of a topic that was found in a set of fields: one less the chance that all of them are wrong.
func (f field) confidence() float64 {
	wrong := 1.0
	for ; f != 0; f &= f - 1 {
		wrong *= 1 - fieldList[bits.TrailingZeros16(uint16(f))].confidence
	}
	return math.Round(100*(1-wrong)) / 100
}

// Matcher gives calls their topics. It is safe for concurrent use.
type Matcher struct {
	other    string
	least    float64 // confidence
	topics   []topic
	rules    []string           // what each phrase, alias and pattern is called
	fields   field              // what any topic looks at
	nodes    []node             // a trie of bytes; the first one is its root
	first    [256]int32         // the children of the root by their byte: most words lead no further
	aliases  map[string][]alias // by their key
	patterns []pattern
	words    *Vocabularies
	sum      string // see Checksum
	pool     sync.Pool
}

type topic struct {
	name     string
	fields   field
	priority int
	parent   int32 // index of the topic that this one is a part of, -1 for none
}

type alias struct{ topic, rule int32 }

type pattern struct {
	alias
	re *regexp.Regexp
}

// state is the work of one Match; it is reused.
type state struct {
	word   []byte
	active []int32 // the nodes that the words so far lead to
	next   []int32
	in     []field // by topic: where it was found
	rule   []int32 // by topic: the first thing that was found
	none   []bool  // by topic: whether something takes it away
}

// found notes that a rule of a topic was found in a field.
func (st *state) found(topic, rule int32, f field) {
	if st.in[topic] == 0 {
		st.rule[topic] = rule
	}
	st.in[topic] |= f
}

// Match returns what the rules make of a call.
func (m *Matcher) Match(c Call) Result {
	st, _ := m.pool.Get().(*state)
	if st == nil {
		n := len(m.topics)
		st = &state{in: make([]field, n), rule: make([]int32, n), none: make([]bool, n)}
	}
	defer m.pool.Put(st)
	clear(st.in)
	clear(st.none)
	m.readAlias(st, c.Topic)
	m.readShort(st, fieldTopic, c.Topic)
	m.readShort(st, fieldPurpose, c.Purpose)
	m.readShort(st, fieldSummary, c.Summary)
	for _, s := range c.KeyPoints {
		m.read(st, fieldKeyPoints, s)
	}
	for _, s := range c.ActionItems {
		m.read(st, fieldActionItems, s)
	}
	m.read(st, fieldFollowUpReason, c.FollowUpReason)
	for _, f := range [...]field{fieldUser, fieldAgent} {
		if m.fields&f == 0 {
			continue
		}
		for i := range c.Turns {
			if (c.Turns[i].Role == "agent") == (f == fieldAgent) {
				m.read(st, f, c.Turns[i].Content)
			}
		}
	}
	return m.decide(st)
}

// readAlias looks for what the sender calls the topic, as a whole.
func (m *Matcher) readAlias(st *state, text string) {
	if len(m.aliases) == 0 || text == "" || len(text) > maxName {
		return
	}
	st.word = appendKey(st.word[:0], text)
	for _, a := range m.aliases[string(st.word)] {
		st.found(a.topic, a.rule, fieldAlias)
	}
}

// readShort looks for phrases and for patterns.
func (m *Matcher) readShort(st *state, f field, text string) {
	m.read(st, f, text)
	for i := range m.patterns {
		p := &m.patterns[i]
		if m.topics[p.topic].fields&f != 0 && text != "" && p.re.MatchString(text) {
			st.found(p.topic, p.rule, f)
		}
	}
}

// decide makes the result of what was found. A topic that a part of it was found for is left out: Billing/Refund says
// more than Billing.
func (m *Matcher) decide(st *state) Result {
	for i, in := range st.in {
		if in != 0 && (st.none[i] && in&fieldAlias == 0 || in.confidence() < m.least) {
			st.in[i] = 0
		}
	}
	main, best, count := -1, 0.0, 0
	for i := range m.topics {
		if parent := m.topics[i].parent; parent >= 0 && st.in[i] != 0 {
			st.in[parent] = 0
		}
	}
	for i := range m.topics {
		if st.in[i] == 0 {
			continue
		}
		count++
		c := st.in[i].confidence()
		if main < 0 || cmp.Or(cmp.Compare(m.topics[i].priority, m.topics[main].priority), cmp.Compare(c, best)) > 0 {
			main, best = i, c
		}
	}
	if main < 0 {
		return Result{Topics: []string{m.other}}
	}
	names := append(make([]string, 0, count), m.topics[main].name)
	for i := range m.topics {
		if st.in[i] != 0 && i != main {
			names = append(names, m.topics[i].name)
		}
	}
	where := fieldList[bits.TrailingZeros16(uint16(st.in[main]))].name
	if st.in[main]&fieldAlias != 0 {
		where = "topic"
	}
	return Result{Topics: names, Confidence: best, Rule: m.rules[st.rule[main]] + " in " + where}
}

// Other returns the topic of calls that no rule matches.
func (m *Matcher) Other() string { return m.other }

// Has reports whether the rules can give a call this topic.
func (m *Matcher) Has(name string) bool {
	for i := range m.topics {
		if m.topics[i].name == name {
			return true
		}
	}
	return name == m.other
}

// LooksAtTurns reports whether any rule looks at what was said: without the transcript its topics can't be decided.
func (m *Matcher) LooksAtTurns() bool { return m.fields&fieldsOfTurns != 0 }

// NeedsTurns reports whether the topic of that name depends on what was said.
func (m *Matcher) NeedsTurns(name string) bool {
	for i := range m.topics {
		if m.topics[i].name == name {
			return m.topics[i].fields&fieldsOfTurns != 0
		}
	}
	return false
}

// Vocabularies returns the readings of raw spellings.
func (m *Matcher) Vocabularies() *Vocabularies { return m.words }
