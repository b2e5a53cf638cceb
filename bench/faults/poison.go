package main

import (
	"context"
	"encoding/json"
	"net/http"
)

// poisonous makes one call in 50 poison by what is put into its JSON, and returns how many there are.
func (w *world) poisonous(more string) int {
	w.poison = func(i int) bool { return i%50 == 7 }
	w.body = func(i, serial int) []byte {
		if !w.poison(i) {
			return nil
		}
		return w.usual(i, serial, more)
	}
	n := 0
	for i := range w.calls {
		if w.poison(i) {
			n++
		}
	}
	return n
}

// poisonWebhook delivers bodies that are JSON but no calls: the sender gets a 4xx, and they are kept.
func poisonWebhook(ctx context.Context, r *running) error {
	w, err := r.begin(ctx)
	if err != nil {
		return err
	}
	n := w.poisonous("")
	w.body = func(i, _ int) []byte {
		if !w.poison(i) {
			return nil
		}
		return []byte(`{"callId":"","summary":"serial 1"}`)
	}
	r.expect = expect{dead: n, refused: n}
	return w.load(ctx, nil)
}

// poisonParse adds a column that ClickHouse computes, and that it can't compute for poison: code 41.
func poisonParse(ctx context.Context, r *running) error {
	return r.poisonClickHouse(ctx, "ADD COLUMN time_of_purpose DateTime MATERIALIZED toDateTime(if(purpose = 'poison', purpose, '2026-11-02 00:00:00'))")
}

// poisonConstraint adds a CHECK: code 469.
func poisonConstraint(ctx context.Context, r *running) error {
	return r.poisonClickHouse(ctx, "ADD CONSTRAINT no_poison CHECK purpose != 'poison'")
}

func (r *running) poisonClickHouse(ctx context.Context, alter string) error {
	w, err := r.world(ctx)
	if err != nil {
		return err
	}
	if _, err := w.query(ctx, "ALTER TABLE "+w.db+".calls_raw "+alter); err != nil {
		return err
	}
	n := w.poisonous(`"purpose":"poison"`)
	r.expect = expect{dead: n, missing: map[string]int{"clickhouse": n}}
	if err := w.serve(ctx); err != nil {
		return err
	}
	return w.load(ctx, nil)
}

// poisonMapping makes a date of a field that is any text: Elasticsearch answers 400 for such a document.
func poisonMapping(ctx context.Context, r *running) error {
	w, err := r.world(ctx)
	if err != nil {
		return err
	}
	if err := w.retype(ctx, "mentioned_date", `{"type":"date","format":"strict_date"}`); err != nil {
		return err
	}
	n := w.poisonous(`"mentionedDate":"some day"`)
	r.expect = expect{dead: n, missing: map[string]int{"elasticsearch": n}}
	if err := w.serve(ctx); err != nil {
		return err
	}
	return w.load(ctx, nil)
}

// retype makes the world's index anew, with another type for a field.
func (w *world) retype(ctx context.Context, field, mapping string) error {
	index := w.index + "-v1"
	var old map[string]struct {
		Aliases  json.RawMessage
		Mappings map[string]json.RawMessage
	}
	if err := w.search(ctx, http.MethodGet, "/"+index, "", &old); err != nil {
		return err
	}
	was := old[index]
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(was.Mappings["properties"], &properties); err != nil {
		return err
	}
	properties[field] = json.RawMessage(mapping)
	p, err := json.Marshal(properties)
	if err != nil {
		return err
	}
	was.Mappings["properties"] = p
	body, err := json.Marshal(map[string]any{"mappings": was.Mappings, "aliases": was.Aliases}) // its settings come from the template
	if err != nil {
		return err
	}
	if err := w.search(ctx, http.MethodDelete, "/"+index, "", nil); err != nil {
		return err
	}
	return w.search(ctx, http.MethodPut, "/"+index, string(body), nil)
}
