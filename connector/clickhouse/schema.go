package clickhouse

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// DedupWindow is how many inserts calls_raw remembers the tokens of. It must cover every sealed message that can exist.
const DedupWindow = 100_000

// dedupWindowAge is how long a replicated calls_raw remembers a token: longer than any backlog is meant to wait.
const dedupWindowAge = 30 * 24 * time.Hour

//go:embed migrations/*.sql views/*.sql
var files embed.FS

// source is an embedded migration, or the definition of a view.
type source struct {
	version  int // 0 of a view
	name     string
	checksum string // of the text as embedded: it doesn't depend on database or layout
	text     string
}

// sources returns the embedded migrations in order; the first one makes schema_migrations and has version 0. Numbers can
// be left out, so that work on several of them need not wait: what is pending is applied, whatever number it has.
func sources() ([]source, error) {
	entries, err := fs.ReadDir(files, "migrations")
	if err != nil {
		return nil, err
	}
	all := make([]source, 0, len(entries))
	for _, entry := range entries {
		text, err := files.ReadFile("migrations/" + entry.Name())
		if err != nil {
			return nil, err
		}
		num, name, _ := strings.Cut(strings.TrimSuffix(entry.Name(), ".sql"), "_")
		version, err := strconv.Atoi(num)
		if err != nil || len(all) == 0 && version != 0 || len(all) > 0 && version <= all[len(all)-1].version {
			return nil, fmt.Errorf("migrations/%s has no number of its own, as 0005_name.sql has", entry.Name())
		}
		all = append(all, newSource(version, name, string(text)))
	}
	return all, nil
}

// views returns the definitions of the views in the order in which they are made: views/*.sql, then the metrics, which
// read them.
func views() ([]source, error) {
	paths, err := fs.Glob(files, "views/*.sql")
	if err != nil {
		return nil, err
	}
	var all []source
	for _, p := range paths {
		text, err := files.ReadFile(p)
		if err != nil {
			return nil, err
		}
		all = append(all, newSource(0, strings.TrimSuffix(path.Base(p), ".sql"), string(text)))
	}
	metrics, err := metricViews()
	return append(all, metrics...), err
}

func newSource(version int, name, text string) source {
	sum := sha256.Sum256([]byte(text))
	return source{version, name, hex.EncodeToString(sum[:]), text}
}

// String names it as the commands print it.
func (s source) String() string { return title(s.version, s.name) }

func title(version int, name string) string {
	if version == 0 {
		return "view " + name
	}
	return fmt.Sprintf("migration %d (%s)", version, name)
}

// target fills the templates of migrations.
type target struct {
	database string
	layout   Layout
}

// Table returns a table's qualified name.
func (t target) Table(name string) string { return t.database + "." + name }

// Window returns the deduplication window in inserts.
func (target) Window() int { return DedupWindow }

// WindowSeconds returns it in seconds, for replicated tables.
func (target) WindowSeconds() int { return int(dedupWindowAge.Seconds()) }

// render returns the statements of a migration. A statement ends with a semicolon at the end of a line.
func (t target) render(src source) ([]string, error) {
	tmpl, err := template.New(src.name).Option("missingkey=error").Parse(src.text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src, err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, t); err != nil {
		return nil, fmt.Errorf("%s: %w", src, err)
	}
	var statements []string
	for s := range strings.SplitSeq(b.String(), ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			statements = append(statements, strings.TrimSpace(t.fit(s)))
		}
	}
	return statements, nil
}
