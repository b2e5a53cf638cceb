package topics

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed vocabulary.yaml
var defaultVocabulary []byte

// maxRaw is the longest spelling that is looked up, in bytes. What is longer is a sentence.
const maxRaw = 100

// Unknown is the value of spellings that say that something is not known.
const Unknown = "unknown"

// Vocabularies read the spellings of senders. The built-in words are always in them; a file of rules adds to them and
// wins over them.
type Vocabularies struct {
	Sentiment   *Vocabulary // positive, neutral, negative, mixed
	FollowUp    *Vocabulary // yes, no
	AISuccess   *Vocabulary // yes, no
	EndedReason *Vocabulary // caller_hangup, agent_hangup, transfer, voicemail ... and what the file adds
}

// Vocabulary is the readings of one field.
type Vocabulary struct {
	field  string
	values []string // that it may have; nil for any name
	exact  map[string]string
	starts []start // the longest first
}

type start struct{ key, value string }

// Read returns what a spelling stands for, Unknown among others, or false where no vocabulary has it.
func (v *Vocabulary) Read(raw string) (value string, known bool) {
	if raw == "" || len(raw) > maxRaw {
		return "", false
	}
	var buf [2 * maxRaw]byte
	key := appendKey(buf[:0], raw)
	if value, known = v.exact[string(key)]; known {
		return value, true
	}
	for _, s := range v.starts {
		if len(key) > len(s.key) && string(key[:len(s.key)]) == s.key && key[len(s.key)] == ' ' {
			return s.value, true
		}
	}
	return "", false
}

// Values are what a spelling can stand for, besides Unknown.
func (v *Vocabulary) Values() []string {
	set := map[string]bool{}
	for _, value := range v.exact {
		set[value] = true
	}
	delete(set, Unknown)
	return slices.Sorted(maps.Keys(set))
}

func newVocabularies() *Vocabularies {
	yesNo := []string{"yes", "no"}
	words := func(field string, values []string) *Vocabulary {
		return &Vocabulary{field: field, values: values, exact: map[string]string{}}
	}
	return &Vocabularies{
		Sentiment:   words("sentiment", []string{"positive", "neutral", "negative", "mixed"}),
		FollowUp:    words("follow_up", yesNo),
		AISuccess:   words("ai_success", yesNo),
		EndedReason: words("ended_reason", nil),
	}
}

// Of returns the vocabulary of a field as a file of rules names it, or nil.
func (vs *Vocabularies) Of(field string) *Vocabulary {
	for _, v := range []*Vocabulary{vs.Sentiment, vs.FollowUp, vs.AISuccess, vs.EndedReason} {
		if v.field == field {
			return v
		}
	}
	return nil
}

// read adds what a file has under vocabularies.
func (vs *Vocabularies) read(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: vocabularies: write sentiment, follow_up, ai_success or ended_reason under it", n.Line)
	}
	var errs []error
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, values := n.Content[i], n.Content[i+1]
		v := vs.Of(k.Value)
		switch {
		case v == nil:
			errs = append(errs, fmt.Errorf("line %d: no vocabulary is called %q: use sentiment, follow_up, ai_success or ended_reason", k.Line, k.Value))
		case values.Kind != yaml.MappingNode:
			errs = append(errs, fmt.Errorf("line %d: %s: write each value with the list of its spellings", values.Line, k.Value))
		default:
			errs = append(errs, v.add(values))
		}
	}
	return errors.Join(errs...)
}

var nameRE = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)

// add reads the values of one field with their spellings.
func (v *Vocabulary) add(n *yaml.Node) error {
	var errs []error
	lines := map[string]string{} // of this file, by spelling: the value
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if v.values != nil && !slices.Contains(v.values, k.Value) && k.Value != Unknown {
			errs = append(errs, fmt.Errorf("line %d: %s is never %q: use %s or unknown", k.Line, v.field, k.Value, strings.Join(v.values, ", ")))
			continue
		}
		if !nameRE.MatchString(k.Value) {
			errs = append(errs, fmt.Errorf("line %d: %s: %q is no name: small letters, digits and underscores", k.Line, v.field, k.Value))
			continue
		}
		spellings, err := phrases(n.Content[i+1])
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %s: %s must be a list of texts", n.Content[i+1].Line, v.field, k.Value))
			continue
		}
		for _, s := range append(spellings, k.Value) {
			key := string(appendKey(nil, s))
			if strings.HasSuffix(s, "*") {
				key += "*"
			}
			before, twice := lines[key]
			switch {
			case strings.Trim(key, "*") == "" || len(key) > maxRaw:
				errs = append(errs, fmt.Errorf("line %d: %s: %q has no word in it, or is longer than %d bytes", n.Content[i+1].Line, v.field, s, maxRaw))
			case twice && before != k.Value:
				errs = append(errs, fmt.Errorf("line %d: %s: %q is there twice, for %s and for %s", n.Content[i+1].Line, v.field, s, before, k.Value))
			default:
				lines[key] = k.Value
			}
		}
	}
	for key, value := range lines {
		begin, star := strings.CutSuffix(key, "*")
		v.exact[begin] = value
		if star {
			v.starts = slices.DeleteFunc(v.starts, func(s start) bool { return s.key == begin })
			v.starts = append(v.starts, start{begin, value})
		}
	}
	slices.SortFunc(v.starts, func(a, b start) int {
		if len(a.key) != len(b.key) {
			return len(b.key) - len(a.key)
		}
		return strings.Compare(a.key, b.key)
	})
	return errors.Join(errs...)
}
