package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
)

// KibanaAuth is who imports: an API key, or a user. Without either, what the address holds (user:password@) is used.
type KibanaAuth struct {
	Username         string
	Password, APIKey connector.Secret
}

// ApplyKibana imports KibanaBundle over what is there. The address may lead to a space (https://kibana/s/support).
func ApplyKibana(ctx context.Context, address string, auth KibanaAuth) error {
	bundle, err := KibanaBundle()
	if err != nil {
		return err
	}
	return importBundle(ctx, address, auth, bundle)
}

func importBundle(ctx context.Context, address string, auth KibanaAuth, bundle []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("no answer within a minute"))
	defer cancel()
	req, err := importRequest(ctx, address, auth, bundle)
	if err != nil {
		return err
	}
	res, err := http.DefaultTransport.RoundTrip(req) // not a Client, whose errors hold the address with its password
	if err != nil {
		return fmt.Errorf("import into Kibana: %w", cause(ctx, err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("import into Kibana: %w", cause(ctx, err))
	}
	if err := importResult(res.StatusCode, body, bytes.Count(bundle, []byte("\n"))); err != nil {
		return fmt.Errorf("import into Kibana: %w", err)
	}
	return nil
}

func importRequest(ctx context.Context, address string, auth KibanaAuth, bundle []byte) (*http.Request, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the address of Kibana is not http(s)://host:port")
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "postcall.ndjson") // Kibana insists on the extension
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(bundle); err != nil {
		return nil, err
	}
	if err := form.Close(); err != nil {
		return nil, err
	}
	user := u.User
	u.User = nil
	u = u.JoinPath("/api/saved_objects/_import")
	u.RawQuery = "overwrite=true"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), &body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("kbn-xsrf", "postcall") // Kibana refuses a request without it
	req.Header.Set("Content-Type", form.FormDataContentType())
	switch {
	case auth.APIKey != "":
		req.Header.Set("Authorization", "ApiKey "+auth.APIKey.Reveal())
	case auth.Username != "":
		req.SetBasicAuth(auth.Username, auth.Password.Reveal())
	case user != nil:
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	return req, nil
}

// importResult reads Kibana's answer, which is 200 also where objects were not imported.
func importResult(status int, body []byte, objects int) error {
	var a struct {
		Success      bool
		SuccessCount int
		Message      string // of an answer that isn't 200
		Errors       []struct {
			ID, Type string
			Error    struct {
				Type, Message string
				References    []struct{ Type, ID string }
			}
		}
	}
	err := json.Unmarshal(body, &a)
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("HTTP %d: the user needs the privilege all on Saved Objects Management in this space", status)
	case status != http.StatusOK:
		return fmt.Errorf("HTTP %d %s", status, a.Message)
	case err != nil:
		return errors.New("the answer is not JSON: is this the address of Kibana?")
	}
	var errs []error
	for _, e := range a.Errors {
		what := []string{e.Type, e.ID + ":", e.Error.Type}
		if e.Error.Message != "" {
			what = append(what, e.Error.Message)
		}
		for _, r := range e.Error.References {
			what = append(what, r.Type, r.ID)
		}
		errs = append(errs, errors.New(strings.Join(what, " ")))
	}
	if len(errs) == 0 && (!a.Success || a.SuccessCount != objects) {
		errs = append(errs, fmt.Errorf("%d of %d objects were imported", a.SuccessCount, objects))
	}
	return errors.Join(errs...)
}
