package connector

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const runbookFile = "../docs/runbook.md"

func runbook(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(runbookFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The runbook lists the metrics that there are: `go test ./connector -run Runbook -update` writes the table.
func TestRunbookListsTheMetrics(t *testing.T) {
	const begin, end = "<!-- metrics:begin -->\n", "<!-- metrics:end -->"
	text := runbook(t)
	head, rest, ok := strings.Cut(text, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the metrics", runbookFile)
	}
	all := newMetrics(buildInfo{}).described
	slices.SortFunc(all, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	var table strings.Builder
	table.WriteString("\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range all {
		labels := ""
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		table.WriteString("| `postcall_" + m.name + "` | " + m.kind + " | " + labels + " | " + m.help + " |\n")
	}
	table.WriteString("\n")
	want := head + begin + table.String() + end + tail
	if want == text {
		return
	}
	if !*update {
		t.Fatalf("%s is not current: go test ./connector -run Runbook -update", runbookFile)
	}
	if err := os.WriteFile(runbookFile, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// logged are the messages of warnings and errors in the Go files of a folder, and where each is.
func logged(t *testing.T, dir string, into map[string]string) {
	t.Helper()
	for name, text := range sources(t, dir) {
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			from := text[sel.X.Pos()-1 : sel.X.End()-1]
			if !regexp.MustCompile(`(?i)(^|\.)s?log(ger)?$`).MatchString(from) {
				return true
			}
			at := 0
			switch sel.Sel.Name {
			case "Warn", "Error":
			case "WarnContext", "ErrorContext":
				at = 1
			case "LogAttrs", "Log":
				if at = 2; !strings.HasSuffix(text[call.Args[1].Pos()-1:call.Args[1].End()-1], "slog.LevelError") &&
					!strings.HasSuffix(text[call.Args[1].Pos()-1:call.Args[1].End()-1], "slog.LevelWarn") {
					return true // a plugin's own words, at their level
				}
			default:
				return true
			}
			lit, ok := call.Args[at].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s/%s: the message of %s.%s is no constant", dir, name, from, sel.Sel.Name)
				return true
			}
			msg, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			into[msg] = dir + "/" + name
			return true
		})
	}
}

// Every warning and error that the program can log is in the runbook, and no other.
func TestRunbookHasEveryWarningAndError(t *testing.T) {
	all := map[string]string{}
	for _, dir := range []string{".", "source", "clickhouse", "elastic", "console", "../transforms", "../cmd/postcall", "../plugins/redact-pii", "../plugins/map-topics"} {
		logged(t, dir, all)
	}
	if len(all) < 40 {
		t.Fatalf("found %d messages", len(all))
	}
	_, section, _ := strings.Cut(runbook(t), "\n## What the log says\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| (?:``(.*?) ``|`([^`]+)`) \\| (?:error|warning|warning, error) \\| .{10,} \\|$").FindAllStringSubmatch(section, -1) {
		rows[m[1]+m[2]] = true
	}
	for msg, where := range all {
		if !rows[msg] {
			t.Errorf("docs/runbook.md does not say what to do about %q (%s)", msg, where)
		}
	}
	for msg := range rows {
		if all[msg] == "" {
			t.Errorf("docs/runbook.md has %q, which nothing logs", msg)
		}
	}
}

// Every code that a program of ours ends with is in the runbook.
func TestRunbookHasEveryExitCode(t *testing.T) {
	_, section, _ := strings.Cut(runbook(t), "\n## How the program ends\n")
	codes := map[string]string{}
	for _, dir := range []string{"../cmd/postcall", "../transforms", "../plugins/redact-pii", "../plugins/map-topics"} {
		for name, text := range sources(t, dir) {
			for _, m := range regexp.MustCompile(`os\.Exit\((\d+)\)`).FindAllStringSubmatch(text, -1) {
				codes[m[1]] = dir + "/" + name
			}
			if dir == "../cmd/postcall" && name == "main.go" {
				_, body, _ := strings.Cut(text, "\nfunc run(")
				body, _, _ = strings.Cut(body, "\n}\n")
				for _, m := range regexp.MustCompile(`return (\d+)\n`).FindAllStringSubmatch(body, -1) {
					codes[m[1]] = dir + "/" + name
				}
			}
		}
	}
	if len(codes) < 4 {
		t.Errorf("found the codes %v", codes)
	}
	for code, where := range codes {
		if !strings.Contains(section, "\n| "+code+" | ") {
			t.Errorf("docs/runbook.md does not say what exit code %s means (%s)", code, where)
		}
	}
}

// What the runbook quotes of errors that keep serve from starting is what the program says.
func TestRunbookQuotesTheErrorsOfAStart(t *testing.T) {
	_, section, _ := strings.Cut(runbook(t), "What keeps `serve` from starting")
	section, _, _ = strings.Cut(section, "\n## ")
	var all strings.Builder
	for _, dir := range []string{".", "source"} {
		for _, text := range sources(t, dir) {
			all.WriteString(text)
		}
	}
	n := 0
	for row := range strings.Lines(section) {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " | ")
		for _, m := range regexp.MustCompile("`([^`…]+)`").FindAllStringSubmatch(first, -1) {
			if n++; !strings.Contains(all.String(), m[1]) {
				t.Errorf("docs/runbook.md quotes %q, which no error says", m[1])
			}
		}
	}
	if n < 6 {
		t.Errorf("found %d quotes", n)
	}
}
