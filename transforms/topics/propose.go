package topics

import (
	"cmp"
	"slices"
	"strings"
)

// Unmapped counts calls that no rule matches, by what the sender says about them.
type Unmapped struct {
	Topic, Purpose string
	Calls          int
}

// Group is unmapped calls that are about one thing, as far as words tell, and what a rule for it could be.
type Group struct {
	Name     string // the commonest of Topics, "" where the sender said nothing
	Calls    int
	Topics   []string // the sender's, the commonest first
	Purposes []string // likewise
	Words    []string // phrases of the purposes that stand in most of them and in no other group
}

// Propose puts calls together that share a topic or a purpose, and finds what sets each group apart. The largest comes
// first. It reads texts that are redacted: what stands for a personal value is no word of a phrase.
func Propose(list []Unmapped) []Group {
	root := map[string]string{} // of a topic's or purpose's key: another one of its group
	var find func(string) string
	find = func(k string) string {
		if up, ok := root[k]; ok && up != k {
			root[k] = find(up)
			return root[k]
		}
		return k
	}
	keys := func(u Unmapped) (topic, purpose string) {
		if k := appendKey(nil, u.Topic); len(k) > 0 {
			topic = "t" + string(k)
		}
		if k := appendKey(nil, u.Purpose); len(k) > 0 {
			purpose = "p" + string(k)
		}
		return topic, purpose
	}
	for _, u := range list {
		if topic, purpose := keys(u); topic != "" && purpose != "" {
			root[find(purpose)] = find(topic)
		}
	}
	members := map[string][]Unmapped{}
	for _, u := range list {
		topic, purpose := keys(u)
		k := find(cmp.Or(topic, purpose))
		members[k] = append(members[k], u)
	}
	groups := make([]Group, 0, len(members))
	for _, us := range members {
		groups = append(groups, groupOf(us))
	}
	for i := range groups {
		groups[i].Words = slices.DeleteFunc(groups[i].Words, func(w string) bool {
			return slices.ContainsFunc(groups, func(g Group) bool { return g.Name != groups[i].Name && g.says(w) })
		})
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Or(b.Calls-a.Calls, strings.Compare(a.Name, b.Name)) })
	return groups
}

// says reports whether a phrase stands in a purpose of the group.
func (g *Group) says(phrase string) bool {
	return slices.ContainsFunc(g.Purposes, func(p string) bool {
		return strings.Contains(" "+string(appendKey(nil, p))+" ", " "+phrase+" ")
	})
}

func groupOf(us []Unmapped) Group {
	g := Group{}
	topics, purposes := map[string]int{}, map[string]int{}
	for _, u := range us {
		g.Calls += u.Calls
		topics[strings.TrimSpace(u.Topic)] += u.Calls
		purposes[strings.TrimSpace(u.Purpose)] += u.Calls
	}
	g.Topics, g.Purposes = byCount(topics), byCount(purposes)
	if len(g.Topics) > 0 {
		g.Name = g.Topics[0]
	}
	phrases := map[string]int{}
	for purpose, n := range purposes {
		for _, p := range pairs(purpose) {
			phrases[p] += n
		}
	}
	for _, p := range byCount(phrases) {
		if 2*phrases[p] > g.Calls && len(g.Words) < 3 {
			g.Words = append(g.Words, p)
		}
	}
	return g
}

// byCount returns the texts that are not empty, the commonest first.
func byCount(counts map[string]int) []string {
	var texts []string
	for t := range counts {
		if t != "" {
			texts = append(texts, t)
		}
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	return texts
}

// plain are words that say nothing about a topic by themselves.
var plain = func() map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(`a an the of for to in on at by with from about and or is are was it its this that their his her my your our
		ask asks asked get find want wants wanted inquire inquires inquired request requests requested discuss know see make call caller customer user
		was be been has have had whether if how what when where who which not no some something somebody regarding question questions information`) {
		set[w] = true
	}
	return set
}()

// pairs returns the pairs of words of a text that stand beside each other and aren't plain, once each.
func pairs(text string) []string {
	var out []string
	last := ""
	for i := 0; ; {
		w, next := nextWord(nil, text, i)
		if len(w) == 0 {
			return out
		}
		i = next
		word := string(w)
		if plain[word] || word[0] == '[' {
			last = ""
			continue
		}
		if last != "" && !slices.Contains(out, last+" "+word) {
			out = append(out, last+" "+word)
		}
		last = word
	}
}
