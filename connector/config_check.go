package connector

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postcall/postcall/connector/source"
)

// The shortest secrets that are taken: the webhook's is guessed over the network, the redact key by hashing every phone
// number there is.
const (
	minWebhookSecret = 8
	minRedactKey     = 16
	minEncryptionKey = 32
	minConsole       = 12
)

// minPluginMemory has room for a plugin that does nothing.
const minPluginMemory = ByteSize(32) << 20

var (
	pluginName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	aliasName    = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
)

// RequireRedactKey fails where no key for hashing personal values is set. `serve`, `import` and `forget` call it before
// they start; `transform` and `redact` make a key for the run instead.
func (c *Config) RequireRedactKey() error {
	if len(c.RedactKeys()) > 0 {
		return nil
	}
	return configProblem("POSTCALL_REDACT_KEY", "secret", "it is not set, and personal values are never stored unhashed",
		"set it, or POSTCALL_REDACT_KEY_FILE, to at least "+strconv.Itoa(minRedactKey)+" random characters (openssl rand -hex 32) and keep it: another key makes other hashes")
}

// RedactKeys returns the keys of POSTCALL_REDACT_KEY: the first one hashes, `forget` looks under all of them.
func (c *Config) RedactKeys() [][]byte {
	var keys [][]byte
	for _, k := range trimList(strings.Split(c.RedactKey.Reveal(), ",")) {
		keys = append(keys, []byte(k))
	}
	return keys
}

// WebhookSecrets returns the secrets of POSTCALL_WEBHOOK_SECRET; a delivery that knows one of them is let in.
func (c *Config) WebhookSecrets() []Secret {
	var secrets []Secret
	for _, s := range trimList(strings.Split(c.WebhookSecret.Reveal(), ",")) {
		secrets = append(secrets, Secret(s))
	}
	return secrets
}

// ConsolePassword returns the password of the console, read again where it comes from a file. The error names no path and no
// content; the password before it is then still the one to use.
func (c *Config) ConsolePassword() (Secret, error) {
	if c.consoleFile == "" {
		return c.Console.Password, nil
	}
	text, err := readSecretFile(c.consoleFile)
	if err == nil && len(text) < minConsole {
		err = fmt.Errorf("it has fewer than %d characters", minConsole)
	}
	return Secret(text), err
}

