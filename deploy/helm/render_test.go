package helm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a part of a manifest.
type object map[string]any

type objects []object

// helm renders the chart with HELM, which `make helm` sets, or the helm of the path.
func helm(args ...string) (stdout, stderr string, err error) {
	return helmChart("postcall", args...)
}

func helmChart(chart string, args ...string) (string, string, error) {
	bin := os.Getenv("HELM")
	if bin == "" {
		bin = "helm"
	}
	cmd := exec.Command(bin, append([]string{"template", "release", chart, "--namespace", "calls", "--kube-version", "1.37.0"}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	return out.String(), errOut.String(), err
}

func render(t *testing.T, args ...string) objects {
	t.Helper()
	out, stderr, err := helm(args...)
	if err != nil {
		t.Fatalf("helm template %v: %v\n%s(make helm installs helm; HELM names another)", args, err, stderr)
	}
	return parse(t, strings.NewReader(out))
}

// chartCopy is the chart with other or more files.
func chartCopy(t *testing.T, files map[string]string) string {
	t.Helper()
	chart := filepath.Join(t.TempDir(), "postcall")
	if err := os.CopyFS(chart, os.DirFS("postcall")); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(chart, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return chart
}

// notes renders NOTES.txt, which `helm template` leaves out, by a copy of the chart that has it in a manifest.
func notes(t *testing.T, values string, args ...string) string {
	t.Helper()
	chart := chartCopy(t, map[string]string{
		"templates/notes.yaml": `notes: {{ include (print .Template.BasePath "/NOTES.txt") . | quote }}`,
	})
	out, stderr, err := helmChart(chart, append([]string{"-f", values, "--show-only", "templates/notes.yaml"}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	var o struct{ Notes string }
	if err := yaml.Unmarshal([]byte(out), &o); err != nil {
		t.Fatal(err)
	}
	return o.Notes
}

func ciFiles(t *testing.T) map[string]bool {
	t.Helper()
	names, err := filepath.Glob("postcall/ci/*-values.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no ci files", err)
	}
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	return all
}

func (all objects) one(t *testing.T, kind string) object {
	t.Helper()
	var found objects
	for _, o := range all {
		if o.kind() == kind {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of kind %s, want 1", len(found), kind)
	}
	return found[0]
}

// serve is the pod of `postcall serve`, in whichever mode.
func (all objects) serve(t *testing.T) object {
	t.Helper()
	for _, o := range all {
		if o.component() == "connector" {
			return o.pod()
		}
	}
	t.Fatal("nothing serves")
	return nil
}

func (o object) kind() string {
	kind, _ := o["kind"].(string)
	return kind
}

// at follows a path such as spec.ports.0.name, and is nil where it leads nowhere.
func (o object) at(path string) any {
	var v any = map[string]any(o)
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (o object) object(path string) object {
	v, _ := o.at(path).(map[string]any)
	return v
}

func (o object) list(path string) []any {
	list, _ := o.at(path).([]any)
	return list
}

// pod is the pod's spec of whatever makes one, else nil.
func (o object) pod() object {
	if o.kind() == "Pod" {
		return o.object("spec")
	}
	if o.kind() == "CronJob" {
		return o.object("spec.jobTemplate.spec.template.spec")
	}
	return o.object("spec.template.spec")
}

// env is the environment of a pod's container.
func (o object) env() map[string]string {
	all := map[string]string{}
	for _, e := range o.list("containers.0.env") {
		v := e.(map[string]any)
		all[v["name"].(string)], _ = v["value"].(string)
	}
	return all
}

// secretFiles tells, by file name, which secret and key a pod mounts.
func (o object) secretFiles() map[string]string {
	all := map[string]string{}
	for _, v := range o.list("volumes") {
		for _, s := range object(v.(map[string]any)).list("projected.sources") {
			secret := object(s.(map[string]any)).object("secret")
			item := secret.object("items.0")
			all[item["path"].(string)] = secret["name"].(string) + "/" + item["key"].(string)
		}
	}
	return all
}

func covers(labels, selector map[string]any) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}
