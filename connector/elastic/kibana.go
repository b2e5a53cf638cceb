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
	kibanaPage   = "8.9.0" // of dashboards
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
// the same bytes each time; deploy/kibana/postcall.ndjson is a copy for the alias call-transcripts.
//
// Kibana's import takes broken nested JSON, names of references that nothing uses, and unknown fields without a word, and
// fails when the object is opened. So nothing here is written by hand, and kibana_check_test.go checks what the import
// doesn't.
func KibanaBundle(alias string) ([]byte, error) {
	objects, err := kibanaObjects(alias)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, o := range objects {
		o.CoreMigrationVersion, o.TypeMigrationVersion = kibanaCore, kibanaObject
		if o.Type == "dashboard" {
			o.TypeMigrationVersion = kibanaPage
		}
		if err := enc.Encode(o); err != nil {
			return nil, fmt.Errorf("saved object %s: %w", o.ID, err)
		}
	}
	return b.Bytes(), nil
}

func kibanaObjects(alias string) ([]savedObject, error) {
	view, err := dataView(alias)
	if err != nil {
		return nil, err
	}
	objects := []savedObject{view}
	for _, s := range kibanaSearches() {
		o, err := s.object()
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	for _, d := range kibanaDashboards() {
		o, err := d.object()
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func dataView(alias string) (savedObject, error) {
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
			"title": alias, "name": "Call transcripts", "timeFieldName": "call_started", "allowHidden": false,
			"fieldAttrs": fieldAttrs, "fieldFormatMap": formats,
			"fields": "[]", "runtimeFieldMap": "{}", "sourceFilters": "[]",
		},
	}, err
}

// savedSearch is a list of calls, newest first. query is in KQL.
type savedSearch struct {
	id, title, description, query string
	columns                       []string
}

// columnWidths are the pixels of columns that need less than an equal share; the others share what is left.
var columnWidths = map[string]int{
	"agent_name": 120, "topics": 160, "duration": 100, "sentiment": 100, "ai_success": 100, "follow_up": 100, "ended_reason": 130,
	"recording_url": 110, "customer_phone_number": 140,
}

// object is the saved search as Kibana stores it.
func (s savedSearch) object() (savedObject, error) {
	const indexRef = "kibanaSavedObjectMeta.searchSourceJSON.index"
	source, err := nested(map[string]any{
		"query": kuery(s.query), "filter": []any{}, "highlightAll": true, "version": true, "indexRefName": indexRef,
	})
	widths := map[string]any{}
	for _, name := range s.columns {
		if w := columnWidths[name]; w > 0 {
			widths[name] = map[string]any{"width": w}
		}
	}
	return savedObject{
		ID: s.id, Type: "search", References: []reference{{kibanaDataView, indexRef, "index-pattern"}},
		Attributes: map[string]any{
			"title": s.title, "description": s.description, "columns": s.columns, "sort": [][]string{{"call_started", "desc"}},
			"grid":      map[string]any{"columns": widths},
			"hideChart": false, "isTextBasedQuery": false, "timeRestore": false, "usesAdHocDataView": false, "rowHeight": 2,
			"kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": source},
		},
	}, err
}

// nested writes a value the way Kibana keeps most of its settings: as JSON inside a JSON string.
func nested(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
}
