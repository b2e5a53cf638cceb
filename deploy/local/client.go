package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// answerLimit bounds what is read of an answer. The engines are ours; this is for their bad days.
const answerLimit = 16 << 20

// httpClient leaves no connection open: ClickHouse waits for those when it ends.
var httpClient = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// getOK asks for url and wants a 2xx.
func getOK(ctx context.Context, url string) error {
	_, err := fetch(ctx, http.MethodGet, url, nil, "")
	return err
}

// fetch makes one request and returns the body of a 2xx answer; any other answer is an error with its text.
func fetch(ctx context.Context, method, url string, header http.Header, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s: %s: %.300s", url, resp.Status, out)
	}
	return out, nil
}

// queryClickHouse runs one query over HTTP.
func queryClickHouse(ctx context.Context, web, password, query string, params url.Values) ([]byte, error) {
	header := http.Header{"X-Clickhouse-User": {clickhouseUser}, "X-Clickhouse-Key": {password}}
	return fetch(ctx, http.MethodPost, web+"/?"+params.Encode(), header, query)
}
