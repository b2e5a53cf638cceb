// Package alerts has the tests of deploy/helm/postcall/alerts/postcall.rules.yaml, by Prometheus' own parser and engine.
// It is a module of its own so that nothing else depends on Prometheus.
package alerts
