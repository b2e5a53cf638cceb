package elastic

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// Synonyms are part of an index's settings, which every node of the cluster holds in memory.
const (
	maxSynonyms     = 10_000
	maxSynonymBytes = 1 << 20
)

// schema is what this configuration wants an index to be like.
type schema struct {
	meta  meta
	rules []string // synonyms, a rule each
}

func (s schema) language() string { return cmp.Or(s.meta.Language, defaultLanguage) }

func (s schema) template() template {
	t := readTemplate(s.language(), s.rules)
	m := s.meta
	m.Lifecycle = ""
	if s.meta.Lifecycle != "" {
		t.Settings["index"].(map[string]any)["lifecycle.name"] = s.meta.Lifecycle
	}
	t.Mappings["_meta"] = m
	return t
}

// wanted reads the synonyms and returns what templates and indices should be like.
func (c *client) wanted() (schema, error) {
	s := schema{meta: wantMeta()}
	if c.language != defaultLanguage {
		s.meta.Language = c.language
	}
	if c.synonyms == "" {
		return s, nil
	}
	b, err := os.ReadFile(c.synonyms)
	if err != nil {
		return s, fmt.Errorf("POSTCALL_ELASTICSEARCH_SYNONYMS: %w", err)
	}
	if s.rules, err = parseSynonyms(b); err != nil {
		return s, fmt.Errorf("POSTCALL_ELASTICSEARCH_SYNONYMS: %w", err)
	}
	if len(s.rules) > 0 {
		sum := sha256.Sum256([]byte(strings.Join(s.rules, "\n")))
		s.meta.Synonyms = hex.EncodeToString(sum[:8])
	}
	return s, nil
}

// parseSynonyms returns the rules of a file in Solr's format: a rule a line, which is words or phrases of the same meaning
// between commas, or a => b; # starts a comment.
func parseSynonyms(b []byte) ([]string, error) {
	if len(b) > maxSynonymBytes {
		return nil, fmt.Errorf("the file is larger than %d bytes", maxSynonymBytes)
	}
	var rules []string
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, maxSynonymBytes+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		sides := strings.Split(line, "=>")
		alone := len(sides) == 1 && !strings.Contains(line, ",")
		if alone || len(sides) > 2 {
			return nil, fmt.Errorf("line %d is no rule: write words between commas, or: words => words", n)
		}
		for word := range strings.SplitSeq(strings.Join(sides, ","), ",") {
			if strings.TrimSpace(word) == "" {
				return nil, fmt.Errorf("line %d has a comma or => without a word beside it", n)
			}
		}
		rules = append(rules, line)
	}
	if len(rules) > maxSynonyms {
		return nil, fmt.Errorf("the file has more than %d rules", maxSynonyms)
	}
	return rules, lines.Err()
}

// checkSynonyms asks Elasticsearch to read the rules as an index would. In an index, a rule that can't be read is left
// out without a word.
func (c *client) checkSynonyms(ctx context.Context, s schema) error {
	if len(s.rules) == 0 {
		return nil
	}
	if err := c.tryRules(ctx, s.language(), s.rules); err == nil || !isBadRequest(err) {
		return allowed(err)
	}
	// Which one? Elasticsearch counts from the start of what it is given, and says it in words that change.
	for _, rule := range s.rules {
		if err := c.tryRules(ctx, s.language(), []string{rule}); isBadRequest(err) {
			return fmt.Errorf("POSTCALL_ELASTICSEARCH_SYNONYMS: %q is no rule in %s, mostly for a word that searches leave out, such as \"the\": write it without", rule, s.language())
		} else if err != nil {
			return allowed(err)
		}
	}
	return errors.New("POSTCALL_ELASTICSEARCH_SYNONYMS: Elasticsearch can't read the rules together, and reads each of them alone")
}

func (c *client) tryRules(ctx context.Context, language string, rules []string) error {
	analysis := synonymAnalysis(language, rules)
	analysis["filter"].(map[string]any)["synonyms"].(map[string]any)["lenient"] = false
	request := inlineAnalysis(analysis)
	request["text"] = "x"
	return c.do(ctx, http.MethodPost, "/_analyze", request, nil)
}

// inlineAnalysis makes of synonymAnalysis's settings a request for _analyze, which needs no index.
func inlineAnalysis(analysis map[string]any) map[string]any {
	analyzer := analysis["analyzer"].(map[string]any)[synonymAnalyzer].(map[string]any)
	filters := analysis["filter"].(map[string]any)
	request := map[string]any{"tokenizer": analyzer["tokenizer"]}
	if analyzer["char_filter"] != nil {
		request["char_filter"] = []any{noJoiner}
	}
	var inline []any
	for _, name := range analyzer["filter"].([]string) {
		if def := filters[name]; def != nil {
			inline = append(inline, def)
		} else {
			inline = append(inline, name)
		}
	}
	request["filter"] = inline
	return request
}

func isBadRequest(err error) bool {
	var e *httpError
	return errors.As(err, &e) && e.status == http.StatusBadRequest
}

// allowed overlooks that the key may not try the rules.
func allowed(err error) error {
	var e *httpError
	if errors.As(err, &e) && (e.status == http.StatusForbidden || e.status == http.StatusUnauthorized) {
		return nil
	}
	return err
}
