package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// clickhouseUser is who clients log in as. The engine's own session needs `default` without a password.
const clickhouseUser = "postcall"

const clickhouseConfig = `<clickhouse>
  <logger><level>warning</level><console_log_level>warning</console_log_level><console>true</console></logger>
  <users_config>%s</users_config>
  <mark_cache_size>67108864</mark_cache_size>
</clickhouse>
`

// clickhouseUsers leaves `default`, which has no password, nothing to see: it may only do what keeps the engine running.
const clickhouseUsers = `<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT CREATE TEMPORARY TABLE ON *.*</query>
        <query>GRANT READ ON FILE</query>
      </grants>
    </default>
    <` + clickhouseUser + `>
      <password_sha256_hex>%x</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    </` + clickhouseUser + `>
  </users>
</clickhouse>
`

// clickhouseQuery opens the listeners and then waits, without using a CPU, for the end of standard input.
const clickhouseQuery = `SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP;
INSERT INTO FUNCTION null('x String') FROM INFILE '/dev/stdin' FORMAT LineAsString`

// clickhouse describes one server: its folder, its ports and the gate in front of its native port. In this way of
// running, the engine aborts on a native login that it refuses; the gate refuses such a login itself.
func clickhouse(c cache, data string, tcpPort, httpPort int) (*server, error) {
	dir := filepath.Join(data, "clickhouse")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	password, err := secretFile(filepath.Join(dir, "password"))
	if err != nil {
		return nil, err
	}
	config, users := filepath.Join(dir, "config.xml"), filepath.Join(dir, "users.xml")
	if err := errors.Join(
		os.WriteFile(config, fmt.Appendf(nil, clickhouseConfig, xmlText(users)), 0o600),
		os.WriteFile(users, fmt.Appendf(nil, clickhouseUsers, sha256.Sum256([]byte(password))), 0o600),
	); err != nil {
		return nil, err
	}
	inner, err := freePort()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	web := fmt.Sprintf("http://127.0.0.1:%d", httpPort)
	g, err := newGate(tcpPort, fmt.Sprintf("127.0.0.1:%d", inner), web, password)
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", tcpPort)
	e := &server{
		name: "clickhouse", addr: addr, dir: dir, workdir: dir, gate: g,
		env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC"},
		argv: []string{
			self, "chdb", c.clickhouseLibrary(), "--path", filepath.Join(dir, "data"), "--config-file", config,
			"--listen_host", "127.0.0.1", "--tcp_port", fmt.Sprint(inner), "--http_port", fmt.Sprint(httpPort),
			"--multiquery", "--query", clickhouseQuery,
		},
		// The HTTP listener is opened after the native one. Nobody knocks at that to try: it takes it for a bad login.
		healthy: func(ctx context.Context) error { return getOK(ctx, web+"/ping") },
		exports: []string{
			"POSTCALL_CLICKHOUSE_ADDR=" + addr,
			"POSTCALL_CLICKHOUSE_USERNAME=" + clickhouseUser,
			"POSTCALL_CLICKHOUSE_PASSWORD=" + password,
			"POSTCALL_TEST_CLICKHOUSE_HTTP=" + web,
		},
	}
	return e, nil
}

// secretFile returns the secret in path, and makes one at the first call.
func secretFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	secret := hex.EncodeToString(raw)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return secret, os.WriteFile(path, []byte(secret+"\n"), 0o600)
}

func xmlText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer takes all
	return b.String()
}
