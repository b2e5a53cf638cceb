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
	"regexp"
	"strings"
	"time"

	"github.com/postcall/postcall/connector"
)

// KibanaAuth is who imports: an API key, or a user. Without either, what the address holds (user:password@) is used.
type KibanaAuth struct {
	Username         string
	Password, APIKey connector.Secret
}

// ApplyKibana imports KibanaBundle over what is there, into a space, or where none is named into the one that the address
// leads to (https://kibana/s/support), else the default one. It returns how many objects were imported.
func ApplyKibana(ctx context.Context, address, space string, auth KibanaAuth, alias string) (int, error) {
	bundle, err := KibanaBundle(alias)
	if err != nil {
		return 0, err
	}
	address, err = spaceAddress(address, space)
	if err != nil {
		return 0, err
	}
	return bytes.Count(bundle, []byte("\n")), importBundle(ctx, address, auth, bundle)
}

var spaceName = regexp.MustCompile(`^[a-z0-9_-]+$`)

// spaceAddress adds a space to Kibana's address.
func spaceAddress(address, space string) (string, error) {
	if space == "" {
		return address, nil
	}
	if !spaceName.MatchString(space) {
		return "", errors.New("the identifier of a space has small letters, digits, - and _ only: it stands in Kibana's address behind /s/")
	}
	u, err := url.Parse(strings.TrimSpace(address))
	switch {
	case err != nil:
		return "", errKibanaAddress
	case strings.Contains(u.Path+"/", "/s/"):
		return "", errors.New("the address of Kibana already leads to a space: name it once")
	}
	return u.JoinPath("s", space).String(), nil
}

var errKibanaAddress = errors.New("the address of Kibana is not http(s)://host:port")

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
		return nil, errKibanaAddress
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
		return fmt.Errorf("HTTP %d: check the user or the API key, which needs the privilege all on Saved Objects Management in this space", status)
	case status == http.StatusNotFound:
		return errors.New("HTTP 404: is this the address of Kibana, and is there such a space?")
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
