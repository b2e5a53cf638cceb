package main

import (
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/postcall/postcall/transforms/redact"
)

// shownCall is a call with what redaction leaves of it.
type shownCall struct {
	ID   string
	Rows []shownRow
}

type shownRow struct {
	Name   string
	Pieces []shownPiece // of the original
	After  string
	Values []redact.Span
	text   string
}

// shownPiece is a stretch of the original; a value has a type.
type shownPiece struct {
	Text, Type, Rule string
}

func showCall(engine *redact.Engine, c namedCall) shownCall {
	spans := engine.Find(c.call)
	after := engine.Replace(c.call, spans)
	out := shownCall{ID: c.id}
	for i := range len(c.call.Turns) + len(c.call.Texts) {
		row := shownRow{text: c.call.Text(i), After: after.Text(i)}
		if n := i - len(c.call.Turns); n >= 0 {
			row.Name = c.names[n]
		} else {
			row.Name = c.call.Turns[i].Role
		}
		at := 0
		for _, s := range spans {
			if s.Text != i {
				continue
			}
			row.Values = append(row.Values, s)
			row.Pieces = append(row.Pieces, shownPiece{Text: row.text[at:s.Start]}, shownPiece{row.text[s.Start:s.End], string(s.Type), s.Rule})
			at = s.End
		}
		row.Pieces = append(row.Pieces, shownPiece{Text: row.text[at:]})
		out.Rows = append(out.Rows, row)
	}
	return out
}

// printCalls writes the calls in two columns.
func printCalls(w io.Writer, calls []shownCall, o *redactOptions) error {
	column := (o.width - 13) / 2
	var b strings.Builder
	for _, c := range calls {
		fmt.Fprintf(&b, "%s\n", c.ID)
		for _, r := range c.Rows {
			left, right := wrap(r.text, column), wrap(r.After, column)
			for i := range max(len(left), len(right)) {
				name, l, t := "", "", ""
				if i == 0 {
					name = r.Name
				}
				if i < len(left) {
					l = left[i]
				}
				if i < len(right) {
					t = right[i]
				}
				b.WriteString(strings.TrimRight(fmt.Sprintf("%-10.10s %s%s  %s", name, l, strings.Repeat(" ", column-utf8.RuneCountInString(l)), t), " "))
				b.WriteByte('\n')
			}
			if o.explain {
				for _, v := range r.Values {
					fmt.Fprintf(&b, "%10s   %-16s %q is %q, by %s\n", "", v.Type, r.text[v.Start:v.End], v.Value, ruleText(v.Rule))
				}
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ruleText says in words what a rule goes by.
func ruleText(rule string) string {
	switch rule {
	case "cue":
		return "the words before it"
	case "question":
		return "what was asked before"
	case "shape":
		return "its form and check digits"
	case "known":
		return "its being known from elsewhere in the call"
	case "list":
		return "the lists of names"
	case "length":
		return "its length, said digit by digit"
	case "echo":
		return "its being said again"
	}
	return rule
}

// wrap cuts a text into lines of at most n characters, between words where it can.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		for utf8.RuneCountInString(word) > n {
			r := []rune(word)
			lines, word = append(lines, string(r[:n])), string(r[n:])
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= n:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// pageOf writes the calls as a page of HTML.
func pageOf(w io.Writer, calls []shownCall) error { return redactPage.Execute(w, calls) }

var redactPage = template.Must(template.New("redact").Funcs(template.FuncMap{"rule": ruleText}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>postcall redact</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 90rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { width: 100%; border-collapse: collapse; table-layout: fixed }
td { vertical-align: top; padding: .4rem .6rem; border-top: 1px solid #ddd; overflow-wrap: anywhere }
td:first-child { width: 9rem; color: #666 }
mark { background: #ffe08a; border-radius: 3px; padding: 0 .15em }
mark::after { content: " " attr(data-type); font-size: .7em; color: #8a5a00 }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } td { border-color: #444 } mark { background: #5a4500; color: #fff } mark::after { color: #ffd25e } }
</style>
{{range .}}<h1>{{.ID}}</h1>
<table>{{range .Rows}}
<tr><td>{{.Name}}</td><td>{{range .Pieces}}{{if .Type}}<mark data-type="{{.Type}}" title="by {{rule .Rule}}">{{.Text}}</mark>{{else}}{{.Text}}{{end}}{{end}}</td><td>{{.After}}</td></tr>{{end}}
</table>
{{end}}</html>
`))
