package elastic

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms/topics"
)

var (
	_ connector.Remapper    = (*Loader)(nil)
	_ connector.Transcripts = (*Loader)(nil)
)

const (
	pageDocs = 100
	// pageAge is how long after it was read a document may be written. Elasticsearch remembers for 60 s that one was deleted;
	// an older copy of it would bring it back.
	pageAge = 30 * time.Second
)

// storedDoc is a document as it was read.
type storedDoc struct {
	index   string
	id      string
	version int64
	read    time.Time
	source  map[string]json.RawMessage
}

// CountCalls returns how many documents there are.
func (l *Loader) CountCalls(ctx context.Context) (int, error) {
	var answer struct{ Count int }
	err := l.c.do(ctx, http.MethodGet, "/"+l.c.alias+"/_count", nil, &answer)
	if err != nil {
		err = l.c.sorted("count calls", err)
	}
	return answer.Count, err
}

// ReadCalls returns the page of calls behind some values of the sort. Which calls are on it a search says; what they hold is
// then read in real time.
func (l *Loader) ReadCalls(ctx context.Context, after string) (page connector.CallPage, err error) {
	query := map[string]any{
		"size": pageDocs, "_source": false, "track_total_hits": false,
		"sort": []any{map[string]string{"call_started": "asc"}, map[string]string{"call_id": "asc"}, map[string]string{"tenant": "asc"}},
	}
	if after != "" {
		query["search_after"] = json.RawMessage(after)
	}
	var answer struct {
		Hits struct {
			Hits []struct {
				Index string          `json:"_index"`
				ID    string          `json:"_id"`
				Sort  json.RawMessage `json:"sort"`
			}
		}
	}
	if err := l.c.do(ctx, http.MethodPost, "/"+l.c.alias+"/_search", query, &answer); err != nil {
		return page, l.c.sorted("read calls", err)
	}
	hits := answer.Hits.Hits
	if len(hits) == pageDocs {
		page.Next = string(hits[len(hits)-1].Sort)
	}
	indices, err := l.readable(ctx)
	if err != nil {
		return page, err
	}
	docs := make([]storedDoc, len(hits))
	for i := range hits {
		docs[i] = storedDoc{index: hits[i].Index, id: hits[i].ID}
		if len(indices) == 1 {
			docs[i].index = indices[0]
		}
	}
	if docs, err = l.readDocs(ctx, docs, ""); err != nil {
		return page, err
	}
	for i := range docs {
		c, err := docs[i].call()
		if err != nil {
			return page, err
		}
		page.Calls = append(page.Calls, c)
	}
	return page, nil
}

// readDocs returns those of the documents that are there, with their source, or a part of it.
func (l *Loader) readDocs(ctx context.Context, docs []storedDoc, part string) ([]storedDoc, error) {
	if len(docs) == 0 {
		return nil, nil
	}
	type doc struct {
		Index string `json:"_index"`
		ID    string `json:"_id"`
	}
	ask := make([]doc, len(docs))
	for i := range docs {
		ask[i] = doc{docs[i].index, docs[i].id}
	}
	var answer struct {
		Docs []struct {
			Found   bool
			Version int64                      `json:"_version"`
			Source  map[string]json.RawMessage `json:"_source"`
			Error   struct{ Type string }
		}
	}
	path := "/_mget?realtime=true"
	if part != "" {
		path += "&_source_includes=" + part
	}
	now := time.Now()
	if err := l.c.do(ctx, http.MethodPost, path, map[string]any{"docs": ask}, &answer); err != nil {
		return nil, l.c.sorted(fmt.Sprintf("read %d calls", len(docs)), err)
	}
	if len(answer.Docs) != len(docs) {
		return nil, fmt.Errorf("read %d calls: the answer has %d documents", len(docs), len(answer.Docs))
	}
	var found []storedDoc
	for i, d := range answer.Docs {
		switch {
		case d.Error.Type != "":
			return nil, l.c.cantLook(docs[i].index, errorType(d.Error.Type))
		case d.Found:
			found = append(found, storedDoc{docs[i].index, docs[i].id, d.Version, now, d.Source})
		}
	}
	return found, nil
}

