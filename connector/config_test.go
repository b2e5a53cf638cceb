package connector

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the test machine may have no zones

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the goldens and README's table instead of comparing them")

// environment empties every POSTCALL_ variable of the test's own environment, then sets NAME=VALUE pairs.
func environment(t *testing.T, pairs ...string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if key, _, _ := strings.Cut(entry, "="); strings.HasPrefix(key, "POSTCALL_") {
			t.Setenv(key, "") // for its clean-up
			os.Unsetenv(key)
		}
	}
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		t.Setenv(key, value)
	}
}

func TestLoadConfigDefaults(t *testing.T) {
	environment(t)
	c, err := LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.HTTPAddr, c.Batch.MaxAge, c.Intake.MaxBytes, c.Sinks, c.Transforms, c.ClickHouse.Addr, c.Elasticsearch.IndexBy}
	want := []any{
		"127.0.0.1:8080", time.Second, ByteSize(2 << 30),
		[]string{"clickhouse", "elasticsearch"},
		[]string{"redact-pii", "map-topics"},
		[]string{"127.0.0.1:9000"},
		"none",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadConfigReadsEveryKindOfVariable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("first-key-0123456789, second-key-0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environment(t, "POSTCALL_HTTP_ADDR=:8080", "POSTCALL_WEBHOOK_SECRET=old-secret, new-secret\n", "POSTCALL_REDACT_KEY_FILE="+file,
		"POSTCALL_CLICKHOUSE_ADDR= a:9000 ,b:9000, ", "POSTCALL_CLICKHOUSE_TLS=true", "POSTCALL_INTAKE_MAX_BYTES=100MB", "POSTCALL_RETAIN=90m",
		"POSTCALL_ELASTICSEARCH_API_KEY=abc", "POSTCALL_ELASTICSEARCH_INDEX_BY=month", "POSTCALL_NATS_URL=nats://n1:4222,nats://n2:4222",
		"POSTCALL_TRANSFORMS=none", "POSTCALL_TIMEZONE=America/New_York", "POSTCALL_BATCH_MAX_EVENTS=") // an empty one is its default
	c, err := LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		c.HTTPAddr, len(c.WebhookSecrets()), string(c.RedactKeys()[1]), c.ClickHouse.Addr, c.ClickHouse.TLS, c.Intake.MaxBytes, c.Retain,
		c.Elasticsearch.APIKey.Reveal(), c.Elasticsearch.IndexBy, c.NATS.URL, len(c.Transforms), c.Location().String(), c.Batch.MaxEvents,
	}
	want := []any{
		":8080", 2, "second-key-0123456789",
		[]string{"a:9000", "b:9000"},
		true, ByteSize(100_000_000), 90 * time.Minute,
		"abc", "month", "nats://n1:4222,nats://n2:4222", 0, "America/New_York", 2000,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadConfigNamesWhatIsWrong(t *testing.T) {
	f := func(env, want string) {
		t.Helper()
		environment(t, strings.Split(env, "|")...)
		_, err := LoadConfig()
		if err == nil {
			t.Fatalf("%s: no error", env)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %s\nwant %s", env, err, want)
		}
		for pair := range strings.SplitSeq(env, "|") {
			if _, value, _ := strings.Cut(pair, "="); strings.Contains(value, "zz") && strings.Contains(err.Error(), value) {
				t.Errorf("the error holds a value: %s", err)
			}
		}
		key, _, _ := strings.Cut(env, "=")
		if n := strings.Count(err.Error(), "\n"); n > 0 {
			t.Errorf("%s: %d lines more than one: %s", key, n, err)
		}
	}
	f("POSTCALL_HTTP_ADDR=0.0.0.0:8080", "POSTCALL_WEBHOOK_SECRET is not set")
	f("POSTCALL_HTTP_ADDR=:8080", "POSTCALL_WEBHOOK_SECRET is not set")
	f("POSTCALL_HTTP_ADDR=zz", "POSTCALL_HTTP_ADDR (address): it is not host:port")
	f("POSTCALL_HTTP_ADDR=http://zz:80", "POSTCALL_HTTP_ADDR (address): it is not host:port")
	f("POSTCALL_ADMIN_ADDR=127.0.0.1:zz", "POSTCALL_ADMIN_ADDR (address)")
	f("POSTCALL_ADMIN_ADDR=127.0.0.1:8080", "that of POSTCALL_HTTP_ADDR")
	f("POSTCALL_HTTP_CERT_PATH=zz", "POSTCALL_HTTP_CERT_PATH (text): POSTCALL_HTTP_KEY_PATH and it don't come together")
	f("POSTCALL_HTTP_TRUSTED_PROXIES=10.0.0.0/8,zz", "POSTCALL_HTTP_TRUSTED_PROXIES (list)")
	f("POSTCALL_HTTP_BODY_TIMEOUT=0s", "POSTCALL_HTTP_BODY_TIMEOUT (duration): it is not more than 0")
	f("POSTCALL_HTTP_WRITE_TIMEOUT=30s", "POSTCALL_HTTP_WRITE_TIMEOUT (duration): it leaves no time to store a slow body")
	f("POSTCALL_HTTP_MAX_REQUESTS=0", "write 1 to 1000000")
	f("POSTCALL_WEBHOOK_SECRET=zz12345", "fewer than 8 characters")
	f("POSTCALL_CONSOLE_PASSWORD=zz345678901", "POSTCALL_CONSOLE_PASSWORD (secret): it has fewer than 12 characters")
	f("POSTCALL_REDACT_KEY=zz0123456789abcdef,zzshort", "POSTCALL_REDACT_KEY (secret): one of its keys has fewer than 16")
	f("POSTCALL_BATCH_MAX_AGE=zz", "POSTCALL_BATCH_MAX_AGE (duration): it can't be read as one; write a duration, for example 1s")
	f("POSTCALL_BATCH_MAX_AGE=-1s", "POSTCALL_BATCH_MAX_AGE (duration): it is not more than 0")
	f("POSTCALL_BATCH_MAX_EVENTS=zz", "POSTCALL_BATCH_MAX_EVENTS (whole number)")
	f("POSTCALL_BATCH_MAX_EVENTS=0", "write 1 to 100000")
	f("POSTCALL_INTAKE_MAX_BYTES=zzMiB", "POSTCALL_INTAKE_MAX_BYTES (size)")
	f("POSTCALL_INTAKE_MAX_BYTES=1", "write 16MiB to 64TiB")
	f("POSTCALL_CLICKHOUSE_TLS=zz", "POSTCALL_CLICKHOUSE_TLS (true or false)")
	f("POSTCALL_CLICKHOUSE_ADDR=zz", "POSTCALL_CLICKHOUSE_ADDR (list)")
	f("POSTCALL_CLICKHOUSE_DATABASE=a;zz", "POSTCALL_CLICKHOUSE_DATABASE")
	f("POSTCALL_ELASTICSEARCH_URL=zz:9200", "POSTCALL_ELASTICSEARCH_URL (list)")
	f("POSTCALL_ELASTICSEARCH_URL=https://u:zzp@es:9200", "holds a user or a password")
	f("POSTCALL_ELASTICSEARCH_PASSWORD=zzpassword", "POSTCALL_ELASTICSEARCH_USERNAME")
	f("POSTCALL_ELASTICSEARCH_INDEX_BY=zz", "neither none nor month")
	f("POSTCALL_CLICKHOUSE_LAYOUT=zz", "choose of single, cluster, replicated, cloud")
	f("POSTCALL_CLICKHOUSE_LAYOUT=cluster", "POSTCALL_CLICKHOUSE_CLUSTER (text)")
	f("POSTCALL_CLICKHOUSE_CLUSTER=calls", "POSTCALL_CLICKHOUSE_LAYOUT=cluster don't come together")
	f("POSTCALL_CLICKHOUSE_KEEP_DAYS=-1", "out of bounds")
	f("POSTCALL_CLICKHOUSE_KEEP_PERSONAL_DAYS=36501", "out of bounds")
	f("POSTCALL_ELASTICSEARCH_LANGUAGE=klingon", "choose of arabic, armenian")
	f("POSTCALL_ELASTICSEARCH_KEEP_DAYS=-1", "write 0 to 36500")
	f("POSTCALL_CLICKHOUSE_KEEP_DAYS=30|POSTCALL_CLICKHOUSE_KEEP_PERSONAL_DAYS=30", "not less than POSTCALL_CLICKHOUSE_KEEP_DAYS")
	f("POSTCALL_ELASTICSEARCH_KEEP_DAYS=30|POSTCALL_ELASTICSEARCH_KEEP_PERSONAL_DAYS=30", "not less than POSTCALL_ELASTICSEARCH_KEEP_DAYS")
	f("POSTCALL_NATS_URL=zz", "POSTCALL_NATS_URL")
	f("POSTCALL_SINKS=clickhouse,zzsink", "POSTCALL_SINKS (list): it names a sink that does not exist; choose of clickhouse, elasticsearch")
	f("POSTCALL_SINKS=,", "names no sink")
	f("POSTCALL_SINKS=clickhouse,clickhouse", "twice")
	f("POSTCALL_TRANSFORMS=../zz", "POSTCALL_TRANSFORMS (list)")
	f("POSTCALL_TRANSFORMS=,", "names no transform")
	f("POSTCALL_TRANSFORMS=none,redact-pii", "POSTCALL_TRANSFORMS (list)")
	f("POSTCALL_TIMEZONE=zz/Town", "POSTCALL_TIMEZONE (IANA name)")
	f("POSTCALL_TIMEZONE=Local", "POSTCALL_TIMEZONE (IANA name)")
	f("POSTCALL_LOG_LEVEL=zz", "debug, info, warn, error")
	f("POSTCALL_LOG_FORMAT=zz", "set json or text, or unset it")
	f("POSTCALL_REDACT_KEY_FILE=/zz/zz", "there is no such file")
	f("POSTCALL_REDACT_KEY_FILE=/zz/zz|POSTCALL_REDACT_KEY=zz0123456789abcdef", "POSTCALL_REDACT_KEY is set too")
	f("POSTCALL_CLICKHOUSE_PASSWORD_FILE=/dev/null", "POSTCALL_CLICKHOUSE_PASSWORD_FILE (path): the file is empty")
	f("POSTCALL_HTTP_ADR=zz", "did you mean POSTCALL_HTTP_ADDR?")
	f("POSTCALL_CLICK_HOUSE_ADDR=zz", "did you mean POSTCALL_CLICKHOUSE_ADDR?")
	f("POSTCALL_TIMEZONE_FILE=/zz", "only a secret can come from a file: set POSTCALL_TIMEZONE")
	f("POSTCALL_FROBNICATE=zz", "`postcall config` lists all variables")
	f("POSTCALL_CLICKHOUSE_PORT=9000", "POSTCALL_CLICKHOUSE_PORT")
	f("POSTCALL_API_ADDR=zz", "POSTCALL_API_ADDR (address): it is not host:port")
	f("POSTCALL_API_ADMIN_ADDR=127.0.0.1:8090", "that of POSTCALL_API_ADDR")
	f("POSTCALL_API_RATE=0", "write more than 0, to 10000")
	f("POSTCALL_API_MAX_REQUESTS=0", "write 1 to 1000")
	f("POSTCALL_API_MAX_RANGE=1m", "less than an hour")
	f("POSTCALL_API_TIMEOUT=1ms", "less than a second")
	f("POSTCALL_API_REDACTED_BY=,", "names no transform")
	f("POSTCALL_API_REDACTED_BY=none,redact-pii", "something else than a plugin's name")
	f("POSTCALL_API_CLICKHOUSE_ADDR=zz|POSTCALL_API_CLICKHOUSE_USERNAME=r", "POSTCALL_API_CLICKHOUSE_ADDR (list)")
	f("POSTCALL_API_CLICKHOUSE_ADDR=a:9000", "POSTCALL_API_CLICKHOUSE_USERNAME (text): it is empty")
	f("POSTCALL_API_CLICKHOUSE_DATABASE=a;zz", "POSTCALL_API_CLICKHOUSE_DATABASE")
	f("POSTCALL_API_ELASTICSEARCH_URL=zz:9200", "POSTCALL_API_ELASTICSEARCH_URL (list)")
	f("POSTCALL_API_ELASTICSEARCH_URL=https://u:zzp@es:9200", "use POSTCALL_API_ELASTICSEARCH_USERNAME")
	f("POSTCALL_API_ELASTICSEARCH_INDEX=ZZ", "POSTCALL_API_ELASTICSEARCH_INDEX")
	f("POSTCALL_API_ELASTICSEARCH_PASSWORD=zzpassword", "POSTCALL_API_ELASTICSEARCH_USERNAME (text): it is empty")
}

func TestLoadConfigReportsEverythingAtOnce(t *testing.T) {
	environment(t, "POSTCALL_BATCH_MAX_AGE=soon", "POSTCALL_RETAIN=-1h", "POSTCALL_CLICKHOUSE_WORKERS=many", "POSTCALL_SINKS=kafka", "POSTCALL_TOPIC=x",
		"POSTCALL_REDACT_KEY=hunter2", "POSTCALL_HTTP_ADDR=0.0.0.0:80")
	_, err := LoadConfig()
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{"BATCH_MAX_AGE", "RETAIN", "CLICKHOUSE_WORKERS", "SINKS", "TOPIC", "REDACT_KEY", "HTTP_ADDR"} {
		if n := strings.Count(err.Error(), "POSTCALL_"+key+" ("); n != 1 {
			t.Errorf("%s is named %d times in\n%s", key, n, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "soon") || strings.Contains(err.Error(), "kafka") {
		t.Errorf("the error holds a value: %s", err)
	}
}

func TestLoadConfigOverlooksWhatIsNotForIt(t *testing.T) {
	environment(t, "POSTCALL_CACHE=/c", "POSTCALL_BIN=/b", "POSTCALL_TEST_CLICKHOUSE_HTTP=x", "POSTCALL_PORT=tcp://10.0.0.1:8080", "POSTCALL_SERVICE_HOST=10.0.0.1",
		"POSTCALL_SERVICE_PORT=8080", "POSTCALL_SERVICE_PORT_HTTP=8080", "POSTCALL_PORT_8080_TCP=tcp://10.0.0.1:8080", "POSTCALL_PORT_8080_TCP_PORT=8080",
		"POSTCALL_PORT_8080_TCP_PROTO=tcp", "POSTCALL_CLICKHOUSE_PORT=tcp://10.0.0.2:9000", "POSTCALL_CLICKHOUSE_PORT_9000_TCP_ADDR=10.0.0.2", "OTHER=x")
	if _, err := LoadConfig(); err != nil {
		t.Error(err)
	}
	if got := ServiceLinks(os.Environ()); len(got) != 9 {
		t.Errorf("service links: %q", got)
	}
}

func TestLoadConfigLeavesTheEnvironmentAlone(t *testing.T) {
	environment(t, "POSTCALL_RETAIN=", "POSTCALL_BATCH_MAX_AGE=soon")
	before := os.Environ()
	_, _ = LoadConfig()
	if diff := cmp.Diff(before, os.Environ()); diff != "" {
		t.Error(diff)
	}
}

// An envconfig tag on a leaf makes envconfig read the bare name too: ADDR, PASSWORD, URL of whoever.
func TestNoLeafOfConfigHasAnEnvconfigTag(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range variables(&Config{}) {
		if v.leaf.Tag.Get("envconfig") != "" || v.leaf.Tag.Get("required") != "" {
			t.Errorf("%s has a tag that only a node may have", v.Key)
		}
		if v.Meaning == "" || v.Type == "" || seen[v.Key] || !strings.HasPrefix(v.Key, v.prefix+"_") {
			t.Errorf("%s (%s): no meaning, or no type, or twice, or not under %s", v.Key, v.Type, v.prefix)
		}
		if looksSecret := strings.Contains(v.Key, "PASSWORD") || strings.Contains(v.Key, "SECRET") || strings.HasSuffix(v.Key, "_KEY"); looksSecret != v.Secret {
			t.Errorf("%s: Secret is %v", v.Key, v.Secret)
		}
		if v.field.Type().Kind() == reflect.Map {
			t.Errorf("%s: a map's values can't hold a colon", v.Key)
		}
		seen[v.Key] = true
	}
	for _, key := range []string{"POSTCALL_DATA_DIR", "POSTCALL_CLICKHOUSE_ADDR", "POSTCALL_ELASTICSEARCH_API_KEY", "POSTCALL_NATS_URL", "POSTCALL_INTAKE_MAX_IN_FLIGHT"} {
		if !seen[key] {
			t.Errorf("%s is no variable any more", key)
		}
	}
}

func TestRequireRedactKey(t *testing.T) {
	c := Config{}
	if err := c.RequireRedactKey(); err == nil || !strings.Contains(err.Error(), "POSTCALL_REDACT_KEY_FILE") {
		t.Errorf("without a key: %v", err)
	}
	c.RedactKey = " , 0123456789abcdef"
	if err := c.RequireRedactKey(); err != nil || len(c.RedactKeys()) != 1 {
		t.Errorf("with a key: %v", err)
	}
}

func TestSecretNeverPrints(t *testing.T) {
	c := struct {
		S Secret
		P *Secret
	}{S: "hunter2"}
	c.P = &c.S
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T"} {
		fmt.Fprintf(&b, verb+"\n", c)
		fmt.Fprintf(&b, verb+"\n", c.S)
		fmt.Fprintf(&b, verb+"\n", []Secret{c.S})
	}
	if err := json.NewEncoder(&b).Encode(c); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "a", c.S, "b", c)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "a", c.S, "b", c)
	if out := b.String(); strings.Contains(out, "hunter2") || strings.Contains(out, "68756e746572") || !strings.Contains(out, redacted) {
		t.Errorf("printed: %s", out)
	}
	if got := Secret("").String() + fmt.Sprint(Secret("")); got != "" {
		t.Errorf("an empty secret prints %q", got)
	}
}

