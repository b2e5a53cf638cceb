package elastic

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/kibana/postcall.ndjson")

const bundleFile = "../../deploy/kibana/postcall.ndjson"

func TestKibanaFileIsTheGenerators(t *testing.T) {
	want, err := KibanaBundle("call-transcripts")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(bundleFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(bundleFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what KibanaBundle returns: run go test ./connector/elastic -run Kibana -update", bundleFile)
	}
}

func TestKibanaBundleIsSound(t *testing.T) {
	b, err := KibanaBundle("call-transcripts")
	if err != nil {
		t.Fatal(err)
	}
	if err := checkBundle(b); err != nil {
		t.Error(err)
	}
	labels := kibanaLabels()
	walkFields(parsed().Mappings, "", func(name, typ string) {
		if object := typ == "nested" || typ == "object"; !object && labels[name] == "" {
			t.Errorf("field %s has no label", name)
		}
	})
	seen := map[string]string{}
	for name, label := range labels {
		if other, twice := seen[label]; twice {
			t.Errorf("%s and %s are both called %s", name, other, label)
		}
		seen[label] = name
	}
	for name := range fieldLabels {
		if fieldTypes()[name] == "" {
			t.Errorf("label for an unknown field %s", name)
		}
	}
}

// The checker is only worth something if it finds what is broken.
func TestBrokenBundlesAreFound(t *testing.T) {
	b, err := KibanaBundle("call-transcripts")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{
		// The data view and the searches.
		{`"columns":["agent_name"`, `"columns":["agent"`, "unknown field agent"},
		{`\"talk_ratio\":{\"id\"`, `\"ratio\":{\"id\"`, "unknown field ratio"},
		{`{\"id\":\"percent\"`, `{\"id\":\"percentage\"`, "unknown formatter percentage"},
		{`"id":"postcall-call-transcripts","name"`, `"id":"other","name"`, "dangles"},
		{`"name":"kibanaSavedObjectMeta.searchSourceJSON.index"`, `"name":"index"`, "is not used"},
		{`"searchSourceJSON":"{`, `"searchSourceJSON":"{{`, "searchSourceJSON:"},
		{`"timeFieldName":"call_started"`, `"timeFieldName":"started"`, "unknown field started"},
		{`"timeFieldName":"call_started"`, `"timeFieldName":"duration"`, "can't aggregate field duration"},
		{`"sort":[["call_started"`, `"sort":[["started"`, "unknown field started"},
		{`"query\":\"follow_up : true`, `"query\":\"followup : true`, "unknown field followup"},
		{`"query\":\"follow_up : true`, `"query\":\"(follow_up : true`, "no )"},
		{`"typeMigrationVersion":"8.0.0"`, `"typeMigrationVersion":"10.0.0"`, "versions"},
		{`"typeMigrationVersion":"8.9.0"`, `"typeMigrationVersion":"8.9.1"`, "versions"},
		{`"coreMigrationVersion":"8.8.0"`, `"coreMigrationVersion":"9.0.0"`, "versions"},
		{`"id":"postcall-negative","type":"search"`, `"id":"postcall-calls","type":"search"`, "is there twice"},
		// The dashboards.
		{`"panelsJSON":"[`, `"panelsJSON":"[[`, "panelsJSON:"},
		{`\"panelRefName\":\"panel_to-do\"`, `\"panelRefName\":\"to-do\"`, "has panelRefName to-do"},
		{`"name":"to-do:panel_to-do"`, `"name":"panel_to-do"`, "reference to-do:panel_to-do is missing"},
		{`"id":"postcall-follow-up","name"`, `"id":"follow-up","name"`, "dangles"},
		{`"id":"postcall-follow-up","name":"to-do:panel_to-do","type":"search"`, `"id":"postcall-overview","name":"to-do:panel_to-do","type":"dashboard"`, "is to a dashboard"},
		{`"name":"topics:indexpattern-datasource-layer-topics-layer"`, `"name":"topics:layer"`, "is not used"},
		{`\"name\":\"indexpattern-datasource-layer-topics-layer\"`, `\"name\":\"indexpattern-datasource-layer-topics\"`, "its own reference"},
		{`"name":"controlGroup_agent:optionsListDataView"`, `"name":"agent:optionsListDataView"`, "is not used"},
		{`\"fieldName\":\"agent_name\"`, `\"fieldName\":\"summary\"`, "control can't aggregate field summary, a text"},
		{`\"type\":\"optionsListControl\"`, `\"type\":\"listControl\"`, "is a listControl"},
		{`\"w\":8,\"x\":40`, `\"w\":8,\"x\":41`, "off the grid"},
		{`\"w\":8,\"x\":40`, `\"w\":8,\"x\":39`, "overlap"},
		{`\"i\":\"to-do\"`, `\"i\":\"todo\"`, "has the grid's todo"},
		{`\"columnOrder\":[\"calls\"]`, `\"columnOrder\":[]`, "is not the columns"},
		{`\"columnOrder\":[\"topic\",\"calls\"]`, `\"columnOrder\":[\"calls\",\"topic\"]`, "comes after a number"},
		{`\"sourceField\":\"topics\"`, `\"sourceField\":\"topic.text\"`, "terms can't aggregate field topic.text"},
		{`\"sourceField\":\"talk_ratio\"`, `\"sourceField\":\"turns.seq\"`, "nested field turns.seq"},
		{`\"sourceField\":\"duration\"`, `\"sourceField\":\"seconds\"`, "unknown field seconds"},
		{`\"operationType\":\"average\"`, `\"operationType\":\"mean\"`, "unknown operation mean"},
		{`\"sourceField\":\"___records___\"`, `\"sourceField\":\"Records\"`, "counts Records"},
		{`\"columnId\":\"calls\",\"type\":\"column\"`, `\"columnId\":\"call\",\"type\":\"column\"`, "order by call is no column"},
		{`\"references\":[\"successX2\"]`, `\"references\":[\"successX3\"]`, "reference successX3 is no column"},
		{`\"args\":[\"successX0\"`, `\"args\":[\"success0\"`, "argument success0 is no column"},
		{`count(kql='ai_success : *')`, `count(kql='success : *')`, "unknown field success"},
		{`\"query\":\"sentiment : neutral\"`, `\"query\":\"sentiment : \"`, "no word"},
		{`\"metricAccessor\":\"calls\"`, `\"metricAccessor\":\"call\"`, "metricAccessor is call, which is no column"},
		{`,\"metricAccessor\":\"calls\"`, ``, "column calls is not shown"},
		{`\"layerId\":\"topics-layer\"`, `\"layerId\":\"layer\"`, "layerId is layer"},
		{`\"key\":\"is_test\"`, `\"key\":\"test\"`, "unknown field test"},
	} {
		broken := bytes.ReplaceAll(b, []byte(c[0]), []byte(c[1]))
		if bytes.Equal(broken, b) {
			t.Errorf("%s is not in the bundle", c[0])
		}
		if err := checkBundle(broken); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: got %v, want %s", c[1], err, c[2])
		}
	}
}

