package helm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestClusterMode(t *testing.T) {
	objects := render(t, "-f", "postcall/ci/cluster-values.yaml")
	for _, o := range objects {
		if o.kind() == "StatefulSet" || o.kind() == "PersistentVolumeClaim" {
			t.Errorf("mode cluster makes a %s", o.kind())
		}
	}
	d := objects.one(t, "Deployment")
	if d.at("spec.replicas") != nil {
		t.Error("the Deployment says how many pods there are, which is the autoscaler's to say")
	}
	if got := d.at("spec.strategy.rollingUpdate.maxUnavailable"); got != 0 {
		t.Errorf("an upgrade takes %v pods away first", got)
	}
	hpa := objects.one(t, "HorizontalPodAutoscaler")
	if got := hpa.at("spec.scaleTargetRef.name"); got != d.at("metadata.name") || hpa.at("spec.maxReplicas") != 10 {
		t.Errorf("the autoscaler is about %v", hpa["spec"])
	}
	env := d.pod().env()
	for name, want := range map[string]string{
		"POSTCALL_NATS_URL": "tls://nats-0.nats:4222,tls://nats-1.nats,tls://nats-2.nats:4223", "POSTCALL_NATS_CREDS_PATH": "/etc/postcall/nats/user.creds",
		"POSTCALL_NATS_CA_PATH": "/etc/postcall/nats/ca.crt", "POSTCALL_HTTP_CERT_PATH": "/etc/postcall/tls/tls.crt", "POSTCALL_DATA_DIR": "",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	if n := len(d.pod().list("topologySpreadConstraints")); n != 2 {
		t.Errorf("%d topology spread constraints, want 2", n)
	}
	if got := objects.one(t, "PodDisruptionBudget").at("spec.maxUnavailable"); got != 1 {
		t.Errorf("a drain may take %v pods at once", got)
	}

	objects = render(t, "-f", "postcall/ci/sources-values.yaml")
	if got := objects.one(t, "Deployment").at("spec.replicas"); got != 3 {
		t.Errorf("%v pods without an autoscaler, want 3", got)
	}
}

func TestCertificateIsUsed(t *testing.T) {
	f := func(file string, dns any, pod, ingress bool) {
		t.Helper()
		objects := render(t, "-f", file)
		c := objects.one(t, "Certificate")
		if c.at("spec.dnsNames.0") != dns {
			t.Errorf("%s: for %v, want %v", file, c.at("spec.dnsNames"), dns)
		}
		secret := fmt.Sprint(c.at("spec.secretName"))
		if got := strings.Contains(fmt.Sprint(objects.serve(t).list("volumes")), "secretName:"+secret); got != pod {
			t.Errorf("%s: the pod has the certificate: %t", file, got)
		}
		if ingress && objects.one(t, "Ingress").at("spec.tls.0.secretName") != secret {
			t.Errorf("%s: the Ingress has another certificate than %s", file, secret)
		}
	}
	f("postcall/ci/cluster-values.yaml", "calls.example.com", true, false)
	f("postcall/ci/sources-values.yaml", "calls.example.com", false, true)
}

func TestRouteLetsTheWebhookIn(t *testing.T) {
	route := render(t, "-f", "postcall/ci/cluster-values.yaml").one(t, "HTTPRoute")
	for path, want := range map[string]any{
		"spec.parentRefs.0.name": "edge", "spec.hostnames.0": "calls.example.com", "spec.rules.0.backendRefs.0.name": "release-postcall",
		"spec.rules.0.backendRefs.0.port": 80, "spec.rules.0.matches.0.path.value": "/phonely/webhook", "spec.rules.0.matches.0.path.type": "Exact",
		"spec.rules.0.matches.1.path.value": "/hooks",
	} {
		if got := route.at(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
}

// Own plugins come beside the shipped ones before the program starts, by their own lock file, and the program looks there.
func TestOwnPlugins(t *testing.T) {
	for file, want := range map[string][]string{
		"postcall/ci/own-plugins-values.yaml":  {"cp -r /plugins/. /opt/postcall/own/", "plugin install --from /opt/postcall/own /opt/postcall/plugins"},
		"postcall/ci/image-volume-values.yaml": {"plugin install --from /opt/postcall/own/plugins /opt/postcall/plugins"},
	} {
		objects := render(t, "-f", file)
		for _, pod := range []object{objects.serve(t), objects.one(t, "Pod").pod()} {
			if got := pod.env()["POSTCALL_PLUGIN_DIR"]; got != "/opt/postcall/plugins" {
				t.Errorf("%s: POSTCALL_PLUGIN_DIR is %q", file, got)
			}
			var did []string
			for _, c := range pod.list("initContainers") {
				c := object(c.(map[string]any))
				did = append(did, strings.Trim(fmt.Sprint(append(c.list("command"), c.list("args")...)), "[]"))
			}
			if !slices.Equal(did, want) {
				t.Errorf("%s: it runs %q first, want %q", file, did, want)
			}
		}
		if n := len(objects.one(t, "Job").pod().list("initContainers")); n != 0 {
			t.Errorf("%s: the migration, which runs no plugin, copies some", file)
		}
	}
	volumes := render(t, "-f", "postcall/ci/image-volume-values.yaml").serve(t).list("volumes")
	if !strings.Contains(fmt.Sprint(volumes), "reference:registry.example.com/postcall-plugins@sha256:0123") {
		t.Errorf("the image is not mounted: %v", volumes)
	}
}

func TestMappingsLieBesideTheSources(t *testing.T) {
	data := render(t, "-f", "postcall/ci/sources-values.yaml").one(t, "ConfigMap").object("data")
	if data["clinic.jq"] != "{callId: .id}\n" || !strings.Contains(fmt.Sprint(data["sources.yaml"]), "mapping: clinic.jq") {
		t.Errorf("%v", data)
	}
}

// The test's first container looks, the second one delivers.
func TestHelmTestDelivers(t *testing.T) {
	f := func(file string, want ...string) {
		t.Helper()
		var got []string
		for _, c := range render(t, "-f", file).one(t, "Pod").pod().list("containers") {
			for _, a := range object(c.(map[string]any)).list("args") {
				got = append(got, fmt.Sprint(a))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", file, got, want)
		}
	}
	f(minimal, "doctor", "--running", "send", "--verify", "--verify-timeout=60s", "--url=http://release-postcall:80/phonely/webhook", "--as=phonely", "--test")
	f("postcall/ci/cluster-values.yaml", "doctor", "--running", "send", "--verify", "--verify-timeout=60s", "--url=https://release-postcall:80/phonely/webhook",
		"--as=phonely", "--test", "--server-name=calls.example.com", "--ca=/etc/postcall/tls/ca.crt")
	f("postcall/ci/sources-values.yaml", "doctor", "--running", "send", "--verify", "--verify-timeout=60s", "--url=http://release-postcall:80/hooks/retell",
		"--source=retell", "--as=retell")
}

// Stakater's Reloader restarts for what is read once, and not for what postcall reads again by itself.
func TestReloader(t *testing.T) {
	got := render(t, "-f", "postcall/ci/cluster-values.yaml", "--set", "secrets.webhookSecret.existingSecret=phonely").
		one(t, "Deployment").object("metadata.annotations")["secret.reloader.stakater.com/reload"]
	if got != "nats-tls,nats-user,postcall,stores" {
		t.Errorf("it restarts for %v", got)
	}
	if a := render(t, "-f", minimal).one(t, "StatefulSet").at("metadata.annotations"); a != nil {
		t.Errorf("annotations %v", a)
	}
}
