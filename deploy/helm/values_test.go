package helm

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the table of postcall/README.md")

// fixed are the variables that no value sets: the chart knows them, or has no use for them yet.
var fixed = map[string]string{
	"POSTCALL_HTTP_ADDR":      "the container's port",
	"POSTCALL_ADMIN_ADDR":     "the container's port",
	"POSTCALL_API_ADDR":       "the container's port",
	"POSTCALL_API_ADMIN_ADDR": "the container's port",
	"POSTCALL_DATA_DIR":       "the volume",
}

// files are the variables whose value is a file that the chart mounts.
var files = map[string]string{"POSTCALL_TOPICS": "files.topics", "POSTCALL_REDACT_POLICY": "files.redactPolicy", "POSTCALL_PLUGINS": "files.plugins", "POSTCALL_ELASTICSEARCH_SYNONYMS": "files.synonyms", "POSTCALL_SOURCES": "files.sources", "POSTCALL_API_TOKENS": "secrets.apiTokens.existingSecret"}

// variable is a leaf of the program's configuration.
type variable struct{ name, typ, preset string }

func TestEveryVariableHasItsValue(t *testing.T) {
	values := leaves(t)
	known := map[string]bool{}
	for _, v := range variables(t) {
		known[v.name] = true
		key := valueOf(v)
		if _, ok := values[key]; !ok && fixed[v.name] == "" {
			t.Errorf("%s has no value %s", v.name, key)
		}
	}
	set := map[string]bool{}
	for name := range ciFiles(t) {
		for _, o := range render(t, "-f", name) {
			for variable := range o.pod().env() {
				variable = strings.TrimSuffix(variable, "_FILE")
				set[variable] = true
				if strings.HasPrefix(variable, "POSTCALL_") && !known[variable] {
					t.Errorf("%s: the chart sets %s, which the program does not know", name, variable)
				}
			}
		}
	}
	for name := range known {
		if !set[name] {
			t.Errorf("no file in ci/ sets %s", name)
		}
	}
}

func TestValuesStateTheProgramsDefaults(t *testing.T) {
	values, docs := leaves(t), documented(t)
	stated := regexp.MustCompile("empty means `?([^`]+?)`?\\.(?: |$)")
	for _, v := range variables(t) {
		key := valueOf(v)
		if !strings.HasPrefix(key, "config.") || fixed[v.name] != "" || v.name == "POSTCALL_CLICKHOUSE_ADDR" || v.name == "POSTCALL_ELASTICSEARCH_URL" {
			continue
		}
		value := asVariable(values[key])
		if value != "" && value != v.preset && v.preset != "false" {
			t.Errorf("%s is %q, the program's default is %q", key, value, v.preset)
		}
		m := stated.FindStringSubmatch(docs[key])
		if value == "" && v.preset != "" && v.preset != "0" && v.preset != "false" &&
			(m == nil || strings.ReplaceAll(m[1], " and ", ",") != v.preset) {
			t.Errorf("%s says %q, the program's default is %q", key, docs[key], v.preset)
		}
	}
}

func TestAnEmptyValueIsNoVariable(t *testing.T) {
	want := []string{
		"POSTCALL_ADMIN_ADDR", "POSTCALL_BATCH_DEAD_BYTES", "POSTCALL_BATCH_MAX_BYTES", "POSTCALL_CLICKHOUSE_ADDR",
		"POSTCALL_DATA_DIR", "POSTCALL_ELASTICSEARCH_URL", "POSTCALL_HTTP_ADDR", "POSTCALL_INTAKE_MAX_BYTES",
		"POSTCALL_REDACT_KEY_FILE", "POSTCALL_SHUTDOWN_TIMEOUT", "POSTCALL_SINKS", "POSTCALL_WEBHOOK_SECRET_FILE",
	}
	env := render(t, "-f", minimal).one(t, "StatefulSet").pod().env()
	if got := slices.Sorted(maps.Keys(env)); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for name, value := range env {
		if value == "" {
			t.Errorf("%s is empty", name)
		}
	}
}

func TestSecretsAreFiles(t *testing.T) {
	for name := range ciFiles(t) {
		for _, o := range render(t, "-f", name) {
			env, mounted := o.pod().env(), o.pod().secretFiles()
			for _, v := range variables(t) {
				if v.typ != "Secret" {
					continue
				}
				if _, ok := env[v.name]; ok {
					t.Errorf("%s: %s is in the environment", name, v.name)
				}
				if path, ok := env[v.name+"_FILE"]; ok && mounted[strings.TrimPrefix(path, "/etc/postcall/secrets/")] == "" {
					t.Errorf("%s: %s_FILE is %s, where nothing is mounted: %v", name, v.name, path, mounted)
				}
			}
		}
	}
}

func TestEveryValueIsDocumented(t *testing.T) {
	docs, values := documented(t), leaves(t)
	for key := range values {
		if docs[key] == "" {
			t.Errorf("values.yaml: %s has no `# %s -- text`", key, key)
		}
	}
	for key := range docs {
		if _, ok := values[key]; !ok {
			t.Errorf("values.yaml documents %s, which is no value", key)
		}
	}
}

