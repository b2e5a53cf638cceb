package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

const showTimeout = 60 * time.Second

// shownColumns are the columns of a call that are worth a line, as far as the view has them.
var shownColumns = []string{
	"call_id", "agent_name", "caller_name", "customer_phone_number", "mentioned_email", "call_started", "duration",
	"topic", "topics", "sentiment", "ai_success", "follow_up", "ended_reason", "agent_turns", "user_turns", "talk_ratio", "words_per_minute",
	"summary", "transforms",
}

// sample is what is needed of a payload to find it again.
type sample struct {
	CallID     string `json:"callId"`
	Name       any    `json:"callerName"`
	Email      any    `json:"mentionedEmail"`
	Phone      any    `json:"customerPhoneNumber"`
	Transcript []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"transcript"`
}

// readSamples reads the payloads of a folder. Files that are no call with a callId are there for other tests, and so
// are the golden outputs beside them.
func readSamples(dir string) (files []string, calls []sample, err error) {
	all, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, nil, err
	}
	sort.Strings(all)
	for _, file := range all {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		var s sample
		if strings.Contains(filepath.Base(file), ".golden.") || json.Unmarshal(data, &s) != nil || s.CallID == "" {
			continue
		}
		files, calls = append(files, file), append(calls, s)
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("no calls (*.json with a callId) in %s", dir)
	}
	return files, calls, nil
}

// personal counts the kinds of personal values: the call with most of them shows best what became of them.
func (s sample) personal() int {
	n := 0
	for _, v := range []any{s.Name, s.Email, s.Phone} {
		if text, _ := v.(string); text != "" && !strings.EqualFold(text, "not available") && s.word() != "" {
			n++
		}
	}
	return n
}

// word is something to search for: the longest ordinary word that the caller says, not a name and not a number.
func (s sample) word() string {
	best := ""
	for _, turn := range s.Transcript {
		if turn.Role == "agent" || turn.Role == "assistant" {
			continue
		}
		for _, w := range strings.FieldsFunc(turn.Content, func(r rune) bool { return r == ' ' || strings.ContainsRune(".,;:!?", r) }) {
			if len(w) > len(best) && strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") == "" {
				best = w
			}
		}
	}
	return best
}

// show waits until both stores hold every call and prints the first one as an analyst would find it.
func (d *demo) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, showTimeout, fmt.Errorf("the calls were not in both stores after %s", showTimeout))
	defer cancel()
	first := d.calls[0]
	for _, s := range d.calls {
		if s.personal() > first.personal() {
			first = s
		}
	}
	var row map[string]json.RawMessage
	var hit *elasticHit
	p := startProgress("Waiting for the calls in both stores", nil)
	err := d.poll(ctx, func() (err error) {
		if err := d.monthLoaded(ctx); err != nil {
			return err
		}
		for _, s := range d.calls {
			if row, err = d.row(ctx, s.CallID); err != nil {
				return err
			}
			if hit, err = d.hit(ctx, s.CallID, ""); err != nil {
				return err
			}
		}
		if row, err = d.row(ctx, first.CallID); err == nil {
			hit, err = d.hit(ctx, first.CallID, first.word())
		}
		return err
	})
	p.done(err)
	if err != nil {
		return err
	}
	printRow(row)
	return hit.print(first.word())
}

// poll tries until it works, the connector ends or ctx does, and then says what was wrong last.
func (d *demo) poll(ctx context.Context, try func() error) error {
	var last error
	for {
		err := try()
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		case <-d.server.done:
			return fmt.Errorf("postcall ended by itself (%w)", ended(d.server.err))
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// row reads one call out of the view that analysts use.
func (d *demo) row(ctx context.Context, callID string) (map[string]json.RawMessage, error) {
	out, err := queryClickHouse(ctx, d.engines.setting("POSTCALL_TEST_CLICKHOUSE_HTTP"), d.engines.setting("POSTCALL_CLICKHOUSE_PASSWORD"),
		"SELECT * FROM postcall.calls WHERE call_id = {id:String} FORMAT JSONEachRow",
		url.Values{"param_id": {callID}})
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(out, []byte("\n")); n != 1 {
		return nil, fmt.Errorf("call %s has %d rows in ClickHouse", callID, n)
	}
	var row map[string]json.RawMessage
	return row, json.Unmarshal(out, &row)
}

// count is how many calls the view has.
func (d *demo) count(ctx context.Context) (n int, err error) {
	out, err := queryClickHouse(ctx, d.engines.setting("POSTCALL_TEST_CLICKHOUSE_HTTP"), d.engines.setting("POSTCALL_CLICKHOUSE_PASSWORD"),
		"SELECT count() FROM postcall.calls", nil)
	if err == nil {
		_, err = fmt.Sscan(string(out), &n)
	}
	return n, err
}

// documents is how many calls the alias has.
func (d *demo) documents(ctx context.Context) (int, error) {
	elastic := d.engines.setting("POSTCALL_ELASTICSEARCH_URL") + "/call-transcripts/"
	if _, err := fetch(ctx, http.MethodPost, elastic+"_refresh", nil, ""); err != nil {
		return 0, err
	}
	out, err := fetch(ctx, http.MethodGet, elastic+"_count", nil, "")
	if err != nil {
		return 0, err
	}
	var found struct {
		Count int `json:"count"`
	}
	return found.Count, json.Unmarshal(out, &found)
}

func printRow(row map[string]json.RawMessage) {
	fmt.Print("\nClickHouse, SELECT * FROM postcall.calls (some columns):\n\n")
	for _, name := range shownColumns {
		if value, ok := row[name]; ok {
			fmt.Printf("  %-22s %s\n", name, plain(value))
		}
	}
}

// plain is a JSON value without the quotes of a string.
func plain(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value)
}

// elasticHit is a found document with the turns that made it one.
type elasticHit struct {
	Source    json.RawMessage `json:"_source"`
	InnerHits struct {
		Turns struct {
			Hits struct {
				Hits []struct {
					Nested struct {
						Offset int `json:"offset"` // of the turn in the document
					} `json:"_nested"`
					Highlight map[string][]string `json:"highlight"`
				} `json:"hits"`
			} `json:"hits"`
		} `json:"turns"`
	} `json:"inner_hits"`
}

// hit searches the transcripts of one call, for word if there is one.
func (d *demo) hit(ctx context.Context, callID, word string) (*elasticHit, error) {
	elastic := d.engines.setting("POSTCALL_ELASTICSEARCH_URL") + "/call-transcripts/"
	if _, err := fetch(ctx, http.MethodPost, elastic+"_refresh", nil, ""); err != nil {
		return nil, err
	}
	type object map[string]any
	query := object{"filter": object{"term": object{"call_id": callID}}}
	if word != "" {
		query["must"] = object{"nested": object{
			"path": "turns", "query": object{"match": object{"turns.content": word}},
			"inner_hits": object{"highlight": object{"number_of_fragments": 0, "fields": object{"turns.content": object{}}}},
		}}
	}
	body, err := json.Marshal(object{"query": object{"bool": query}})
	if err != nil {
		return nil, err
	}
	out, err := fetch(ctx, http.MethodPost, elastic+"_search", http.Header{"Content-Type": {"application/json"}}, string(body))
	if err != nil {
		return nil, err
	}
	var found struct {
		Hits struct {
			Hits []elasticHit `json:"hits"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, err
	}
	if n := len(found.Hits.Hits); n != 1 {
		return nil, fmt.Errorf("call %s has %d documents with %q in Elasticsearch", callID, n, word)
	}
	return &found.Hits.Hits[0], nil
}

// print shows the document with every turn, the found ones as Elasticsearch highlights them.
func (h *elasticHit) print(word string) error {
	var fields map[string]json.RawMessage
	var turns []struct{ Role, Content string }
	if err := json.Unmarshal(h.Source, &fields); err != nil {
		return err
	}
	if err := json.Unmarshal(fields["turns"], &turns); err != nil {
		return err
	}
	for _, inner := range h.InnerHits.Turns.Hits.Hits {
		if text := inner.Highlight["turns.content"]; len(text) > 0 && inner.Nested.Offset < len(turns) {
			turns[inner.Nested.Offset].Content = text[0]
		}
	}
	fmt.Printf("\nElasticsearch, call-transcripts searched for %q:\n\n", word)
	for _, name := range []string{"call_id", "agent_name", "caller_name", "customer_phone_number", "mentioned_email", "topics", "summary"} {
		if value, ok := fields[name]; ok {
			fmt.Printf("  %-22s %s\n", name, plain(value))
		}
	}
	for i, turn := range turns {
		fmt.Printf("  turn %2d, %-13s %s\n", i, turn.Role, turn.Content)
	}
	return nil
}
