package clickhouse

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// grafanaStandIn answers as Grafana's API does for folders and dashboards.
type grafanaStandIn struct {
	mu         sync.Mutex
	folders    map[string]string // title by UID
	dashboards map[string]string // folder by UID
	writes     int
	answer     func(r *http.Request) (status int, body string) // instead, where it returns a status
}

func (g *grafanaStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if g.answer != nil {
		if status, body := g.answer(r); status != 0 {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
	}
	user, password, _ := r.BasicAuth()
	if r.Header.Get("Authorization") != "Bearer t0ken" && user+password != "adminpa55" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"message":"Invalid API key"}`))
		return
	}
	var in struct {
		UID, Title, FolderUID string
		Overwrite             bool
		Dashboard             struct{ UID, Title string }
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /grafana/api/folders/postcall":
		if g.folders["postcall"] == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
	case "POST /grafana/api/folders":
		g.folders[in.UID] = in.Title
	case "POST /grafana/api/dashboards/db":
		if _, there := g.dashboards[in.Dashboard.UID]; g.folders[in.FolderUID] == "" || there && !in.Overwrite {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		g.dashboards[in.Dashboard.UID] = in.FolderUID
		g.writes++
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "uid": in.Dashboard.UID, "url": "/grafana/d/" + in.Dashboard.UID + "/x", "version": g.writes})
		return
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte(`{}`))
}

func TestApplyGrafana(t *testing.T) {
	ds, err := GrafanaDashboards("postcall")
	if err != nil {
		t.Fatal(err)
	}
	g := &grafanaStandIn{folders: map[string]string{}, dashboards: map[string]string{}}
	srv := httptest.NewServer(g)
	defer srv.Close()
	address := srv.URL + "/grafana"
	want := []string{address + "/d/postcall-operations/x", address + "/d/postcall-calls/x"}
	for _, as := range []Grafana{
		{Address: address, Folder: "Calls", Secret: "t0ken"},
		{Address: address + "/", Folder: "Other", Username: "admin", Secret: "pa55"},
		{Address: strings.Replace(address, "://", "://admin:pa55@", 1), Folder: "Other"},
	} {
		got, err := ApplyGrafana(t.Context(), as, ds)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	if g.folders["postcall"] != "Calls" || g.writes != 6 || g.dashboards["postcall-calls"] != "postcall" {
		t.Errorf("folders %v, dashboards %v, %d writes", g.folders, g.dashboards, g.writes)
	}
}

func TestApplyGrafanaSaysWhatToDo(t *testing.T) {
	ds, err := GrafanaDashboards("postcall")
	if err != nil {
		t.Fatal(err)
	}
	g := &grafanaStandIn{folders: map[string]string{}, dashboards: map[string]string{}}
	srv := httptest.NewServer(g)
	f := func(want string, as Grafana, answer func(r *http.Request) (int, string)) {
		t.Helper()
		g.mu.Lock()
		g.answer = answer
		g.mu.Unlock()
		_, err := ApplyGrafana(t.Context(), as, ds)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	ok := Grafana{Address: srv.URL + "/grafana", Folder: "Calls", Secret: "t0ken"}
	f("not http(s)://host:port", Grafana{Address: "localhost:3000"}, nil)
	f("service account", Grafana{Address: ok.Address, Secret: "s3cret"}, nil)
	f("service account", Grafana{Address: strings.Replace(ok.Address, "://", "://admin:s3cret@", 1)}, nil)
	for _, status := range []int{403, 412, 500} {
		f(map[int]string{403: "role Editor", 412: "remove that one", 500: "HTTP 500 broken"}[status], ok, func(r *http.Request) (int, string) {
			if r.URL.Path == "/grafana/api/dashboards/db" {
				return status, `{"message":"broken"}`
			}
			return 0, ""
		})
	}
	f("HTTP 302", ok, func(*http.Request) (int, string) { return http.StatusFound, "<a href=/login>" })
	f("is this the address of Grafana?", ok, func(*http.Request) (int, string) { return http.StatusOK, "<html>" })
	srv.Close()
	f("connection refused", Grafana{Address: strings.Replace(ok.Address, "://", "://admin:s3cret@", 1)}, nil)
}
