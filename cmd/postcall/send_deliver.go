package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/source"
)

// sendAuth are the kinds of proof that --auth takes.
var sendAuth = []string{"none", "bearer", "header", "basic", "query", "path", "standard-webhooks", "retell", "elevenlabs", "vapi"}

var encoders = map[string]func(io.Writer) (io.WriteCloser, error){
	"gzip":    func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"deflate": func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
	"zstd":    func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
}

// sender delivers to one webhook.
type sender struct {
	url      string
	as       *source.Source // signs; nil shows no secret
	encoding string
	kind     string // Content-Type
	attempts int
	http     *http.Client
}

func newSender(o sendOptions) (*sender, error) {
	s := &sender{url: o.url, attempts: o.attempts, encoding: o.encoding, kind: "application/json"}
	if o.lines {
		s.kind = "application/x-ndjson"
	}
	tlsConfig, err := trust(o.ca, o.serverName)
	if err != nil {
		return nil, err
	}
	s.http = &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: o.concurrency, Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true,
	}}
	// Only what is about the sender counts here: send also runs where the connector is not configured.
	cfg, cfgErr := connector.LoadConfig()
	route := connector.WebhookPath
	if o.source != "" {
		set, err := cfg.OpenSources()
		if err != nil {
			return nil, err
		}
		if s.as = set.Named(o.source); s.as == nil {
			return nil, usagef("there is no source %s in POSTCALL_SOURCES", o.source)
		}
		route = s.as.Route
	} else if s.as, err = signer(o, &cfg); err != nil {
		return nil, err
	}
	if s.url == "" {
		if s.url, err = ownURL(&cfg, cfgErr); err != nil {
			return nil, err
		}
		s.url += route
	}
	return s, nil
}

// signer shows the secret as --auth says.
func signer(o sendOptions, cfg *connector.Config) (*source.Source, error) {
	var secrets []string
	if o.secretFile != "" {
		b, err := os.ReadFile(o.secretFile)
		if err != nil {
			return nil, fmt.Errorf("read the secret of --secret-file: %w", err)
		}
		secrets = []string{strings.TrimSpace(string(b))}
	} else if list := cfg.WebhookSecrets(); len(list) > 0 {
		secrets = []string{list[0].Reveal()}
	}
	if o.auth == "none" || len(secrets) == 0 && o.auth == "bearer" {
		return nil, nil
	}
	src, err := source.Sender(source.Auth{Type: o.auth, Name: o.authName, User: o.authUser, Secrets: secrets})
	if err != nil {
		return nil, usagef("--auth %s: %w", o.auth, err)
	}
	return src, nil
}

// tenant is that of the source which is delivered to.
func (s *sender) tenant() string {
	if s.as != nil && s.as.Tenant != "" {
		return s.as.Tenant
	}
	return source.DefaultTenant
}

func trust(file, name string) (*tls.Config, error) {
	if file == "" && name == "" {
		return nil, nil
	}
	if file == "" {
		return &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the authority of --ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New("--ca holds no certificate; name a PEM file")
	}
	return &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12}, nil
}

// ownURL is where POSTCALL_HTTP_ADDR is reached from this machine.
func ownURL(cfg *connector.Config, cfgErr error) (string, error) {
	if cfg.HTTPAddr == "" {
		return "", fmt.Errorf("set --url: POSTCALL_HTTP_ADDR can't be read: %w", cfgErr)
	}
	host, port, err := net.SplitHostPort(cfg.HTTPAddr)
	if err != nil {
		return "", errors.New("set --url: POSTCALL_HTTP_ADDR is not host:port")
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	scheme := "http"
	if cfg.HTTP.CertPath != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}

// deliver posts a body until it is stored or refused.
func (s *sender) deliver(ctx context.Context, body []byte) error {
	if s.encoding != "" {
		var packed bytes.Buffer
		w, err := encoders[s.encoding](&packed)
		if err != nil {
			return err
		}
		_, err = w.Write(body)
		if err = errors.Join(err, w.Close()); err != nil {
			return err
		}
		body = packed.Bytes()
	}
	for attempt := 1; ; attempt++ {
		wait, err := s.post(ctx, body)
		if err == nil || wait == 0 || attempt >= s.attempts || ctx.Err() != nil {
			return err
		}
		if !waitUntil(ctx, time.Now().Add(wait)) {
			return ctx.Err()
		}
	}
}

// post makes one attempt. The wait is positive where another makes sense.
func (s *sender) post(ctx context.Context, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", s.kind)
	if s.encoding != "" {
		req.Header.Set("Content-Encoding", s.encoding)
	}
	if s.as != nil {
		if err := s.as.Sign(req, body, time.Now()); err != nil {
			return 0, err
		}
	}
	res, err := s.http.Do(req)
	if err != nil {
		return time.Second, fmt.Errorf("deliver (is `postcall serve` running there?): %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if res.StatusCode/100 == 2 {
		return 0, partly(text)
	}
	var p struct {
		Title, Detail string
		Errors        []struct{ Pointer, Detail string }
	}
	_ = json.Unmarshal(text, &p)
	err = fmt.Errorf("refused with %d %s: %s", res.StatusCode, p.Title, p.Detail)
	for _, e := range p.Errors {
		err = fmt.Errorf("%w\n  %s: %s", err, e.Pointer, e.Detail)
	}
	if res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests {
		secs, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return time.Duration(max(secs, 1)) * time.Second, err
	}
	return 0, err
}

// partly reads a 200: of several events, or of a test, some may be refused.
func partly(text []byte) error {
	var a struct {
		Status string
		Errors []struct{ Pointer, Detail string }
		Events []struct {
			Index  int
			Status string
			Errors []struct{ Pointer, Detail string }
		}
	}
	if json.Unmarshal(text, &a) != nil {
		return nil // not postcall's; 2xx is 2xx
	}
	var err error
	for _, e := range a.Errors {
		err = errors.Join(err, fmt.Errorf("%s, not stored: %s: %s", a.Status, e.Pointer, e.Detail))
	}
	for _, e := range a.Events {
		for _, f := range e.Errors {
			err = errors.Join(err, fmt.Errorf("event %d %s: %s: %s", e.Index, e.Status, f.Pointer, f.Detail))
		}
	}
	return err
}
