package helm

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// immutable are the fields that Kubernetes lets nobody change: a release that changed one could not be upgraded.
var immutable = map[string][]string{
	"StatefulSet":           {"spec.serviceName", "spec.podManagementPolicy", "spec.selector", "spec.volumeClaimTemplates"},
	"PersistentVolumeClaim": {"spec.accessModes", "spec.storageClassName"},
	"Service":               {"spec.clusterIP"},
}

// TestUpgradeFromEarlierReleases gives this chart what earlier ones were installed with: their ci/ files alone, and, as
// `helm upgrade --reuse-values` does, with their whole values.yaml in place of this one's.
func TestUpgradeFromEarlierReleases(t *testing.T) {
	releases, err := filepath.Glob("testdata/[0-9]*")
	if err != nil || len(releases) == 0 {
		t.Fatal("no earlier release", err)
	}
	for _, dir := range releases {
		old, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		reused := chartCopy(t, map[string]string{"values.yaml": string(old)})
		files, _ := filepath.Glob(filepath.Join(dir, "*-values.yaml"))
		if len(files) == 0 {
			t.Fatalf("%s has no values", dir)
		}
		for _, values := range files {
			before := manifests(t, strings.TrimSuffix(values, "-values.yaml")+".yaml")
			for _, chart := range []string{"postcall", reused} {
				out, stderr, err := helmChart(chart, "-f", values)
				if err != nil {
					t.Errorf("%s is refused: %s", values, stderr)
					continue
				}
				decoded(t, out)
				staysItself(t, values, before, parse(t, strings.NewReader(out)))
			}
		}
	}
}

func staysItself(t *testing.T, who string, before, after objects) {
	t.Helper()
	named := map[any]object{}
	for _, o := range after {
		named[o.kind()+"/"+o.at("metadata.name").(string)] = o
	}
	for _, o := range before {
		if o.at("metadata.annotations") != nil && o.object("metadata.annotations")["helm.sh/hook"] != nil {
			continue // made anew each time
		}
		name := o.kind() + "/" + o.at("metadata.name").(string)
		now := named[name]
		if now == nil {
			t.Errorf("%s: an upgrade removes %s", who, name)
			continue
		}
		for _, path := range immutable[o.kind()] {
			if was, is := o.at(path), now.at(path); !reflect.DeepEqual(was, is) {
				t.Errorf("%s: %s of %s was %v and is %v", who, path, name, was, is)
			}
		}
		// What a pod writes to and reads must lie where it lay.
		if o.kind() == "StatefulSet" {
			for _, path := range []string{"containers.0.volumeMounts.0", "volumes.0", "securityContext.runAsUser", "securityContext.fsGroup", "terminationGracePeriodSeconds"} {
				if was, is := o.pod().at(path), now.pod().at(path); !reflect.DeepEqual(was, is) {
					t.Errorf("%s: the pod's %s was %v and is %v", who, path, was, is)
				}
			}
			if was, is := o.pod().env(), now.pod().env(); !reflect.DeepEqual(was, is) {
				t.Errorf("%s: the pod's variables were %v and are %v", who, was, is)
			}
		}
	}
}

func manifests(t *testing.T, file string) objects {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return parse(t, f)
}

func parse(t *testing.T, r io.Reader) (all objects) {
	t.Helper()
	for d := yaml.NewDecoder(r); ; {
		var o map[string]any // so that the maps inside it are of this type too
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if o != nil {
			all = append(all, o)
		}
	}
}
