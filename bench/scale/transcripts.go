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

// searches times four kinds of search with highlights, each with eighty questions: over all fields, as a search box asks, for a
// phrase, for what the caller said lately, and for the very turn. The index's own cache of answers is off.
func searches(ctx context.Context, index string, repeats int, w io.Writer) error {
	kinds := []struct {
		name string
		body string
		ask  func(question) string
	}{
		{"all fields, ten best, highlights", `{"size": 10, "_source": ["call_id", "summary"], "query": {"multi_match": {"query": %s}},
			"highlight": {"fields": {"transcript_text": {}, "summary": {}, "key_points": {}}}}`, func(q question) string { return q.about }},
		{"a phrase of the transcript, highlights", `{"size": 10, "_source": ["call_id"], "query": {"match_phrase": {"transcript_text": {"query": %s, "slop": 1}}},
			"highlight": {"fields": {"transcript_text": {}}}}`, func(q question) string { return q.phrase }},
		{"words of the caller in the last 30 days, newest first", `{"size": 10, "_source": ["call_id"], "sort": [{"call_started": "desc"}],
			"query": {"bool": {"must": {"match": {"user_text": {"query": %s, "operator": "and"}}}, "filter": {"range": {"call_started": {"gte": "now-30d"}}}}},
			"highlight": {"fields": {"user_text": {}}}}`, func(q question) string { return q.phrase }},
		{
			"the very turn (nested, inner hits)", `{"size": 10, "_source": false, "query": {"nested": {"path": "turns", "score_mode": "max", "query": {"match": {"turns.content": %s}},
			"inner_hits": {"size": 1, "_source": ["turns.seq", "turns.role"], "highlight": {"fields": {"turns.content": {"number_of_fragments": 0}}}}}}}`,
			func(q question) string { return q.turn },
		},
	}
	list, err := questions(80)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n| search, %d questions each | p50 ms | p95 ms | worst ms | without any hit | p95 under %.0f ms |\n|---|---|---|---|---|---|\n", len(list), 1000*searchTarget)
	missed := error(nil)
	for _, k := range kinds {
		b := newBar("Searching: "+k.name, len(list))
		var spent []time.Duration
		none := 0
		for i, q := range list {
			least, found, err := ask(ctx, index, k.body, k.ask(q), repeats)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			if spent = append(spent, least); !found {
				none++
			}
			b.at(i + 1)
		}
		slices.Sort(spent)
		p95 := at(spent, 0.95)
		ok := p95.Seconds() < searchTarget && none < len(list)/2 // what finds nothing is no search
		if !ok {
			missed = errMissed
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %s |\n", k.name, at(spent, 0.5).Milliseconds(), p95.Milliseconds(), at(spent, 1).Milliseconds(), none, verdict(ok))
	}
	return missed
}

// question is what somebody may ask who remembers a call.
type question struct{ about, phrase, turn string }

// questions are made of other calls of the same businesses: why the caller called, four words of theirs, and what was answered.
func questions(n int) (list []question, err error) {
	next, stop := iter.Pull(demo.Month(demo.Options{Calls: 4 * n, Seed: 3}))
	defer stop()
	events, err := take(next, connector.NewNormalizer(time.UTC, [][]byte{[]byte(key)}), 4*n)
	if err != nil {
		return nil, err
	}
	for i := range events {
		q := question{about: events[i].Purpose}
		for _, t := range events[i].Transcript {
			words := strings.Fields(t.Content)
			switch {
			case t.Role == "user" && q.phrase == "" && len(words) >= 8:
				q.phrase = strings.Join(words[2:6], " ")
			case t.Role == "agent" && q.turn == "" && q.phrase != "" && len(words) >= 6:
				q.turn = strings.Join(words[:6], " ")
			}
		}
		if q.about != "" && q.phrase != "" && q.turn != "" && len(list) < n {
			list = append(list, q)
		}
	}
	if len(list) < n {
		err = fmt.Errorf("the calls make %d questions, want %d", len(list), n)
	}
	return list, err
}

// ask asks a question some times and returns the best time, and whether it found anything.
func ask(ctx context.Context, index, body, text string, repeats int) (least time.Duration, found bool, err error) {
	quoted, err := json.Marshal(text)
	if err != nil {
		return 0, false, err
	}
	least = time.Hour
	for range repeats {
		start := time.Now()
		answer, err := post(ctx, index+"/_search?request_cache=false", fmt.Appendf(nil, body, quoted))
		if err != nil {
			return 0, false, err
		}
		least = min(least, time.Since(start))
		var got struct {
			Hits struct{ Hits []json.RawMessage }
		}
		if err := json.Unmarshal(answer, &got); err != nil {
			return 0, false, err
		}
		found = len(got.Hits.Hits) > 0
	}
	return least, found, nil
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
