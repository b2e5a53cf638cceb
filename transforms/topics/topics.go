package topics

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
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

// field is a set of fields.
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

	fieldsByDefault = fieldTopic | fieldPurpose | fieldSummary | fieldKeyPoints | fieldUser
)

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
	if set == 0 {
		set = fieldsByDefault
	}
	return set, nil
}

// Matcher gives calls their topics. It is safe for concurrent use.
type Matcher struct {
	other   string
	topics  []topic
	nodes   []node // a trie of words; the first one is its root
	stars   bool   // there are words with a star
	longest int    // bytes of the longest word
	pool    sync.Pool
}

type topic struct {
	name   string
	fields field
}

// node is a place in the trie: what follows, and which phrases end here.
type node struct {
	next map[string]int32 // by word
	star map[string]int32 // by the beginning of a word
	hits []hit
}

type hit struct {
	topic int32
	none  bool
}

// add puts a phrase into the trie.
func (m *Matcher) add(phrase string, h hit) error {
	for i := 1; i <= len(phrase); i++ {
		if phrase[i-1] == '*' && (i == 1 || phrase[i-2] == ' ') {
			return errors.New("a star stands alone: put it behind the beginning of a word")
		}
	}
	at, n := int32(0), 0
	for i := 0; ; n++ {
		w, next := nextWord(nil, phrase, i)
		if len(w) == 0 {
			break
		}
		star := strings.HasPrefix(phrase[next:], "*")
		if star && utf8.RuneCount(w) < 3 {
			return errors.New("a star needs three letters before it")
		}
		at = m.child(at, string(w), star)
		i = next
		if star {
			i++
		}
	}
	if n == 0 {
		return errors.New("it has no word in it")
	}
	m.nodes[at].hits = append(m.nodes[at].hits, h)
	return nil
}

func (m *Matcher) child(at int32, word string, star bool) int32 {
	m.longest = max(m.longest, len(word))
	children := &m.nodes[at].next
	if star {
		m.stars = true
		children = &m.nodes[at].star
	}
	if c, ok := (*children)[word]; ok {
		return c
	}
	if *children == nil {
		*children = map[string]int32{}
	}
	c := int32(len(m.nodes))
	(*children)[word] = c
	m.nodes = append(m.nodes, node{})
	return c
}

// nextWord returns the first word of s from i on, in lower case, and where it ends. The word is put into buf.
func nextWord(buf []byte, s string, i int) (word []byte, end int) {
	buf = buf[:0]
	for i < len(s) {
		c := s[i]
		switch {
		case c-'a' < 26 || c-'0' < 10:
			buf = append(buf, c)
			i++
			continue
		case c-'A' < 26:
			buf = append(buf, c+'a'-'A')
			i++
			continue
		case c < utf8.RuneSelf:
			if c == '\'' && len(buf) > 0 {
				i++
				continue
			}
			if len(buf) > 0 {
				return buf, i
			}
			if c == '[' {
				if end := tokenEnd(s, i); end > 0 {
					return append(buf, '['), end
				}
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			buf = utf8.AppendRune(buf, unicode.ToLower(r))
		case r == '’':
		case len(buf) > 0:
			return buf, i
		}
		i += n
	}
	return buf, i
}

// tokenEnd returns the end of a redaction token such as "[PERSON]" at i, or 0. A token is a word that no phrase has.
func tokenEnd(s string, i int) int {
	for i++; i < len(s) && (s[i]-'A' < 26 || s[i] == '_' || s[i]-'0' < 10); i++ {
	}
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	return 0
}

// state is the work of one Match; it is reused.
type state struct {
	word   []byte
	active []int32 // the nodes that the words so far lead to
	next   []int32
	any    []bool // by topic
	none   []bool
}

// Match returns the topics of a call in the order of the rules, or other alone. The slice is never empty.
func (m *Matcher) Match(c Call) []string {
	st, _ := m.pool.Get().(*state)
	if st == nil {
		st = &state{any: make([]bool, len(m.topics)), none: make([]bool, len(m.topics))}
	}
	defer m.pool.Put(st)
	clear(st.any)
	clear(st.none)
	m.read(st, fieldTopic, c.Topic)
	m.read(st, fieldPurpose, c.Purpose)
	m.read(st, fieldSummary, c.Summary)
	m.read(st, fieldFollowUpReason, c.FollowUpReason)
	for _, s := range c.KeyPoints {
		m.read(st, fieldKeyPoints, s)
	}
	for _, s := range c.ActionItems {
		m.read(st, fieldActionItems, s)
	}
	for i := range c.Turns {
		f := fieldUser
		if c.Turns[i].Role == "agent" {
			f = fieldAgent
		}
		m.read(st, f, c.Turns[i].Content)
	}
	var out []string
	for i := range m.topics {
		if st.any[i] && !st.none[i] {
			out = append(out, m.topics[i].name)
		}
	}
	if out == nil {
		out = []string{m.other}
	}
	return out
}

// Other returns the topic of calls that no rule matches.
func (m *Matcher) Other() string { return m.other }

// read walks the trie over the words of a text.
func (m *Matcher) read(st *state, f field, text string) {
	st.active = st.active[:0]
	for i := 0; i < len(text); {
		st.word, i = nextWord(st.word, text, i)
		if len(st.word) == 0 {
			return
		}
		st.next = st.next[:0]
		m.step(st, f, 0)
		for _, at := range st.active {
			m.step(st, f, at)
		}
		st.active, st.next = st.next, st.active
	}
}

// step follows the word from a node.
func (m *Matcher) step(st *state, f field, at int32) {
	n := &m.nodes[at]
	if len(st.word) <= m.longest {
		if c, ok := n.next[string(st.word)]; ok {
			m.arrive(st, f, c)
		}
	}
	if n.star == nil {
		return
	}
	for end := 3; end <= min(len(st.word), m.longest); end++ {
		if c, ok := n.star[string(st.word[:end])]; ok {
			m.arrive(st, f, c)
		}
	}
}

func (m *Matcher) arrive(st *state, f field, at int32) {
	n := &m.nodes[at]
	for _, h := range n.hits {
		switch {
		case m.topics[h.topic].fields&f == 0:
		case h.none:
			st.none[h.topic] = true
		default:
			st.any[h.topic] = true
		}
	}
	if n.next != nil || n.star != nil {
		st.next = append(st.next, at)
	}
}
