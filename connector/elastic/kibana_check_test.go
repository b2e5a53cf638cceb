package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkBundle finds what Kibana's import lets through and its pages then fail on.
func checkBundle(bundle []byte) error {
	var objects []savedObject
	exists := map[string]bool{}
	for line := range bytes.Lines(bundle) {
		var o savedObject
		if err := json.Unmarshal(line, &o); err != nil {
			return err
		}
		if exists[o.Type+" "+o.ID] {
			return fmt.Errorf("%s %s is there twice", o.Type, o.ID)
		}
		exists[o.Type+" "+o.ID] = true
		objects = append(objects, o)
	}
	var errs []error
	for _, o := range objects {
		c := &objectCheck{used: map[string]string{}}
		c.object(o, exists)
		for _, err := range c.errs {
			errs = append(errs, fmt.Errorf("%s %s: %w", o.Type, o.ID, err))
		}
	}
	return errors.Join(errs...)
}

// newestVersions are the newest shapes that Kibana 8.12 reads; it refuses a whole file for one that is newer.
var newestVersions = map[string]string{"index-pattern": "8.0.0", "search": "8.0.0", "dashboard": "8.9.0"}

// objectCheck collects what is wrong with one object, and which references it uses: a type of object for each name.
type objectCheck struct {
	errs []error
	used map[string]string
}

func (c *objectCheck) fail(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

func (c *objectCheck) object(o savedObject, exists map[string]bool) {
	if newest := newestVersions[o.Type]; o.CoreMigrationVersion != "8.8.0" || o.TypeMigrationVersion != newest {
		c.fail("versions %s and %s", o.CoreMigrationVersion, o.TypeMigrationVersion)
	}
	c.nested("attributes", o.Attributes)
	a := o.Attributes.(map[string]any)
	switch o.Type {
	case "index-pattern":
		c.dataView(a)
	case "search":
		c.search(a)
	case "dashboard":
		c.dashboard(a)
	default:
		c.fail("unknown type")
	}
	for _, r := range o.References {
		switch typ, used := c.used[r.Name]; {
		case !used:
			c.fail("reference %s is not used", r.Name)
		case typ != r.Type:
			c.fail("reference %s is to a %s, wanted %s", r.Name, r.Type, typ)
		}
		if !exists[r.Type+" "+r.ID] {
			c.fail("reference %s dangles", r.Name)
		}
		delete(c.used, r.Name)
	}
	for name := range c.used {
		c.fail("reference %s is missing", name)
	}
}

// nested finds strings that should be JSON and aren't, at any depth, and references by name to a data view.
func (c *objectCheck) nested(key string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			c.nested(k, x)
		}
	case []any:
		for _, x := range v {
			c.nested(key, x)
		}
	case string:
		if key == "indexRefName" {
			c.used[v] = "index-pattern"
		}
		if strings.HasSuffix(key, "JSON") || strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[") {
			var x any
			if err := json.Unmarshal([]byte(v), &x); err != nil {
				c.fail("%s: %v", key, err)
			}
			c.nested(key, x)
		}
	}
}

// parse returns what the JSON in a string says; what is no JSON has been found by nested.
func parse[T any](v any) (out T) {
	s, _ := v.(string)
	_ = json.Unmarshal([]byte(s), &out)
	return out
}

func (c *objectCheck) field(name string) {
	if typ := fieldTypes()[name]; typ == "" || typ == "object" || typ == "nested" {
		c.fail("unknown field %s", name)
	}
}

// aggregatable lists the types of fields that Lens lets an operation have.
var aggregatable = map[string][]string{
	"terms":          {"keyword", "boolean", "integer", "long"},
	"date_histogram": {"date"},
	"average":        {"double", "integer", "long"},
	"sum":            {"double", "integer", "long"},
	"median":         {"double", "integer", "long"},
	"percentile":     {"double", "integer", "long"},
	"max":            {"double", "integer", "long", "date"},
	"min":            {"double", "integer", "long", "date"},
	"unique_count":   {"keyword", "boolean", "integer", "long"},
	"control":        {"keyword", "boolean"},
}

func (c *objectCheck) aggregated(operation, name string) {
	c.field(name)
	types, known := aggregatable[operation]
	switch typ := fieldTypes()[name]; {
	case !known:
		c.fail("unknown operation %s", operation)
	case strings.HasPrefix(name, "turns."):
		c.fail("%s can't aggregate the nested field %s", operation, name)
	case name == "extra", typ != "" && !slices.Contains(types, typ):
		c.fail("%s can't aggregate field %s, a %s", operation, name, typ)
	}
}

func (c *objectCheck) query(v any) {
	q, _ := v.(map[string]any)
	text, is := q["query"].(string)
	if !is || q["language"] != "kuery" {
		c.fail("query %v is not in KQL", v)
		return
	}
	if _, err := kql(text, c.field); err != nil {
		c.fail("%v", err)
	}
}

