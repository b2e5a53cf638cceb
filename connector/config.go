package connector

import "time"

// Config is everything `postcall` reads from the environment, each variable with the prefix POSTCALL_.
// A secret can also come from a file: NAME_FILE names it.
type Config struct {
	DataDir         string        `split_words:"true" default:"./data" desc:"folder of the embedded streams and the lock"`
	HTTPAddr        string        `split_words:"true" default:"127.0.0.1:8080" desc:"address the webhook listens on"`
	AdminAddr       string        `split_words:"true" default:"127.0.0.1:9090" desc:"address of /livez, /readyz, /metrics and /console/"`
	AdminPprof      bool          `split_words:"true" default:"false" desc:"serve Go's profiles at /debug/pprof/ on that address, to whoever reaches it"`
	WebhookSecret   Secret        `split_words:"true" desc:"shared secret of the sender; several, separated by commas, while one is rotated"`
	EncryptionKey   Secret        `split_words:"true" desc:"key that the embedded streams are encrypted with on disk; empty leaves them plain; to rotate it, the new one before the old one for a start"`
	RedactKey       Secret        `split_words:"true" desc:"key of the hashes that replace personal values; several may be listed, the first hashes"`
	RedactPolicy    string        `split_words:"true" desc:"file of redaction rules; empty uses the built-in policy"`
	Topics          string        `desc:"file of topic rules (YAML); empty uses the built-in taxonomy"`
	Sinks           []string      `default:"clickhouse,elasticsearch" desc:"enabled sinks"`
	Transforms      []string      `default:"redact-pii,map-topics" desc:"plugins every event goes through, in order; none runs none, and stores calls unredacted"`
	PluginDir       string        `split_words:"true" desc:"folder of the plugins; empty means plugins/ beside the binary"`
	Plugins         string        `desc:"file of the plugins' settings, processes and bounds, and of chains by source (YAML); empty has none"`
	PluginMemory    ByteSize      `split_words:"true" default:"256MiB" desc:"memory of one plugin process and its children, above which it is killed"`
	Timezone        string        `default:"UTC" desc:"business time zone (IANA name) of hour and weekday"`
	Retain          time.Duration `default:"24h" desc:"how long loaded batches are kept for replay, at most"`
	MaxDeadShare    float64       `split_words:"true" default:"0.5" desc:"share of the last events above which a stage pauses instead of holding more back; 0 never pauses"`
	ShutdownTimeout time.Duration `split_words:"true" default:"30s" desc:"deadline of an orderly stop; what is not loaded by then is loaded after the next start"`
	LogLevel        string        `split_words:"true" default:"info" desc:"debug, info, warn or error"`
	LogFormat       string        `split_words:"true" desc:"json or text; empty means text on a terminal and json elsewhere"`
	Sources         string        `desc:"file of sources (YAML): who may deliver, on which route, by which mapping; empty means Phonely alone"`
	Partitions      int           `default:"0" desc:"partitions when the streams of a cluster are made, 0 means 4; changed later by postcall drain alone. Without POSTCALL_NATS_URL there is one"`
	NATS            NATSConfig

	HTTP          HTTPConfig
	Intake        IntakeConfig
	Batch         BatchConfig
	Transform     TransformConfig
	ClickHouse    ClickHouseConfig    `envconfig:"CLICKHOUSE"`
	Elasticsearch ElasticsearchConfig `envconfig:"ELASTICSEARCH"`
	API           APIConfig
	Console       ConsoleConfig

	webhookSecretFile string // where WebhookSecret comes from, to be read again when it changes
	consoleFile       string // likewise of Console.Password
}

// ConsoleConfig shapes the page for operators.
type ConsoleConfig struct {
	Password Secret `desc:"password of the console, the page for operators at /console/ on POSTCALL_ADMIN_ADDR, 12 characters at least; empty serves none"`
}