func TestApplyKibana(t *testing.T) {
	bundle, err := KibanaBundle("call-transcripts")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, answer string
		status       int
		want         string // "" is success
	}{
		{"imported", `{"success":true,"successCount":7,"warnings":[]}`, 200, ""},
		{"conflict", `{"success":false,"successCount":1,"errors":[{"id":"x","type":"search","error":{"type":"conflict"}}]}`, 200, "search x: conflict"},
		{"missing reference", `{"success":false,"errors":[{"id":"x","type":"search","error":{"type":"missing_references","references":[{"type":"index-pattern","id":"y"}]}}]}`, 200, "missing_references index-pattern y"},
		{"errors beside success", `{"success":true,"successCount":7,"errors":[{"id":"x","type":"search","error":{"type":"unknown"}}]}`, 200, "search x: unknown"},
		{"no success", `{"success":false}`, 200, "0 of 7 objects"},
		{"too few", `{"success":true,"successCount":1}`, 200, "1 of 7 objects"},
		{"newer version", `{"statusCode":422,"message":"Document has a newer version"}`, 422, "HTTP 422 Document has a newer version"},
		{"no such space", `{"statusCode":404,"message":"Not Found"}`, 404, "is there such a space"},
		{"wrong key", `{"statusCode":401}`, 401, "the API key"},
		{"forbidden", `{"message":"Forbidden"}`, 403, "Saved Objects Management"},
		{"not Kibana", `<html>`, 200, "is this the address of Kibana"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.String() != "/s/support/api/saved_objects/_import?overwrite=true" || r.Header.Get("kbn-xsrf") == "" {
					t.Errorf("%s %s, kbn-xsrf %q", r.Method, r.URL, r.Header.Get("kbn-xsrf"))
				}
				if got := r.Header.Get("Authorization"); got != "ApiKey k" {
					t.Errorf("authorization %q", got)
				}
				f, h, err := r.FormFile("file")
				if err != nil || !strings.HasSuffix(h.Filename, ".ndjson") {
					t.Fatalf("file %v, %v", h, err)
				}
				if got, _ := io.ReadAll(f); !bytes.Equal(got, bundle) {
					t.Error("another file was sent")
				}
				w.WriteHeader(c.status)
				io.WriteString(w, c.answer)
			}))
			defer srv.Close()
			_, err := ApplyKibana(t.Context(), srv.URL+"/", "support", KibanaAuth{APIKey: "k"}, "call-transcripts")
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestApplyKibanaKeepsThePasswordToItself(t *testing.T) {
	for _, address := range []string{"http://u:hunter2@127.0.0.1:1", "http://u:hunter2@a b", "u:hunter2@x"} {
		if _, err := ApplyKibana(t.Context(), address, "support", KibanaAuth{}, "call-transcripts"); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != "u" || p != "hunter2" {
			t.Errorf("got user %q", u)
		}
		io.WriteString(w, `{"success":true,"successCount":7}`)
	}))
	defer srv.Close()
	if _, err := ApplyKibana(t.Context(), strings.Replace(srv.URL, "//", "//u:hunter2@", 1), "", KibanaAuth{}, "call-transcripts"); err != nil {
		t.Error(err)
	}
}

func TestSpaceOfKibana(t *testing.T) {
	f := func(address, space, want string) {
		t.Helper()
		got, err := spaceAddress(address, space)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s, %s: got %s, want %s", address, space, got, want)
		}
	}
	f("http://k:5601", "", "http://k:5601")
	f("http://k:5601/", "support", "http://k:5601/s/support")
	f("https://k/base", "support", "https://k/base/s/support")
	f("http://k:5601/s/other", "support", "already leads to a space")
	f("http://k:5601", "../x", "small letters")
}