// docFields are the fields of a document that topics and vocabularies are made of, and those that they make.
type docFields struct {
	Tenant         string   `json:"tenant"`
	CallID         string   `json:"call_id"`
	Topic          string   `json:"topic"`
	Purpose        string   `json:"purpose"`
	Summary        string   `json:"summary"`
	FollowUpReason string   `json:"follow_up_reason"`
	KeyPoints      []string `json:"key_points"`
	ActionItems    []string `json:"action_items"`
	Turns          []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"turns"`
	SentimentRaw   string `json:"sentiment_raw"`
	FollowUpRaw    string `json:"follow_up_raw"`
	AISuccessRaw   string `json:"ai_success_raw"`
	EndedReasonRaw string `json:"ended_reason_raw"`

	TurnCount int    `json:"turn_count"`
	Erased    string `json:"personal_erased_at"` // when retention removed the texts

	Topics      []string `json:"topics"`
	MainTopic   string   `json:"main_topic"`
	Confidence  float64  `json:"topic_confidence"`
	Rule        string   `json:"topic_rule"`
	Sentiment   string   `json:"sentiment"`
	FollowUp    *bool    `json:"follow_up"`
	AISuccess   *bool    `json:"ai_success"`
	EndedReason string   `json:"ended_reason"`
}

func (d *storedDoc) fields() (f docFields, err error) {
	b, err := json.Marshal(d.source)
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return f, errors.New("a document of the alias is not one that postcall writes") // the text of a JSON error can quote data
	}
	return f, nil
}

func (d *storedDoc) call() (c connector.StoredCall, err error) {
	f, err := d.fields()
	if err != nil {
		return c, err
	}
	return connector.StoredCall{
		Key: connector.SinkKey{Tenant: f.Tenant, CallID: f.CallID}, Version: d.version, Texts: f.Erased == "", Turns: f.hasTurns(), Origin: d,
		Text: topics.Call{
			Topic: f.Topic, Purpose: f.Purpose, Summary: f.Summary, FollowUpReason: f.FollowUpReason,
			KeyPoints: f.KeyPoints, ActionItems: f.ActionItems, Turns: f.turns(),
		},
		Sentiment: f.SentimentRaw, FollowUp: f.FollowUpRaw, AISuccess: f.AISuccessRaw, EndedReason: cmp.Or(f.EndedReasonRaw, f.EndedReason),
		Old: f.EndedReason != "" && f.EndedReasonRaw == "" || len(f.Topics) > 0 && f.MainTopic == "",
		Was: connector.Mapped{
			Topics: f.Topics, Confidence: f.Confidence, Rule: f.Rule, Sentiment: f.Sentiment,
			FollowUp: f.FollowUp, AISuccess: f.AISuccess, EndedReason: f.EndedReason,
		},
	}, nil
}

// hasTurns is false where there were turns that are gone.
func (f *docFields) hasTurns() bool { return len(f.Turns) > 0 || f.TurnCount == 0 }

func (f *docFields) turns() []topics.Turn {
	turns := make([]topics.Turn, len(f.Turns))
	for i, t := range f.Turns {
		turns[i] = topics.Turn{Role: t.Role, Content: t.Content}
	}
	return turns
}

// Turns returns what was said in calls.
func (l *Loader) Turns(ctx context.Context, keys []connector.SinkKey) (map[connector.SinkKey][]topics.Turn, error) {
	ids, places, err := l.places(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := make(map[connector.SinkKey][]topics.Turn, len(keys))
	for from := 0; from < len(keys); from += pageDocs {
		to := min(from+pageDocs, len(keys))
		var docs []storedDoc
		for i := from; i < to; i++ {
			if places[i].index != "" {
				docs = append(docs, storedDoc{index: places[i].index, id: ids[i]})
			}
		}
		if docs, err = l.readDocs(ctx, docs, "tenant,call_id,turns,turn_count"); err != nil {
			return nil, err
		}
		for i := range docs {
			f, err := docs[i].fields()
			if err != nil {
				return nil, err
			}
			if f.hasTurns() {
				out[connector.SinkKey{Tenant: f.Tenant, CallID: f.CallID}] = f.turns()
			}
		}
	}
	return out, nil
}

// Remap writes the documents again with another mapping, under the version they have. Not _update_by_query: it gives a
// document a version of its own, one higher, and an import that corrects the call comes with the one it had.
func (l *Loader) Remap(ctx context.Context, calls []connector.StoredCall, to []connector.Mapped) error {
	if len(calls) == 0 {
		return nil
	}
	oldest := calls[0].Origin.(*storedDoc).read
	ctx, cancel := context.WithDeadlineCause(ctx, oldest.Add(pageAge), fmt.Errorf("calls that were read %s ago are not written any more", pageAge))
	defer cancel()
	for from := 0; from < len(calls); {
		p := newPayload()
		for from < len(calls) && (len(p.events) == 0 || len(p.b) < l.limit) {
			if err := p.document(calls[from].Origin.(*storedDoc), &calls[from], &to[from]); err != nil {
				return err
			}
			p.events = append(p.events, from)
			from++
		}
		if err := l.rewrite(ctx, p); err != nil {
			return fmt.Errorf("write %d calls again into %s: %w", len(p.events), l.c.alias, err)
		}
		p.recycle()
	}
	return nil
}

// document appends a document with a mapping.
func (p *payload) document(d *storedDoc, c *connector.StoredCall, m *connector.Mapped) error {
	for name, value := range map[string]any{
		"topics": m.Topics, "main_topic": first(m.Topics), "topic_confidence": m.Confidence, "topic_rule": m.Rule,
		"sentiment": m.Sentiment, "follow_up": m.FollowUp, "ai_success": m.AISuccess, "ended_reason": m.EndedReason, "ended_reason_raw": c.EndedReason,
	} {
		b, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if string(b) == `""` || string(b) == "null" || string(b) == "[]" { // a value that is not known is not there
			delete(d.source, name)
			continue
		}
		d.source[name] = b
	}
	source, err := json.Marshal(d.source)
	if err != nil {
		return errors.New("a document of the alias is not one that postcall writes")
	}
	p.b = append(p.b, `{"index":{"_index":"`...)
	p.b = append(p.b, d.index...)
	p.b = append(p.b, `","_id":"`...)
	p.b = appendEscaped(p.b, d.id)
	p.b = append(p.b, `","version":`...)
	p.b = strconv.AppendInt(p.b, d.version, 10)
	p.b = append(p.b, `,"version_type":"external_gte"}}`+"\n"...)
	p.b = append(append(p.b, source...), '\n')
	return nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// rewrite sends one request. A document that has a newer version by now is left alone; anything else that is not written
// is an error.
func (l *Loader) rewrite(ctx context.Context, p *payload) error {
	ctx, cancel := l.c.deadline(ctx)
	defer cancel()
	req := esapi.BulkRequest{Body: bytes.NewReader(p.b), FilterPath: answerFields, Header: bulkHeader.Clone(), Timeout: max(l.c.timeout/2, time.Second)}
	res, err := req.Do(ctx, l.c.es)
	if err != nil {
		return cause(ctx, err)
	}
	defer res.Body.Close()
	var o outcome
	if res.StatusCode > 299 {
		return errors.Join(l.requestError(readError(res.StatusCode, res.Body), p, &o), o.err(l.c))
	}
	items, err := readAnswer(res.Body, len(p.events))
	if err != nil {
		return cause(ctx, err)
	}
	for i := range items {
		o.add(i, &items[i].Index)
	}
	return o.err(l.c)
}
