package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/transforms"
)

// The bounds of questions and answers.
const (
	maxWords      = 300 // characters of a search
	maxName       = 200 // of an agent or a topic
	maxCallID     = 530 // the webhook takes 512, and a split adds to it
	maxCursor     = 8192
	maxLatest     = 10
	maxCalls      = 50 // of a page
	maxRows       = 1000
	maxGroups     = 4
	defaultCalls  = 10
	defaultRows   = 100
	defaultDays   = 30
	maxDimensions = 50 // values of one
)

// field is something that can be asked by. REST has it as a parameter and MCP as an argument, and both check it by its schema.
type field struct {
	name, meaning string
	schema        *jsonschema.Schema
	resolved      *jsonschema.Resolved
}

var fields = makeFields(
	field{name: "callId", meaning: "Id of the call", schema: text(1, maxCallID)},
	field{name: "latest", meaning: "How many of the newest calls", schema: whole(1, maxLatest)},
	field{
		name: "query", schema: text(0, maxWords),
		meaning: `Words to look for in transcripts and summaries: any of them, the best call first; "in quotes" together; -word leaves out. Without words the newest call comes first`,
	},
	field{name: "role", meaning: "Who said the words", schema: &jsonschema.Schema{Type: "string", Enum: []any{transforms.RoleUser, transforms.RoleAgent}}},
	field{name: "from", meaning: fmt.Sprintf("Calls that started from then on: a day (2026-11-30, in the business time zone) or RFC 3339; default %d days before to, or before now", defaultDays), schema: moment()},
	field{name: "to", meaning: "Calls that started before then: a day or RFC 3339; default no bound", schema: moment()},
	field{name: "agent", meaning: "Name of the AI agent, in any case", schema: text(1, maxName)},
	field{name: "topic", meaning: "Topic of the taxonomy, or in the sender's words", schema: text(1, maxName)},
	field{name: "sentiment", meaning: "Mood of the caller", schema: &jsonschema.Schema{Type: "string", Enum: []any{"positive", "neutral", "negative", "mixed"}}},
	field{name: "tests", meaning: "Whether calls that are tests count too", schema: &jsonschema.Schema{Type: "boolean", Default: json.RawMessage("false")}},
	field{name: "calls", meaning: "Calls of a page", schema: preset(whole(1, maxCalls), defaultCalls)},
	field{name: "cursor", meaning: "nextCursor of the page before. It holds the question: give nothing else with it but a limit", schema: text(1, maxCursor)},
	field{name: "metric", meaning: "Name of a metric", schema: &jsonschema.Schema{Type: "string", Enum: metricNames()}},
	field{name: "group_by", meaning: "Dimensions to group by; those without which a metric has no meaning are added", schema: &jsonschema.Schema{
		Type: "array", Items: &jsonschema.Schema{Type: "string", Enum: dimensionNames()}, MaxItems: new(maxGroups), UniqueItems: true,
	}},
	field{name: "rows", meaning: "Rows of the answer", schema: preset(whole(1, maxRows), defaultRows)},
	field{name: "dimension", meaning: "Dimension whose values are wanted, with how many calls each has; without it the dimensions themselves", schema: &jsonschema.Schema{Type: "string", Enum: dimensionNames()}},
	field{name: "first_turn", meaning: "Turn of the transcript to begin with, from 1: nextTurn of the answer before", schema: preset(whole(1, 1_000_000), 1)},
)

func makeFields(list ...field) map[string]*field {
	all := make(map[string]*field, len(list))
	for i := range list {
		f := &list[i]
		f.schema.Description = f.meaning
		var err error
		if f.resolved, err = f.schema.Resolve(nil); err != nil {
			panic("api: the schema of " + f.name + ": " + err.Error()) // a bug, seen by every test
		}
		all[f.name] = f
	}
	return all
}

func text(least, most int) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", MinLength: &least, MaxLength: &most}
}

func whole(least, most float64) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "integer", Minimum: &least, Maximum: &most}
}

func preset(s *jsonschema.Schema, v int) *jsonschema.Schema {
	s.Default = json.RawMessage(strconv.Itoa(v))
	return s
}

