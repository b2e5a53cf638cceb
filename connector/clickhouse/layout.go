package clickhouse

import (
	"regexp"
	"strings"

	"github.com/postcall/postcall/connector"
)

// Layout says how the tables are spread. The zero value is a single server.
type Layout struct {
	// Cluster is the name for ON CLUSTER, of replicas of one shard; empty for none.
	Cluster string
	// Replicated engines, with the server's default path and replica. Without a cluster the database is one with the
	// Replicated engine, which has every server repeat its DDL.
	Replicated bool
	// Cloud is ClickHouse Cloud: it replaces the engines by its own, knows no cluster, and stores without local files.
	Cloud bool
}

// layoutOf reads POSTCALL_CLICKHOUSE_LAYOUT and _CLUSTER, which LoadConfig has checked.
func layoutOf(cfg connector.ClickHouseConfig) Layout {
	switch cfg.Layout {
	case "cluster":
		return Layout{Cluster: cfg.Cluster, Replicated: true}
	case "replicated":
		return Layout{Replicated: true}
	case "cloud":
		return Layout{Cloud: true}
	default:
		return Layout{}
	}
}

// OnCluster returns the clause that follows a name in DDL, or nothing.
func (t target) OnCluster() string {
	if t.layout.Cluster == "" {
		return ""
	}
	return " ON CLUSTER '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(t.layout.Cluster) + "'"
}

// Engine returns a MergeTree engine with its arguments.
func (t target) Engine(kind, args string) string {
	if t.layout.Replicated {
		kind = "Replicated" + kind
	}
	return kind + "(" + args + ")"
}

// localSettings are those of tables whose parts are files of one server: the window of tables that are not replicated, and
// what makes an insert durable there. Cloud's storage is shared, and answers when it is durable.
var localSettings = regexp.MustCompile(`(?m)^ *(?:non_replicated_deduplication_window|fsync_\w+) = \d+,?\n`)

// fit leaves out of a statement what the layout has no use for.
func (t target) fit(statement string) string {
	if !t.layout.Cloud {
		return statement
	}
	return strings.Replace(localSettings.ReplaceAllString(statement+"\n", ""), ",\nCOMMENT", "\nCOMMENT", 1)
}
