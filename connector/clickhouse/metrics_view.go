package clickhouse

import (
	"fmt"
	"strings"
)

// metricViews returns the definitions of the views: a row for each tenant, day and key. A bound on the day can't pass the
// window of a metric that asks for a caller's other calls: such a metric has a second view, with the bound as its parameter.
func metricViews() (all []source, err error) {
	for i := range Metrics {
		m := &Metrics[i]
		text, err := m.ddl(m.View(), selection{})
		if err != nil {
			return nil, err
		}
		all = append(all, newSource(0, m.View(), text))
		if !m.Repeats {
			continue
		}
		text, err = m.ddl(m.SinceView(), selection{where: []string{"c.day >= {since:Date}"}, near: []string{"day >= {since:Date} - " + repeatInterval}})
		if err != nil {
			return nil, err
		}
		all = append(all, newSource(0, m.SinceView(), text))
	}
	return all, nil
}

func (m *Metric) ddl(name string, s selection) (string, error) {
	dims, err := m.dimensions([]string{"tenant", "day"})
	if err != nil {
		return "", err
	}
	s.table, s.dims = `{{.Table "`+metricSource+`"}}`, dims
	query, err := m.statement(s)
	if err != nil {
		return "", err
	}
	var columns []string
	for _, d := range dims {
		columns = append(columns, columnDDL(d.Name, d.Type, d.Comment))
	}
	for _, c := range m.Columns {
		columns = append(columns, columnDDL(c.Name, c.Type, c.Comment))
	}
	return fmt.Sprintf("CREATE OR REPLACE VIEW {{.Table %q}}{{.OnCluster}}\n(\n%s\n)\nDEFINER = CURRENT_USER SQL SECURITY DEFINER\nAS %s\nCOMMENT %s;\n",
		name, strings.Join(columns, ",\n"), query, literal(m.Definition)), nil
}

func columnDDL(name, kind, comment string) string {
	return "    " + name + " " + kind + " COMMENT " + literal(comment)
}

func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
