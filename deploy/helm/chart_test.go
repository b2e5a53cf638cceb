package helm

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const minimal = "postcall/ci/default-values.yaml"

// kinds is everything the chart may make.
var kinds = []string{
	"Certificate", "ConfigMap", "CronJob", "Deployment", "HTTPRoute", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy",
	"PersistentVolumeClaim", "Pod", "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet",
}

func TestEveryCIFileRenders(t *testing.T) {
	for name := range ciFiles(t) {
		for _, o := range render(t, "-f", name) {
			if !slices.Contains(kinds, o.kind()) {
				t.Errorf("%s: makes a %s", name, o.kind())
			}
			if o.kind() == "Secret" {
				t.Errorf("%s: a Secret in a manifest", name)
			}
		}
	}
}

// refusing returns a check that the chart refuses values, given on top of a file's, with a message that quotes no secret.
func refusing(t *testing.T, file string) func(want string, args ...string) {
	return func(want string, args ...string) {
		t.Helper()
		_, stderr, err := helm(append([]string{"-f", file}, args...)...)
		if err == nil || !strings.Contains(stderr, want) || strings.Contains(stderr, "hunter2") {
			t.Errorf("%v: refused = %t, want a message with %q, got:\n%s", args, err != nil, want, stderr)
		}
	}
}

func TestWrongValuesAreRefusedByTheirKey(t *testing.T) {
	f := refusing(t, minimal)
	f("secrets.webhookSecret.existingSecret is empty", "--set", "secrets.webhookSecret.existingSecret=")
	f("secrets.redactKey.existingSecret is empty", "--set", "secrets.redactKey.existingSecret=")
	f("config.clickhouse.addr is empty", "--set", "config.clickhouse.addr=null")
	f("config.elasticsearch.url is empty", "--set", "config.elasticsearch.url=null")
	f("config.elasticsearch.url holds credentials", "--set", "config.elasticsearch.url={https://me:hunter2@es:9200}")
	f("secrets.elasticsearchApiKey.existingSecret is set beside a user",
		"--set", "secrets.elasticsearchApiKey.existingSecret=a,config.elasticsearch.username=b")
	f("config.elasticsearch.username is empty", "--set", "secrets.elasticsearchPassword.existingSecret=a")
	f("persistence.size is 5Gi: make it 7831Mi", "--set", "persistence.size=5Gi")
	f("ingress.host is empty", "--set", "ingress.enabled=true")
	f("extraEnv has POSTCALL_RETAIN", "--set", "extraEnv[0].name=POSTCALL_RETAIN,extraEnv[0].value=1h")
	f("additional properties 'retian' not allowed", "--set", "config.retian=1h")
	f("replicas is set in mode embedded", "--set", "replicas=2")
	f("additional properties 'value' not allowed", "--set", "secrets.webhookSecret.value=hunter2")
	f("at '/config/retain'", "--set", "config.retain=1day")
	f("at '/config/batch/maxEvents'", "--set", "config.batch.maxEvents=0")
	f("at '/config/batch/maxEvents'", "--set", "config.batch.maxEvents=100001")
	f("at '/config/batch/maxBytes'", "--set", "config.batch.maxBytes=")
	f("at '/config/clickhouse/addr/0'", "--set", "config.clickhouse.addr={clickhouse}")
	f("at '/config/sinks/0'", "--set", "config.sinks={kafka}")
	f("at '/persistence/accessMode'", "--set", "persistence.accessMode=ReadWriteMany")
	f("at '/config/shutdownTimeout'", "--set", "config.shutdownTimeout=1h")
	f("at '/image/tag'", "--set", "image.tag=1")
	f("retention.schedule is set and nothing is old", "--set", "retention.schedule=17 3 * * *")
	f("at '/retention/schedule'", "--set", "retention.schedule=daily")
	f("config.nats.url is empty", "--set", "mode=cluster")
	f("config.nats.url is set in mode embedded", "--set", "config.nats.url=nats://n:4222")
	f("secrets.encryptionKey.existingSecret is set in mode cluster", "--set", "mode=cluster,config.nats.url=nats://n:4222,secrets.encryptionKey.existingSecret=a")
	f("config.nats.url holds credentials", "--set", "mode=cluster,config.nats.url=nats://me:hunter2@n:4222")
	f("config.nats.credsPath is set beside nats.credentials.existingSecret",
		"--set", "mode=cluster,config.nats.url=nats://n:4222,config.nats.credsPath=/a,nats.credentials.existingSecret=b")
	f("tls.existingSecret is empty", "--set", "tls.enabled=true")
	f("config.http.certPath is set beside tls.enabled", "--set", "tls.enabled=true,tls.existingSecret=a,config.http.certPath=/a")
	f("certificate.issuer.name is empty", "--set", "certificate.enabled=true,certificate.dnsNames={a.example}")
	f("certificate.dnsNames is empty", "--set", "certificate.enabled=true,certificate.issuer.name=a")
	f("gateway.parentRefs is empty", "--set", "gateway.enabled=true")
	f("plugins.image.digest is empty", "--set", "plugins.image.repository=a")
	f("config.pluginDir is set beside plugins.image.repository", "--set", "plugins.image.repository=a,plugins.image.tag=b,config.pluginDir=/c")
	f("plugins.mount is imageVolume, which Kubernetes v1.30.0 does not have",
		"--kube-version", "1.30.0", "--set", "plugins.image.repository=a,plugins.image.tag=b,plugins.mount=imageVolume")
	f("assets.kibana.url is empty", "--set", "assets.kibana.enabled=true")
	f("assets.kibana.url holds credentials", "--set", "assets.kibana.enabled=true,assets.kibana.url=https://me:hunter2@kibana")
	f("autoscaling.maxReplicas is below autoscaling.minReplicas", "--set", "autoscaling.maxReplicas=1")
	f("at '/mode'", "--set", "mode=clustered")
	f("at '/gateway/parentRefs/0'", "--set", "gateway.parentRefs[0].nam=edge")
	f("at '/files/mappings'", "--set", `files.mappings.clinic\.txt=.`)
	f("at '/plugins/mount'", "--set", "plugins.mount=hostPath")
	f("additional properties 'memory' not allowed", "--set", "resources.memory=1Gi")
	f("at '/migrations/config/clickhouse'", "--set", "migrations.config.clickhouse.user=x")
}

