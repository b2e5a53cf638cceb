package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// The versions of the saved objects' shapes, as Kibana 8.12 reads them; newer ones migrate them, older ones refuse them.
const (
	kibanaCore   = "8.8.0"
	kibanaObject = "8.0.0" // of data views and saved searches
)

// kibanaDataView is the id that the other objects refer to. It is stable, so that an import replaces the earlier one.
const kibanaDataView = "postcall-call-transcripts"

type savedObject struct {
	ID                   string      `json:"id"`
	Type                 string      `json:"type"`
	Attributes           any         `json:"attributes"`
	References           []reference `json:"references"`
	Managed              bool        `json:"managed"`
	CoreMigrationVersion string      `json:"coreMigrationVersion"`
	TypeMigrationVersion string      `json:"typeMigrationVersion"`
}

type reference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// KibanaBundle returns the saved objects for Kibana 8.12 and up, one JSON object a line, those referred to first. It is
// the same bytes each time; deploy/kibana/postcall.ndjson is a copy.
//
// Kibana's import takes broken nested JSON, names of references that nothing uses, and unknown fields without a word, and
// fails when the object is opened. So nothing here is written by hand, and kibana_test.go checks what the import doesn't.
func KibanaBundle() ([]byte, error) {
	view, err := dataView()
	if err != nil {
		return nil, err
	}
	search, err := callSearch()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, o := range []savedObject{view, search} {
		o.CoreMigrationVersion, o.TypeMigrationVersion = kibanaCore, kibanaObject
		if err := enc.Encode(o); err != nil {
			return nil, fmt.Errorf("saved object %s: %w", o.ID, err)
		}
	}
	return b.Bytes(), nil
}

func dataView() (savedObject, error) {
	attrs := map[string]any{}
	for name, label := range kibanaLabels() {
		attrs[name] = map[string]any{"customLabel": label}
	}
	fieldAttrs, err := nested(attrs)
	if err != nil {
		return savedObject{}, err
	}
	formats, err := nested(kibanaFormats)
	return savedObject{
		ID: kibanaDataView, Type: "index-pattern", References: []reference{},
		Attributes: map[string]any{
			"title": "call-transcripts", "name": "Call transcripts", "timeFieldName": "call_started", "allowHidden": false,
			"fieldAttrs": fieldAttrs, "fieldFormatMap": formats,
			"fields": "[]", "runtimeFieldMap": "{}", "sourceFilters": "[]",
		},
	}, err
}

// callSearch is the list of all calls, newest first.
func callSearch() (savedObject, error) {
	const indexRef = "kibanaSavedObjectMeta.searchSourceJSON.index"
	source, err := nested(map[string]any{
		"query": map[string]any{"query": "", "language": "kuery"}, "filter": []any{},
		"highlightAll": true, "version": true, "indexRefName": indexRef,
	})
	return savedObject{
		ID: "postcall-calls", Type: "search", References: []reference{{kibanaDataView, indexRef, "index-pattern"}},
		Attributes: map[string]any{
			"title":       "Call transcripts",
			"description": "All calls, newest first. Type words into the search box to search what was said, or a field, such as user_text : refund.",
			"columns":     []string{"agent_name", "topics", "duration", "sentiment", "ai_success", "follow_up", "ended_reason", "summary", "recording_url"},
			"sort":        [][]string{{"call_started", "desc"}},
			"grid": map[string]any{"columns": map[string]any{
				"agent_name": width(120), "topics": width(160), "duration": width(100), "sentiment": width(100),
				"ai_success": width(100), "follow_up": width(100), "ended_reason": width(130), "recording_url": width(110),
			}},
			"hideChart": false, "isTextBasedQuery": false, "timeRestore": false, "usesAdHocDataView": false, "rowHeight": 2,
			"kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": source},
		},
	}, err
}

func width(pixels int) map[string]any { return map[string]any{"width": pixels} }

// nested writes a value the way Kibana keeps most of its settings: as JSON inside a JSON string.
func nested(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
}
