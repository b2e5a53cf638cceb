package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// maxSteps bounds a run of a program in its instructions, not in seconds: what ran when the body was checked also runs
// when it is sealed, whatever else the machine does.
const maxSteps = 2_000_000

// program is a compiled jq program. It is safe for concurrent use. It reaches no file, no environment and no input but
// its own.
type program struct {
	source string // the name of the source, for errors
	text   string
	query  *gojq.Query
	code   *gojq.Code
}

// ProgramError says what is wrong with a program, or what went wrong when it ran. It holds no value of a body.
type ProgramError struct {
	Source string
	Line   int    // of the program, from 1; 0 where it can't be told
	Field  string // of the event, where it can be told
	Reason string
}

// Error puts the parts into one sentence.
func (e *ProgramError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "source %s", e.Source)
	if e.Line > 0 {
		fmt.Fprintf(&b, ", line %d of the mapping", e.Line)
	}
	if e.Field != "" {
		fmt.Fprintf(&b, ", field %s", e.Field)
	}
	return b.String() + ": " + e.Reason
}

// compile reads a program.
func compile(source, text string) (*program, error) {
	p := &program{source: source, text: text}
	var err error
	if p.query, err = gojq.Parse(text); err != nil {
		line := 0
		if pe, ok := errors.AsType[*gojq.ParseError](err); ok {
			line = 1 + strings.Count(text[:min(max(pe.Offset-len(pe.Token), 0), len(text))], "\n")
		}
		return nil, &ProgramError{Source: source, Line: line, Reason: "it is no jq program: " + err.Error()}
	}
	if p.code, err = gojq.Compile(p.query); err != nil {
		return nil, &ProgramError{Source: source, Line: p.lineOfName(err.Error()), Reason: "it is no jq program: " + err.Error()}
	}
	return p, nil
}

// lineOfName finds the line of what a compiler's error names at its end: "function not defined: foo/0".
func (p *program) lineOfName(message string) int {
	name := regexp.MustCompile(`(\$?[A-Za-z_]\w*)(/\d+)?$`).FindStringSubmatch(message)
	if name == nil {
		return 0
	}
	at := regexp.MustCompile(regexp.QuoteMeta(name[1]) + `\b`).FindStringIndex(p.text)
	if at == nil {
		return 0
	}
	return 1 + strings.Count(p.text[:at[0]], "\n")
}

// budget is a context that ends after a number of looks at it: gojq looks once an instruction.
type budget struct {
	context.Context
	left int
}

var (
	spent     = make(chan struct{})
	errBudget = errors.New("it does not come to an end: more than " + strconv.Itoa(maxSteps) + " steps")
)

func init() { close(spent) }

func (b *budget) Done() <-chan struct{} {
	if b.left--; b.left < 0 {
		return spent
	}
	return nil
}

func (b *budget) Err() error {
	if b.left < 0 {
		return errBudget
	}
	return nil
}

// run returns what the program makes of a value, at most limit things.
func run(code *gojq.Code, v any, limit int) (out []any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it panicked (%T)", r)
		}
	}()
	it := code.RunWithContext(&budget{context.Background(), maxSteps}, v)
	for {
		v, ok := it.Next()
		if !ok {
			return out, nil
		}
		if err, isErr := v.(error); isErr {
			if he, ok := errors.AsType[*gojq.HaltError](err); ok && he.Value() == nil {
				return out, nil
			}
			return out, err
		}
		if len(out) == limit {
			return out, fmt.Errorf("it makes more than %d things of one", limit)
		}
		out = append(out, v)
	}
}

// preview is the part of gojq's errors about functions before it quotes values: `tonumber cannot be applied to "`.
var preview = regexp.MustCompile(`^(@?[a-zA-Z0-9_]+)(?:\(.*\))? cannot be applied to(?:: (null|boolean|number|string|array|object)\b)?`)

// reason says what gojq's error says, without what it quotes of the body.
func reason(err error) string {
	if errors.Is(err, errBudget) {
		return err.Error()
	}
	if _, ok := err.(gojq.ValueError); ok { //nolint:errorlint // gojq does not wrap
		return "the program calls error for this body"
	}
	text := err.Error()
	switch {
	case strings.HasPrefix(text, "it "):
		return text // run's own
	case strings.HasPrefix(text, "expected an object but got: "), strings.HasPrefix(text, "expected an array but got: "), strings.HasPrefix(text, "cannot "),
		strings.HasPrefix(text, "expected a "):
		if head, _, ok := strings.Cut(text, " ("); ok {
			return head
		}
		if head, tail, ok := strings.Cut(text, ": "); ok && tail == "null" {
			return head + ": null"
		}
	}
	if m := preview.FindStringSubmatch(text); m != nil {
		if m[2] == "" {
			return m[1] + " can't take what it is given"
		}
		return m[1] + " can't take: " + m[2]
	}
	return "it fails on this body"
}

// fail makes the error of a failed run, and finds out which field of the event it is by running each alone.
func (p *program) fail(v any, err error) error {
	e := &ProgramError{Source: p.source, Reason: reason(err)}
	if errors.Is(err, errBudget) {
		return e
	}
	for _, f := range objectFields(p.query) {
		code, cerr := gojq.Compile(f.query)
		if cerr != nil {
			continue
		}
		if _, ferr := run(code, v, 1<<10); ferr != nil {
			e.Field, e.Line, e.Reason = f.name, p.lineOfKey(f.name), reason(ferr)
			return e
		}
	}
	return e
}

// lineOfKey is the line on which the program sets a field, 0 where it can't be told.
func (p *program) lineOfKey(name string) int {
	re := regexp.MustCompile(`(?m)(^|[{,\s])"?` + regexp.QuoteMeta(name) + `"?\s*:`)
	if at := re.FindStringIndex(p.text); at != nil {
		return 1 + strings.Count(strings.TrimRight(p.text[:at[1]], ": \t\n"), "\n")
	}
	return 0
}

type fieldProgram struct {
	name  string
	query *gojq.Query
}

// objectFields returns the program once for each field of the object it makes last, making that field only.
func objectFields(q *gojq.Query) (fields []fieldProgram) {
	switch {
	case q == nil:
	case q.Right != nil && q.Op == gojq.OpPipe:
		for _, f := range objectFields(q.Right) {
			c := *q
			c.Right = f.query
			fields = append(fields, fieldProgram{f.name, &c})
		}
	case q.Term != nil && q.Term.Type == gojq.TermTypeObject && len(q.Term.SuffixList) == 0:
		for _, kv := range q.Term.Object.KeyVals {
			if kv.Key == "" {
				continue
			}
			c, t := *q, *q.Term
			t.Object = &gojq.Object{KeyVals: []*gojq.ObjectKeyVal{kv}}
			c.Term = &t
			fields = append(fields, fieldProgram{kv.Key, &c})
		}
	}
	return fields
}

// setFields names the fields of the event that the program sets.
func (p *program) setFields() (names []string) {
	for _, f := range objectFields(p.query) {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}

// size is what a value takes as JSON, roughly, or more than limit.
func size(v any, limit int) int {
	n := 0
	switch v := v.(type) {
	case string:
		n = len(v) + 2
	case json.Number:
		n = len(v)
	case []any:
		for _, e := range v {
			if n += 1 + size(e, limit-n); n > limit {
				break
			}
		}
		n += 2
	case map[string]any:
		for k, e := range v {
			if n += len(k) + 4 + size(e, limit-n); n > limit {
				break
			}
		}
		n += 2
	default:
		n = 8
	}
	return n
}
