package clickhouse

import (
	"fmt"
	"strings"
)

// metricViews returns the definitions of the views: a row for each tenant, day and key.
func metricViews() ([]source, error) {
	all := make([]source, len(Metrics))
	for i := range Metrics {
		text, err := Metrics[i].ddl()
		if err != nil {
			return nil, err
		}
		all[i] = newSource(0, Metrics[i].View(), text)
	}
	return all, nil
}

func (m *Metric) ddl() (string, error) {
	dims, err := m.dimensions([]string{"tenant", "day"})
	if err != nil {
		return "", err
	}
	query, err := m.statement(selection{table: `{{.Table "` + metricSource + `"}}`, dims: dims})
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
		m.View(), strings.Join(columns, ",\n"), query, literal(m.Definition)), nil
}

func columnDDL(name, kind, comment string) string {
	return "    " + name + " " + kind + " COMMENT " + literal(comment)
}

func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
