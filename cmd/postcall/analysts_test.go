package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
)

var update = flag.Bool("update", false, "write the answers of docs/analysts.md, docs/api.md and the Agent Skill instead of comparing them")

// TestAnalystsPage asks what docs/analysts.md asks, on the month that it names, and wants the answers that it shows. With
// -update it writes them.
func TestAnalystsPage(t *testing.T) {
	const file = "../../docs/analysts.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.set("POSTCALL_TIMEZONE=America/Chicago", "POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef")
	w.migrate()
	w.serve()
	args, calls := monthOf(t, string(page))
	month := filepath.Join(t.TempDir(), "month.ndjson")
	if err := os.WriteFile(month, []byte(w.must(args...)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must("send", "--concurrency", "1", month) // one after the other: a correction comes behind what it corrects
	w.eventually("loaded", func() bool {
		return w.query("SELECT count() FROM "+w.db+".calls") == calls && fmt.Sprint(w.documents()) == calls
	})
	w.eventually("corrections are loaded too", func() bool {
		var st connector.Status
		if err := json.Unmarshal([]byte(w.must("status", "--json")), &st); err != nil {
			t.Fatal(err)
		}
		return st.Sinks[0].Pending+st.Sinks[1].Pending == 0
	})
	got := answered(string(page), w.answer)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(strings.Split(string(page), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("docs/analysts.md is stale: run bin/local up -- go test ./cmd/postcall -run AnalystsPage -update\n%s", d)
	}
}

// monthOf reads the command that makes the month, and its number of calls.
func monthOf(t *testing.T, page string) (args []string, calls string) {
	t.Helper()
	_, line, _ := strings.Cut(page, "\npostcall demo-data ")
	line, _, found := strings.Cut(line, " |")
	if !found {
		t.Fatal("the page doesn't say which month it is about")
	}
	args = append([]string{"demo-data"}, strings.Fields(line)...)
	for i, a := range args {
		if a == "--calls" {
			calls = args[i+1]
		}
	}
	return args, calls
}

// answered is the page with an answer behind each question: blocks of sql and http, and blocks of text behind them.
func answered(page string, answer func(lang, question string) string) string {
	var b strings.Builder
	lines := strings.SplitAfter(page, "\n")
	for i := 0; i < len(lines); i++ {
		b.WriteString(lines[i])
		lang, _ := strings.CutPrefix(strings.TrimSpace(lines[i]), "```")
		if lang != "sql" && lang != "http" {
			continue
		}
		question := ""
		for i++; strings.TrimSpace(lines[i]) != "```"; i++ {
			question += lines[i]
		}
		b.WriteString(question + lines[i] + "\n```text\n" + answer(lang, question) + "```\n")
		if i+2 < len(lines) && strings.TrimSpace(lines[i+2]) == "```text" { // the old answer
			for i += 3; strings.TrimSpace(lines[i]) != "```"; i++ {
			}
		}
	}
	return b.String()
}

// answer asks one of the stores of the world.
func (w *world) answer(lang, question string) string {
	w.t.Helper()
	if lang == "sql" {
		return w.table(strings.ReplaceAll(question, "postcall.", w.db+"."))
	}
	head, body, _ := strings.Cut(question, "\n")
	method, path, _ := strings.Cut(head, " ")
	return w.hits(method, strings.Replace(path, "call-transcripts", w.index, 1), body)
}

// table is the answer of ClickHouse as a client shows it.
func (w *world) table(query string) string {
	w.t.Helper()
	set := url.Values{
		"default_format": {"PrettyCompactMonoBlock"}, "output_format_pretty_color": {"0"}, "output_format_pretty_row_numbers": {"0"},
		"output_format_pretty_single_large_number_tip_threshold": {"0"}, "output_format_pretty_fallback_to_vertical": {"0"},
	}
	req, err := http.NewRequest(http.MethodPost, w.chURL+"/?"+set.Encode(), strings.NewReader(query))
	if err != nil {
		w.t.Fatal(err)
	}
	req.SetBasicAuth(os.Getenv("POSTCALL_CLICKHOUSE_USERNAME"), os.Getenv("POSTCALL_CLICKHOUSE_PASSWORD"))
	return w.fetch(req)
}

// hits is the answer of Elasticsearch: a line for each document, and for each bucket.
func (w *world) hits(method, path, body string) string {
	w.t.Helper()
	req, err := http.NewRequest(method, w.esURL+"/"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	var found struct {
		Hits struct {
			Hits []struct {
				Source json.RawMessage `json:"_source"`
				Inner  map[string]struct {
					Hits struct {
						Hits []struct{ Highlight map[string][]string }
					}
				} `json:"inner_hits"`
			}
		}
		Aggregations map[string]struct {
			Buckets []struct {
				Key   string `json:"key"`
				Count int    `json:"doc_count"`
			}
		}
	}
	if err := json.Unmarshal([]byte(w.fetch(req)), &found); err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, h := range found.Hits.Hits {
		var line bytes.Buffer
		if err := json.Compact(&line, h.Source); err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintln(&b, line.String())
		for _, inner := range h.Inner["turns"].Hits.Hits {
			fmt.Fprintf(&b, "  %s\n", strings.Join(inner.Highlight["turns.content"], " "))
		}
	}
	for _, agg := range found.Aggregations {
		for _, k := range agg.Buckets {
			fmt.Fprintf(&b, "%4d  %s\n", k.Count, k.Key)
		}
	}
	return b.String()
}

func (w *world) fetch(req *http.Request) string {
	w.t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %s: %v\n%s", req.URL.Path, res.Status, err, out)
	}
	return string(out)
}
