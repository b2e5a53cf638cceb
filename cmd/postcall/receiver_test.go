package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMappingsOnTheCommandLine(t *testing.T) {
	w := &world{t: t, bin: mustInstall(t), env: []string{"POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef", "POSTCALL_TRANSFORMS=none"}}
	dir := t.TempDir()
	body, err := os.ReadFile("samples/retell.json")
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs := w.postcall(string(body), "transform", "--mapping", "retell")
	if code != 0 || !strings.Contains(out, `"callId":"call_a4441234567890777c4a4a123e6"`) || !strings.Contains(out, `"agentName":"Front Desk"`) {
		t.Errorf("transform --mapping retell: exit %d\n%s%s", code, out, errs)
	}
	if !strings.Contains(errs, "- .call.call_cost.combined_cost") || !strings.Contains(errs, ".call.transcript_object[].words[].start") || strings.Contains(errs, ".call.call_id ") {
		t.Errorf("what is not used:\n%s", errs)
	}
	if strings.Contains(errs, "Harbor") || strings.Contains(errs, "+1415") {
		t.Errorf("standard error shows values:\n%s", errs)
	}
	if code, out, errs := w.postcall(`{"event":"call_started","call":{}}`, "transform", "--mapping", "retell"); code != 0 || out != "" || !strings.Contains(errs, "makes no call of it") {
		t.Errorf("another event: exit %d\n%s%s", code, out, errs)
	}

	code, proposed, errs := w.postcall(string(body), "mapping", "init", "-")
	if code != 0 || !strings.Contains(proposed, "callId: .call.call_id") || !strings.Contains(proposed, `select(.event == "call_analyzed")`) {
		t.Fatalf("mapping init: exit %d\n%s%s", code, proposed, errs)
	}
	file := filepath.Join(dir, "acme.jq")
	if err := os.WriteFile(file, []byte(proposed), 0o600); err != nil {
		t.Fatal(err)
	}
	sources := filepath.Join(dir, "sources.yaml")
	if err := os.WriteFile(sources, []byte("sources:\n- {name: acme, mapping: acme.jq}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.set("POSTCALL_SOURCES=" + sources)
	code, out, errs = w.postcall(string(body), "transform", "--source", "acme")
	if code != 0 || !strings.Contains(out, `"source":"acme"`) || !strings.Contains(out, "Do you have a room for tonight?") {
		t.Errorf("transform --source: exit %d\n%s%s", code, out, errs)
	}
	if code, _, errs := w.postcall(string(body), "transform", "--source", "nobody"); code != 1 || !strings.Contains(errs, "there is no source nobody") {
		t.Errorf("an unknown source: exit %d %s", code, errs)
	}
	if err := os.WriteFile(file, []byte("{\n  callId: .call.call_id,\n  duration: (.call.agent_name * 1000 | tonumber)\n}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := w.postcall(string(body), "transform", "--source", "acme"); code != 1 || !strings.Contains(errs, "source acme sets it on line 3") {
		t.Errorf("a mapping that fails: exit %d %s", code, errs)
	}
}

// send is every sender: signed as each signs, several events, compressed, again and corrected.
func TestSendDeliversAsTheSendersDo(t *testing.T) {
	w := &world{t: t, bin: mustInstall(t), http: freeAddr(t), admin: freeAddr(t)}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"key": "key_0123456789abcdef", "whsec": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"sources.yaml": `
sources:
- {name: phonely, auth_needs: any, auth: [{type: bearer, secrets: [key]}, {type: basic, username: ann, secrets: [key]}, {type: query, name: token, secrets: [key]}, {type: path, secrets: [key]}, {type: header, name: X-Token, secrets: [key]}]}
- {name: retell, mapping: retell, auth: [{type: retell, secrets: [key]}]}
- {name: vapi, mapping: vapi, auth: [{type: vapi, secrets: [key]}]}
- {name: elevenlabs, mapping: elevenlabs, auth: [{type: elevenlabs, secrets: [key]}]}
- {name: standard, auth: [{type: standard-webhooks, secrets: [whsec]}]}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.set("POSTCALL_DATA_DIR="+t.TempDir(), "POSTCALL_HTTP_ADDR="+w.http, "POSTCALL_ADMIN_ADDR="+w.admin, "POSTCALL_TRANSFORMS=none",
		"POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef", "POSTCALL_SOURCES="+filepath.Join(dir, "sources.yaml"),
		"POSTCALL_CLICKHOUSE_ADDR=127.0.0.1:1", "POSTCALL_ELASTICSEARCH_URL=http://127.0.0.1:1")
	w.serve()
	key, whsec := filepath.Join(dir, "key"), filepath.Join(dir, "whsec")
	base := "http://" + w.http
	for _, args := range [][]string{
		{"--source", "phonely"},
		{"--source", "retell", "--as", "retell"},
		{"--source", "vapi", "--as", "vapi"},
		{"--source", "elevenlabs", "--as", "elevenlabs"},
		{"--source", "standard"},
		{"--secret-file", key},
		{"--secret-file", key, "--auth", "basic", "--auth-user", "ann"},
		{"--secret-file", key, "--auth", "query", "--auth-name", "token"},
		{"--secret-file", key, "--auth", "path"},
		{"--secret-file", key, "--auth", "header", "--auth-name", "X-Token"},
		{"--secret-file", key, "--auth", "retell", "--as", "retell", "--url", base + "/hooks/retell"},
		{"--secret-file", whsec, "--auth", "standard-webhooks", "--url", base + "/hooks/standard"},
		{"--source", "phonely", "--count", "40", "--batch", "20", "--lines", "--encoding", "gzip"},
		{"--source", "phonely", "--count", "20", "--batch", "7", "--encoding", "zstd"},
		{"--source", "retell", "--as", "retell", "--count", "10", "--encoding", "deflate", "--duplicates", "1", "--corrections", "1"},
	} {
		code, out, errs := w.postcall("", append([]string{"send"}, args...)...)
		n := 1
		switch {
		case strings.Contains(fmt.Sprint(args), "--lines"):
			n = 2
		case strings.Contains(fmt.Sprint(args), "--batch"):
			n = 3
		case strings.Contains(fmt.Sprint(args), "--duplicates"):
			n = 30
		}
		if code != 0 || !strings.HasPrefix(out, fmt.Sprintf("%d of %d deliveries stored", n, n)) {
			t.Errorf("send %v: exit %d\n%s%s", args, code, out, errs)
		}
	}
	for says, args := range map[string][]string{
		"refused with 401": {"--secret-file", whsec},
		"refused with 422": {"--source", "phonely", "--as", "retell"},
		"no source nobody": {"--source", "nobody"},
	} {
		if code, _, errs := w.postcall("", append([]string{"send"}, args...)...); code == 0 || !strings.Contains(errs, says) {
			t.Errorf("send %v: exit %d %s, want %s", args, code, errs, says)
		}
	}
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte(`[{"callId":"good"},{"callId":7,"duration":"soon"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := w.postcall("", "send", "--source", "phonely", "--batch", "2", bad)
	if code != 1 || !strings.Contains(errs, "event 1 refused: /callId: found a number") || !strings.Contains(errs, "event 1 refused: /duration: found a string that is no duration") {
		t.Errorf("one event of two is bad: exit %d %s", code, errs)
	}
}

// What docs/sources.md says is so: its file is taken and its commands run.
func TestSourcesDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string) string {
		_, rest, ok := strings.Cut(string(text), "```"+kind+"\n")
		if !ok {
			t.Fatalf("docs/sources.md has no block of %s", kind)
		}
		block, _, _ := strings.Cut(rest, "```")
		return block
	}
	dir := t.TempDir()
	key, ca := filepath.Join(dir, "retell-key"), filepath.Join(dir, "partner-ca.pem")
	for path, content := range map[string]string{
		key: "key_0123456789abcdef", ca: testAuthority(t), filepath.Join(dir, "whsec"): "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		filepath.Join(dir, "phonely-token"): "0123456789", filepath.Join(dir, "clinic.jq"): "{callId: .id, agentName: .agent}",
		filepath.Join(dir, "sources.yaml"): strings.ReplaceAll(block("yaml"), "/run/secrets/retell-key", key),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, bin: mustInstall(t), env: []string{"POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef", "POSTCALL_TRANSFORMS=none"}}
	for line := range strings.Lines(block("sh")) {
		args := strings.Fields(strings.Replace(strings.TrimSpace(line), "testdata/", "../../testdata/", 1))
		if code, out, errs := w.postcall("", args[1:]...); code != 0 || out == "" {
			t.Errorf("%s: exit %d\n%s%s", line, code, out, errs)
		}
	}
	w.set("POSTCALL_SOURCES=" + filepath.Join(dir, "sources.yaml"))
	code, out, errs := w.postcall(`{"calls":[{"id":"a","agent":"Sandbox"},{"id":"b"}]}`, "transform", "--source", "clinic")
	if code != 0 || strings.Count(out, `"tenant":"clinic"`) != 2 || !strings.Contains(out, `"isTest":true`) {
		t.Errorf("transform --source clinic: exit %d\n%s%s", code, out, errs)
	}
}

// testAuthority is a certificate that has signed itself.
func testAuthority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
