package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/demo"
	"github.com/postcall/postcall/connector/elastic"
	"github.com/postcall/postcall/transforms"
)

// key hashes what identifies made-up callers.
const key = "scale-key-of-no-one-at-all"

// searchTarget is what 95 of 100 searches with highlights have to keep below, in seconds.
const searchTarget = 0.3

// elasticsearch loads made-up calls by the real loader and searches them.
func elasticsearch(ctx context.Context, o options, w io.Writer) error {
	base, _, _ := strings.Cut(os.Getenv("POSTCALL_ELASTICSEARCH_URL"), ",")
	if base == "" {
		return errors.New("no Elasticsearch in the environment: run it as bin/local up --bench -- bin/scale")
	}
	index := base + "/call-transcripts"
	loaded := "They were there"
	if !o.there {
		rate, err := loadTranscripts(ctx, base, o.transcripts)
		if err != nil {
			return err
		}
		loaded = fmt.Sprintf("The loader took %.0f a second", rate)
	}
	if _, err := post(ctx, index+"/_refresh", nil); err != nil {
		return err
	}
	answer, err := post(ctx, index+"/_stats/docs,store,segments?filter_path=_all.primaries", nil)
	if err != nil {
		return err
	}
	var stats struct {
		All struct {
			Primaries struct {
				Store struct {
					Size int64 `json:"size_in_bytes"`
				}
				Segments struct{ Count int }
			}
		} `json:"_all"`
	}
	if err := json.Unmarshal(answer, &stats); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n## Elasticsearch, %d transcripts\n\n%s; %.1f GB in %d segments, one shard, 1 GB of heap.\n",
		o.transcripts, loaded, float64(stats.All.Primaries.Store.Size)/1e9, stats.All.Primaries.Segments.Count)
	return searches(ctx, index, o.repeats, w)
}

// loadTranscripts loads a year of calls, without the transforms, in batches as the sealer makes them.
func loadTranscripts(ctx context.Context, base string, n int) (perSecond float64, err error) {
	l, err := elastic.Open(connector.ElasticsearchConfig{URL: []string{base}, Index: "call-transcripts", IndexBy: "none", Timeout: 2 * time.Minute, Workers: 1})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	normal := connector.NewNormalizer(time.UTC, [][]byte{[]byte(key)})
	next, stop := iter.Pull(demo.Month(demo.Options{Calls: n, Seed: 1, Days: 365}))
	defer stop()
	b, start, loaded := newBar("Loading transcripts", n), time.Now(), 0
	for batch := 0; ; batch++ {
		events, err := take(next, normal, 1000)
		if err != nil {
			return 0, err
		}
		if len(events) == 0 {
			return float64(loaded) / time.Since(start).Seconds(), nil
		}
		if err := l.Load(ctx, connector.Batch{Token: fmt.Sprint("scale-", batch), Events: events}); err != nil {
			return 0, err
		}
		loaded += len(events)
		b.at(min(loaded, n))
	}
}

func take(next func() ([]byte, bool), normal *connector.Normalizer, n int) ([]transforms.Event, error) {
	events := make([]transforms.Event, 0, n)
	for len(events) < n {
		body, ok := next()
		if !ok {
			break
		}
		e, err := normal.Normalize(body, "default", "phonely", time.Now())
		if err != nil {
			return nil, err
		}
		e.Version = time.Now().UnixMicro()
		events = append(events, e)
	}
	return events, nil
}

// questions are what people type, from words that most calls have to words that few have.
var questions = []string{
	"refund", "insurance", "appointment tomorrow morning", "cancel my appointment", "how much does it cost", "credit card was charged twice",
	"parking", "opening hours on saturday", "speak to a person", "the order has not arrived", "when do I get my money back", "reschedule",
	"wrong number", "pain", "new patient", "delivery address", "invoice", "warranty repair", "do you take walk-ins", "confirmation email",
}

// searches times three kinds of search with highlights: over all fields, as Kibana's search box asks, for a phrase, and for the very
// turn. The index's own cache of answers is off.
func searches(ctx context.Context, index string, repeats int, w io.Writer) error {
	kinds := []struct{ name, body string }{
		{"all fields, ten best, highlights", `{"size": 10, "_source": ["call_id", "summary"], "query": {"multi_match": {"query": %s}},
			"highlight": {"fields": {"transcript_text": {}, "summary": {}, "key_points": {}}}}`},
		{"phrase in the transcript, highlights", `{"size": 10, "_source": ["call_id"], "query": {"match_phrase": {"transcript_text": {"query": %s, "slop": 3}}},
			"highlight": {"fields": {"transcript_text": {}}}}`},
		{"the caller's side and a topic, newest first", `{"size": 10, "_source": ["call_id"], "sort": [{"call_started": "desc"}],
			"query": {"bool": {"must": {"match": {"user_text": {"query": %s, "operator": "and"}}}, "filter": {"range": {"call_started": {"gte": "now-30d"}}}}},
			"highlight": {"fields": {"user_text": {}}}}`},
		{"the very turn (nested, inner hits)", `{"size": 10, "_source": false, "query": {"nested": {"path": "turns", "score_mode": "max", "query": {"match": {"turns.content": %s}},
			"inner_hits": {"size": 1, "_source": ["turns.seq", "turns.role"], "highlight": {"fields": {"turns.content": {"number_of_fragments": 0}}}}}}}`},
	}
	fmt.Fprintf(w, "\n| search | p50 ms | p95 ms | worst ms | hits of the median question | p95 under %.0f ms |\n|---|---|---|---|---|---|\n", 1000*searchTarget)
	missed := error(nil)
	for _, k := range kinds {
		spent, hits, err := ask(ctx, index, k.name, k.body, repeats)
		if err != nil {
			return err
		}
		p95 := at(spent, 0.95)
		ok := p95.Seconds() < searchTarget
		if !ok {
			missed = errMissed
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %s |\n", k.name, at(spent, 0.5).Milliseconds(), p95.Milliseconds(), at(spent, 1).Milliseconds(), at(hits, 0.5), verdict(ok))
	}
	return missed
}

// ask asks every question some times and returns the best time of each, in order, and how many hits each had.
func ask(ctx context.Context, index, name, body string, repeats int) (best []time.Duration, hits []int, err error) {
	b := newBar("Searching "+name, len(questions)*repeats)
	for i, q := range questions {
		text, err := json.Marshal(q)
		if err != nil {
			return nil, nil, err
		}
		least, found := time.Hour, 0
		for j := range repeats {
			start := time.Now()
			answer, err := post(ctx, index+"/_search?request_cache=false&track_total_hits=true", fmt.Appendf(nil, body, text))
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", q, err)
			}
			least = min(least, time.Since(start))
			var got struct {
				Hits struct{ Total struct{ Value int } }
			}
			if err := json.Unmarshal(answer, &got); err != nil {
				return nil, nil, err
			}
			found = got.Hits.Total.Value
			b.at(i*repeats + j + 1)
		}
		best, hits = append(best, least), append(hits, found)
	}
	slices.Sort(best)
	slices.Sort(hits)
	return best, hits, nil
}

// at is the value that a share of all are not above.
func at[T any](sorted []T, share float64) T {
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func post(ctx context.Context, url string, body []byte) ([]byte, error) {
	method := http.MethodPost
	if strings.Contains(url, "/_stats") {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", res.Status, b)
	}
	return b, err
}
