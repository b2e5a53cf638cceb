package transforms

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
)

// TestPluginRefusesAnotherClient: the plugin's socket answers the one client whose certificate it was handed.
func TestPluginRefusesAnotherClient(t *testing.T) {
	p, _ := openFault(t)
	socket := p.workers[0].living().client.ReattachConfig().Addr.String()
	stranger, _, err := clientTLS()
	if err != nil {
		t.Fatal(err)
	}
	for name, certificates := range map[string][]tls.Certificate{"no certificate": nil, "one of its own": stranger.Certificates} {
		raw, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, Certificates: certificates})
		_, err = conn.Read(make([]byte, 1)) // where TLS 1.3 tells
		_ = conn.Close()
		if err == nil || !strings.Contains(err.Error(), "tls:") {
			t.Errorf("%s: %v, want an error of TLS", name, err)
		}
	}
}

// TestClientCertificateIsOnP256: gRPC in C, and so in Python, Ruby and C#, takes no other curve of a client.
func TestClientCertificateIsOnP256(t *testing.T) {
	config, _, err := clientTLS()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is a %T", cert.PublicKey)
	}
}