func (c *objectCheck) source(a map[string]any) {
	meta, _ := a["kibanaSavedObjectMeta"].(map[string]any)
	source := parse[map[string]any](meta["searchSourceJSON"])
	c.query(source["query"])
	filters, _ := source["filter"].([]any)
	for _, f := range filters {
		m, _ := f.(map[string]any)["meta"].(map[string]any)
		key, _ := m["key"].(string)
		c.field(key)
		if m["indexRefName"] == nil {
			c.fail("filter of %s has no indexRefName", key)
		}
	}
}

var formatters = []string{"duration", "percent", "number", "url", "color"}

func (c *objectCheck) dataView(a map[string]any) {
	for _, key := range []string{"fieldAttrs", "fieldFormatMap"} {
		for name, v := range parse[map[string]map[string]any](a[key]) {
			c.field(name)
			if id, _ := v["id"].(string); key == "fieldFormatMap" && !slices.Contains(formatters, id) {
				c.fail("unknown formatter %s", id)
			}
		}
	}
	name, _ := a["timeFieldName"].(string)
	c.aggregated("date_histogram", name)
}

func (c *objectCheck) search(a map[string]any) {
	c.source(a)
	columns, _ := a["columns"].([]any)
	for _, name := range columns {
		c.field(name.(string))
	}
	sorts, _ := a["sort"].([]any)
	for _, s := range sorts {
		c.aggregated("max", s.([]any)[0].(string))
	}
	grid, _ := a["grid"].(map[string]any)
	widths, _ := grid["columns"].(map[string]any)
	for name := range widths {
		if !slices.Contains(columns, any(name)) {
			c.fail("width of %s, which is no column", name)
		}
	}
}

type gridPanel struct {
	PanelIndex string `json:"panelIndex"`
	Type       string
	RefName    string `json:"panelRefName"`
	GridData   struct {
		X, Y, W, H int
		I          string
	} `json:"gridData"`
	Config struct {
		Attributes map[string]any
	} `json:"embeddableConfig"`
}

func (c *objectCheck) dashboard(a map[string]any) {
	c.source(a)
	panels := parse[[]gridPanel](a["panelsJSON"])
	if len(panels) == 0 {
		c.fail("no panels")
	}
	for i, p := range panels {
		c.grid(p, panels[:i])
		switch p.Type {
		case "search":
			if p.RefName != "panel_"+p.PanelIndex {
				c.fail("panel %s has panelRefName %s", p.PanelIndex, p.RefName)
			}
			c.used[p.PanelIndex+":"+p.RefName] = "search"
		case "lens":
			c.lens(p)
		default:
			c.fail("panel %s is a %s", p.PanelIndex, p.Type)
		}
	}
	group, _ := a["controlGroupInput"].(map[string]any)
	for id, ctl := range parse[map[string]struct {
		Type  string
		Input struct{ ID, FieldName string } `json:"explicitInput"`
	}](group["panelsJSON"]) {
		if ctl.Type != "optionsListControl" || ctl.Input.ID != id {
			c.fail("control %s is a %s with the id %s", id, ctl.Type, ctl.Input.ID)
		}
		c.aggregated("control", ctl.Input.FieldName)
		c.used["controlGroup_"+id+":optionsListDataView"] = "index-pattern"
	}
}

// grid is 48 columns wide, and endless.
func (c *objectCheck) grid(p gridPanel, before []gridPanel) {
	g := p.GridData
	if g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 48 {
		c.fail("panel %s is off the grid", p.PanelIndex)
	}
	if g.I != p.PanelIndex {
		c.fail("panel %s has the grid's %s", p.PanelIndex, g.I)
	}
	for _, o := range before {
		if o.PanelIndex == p.PanelIndex {
			c.fail("panel %s is there twice", p.PanelIndex)
		}
		if h := o.GridData; g.X < h.X+h.W && h.X < g.X+g.W && g.Y < h.Y+h.H && h.Y < g.Y+g.H {
			c.fail("panels %s and %s overlap", o.PanelIndex, p.PanelIndex)
		}
	}
}

// lensLayer is what a chart asks for.
type lensLayer struct {
	Columns map[string]lensColumn
	Order   []string `json:"columnOrder"`
}

type lensColumn struct {
	Operation  string `json:"operationType"`
	Field      string `json:"sourceField"`
	Bucketed   bool   `json:"isBucketed"`
	Label      string
	Filter     map[string]any
	References []string
	Params     struct {
		Size       int
		Percentile float64
		Formula    string
		OrderBy    struct{ Type, ColumnID string }
		Direction  string `json:"orderDirection"`
		Math       struct {
			Name, Text string
			Args       []any
		} `json:"tinymathAst"`
	}
}