func TestARefusalDoesNotPrintCredentials(t *testing.T) {
	_, stderr, err := helm("-f", minimal, "--set", "config.elasticsearch.url={https://me:hunter2@es:9200}",
		"--set", "assets.kibana.enabled=true,assets.kibana.url=https://me:hunter2@kibana",
		"--set", "mode=cluster,config.nats.url=nats://me:hunter2@n:4222")
	if err == nil || strings.Count(stderr, "holds credentials") != 3 || strings.Contains(stderr, "hunter2") {
		t.Errorf("the password is in the message, or something is taken:\n%s", stderr)
	}
}

// Restricted is what Kubernetes says of a pod (TestPodSecurity); these are beyond it.
func TestPodsAreConfined(t *testing.T) {
	for name := range ciFiles(t) {
		for _, o := range render(t, "-f", name) {
			pod := o.pod()
			if pod == nil {
				continue
			}
			who := name + " " + o.kind()
			for path, want := range map[string]any{
				"enableServiceLinks":           false,
				"automountServiceAccountToken": false,
				"securityContext.runAsUser":    65532,
			} {
				if got := pod.at(path); got != want {
					t.Errorf("%s: %s = %v, want %v", who, path, got, want)
				}
			}
			for _, c := range append(pod.list("initContainers"), pod.list("containers")...) {
				c := object(c.(map[string]any))
				if got := c.at("securityContext.readOnlyRootFilesystem"); got != true {
					t.Errorf("%s: %s writes to its root", who, c["name"])
				}
				if c["command"] != nil && c["name"] != "own-plugins" {
					t.Errorf("%s: %s has a command of its own: the image has no shell", who, c["name"])
				}
			}
		}
	}
}

