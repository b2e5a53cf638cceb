package clickhouse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
)

// Grafana is where dashboards go, and who brings them.
type Grafana struct {
	Address  string           // http(s)://host:port, with the path it is served under
	Folder   string           // title of the folder; it is made where it is missing
	Username string           // empty where Secret is a token of a service account
	Secret   connector.Secret // token, or password
}

// folderUID is what Grafana knows our folder by, whatever its title.
const folderUID = "postcall"

// ApplyGrafana writes the dashboards over those of the same UID and returns their addresses.
func ApplyGrafana(ctx context.Context, g Grafana, dashboards []Dashboard) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("no answer within a minute"))
	defer cancel()
	base, err := url.Parse(strings.TrimSpace(g.Address))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("the address of Grafana is not http(s)://host:port")
	}
	c := &grafanaClient{base: base, Grafana: g}
	if err := c.folder(ctx); err != nil {
		return nil, fmt.Errorf("make the folder %q in Grafana: %w", g.Folder, err)
	}
	var addresses []string
	for _, d := range dashboards {
		at, err := c.dashboard(ctx, d)
		if err != nil {
			return addresses, fmt.Errorf("write the dashboard %q into Grafana: %w", d.Title, err)
		}
		addresses = append(addresses, at)
	}
	return addresses, nil
}

type grafanaClient struct {
	Grafana
	base *url.URL
}

// folder makes the folder where it is missing. One that is there keeps its title.
func (c *grafanaClient) folder(ctx context.Context) error {
	_, status, err := c.do(ctx, http.MethodGet, "/api/folders/"+folderUID, nil)
	if status != http.StatusNotFound {
		return err
	}
	_, status, err = c.do(ctx, http.MethodPost, "/api/folders", map[string]string{"uid": folderUID, "title": c.Folder})
	if status == http.StatusConflict || status == http.StatusPreconditionFailed { // somebody else made it since
		_, _, err = c.do(ctx, http.MethodGet, "/api/folders/"+folderUID, nil)
	}
	return err
}

// dashboard writes one and returns its address.
func (c *grafanaClient) dashboard(ctx context.Context, d Dashboard) (string, error) {
	body, _, err := c.do(ctx, http.MethodPost, "/api/dashboards/db", map[string]any{
		"dashboard": json.RawMessage(d.JSON), "folderUid": folderUID, "overwrite": true, "message": "postcall assets grafana --apply",
	})
	if err != nil {
		return "", err
	}
	var a struct{ Status, UID, URL string }
	if json.Unmarshal(body, &a) != nil || a.Status != "success" || a.UID != d.UID {
		return "", errors.New("it answers 200 and does not say that it was written: is this the address of Grafana?")
	}
	at := *c.base
	at.User, at.Path = nil, a.URL // it has the path Grafana is served under
	return at.String(), nil
}

// do makes a request. The error of an answer other than 200 says what to do about it, and holds no secret.
func (c *grafanaClient) do(ctx context.Context, method, path string, content any) (body []byte, status int, err error) {
	var in bytes.Buffer
	if content != nil {
		if err := json.NewEncoder(&in).Encode(content); err != nil {
			return nil, 0, err
		}
	}
	u := c.base.JoinPath(path)
	u.User = nil
	req, err := http.NewRequestWithContext(ctx, method, u.String(), &in)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	c.authorize(req)
	res, err := http.DefaultTransport.RoundTrip(req) // not a Client, whose errors hold the address, and which follows to a log-in page
	if err != nil {
		return nil, 0, cause(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, res.StatusCode, cause(ctx, err)
	}
	return body, res.StatusCode, grafanaError(res.StatusCode, body)
}

func (c *grafanaClient) authorize(req *http.Request) {
	switch password, _ := c.base.User.Password(); {
	case c.Username != "":
		req.SetBasicAuth(c.Username, c.Secret.Reveal())
	case c.Secret != "":
		req.Header.Set("Authorization", "Bearer "+c.Secret.Reveal())
	case c.base.User != nil:
		req.SetBasicAuth(c.base.User.Username(), password)
	}
}

// cause is why a request ended, where that was its deadline.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func grafanaError(status int, body []byte) error {
	var a struct{ Message string }
	_ = json.Unmarshal(body, &a) // an answer that is no JSON has no message
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		return errors.New("HTTP 401: it does not know the token or the password; make a token of a service account with the role Editor")
	case http.StatusForbidden:
		return fmt.Errorf("HTTP 403 %s: the user needs the role Editor, or the permissions folders:create and dashboards:write", a.Message)
	case http.StatusPreconditionFailed:
		return fmt.Errorf("HTTP 412 %s: another dashboard of this folder has the title, or it was provisioned from a file; remove that one", a.Message)
	default:
		return fmt.Errorf("HTTP %d %s", status, strings.TrimSpace(a.Message))
	}
}
