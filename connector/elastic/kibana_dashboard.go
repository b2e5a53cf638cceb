package elastic

// dashboard is a page of panels.
type dashboard struct {
	id, title, description string
	controls               []control
	panels                 []panel
}

// control is a list of a field's values to choose from, above the panels.
type control struct{ id, field, title string }

// panel is a rectangle of the grid, which is 48 wide: a chart, or a saved search by its id.
type panel struct {
	id, title  string
	x, y, w, h int
	chart      chart
	search     string
}

// isTestFilter hides test calls. It shows as a pill above the panels, which can be switched off.
func isTestFilter(ref string) map[string]any {
	return map[string]any{
		"$state": map[string]any{"store": "appState"},
		"meta": map[string]any{
			"alias": "No test calls", "disabled": false, "negate": true, "type": "phrase", "key": "is_test", "field": "is_test",
			"params": map[string]any{"query": true}, "indexRefName": ref,
		},
		"query": map[string]any{"match_phrase": map[string]any{"is_test": true}},
	}
}

// object is the dashboard as Kibana stores it.
func (d dashboard) object() (savedObject, error) {
	const filterRef = "kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index"
	refs := []reference{{kibanaDataView, filterRef, "index-pattern"}}
	panels := []any{}
	for _, p := range d.panels {
		body, ref := p.object()
		panels, refs = append(panels, body), append(refs, ref)
	}
	controls := map[string]any{}
	for i, c := range d.controls {
		controls[c.id] = map[string]any{
			"order": i, "width": "medium", "grow": true, "type": "optionsListControl",
			"explicitInput": map[string]any{
				"id": c.id, "fieldName": c.field, "title": c.title, "selectedOptions": []any{}, "enhancements": map[string]any{},
			},
		}
		refs = append(refs, reference{kibanaDataView, "controlGroup_" + c.id + ":optionsListDataView", "index-pattern"})
	}
	texts := map[string]any{ // each is written as JSON inside a JSON string
		"panels": panels, "controls": controls,
		"source":  map[string]any{"query": kuery(""), "filter": []any{isTestFilter(filterRef)}},
		"options": map[string]any{"useMargins": true, "syncColors": false, "syncCursor": true, "syncTooltips": false, "hidePanelTitles": false},
		"ignore":  map[string]any{"ignoreFilters": false, "ignoreQuery": false, "ignoreTimerange": false, "ignoreValidations": false},
	}
	for name, v := range texts {
		text, err := nested(v)
		if err != nil {
			return savedObject{}, err
		}
		texts[name] = text
	}
	return savedObject{
		ID: d.id, Type: "dashboard", References: refs,
		Attributes: map[string]any{
			"title": d.title, "description": d.description, "version": 1,
			"panelsJSON": texts["panels"], "optionsJSON": texts["options"],
			"timeRestore": true, "timeFrom": "now-30d", "timeTo": "now", "refreshInterval": map[string]any{"pause": true, "value": 60000},
			"controlGroupInput": map[string]any{
				"controlStyle": "oneLine", "chainingSystem": "HIERARCHICAL",
				"panelsJSON": texts["controls"], "ignoreParentSettingsJSON": texts["ignore"],
			},
			"kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": texts["source"]},
		},
	}, nil
}

// object is the panel as Kibana stores it, and the one thing that it refers to.
func (p panel) object() (map[string]any, reference) {
	body := map[string]any{
		"panelIndex": p.id, "gridData": map[string]any{"x": p.x, "y": p.y, "w": p.w, "h": p.h, "i": p.id}, "title": p.title,
	}
	if p.search != "" {
		name := "panel_" + p.id
		body["type"], body["panelRefName"], body["embeddableConfig"] = "search", name, map[string]any{"enhancements": map[string]any{}}
		return body, reference{p.search, p.id + ":" + name, "search"}
	}
	config := map[string]any{"attributes": p.chart.lens(p.id, p.title), "enhancements": map[string]any{}}
	if p.chart.kind == "lnsMetric" {
		config["hidePanelTitles"] = true // the number has its own
	}
	body["type"], body["embeddableConfig"] = "lens", config
	return body, reference{kibanaDataView, p.id + ":indexpattern-datasource-layer-" + layerID(p.id), "index-pattern"}
}