// Location returns the business time zone. LoadConfig has checked that it loads; a zone that does not is UTC.
func (c *Config) Location() *time.Location {
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// checker collects problems.
type checker struct {
	errs   []error
	broken map[string]bool // not looked at: what is there is not what the user meant
}

// want adds a problem unless ok.
func (k *checker) want(ok bool, key, kind, wrong, cure string) {
	if !ok && !k.broken[key] && !k.broken[key+"_FILE"] {
		k.errs = append(k.errs, configProblem(key, kind, wrong, cure))
	}
}

// check returns every problem of the values once, by name, but for the variables in broken. It also replaces the transforms "none" by
// an empty list.
func (c *Config) check(broken map[string]bool) []error {
	k := &checker{broken: broken}
	c.checkHTTP(k)
	c.checkSecrets(k)
	c.checkPipeline(k)
	c.checkBounds(k)
	c.checkStores(k)
	c.checkAPI(k)
	slices.SortFunc(k.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return slices.CompactFunc(k.errs, func(a, b error) bool { return a.Error() == b.Error() })
}

func (c *Config) checkHTTP(k *checker) {
	const cure = "write host:port, for example 127.0.0.1:8080"
	host, err := splitAddr(c.HTTPAddr)
	k.want(err == nil, "POSTCALL_HTTP_ADDR", "address", "it is not host:port with a port of 0 to 65535", cure)
	_, adminErr := splitAddr(c.AdminAddr)
	k.want(adminErr == nil, "POSTCALL_ADMIN_ADDR", "address", "it is not host:port with a port of 0 to 65535", cure)
	k.want(err != nil || c.HTTPAddr != c.AdminAddr || strings.HasSuffix(c.HTTPAddr, ":0"), "POSTCALL_ADMIN_ADDR", "address",
		"it is that of POSTCALL_HTTP_ADDR", "give it a port of its own: metrics and health are not for the sender")
	if err == nil && len(c.WebhookSecrets()) == 0 && !k.broken["POSTCALL_WEBHOOK_SECRET"] && c.Sources == "" && !c.HTTP.AllowUnauthenticated {
		k.want(isLoopback(host), "POSTCALL_HTTP_ADDR", "address", "it is not a loopback address and POSTCALL_WEBHOOK_SECRET is not set, so anyone could deliver",
			"set POSTCALL_WEBHOOK_SECRET or POSTCALL_SOURCES, or listen on 127.0.0.1")
	}
	k.want((c.HTTP.CertPath == "") == (c.HTTP.KeyPath == ""), "POSTCALL_HTTP_CERT_PATH", "text", "POSTCALL_HTTP_KEY_PATH and it don't come together",
		"set both, or none for plain HTTP")
	for _, text := range c.HTTP.TrustedProxies {
		_, err := source.ParsePrefix(text)
		k.want(err == nil, "POSTCALL_HTTP_TRUSTED_PROXIES", "list", "it holds something else than addresses and networks", "write for example 10.0.0.0/8")
	}
	for key, d := range map[string]time.Duration{
		"POSTCALL_HTTP_HEADER_TIMEOUT": c.HTTP.HeaderTimeout, "POSTCALL_HTTP_BODY_TIMEOUT": c.HTTP.BodyTimeout,
		"POSTCALL_HTTP_WRITE_TIMEOUT": c.HTTP.WriteTimeout, "POSTCALL_HTTP_IDLE_TIMEOUT": c.HTTP.IdleTimeout,
	} {
		k.want(d > 0, key, "duration", "it is not more than 0", "write for example 30s")
	}
	k.want(c.HTTP.WriteTimeout >= c.HTTP.BodyTimeout+publishTimeout, "POSTCALL_HTTP_WRITE_TIMEOUT", "duration", "it leaves no time to store a slow body",
		"make it POSTCALL_HTTP_BODY_TIMEOUT and "+publishTimeout.String()+" at least")
	k.want(c.HTTP.MaxRequests >= 1 && c.HTTP.MaxRequests <= 1_000_000, "POSTCALL_HTTP_MAX_REQUESTS", "whole number", "it is out of bounds", "write 1 to 1000000")
}

// TrustedProxies returns the networks of POSTCALL_HTTP_TRUSTED_PROXIES.
func (c *Config) TrustedProxies() (list []netip.Prefix) {
	for _, text := range c.HTTP.TrustedProxies {
		if p, err := source.ParsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// OpenSources reads POSTCALL_SOURCES, and refuses to let anybody deliver to an address that others can reach unless it is
// told so. Without the file there is the built-in source alone.
func (c *Config) OpenSources() (*source.Set, error) {
	o := source.Options{SecretFile: c.webhookSecretFile}
	if o.SecretFile == "" {
		for _, s := range c.WebhookSecrets() {
			o.Secrets = append(o.Secrets, s.Reveal())
		}
	}
	set, err := source.Load(c.Sources, o)
	if err != nil {
		return nil, err
	}
	host, err := splitAddr(c.HTTPAddr)
	if open := set.OpenSources(); len(open) > 0 && err == nil && !isLoopback(host) && !c.HTTP.AllowUnauthenticated {
		return nil, configProblem("POSTCALL_SOURCES", "file", "anyone could deliver to "+strings.Join(open, ", ")+", and POSTCALL_HTTP_ADDR is not a loopback address",
			"give them auth or allow, listen on 127.0.0.1, or set POSTCALL_HTTP_ALLOW_UNAUTHENTICATED=true")
	}
	return set, nil
}

// splitAddr checks an address to listen on or to dial and returns its host.
func splitAddr(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", err
	}
	if strings.ContainsAny(host, "/@ ") {
		return "", errors.New("not a host")
	}
	return host, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (c *Config) checkSecrets(k *checker) {
	for _, s := range c.WebhookSecrets() {
		k.want(len(s) >= minWebhookSecret, "POSTCALL_WEBHOOK_SECRET", "secret",
			fmt.Sprintf("one of its secrets has fewer than %d characters", minWebhookSecret), "make one with openssl rand -hex 32")
	}
	for _, key := range c.RedactKeys() {
		k.want(len(key) >= minRedactKey, "POSTCALL_REDACT_KEY", "secret",
			fmt.Sprintf("one of its keys has fewer than %d characters", minRedactKey), "make one with openssl rand -hex 32")
	}
	k.want(c.Console.Password == "" || len(c.Console.Password) >= minConsole, "POSTCALL_CONSOLE_PASSWORD", "secret",
		fmt.Sprintf("it has fewer than %d characters", minConsole), "make one with openssl rand -hex 16, or unset it to serve no console")
	const encryption = "POSTCALL_ENCRYPTION_KEY"
	for _, key := range c.EncryptionKeys() {
		k.want(len(key) >= minEncryptionKey, encryption, "secret",
			fmt.Sprintf("one of its keys has fewer than %d characters", minEncryptionKey), "make one with openssl rand -hex 32")
	}
	k.want(len(c.EncryptionKeys()) <= 2, encryption, "secret", "it has more than two keys", "name the new one and the one before it: the streams are under one of them")
	k.want(len(c.EncryptionKeys()) == 0 || c.NATS.URL == "", encryption, "secret", "POSTCALL_NATS_URL is set too",
		"leave it out: an external JetStream is encrypted by its own configuration")
	k.want(c.Elasticsearch.APIKey == "" || c.Elasticsearch.Password == "", "POSTCALL_ELASTICSEARCH_API_KEY", "secret",
		"POSTCALL_ELASTICSEARCH_PASSWORD is set too", "set one of the two")
	k.want(c.Elasticsearch.Password == "" || c.Elasticsearch.Username != "", "POSTCALL_ELASTICSEARCH_USERNAME", "text",
		"it is empty but POSTCALL_ELASTICSEARCH_PASSWORD is set", "name the user of that password")
}

// ElasticsearchLanguages are the names POSTCALL_ELASTICSEARCH_LANGUAGE may have, in order.
var ElasticsearchLanguages = []string{
	"arabic", "armenian", "basque", "bengali", "brazilian", "bulgarian", "catalan", "cjk", "czech", "danish", "dutch", "english",
	"estonian", "finnish", "french", "galician", "german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian",
	"latvian", "lithuanian", "norwegian", "persian", "portuguese", "romanian", "russian", "serbian", "sorani", "spanish",
	"standard", "swedish", "thai", "turkish",
}

// knownSinks are the names POSTCALL_SINKS may hold.
var knownSinks = []string{"clickhouse", "elasticsearch"}

func (c *Config) checkPipeline(k *checker) {
	for _, s := range c.Sinks {
		k.want(slices.Contains(knownSinks, s), "POSTCALL_SINKS", "list", "it names a sink that does not exist", "choose of "+strings.Join(knownSinks, ", "))
	}
	k.want(len(c.Sinks) > 0, "POSTCALL_SINKS", "list", "it names no sink", "choose of "+strings.Join(knownSinks, ", "))
	k.want(unique(c.Sinks), "POSTCALL_SINKS", "list", "it names a sink twice", "name each once")
	c.Transforms = k.plugins("POSTCALL_TRANSFORMS", c.Transforms, "write none to run without, and store calls unredacted")
	k.want(unique(c.Transforms), "POSTCALL_TRANSFORMS", "list", "it names a transform twice", "name each once")
	_, err := time.LoadLocation(c.Timezone)
	k.want(err == nil && c.Timezone != "Local", "POSTCALL_TIMEZONE", "IANA name", "there is no such time zone", "write for example Europe/Berlin or America/New_York")
	levels := []string{"debug", "info", "warn", "error"}
	k.want(slices.Contains([]string{"", "json", "text"}, c.LogFormat), "POSTCALL_LOG_FORMAT", "text", "there is no such format", "set json or text, or unset it")
	k.want(slices.Contains(levels, c.LogLevel), "POSTCALL_LOG_LEVEL", "text", "there is no such level", "choose of "+strings.Join(levels, ", "))
}

// plugins checks a list of plugins' names, of which none is the empty one.
func (k *checker) plugins(key string, names []string, none string) []string {
	if slices.Equal(names, []string{"none"}) {
		return nil
	}
	k.want(len(names) > 0, key, "list", "it names no transform", none)
	for _, n := range names {
		k.want(pluginName.MatchString(n) && n != "none", key, "list", "it holds something else than a plugin's name",
			"separate names of small letters, digits and - by commas, for example redact-pii,map-topics")
	}
	return names
}

func unique(list []string) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(list)))) == len(list)
}

