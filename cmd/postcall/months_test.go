package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// monthsAgo is the first of a month in the past, and its index's end.
func monthsAgo(n int) (started, suffix string) {
	now := time.Now().UTC()
	at := time.Date(now.Year(), now.Month()-time.Month(n), 1, 10, 0, 0, 0, time.UTC)
	return at.Format(time.RFC3339), at.Format("2006-01")
}

func (w *world) deliverMonth(id string, ago int, summary string) {
	w.t.Helper()
	started, _ := monthsAgo(ago)
	if code := w.deliver(fmt.Sprintf(`{"callId":%q,"callStarted":%q,"summary":%q}`, id, started, summary)); code != http.StatusOK {
		w.t.Fatalf("answered %d", code)
	}
}

// found lists the documents behind the alias: "index's end callId summary".
func (w *world) found() (docs []string) {
	w.t.Helper()
	if res, err := http.Post(w.esURL+"/"+w.index+"/_refresh", "application/json", nil); err == nil {
		_ = res.Body.Close()
	}
	res, err := http.Get(w.esURL + "/" + w.index + "/_search?size=1000&filter_path=hits.hits._index,hits.hits._source.call_id,hits.hits._source.summary")
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Hits struct {
			Hits []struct {
				Index  string `json:"_index"`
				Source struct {
					CallID  string `json:"call_id"`
					Summary string
				} `json:"_source"`
			}
		}
	}
	_ = json.NewDecoder(res.Body).Decode(&answer)
	for _, h := range answer.Hits.Hits {
		docs = append(docs, strings.TrimPrefix(h.Index, w.index+"-")+" "+h.Source.CallID+" "+h.Source.Summary)
	}
	slices.Sort(docs)
	return docs
}

func (w *world) eventuallyFound(want ...string) {
	w.t.Helper()
	slices.Sort(want)
	w.eventually(fmt.Sprint("documents ", want), func() bool { return slices.Equal(w.found(), want) })
}

// removeMonths deletes this world's indices at the end.
func (w *world) removeMonths() {
	w.t.Cleanup(func() {
		for _, d := range append(w.found(), time.Now().UTC().Format("2006-01")) {
			req, _ := http.NewRequest(http.MethodDelete, w.esURL+"/"+w.index+"-"+strings.Fields(d)[0], nil)
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
			}
		}
	})
}

// Every command that touches Elasticsearch, with POSTCALL_ELASTICSEARCH_INDEX_BY=month.
func TestCallsByMonth(t *testing.T) {
	w := newWorld(t)
	w.set("POSTCALL_SINKS=elasticsearch", "POSTCALL_ELASTICSEARCH_INDEX_BY=month")
	w.removeMonths()
	_, now := monthsAgo(0)
	_, three := monthsAgo(3)
	if out := w.must("migrate", "plan"); !strings.Contains(out, w.index+"-"+now) {
		t.Errorf("plan says\n%s", out)
	}
	w.must("migrate", "apply")
	s := w.serve()
	w.deliverMonth("c1", 3, "first")
	w.deliverMonth("c2", 0, "first")
	w.eventuallyFound(three+" c1 first", now+" c2 first")
	w.deliverMonth("c1", 1, "corrected")
	w.eventuallyFound(three+" c1 corrected", now+" c2 first")

	s.kill() // acks are not durable: what was loaded may come again
	w.serve()
	w.deliverMonth("c1", 5, "corrected again")
	w.eventuallyFound(three+" c1 corrected again", now+" c2 first")
	w.eventually("all is acknowledged", func() bool { return strings.Contains(w.must("status", "--json"), `"pending": 0`) })
	if out := w.must("replay", "--sink", "elasticsearch", "--since", "1h"); !strings.Contains(out, "calls loaded") {
		t.Errorf("replay says %s", out)
	}
	w.eventuallyFound(three+" c1 corrected again", now+" c2 first")
	if out := w.must("audit"); !strings.Contains(out, "0 missing") {
		t.Errorf("audit says\n%s", out)
	}
	if out := w.must("doctor", "--running"); !strings.Contains(out, "ok   sink elasticsearch") {
		t.Errorf("doctor says\n%s", out)
	}
	if out := w.must("migrate", "status"); !strings.Contains(out, w.index+"-"+three) || strings.Contains(out, "missing") {
		t.Errorf("status says\n%s", out)
	}

	w.set("POSTCALL_ELASTICSEARCH_KEEP_DAYS=70")
	if out := w.must("retention"); !strings.Contains(out, "drop the index") || !strings.Contains(out, "nothing has been removed: add --apply") {
		t.Errorf("retention says\n%s", out)
	}
	w.eventuallyFound(three+" c1 corrected again", now+" c2 first")
	w.must("retention", "--apply")
	w.eventuallyFound(now + " c2 first")
	if out := w.must("retention", "--json"); !strings.Contains(out, `"elasticsearch": []`) {
		t.Errorf("a second retention says\n%s", out)
	}
}

// Elasticsearch is killed and started again in the middle of corrections that move calls.
func TestMonthsThroughARestartOfTheEngine(t *testing.T) {
	w := newWorld(t)
	es, data := freeAddr(t), t.TempDir()
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	w.esURL = "http://" + es
	w.set("POSTCALL_SINKS=elasticsearch", "POSTCALL_ELASTICSEARCH_INDEX_BY=month", "POSTCALL_ELASTICSEARCH_URL="+w.esURL)
	kill := w.engineIn(data, "elasticsearch", "--port", port(es))
	w.must("migrate", "apply")
	w.serve()
	const calls = 30
	var want []string
	for i := range calls {
		_, month := monthsAgo(i % 4)
		want = append(want, fmt.Sprintf("%s c%d corrected", month, i))
		w.deliverMonth(fmt.Sprint("c", i), i%4, "first")
	}
	w.eventually("the first versions are loaded", func() bool { return len(w.found()) == calls })
	for i := range calls {
		if i == calls/2 {
			kill()
		}
		w.deliverMonth(fmt.Sprint("c", i), i%4+1, "corrected")
	}
	w.engineIn(data, "elasticsearch", "--port", port(es))
	w.eventuallyFound(want...)
}
