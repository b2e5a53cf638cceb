package clickhouse

import (
	"fmt"
	"slices"
	"strings"
)

const clickhouseSource = "grafana-clickhouse-datasource"

// callsDashboard shows the catalogue. Its queries are the metrics' own, with the plugin's macros for the time.
func callsDashboard(database string) (dashboard, error) {
	c := &callsPanels{database: database}
	d := dashboard{
		name: "calls", title: "postcall: calls", source: clickhouseSource, from: "now-30d",
		description: "What AI agents and callers made of their calls. Definitions: docs/metrics.md. Tests are left out.",
		variables:   []object{c.variable("tenant", "Tenant"), c.variable("agent_name", "Agent")},
		rows: []section{
			{"At a glance", []panel{
				c.stat("Calls", "calls", "calls"), c.stat("Mean handle time", "handle_time", "mean_seconds"), c.stat("Contained", "containment", "containment_rate"),
				c.stat("Goal reached", "ai_success", "success_rate"), c.stat("Resolved at once", "first_call_resolution", "resolution_rate"),
				c.stat("To follow up", "follow_up", "follow_up_rate"),
			}},
			{"Volume", []panel{
				c.lines("Calls", "1h", 12, "calls.calls"),
				c.lines("Handle time", "1d", 12, "handle_time.mean_seconds", "handle_time.p50_seconds", "handle_time.p90_seconds", "handle_time.p95_seconds"),
				c.week("Hour by weekday", 16), c.lines("Repeat callers", "1d", 8, "repeat_callers.repeat_rate"),
			}},
			{"Outcome", []panel{
				c.pie("How calls end", "ended_reasons", 8),
				c.lines("Transfers and abandonment", "1d", 8, "transfers.transfer_rate", "abandonment.abandonment_rate"),
				c.lines("Containment, success, resolution", "1d", 8, "containment.containment_rate", "ai_success.success_rate", "first_call_resolution.resolution_rate"),
				c.table("Sentiment by topic", "sentiment_by_topic", 12), c.table("Sentiment by agent", "sentiment_by_agent", 12),
			}},
			{"What is left to do", []panel{
				c.table("Top unanswered questions", "unanswered_questions", 12), c.table("Action items", "action_items", 12),
				c.lines("Calls that leave something open", "1d", 12, "open_points.unanswered_rate", "open_points.action_item_rate"),
				c.lines("To follow up", "1d", 12, "follow_up.follow_up_rate"),
			}},
			{"How they talk", []panel{
				c.lines("Talk ratio", "1d", 8, "talk_ratio.mean_ratio", "talk_ratio.p50_ratio"),
				c.lines("Words per minute", "1d", 8, "words_per_minute.mean_wpm", "words_per_minute.p95_wpm"),
				c.lines("Turns", "1d", 8, "turns.mean_turns", "turns.p95_turns"),
			}},
			{"Data", []panel{
				c.lines("Delivery lag", "1h", 12, "delivery_lag.lag_p50", "delivery_lag.lag_p95", "delivery_lag.load_p95"),
				c.table("Data quality", "data_quality", 12),
			}},
		},
	}
	return d, c.err
}

// callsPanels makes panels of metrics; the first metric or column that isn't there is its error.
type callsPanels struct {
	database string
	err      error
}

// variable lets people choose among the values of a dimension.
func (c *callsPanels) variable(dimension, label string) object {
	query := fmt.Sprintf("SELECT DISTINCT %s FROM %s.%s WHERE NOT is_test AND $__timeFilter(call_started) ORDER BY 1", dimension, c.database, metricSource)
	return object{
		"name": dimension, "label": label, "type": "query", "datasource": object{"type": clickhouseSource, "uid": "${datasource}"},
		"query": query, "definition": query, "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "hide": 0, "regex": "", "options": []any{},
		"current": object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}},
	}
}

// find returns a metric with some of its columns, or all.
func (c *callsPanels) find(name string, columns ...string) Metric {
	m, ok := FindMetric(name)
	if !ok {
		c.fail("there is no metric %s", name)
	}
	if len(columns) == 0 {
		return m
	}
	all := m.Columns
	m.Columns = nil
	for _, want := range columns {
		i := slices.IndexFunc(all, func(have Column) bool { return have.Name == want })
		if i < 0 {
			c.fail("metric %s has no column %s", name, want)
			continue
		}
		m.Columns = append(m.Columns, all[i])
	}
	return m
}

func (c *callsPanels) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// query is a target that asks for a metric, grouped by dims and the key, within the time and the variables of the dashboard.
func (c *callsPanels) query(m Metric, format int, tail string, dims ...Dimension) object {
	key, err := m.dimensions(nil)
	if err != nil {
		c.fail("%w", err)
	}
	const chosen = "$__conditionalAll(%s IN (${%s:singlequote}), $%s)"
	sql, err := m.statement(selection{
		table: c.database + "." + metricSource, dims: append(dims, key...),
		where: []string{
			"$__timeFilter(c.call_started)", fmt.Sprintf(chosen, "c.tenant", "tenant", "tenant"), fmt.Sprintf(chosen, "c.agent_name", "agent_name", "agent_name"),
		},
		near: []string{"call_started >= $__fromTime - " + repeatInterval, "call_started <= $__toTime + " + repeatInterval},
	})
	if err != nil {
		c.fail("%w", err)
	}
	return sqlTarget(sql+tail, format)
}

