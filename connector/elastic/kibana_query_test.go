package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/demo"
	"github.com/postcall/postcall/transforms"
)

// pageCalls returns 60 calls of the last 20 days, of which each value below can be counted by hand, and two tests.
func pageCalls() []transforms.Event {
	var all []transforms.Event
	now := time.Now().UTC().Truncate(time.Second)
	for i := range 62 {
		started := now.Add(-time.Duration(i%20)*24*time.Hour - time.Minute)
		e := transforms.Event{
			Tenant: "default", CallID: fmt.Sprintf("c%02d", i), Version: int64(i + 1), ReceivedAt: now,
			AgentName: []string{"Nora", "Otto", "Pia"}[i%3], CallDirection: "inbound", CallStarted: started,
			Duration: new(float64(60 + i)), Topics: []string{[]string{"billing", "scheduling", "other"}[i%3]},
			SentimentKind: []string{"positive", "neutral", "negative", "mixed"}[i%4], AISuccessBool: new(i%5 != 0), FollowUpBool: new(i%6 == 0),
			EndedReason: "caller_hangup", CustomerKey: fmt.Sprintf("k%d", i%20), ActionItems: []string{"Call back"}, FollowUpReason: "Call back",
			CustomerPhoneNumber: "+12025550123", Summary: "A call.", RecordingURL: "https://example.com/r",
			Metrics: transforms.Metrics{Turns: 4, TalkRatio: new(0.5), WordsPerMinute: new(100.0), Hour: int32(started.Hour()), Weekday: (int32(started.Weekday())+6)%7 + 1},
			IsTest:  i >= 60,
		}
		if i%10 == 0 {
			e.EndedReason = "transfer"
		}
		if i%7 == 0 {
			e.UnansweredQuestions, e.Metrics.UnansweredQuestions = []string{"Is parking free?"}, 1
		}
		all = append(all, e)
	}
	return all
}

// kibanaAsks is the search that Kibana sends for a layer: the buckets within each other in the order of the columns, the
// numbers in the innermost.
func kibanaAsks(t *testing.T, layer lensLayer, filters []map[string]any) map[string]any {
	t.Helper()
	var buckets, numbers []string
	for _, id := range layer.Order {
		if layer.Columns[id].Bucketed {
			buckets = append(buckets, id)
		} else {
			numbers = append(numbers, id)
		}
	}
	aggs := map[string]any{}
	for _, id := range numbers {
		if agg := numberAgg(t, layer.Columns[id]); agg != nil {
			aggs[id] = agg
		}
	}
	for _, id := range slices.Backward(buckets) {
		// Kibana repeats the numbers at each level: the outer buckets are ordered by them.
		outer := maps.Clone(aggs)
		agg := bucketAgg(t, layer.Columns[id])
		agg["aggs"] = outer
		aggs = map[string]any{id: agg}
	}
	return map[string]any{"size": 0, "track_total_hits": true, "query": boolQuery("filter", filters...), "aggs": aggs}
}

