package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/connector/demo"
	"github.com/postcall/postcall/connector/elastic"
	"github.com/postcall/postcall/transforms"
)

var benchCalls = flag.Int("calls", 2000, "calls in both stores that BenchmarkRoutes asks about")

// BenchmarkRoutes measures the time to the answer of each route, over HTTP on this machine, out of both stores with -calls
// calls of a year:
//
//	bin/local up --bench -- go test ./connector/api -run '^$' -bench Routes -benchtime 200x -timeout 2h -args -calls 100000
func BenchmarkRoutes(b *testing.B) {
	cfg, err := stores()
	if err != nil {
		b.Fatal(err)
	}
	name := "apibench_" + strings.ToLower(rand.Text()[:10])
	cfg.API.ClickHouse.Database, cfg.API.Elasticsearch.Index = name, strings.ReplaceAll(name, "_", "-")
	b.Cleanup(func() { cleanUp(cfg.API) })
	ids := loadYear(b, cfg.API, *benchCalls)
	a, err := Open(cfg, slog.New(slog.DiscardHandler), "bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = a.Close() })
	c := &caller{name: "bench", tenant: "default", scopes: Scopes, key: []byte("bench")}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rt, value, _ := match(r.URL.EscapedPath())
		q, err := rt.parse(r.URL.RawQuery, value)
		if err == nil {
			var out any
			if out, err = rt.do(r.Context(), a, c, q); err == nil {
				body, _ := encode(out)
				send(w, r, body)
				return
			}
		}
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}))
	b.Cleanup(srv.Close)
	words := []string{"cancel appointment", "refund", "parking", `"on hold"`, "price brakes", "emergency leak", "opening hours saturday", "prescription"}
	const year, month = "from=2025-11-01&to=2026-11-01", "from=2026-10-01&to=2026-11-01"
	for _, route := range []struct {
		name string
		path func(i int) string
	}{
		{"event", func(i int) string { return "/phonely/events/" + ids[i*7919%len(ids)] }},
		{"latest", func(int) string { return "/phonely/events?latest=1" }},
		{"search month", func(i int) string { return "/calls?" + month + "&query=" + url.QueryEscape(words[i%len(words)]) }},
		{"search year", func(i int) string { return "/calls?" + year + "&query=" + url.QueryEscape(words[i%len(words)]) }},
		{"search year, role and mood", func(i int) string {
			return "/calls?role=user&sentiment=negative&" + year + "&query=" + url.QueryEscape(words[i%len(words)])
		}},
		{"newest", func(int) string { return "/calls?limit=50&" + year }},
		{"metrics list", func(int) string { return "/metrics" }},
		{"calls by day, month", func(int) string { return "/metrics/calls?group_by=day&" + month }},
		{"handle_time by agent, year", func(int) string { return "/metrics/handle_time?group_by=agent_name&" + year }},
		{"unanswered_questions, year", func(int) string { return "/metrics/unanswered_questions?" + year }},
		{"first_call_resolution, year", func(int) string { return "/metrics/first_call_resolution?" + year }},
	} {
		b.Run(route.name, func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				started := time.Now()
				res, err := http.Get(srv.URL + route.path(i))
				if err != nil {
					b.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK {
					b.Fatalf("%s: %d %s", route.path(i), res.StatusCode, body)
				}
				took = append(took, time.Since(started))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}

// loadYear loads made-up calls of a year into both stores, as serve does but for redaction, and returns their ids.
func loadYear(b *testing.B, cfg connector.APIConfig, n int) (ids []string) {
	b.Helper()
	ctx := context.Background()
	ch, es := cfg.MetricsStore(), cfg.CallStore()
	ch.Timeout, es.Timeout = 5*time.Minute, 5*time.Minute
	m, err := clickhouse.OpenMigrator(ch)
	if err == nil {
		defer m.Close()
		if _, err = m.Apply(ctx); err == nil {
			_, err = elastic.Apply(ctx, es)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	l1, err := clickhouse.Open(ch)
	if err != nil {
		b.Fatal(err)
	}
	defer l1.Close()
	l2, err := elastic.Open(es)
	if err != nil {
		b.Fatal(err)
	}
	defer l2.Close()
	norm := connector.NewNormalizer(time.UTC, [][]byte{[]byte("0123456789abcdef0123456789abcdef")})
	var batch []transforms.Event
	flush := func() {
		var wait sync.WaitGroup
		token := fmt.Sprintf("bench-%d", len(ids))
		for _, l := range []connector.Loader{l1, l2} {
			wait.Go(func() {
				if err := l.Load(ctx, connector.Batch{Token: token, Events: batch}); err != nil {
					b.Error(err)
				}
			})
		}
		wait.Wait()
		batch = nil
	}
	for body := range demo.Month(demo.Options{Calls: n, Seed: 1, Start: time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC), Days: 365}) {
		e, err := norm.Normalize(body, "default", "phonely", time.Now())
		if err != nil {
			b.Fatal(err)
		}
		e.Version, e.Transforms = int64(len(ids)+1), []transforms.Applied{{Name: "redact-pii", Version: "bench"}}
		ids = append(ids, e.CallID)
		if batch = append(batch, e); len(batch) == 2000 {
			flush()
		}
	}
	flush()
	res, err := http.Post(cfg.Elasticsearch.URL[0]+"/"+cfg.Elasticsearch.Index+"/_refresh", "application/json", nil)
	if err != nil {
		b.Fatal(err)
	}
	_ = json.NewDecoder(res.Body).Decode(new(any))
	_ = res.Body.Close()
	return ids
}
