package connector

import (
	"net/url"
	"strings"
	"time"
)

// MetricsStore is how the API reaches ClickHouse.
func (c *APIConfig) MetricsStore() ClickHouseConfig {
	return ClickHouseConfig{
		Addr: c.ClickHouse.Addr, Username: c.ClickHouse.Username, Password: c.ClickHouse.Password, Database: c.ClickHouse.Database,
		TLS: c.ClickHouse.TLS, Timeout: c.Timeout, Workers: c.MaxRequests,
	}
}

// CallStore is how the API reaches Elasticsearch.
func (c *APIConfig) CallStore() ElasticsearchConfig {
	return ElasticsearchConfig{
		URL: c.Elasticsearch.URL, Username: c.Elasticsearch.Username, Password: c.Elasticsearch.Password, APIKey: c.Elasticsearch.APIKey,
		Index: c.Elasticsearch.Index, Timeout: c.Timeout, Workers: c.MaxRequests,
	}
}

func (c *Config) checkAPI(k *checker) {
	a := &c.API
	for key, addr := range map[string]string{"POSTCALL_API_ADDR": a.Addr, "POSTCALL_API_ADMIN_ADDR": a.AdminAddr} {
		_, err := splitAddr(addr)
		k.want(err == nil, key, "address", "it is not host:port with a port of 0 to 65535", "write host:port, for example 127.0.0.1:8090")
	}
	k.want(a.Addr != a.AdminAddr || strings.HasSuffix(a.Addr, ":0"), "POSTCALL_API_ADMIN_ADDR", "address", "it is that of POSTCALL_API_ADDR",
		"give it a port of its own: metrics and health are not for those who ask about calls")
	k.want(a.Rate > 0 && a.Rate <= 10_000, "POSTCALL_API_RATE", "number", "it is out of bounds", "write more than 0, to 10000")
	k.want(a.MaxRequests >= 1 && a.MaxRequests <= 1000, "POSTCALL_API_MAX_REQUESTS", "whole number", "it is out of bounds", "write 1 to 1000")
	k.want(a.MaxRange >= time.Hour, "POSTCALL_API_MAX_RANGE", "duration", "it is less than an hour", "write for example 8784h")
	k.want(a.Timeout >= time.Second, "POSTCALL_API_TIMEOUT", "duration", "it is less than a second", "write for example 15s")
	a.RedactedBy = k.plugins("POSTCALL_API_REDACTED_BY", a.RedactedBy, "write none to show unredacted calls")
	a.checkStores(k)
}

func (c *APIConfig) checkStores(k *checker) {
	ch, es := &c.ClickHouse, &c.Elasticsearch
	for _, addr := range ch.Addr {
		host, err := splitAddr(addr)
		k.want(err == nil && host != "", "POSTCALL_API_CLICKHOUSE_ADDR", "list", "it holds something else than host:port", "write the native port, for example clickhouse:9000")
	}
	k.want(len(ch.Addr) == 0 || ch.Username != "", "POSTCALL_API_CLICKHOUSE_USERNAME", "text", "it is empty but POSTCALL_API_CLICKHOUSE_ADDR is set",
		"name a user that may read alone")
	k.want(databaseName.MatchString(ch.Database), "POSTCALL_API_CLICKHOUSE_DATABASE", "text", "it is not a plain name", "use letters, digits and _")
	for _, u := range es.URL {
		p, err := url.Parse(u)
		k.want(err == nil && (p.Scheme == "http" || p.Scheme == "https") && p.Host != "", "POSTCALL_API_ELASTICSEARCH_URL", "list",
			"it holds something else than an http or https URL", "write for example https://elasticsearch:9200")
		k.want(err != nil || p.User == nil, "POSTCALL_API_ELASTICSEARCH_URL", "list", "it holds a user or a password",
			"use POSTCALL_API_ELASTICSEARCH_USERNAME and POSTCALL_API_ELASTICSEARCH_PASSWORD")
	}
	k.want(aliasName.MatchString(es.Index), "POSTCALL_API_ELASTICSEARCH_INDEX", "text", "it is not the name of an alias", "use small letters, digits, - and _")
	k.want(es.APIKey == "" || es.Password == "", "POSTCALL_API_ELASTICSEARCH_API_KEY", "secret", "POSTCALL_API_ELASTICSEARCH_PASSWORD is set too", "set one of the two")
	k.want(es.Password == "" || es.Username != "", "POSTCALL_API_ELASTICSEARCH_USERNAME", "text",
		"it is empty but POSTCALL_API_ELASTICSEARCH_PASSWORD is set", "name the user of that password")
}
