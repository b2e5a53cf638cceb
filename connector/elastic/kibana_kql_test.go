package elastic

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// kql reads a query of Kibana's language and returns what Kibana sends for it. Of the language it knows what our objects
// use: field : value, field : *, comparisons, words without a field, not, and, or, parentheses. field is called with each
// field's name.
func kql(query string, field func(name string)) (q map[string]any, err error) {
	p := &kqlParser{tokens: kqlToken.FindAllString(query, -1), field: field}
	if left := strings.TrimSpace(kqlToken.ReplaceAllString(query, "")); left != "" {
		return nil, fmt.Errorf("KQL %q: %q", query, left)
	}
	if len(p.tokens) == 0 {
		return map[string]any{"match_all": map[string]any{}}, nil
	}
	defer func() {
		if r := recover(); r != nil {
			q, err = nil, fmt.Errorf("KQL %q: %v", query, r)
		}
	}()
	q = p.or()
	if p.peek() != "" {
		panic("unexpected " + p.peek())
	}
	return q, nil
}

var (
	kqlToken = regexp.MustCompile(`"[^"]*"|>=|<=|[:<>()]|[^\s:<>()"]+`)
	kqlWord  = regexp.MustCompile(`^("[^"]*"|[^\s:<>()"]+)$`)
)

type kqlParser struct {
	tokens []string
	field  func(name string)
}

func (p *kqlParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *kqlParser) next() string {
	t := p.peek()
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *kqlParser) take(word string) bool {
	if !strings.EqualFold(p.peek(), word) {
		return false
	}
	p.next()
	return true
}

func boolQuery(occur string, queries ...map[string]any) map[string]any {
	b := map[string]any{occur: queries}
	if occur == "should" {
		b["minimum_should_match"] = 1
	}
	return map[string]any{"bool": b}
}

func (p *kqlParser) or() map[string]any {
	all := []map[string]any{p.and()}
	for p.take("or") {
		all = append(all, p.and())
	}
	if len(all) == 1 {
		return all[0]
	}
	return boolQuery("should", all...)
}

func (p *kqlParser) and() map[string]any {
	all := []map[string]any{p.not()}
	for p.take("and") {
		all = append(all, p.not())
	}
	if len(all) == 1 {
		return all[0]
	}
	return boolQuery("filter", all...)
}

func (p *kqlParser) not() map[string]any {
	if p.take("not") {
		return boolQuery("must_not", p.not())
	}
	if p.take("(") {
		q := p.or()
		if !p.take(")") {
			panic("no )")
		}
		return q
	}
	return p.term()
}

func (p *kqlParser) word() string {
	w := p.next()
	if !kqlWord.MatchString(w) {
		panic("no word: " + w)
	}
	return w
}

func (p *kqlParser) term() map[string]any {
	w := p.word()
	switch op := p.peek(); op {
	case ":":
		p.next()
		p.field(w)
		v := p.word()
		if v == "*" {
			return map[string]any{"exists": map[string]any{"field": w}}
		}
		kind := "match"
		if strings.HasPrefix(v, `"`) {
			kind = "match_phrase"
		}
		return boolQuery("should", map[string]any{kind: map[string]any{w: strings.Trim(v, `"`)}})
	case "<", ">", "<=", ">=":
		p.next()
		p.field(w)
		name := map[string]string{"<": "lt", ">": "gt", "<=": "lte", ">=": "gte"}[op]
		return boolQuery("should", map[string]any{"range": map[string]any{w: map[string]any{name: p.word()}}})
	}
	return map[string]any{"multi_match": map[string]any{"type": "best_fields", "query": w, "lenient": true}}
}

func TestKQL(t *testing.T) {
	f := func(query, wantFields, wantErr string) {
		t.Helper()
		var fields []string
		_, err := kql(query, func(name string) { fields = append(fields, name) })
		if (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%s: got %v, want %s", query, err, wantErr)
		}
		if got := strings.Join(fields, " "); got != wantFields {
			t.Errorf("%s: fields %s, want %s", query, got, wantFields)
		}
	}
	f("", "", "")
	f("follow_up : true and not is_test : true", "follow_up is_test", "")
	f(`a : "x y" or (b > 0 and c : *)`, "a b c", "")
	f("refund", "", "")
	f("a :", "a", "no word")
	f("(a : b", "a", "no )")
	f("a : b)", "a", "unexpected )")
	f(`a : "b`, "", `"\""`)
}
