package topics

import (
	"errors"
	"strings"
	"unicode/utf8"
)

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
	topic  int32
	phrase int32 // in Matcher.rules
	none   bool
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
			st.found(h.topic, h.phrase, f)
		}
	}
	if n.child != 0 {
		st.next = append(st.next, at)
	}
}
