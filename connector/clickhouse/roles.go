package clickhouse

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"

	"github.com/postcall/postcall/connector"
)

//go:embed roles.sql
var rolesSQL string

// rights fill the template of roles.
type rights struct {
	target

	Database string
	Views    []string
	System   []string // system tables that postcall reads
}

// Roles returns the SQL with which an administrator makes roles for migrating, writing and reading: readers see the views
// and none of the tables. It connects to nothing, and holds no password.
func Roles(cfg connector.ClickHouseConfig) (string, error) {
	if !databaseRE.MatchString(cfg.Database) {
		return "", fmt.Errorf("POSTCALL_CLICKHOUSE_DATABASE must consist of letters, digits and underscores")
	}
	srcs, err := views()
	if err != nil {
		return "", err
	}
	r := rights{
		target: target{cfg.Database, layoutOf(cfg)}, Database: cfg.Database,
		System: []string{"databases", "tables", "columns", "settings", "mutations"},
	}
	for _, s := range srcs {
		r.Views = append(r.Views, s.name)
	}
	t, err := template.New("roles").Option("missingkey=error").Parse(rolesSQL)
	if err != nil {
		return "", fmt.Errorf("roles: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, &r); err != nil {
		return "", fmt.Errorf("roles: %w", err)
	}
	return b.String(), nil
}
