package elastic

import (
	"maps"
	"slices"
	"strconv"
)

// The pieces of a Lens chart, in the form in which Kibana stores them. A chart has one layer: columns, of which some make
// buckets and the others are numbers, and a visualization, which says where each column goes.

// column is a column of a layer. helpers are the columns that it is computed from, which Kibana doesn't show.
type column struct {
	id      string
	body    map[string]any
	helpers []column
}

func newColumn(id, operation, field, label string, params map[string]any) column {
	body := map[string]any{
		"label": label, "customLabel": true, "dataType": "number", "isBucketed": false, "scale": "ratio",
		"operationType": operation, "sourceField": field,
	}
	if params != nil {
		body["params"] = params
	}
	return column{id: id, body: body}
}

// records is Kibana's name for the documents themselves, where a column counts them.
const records = "___records___"

func kuery(query string) map[string]any {
	return map[string]any{"query": query, "language": "kuery"}
}

// count counts the calls, or those that match a filter in KQL.
func count(id, label, filter string) column {
	c := newColumn(id, "count", records, label, map[string]any{"emptyAsNull": false})
	if filter != "" {
		c.body["filter"] = kuery(filter)
	}
	return c
}

// number is average, median, sum, max or unique_count of a field. It is shown in the field's own format.
func number(id, operation, field, label string) column {
	return newColumn(id, operation, field, label, map[string]any{"emptyAsNull": true})
}

func percentile(id, field, label string, percent int) column {
	return newColumn(id, "percentile", field, label, map[string]any{"percentile": percent})
}

// rate is the share of the calls that match part among those that match whole, both in KQL.
func rate(id, label, part, whole string) column {
	formula := "count(kql='" + part + "') / count(kql='" + whole + "')"
	c := newColumn(id, "formula", "", label, map[string]any{
		"formula": formula, "isFormulaBroken": false, "format": map[string]any{"id": "percent", "params": map[string]any{"decimals": 1}},
	})
	delete(c.body, "sourceField")
	helper := func(n int) string { return id + "X" + strconv.Itoa(n) }
	math := newColumn(helper(2), "math", "", "Part of "+label, map[string]any{"tinymathAst": map[string]any{
		"type": "function", "name": "divide", "args": []any{helper(0), helper(1)},
		"location": map[string]any{"min": 0, "max": len(formula)}, "text": formula,
	}})
	delete(math.body, "sourceField")
	math.body["references"] = []any{helper(0), helper(1)}
	c.body["references"] = []any{helper(2)}
	c.helpers = []column{count(helper(0), "Part of "+label, part), count(helper(1), "Part of "+label, whole), math}
	return c
}

// over is a bucket for each stretch of time, whose length follows the time range on the page.
func over(id string) column {
	c := newColumn(id, "date_histogram", "call_started", "Call started", map[string]any{
		"interval": "auto", "includeEmptyRows": true, "dropPartials": false,
	})
	c.body["dataType"], c.body["isBucketed"], c.body["scale"] = "date", true, "interval"
	return c
}

// by is a bucket for each of the most frequent values of a field. orderBy is the id of a column of numbers; without one the
// values come in their own order.
func by(id, field, label string, size int, orderBy string, other bool) column {
	order, direction := map[string]any{"type": "alphabetical", "fallback": false}, "asc"
	if orderBy != "" {
		order, direction = map[string]any{"type": "column", "columnId": orderBy}, "desc"
	}
	c := newColumn(id, "terms", field, label, map[string]any{
		"size": size, "orderBy": order, "orderDirection": direction, "otherBucket": other, "missingBucket": false,
		"parentFormat": map[string]any{"id": "terms"},
		"include":      []any{}, "exclude": []any{}, "includeIsRegex": false, "excludeIsRegex": false,
	})
	c.body["dataType"], c.body["isBucketed"], c.body["scale"] = "string", true, "ordinal"
	return c
}

// chart is a Lens chart, which lives in the panel of a dashboard and nowhere else.
type chart struct {
	kind          string // lnsMetric, lnsXY ...
	columns       []column
	visualization map[string]any // without layerId
}

func layerID(panel string) string { return panel + "-layer" }

// layer is the part of a chart that says what to ask Elasticsearch for.
func (c chart) layer() map[string]any {
	columns := map[string]any{}
	order := []string{}
	for _, col := range c.columns {
		for _, one := range append([]column{col}, col.helpers...) {
			columns[one.id] = one.body
			order = append(order, one.id)
		}
	}
	return map[string]any{"columns": columns, "columnOrder": order, "incompleteColumns": map[string]any{}, "sampling": 1}
}

// lens is what a panel holds of a chart.
func (c chart) lens(panel, title string) map[string]any {
	layer := layerID(panel)
	visualization := maps.Clone(c.visualization)
	if layers, is := visualization["layers"].([]any); is {
		layers = slices.Clone(layers)
		first := maps.Clone(layers[0].(map[string]any))
		first["layerId"], first["layerType"] = layer, "data"
		layers[0] = first
		visualization["layers"] = layers
	} else {
		visualization["layerId"], visualization["layerType"] = layer, "data"
	}
	return map[string]any{
		"title": title, "description": "", "type": "lens", "visualizationType": c.kind,
		"references": []reference{{kibanaDataView, "indexpattern-datasource-layer-" + layer, "index-pattern"}},
		"state": map[string]any{
			"datasourceStates": map[string]any{
				"formBased": map[string]any{"layers": map[string]any{layer: c.layer()}},
				"textBased": map[string]any{"layers": map[string]any{}},
			},
			"visualization": visualization, "query": kuery(""), "filters": []any{},
			"internalReferences": []any{}, "adHocDataViews": map[string]any{},
		},
	}
}
