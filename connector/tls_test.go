package connector

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// authority signs certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue returns a certificate and its key as PEM.
func (a *authority) issue(name string, serial int64, usage x509.ExtKeyUsage) (cert, key []byte) {
	a.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour + time.Duration(serial)*time.Minute), ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &k.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	kb, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kb})
}

// put replaces a file at once, as a mounted Secret is replaced.
func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (a *authority) client(certs ...tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certs, MinVersion: tls.VersionTLS12},
	}}
}

// Certificate and secret are replaced while deliveries come, over old connections and new ones, and none of them fails.
func TestRotationUnderLoad(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, "authority")
	cfg := testConfig(filepath.Join(dir, "data"))
	cfg.HTTP.CertPath, cfg.HTTP.KeyPath = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	cfg.Sources = filepath.Join(dir, "sources.yaml")
	certificate := func(serial int64) {
		cert, key := ca.issue("receiver.example", serial, x509.ExtKeyUsageServerAuth)
		put(t, cfg.HTTP.CertPath, cert) // for a moment the two don't belong together
		put(t, cfg.HTTP.KeyPath, key)
	}
	certificate(100)
	secretFile := filepath.Join(dir, "secret")
	put(t, secretFile, []byte("secret-number-1\n"))
	put(t, cfg.Sources, []byte("sources:\n- {name: phonely, auth: [{type: bearer, secrets: [secret]}]}\n"))
	s := newStore()
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	url := "https" + strings.TrimPrefix(r.url, "http")

	var secret atomic.Pointer[string]
	use := func(text string) { secret.Store(&text) }
	use("secret-number-1")
	var sent, serial, h2 atomic.Int64
	deliver := func(ctx context.Context, c *http.Client, token string) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(fmt.Sprintf(`{"callId":"c%d"}`, sent.Add(1))))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := c.Do(req)
		if err != nil {
			return 0, err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.ProtoMajor == 2 {
			h2.Add(1)
		}
		serial.Store(res.TLS.PeerCertificates[0].SerialNumber.Int64())
		return res.StatusCode, nil
	}
	ctx, stop := context.WithCancel(t.Context())
	g, gctx := errgroup.WithContext(ctx)
	old := ca.client()
	defer old.CloseIdleConnections()
	for i := range 8 {
		g.Go(func() error {
			for gctx.Err() == nil {
				c := old // half of them stay on one connection of HTTP/2
				if i%2 == 0 {
					c = ca.client()
				}
				code, err := deliver(context.WithoutCancel(gctx), c, *secret.Load())
				if i%2 == 0 {
					c.CloseIdleConnections()
				}
				if err != nil || code != 200 {
					return fmt.Errorf("delivery answered %d, %w", code, errors.Join(err, errors.New("while something was replaced")))
				}
			}
			return nil
		})
	}
	fresh := func(token string) int {
		c := ca.client()
		defer c.CloseIdleConnections()
		code, err := deliver(t.Context(), c, token)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	for round := int64(2); round <= 4; round++ {
		certificate(100 + round)
		now := fmt.Sprintf("secret-number-%d", round)
		before := *secret.Load()
		put(t, secretFile, []byte(now+"\n"+before+"\n"))
		r.eventually("the new secret is taken", func() bool { return fresh(now) == 200 })
		use(now)
		time.Sleep(50 * time.Millisecond) // what was under way with the old one is answered
		put(t, secretFile, []byte(now+"\n"))
		r.eventually("the old secret is refused", func() bool { return fresh(before) == 401 })
		r.eventually("the new certificate is shown", func() bool { fresh(now); return serial.Load() >= 100+round || gctx.Err() != nil })
	}
	stop()
	if err := g.Wait(); err != nil {
		t.Errorf("of %d deliveries one failed: %v", sent.Load(), err)
	}
	if h2.Load() == 0 {
		t.Error("no delivery came over HTTP/2")
	}
	t.Logf("%d deliveries, %d over HTTP/2", sent.Load(), h2.Load())
	block, _ := pem.Decode(must(os.ReadFile(cfg.HTTP.CertPath)))
	want := fmt.Sprint(float64(must(x509.ParseCertificate(block.Bytes)).NotAfter.Unix()))
	if got := r.metric("postcall_tls_certificate_expiry_timestamp_seconds"); got != want {
		t.Errorf("the certificate ends at %s by /metrics, want %s", got, want)
	}
	put(t, cfg.HTTP.CertPath, []byte("broken"))
	time.Sleep(1500 * time.Millisecond)
	if code := fresh("secret-number-4"); code != 200 {
		t.Errorf("with a broken certificate file a delivery answered %d", code)
	}
	if strings.Contains(r.log.String(), "secret-number") {
		t.Error("the log shows a secret")
	}
}

func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	server, clients, others := newAuthority(t, "servers"), newAuthority(t, "clients"), newAuthority(t, "others")
	cfg := testConfig(filepath.Join(dir, "data"))
	cfg.HTTP.CertPath, cfg.HTTP.KeyPath, cfg.Sources = filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "sources.yaml")
	cert, key := server.issue("receiver.example", 1, x509.ExtKeyUsageServerAuth)
	put(t, cfg.HTTP.CertPath, cert)
	put(t, cfg.HTTP.KeyPath, key)
	put(t, filepath.Join(dir, "ca"), clients.pem)
	put(t, cfg.Sources, []byte("sources:\n- {name: phonely, auth: [{type: client-certificate, ca: ca, names: [sender.example]}]}\n"))
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}})
	url := "https" + strings.TrimPrefix(r.url, "http")
	post := func(certs ...tls.Certificate) int {
		c := server.client(certs...)
		defer c.CloseIdleConnections()
		res, err := c.Post(url, "application/json", strings.NewReader(`{"callId":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	pair := func(a *authority, name string, usage x509.ExtKeyUsage) tls.Certificate {
		cert, key := a.issue(name, 2, usage)
		p, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, tt := range map[string]struct {
		got, want int
	}{
		"the sender's":      {post(pair(clients, "sender.example", x509.ExtKeyUsageClientAuth)), 200},
		"none":              {post(), 401},
		"another name":      {post(pair(clients, "somebody.example", x509.ExtKeyUsageClientAuth)), 403},
		"another authority": {post(pair(others, "sender.example", x509.ExtKeyUsageClientAuth)), 403},
		"a server's":        {post(pair(clients, "sender.example", x509.ExtKeyUsageServerAuth)), 403},
	} {
		if tt.got != tt.want {
			t.Errorf("%s certificate: answered %d, want %d", name, tt.got, tt.want)
		}
	}
	put(t, filepath.Join(dir, "ca"), others.pem)
	r.eventually("another authority is read", func() bool { return post(pair(others, "sender.example", x509.ExtKeyUsageClientAuth)) == 200 })

	if c, err := tls.Dial("tcp", strings.TrimPrefix(r.base(), "http://"), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil { //nolint:gosec // it must be refused
		_ = c.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

func TestWrongCertificateFilesAreNamed(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.HTTP.CertPath, cfg.HTTP.KeyPath = "/nowhere/cert", "/nowhere/key"
	err := (&Connector{Config: cfg, Sinks: []Sink{{"a", newStore(), 1}}, Log: discard()}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "POSTCALL_HTTP_CERT_PATH, POSTCALL_HTTP_KEY_PATH: a file can't be read") {
		t.Errorf("%v", err)
	}
}
