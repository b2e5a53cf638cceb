package connector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// configPrefix begins the name of every variable, for envconfig; with an underscore behind it, in the environment.
const configPrefix = "POSTCALL"

// maxSecretFile bounds what is read of a secret's file.
const maxSecretFile = 64 << 10

// LoadConfig reads the configuration from the environment of the process, which it does not change.
//
// It reports every problem at once, joined: each names its variable, what kind of value the variable takes, the bound
// that is broken and the cure, and never a value. An empty variable counts as unset. NAME_FILE gives a secret by a file.
// See ServiceLinks for what it overlooks.
func LoadConfig() (Config, error) {
	var c Config
	vars := variables(&c)
	errs := []error{}
	broken := map[string]bool{} // variables with an error already; not checked further
	for _, v := range vars {
		if err := v.load(); err != nil {
			errs = append(errs, err)
			broken[v.Key] = true
		}
	}
	c.webhookSecretFile = os.Getenv("POSTCALL_WEBHOOK_SECRET_FILE")
	c.consoleFile = os.Getenv("POSTCALL_CONSOLE_PASSWORD_FILE")
	errs = append(errs, unknownVariables(vars, os.Environ())...)
	errs = append(errs, c.check(broken)...)
	return c, errors.Join(errs...)
}

// variable is one leaf of Config.
type variable struct {
	Key     string `json:"name"`
	Type    string `json:"type"`
	Default string `json:"default"`
	Meaning string `json:"meaning"`
	Secret  bool   `json:"secret"` // NAME_FILE exists too

	prefix string // of Key, without the leaf's own part
	leaf   reflect.StructField
	field  reflect.Value
}

// variables lists the leaves of c in order, by the names that envconfig gives them.
func variables(c *Config) []variable {
	var table bytes.Buffer
	const row = "{{range .}}{{usage_key .}}\t{{usage_type .}}\n{{end}}"
	if err := envconfig.Usagef(configPrefix, c, &table, row); err != nil {
		panic("connector: Config is not a struct that envconfig takes: " + err.Error()) // a bug, seen by every test
	}
	vars := leaves(nil, configPrefix, reflect.ValueOf(c).Elem())
	for i, line := range strings.Split(strings.TrimSpace(table.String()), "\n") {
		vars[i].Key, vars[i].Type, _ = strings.Cut(line, "\t")
		vars[i].Type = typeName(vars[i].Type)
	}
	return vars
}

// leaves appends the fields of s that hold a value, depth first, as envconfig walks them.
func leaves(vars []variable, prefix string, s reflect.Value) []variable {
	for i := range s.NumField() {
		f := s.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			name := f.Tag.Get("envconfig")
			if name == "" {
				name = f.Name
			}
			vars = leaves(vars, prefix+"_"+strings.ToUpper(name), s.Field(i))
			continue
		}
		vars = append(vars, variable{
			Default: f.Tag.Get("default"),
			Meaning: f.Tag.Get("desc"),
			Secret:  f.Type == reflect.TypeFor[Secret](),
			prefix:  prefix,
			leaf:    f,
			field:   s.Field(i),
		})
	}
	return vars
}

// typeName says in one or two words what envconfig's description of a type says.
func typeName(described string) string {
	switch described {
	case "String":
		return "text"
	case "Float":
		return "number"
	case "Integer":
		return "whole number"
	case "True or False":
		return "true or false"
	case "ByteSize":
		return "size"
	case "Comma-separated list of String":
		return "list"
	}
	return strings.ToLower(described)
}

// load sets the field from the variable, or from its file, or from the default.
//
// It hands envconfig one leaf at a time, because envconfig.Process stops at the first error and lets an empty variable
// beat the default. Its errors quote the value, so nothing of them is kept.
func (v *variable) load() error {
	prefix := v.prefix
	if os.Getenv(v.Key) == "" {
		prefix = "=unset=" // no variable can have such a name: envconfig takes the default
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{{Name: v.leaf.Name, Type: v.leaf.Type, Tag: v.leaf.Tag}}))
	if err := envconfig.Process(prefix, one.Interface()); err != nil {
		return configProblem(v.Key, v.Type, "it can't be read as one", "write a "+v.Type+", "+example(v))
	}
	v.field.Set(one.Elem().Field(0))
	if list, ok := reflect.TypeAssert[[]string](v.field); ok {
		v.field.Set(reflect.ValueOf(trimList(list)))
	}
	if v.Secret {
		return v.loadSecret()
	}
	return nil
}