func (c *Config) checkBounds(k *checker) {
	for key, d := range map[string]time.Duration{
		"POSTCALL_BATCH_MAX_AGE":         c.Batch.MaxAge,
		"POSTCALL_TRANSFORM_TIMEOUT":     c.Transform.Timeout,
		"POSTCALL_CLICKHOUSE_TIMEOUT":    c.ClickHouse.Timeout,
		"POSTCALL_ELASTICSEARCH_TIMEOUT": c.Elasticsearch.Timeout,
	} {
		k.want(d > 0, key, "duration", "it is not more than 0", "write for example 30s")
	}
	k.want(c.Retain >= time.Minute, "POSTCALL_RETAIN", "duration", "it is less than a minute", "write for example 24h")
	k.want(c.MaxDeadShare >= 0 && c.MaxDeadShare <= 1, "POSTCALL_MAX_DEAD_SHARE", "number", "it is out of bounds", "write 0 to 1")
	k.want(c.ShutdownTimeout > 0, "POSTCALL_SHUTDOWN_TIMEOUT", "duration", "it is not more than 0", "write for example 30s")
	for key, b := range map[string]struct{ n, low, high int }{
		"POSTCALL_BATCH_MAX_EVENTS":      {c.Batch.MaxEvents, 1, 100_000},
		"POSTCALL_TRANSFORM_EVENTS":      {c.Transform.Events, 1, 10_000},
		"POSTCALL_TRANSFORM_CONCURRENCY": {c.Transform.Concurrency, 1, 64},
		"POSTCALL_CLICKHOUSE_WORKERS":    {c.ClickHouse.Workers, 1, 64},
		"POSTCALL_ELASTICSEARCH_WORKERS": {c.Elasticsearch.Workers, 1, 64},

		"POSTCALL_ELASTICSEARCH_KEEP_DAYS":          {c.Elasticsearch.KeepDays, 0, 36_500},
		"POSTCALL_ELASTICSEARCH_KEEP_PERSONAL_DAYS": {c.Elasticsearch.KeepPersonalDays, 0, 36_500},
		"POSTCALL_CLICKHOUSE_KEEP_DAYS":             {c.ClickHouse.KeepDays, 0, 36_500},
		"POSTCALL_CLICKHOUSE_KEEP_PERSONAL_DAYS":    {c.ClickHouse.KeepPersonalDays, 0, 36_500},
	} {
		k.want(b.low <= b.n && b.n <= b.high, key, "whole number", "it is out of bounds", fmt.Sprintf("write %d to %d", b.low, b.high))
	}
	const kib, mib, tib = ByteSize(1) << 10, ByteSize(1) << 20, ByteSize(1) << 40
	for key, b := range map[string]struct{ n, low, high ByteSize }{
		// The streams hold several of their largest messages: a frame, and sealed batches of 8 MiB of which the newest stays.
		"POSTCALL_INTAKE_MAX_BYTES":     {c.Intake.MaxBytes, 16 * mib, 64 * tib},
		"POSTCALL_INTAKE_MAX_IN_FLIGHT": {c.Intake.MaxInFlight, mib, tib},
		"POSTCALL_BATCH_MAX_BYTES":      {c.Batch.MaxBytes, 32 * mib, 64 * tib},
		"POSTCALL_BATCH_DEAD_BYTES":     {c.Batch.DeadBytes, 64 * mib, 64 * tib},
		"POSTCALL_INTAKE_MAX_BODY":      {c.Intake.MaxBody, kib, 64 * mib},
		"POSTCALL_PLUGIN_MEMORY":        {c.PluginMemory, minPluginMemory, tib},
	} {
		ok := b.low <= b.n && b.n <= b.high || key == "POSTCALL_INTAKE_MAX_BODY" && b.n == 0
		k.want(ok, key, "size", "it is out of bounds", fmt.Sprintf("write %s to %s", b.low, b.high))
	}
	k.want(c.Intake.MaxInFlight >= c.Intake.MaxBody, "POSTCALL_INTAKE_MAX_IN_FLIGHT", "size",
		"it is less than POSTCALL_INTAKE_MAX_BODY", "make room for one body at least")
}

