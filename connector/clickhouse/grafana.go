package clickhouse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// Dashboard is a dashboard of Grafana.
type Dashboard struct {
	Name  string // of its file, without .json
	UID   string // what Grafana knows it by; it stays the same
	Title string
	JSON  []byte
}

// GrafanaDashboards returns the dashboards for people who run postcall (Prometheus), and for those who look at calls (ClickHouse,
// by the plugin grafana-clickhouse-datasource, out of that database).
func GrafanaDashboards(database string) ([]Dashboard, error) {
	calls, err := callsDashboard(database)
	if err != nil {
		return nil, err
	}
	all := []dashboard{operationsDashboard(), calls}
	out := make([]Dashboard, len(all))
	for i, d := range all {
		b, err := d.render()
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", d.name, err)
		}
		out[i] = Dashboard{Name: d.name, UID: "postcall-" + d.name, Title: d.title, JSON: b}
	}
	return out, nil
}

// dashboard is what differs between dashboards.
type dashboard struct {
	name, title, description string
	source                   string // type of the data source
	from                     string // how far it looks back at first
	variables                []object
	rows                     []section
}

// section is a heading and its panels, which are laid out from left to right, and below where there is no room.
type section struct {
	title  string
	panels []panel
}

// panel is a panel; its size is in cells of Grafana's grid, which is 24 wide.
type panel struct {
	title, description string
	kind               string // stat, timeseries, table, piechart
	unit               string // one of Grafana's
	width, height      int
	interval           string // the least step of time; empty is the data source's
	targets            []object
	overrides          []object // for fields by name
	custom, options    object
	thresholds         []object // colours by value; nil is none
}

// object is JSON; its members come out in order of their names, so that the same dashboard is the same bytes.
type object = map[string]any

const gridWidth = 24

func (d *dashboard) render() ([]byte, error) {
	source := object{"type": d.source, "uid": "${datasource}"}
	variables := append([]object{{
		"name": "datasource", "label": "Data source", "type": "datasource", "query": d.source, "current": object{}, "hide": 0, "options": []any{}, "refresh": 1,
	}}, d.variables...)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(object{
		"uid": "postcall-" + d.name, "title": d.title, "description": d.description, "tags": []string{"postcall"}, "schemaVersion": 39, "version": 1,
		"editable": true, "graphTooltip": 1, "timezone": "browser", "refresh": "1m", "time": object{"from": d.from, "to": "now"},
		"annotations": object{"list": []any{}}, "links": []any{}, "templating": object{"list": variables}, "panels": d.layOut(source),
	})
	return b.Bytes(), err
}

// layOut gives every panel its place and number.
func (d *dashboard) layOut(source object) []object {
	var out []object
	y := 0
	for _, r := range d.rows {
		out = append(out, object{
			"id": len(out) + 1, "type": "row", "title": r.title, "collapsed": false, "panels": []any{},
			"gridPos": object{"x": 0, "y": y, "w": gridWidth, "h": 1},
		})
		y++
		x, tallest := 0, 0
		for i := range r.panels {
			p := &r.panels[i]
			if x+p.width > gridWidth {
				x, y, tallest = 0, y+tallest, 0
			}
			out = append(out, p.render(source, len(out)+1, object{"x": x, "y": y, "w": p.width, "h": p.height}))
			x, tallest = x+p.width, max(tallest, p.height)
		}
		y += tallest
	}
	return out
}

func (p *panel) render(source object, id int, place object) object {
	targets := make([]object, len(p.targets))
	for i, t := range p.targets {
		targets[i] = object{"refId": string(rune('A' + i)), "datasource": source}
		maps.Copy(targets[i], t)
	}
	defaults := object{"unit": p.unit, "custom": orEmpty(p.custom), "mappings": []object{{"type": "value", "options": object{"": object{"text": "not known"}}}}}
	if p.thresholds != nil {
		defaults["thresholds"] = object{"mode": "absolute", "steps": p.thresholds}
		defaults["color"] = object{"mode": "thresholds"}
	}
	out := object{
		"id": id, "type": p.kind, "title": p.title, "description": p.description, "gridPos": place, "datasource": source, "targets": targets,
		"fieldConfig": object{"defaults": defaults, "overrides": append([]object{}, p.overrides...)}, "options": orEmpty(p.options),
	}
	if p.interval != "" {
		out["interval"] = p.interval
	}
	return out
}

func orEmpty(o object) object {
	if o == nil {
		return object{}
	}
	return o
}

// override sets a property of the field of that name.
func override(field string, properties object) object {
	list := make([]object, 0, len(properties))
	for _, id := range []string{"displayName", "unit", "custom.cellOptions", "custom.width"} {
		if v, ok := properties[id]; ok {
			list = append(list, object{"id": id, "value": v})
		}
	}
	return object{"matcher": object{"id": "byName", "options": field}, "properties": list}
}

// lineOptions show a legend with values below a graph.
func lineOptions() object {
	return object{
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
}

// statOptions show the last value, or the only one.
func statOptions() object {
	return object{
		"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "textMode": "auto", "orientation": "auto",
		"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
}
