package connector

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// A cluster that asks for a user's credentials and has a certificate of an authority of its own.
func TestConnectsWithCredentialsAndAuthority(t *testing.T) {
	dir := t.TempDir()
	creds, ca := filepath.Join(dir, "user.creds"), filepath.Join(dir, "ca.pem")
	url := secureServer(t, creds, ca)
	f := func(ok bool, c NATSConfig) {
		t.Helper()
		c.URL = url
		s := &streams{}
		defer s.close()
		err := s.connect(c.URL, c.options()...)
		if err == nil {
			_, err = s.js.AccountInfo(t.Context())
		}
		if (err == nil) != ok {
			t.Errorf("credentials %t, authority %t: %v", c.CredsPath != "", c.CAPath != "", err)
		}
	}
	f(true, NATSConfig{CredsPath: creds, CAPath: ca})
	f(false, NATSConfig{CredsPath: creds})
	f(false, NATSConfig{CAPath: ca})
}

// secureServer runs a JetStream that trusts one operator, and writes the files that a client needs.
func secureServer(t *testing.T, creds, ca string) string {
	t.Helper()
	must := func(err error) {
		if t.Helper(); err != nil {
			t.Fatal(err)
		}
	}
	operator, err := nkeys.CreateOperator()
	must(err)
	account, err := nkeys.CreateAccount()
	must(err)
	user, err := nkeys.CreateUser()
	must(err)
	operatorKey, _ := operator.PublicKey()
	accountKey, _ := account.PublicKey()
	userKey, _ := user.PublicKey()
	claims := jwt.NewAccountClaims(accountKey)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	accountJWT, err := claims.Encode(operator)
	must(err)
	userJWT, err := jwt.NewUserClaims(userKey).Encode(account)
	must(err)
	seed, err := user.Seed()
	must(err)
	file, err := jwt.FormatUserConfig(userJWT, seed)
	must(err)
	must(os.WriteFile(creds, file, 0o600))

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	must(err)
	must(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))

	system, err := nkeys.CreateAccount()
	must(err)
	systemKey, _ := system.PublicKey()
	systemJWT, err := jwt.NewAccountClaims(systemKey).Encode(operator)
	must(err)
	resolver := &server.MemAccResolver{}
	must(resolver.Store(accountKey, accountJWT))
	must(resolver.Store(systemKey, systemJWT))
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
		TrustedKeys: []string{operatorKey}, SystemAccount: systemKey, AccountResolver: resolver,
		TLSConfig:  &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12},
		TLSTimeout: 10,
	})
	must(err)
	go srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not start")
	}
	return "tls://" + srv.Addr().String()
}