// clickhouseLayouts are what POSTCALL_CLICKHOUSE_LAYOUT may be.
var clickhouseLayouts = []string{"single", "cluster", "replicated", "cloud"}

func (c *Config) checkStores(k *checker) {
	for _, addr := range c.ClickHouse.Addr {
		host, err := splitAddr(addr)
		k.want(err == nil && host != "", "POSTCALL_CLICKHOUSE_ADDR", "list", "it holds something else than host:port", "write the native port, for example clickhouse:9000")
	}
	k.want(len(c.ClickHouse.Addr) > 0, "POSTCALL_CLICKHOUSE_ADDR", "list", "it names no address", "write the native port, for example clickhouse:9000")
	k.want(databaseName.MatchString(c.ClickHouse.Database), "POSTCALL_CLICKHOUSE_DATABASE", "text", "it is not a plain name", "use letters, digits and _")
	layout := c.ClickHouse.Layout
	k.want(slices.Contains(clickhouseLayouts, layout), "POSTCALL_CLICKHOUSE_LAYOUT", "text", "it is no layout", "choose of "+strings.Join(clickhouseLayouts, ", "))
	k.want((layout == "cluster") == (c.ClickHouse.Cluster != ""), "POSTCALL_CLICKHOUSE_CLUSTER", "text", "it and POSTCALL_CLICKHOUSE_LAYOUT=cluster don't come together",
		"set both, or none")
	for _, u := range c.Elasticsearch.URL {
		p, err := url.Parse(u)
		k.want(err == nil && (p.Scheme == "http" || p.Scheme == "https") && p.Host != "", "POSTCALL_ELASTICSEARCH_URL", "list",
			"it holds something else than an http or https URL", "write for example https://elasticsearch:9200")
		k.want(err != nil || p.User == nil, "POSTCALL_ELASTICSEARCH_URL", "list", "it holds a user or a password",
			"use POSTCALL_ELASTICSEARCH_USERNAME and POSTCALL_ELASTICSEARCH_PASSWORD")
	}
	k.want(len(c.Elasticsearch.URL) > 0, "POSTCALL_ELASTICSEARCH_URL", "list", "it names no URL", "write for example https://elasticsearch:9200")
	k.want(aliasName.MatchString(c.Elasticsearch.Index), "POSTCALL_ELASTICSEARCH_INDEX", "text", "it is not the name of an alias", "use small letters, digits, - and _")
	k.want(c.Elasticsearch.IndexBy == "none" || c.Elasticsearch.IndexBy == "month", "POSTCALL_ELASTICSEARCH_INDEX_BY", "text", "it is neither none nor month", "choose one")
	k.want(c.ClickHouse.KeepPersonalDays == 0 || c.ClickHouse.KeepDays == 0 || c.ClickHouse.KeepPersonalDays < c.ClickHouse.KeepDays,
		"POSTCALL_CLICKHOUSE_KEEP_PERSONAL_DAYS", "whole number", "it is not less than POSTCALL_CLICKHOUSE_KEEP_DAYS", "write fewer days, or 0")
	keep, personal := c.Elasticsearch.KeepDays, c.Elasticsearch.KeepPersonalDays
	k.want(personal == 0 || keep == 0 || personal < keep, "POSTCALL_ELASTICSEARCH_KEEP_PERSONAL_DAYS", "whole number",
		"it is not less than POSTCALL_ELASTICSEARCH_KEEP_DAYS, when the whole call goes", "write fewer days, or 0")
	k.want(slices.Contains(ElasticsearchLanguages, c.Elasticsearch.Language), "POSTCALL_ELASTICSEARCH_LANGUAGE", "text",
		"Elasticsearch has no built-in analyzer of this name", "choose of "+strings.Join(ElasticsearchLanguages, ", "))
	k.want(c.Partitions >= 0 && c.Partitions <= maxPartitions, "POSTCALL_PARTITIONS", "whole number", "it is out of bounds",
		fmt.Sprintf("write 1 to %d, or unset it", maxPartitions))
	k.want(c.NATS.URL != "" || c.Partitions <= embeddedPartitions, "POSTCALL_PARTITIONS", "whole number", "POSTCALL_NATS_URL is not set, and the embedded streams have one partition",
		"unset it, or name a cluster")
	k.want(slices.Contains([]int{1, 3, 5}, c.NATS.Replicas), "POSTCALL_NATS_REPLICAS", "whole number", "it is no number of servers that JetStream replicates to",
		"write 3 or 5; 1 only where losing a server may lose calls")
	for _, u := range trimList(strings.Split(c.NATS.URL, ",")) {
		p, err := url.Parse(u)
		k.want(err == nil && slices.Contains([]string{"nats", "tls", "ws", "wss"}, p.Scheme) && p.Host != "", "POSTCALL_NATS_URL", "text",
			"it holds something else than a NATS URL", "write for example nats://nats:4222, several separated by commas")
	}
}
