package elastic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/postcall/postcall/connector"
)

var (
	_ connector.Loader    = (*Loader)(nil)
	_ connector.Checker   = (*Loader)(nil)
	_ connector.Exclusive = (*Loader)(nil)
)

// Loader writes calls through the alias, or by month into the indices behind it. It is safe for use by several goroutines;
// by month, their loads wait for each other.
type Loader struct {
	c     *client
	limit int        // bytes a request aims at
	turn  sync.Mutex // by month: from looking where the calls are until they are written
}

// Open returns a loader. It checks the configuration and does not connect: Elasticsearch may be down.
func Open(cfg connector.ElasticsearchConfig) (*Loader, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Loader{c: c, limit: payloadBytes}, nil
}

// Close gives idle connections back. Loads under way fail.
func (l *Loader) Close() error {
	l.c.close()
	return nil
}

// Exclusive reports whether the calls are in monthly indices: where a call is, is then looked up before it is written, and
// nobody may write in between (DELIVERY.md, rule 10).
func (l *Loader) Exclusive() bool { return l.c.byMonth }

// Load makes one attempt to store the batch, in as many _bulk requests as its size asks for, one after the other. Where
// a request fails as a whole, those before it are stored, and loading all of them again changes nothing.
func (l *Loader) Load(ctx context.Context, batch connector.Batch) error {
	var o outcome
	var indices []string // of each event; by month only
	if l.c.byMonth && len(batch.Events) > 0 {
		l.turn.Lock()
		defer l.turn.Unlock()
		var err error
		if indices, err = l.c.place(ctx, batch.Events); err != nil {
			return err
		}
	}
	for from := 0; from < len(batch.Events); {
		p := newPayload()
		from = p.fill(batch.Events, indices, from, l.limit, o.refuse)
		if len(p.events) == 0 {
			p.recycle()
			continue
		}
		if err := l.bulk(ctx, p, indices, &o); err != nil {
			return fmt.Errorf("bulk of %d calls into %s: %w", len(p.events), l.c.alias, err)
		}
		p.recycle()
	}
	return o.err(l.c)
}

var (
	requireAlias = true
	// answerFields keeps an answer at about 25 bytes an item. Every item has a status, so none is filtered away.
	answerFields = []string{"error.type", "items.*.status", "items.*.failure_store", "items.*.error.type", "items.*.error.reason", "items.*.error.caused_by.type"}
	bulkHeader   = http.Header{"Content-Type": {"application/x-ndjson"}}
)

// bulk sends one request and notes what came of each of its events. Only a nil error means that the payload's buffer is
// free again.
func (l *Loader) bulk(ctx context.Context, p *payload, indices []string, o *outcome) error {
	ctx, cancel := l.c.deadline(ctx)
	defer cancel()
	req := esapi.BulkRequest{
		Body:       bytes.NewReader(p.b),
		FilterPath: answerFields,
		Header:     bulkHeader.Clone(),
		Timeout:    max(l.c.timeout/2, time.Second), // a shard that isn't there answers 503 before our deadline
	}
	if indices == nil {
		req.Index, req.RequireAlias = l.c.alias, &requireAlias
	}
	res, err := req.Do(ctx, l.c.es)
	if err != nil {
		return cause(ctx, err)
	}
	defer res.Body.Close()
	if res.StatusCode > 299 {
		return l.requestError(readError(res.StatusCode, res.Body), p, o)
	}
	items, err := readAnswer(res.Body, len(p.events))
	if err != nil {
		return cause(ctx, err)
	}
	for i := range items {
		e := p.events[i]
		if o.add(e, &items[i].Index); indices != nil && o.paused == &items[i].Index {
			o.at = indices[e]
		}
	}
	return nil
}

// errTooLarge refuses a call that no splitting makes small enough; it would stall all others (DELIVERY.md rule 7).
var errTooLarge = errors.New("the call alone is larger than Elasticsearch accepts (HTTP 413)")

// requestError says what an answer to a whole request means.
func (l *Loader) requestError(e *httpError, p *payload, o *outcome) error {
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return connector.Paused(fmt.Errorf("%w: %s", e, l.c.cure(e.status, e.kind)))
	case http.StatusRequestEntityTooLarge:
		if len(p.events) > 1 {
			return connector.TooLarge(e)
		}
		o.refuse(p.events[0], errTooLarge)
		return nil
	case http.StatusBadRequest:
		return connector.Refused(e)
	}
	return e
}

// cure tells the operator what mends an error of credentials or schema.
func (c *client) cure(status int, kind string) string {
	switch {
	case kind == "cluster_block_exception":
		return "writes are blocked, as Elasticsearch does when a disk is nearly full: free space, then the block goes by itself"
	case status == http.StatusUnauthorized:
		return "check POSTCALL_ELASTICSEARCH_API_KEY, or _USERNAME and _PASSWORD"
	case status == http.StatusForbidden && c.byMonth:
		name := strings.TrimSuffix(c.alias, "-")
		return "the key needs the privileges index, read, create_index and view_index_metadata on " + name + " and " + name + "-*"
	case status == http.StatusForbidden:
		return "the key needs the privileges index and view_index_metadata on the alias"
	}
	return cureMigrate
}
