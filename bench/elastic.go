package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// elasticStandIn answers _bulk as Elasticsearch does when every document is taken, and a look at an index or alias with one
// that is ready. It reads each document and keeps its id.
type elasticStandIn struct {
	seen
	addr string
	down atomic.Bool // answers nothing
}

func newElasticStandIn() (*elasticStandIn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &elasticStandIn{addr: l.Addr().String()}
	go func() { _ = http.Serve(l, e) }() // until the process ends
	return e, nil
}

// ServeHTTP answers one request.
func (e *elasticStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.down.Load() {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	name := strings.Trim(r.URL.Path, "/")
	switch {
	case strings.HasSuffix(name, "_bulk"):
		e.bulk(w, r)
	case name == "":
		_, _ = io.WriteString(w, `{"version":{"number":"8.19.0","build_flavor":"default"},"tagline":"You Know, for Search"}`)
	default: // any version of the mapping is old enough to be met
		_, _ = io.WriteString(w, `{"`+name+`-v1":{"aliases":{"`+name+`":{"is_write_index":true}},"mappings":{"_meta":{"template_version":1000000}},"settings":{"index":{"blocks":{}}}}}`)
	}
}

func (e *elasticStandIn) bulk(w http.ResponseWriter, r *http.Request) {
	ids, err := bulkIDs(r.Body)
	if err != nil {
		http.Error(w, `{"error":{"type":"parse_exception"},"status":400}`, http.StatusBadRequest)
		return
	}
	e.add(ids)
	// As filter_path asks for, or everything that a client without it decodes.
	short := r.URL.Query().Get("filter_path") != ""
	b := []byte(`{"errors":false,"took":1,"items":[`)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		if short {
			b = append(b, `{"index":{"status":201}}`...)
			continue
		}
		b = append(b, `{"index":{"_index":"call-transcripts-v1","_id":`...)
		b = strconv.AppendQuote(b, string(id))
		b = append(b, `,"_version":1,"result":"created","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":1,"_primary_term":1,"status":201}}`...)
	}
	_, _ = w.Write(append(b, "]}"...))
}

// bulkIDs reads a _bulk body: an action a line, each followed by its document. An id is what follows the tenant.
func bulkIDs(r io.Reader) ([][]byte, error) {
	var ids [][]byte
	lines := bufio.NewReaderSize(r, 256<<10)
	for {
		action, err := line(lines)
		if errors.Is(err, io.EOF) && len(bytes.TrimSpace(action)) == 0 {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		_, rest, ok := bytes.Cut(action, []byte(`"_id":"`))
		id, _, ok2 := bytes.Cut(rest, []byte(`"`))
		if !ok || !ok2 {
			return nil, errors.New("an action without _id")
		}
		if _, after, ok := bytes.Cut(id, []byte(":")); ok {
			id = after
		}
		ids = append(ids, bytes.Clone(id))
		if doc, err := line(lines); len(bytes.TrimSpace(doc)) == 0 {
			return nil, errors.Join(errors.New("an action without a document"), err)
		}
	}
}

// line returns the next line; of one that is longer than the buffer only the end.
func line(r *bufio.Reader) ([]byte, error) {
	for {
		b, err := r.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return b, err
		}
	}
}