// NATSConfig names an external JetStream.
type NATSConfig struct {
	URL       string `desc:"an existing JetStream cluster, several addresses separated by commas; empty embeds one server, which opens no port"`
	CredsPath string `split_words:"true" desc:"file of the user's credentials for it (.creds: JWT and seed), read again at each connection"`
	CAPath    string `split_words:"true" desc:"file of the authority (PEM) that signed its certificate; empty means the system's"`
	Replicas  int    `default:"3" desc:"servers that hold each stream of the cluster; with fewer than 3 an acknowledged delivery can be lost with one server"`
}

// HTTPConfig shapes the server that takes deliveries.
type HTTPConfig struct {
	CertPath             string        `split_words:"true" desc:"file of the certificate chain (PEM), read again when it changes; empty speaks plain HTTP"`
	KeyPath              string        `split_words:"true" desc:"file of its private key (PEM)"`
	TrustedProxies       []string      `split_words:"true" desc:"addresses or networks whose X-Forwarded-For is believed"`
	AllowUnauthenticated bool          `split_words:"true" default:"false" desc:"let anybody deliver to sources without authentication on addresses besides loopback"`
	HeaderTimeout        time.Duration `split_words:"true" default:"10s" desc:"time for the header of a request"`
	BodyTimeout          time.Duration `split_words:"true" default:"30s" desc:"time for its body"`
	WriteTimeout         time.Duration `split_words:"true" default:"60s" desc:"time from the header to the end of the answer"`
	IdleTimeout          time.Duration `split_words:"true" default:"120s" desc:"time a connection is kept for the next request"`
	MaxRequests          int           `split_words:"true" default:"10000" desc:"requests under way at once; more answers 503"`
	HideDocs             bool          `split_words:"true" default:"false" desc:"don't serve the contract (OpenAPI, AsyncAPI, JSON Schema) at /docs"`
}

// IntakeConfig bounds what is taken in.
type IntakeConfig struct {
	MaxBody     ByteSize `split_words:"true" default:"0" desc:"largest body; 0 means a quarter of the stream's max_payload, 2MiB at most"`
	MaxBytes    ByteSize `split_words:"true" default:"2GiB" desc:"size of the intake stream; full answers 503"`
	MaxInFlight ByteSize `split_words:"true" default:"64MiB" desc:"bodies held in memory at once; more answers 503"`
}

// BatchConfig shapes sealed batches.
type BatchConfig struct {
	MaxEvents int           `split_words:"true" default:"2000" desc:"events that close a batch"`
	MaxAge    time.Duration `split_words:"true" default:"1s" desc:"age that closes a batch"`
	MaxBytes  ByteSize      `split_words:"true" default:"4GiB" desc:"size of the stream of sealed batches"`
	DeadBytes ByteSize      `split_words:"true" default:"512MiB" desc:"size of the stream of dead letters"`
}

// TransformConfig bounds the plugins.
type TransformConfig struct {
	Events      int           `default:"100" desc:"events a plugin is handed at once"`
	Concurrency int           `default:"2" desc:"calls a plugin has at once"`
	Timeout     time.Duration `default:"30s" desc:"deadline of one call; a plugin that misses it is restarted"`
}

// ClickHouseConfig names the metrics store.
type ClickHouseConfig struct {
	Addr     []string      `default:"127.0.0.1:9000" desc:"host:port of the native protocol; several for failover"`
	Username string        `default:"default" desc:"user that writes"`
	Password Secret        `desc:"its password"`
	Database string        `default:"postcall" desc:"database of the tables and views"`
	TLS      bool          `default:"false" desc:"speak TLS"`
	Timeout  time.Duration `default:"60s" desc:"deadline of one insert"`
	Workers  int           `default:"2" desc:"inserts at once"`
	// How the tables are made: Layout and Cluster are read by migrate alone.
	Layout  string `default:"single" desc:"what migrate makes tables for: single (one server), cluster (replicas, ON CLUSTER), replicated (a database with the Replicated engine) or cloud (ClickHouse Cloud)"`
	Cluster string `desc:"name of the cluster where the layout is cluster, for example {cluster}"`
	// How long calls are kept, in days after their last delivery, of an import after their end. 0 keeps them.
	KeepDays         int `split_words:"true" default:"0" desc:"days after its last delivery after which a call is removed; 0 keeps it. postcall migrate apply brings it in"`
	KeepPersonalDays int `split_words:"true" default:"0" desc:"days after its last delivery after which what is personal in a call is emptied: names, texts, links, keys of callers; 0 keeps it"`
}

