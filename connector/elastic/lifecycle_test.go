package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/postcall/postcall/connector"
)

// lifecycleCluster stands before the real Elasticsearch, whose build has no ILM, and knows of it what we use: policies, and
// the setting index.lifecycle.name of templates and indices. The rest goes to the real one.
type lifecycleCluster struct {
	mu       sync.Mutex
	policies map[string]json.RawMessage
	indices  map[string]string // the policy of an index
	template string            // the policy of new ones
	forbid   bool
}

func withLifecycle(t *testing.T) (*lifecycleCluster, connector.ElasticsearchConfig) {
	t.Helper()
	cfg := engine(t)
	target, err := url.Parse(cfg.URL[0])
	if err != nil {
		t.Fatal(err)
	}
	k := &lifecycleCluster{policies: map[string]json.RawMessage{}, indices: map[string]string{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: k.addPolicies,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { k.serve(t, w, r, proxy) }))
	t.Cleanup(srv.Close)
	cfg.URL, cfg.IndexBy = []string{srv.URL}, "month"
	return k, cfg
}

func (k *lifecycleCluster) serve(t *testing.T, w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	k.mu.Lock()
	defer k.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	name, isPolicy := strings.CutPrefix(r.URL.Path, "/_ilm/policy/")
	var settings struct {
		Name     string `json:"index.lifecycle.name"`
		Template struct {
			Settings struct{ Index map[string]any }
		}
	}
	_ = json.Unmarshal(body, &settings)
	switch {
	case isPolicy && k.forbid:
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":{"type":"security_exception","reason":"no"},"status":403}`)
		return
	case isPolicy && r.Method == http.MethodPut:
		k.policies[name] = body
		_, _ = io.WriteString(w, `{"acknowledged":true}`)
		return
	case isPolicy && k.policies[name] == nil:
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"error":{"type":"resource_not_found_exception","reason":"Lifecycle policy not found: %s"},"status":404}`, name)
		return
	case isPolicy:
		_, _ = fmt.Fprintf(w, `{%q:{"version":1,%s}`, name, bytes.TrimPrefix(k.policies[name], []byte("{")))
		return
	case strings.HasPrefix(r.URL.Path, "/_component_template/") && r.Method == http.MethodPut:
		k.template, _ = settings.Template.Settings.Index["lifecycle.name"].(string)
		body = bytes.ReplaceAll(body, fmt.Appendf(nil, `"lifecycle.name":%q,`, k.template), nil)
	case settings.Name != "":
		k.indices[strings.Split(r.URL.Path, "/")[1]] = settings.Name
		_, _ = io.WriteString(w, `{"acknowledged":true}`)
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	proxy.ServeHTTP(w, r)
}

// addPolicies shows the setting where indices are looked at.
func (k *lifecycleCluster) addPolicies(res *http.Response) error {
	if res.StatusCode != http.StatusOK || !strings.Contains(res.Request.URL.RawQuery, "lifecycle.name") {
		return nil
	}
	var found map[string]map[string]any
	if err := json.NewDecoder(res.Body).Decode(&found); err != nil {
		return err
	}
	for name, policy := range k.indices {
		if ix, is := found[name]; is {
			ix["settings"].(map[string]any)["index"].(map[string]any)["lifecycle"] = map[string]any{"name": policy}
		}
	}
	b, err := json.Marshal(found)
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	res.Header.Set("Content-Length", fmt.Sprint(len(b)))
	return err
}

func TestLifecycleOfMonths(t *testing.T) {
	k, cfg := withLifecycle(t)
	a, now := cfg.Index, cfg.Index+"-"+thisMonth()
	if got := apply(t, cfg); strings.Contains(got, "lifecycle") || len(k.policies) > 0 {
		t.Errorf("without KEEP_DAYS: %s, %s", got, k.policies)
	}
	cfg.KeepDays = 90
	got := apply(t, cfg)
	for _, want := range []string{"lifecycle policy " + a + " missing create", "lifecycle none, wanted " + a + " update", "lifecycle of " + now + " missing add"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not among %s", want, got)
		}
	}
	if k.template != a || k.indices[now] != a || !strings.Contains(string(k.policies[a]), `"delete":{"actions":{"delete":{}},"min_age":"121d"}`) {
		t.Errorf("template %s, indices %v, policy %s", k.template, k.indices, k.policies[a])
	}
	if err := open(t, cfg).Check(t.Context()); err != nil {
		t.Error(err)
	}

	k.indices[now] = "operators-own"
	cfg.KeepDays = 30
	if got := apply(t, cfg); !strings.Contains(got, "keeps 90 days, wanted keeps 30 days update") || k.indices[now] != "operators-own" {
		t.Errorf("changed: %s, %v", got, k.indices)
	}
	cfg.KeepDays = 0 // nothing is removed any more, also by indices that have the policy
	if got := apply(t, cfg); !strings.Contains(got, "wanted keeps for ever update") || strings.Contains(string(k.policies[a]), "delete") || k.template != "" {
		t.Errorf("for ever: %s, %s", got, k.policies[a])
	}
}

func TestLifecycleThatCantBe(t *testing.T) {
	k, cfg := withLifecycle(t)
	cfg.KeepDays = 90
	f := func(want string) {
		t.Helper()
		if got := apply(t, cfg); !strings.Contains(got, want) || k.template != "" || len(k.indices) > 0 {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	k.forbid = true
	f("needs the privilege manage_ilm: run postcall retention --apply every day")
	k.forbid = false
	k.policies[cfg.Index] = json.RawMessage(`{"policy":{"phases":{}}}`)
	f("is somebody else's: run postcall retention")
	if string(k.policies[cfg.Index]) != `{"policy":{"phases":{}}}` {
		t.Errorf("somebody else's policy is %s", k.policies[cfg.Index])
	}
	delete(k.policies, cfg.Index)
	cfg.URL = strings.Split(engine(t).URL[0], ",") // the real one has no ILM
	f("is not known to this cluster: run postcall retention")
	cfg.IndexBy = "none"
	steps, err := Plan(t.Context(), cfg)
	if strings.Contains(fmt.Sprint(steps), "lifecycle") {
		t.Errorf("one index can't go whole: %v, %v", steps, err)
	}
}