func moment() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", MinLength: new(10), MaxLength: new(40), AnyOf: []*jsonschema.Schema{{Format: "date"}, {Format: "date-time"}}}
}

func metricNames() (names []any) {
	for i := range clickhouse.Metrics {
		names = append(names, clickhouse.Metrics[i].Name)
	}
	return names
}

func dimensionNames() (names []any) {
	for _, d := range clickhouse.Dimensions {
		if d.Name != "tenant" { // a token has one
			names = append(names, d.Name)
		}
	}
	return names
}

// asked is a question: the values of fields by their names, as JSON has them. It was checked by their schemas.
type asked map[string]any

func (a asked) text(name string) string { s, _ := a[name].(string); return s }
func (a asked) flag(name string) bool   { b, _ := a[name].(bool); return b }

// number is the value, or the default of the field.
func (a asked) number(name string, of *field) int {
	switch n := a[name].(type) {
	case float64:
		return int(n)
	case int64:
		return int(n)
	}
	n, _ := strconv.Atoi(string(of.schema.Default))
	return n
}

func (a asked) list(name string) (all []string) {
	list, _ := a[name].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// parameter is a field by the name that it has in a question.
type parameter struct {
	name string
	*field
	required bool
	inPath   bool
}

func param(name string) parameter { return parameter{name: name, field: fields[name]} }

// as gives the field another name; must makes it required.
func (p parameter) as(name string) parameter { p.name = name; return p }
func (p parameter) must() parameter          { p.required = true; return p }
func (p parameter) path() parameter          { p.inPath, p.required = true, true; return p }

// parse reads a parameter's text.
func (p *parameter) parse(raw string) (any, error) {
	if !utf8.ValidString(raw) {
		return nil, problemf(400, "%s is not UTF-8", p.name)
	}
	var v any = raw
	switch p.schema.Type {
	case "integer":
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil {
			return nil, p.wrong()
		}
		v = n
	case "boolean":
		if raw != "true" && raw != "false" {
			return nil, p.wrong()
		}
		v = raw == "true"
	case "array":
		var list []any
		for part := range strings.SplitSeq(raw, ",") {
			list = append(list, part)
		}
		v = list
	}
	if p.resolved.Validate(v) != nil {
		return nil, p.wrong()
	}
	return v, nil
}

// wrong says what the parameter takes, and nothing of what was given.
func (p *parameter) wrong() *problem {
	s := p.schema
	takes := "a text"
	switch {
	case s.Enum != nil:
		takes = fmt.Sprint("one of ", list(s.Enum))
	case s.Type == "integer":
		takes = fmt.Sprintf("a whole number from %g to %g", *s.Minimum, *s.Maximum)
	case s.Type == "boolean":
		takes = "true or false"
	case s.Type == "array":
		takes = fmt.Sprintf("at most %d different ones of %s, separated by commas", *s.MaxItems, list(s.Items.Enum))
	case s.MaxLength != nil:
		takes = fmt.Sprintf("a text of %d to %d characters", *s.MinLength, *s.MaxLength)
	}
	return problemf(400, "%s takes %s", p.name, takes)
}

func list(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}

// parseQuery reads the parameters of a request. A name that isn't one is refused: it would be overlooked otherwise, and
// the answer be another than was meant.
func parseQuery(params []parameter, raw string) (asked, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, problemf(400, "the query of the address can't be read: escape special characters by %%")
	}
	a := asked{}
	for name, given := range values {
		i := slices.IndexFunc(params, func(p parameter) bool { return p.name == name && !p.inPath })
		switch {
		case i < 0:
			return nil, problemf(400, "there is a parameter that this route doesn't have; it has %s", names(params))
		case len(given) > 1:
			return nil, problemf(400, "%s is given more than once", name)
		}
		if a[name], err = params[i].parse(given[0]); err != nil {
			return nil, err
		}
	}
	for _, p := range params {
		if _, ok := a[p.name]; p.required && !p.inPath && !ok {
			return nil, problemf(400, "%s is missing: %s", p.name, p.meaning)
		}
	}
	return a, nil
}

func names(params []parameter) string {
	var all []string
	for _, p := range params {
		if !p.inPath {
			all = append(all, p.name)
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}
