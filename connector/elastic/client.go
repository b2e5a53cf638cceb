package elastic

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"

	"github.com/postcall/postcall/connector"
)

const maxAnswer = 64 << 20 // bytes of an answer that are read at most

// client talks to the nodes of one cluster: one attempt a call, on the next node each time.
type client struct {
	es      *elastictransport.Client
	http    *http.Transport
	alias   string
	byMonth bool // monthly indices behind the alias
	timeout time.Duration

	language string // a key of languages
	synonyms string // path of a file, read by migrate only

	keepDays, keepPersonalDays int // 0 is for ever
}

// newClient checks the configuration; it opens no connection.
func newClient(cfg connector.ElasticsearchConfig) (*client, error) {
	urls, err := checkConfig(cfg)
	if err != nil {
		return nil, err
	}
	h := http.DefaultTransport.(*http.Transport).Clone()
	h.MaxIdleConnsPerHost = max(cfg.Workers, 1) + 1
	h.DisableCompression = true // answers are small
	es, err := elastictransport.NewClient(
		elastictransport.WithUserAgent("postcall"),
		elastictransport.WithURLs(urls...),
		elastictransport.WithBasicAuth(cfg.Username, cfg.Password.Reveal()),
		elastictransport.WithAPIKey(cfg.APIKey.Reveal()), // outweighs the user
		elastictransport.WithDisableRetry(),
		elastictransport.WithTransport(h),
	)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch client: %w", err)
	}
	c := &client{
		es: es, http: h, alias: cfg.Index, byMonth: cfg.IndexBy == "month", timeout: cfg.Timeout,
		language: cmp.Or(cfg.Language, defaultLanguage), synonyms: cfg.Synonyms, keepDays: cfg.KeepDays, keepPersonalDays: cfg.KeepPersonalDays,
	}
	if c.timeout <= 0 {
		c.timeout = time.Minute
	}
	return c, nil
}

// checkConfig names variables, never values: an address can hold a password.
func checkConfig(cfg connector.ElasticsearchConfig) ([]*url.URL, error) {
	var errs []error
	var urls []*url.URL
	for i, s := range cfg.URL {
		u, err := url.Parse(strings.TrimRight(strings.TrimSpace(s), "/"))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("POSTCALL_ELASTICSEARCH_URL: address %d is not http(s)://host:port", i+1))
			continue
		}
		urls = append(urls, u)
	}
	if len(cfg.URL) == 0 {
		errs = append(errs, errors.New("POSTCALL_ELASTICSEARCH_URL is empty: name at least one node"))
	}
	if !validName(cfg.Index) {
		errs = append(errs, errors.New(`POSTCALL_ELASTICSEARCH_INDEX is no name for an alias: lower case, at most 200 bytes, not starting with -, _ or +, none of \/*?"<>|,#: or space`))
	}
	switch cfg.IndexBy {
	case "", "none", "month":
	default:
		errs = append(errs, errors.New("POSTCALL_ELASTICSEARCH_INDEX_BY must be none or month"))
	}
	if _, known := languages[cmp.Or(cfg.Language, defaultLanguage)]; !known {
		errs = append(errs, errors.New("POSTCALL_ELASTICSEARCH_LANGUAGE is none of "+strings.Join(languageNames(), ", ")))
	}
	return urls, errors.Join(errs...)
}

func validName(s string) bool {
	return s != "" && len(s) <= 200 && s == strings.ToLower(s) && s != "." && s != ".." &&
		!strings.ContainsRune("-_+", rune(s[0])) && !strings.ContainsAny(s, "\\/*?\"<>|,#: \t\r\n")
}

func (c *client) close() {
	_ = c.es.Close(context.Background()) // fails only when called twice
	c.http.CloseIdleConnections()
}

// deadline bounds one request and says so in the error of whoever runs into it.
func (c *client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %s", c.timeout))
}

// httpError is an answer that isn't 2xx. Its text is the status and Elasticsearch's type of the error; reason can quote
// data and is only for requests that carry none.
type httpError struct {
	status       int
	kind, reason string
}

func (e *httpError) Error() string {
	s := fmt.Sprintf("HTTP %d", e.status)
	if e.kind != "" {
		s += " " + e.kind
	}
	return s
}

func readError(status int, body io.Reader) *httpError {
	var a struct{ Error json.RawMessage }
	var detail struct{ Type, Reason string }
	e := &httpError{status: status}
	if json.NewDecoder(io.LimitReader(body, 1<<20)).Decode(&a) == nil && json.Unmarshal(a.Error, &detail) == nil {
		e.kind, e.reason = errorType(detail.Type), detail.Reason
	}
	return e
}

// do sends one request about the schema, never about calls, and decodes a 2xx answer into out. Any other status is an
// *httpError.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.es.Perform(req)
	if err != nil {
		return cause(ctx, err)
	}
	defer res.Body.Close()
	if res.StatusCode > 299 {
		return readError(res.StatusCode, res.Body)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("answer of Elasticsearch: %w", cause(ctx, err))
	}
	return nil
}

// cause prefers the reason a context ended to what the transport made of it.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