// example shows how a value is written, without quoting the one that is there.
func example(v *variable) string {
	if v.Default != "" {
		return "for example " + v.Default
	}
	return "or unset it"
}

// trimList drops blanks around the elements, and empty elements.
func trimList(list []string) []string {
	var kept []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// loadSecret takes the secret from its file where NAME_FILE is set, without the line break at its end.
func (v *variable) loadSecret() error {
	name := v.Key + "_FILE"
	path := os.Getenv(name)
	if path == "" {
		v.field.SetString(strings.TrimRight(v.field.String(), "\r\n"))
		return nil
	}
	if v.field.String() != "" {
		return configProblem(name, "path", v.Key+" is set too", "set one of the two")
	}
	text, err := readSecretFile(path)
	if err != nil {
		return configProblem(name, "path", err.Error(), "name a readable file that holds the secret and nothing else")
	}
	v.field.SetString(text)
	return nil
}

// readSecretFile reads a secret. Its errors hold neither the path (it may be a secret put into the wrong variable) nor
// the content.
func readSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fileProblem(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", fileProblem(err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case text == "":
		return "", errors.New("the file is empty")
	case len(data) > maxSecretFile:
		return "", fmt.Errorf("the file is larger than %d bytes", maxSecretFile)
	}
	return text, nil
}

func fileProblem(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("the file may not be read by this user")
	}
	return errors.New("the file can't be read")
}

// configProblem is the one form of a configuration error: variable, kind of value, what is wrong, cure.
func configProblem(key, kind, wrong, cure string) error {
	return fmt.Errorf("%s (%s): %s; %s", key, kind, wrong, cure)
}

// toolVariable matches the variables of the project's tools and tests, which are none of the connector's.
var toolVariable = regexp.MustCompile(`^POSTCALL_(CACHE|BIN|TEST_.*)$`)

// serviceLink matches what Kubernetes sets in every pod for a Service whose name begins with "postcall".
var serviceLink = regexp.MustCompile(`^POSTCALL_(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// isServiceLink reports whether an entry of the environment is one that Kubernetes made. POSTCALL_..._PORT is one only
// if it holds a URL such as tcp://10.0.0.1:8080: otherwise it is a mistake worth naming.
func isServiceLink(key, value string) bool {
	if !serviceLink.MatchString(key) {
		return false
	}
	if strings.Contains(key, "_PORT_") || !strings.HasSuffix(key, "_PORT") || strings.HasSuffix(key, "_SERVICE_PORT") {
		return true
	}
	scheme, _, found := strings.Cut(value, "://")
	return found && (scheme == "tcp" || scheme == "udp" || scheme == "sctp")
}

// ServiceLinks names the variables that Kubernetes made for Services called postcall*, in the form of NAME=VALUE entries
// handed in (os.Environ). LoadConfig overlooks them; `serve` and `doctor` warn and advise `enableServiceLinks: false`.
func ServiceLinks(environ []string) []string {
	var names []string
	for _, entry := range environ {
		if key, value, _ := strings.Cut(entry, "="); isServiceLink(key, value) {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	return names
}

// unknownVariables returns an error for every variable that begins with POSTCALL_ and means nothing. It stands in for
// envconfig.CheckDisallowed, which names the first one only.
func unknownVariables(vars []variable, environ []string) (errs []error) {
	var known []string
	for _, v := range vars {
		known = append(known, v.Key)
		if v.Secret {
			known = append(known, v.Key+"_FILE")
		}
	}
	environ = slices.Sorted(slices.Values(environ))
	for _, entry := range environ {
		key, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(key, configPrefix+"_") || slices.Contains(known, key) || toolVariable.MatchString(key) || isServiceLink(key, value) {
			continue
		}
		errs = append(errs, configProblem(key, "no variable of postcall", "nothing reads it", suggest(key, known)))
	}
	return errs
}

// suggest names the cure for an unknown variable.
func suggest(key string, known []string) string {
	if base, ok := strings.CutSuffix(key, "_FILE"); ok && slices.Contains(known, base) {
		return "only a secret can come from a file: set " + base
	}
	best, distance := "", 5 // a third of the shortest names
	for _, k := range known {
		if d := editDistance(key, k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "unset it; `postcall config` lists all variables"
}

// editDistance is the number of letters to insert, delete or replace to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
