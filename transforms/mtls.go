package transforms

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// clientTLS makes what go-plugin's AutoMTLS makes for a host: a key and a certificate for one run of a plugin, and the
// certificate as PEM for the plugin. go-plugin adds the plugin's own certificate when it reads the handshake.
//
// go-plugin's key is on the curve P-521, which gRPC outside of Go refuses: a plugin in Python would see no certificate.
// This one is on P-256.
func clientTLS() (*tls.Config, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:      pkix.Name{CommonName: "localhost", Organization: []string{"postcall"}},
		DNSNames:     []string{"localhost"},
		SerialNumber: serial,
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().AddDate(30, 0, 0), // a plugin runs as long as its host
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IsCA:         true, // it vouches for itself, on the other side too
		// Without it IsCA says nothing.
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		ServerName:   "localhost",
		MinVersion:   tls.VersionTLS12,
		// Until the handshake brings the plugin's certificate nobody is trusted, above all not the system's authorities.
		RootCAs: x509.NewCertPool(),
	}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
