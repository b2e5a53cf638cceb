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
	other  string
	topics []topic
	fields field      // what any topic looks at
	nodes  []node     // a trie of bytes; the first one is its root
	first  [256]int32 // the children of the root by their byte: most words lead no further
	pool   sync.Pool
}

type topic struct {
	name   string
	fields field
}

// node is a place in the trie. Its links are indexes in Matcher.nodes, 0 for none.
type node struct {
	c              byte
	follows        uint32 // the set of bytes that can follow, by their low five bits
	child, sibling int32  // the first of these bytes, and another one that can stand here
	word           int32  // where phrases go on behind a word that ends here
	star           int32  // where they go on behind a word that begins like this
	hits           []hit  // of the phrases that end here: behind a word
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
		for _, c := range w {
			at = m.child(at, c)
		}
		if i = next; star {
			at = m.follow(&m.nodes[at].star)
			i++
		} else {
			at = m.follow(&m.nodes[at].word)
		}
	}
	if n == 0 {
		return errors.New("it has no word in it")
	}
	m.nodes[at].hits = append(m.nodes[at].hits, h)
	return nil
}

// child returns the node behind a byte, which is made where there is none.
func (m *Matcher) child(at int32, c byte) int32 {
	link := &m.nodes[at].child
	for *link != 0 && m.nodes[*link].c != c {
		link = &m.nodes[*link].sibling
	}
	next := m.follow(link)
	m.nodes[next].c = c
	m.nodes[at].follows |= 1 << (c & 31)
	if at == 0 {
		m.first[c] = next
	}
	return next
}

// follow returns the node that a link leads to, which is made where there is none.
func (m *Matcher) follow(link *int32) int32 {
	next := *link
	if next == 0 {
		next = int32(len(m.nodes))
		*link = next // append may move it
		m.nodes = append(m.nodes, node{})
	}
	return next
}

// lower holds the letters and digits of ASCII in lower case, and 0 for all other bytes.
var lower = func() (t [256]byte) {
	for c := range byte(utf8.RuneSelf) {
		if c-'a' < 26 || c-'0' < 10 {
			t[c] = c
		} else if c-'A' < 26 {
			t[c] = c + 'a' - 'A'
		}
	}
	return t
}()

// nextWord returns the first word of s from i on, in lower case, and where it ends. The word is put into buf.
func nextWord(buf []byte, s string, i int) (word []byte, end int) {
	buf = buf[:0]
	for i < len(s) {
		c := s[i]
		if l := lower[c]; l != 0 {
			buf = append(buf, l)
			i++
			continue
		}
		if c < utf8.RuneSelf {
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
	if m.fields&f == 0 {
		return
	}
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
	for _, c := range st.word {
		n := &m.nodes[at]
		if n.follows>>(c&31)&1 == 0 {
			return
		}
		if at == 0 {
			at = m.first[c]
		} else {
			at = n.child
		}
		for at != 0 && m.nodes[at].c != c {
			at = m.nodes[at].sibling
		}
		if at == 0 {
			return
		}
		if star := m.nodes[at].star; star != 0 {
			m.arrive(st, f, star)
		}
	}
	if word := m.nodes[at].word; word != 0 {
		m.arrive(st, f, word)
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
	if n.child != 0 {
		st.next = append(st.next, at)
	}
}
