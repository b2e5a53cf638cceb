package helm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	withAPI    = "postcall/ci/api-values.yaml"
	withSearch = "postcall/ci/api-search-values.yaml"
)

// component is what a pod or the maker of pods says it is.
func (o object) component() any {
	labels := o.object("spec.template.metadata.labels")
	switch o.kind() {
	case "Pod":
		labels = o.object("metadata.labels")
	case "CronJob":
		labels = o.object("spec.jobTemplate.spec.template.metadata.labels")
	}
	return labels["app.kubernetes.io/component"]
}

// named is the one object of that kind and name.
func (all objects) named(t *testing.T, kind, name string) object {
	t.Helper()
	var found objects
	for _, o := range all {
		if o.kind() == kind && o.at("metadata.name") == name {
			found = append(found, o)
		}
	}
	return found.one(t, kind)
}

// Who asks never holds what writes, and what writes has nothing of who asks.
func TestAPIAndConnectorShareNoSecret(t *testing.T) {
	for _, file := range []string{withAPI, withSearch} {
		asked := false
		for _, o := range render(t, "-f", file) {
			pod := o.pod()
			if pod == nil {
				continue
			}
			api := o.component() == "api"
			asked = asked || api
			for name, key := range pod.secretFiles() {
				if strings.HasPrefix(name, "api") != api {
					t.Errorf("%s: %s of %v has the secret %s (%s)", file, o.kind(), o.component(), name, key)
				}
			}
			for name := range pod.env() {
				of := strings.HasPrefix(name, "POSTCALL_API_")
				if strings.HasPrefix(name, "POSTCALL_") && of != api && name != "POSTCALL_TIMEZONE" {
					t.Errorf("%s: %s of %v has the variable %s", file, o.kind(), o.component(), name)
				}
			}
		}
		if !asked {
			t.Errorf("%s makes no pod of the API", file)
		}
	}
}

