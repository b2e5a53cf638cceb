package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
)

// tally counts for one line of the table.
type tally struct {
	calls, clean     int
	spans, full      int
	good, over       int // letters and digits that are gone: inside and outside of values
	plain            int // letters and digits outside of values
	groups, unleaked int
}

type table struct {
	lines map[string]*tally
	types map[string]*tally
}

func newTable() *table { return &table{map[string]*tally{}, map[string]*tally{}} }

// presidio has what Microsoft Presidio 2.2 reaches on the development calls, where the data's README says it.
var presidio = map[string]string{"all": "30", "variant w": "66", "variant s": "35", "variant m": "22"}

func (t *table) add(c *call, redacted []turn) {
	source, _, _ := strings.Cut(c.Source, "/")
	clean := true
	groups := map[string]bool{}
	var total tally
	for i, turn := range c.Turns {
		after := ""
		if i < len(redacted) {
			after = redacted[i].Content
		}
		clean = t.turn(turn, after, &total, groups) && clean
	}
	total.calls = 1
	if clean {
		total.clean = 1
	}
	for _, ok := range groups {
		total.groups++
		if ok {
			total.unleaked++
		}
	}
	for _, line := range []string{"all", "variant " + c.Variant, "style " + c.Style, "source " + source, "file " + strings.TrimSuffix(c.file, ".jsonl")} {
		if t.lines[line] == nil {
			t.lines[line] = &tally{}
		}
		t.lines[line].plus(&total)
	}
}

func (a *tally) plus(b *tally) {
	a.calls, a.clean, a.spans, a.full = a.calls+b.calls, a.clean+b.clean, a.spans+b.spans, a.full+b.full
	a.good, a.over, a.plain = a.good+b.good, a.over+b.over, a.plain+b.plain
	a.groups, a.unleaked = a.groups+b.groups, a.unleaked+b.unleaked
}

// turn judges one turn and tells whether nothing leaks.
func (t *table) turn(u turn, after string, total *tally, groups map[string]bool) bool {
	text := []rune(u.Content)
	gone := redactedRunes(text, after)
	label := make([]string, len(text))
	for _, ignore := range []bool{true, false} {
		for _, s := range u.Spans {
			if (s.Type == "IGNORE") == ignore {
				for k := max(s.Start, 0); k < min(s.End, len(text)); k++ {
					label[k] = s.Type
				}
			}
		}
	}
	for k, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			continue
		}
		switch {
		case label[k] == "IGNORE":
		case label[k] == "":
			total.plain++
			if gone[k] {
				total.over++
			}
		case gone[k]:
			total.good++
		}
	}
	clean := true
	for _, s := range u.Spans {
		if s.Type == "IGNORE" || !hasAlnum(text[s.Start:s.End]) {
			continue
		}
		full := covered(text, gone, s)
		by := t.types[s.Type]
		if by == nil {
			by = &tally{}
			t.types[s.Type] = by
		}
		total.spans, by.spans = total.spans+1, by.spans+1
		if full {
			total.full, by.full = total.full+1, by.full+1
		}
		clean = clean && full
		if s.Group != "" {
			ok, seen := groups[s.Group]
			groups[s.Group] = full && (ok || !seen)
		}
	}
	return clean
}

func hasAlnum(text []rune) bool {
	return slices.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

func covered(text []rune, gone []bool, s span) bool {
	for k := s.Start; k < s.End; k++ {
		if (unicode.IsLetter(text[k]) || unicode.IsDigit(text[k])) && !gone[k] {
			return false
		}
	}
	return true
}

var tagForm = regexp.MustCompile(`\[[A-Z][A-Z_]*(_\d+|:[0-9a-z]+)?\]`)

// redactedRunes tells which runes of a text are replaced by tags in another. What is between the tags is found in order;
// where that fails everything counts as kept, so that the figures err on the side of the leak.
func redactedRunes(text []rune, after string) []bool {
	gone := make([]bool, len(text))
	tags := tagForm.FindAllStringIndex(after, -1)
	if len(tags) == 0 {
		return gone
	}
	rest := string(text)
	first := after[:tags[0][0]]
	if !strings.HasPrefix(rest, first) {
		return gone
	}
	pos := len([]rune(first))
	rest = rest[len(first):]
	for i, tag := range tags {
		end, last := len(after), i == len(tags)-1
		if !last {
			end = tags[i+1][0]
		}
		literal := after[tag[1]:end]
		at := strings.Index(rest, literal)
		if last {
			at = len(rest) - len(literal)
		}
		if at < 0 || !strings.HasPrefix(rest[at:], literal) {
			return make([]bool, len(text))
		}
		n := len([]rune(rest[:at]))
		for k := pos; k < pos+n; k++ {
			gone[k] = true
		}
		pos += n + len([]rune(literal))
		rest = rest[at+len(literal):]
	}
	return gone
}

func (t *table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(tw, "\tcalls\tvalues\trecall\tprecision\tover\tclean\tsplit\tPresidio's recall\t")
	names := make([]string, 0, len(t.lines))
	for name := range t.lines {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a := t.lines[name]
		_, _ = fmt.Fprintf(tw, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t\n", name, a.calls, a.spans, percent(a.full, a.spans),
			percent(a.good, a.good+a.over), percent(a.over, a.plain), percent(a.clean, a.calls), percent(a.unleaked, a.groups), presidio[name])
	}
	_, _ = fmt.Fprintln(tw, "\t\t\t\t\t\t\t\t\t")
	names = names[:0]
	for name := range t.types {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return t.types[b].spans - t.types[a].spans })
	for _, name := range names {
		_, _ = fmt.Fprintf(tw, "%s\t\t%d\t%s\t\t\t\t\t\t\n", name, t.types[name].spans, percent(t.types[name].full, t.types[name].spans))
	}
	return tw.Flush()
}

func percent(a, b int) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*float64(a)/float64(b))
}