func numberAgg(t *testing.T, c lensColumn) map[string]any {
	t.Helper()
	of := map[string]any{"field": c.Field}
	switch c.Operation {
	case "formula", "math":
		return nil // computed by Kibana
	case "count":
		if c.Filter == nil {
			return map[string]any{"filter": map[string]any{"match_all": map[string]any{}}}
		}
		q, err := kql(c.Filter["query"].(string), func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		return map[string]any{"filter": q}
	case "average":
		return map[string]any{"avg": of}
	case "unique_count":
		return map[string]any{"cardinality": of}
	case "percentile":
		of["percents"] = []float64{c.Params.Percentile}
		return map[string]any{"percentiles": of}
	case "sum", "max", "min":
		return map[string]any{c.Operation: of}
	}
	t.Fatalf("no translation of %s", c.Operation)
	return nil
}

func bucketAgg(t *testing.T, c lensColumn) map[string]any {
	t.Helper()
	switch c.Operation {
	case "date_histogram":
		return map[string]any{"date_histogram": map[string]any{"field": c.Field, "calendar_interval": "1d", "time_zone": "UTC", "min_doc_count": 1}}
	case "terms":
		order := map[string]any{"_key": c.Params.Direction}
		if c.Params.OrderBy.Type == "column" {
			order = map[string]any{c.Params.OrderBy.ColumnID: c.Params.Direction}
		}
		return map[string]any{"terms": map[string]any{"field": c.Field, "size": c.Params.Size, "order": order}}
	}
	t.Fatalf("no translation of %s", c.Operation)
	return nil
}

// answer is what comes of one or more levels of aggregations.
type answer map[string]struct {
	Count   *float64 `json:"doc_count"`
	Value   *float64
	Values  map[string]*float64
	Buckets []map[string]any
}

// value is the number that Kibana shows for a column.
func (a answer) value(layer lensLayer, id string) float64 {
	c := layer.Columns[id]
	if c.Operation == "formula" {
		args := layer.Columns[c.References[0]].Params.Math.Args
		return a.value(layer, args[0].(string)) / a.value(layer, args[1].(string))
	}
	got := a[id]
	for _, v := range got.Values {
		got.Value = v
	}
	switch {
	case got.Count != nil:
		return *got.Count
	case got.Value != nil:
		return *got.Value
	}
	return math.NaN()
}

func readBucket(t *testing.T, bucket map[string]any) (a answer) {
	t.Helper()
	only := map[string]any{}
	for k, v := range bucket {
		if _, is := v.(map[string]any); is {
			only[k] = v
		}
	}
	b, err := json.Marshal(only)
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// shows returns what a panel shows in Kibana: a row for each innermost bucket, of its keys and numbers.
func shows(t *testing.T, layer lensLayer, a answer, order []string) (rows []string) {
	t.Helper()
	if len(order) > 0 && layer.Columns[order[0]].Bucketed {
		for _, b := range a[order[0]].Buckets {
			key := b["key_as_string"]
			if key == nil {
				key = b["key"]
			}
			for _, row := range shows(t, layer, readBucket(t, b), order[1:]) {
				rows = append(rows, fmt.Sprintf("%v %s", key, row))
			}
		}
		return rows
	}
	var numbers []string
	for _, id := range order {
		if op := layer.Columns[id].Operation; op == "math" || strings.Contains(id, "X") {
			continue
		}
		v := a.value(layer, id)
		if math.IsNaN(v) { // none of these calls says it: Kibana shows a dash
			numbers = append(numbers, "-")
			continue
		}
		numbers = append(numbers, fmt.Sprintf("%.4g", v))
	}
	return []string{strings.Join(numbers, " ")}
}

// panelRows sends what Kibana would send for every panel and every saved search to the real Elasticsearch, and returns the
// rows that each shows.
func panelRows(t *testing.T, l *Loader) map[string][]string {
	t.Helper()
	bundle, err := KibanaBundle(l.c.alias)
	if err != nil {
		t.Fatal(err)
	}
	search(t, l, `{"query":{"match_all":{}}}`) // refreshes
	got := map[string][]string{}
	for line := range bytes.Lines(bundle) {
		var o struct {
			ID, Type   string
			Attributes map[string]any
		}
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatal(err)
		}
		switch o.Type {
		case "search":
			got[o.ID] = []string{fmt.Sprint(runSearch(t, l, o.Attributes))}
		case "dashboard":
			filters := pageFilters(t, o.Attributes)
			for _, p := range parse[[]gridPanel](o.Attributes["panelsJSON"]) {
				layers, err := lensLayers(p.Config.Attributes)
				if err != nil {
					t.Fatal(err)
				}
				for _, layer := range layers {
					got[o.ID+" "+p.PanelIndex] = shows(t, layer, ask(t, l, kibanaAsks(t, layer, filters)), layer.Order)
				}
			}
		}
	}
	return got
}

// Each number below is counted by hand from pageCalls.
func TestPanelsAnswer(t *testing.T) {
	l := migrated(t)
	load(t, l, pageCalls()...)
	got := panelRows(t, l)
	for name, rows := range got {
		if len(rows) == 0 {
			t.Errorf("%s shows nothing", name)
		}
	}
	for name, want := range map[string]string{
		"postcall-calls":                    "62",
		"postcall-follow-up":                "10",
		"postcall-negative":                 "15",
		"postcall-unanswered":               "9",
		"postcall-overview calls":           "60",
		"postcall-overview duration":        "89.5",
		"postcall-overview ai-success":      "0.8",
		"postcall-overview follow-up":       "0.1667",
		"postcall-overview negative":        "0.25",
		"postcall-overview transferred":     "0.1",
		"postcall-overview ended":           "caller_hangup 54; transfer 6",
		"postcall-overview agents":          "Nora 20 88.5 0.8 0.5 0.25; Otto 20 89.5 0.8 0 0.25; Pia 20 90.5 0.8 0 0.25",
		"postcall-overview sentiment-topic": "billing 5 5 5 5; other 5 5 5 5; scheduling 5 5 5 5",
		"postcall-quality unanswered":       "0.15",
		"postcall-quality median":           "89.5",
		"postcall-quality p95":              "116",
		"postcall-quality talk":             "0.5",
		"postcall-quality callers":          "20",
		"postcall-quality questions":        "Is parking free? 9",
		"postcall-quality actions":          "Call back 60",
	} {
		if rows := strings.Join(got[name], "; "); rows != want {
			t.Errorf("%s shows %s, want %s", name, rows, want)
		}
	}
	if days := got["postcall-overview over-time"]; len(days) != 20 {
		t.Errorf("calls over time: %v", days)
	}
}

// pageFilters are what a dashboard adds to each of its panels: its query, its filters and its time range.
func pageFilters(t *testing.T, a map[string]any) []map[string]any {
	t.Helper()
	filters := []map[string]any{{"range": map[string]any{"call_started": map[string]any{"gte": a["timeFrom"], "lte": a["timeTo"]}}}}
	source := parse[struct {
		Filter []struct {
			Meta  struct{ Negate bool }
			Query map[string]any
		}
	}](a["kibanaSavedObjectMeta"].(map[string]any)["searchSourceJSON"])
	for _, f := range source.Filter {
		if f.Meta.Negate {
			f.Query = boolQuery("must_not", f.Query)
		}
		filters = append(filters, f.Query)
	}
	return filters
}

// ask sends a search, of which nothing may fail.
func ask(t *testing.T, l *Loader, body map[string]any) answer {
	t.Helper()
	var got struct {
		TimedOut     bool                 `json:"timed_out"`
		Shards       struct{ Failed int } `json:"_shards"`
		Aggregations map[string]any
	}
	if err := l.c.do(t.Context(), http.MethodPost, "/"+l.c.alias+"/_search", body, &got); err != nil {
		t.Fatal(explain(err))
	}
	if got.TimedOut || got.Shards.Failed > 0 {
		t.Errorf("the answer is not whole: %+v", got)
	}
	return readBucket(t, got.Aggregations)
}

// runSearch returns how many calls a saved search lists.
func runSearch(t *testing.T, l *Loader, a map[string]any) int {
	t.Helper()
	source := parse[struct{ Query struct{ Query string } }](a["kibanaSavedObjectMeta"].(map[string]any)["searchSourceJSON"])
	q, err := kql(source.Query.Query, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	sorts := []any{}
	for _, s := range a["sort"].([]any) {
		sorts = append(sorts, map[string]any{s.([]any)[0].(string): s.([]any)[1]})
	}
	body, err := json.Marshal(map[string]any{"query": q, "sort": sorts, "fields": a["columns"], "highlight": map[string]any{"fields": map[string]any{"*": map[string]any{}}}})
	if err != nil {
		t.Fatal(err)
	}
	return search(t, l, "%s", body).Total.Value
}

// On a believable month every panel has something to show, and every list lists something.
func TestPanelsShowAMonth(t *testing.T) {
	l := migrated(t)
	load(t, l, demoCalls(t, time.Time{})...)
	for name, rows := range panelRows(t, l) {
		if len(rows) == 0 || rows[0] == "0" || strings.Count(fmt.Sprint(rows), "-") > len(rows)/2 && !strings.Contains(name, "time") {
			t.Errorf("%s shows %v", name, rows)
		}
	}
}

// demoCalls is a month of connector/demo, as the pipeline would store it without transforms. The zero time is a month that
// ends yesterday.
func demoCalls(t *testing.T, start time.Time) []transforms.Event {
	t.Helper()
	norm := connector.NewNormalizer(time.UTC, [][]byte{[]byte("0123456789abcdef")})
	now := time.Now()
	var all []transforms.Event
	for body := range demo.Month(demo.Options{Calls: 300, Seed: 7, Start: start}) {
		e, err := norm.Normalize(body, "default", "phonely", now)
		if err != nil {
			t.Fatal(err)
		}
		e.Version = int64(len(all) + 1)
		if e.Topics == nil && e.Topic != "" {
			e.Topics = []string{e.Topic} // map-topics does it
		}
		all = append(all, e)
	}
	return all
}
