package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/connector/demo"
)

// monthFile is a month of calls, and how many they are.
func monthFile(t *testing.T, calls int) string {
	t.Helper()
	var b strings.Builder
	for body := range demo.Month(demo.Options{Calls: calls, Seed: 3, Start: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)}) {
		b.Write(append(body, '\n'))
	}
	path := filepath.Join(t.TempDir(), "month.ndjson")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mappings is what both stores say about each call, as text: they have to agree.
func (w *world) mappings() (clickhouse, elasticsearch map[string]string) {
	w.t.Helper()
	clickhouse, elasticsearch = map[string]string{}, map[string]string{}
	for line := range strings.Lines(w.query("SELECT call_id, concat(toString(topics), ' ', toString(round(topic_confidence, 2)), ' ', topic_rule, ' ', sentiment, ' ', " +
		"ifNull(toString(follow_up), ''), ' ', ifNull(toString(ai_success), ''), ' ', ended_reason, ' ', ended_reason_raw) FROM " + w.db + ".calls FORMAT TSVRaw")) {
		id, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		clickhouse[id] = text
	}
	text := func(v any) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	}
	for _, d := range w.search(`{}`) {
		var quoted []string
		for _, topic := range d["topics"].([]any) {
			quoted = append(quoted, "'"+topic.(string)+"'")
		}
		elasticsearch[d["call_id"].(string)] = strings.Join([]string{
			"[" + strings.Join(quoted, ",") + "]", fmt.Sprint(d["topic_confidence"]), text(d["topic_rule"]), text(d["sentiment"]), text(d["follow_up"]),
			text(d["ai_success"]), text(d["ended_reason"]), text(d["ended_reason_raw"]),
		}, " ")
	}
	return clickhouse, elasticsearch
}

// agree compares the stores and returns how many calls have a topic as their main one.
func (w *world) agree(when, topic string, calls int) (n int) {
	w.t.Helper()
	ch, es := w.mappings()
	if len(ch) != calls || len(es) != calls {
		w.t.Fatalf("%s: %d calls in ClickHouse and %d in Elasticsearch, want %d", when, len(ch), len(es), calls)
	}
	for id, text := range ch {
		if es[id] != text {
			w.t.Errorf("%s: %s is\n%s in ClickHouse and\n%s in Elasticsearch", when, id, text, es[id])
		}
		if strings.HasPrefix(text, "['"+topic+"'") {
			n++
		}
	}
	return n
}

// What falls into other is listed with rules that take it, and these rules are brought to calls that are stored, in both
// stores, through a kill; and doing it again changes nothing.
func TestUnmappedTopicsAreProposedAndReapplied(t *testing.T) {
	const calls = 700
	w := newWorld(t)
	w.migrate()
	w.serve()
	w.must("send", "--concurrency", "16", monthFile(t, calls))
	w.eventually("loaded", func() bool {
		return w.query("SELECT count() FROM "+w.db+".calls") == fmt.Sprint(calls) && w.documents() == calls
	})
	if n := w.agree("at first", "Gift Cards", calls); n != 0 {
		t.Fatalf("%d calls have a topic that no rule has", n)
	}

	out := w.must("topics", "unmapped")
	for _, want := range []string{"Gift Cards", "Lost and Found", "partially", "  - name: Gift Cards\n", "extends: built-in"} {
		if !strings.Contains(out, want) {
			t.Errorf("unmapped says nothing of %q:\n%s", want, out)
		}
	}
	rules := filepath.Join(t.TempDir(), "topics.yaml")
	proposal := w.must("topics", "unmapped", "--rules-only") + "vocabularies:\n  ai_success: {no: [partially]}\n"
	if err := os.WriteFile(rules, []byte(proposal), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := w.must("topics", "check", rules); !strings.Contains(out, "is right") {
		t.Errorf("check says %s", out)
	}
	w.set("POSTCALL_TOPICS=" + rules)

	var dry, done, again []reapplied
	decode := func(to *[]reapplied, args ...string) {
		t.Helper()
		if err := json.Unmarshal([]byte(w.must(append([]string{"topics", "reapply", "--json"}, args...)...)), to); err != nil || len(*to) != 2 {
			t.Fatalf("%+v, %v", *to, err)
		}
	}
	decode(&dry, "--dry-run")
	if n := w.agree("after a dry run", "Gift Cards", calls); n != 0 || dry[0].Changed == 0 || dry[0].Changed != dry[1].Changed {
		t.Errorf("a dry run changes %d calls, and says %+v", n, dry)
	}

	cut := exec.Command(filepath.Join(w.bin, "postcall"), "topics", "reapply", "--sink", "elasticsearch")
	cut.Env = append(os.Environ(), w.env...)
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	dir := ""
	for _, v := range w.env {
		if d, ok := strings.CutPrefix(v, "POSTCALL_DATA_DIR="); ok {
			dir = d
		}
	}
	state := filepath.Join(dir, reapplyStateFile)
	w.eventually("the first page is done", func() bool { _, err := os.Stat(state); return err == nil })
	_ = cut.Process.Kill()
	_ = cut.Wait()
	data, err := os.ReadFile(state)
	var was reapplyState
	if err != nil || json.Unmarshal(data, &was) != nil || was.Sinks["elasticsearch"].Seen == 0 || was.Sinks["elasticsearch"].Seen >= calls {
		t.Fatalf("killed behind %s, %v", data, err)
	}
	decode(&done)
	if done[0].Seen != calls || done[1].Seen != calls || done[0].Changed != dry[0].Changed || done[1].Changed != dry[1].Changed {
		t.Errorf("a dry run says %+v, and what is done in two parts is %+v", dry, done)
	}
	if n := w.agree("reapplied", "Gift Cards", calls); n < 5 {
		t.Errorf("%d calls are about gift cards", n)
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("the state of a run that is through is still there")
	}
	decode(&again)
	if again[0].Changed+again[1].Changed != 0 {
		t.Errorf("to repeat it changes %+v", again)
	}
	if out := w.must("topics", "unmapped"); strings.Contains(out, "Gift Cards") || strings.Contains(out, "partially") {
		t.Errorf("unmapped still says\n%s", out)
	}
	w.must("audit")

	// And back: the same rows a second time.
	w.set("POSTCALL_TOPICS=")
	decode(&again)
	if n := w.agree("and back", "Gift Cards", calls); n != 0 || again[0].Changed != done[0].Changed {
		t.Errorf("%d calls are still about gift cards; %+v", n, again)
	}
}

func TestReapplyState(t *testing.T) {
	path := filepath.Join(t.TempDir(), reapplyStateFile)
	open := func(taxonomy string, fresh bool) *reapplyState {
		t.Helper()
		s, err := openReapplyState(path, taxonomy, fresh)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open("a", false)
	if err := s.save("clickhouse", reapplyPosition{After: "x", Seen: 5, Changed: 2}); err != nil {
		t.Fatal(err)
	}
	if got := open("a", false).at("clickhouse"); got != (reapplyPosition{"x", 5, 2}) {
		t.Errorf("it goes on at %+v", got)
	}
	if got := open("b", false).at("clickhouse"); got != (reapplyPosition{}) {
		t.Errorf("another taxonomy goes on at %+v", got)
	}
	if got := open("a", true).at("clickhouse"); got != (reapplyPosition{}) {
		t.Errorf("a restart goes on at %+v", got)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openReapplyState(path, "a", false); err == nil || !strings.Contains(err.Error(), "--restart") {
		t.Errorf("a damaged state: %v", err)
	}
	if err := s.save("clickhouse", reapplyPosition{Seen: 9}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it is still there when all is done")
	}
}