func TestREADMEHasTheValues(t *testing.T) {
	const file, begin, end = "postcall/README.md", "<!-- values -->\n", "<!-- /values -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), begin)
	_, tail, found2 := strings.Cut(rest, end)
	if !found || !found2 {
		t.Fatalf("%s has no place for the table: %q and %q", file, begin, end)
	}
	if want := head + begin + table(t) + end + tail; want != string(text) {
		if !*update {
			t.Fatalf("%s is stale: (cd deploy/helm && go test -run README -update)", file)
		}
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // a page that everybody may read
			t.Fatal(err)
		}
	}
}

func table(t *testing.T) string {
	docs, values := documented(t), leaves(t)
	var b strings.Builder
	b.WriteString("| value | default | meaning |\n|---|---|---|\n")
	for _, c := range comments(t) {
		key := c[0]
		preset := ""
		if v := values[key]; v != nil && v != "" && !reflect.ValueOf(v).IsZero() {
			preset = fmt.Sprintf("`%s`", inline(v))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, preset, strings.ReplaceAll(docs[key], "|", "\\|"))
	}
	return b.String()
}

func inline(v any) string {
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		return err.Error()
	}
	n.Style = yaml.FlowStyle
	out, err := yaml.Marshal(&n)
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// variables reads the program's configuration as envconfig does, from its source: the chart's tests need no build of it.
func variables(t *testing.T) []variable {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../connector/config.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	structs := map[string]*ast.StructType{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = s
			}
		}
		return true
	})
	var all []variable
	var walk func(prefix, name string)
	walk = func(prefix, name string) {
		for _, f := range structs[name].Fields.List {
			tag := reflect.StructTag("")
			if f.Tag != nil {
				tag = reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
			}
			typ := ""
			if id, ok := f.Type.(*ast.Ident); ok {
				typ = id.Name
			}
			for _, id := range f.Names {
				if !id.IsExported() {
					continue
				}
				key := prefix + "_" + envName(id.Name, tag)
				if structs[typ] != nil {
					walk(key, typ)
				} else {
					all = append(all, variable{key, typ, tag.Get("default")})
				}
			}
		}
	}
	walk("POSTCALL", "Config")
	return all
}

var words = regexp.MustCompile(`([A-Z]+)([A-Z][a-z]+)|([a-z0-9])([A-Z])`)

func envName(field string, tag reflect.StructTag) string {
	if name := tag.Get("envconfig"); name != "" {
		return name
	}
	if tag.Get("split_words") == "true" {
		field = words.ReplaceAllString(field, "${1}${3}_${2}${4}")
	}
	return strings.ToUpper(field)
}

var groups = regexp.MustCompile(`^(http|nats|intake|batch|transform|clickhouse|elasticsearch|api)_`)

// valueOf is the key of the value that sets a variable.
func valueOf(v variable) string {
	if key := files[v.name]; key != "" {
		return key
	}
	key := strings.ToLower(strings.TrimPrefix(v.name, "POSTCALL_"))
	if v.typ == "Secret" {
		return "secrets." + camel(key) + ".existingSecret"
	}
	if group := groups.FindString(key); group != "" {
		return "config." + strings.TrimSuffix(group, "_") + "." + camel(strings.TrimPrefix(key, group))
	}
	return "config." + camel(key)
}

func camel(snake string) string {
	parts := strings.Split(snake, "_")
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
	}
	return strings.Join(parts, "")
}

func asVariable(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case []any:
		var parts []string
		for _, e := range x {
			parts = append(parts, fmt.Sprint(e))
		}
		return strings.Join(parts, ",")
	default:
		return fmt.Sprint(x)
	}
}

// A comment stands above its value, or behind it where both fit into a line.
var doc = regexp.MustCompile(`(?m)^(?: *# ([a-zA-Z.]+) -- (.*(?:\n *# .*)*)| *\w+: .*  # ([a-zA-Z.]+) -- (.*))$`)

// comments are the `# key -- text` of values.yaml in their order, each as key and text.
func comments(t *testing.T) (all [][2]string) {
	t.Helper()
	for _, m := range doc.FindAllStringSubmatch(valuesFile(t), -1) {
		all = append(all, [2]string{m[1] + m[3], regexp.MustCompile(`\n *# `).ReplaceAllString(m[2]+m[4], " ")})
	}
	return all
}

// documented are those comments by key.
func documented(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, c := range comments(t) {
		all[c[0]] = c[1]
	}
	return all
}

// leaves are the values by their path. A map counts as one value where it has a comment of its own.
func leaves(t *testing.T) map[string]any {
	t.Helper()
	var values map[string]any
	if err := yaml.Unmarshal([]byte(valuesFile(t)), &values); err != nil {
		t.Fatal(err)
	}
	docs, all := documented(t), map[string]any{}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for k, v := range m {
			if sub, ok := v.(map[string]any); ok && docs[prefix+k] == "" {
				walk(prefix+k+".", sub)
			} else {
				all[prefix+k] = v
			}
		}
	}
	walk("", values)
	return all
}

func valuesFile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("postcall/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