// ElasticsearchConfig names the transcript store.
type ElasticsearchConfig struct {
	URL              []string      `default:"http://127.0.0.1:9200" desc:"addresses of the nodes"`
	Username         string        `desc:"user that writes; empty with an API key"`
	Password         Secret        `desc:"its password"`
	APIKey           Secret        `split_words:"true" desc:"API key, base64 as Elasticsearch prints it"`
	Index            string        `default:"call-transcripts" desc:"alias of the transcripts"`
	IndexBy          string        `split_words:"true" default:"none" desc:"none (one index) or month (an index for each month in which calls start, UTC)"`
	Language         string        `default:"english" desc:"language of the calls: one of Elasticsearch's built-in analyzers; standard for several (see docs/search.md)"`
	KeepDays         int           `split_words:"true" default:"0" desc:"days after its start that a call is kept; 0 is for ever (see docs/search.md)"`
	KeepPersonalDays int           `split_words:"true" default:"0" desc:"days that what was said and who said it is kept of a call, fewer than that; 0 is as long as the call"`
	Synonyms         string        `desc:"file of synonyms for searches (Solr's format), read by postcall migrate; empty has none"`
	Timeout          time.Duration `default:"60s" desc:"deadline of one bulk request"`
	Workers          int           `default:"2" desc:"batches at once; by month it is always 1"`
}

// APIConfig shapes what answers questions about calls (postcall api, postcall mcp). Its credentials are its own: none of
// those that write is ever used to read.
type APIConfig struct {
	Addr        string        `default:"127.0.0.1:8090" desc:"address that postcall api listens on (REST, and MCP at /mcp)"`
	AdminAddr   string        `split_words:"true" default:"127.0.0.1:9091" desc:"address of its /livez, /readyz and /metrics"`
	Tokens      string        `desc:"file of its tokens, one a line as postcall api token new prints it; read again when it changes"`
	Rate        float64       `default:"10" desc:"requests a second that a token may make; four times as many in a burst"`
	MaxRequests int           `split_words:"true" default:"32" desc:"requests under way at once; more answers 503"`
	MaxRange    time.Duration `split_words:"true" default:"8784h" desc:"longest time that a question may span"`
	Timeout     time.Duration `default:"15s" desc:"deadline of one question to a store"`
	RedactedBy  []string      `split_words:"true" default:"redact-pii" desc:"transforms of which a call must have been through one to be shown; none shows unredacted calls"`

	ClickHouse    APIClickHouseConfig    `envconfig:"CLICKHOUSE"`
	Elasticsearch APIElasticsearchConfig `envconfig:"ELASTICSEARCH"`
}

// APIClickHouseConfig names where metrics are read.
type APIClickHouseConfig struct {
	Addr     []string `desc:"host:port of the native protocol, for the API to read; empty has no metrics"`
	Username string   `desc:"user that reads: it gets the role postcall_reader (postcall migrate roles)"`
	Password Secret   `desc:"its password"`
	Database string   `default:"postcall" desc:"database of the views"`
	TLS      bool     `default:"false" desc:"speak TLS"`
}

// APIElasticsearchConfig names where calls are read.
type APIElasticsearchConfig struct {
	URL      []string `desc:"addresses of the nodes, for the API to read; empty has no calls and no search"`
	Username string   `desc:"user that reads; empty with an API key"`
	Password Secret   `desc:"its password"`
	APIKey   Secret   `split_words:"true" desc:"API key that reads: it needs read on the alias"`
	Index    string   `default:"call-transcripts" desc:"alias of the transcripts"`
}
