package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// found is what a store holds of a call.
type found struct {
	serial   int // of the content that a reader sees
	rows     int // rows, of any version; 1 in Elasticsearch
	repeated int // rows whose version an earlier one has
}

var client = &http.Client{Timeout: 2 * time.Minute}

// query runs SQL and returns the answer's text.
func (w *world) query(ctx context.Context, sql string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.h.clickhouse.variable("POSTCALL_TEST_CLICKHOUSE_HTTP"), strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(w.h.clickhouse.variable("POSTCALL_CLICKHOUSE_USERNAME"), w.h.clickhouse.variable("POSTCALL_CLICKHOUSE_PASSWORD"))
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("ClickHouse answered %d: %.300s", res.StatusCode, b)
	}
	return strings.TrimSpace(string(b)), err
}

// rows reads every call in ClickHouse. What a merge has joined could not be seen twice, so there must not have been one.
func (w *world) rows(ctx context.Context) (map[string]found, error) {
	merged, err := w.query(ctx, "SELECT countIf(max_block_number > min_block_number) FROM system.parts WHERE active AND table = 'calls_raw' AND database = '"+w.db+"'")
	if err != nil {
		return nil, err
	}
	if merged != "0" {
		return nil, fmt.Errorf("%s parts of calls_raw were merged: rows that are there twice can't be seen", merged)
	}
	calls := map[string]found{}
	add := func(sql string, set func(*found, []string)) error {
		text, err := w.query(ctx, sql)
		if err != nil {
			return err
		}
		for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
			fields := strings.Split(lines.Text(), "\t")
			f := calls[fields[0]]
			set(&f, fields[1:])
			calls[fields[0]] = f
		}
		return nil
	}
	err = add("SELECT call_id, count(), count() - uniqExact(version) FROM "+w.db+".calls_raw WHERE tenant = 'default' GROUP BY tenant, call_id FORMAT TSV", func(f *found, v []string) {
		f.rows, f.repeated = number(v[0]), number(v[1])
	})
	if err != nil {
		return nil, err
	}
	err = add("SELECT call_id, summary FROM "+w.db+".calls WHERE tenant = 'default' FORMAT TSV", func(f *found, v []string) { f.serial = serialOf(v[0]) })
	return calls, err
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// search makes a request to Elasticsearch and decodes the answer into v.
func (w *world) search(ctx context.Context, method, path, body string, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, w.h.elasticsearch.variable("POSTCALL_ELASTICSEARCH_URL")+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode > 299:
		return fmt.Errorf("%s %s: Elasticsearch answered %d: %.300s", method, path, res.StatusCode, b)
	case v == nil:
		return nil
	}
	return json.Unmarshal(b, v)
}

// documents reads every call in Elasticsearch.
func (w *world) documents(ctx context.Context) (map[string]found, error) {
	if err := w.search(ctx, http.MethodPost, "/"+w.index+"/_refresh", "", nil); err != nil {
		return nil, err
	}
	const page = 5000
	calls, after := map[string]found{}, ""
	for {
		var q bytes.Buffer
		fmt.Fprintf(&q, `{"size":%d,"_source":["call_id","summary"],"sort":[{"call_id":"asc"}],"track_total_hits":false%s}`, page, after)
		var answer struct {
			Hits struct {
				Hits []struct {
					Source struct {
						CallID  string `json:"call_id"`
						Summary string
					} `json:"_source"`
				}
			}
		}
		if err := w.search(ctx, http.MethodPost, "/"+w.index+"/_search", q.String(), &answer); err != nil {
			return nil, err
		}
		hits := answer.Hits.Hits
		for i := range hits {
			s := &hits[i].Source
			f := calls[s.CallID]
			f.repeated += f.rows
			f.rows, f.serial = 1, serialOf(s.Summary)
			calls[s.CallID] = f
		}
		if len(hits) < page {
			return calls, nil
		}
		after = fmt.Sprintf(`,"search_after":[%q]`, hits[len(hits)-1].Source.CallID)
	}
}

// counts are the calls in each store, cheaply; -1 where it doesn't answer.
func (w *world) counts(ctx context.Context) (clickhouse, elasticsearch int) {
	clickhouse, elasticsearch = -1, -1
	if text, err := w.query(ctx, "SELECT uniqExact(call_id) FROM "+w.db+".calls_raw WHERE tenant = 'default'"); err == nil {
		clickhouse = number(text)
	}
	var answer struct{ Count int }
	err := w.search(ctx, http.MethodPost, "/"+w.index+"/_refresh", "", nil)
	if err == nil {
		if err = w.search(ctx, http.MethodGet, "/"+w.index+"/_count", "", &answer); err == nil {
			elasticsearch = answer.Count
		}
	}
	return clickhouse, elasticsearch
}