func TestOneWriter(t *testing.T) {
	objects := render(t, "-f", minimal)
	set := objects.one(t, "StatefulSet")
	for path, want := range map[string]any{"spec.replicas": 1, "spec.podManagementPolicy": "Parallel"} {
		if got := set.at(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	claim := objects.one(t, "PersistentVolumeClaim")
	if got := claim.at("spec.accessModes.0"); got != "ReadWriteOncePod" {
		t.Errorf("access mode %v", got)
	}
	if got := claim.object("metadata.annotations")["helm.sh/resource-policy"]; got != "keep" {
		t.Errorf("an uninstall deletes the volume: policy %v", got)
	}
	if got, want := set.at("spec.template.spec.volumes.0.persistentVolumeClaim.claimName"), claim.at("metadata.name"); got != want {
		t.Errorf("the pod uses the claim %v, the chart makes %v", got, want)
	}
}

func TestGracePeriodCoversTheShutdown(t *testing.T) {
	f := func(want int, timeout string, preStop int) {
		t.Helper()
		pod := render(t, "-f", minimal, "--set",
			fmt.Sprintf("config.shutdownTimeout=%s,preStopSeconds=%d", timeout, preStop)).one(t, "StatefulSet").pod()
		if got := pod.at("terminationGracePeriodSeconds"); got != want {
			t.Errorf("grace period %v, want %d", got, want)
		}
		if got := pod.env()["POSTCALL_SHUTDOWN_TIMEOUT"]; got != timeout {
			t.Errorf("the program has %q, want %q", got, timeout)
		}
		if got := pod.at("containers.0.lifecycle.preStop.sleep.seconds"); preStop > 0 && got != preStop || preStop == 0 && got != nil {
			t.Errorf("pause of %v s, want %d", got, preStop)
		}
	}
	f(45, "30s", 5)
	f(130, "2m", 0)
}

func TestProbes(t *testing.T) {
	c := render(t, "-f", minimal).one(t, "StatefulSet").pod()
	for probe, path := range map[string]string{"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"} {
		get := c.object("containers.0." + probe + "Probe.httpGet")
		if get["path"] != path || get["port"] != "admin" {
			t.Errorf("%s asks %v", probe, get)
		}
	}
}

func TestOnlyTheWebhookIsExposed(t *testing.T) {
	objects := render(t, "-f", "postcall/ci/full-values.yaml")
	ingress := objects.one(t, "Ingress")
	for path, want := range map[string]any{
		"spec.rules.0.http.paths.0.path":                      "/phonely/webhook",
		"spec.rules.0.http.paths.0.pathType":                  "Exact",
		"spec.rules.0.http.paths.0.backend.service.name":      "calls",
		"spec.rules.0.http.paths.0.backend.service.port.name": "http",
		"spec.rules.0.http.paths.1.path":                      "/hooks",
		"spec.tls.0.secretName":                               "calls-tls",
	} {
		if got := ingress.at(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	for _, o := range objects {
		if o.kind() == "Service" && o.at("metadata.name") == "calls" && len(o.list("spec.ports")) != 1 {
			t.Errorf("the Service has the ports %v", o.list("spec.ports"))
		}
	}
}

func TestNetworkPolicyNamesTheStoresPorts(t *testing.T) {
	f := func(file string, want ...int) {
		t.Helper()
		var got []int
		for _, p := range render(t, "-f", file).one(t, "NetworkPolicy").list("spec.egress.1.ports") {
			got = append(got, p.(map[string]any)["port"].(int))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: ports %v, want %v", file, got, want)
		}
	}
	f("postcall/ci/full-values.yaml", 9440, 9200, 443)
	f("postcall/ci/clickhouse-only-values.yaml", 9000)
	f("postcall/ci/api-key-values.yaml", 443)
	f("postcall/ci/cluster-values.yaml", 9000, 9200, 4222, 4223, 5601)
}

// The collector that extraEnv names is let out to, on its port; what the variable's own Secret says is not seen.
func TestNetworkPolicyLetsTracesOut(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		rule := render(t, append([]string{"--set", "networkPolicy.enabled=true"}, args...)...).named(t, "NetworkPolicy", "release-postcall").at("spec.egress.3")
		if got := fmt.Sprint(rule); got != want {
			t.Errorf("%v: %s, want %s", args, got, want)
		}
	}
	env := func(pairs ...string) []string {
		args := []string{"-f", minimal}
		for i := 0; i < len(pairs); i += 2 {
			args = append(args, "--set", fmt.Sprintf("extraEnv[%d].name=%s,extraEnv[%[1]d].value=%[3]s", i/2, pairs[i], pairs[i+1]))
		}
		return args
	}
	const endpoint, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	f("<nil>", env()...)
	f("<nil>", env("OTEL_SERVICE_NAME", "calls")...)
	f("<nil>", env(endpoint, "10.0.0.1:4317")...) // no URL: the program sends nothing there either
	f("map[ports:[map[port:4318 protocol:TCP]]]", env(endpoint, "http://collector:4318")...)
	f("map[ports:[map[port:443 protocol:TCP]]]", env(endpoint, "https://collector.example.com")...)
	f("map[ports:[map[port:80 protocol:TCP]]]", env(endpoint, "http://collector.example.com/otlp")...)
	f("map[ports:[map[port:443 protocol:TCP]]]", env(endpoint, "http://collector.example.com", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")...)
	f("map[ports:[map[port:4317 protocol:TCP] map[port:4318 protocol:TCP]]]", env(endpoint, "http://a:4317", traces, "http://a:4318/v1/traces")...)
	f("<nil>", "-f", minimal, "--set", "extraEnv[0].name="+endpoint+",extraEnv[0].valueFrom.secretKeyRef.name=a,extraEnv[0].valueFrom.secretKeyRef.key=b")
	f("map[ports:[map[port:4317 protocol:TCP]] to:[map[namespaceSelector:map[matchLabels:map[kubernetes.io/metadata.name:telemetry]]]]]",
		"-f", "postcall/ci/full-values.yaml", "--set", "fullnameOverride=release-postcall")
}

func TestServiceMonitor(t *testing.T) {
	objects := render(t, "-f", "postcall/ci/full-values.yaml")
	m := objects.one(t, "ServiceMonitor")
	if got := m.at("spec.endpoints.0.port"); got != "admin" {
		t.Errorf("scrapes the port %v", got)
	}
	selected := 0
	for _, o := range objects {
		labels, ok := o.at("metadata.labels").(map[string]any)
		if ok && o.kind() == "Service" && covers(labels, m.object("spec.selector.matchLabels")) {
			selected++
		}
	}
	if selected != 1 {
		t.Errorf("selects %d Services, want 1", selected)
	}
}

func TestSelectorsFindTheConnectorAlone(t *testing.T) {
	objects := render(t, "-f", "postcall/ci/full-values.yaml")
	for _, o := range objects {
		selector := o.at("spec.selector")
		if o.kind() == "PodDisruptionBudget" {
			selector = o.at("spec.selector.matchLabels")
		}
		if o.kind() != "Service" && o.kind() != "PodDisruptionBudget" {
			continue
		}
		for _, p := range objects {
			labels := p.at("spec.template.metadata.labels")
			if p.kind() == "Pod" {
				labels = p.at("metadata.labels")
			}
			if p.kind() == "CronJob" {
				labels = p.at("spec.jobTemplate.spec.template.metadata.labels")
			}
			if labels == nil {
				continue
			}
			if got, want := covers(labels.(map[string]any), selector.(map[string]any)), p.kind() == "StatefulSet"; got != want {
				t.Errorf("%s %v selects the pods of the %s: %t", o.kind(), o.at("metadata.name"), p.kind(), got)
			}
		}
	}
}

func TestARuleFileRestartsThePod(t *testing.T) {
	sum := func(args ...string) any {
		set := render(t, append([]string{"-f", minimal}, args...)...).one(t, "StatefulSet")
		return set.object("spec.template.metadata.annotations")["checksum/config"]
	}
	plain, topics := sum(), sum("--set", "files.topics=a: b")
	if plain == nil || plain == topics || topics != sum("--set", "files.topics=a: b") {
		t.Errorf("checksums %v and %v", plain, topics)
	}
}

// With sources of its own, the chart needs no secret of the built-in one, and mounts those that the sources name.
func TestSourcesHaveTheirSecrets(t *testing.T) {
	pod := render(t, "-f", minimal, "--set", "secrets.webhookSecret.existingSecret=,sourceSecrets[0].name=retell",
		"--set-file", "files.sources="+sourcesFile(t)).one(t, "StatefulSet").pod()
	if got := pod.env()["POSTCALL_SOURCES"]; got != "/etc/postcall/files/sources.yaml" {
		t.Errorf("POSTCALL_SOURCES is %q", got)
	}
	if text := fmt.Sprint(pod); !strings.Contains(text, "/etc/postcall/sources/retell") || !strings.Contains(text, "secretName:retell") {
		t.Errorf("the secrets of the sources are not mounted: %s", text)
	}
}

func sourcesFile(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "sources.yaml")
	const text = "sources:\n- {name: retell, mapping: retell, auth: [{type: retell, secrets: [/etc/postcall/sources/retell/key]}]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRuleFilesArriveUnchanged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "topics.yaml")
	const text = "# topics\ntopics:\n  - name: \"a: b\"\n\n  - name: ü\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	data := render(t, "-f", minimal, "--set-file", "files.topics="+file).one(t, "ConfigMap").object("data")
	if data["topics.yaml"] != text {
		t.Errorf("got %q", data["topics.yaml"])
	}
}

func TestMigrationsHaveTheirOwnUser(t *testing.T) {
	objects := render(t, "-f", "postcall/ci/full-values.yaml")
	job, set := objects.one(t, "Job").pod(), objects.one(t, "StatefulSet").pod()
	if j, s := job.env()["POSTCALL_CLICKHOUSE_USERNAME"], set.env()["POSTCALL_CLICKHOUSE_USERNAME"]; j != "migrator" || s != "writer" {
		t.Errorf("the Job is %q, the connector %q", j, s)
	}
	if got := job.secretFiles()["clickhousePassword"]; got != "migrator/clickhouse-password" {
		t.Errorf("the Job's password comes from %s", got)
	}
	if _, ok := job.env()["POSTCALL_DATA_DIR"]; ok {
		t.Error("the Job has the connector's data folder")
	}
	for _, pod := range []object{job, objects.one(t, "Pod").pod(), objects.one(t, "CronJob").pod()} {
		if pod.secretFiles()["consolePassword"] != "" || pod.env()["POSTCALL_CONSOLE_PASSWORD_FILE"] != "" {
			t.Error("a pod without a console has its password")
		}
		if pod.secretFiles()["encryptionKey"] != "" || pod.env()["POSTCALL_ENCRYPTION_KEY_FILE"] != "" {
			t.Error("a pod without streams has their key")
		}
	}
	if set.secretFiles()["consolePassword"] != "privacy/console" {
		t.Error("the pod with the console lacks its password")
	}
	if set.secretFiles()["encryptionKey"] != "privacy/streams" {
		t.Error("the pod with the streams lacks their key")
	}
	if slices.Contains(slices.Collect(maps.Keys(set.secretFiles())), "elasticsearchApiKey") {
		t.Error("a secret is mounted that nothing names")
	}
}

func TestRetentionRunsOnASchedule(t *testing.T) {
	cron := render(t, "-f", "postcall/ci/full-values.yaml").one(t, "CronJob")
	pod := cron.pod()
	if got := cron.at("spec.schedule"); got != "17 3 * * *" {
		t.Errorf("schedule %v", got)
	}
	if e := pod.env(); e["POSTCALL_ELASTICSEARCH_KEEP_DAYS"] != "365" || e["POSTCALL_ELASTICSEARCH_KEEP_PERSONAL_DAYS"] != "90" || e["POSTCALL_CLICKHOUSE_USERNAME"] != "migrator" {
		t.Errorf("environment %v", e)
	}
	for _, o := range render(t, "-f", minimal) {
		if o.kind() == "CronJob" {
			t.Error("a CronJob that nobody asked for")
		}
	}
}

func TestNotesSayWhereToDeliver(t *testing.T) {
	f := func(file string, want ...string) {
		t.Helper()
		notes := notes(t, file)
		for _, w := range want {
			if !strings.Contains(notes, w) {
				t.Errorf("%s: no %q in the notes:\n%s", file, w, notes)
			}
		}
	}
	f("postcall/ci/full-values.yaml", "https://calls.example.com/phonely/webhook", "get secret phonely", `index .data "token"`)
	f("postcall/ci/api-key-values.yaml", "ingress.tlsSecret is empty")
	f("postcall/ci/clickhouse-only-values.yaml", "https://YOUR-HOST/phonely/webhook", "postcall migrate apply", "buffer stays", "read it back from clickhouse,")
	f("postcall/ci/cluster-values.yaml", "rollout status deployment/release-postcall", "https://calls.example.com/phonely/webhook",
		"sync_interval: always", "read it back from clickhouse and elasticsearch", "Reloader restarts")
	f("postcall/ci/sources-values.yaml", "with the authentication that files.sources gives it", "https://calls.example.com/phonely/webhook")
	f(minimal, "rollout restart statefulset/release-postcall")
}