func (c *objectCheck) lens(p gridPanel) {
	layers, err := lensLayers(p.Config.Attributes)
	if err != nil || len(layers) == 0 {
		c.fail("panel %s has no layers: %v", p.PanelIndex, err)
	}
	refs, _ := p.Config.Attributes["references"].([]any)
	named := map[string]bool{}
	for _, r := range refs {
		name, _ := r.(map[string]any)["name"].(string)
		named[name] = true
	}
	known := map[string]bool{}
	for id, layer := range layers {
		name := "indexpattern-datasource-layer-" + id
		if !named[name] {
			c.fail("panel %s: its own reference %s is missing", p.PanelIndex, name)
		}
		c.used[p.PanelIndex+":"+name] = "index-pattern"
		c.layer(p.PanelIndex, layer)
		known[id] = true
		for col := range layer.Columns {
			known[col] = true
		}
	}
	state, _ := p.Config.Attributes["state"].(map[string]any)
	c.query(state["query"])
	shown := map[string]bool{}
	accessors(state["visualization"], "", func(key, id string) {
		shown[id] = true
		if !known[id] {
			c.fail("panel %s: %s is %s, which is no column or layer", p.PanelIndex, key, id)
		}
	})
	for id, layer := range layers {
		for _, col := range slices.Sorted(maps.Keys(layer.Columns)) {
			helper := slices.ContainsFunc(slices.Collect(maps.Values(layer.Columns)), func(o lensColumn) bool { return slices.Contains(o.References, col) })
			if !shown[col] && !helper {
				c.fail("panel %s: column %s is not shown", p.PanelIndex, col)
			}
		}
		if !shown[id] {
			c.fail("panel %s: layer %s is not shown", p.PanelIndex, id)
		}
	}
}

func lensLayers(attributes map[string]any) (map[string]lensLayer, error) {
	b, err := json.Marshal(attributes["state"])
	if err != nil {
		return nil, err
	}
	var state struct {
		DatasourceStates struct {
			FormBased struct{ Layers map[string]lensLayer }
		}
	}
	err = json.Unmarshal(b, &state)
	return state.DatasourceStates.FormBased.Layers, err
}

// accessors calls f with every place of a visualization that names a column or a layer.
func accessors(v any, key string, f func(key, id string)) {
	names := []string{
		"layerId", "metricAccessor", "xAccessor", "yAccessor", "valueAccessor", "splitAccessor", "accessor", "accessors", "forAccessor",
		"columnId", "primaryGroups", "metrics",
	}
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			accessors(x, k, f)
		}
	case []any:
		for _, x := range v {
			accessors(x, key, f)
		}
	case string:
		if slices.Contains(names, key) {
			f(key, v)
		}
	}
}

func (c *objectCheck) layer(panel string, layer lensLayer) {
	keys := slices.Sorted(maps.Keys(layer.Columns))
	if !slices.Equal(keys, slices.Sorted(slices.Values(layer.Order))) {
		c.fail("panel %s: columnOrder %v is not the columns %v", panel, layer.Order, keys)
	}
	number := false
	for _, id := range layer.Order {
		col := layer.Columns[id]
		if number = number || !col.Bucketed; number && col.Bucketed {
			c.fail("panel %s: bucket %s comes after a number", panel, id)
		}
		c.column(panel, id, col, layer)
	}
}

func (c *objectCheck) column(panel, id string, col lensColumn, layer lensLayer) {
	there := func(what, ref string) {
		if _, is := layer.Columns[ref]; !is {
			c.fail("panel %s: column %s: %s %s is no column", panel, id, what, ref)
		}
	}
	for _, ref := range col.References {
		there("reference", ref)
	}
	if col.Filter != nil {
		c.query(col.Filter)
	}
	if col.Label == "" {
		c.fail("panel %s: column %s has no label", panel, id)
	}
	switch col.Operation {
	case "count":
		if col.Field != "___records___" {
			c.fail("panel %s: column %s counts %s", panel, id, col.Field)
		}
	case "formula":
		if len(col.References) != 1 {
			c.fail("panel %s: formula %s has %d references", panel, id, len(col.References))
		}
		for i, part := range strings.Split(col.Params.Formula, "kql='") {
			if query, _, closed := strings.Cut(part, "'"); i > 0 && closed {
				c.query(kuery(query))
			}
		}
	case "math":
		for _, arg := range col.Params.Math.Args {
			there("argument", fmt.Sprint(arg))
		}
	default:
		c.aggregated(col.Operation, col.Field)
	}
	if col.Params.OrderBy.Type == "column" {
		there("order by", col.Params.OrderBy.ColumnID)
	}
}