// The plugin's formats of an answer.
const (
	asSeries = 0
	asTable  = 1
)

func sqlTarget(sql string, format int) object {
	kind := "table"
	if format == asSeries {
		kind = "timeseries"
	}
	return object{"editorType": "sql", "queryType": kind, "format": format, "rawSql": sql, "pluginVersion": "4.0.0", "meta": object{}}
}

// stat is the number for the whole time.
func (c *callsPanels) stat(title, metric, column string) panel {
	m := c.find(metric, column)
	return panel{
		title: title, description: m.Definition + ".", kind: "stat", unit: grafanaUnit(m.Columns), width: 4, height: 4,
		targets: []object{c.query(m, asTable, "")}, options: statOptions(),
	}
}

// lines are columns over time, named metric.column.
func (c *callsPanels) lines(title, interval string, width int, columns ...string) panel {
	p := panel{title: title, kind: "timeseries", width: width, height: 8, interval: interval, options: lineOptions()}
	p.custom = object{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "auto", "spanNulls": true}
	if columns[0] == "calls.calls" {
		p.custom["drawStyle"], p.custom["fillOpacity"] = "bars", 60
	}
	time := Dimension{Name: "time", SQL: "$__timeInterval(c.call_started)"}
	said := map[string]bool{}
	for _, name := range columns {
		metric, column, _ := strings.Cut(name, ".")
		m := c.find(metric, column)
		p.unit = grafanaUnit(m.Columns)
		p.targets = append(p.targets, c.query(m, asSeries, "\nORDER BY time", time))
		p.overrides = append(p.overrides, override(column, object{"displayName": words(column)}))
		if !said[metric] {
			p.description = strings.TrimSpace(p.description + " " + m.Definition + ".")
			said[metric] = true
		}
	}
	return p
}

// table has a row for each value of the key, the largest first.
func (c *callsPanels) table(title, metric string, width int) panel {
	m := c.find(metric)
	tail := ""
	if len(m.Key) > 0 {
		tail = "\nORDER BY " + m.Columns[0].Name + " DESC\nLIMIT 20"
	}
	p := panel{
		title: title, description: m.Definition + ".", kind: "table", unit: "none", width: width, height: 9,
		targets: []object{c.query(m, asTable, tail)}, custom: object{"align": "auto", "filterable": true}, options: object{"showHeader": true, "cellHeight": "sm"},
	}
	for _, k := range m.Key {
		p.overrides = append(p.overrides, override(k, object{"displayName": words(k)}))
	}
	for _, col := range m.Columns {
		p.overrides = append(p.overrides, override(col.Name, object{"displayName": words(col.Name), "unit": grafanaUnit([]Column{col})}))
	}
	return p
}

// pie has a slice for each value of the key.
func (c *callsPanels) pie(title, metric string, width int) panel {
	m := c.find(metric, "calls")
	return panel{
		title: title, description: m.Definition + ".", kind: "piechart", unit: "short", width: width, height: 8,
		targets: []object{c.query(m, asTable, "\nORDER BY calls DESC")},
		options: object{
			"pieType": "donut", "displayLabels": []string{"percent"}, "reduceOptions": object{"values": true, "calcs": []string{"lastNotNull"}, "fields": ""},
			"legend": object{"displayMode": "list", "placement": "right", "showLegend": true, "values": []string{"value"}},
		},
	}
}

// week is a heat map: a row for each hour, a column for each weekday.
func (c *callsPanels) week(title string, width int) panel {
	m := c.find("calls_by_hour")
	t := c.query(m, asTable, "")
	var days []string
	p := panel{
		title: title, description: m.Definition + ".", kind: "table", unit: "short", width: width, height: 8,
		custom: object{"align": "center"}, options: object{"showHeader": true, "cellHeight": "sm"},
	}
	for i, day := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
		days = append(days, fmt.Sprintf("    sumIf(calls, weekday = %d) AS %s", i+1, day))
		p.overrides = append(p.overrides, override(day, object{"custom.cellOptions": object{"type": "color-background", "mode": "gradient"}}))
	}
	sql := "SELECT\n    hour,\n" + strings.Join(days, ",\n") + "\nFROM (\n" + t["rawSql"].(string) + "\n)\nGROUP BY hour\nORDER BY hour"
	p.targets = []object{sqlTarget(sql, asTable)}
	return p
}

// grafanaUnit is Grafana's name of the unit of the first column.
func grafanaUnit(columns []Column) string {
	if len(columns) == 0 {
		return "none"
	}
	switch columns[0].Unit {
	case Share:
		return "percentunit"
	case Seconds:
		return "s"
	case Minutes:
		return "m"
	case WordsMinute:
		return "suffix: words/min"
	case Moment:
		return "dateTimeAsIso"
	case Score:
		return "none"
	default:
		return "short"
	}
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }
