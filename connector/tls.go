package connector

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// keyPair is the server's certificate. It is read again when its files change: Kubernetes renews them in place.
type keyPair struct {
	cert, key string // files

	now                atomic.Pointer[tls.Certificate]
	lastCert, lastKeys []byte
}

// reload reads the files. After an error the certificate is as it was. The error holds nothing of the key.
func (k *keyPair) reload() error {
	cert, err1 := os.ReadFile(k.cert)
	key, err2 := os.ReadFile(k.key)
	if err1 != nil || err2 != nil {
		return errors.New("POSTCALL_HTTP_CERT_PATH, POSTCALL_HTTP_KEY_PATH: a file can't be read; name files that this user may read")
	}
	if k.now.Load() != nil && bytes.Equal(cert, k.lastCert) && bytes.Equal(key, k.lastKeys) {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return errors.New("POSTCALL_HTTP_CERT_PATH, POSTCALL_HTTP_KEY_PATH: the files are no certificate with its key; write both as PEM, the server's certificate first")
	}
	k.lastCert, k.lastKeys = cert, key
	k.now.Store(&pair)
	return nil
}

// watch reads the files again when they change, until ctx ends. Between the writes of two files they may not match for a
// moment; that is said only where it lasts.
func (k *keyPair) watch(ctx context.Context, log *slog.Logger, m *metrics) error {
	failed := 0
	k.measure(m)
	for sleep(ctx, time.Second) == nil {
		before := k.now.Load()
		switch err := k.reload(); {
		case err != nil:
			if failed++; failed == 10 {
				log.Error("the certificate can't be read again; the one before is still used", "err", err)
			}
		case k.now.Load() != before:
			failed = 0
			k.measure(m)
			log.Info("the certificate was read again", "valid_until", k.until())
		default:
			failed = 0
		}
	}
	return nil
}

// measure says when the certificate ends.
func (k *keyPair) measure(m *metrics) {
	if leaf := k.now.Load().Leaf; leaf != nil {
		m.certExpiry.WithLabelValues().Set(float64(leaf.NotAfter.Unix()))
	}
}

func (k *keyPair) until() string {
	if leaf := k.now.Load().Leaf; leaf != nil {
		return leaf.NotAfter.UTC().Format(time.RFC3339)
	}
	return "unknown"
}

// config is TLS 1.2 and later, with HTTP/2. Client certificates are asked for where a source wants them, and checked by
// that source.
func (k *keyPair) config(clients bool) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.now.Load(), nil },
	}
	if clients {
		c.ClientAuth = tls.RequestClientCert
	}
	return c
}