func TestByteSize(t *testing.T) {
	f := func(in string, want ByteSize, text string) {
		t.Helper()
		var got ByteSize
		if err := got.Decode(in); err != nil || got != want || got.String() != text {
			t.Errorf("%q: %d (%s), %v; want %d (%s)", in, got, got, err, want, text)
		}
	}
	f("512MiB", 512<<20, "512MiB")
	f("2GiB", 2<<30, "2GiB")
	f("1048576", 1<<20, "1MiB")
	f("10MB", 10_000_000, "10000000")
	f(" 64 kib ", 64<<10, "64KiB")
	f("1Gi", 1<<30, "1GiB")
	f("0", 0, "0")
	for _, bad := range []string{"", "MiB", "-1", "1.5GiB", "1 potato", "99999999999999999999", "9999999TiB"} {
		var b ByteSize
		if err := b.Decode(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad+" ") {
			t.Errorf("%q: %v, %v", bad, b, err)
		}
	}
}

func TestConfigTable(t *testing.T) {
	for _, format := range []string{"text", "json", "markdown"} {
		var b strings.Builder
		if err := WriteConfigTable(&b, format); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"POSTCALL_DATA_DIR", "folder of the embedded streams", "2GiB", "POSTCALL_REDACT_KEY"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %s in\n%s", format, want, b.String())
			}
		}
	}
	if err := WriteConfigTable(&strings.Builder{}, "xml"); err == nil {
		t.Error("xml is no format")
	}
}

// README's table is generated: go test ./connector -run README -update.
func TestREADMEShowsTheConfigTable(t *testing.T) {
	const path = "../README.md"
	text, err := os.ReadFile(path)
	before, rest, begins := strings.Cut(string(text), ConfigTableBegin)
	shown, after, ends := strings.Cut(rest, ConfigTableEnd)
	if err != nil || !begins || !ends {
		t.Logf("README.md has no %s ... %s", ConfigTableBegin, ConfigTableEnd)
		return
	}
	var b strings.Builder
	b.WriteString("\n\n")
	if err := WriteConfigTable(&b, "markdown"); err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n")
	if shown == b.String() {
		return
	}
	if !*update {
		t.Fatalf("README.md's table of variables is not current: go test ./connector -run README -update\n%s", cmp.Diff(b.String(), shown))
	}
	if err := os.WriteFile(path, []byte(before+ConfigTableBegin+b.String()+ConfigTableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
