package elastic

// metric shows one number.
func metric(c column) chart {
	return chart{"lnsMetric", []column{c}, map[string]any{"metricAccessor": c.id}}
}

// series is a column of an xy chart in a colour of its own; an empty colour leaves it to Kibana.
type series struct {
	column
	color string
}

// xy draws series over the buckets of x: bar_stacked, bar_horizontal, bar_percentage_stacked, line ...
func xy(kind string, x column, all ...series) chart {
	c := chart{kind: "lnsXY", columns: []column{x}}
	accessors, colors := []string{}, []any{}
	for _, s := range all {
		c.columns = append(c.columns, s.column)
		accessors = append(accessors, s.id)
		if s.color != "" {
			colors = append(colors, map[string]any{"forAccessor": s.id, "color": s.color})
		}
	}
	axes := func(x, y bool) map[string]any { return map[string]any{"x": x, "yLeft": y, "yRight": y} }
	c.visualization = map[string]any{
		"preferredSeriesType": kind, "valueLabels": "hide", "fittingFunction": "None",
		"legend":                       map[string]any{"isVisible": len(all) > 1, "position": "bottom"},
		"axisTitlesVisibilitySettings": axes(false, len(all) == 1),
		"tickLabelsVisibilitySettings": axes(true, true),
		"gridlinesVisibilitySettings":  axes(false, true),
		"labelsOrientation":            map[string]any{"x": 0, "yLeft": 0, "yRight": 0},
		"yLeftExtent":                  map[string]any{"mode": "full"},
		"layers": []any{map[string]any{
			"seriesType": kind, "xAccessor": x.id, "accessors": accessors, "yConfig": colors, "position": "top", "showGridlines": false,
		}},
	}
	return c
}

// donut shows the shares of the buckets.
func donut(group, size column) chart {
	return chart{"lnsPie", []column{group, size}, map[string]any{"shape": "donut", "layers": []any{map[string]any{
		"primaryGroups": []string{group.id}, "metrics": []string{size.id},
		"numberDisplay": "percent", "categoryDisplay": "default", "legendDisplay": "show", "legendPosition": "right", "nestedLegend": false,
	}}}}
}

// table has a row for each bucket, most of sortBy first.
func table(sortBy string, all ...column) chart {
	columns := []any{}
	for i, c := range all {
		col := map[string]any{"columnId": c.id, "isTransposed": false}
		if i > 0 {
			col["width"] = 120
		}
		columns = append(columns, col)
	}
	return chart{"lnsDatatable", all, map[string]any{
		"columns": columns, "sorting": map[string]any{"columnId": sortBy, "direction": "desc"},
		"paging": map[string]any{"size": 10, "enabled": true},
	}}
}

// heat colours the cells of two bucketings by a number.
func heat(x, y, value column) chart {
	stops := func(first int) (list []any) {
		for i, color := range []string{"#E6F1FA", "#B3D4EE", "#6DADE0", "#2F7FC1", "#0B4A87"} {
			list = append(list, map[string]any{"color": color, "stop": first + 20*i})
		}
		return list
	}
	return chart{"lnsHeatmap", []column{x, y, value}, map[string]any{
		"shape": "heatmap", "xAccessor": x.id, "yAccessor": y.id, "valueAccessor": value.id,
		"legend": map[string]any{"isVisible": true, "position": "right", "type": "heatmap_legend"},
		"gridConfig": map[string]any{
			"type": "heatmap_grid", "isCellLabelVisible": false, "isXAxisLabelVisible": true, "isYAxisLabelVisible": true,
			"isXAxisTitleVisible": false, "isYAxisTitleVisible": false,
		},
		"palette": map[string]any{"type": "palette", "name": "custom", "accessor": value.id, "params": map[string]any{
			"name": "custom", "reverse": false, "rangeType": "percent", "rangeMin": 0, "rangeMax": 100, "progression": "fixed",
			"steps": 5, "maxSteps": 5, "continuity": "none", "colorStops": stops(0), "stops": stops(20),
		}},
	}}
}

// sentiments are a count of each, in the colours that the data view gives them.
func sentiments() []series {
	var all []series
	for _, s := range []struct{ name, label, color string }{
		{"positive", "Positive", "#00756B"}, {"neutral", "Neutral", "#98A2B3"}, {"mixed", "Mixed", "#FEC514"}, {"negative", "Negative", "#BD271E"},
	} {
		all = append(all, series{count(s.name, s.label, "sentiment : "+s.name), s.color})
	}
	return all
}