func TestAPIReadsWithItsOwn(t *testing.T) {
	d := render(t, "-f", withAPI).named(t, "Deployment", "release-postcall-api")
	pod := d.pod()
	want := map[string]string{"apiTokens": "askers/tokens", "apiClickhousePassword": "readers/api-clickhouse-password", "apiElasticsearchPassword": "readers/api-elasticsearch-password"}
	if got := pod.secretFiles(); !maps.Equal(got, want) {
		t.Errorf("secrets %v, want %v", got, want)
	}
	env := pod.env()
	for name, want := range map[string]string{
		"POSTCALL_API_ADDR": ":8090", "POSTCALL_API_TOKENS": "/etc/postcall/secrets/apiTokens", "POSTCALL_API_CLICKHOUSE_USERNAME": "reader",
		"POSTCALL_API_CLICKHOUSE_PASSWORD_FILE": "/etc/postcall/secrets/apiClickhousePassword", "POSTCALL_TIMEZONE": "Europe/Berlin", "SSL_CERT_DIR": "/etc/ca",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	for path, want := range map[string]any{
		"containers.0.args.0": "api", "serviceAccountName": "release-postcall-api", "terminationGracePeriodSeconds": 75,
		"containers.0.startupProbe.httpGet.path": "/livez", "containers.0.livenessProbe.httpGet.path": "/livez", "containers.0.readinessProbe.httpGet.path": "/readyz",
		"containers.0.readinessProbe.httpGet.port": "admin", "containers.0.resources.requests.cpu": "100m",
	} {
		if got := pod.at(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	spread := pod.list("topologySpreadConstraints")
	if len(spread) != 2 || object(spread[0].(map[string]any)).object("labelSelector.matchLabels")["app.kubernetes.io/component"] != "api" {
		t.Errorf("spread by %v", spread)
	}
	if got := d.object("metadata.annotations")["secret.reloader.stakater.com/reload"]; got != "readers" {
		t.Errorf("it restarts for %v; the tokens are read again without", got)
	}
}

func TestAPIIsOffUnlessAskedFor(t *testing.T) {
	for name := range ciFiles(t) {
		if name == withAPI || name == withSearch {
			continue
		}
		for _, o := range render(t, "-f", name) {
			if o.component() == "api" || strings.HasSuffix(fmt.Sprint(o.at("metadata.name")), "-api") {
				t.Errorf("%s makes a %s of the API", name, o.kind())
			}
		}
	}
}

// Policies add up, so that none but its own may select the API's pods; and its own lets it reach its stores alone.
func TestAPIReachesItsStoresAlone(t *testing.T) {
	f := func(file string, ports ...int) object {
		t.Helper()
		objects := render(t, "-f", file)
		own := objects.named(t, "NetworkPolicy", "release-postcall-api")
		var got []int
		for _, rule := range own.list("spec.egress") {
			for _, p := range object(rule.(map[string]any)).list("ports") {
				got = append(got, p.(map[string]any)["port"].(int))
			}
		}
		if want := append([]int{53, 53}, ports...); !slices.Equal(got, want) {
			t.Errorf("%s: it reaches the ports %v, want %v", file, got, want)
		}
		other := objects.named(t, "NetworkPolicy", "release-postcall")
		if m := other.object("spec.podSelector.matchExpressions.0"); m["operator"] != "NotIn" || fmt.Sprint(m["values"]) != "[api]" || m["key"] != "app.kubernetes.io/component" {
			t.Errorf("%s: the connector's policy selects the API's pods: %v", file, other.at("spec.podSelector"))
		}
		return own
	}
	own := f(withAPI, 9440, 443)
	for path, want := range map[string]any{
		"spec.ingress.0.ports.0.port": "api", "spec.ingress.1.ports.0.port": "admin", "spec.ingress.2": nil, "spec.egress.2": nil,
	} {
		if got := own.at(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	if from := fmt.Sprint(own.at("spec.ingress.0.from")); !strings.Contains(from, "edge") || !strings.Contains(fmt.Sprint(own.at("spec.egress.1.to")), "stores") {
		t.Errorf("in from %s, out to %v", from, own.at("spec.egress.1.to"))
	}
	// A rule without a peer would be one for everybody: without metricsFrom there is none.
	if own := f(withSearch, 443); len(own.list("spec.ingress")) != 1 {
		t.Errorf("its admin port is open: %v", own.list("spec.ingress"))
	}
}

func TestAPISelectorsFindItAlone(t *testing.T) {
	objects := render(t, "-f", withAPI)
	f := func(kind, name, want, path string) {
		t.Helper()
		selector := objects.named(t, kind, name).object(path)
		for _, p := range objects {
			if p.component() == nil {
				continue
			}
			labels := p.object("spec.template.metadata.labels")
			if p.kind() == "Pod" {
				labels = p.object("metadata.labels")
			}
			if got := covers(labels, selector); got != (p.component() == want) {
				t.Errorf("%s %s selects the pods of %v: %t", kind, name, p.component(), got)
			}
		}
	}
	for who, name := range map[string]string{"api": "release-postcall-api", "connector": "release-postcall"} {
		f("Service", name, who, "spec.selector")
		f("Service", name+"-admin", who, "spec.selector")
		f("PodDisruptionBudget", name, who, "spec.selector.matchLabels")
	}
	f("Deployment", "release-postcall-api", "api", "spec.selector.matchLabels")
	hpa := objects.one(t, "HorizontalPodAutoscaler")
	if hpa.at("spec.scaleTargetRef.name") != "release-postcall-api" || hpa.at("spec.maxReplicas") != 4 {
		t.Errorf("the autoscaler is about %v", hpa["spec"])
	}
	in := objects.named(t, "Ingress", "release-postcall-api")
	for path, want := range map[string]any{
		"spec.rules.0.host": "ask.example.com", "spec.tls.0.secretName": "ask-tls", "spec.rules.0.http.paths.0.backend.service.name": "release-postcall-api",
	} {
		if got := in.at(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
}

func TestAPIRouteLetsAskersIn(t *testing.T) {
	route := render(t, "-f", withAPI).named(t, "HTTPRoute", "release-postcall-api")
	for path, want := range map[string]any{
		"spec.parentRefs.0.name": "edge", "spec.hostnames.0": "ask.example.com", "spec.rules.0.backendRefs.0.name": "release-postcall-api",
		"spec.rules.0.backendRefs.0.port": 8090, "spec.rules.0.matches.0.path.value": "/", "spec.rules.0.matches.0.path.type": "PathPrefix",
		"spec.rules.0.matches.1": nil,
	} {
		if got := route.at(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
}

// One ServiceMonitor finds the connector and the API, each by a Service with the port that it names.
func TestServiceMonitorFindsTheAPI(t *testing.T) {
	objects := render(t, "-f", withAPI)
	m := objects.one(t, "ServiceMonitor")
	var found []string
	for _, o := range objects {
		if o.kind() == "Service" && covers(o.object("metadata.labels"), m.object("spec.selector.matchLabels")) && o.at("spec.ports.0.name") == m.at("spec.endpoints.0.port") {
			found = append(found, o.at("metadata.name").(string))
		}
	}
	if slices.Sort(found); !slices.Equal(found, []string{"release-postcall-admin", "release-postcall-api-admin"}) {
		t.Errorf("it scrapes %v", found)
	}
}

func TestWhatTheAPIReadsWithRestartsIt(t *testing.T) {
	f := func(args ...string) any {
		d := render(t, append([]string{"-f", withAPI}, args...)...).named(t, "Deployment", "release-postcall-api")
		return d.object("spec.template.metadata.annotations")["checksum/config"]
	}
	if a, b, c := f(), f("--set", "config.api.rate=7"), f("--set", "config.retain=2h"); a == b || a != c || a == nil {
		t.Errorf("checksums %v, %v with another rate, %v with another value of the connector", a, b, c)
	}
}

func TestWrongValuesOfTheAPIAreRefusedByTheirKey(t *testing.T) {
	f := refusing(t, withAPI)
	f("config.api.clickhouseAddr and config.api.elasticsearchUrl are empty", "--set", "config.api.clickhouseAddr=null,config.api.elasticsearchUrl=null")
	f("config.api.clickhouseUsername is empty", "--set", "config.api.clickhouseUsername=")
	f("config.api.clickhouseUsername is config.clickhouse.username, which writes", "--set", "config.api.clickhouseUsername=writer")
	f("config.api.clickhouseUsername is config.clickhouse.username, which writes", "--set", "config.api.clickhouseUsername=default,config.clickhouse.username=")
	f("config.api.elasticsearchUsername is config.elasticsearch.username, which writes", "--set", "config.api.elasticsearchUsername=writer")
	f("config.api.elasticsearchUrl holds credentials", "--set", "config.api.elasticsearchUrl={https://me:hunter2@es:9200}")
	f("secrets.apiElasticsearchApiKey.existingSecret is set beside a user", "--set", "secrets.apiElasticsearchApiKey.existingSecret=a")
	f("config.api.elasticsearchUsername is empty", "--set", "config.api.elasticsearchUsername=")
	f("secrets.apiClickhousePassword is secrets.clickhousePassword, which writes",
		"--set", "secrets.apiClickhousePassword.existingSecret=stores,secrets.apiClickhousePassword.key=clickhouse-password")
	f("secrets.apiTokens.existingSecret is empty", "--set", "secrets.apiTokens.existingSecret=")
	f("api.ingress.host is empty", "--set", "api.ingress.host=")
	f("api.gateway.parentRefs is empty", "--set", "api.gateway.parentRefs=null")
	f("at '/api/gateway/parentRefs/0'", "--set", "api.gateway.parentRefs[0].nam=edge")
	f("api.autoscaling.maxReplicas is below api.autoscaling.minReplicas", "--set", "api.autoscaling.maxReplicas=1")
	f("extraEnv has POSTCALL_API_RATE", "--set", "api.extraEnv[0].name=POSTCALL_API_RATE,api.extraEnv[0].value=x")
	f("additional properties 'replica' not allowed", "--set", "api.replica=1")
	f("at '/api/replicas'", "--set", "api.replicas=0")
	f("at '/config/api/rate'", "--set", "config.api.rate=0")
	f("at '/config/api/timeout'", "--set", "config.api.timeout=500ms")
	f("at '/config/api/clickhouseAddr/0'", "--set", "config.api.clickhouseAddr={clickhouse}")
	f("additional properties 'addr' not allowed", "--set", "config.api.addr=:80")
}

func TestNotesSayHowToAsk(t *testing.T) {
	if text := notes(t, withSearch, "--set", "api.gateway.enabled=true,api.gateway.parentRefs[0].name=edge,api.gateway.hostnames={ask.example.com}"); !strings.Contains(text, "https://ask.example.com/mcp") {
		t.Errorf("the notes don't lead to the Gateway:\n%s", text)
	}
	for file, want := range map[string][]string{
		withAPI:    {"https://ask.example.com/mcp", "postcall api token new", "secret askers"},
		withSearch: {"port-forward service/release-postcall-api 8090:80", "http://127.0.0.1:8090/mcp", "api.ingress.enabled"},
	} {
		text := notes(t, file)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in the notes:\n%s", file, w, text)
			}
		}
	}
	if text := notes(t, minimal); strings.Contains(text, "/mcp") {
		t.Errorf("the notes speak of an API that is off:\n%s", text)
	}
}
