package api

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/clickhouse"
	"github.com/postcall/postcall/connector/elastic"
)

// API answers questions about calls out of the stores that are enabled.
type API struct {
	cfg     connector.APIConfig
	zone    *time.Location // of days
	calls   *elastic.Reader
	metrics *clickhouse.Reader // either is nil where its store is not enabled
	log     *slog.Logger
	version string
	meter   *meter
	slots   chan struct{} // one for each question under way
}

// Open opens the stores whose addresses are set, and connects to none. version is the program's.
func Open(cfg connector.Config, log *slog.Logger, version string) (*API, error) {
	a := &API{cfg: cfg.API, zone: cfg.Location(), log: log, version: version, meter: newMeter(), slots: make(chan struct{}, cfg.API.MaxRequests)}
	var err error
	if len(cfg.API.ClickHouse.Addr) > 0 {
		if a.metrics, err = clickhouse.OpenReader(cfg.API.MetricsStore()); err != nil {
			return nil, err
		}
	}
	if len(cfg.API.Elasticsearch.URL) > 0 {
		if a.calls, err = elastic.OpenReader(cfg.API.CallStore()); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	if a.calls == nil && a.metrics == nil {
		return nil, errors.New("POSTCALL_API_CLICKHOUSE_ADDR and POSTCALL_API_ELASTICSEARCH_URL are empty: name at least one store to read from")
	}
	return a, nil
}

// Close closes the stores.
func (a *API) Close() error {
	var errs []error
	if a.metrics != nil {
		errs = append(errs, a.metrics.Close())
	}
	if a.calls != nil {
		errs = append(errs, a.calls.Close())
	}
	return errors.Join(errs...)
}

// store is where an answer comes from.
type store string

const (
	callStore   store = "Elasticsearch"
	metricStore store = "ClickHouse"
)

// has reports whether a store is enabled.
func (a *API) has(s store) bool {
	return s == callStore && a.calls != nil || s == metricStore && a.metrics != nil || s == ""
}

// lacks is the answer of a route whose store is not enabled.
func lacks(s store) *problem {
	variable := map[store]string{callStore: "POSTCALL_API_ELASTICSEARCH_URL", metricStore: "POSTCALL_API_CLICKHOUSE_ADDR"}[s]
	return problemf(501, "%s is not enabled here; whoever runs this can set %s", s, variable)
}

// visible says what a caller can see.
func (a *API) visible(c *caller, tests bool) elastic.Visible {
	return elastic.Visible{Tenant: c.tenant, RedactedBy: a.cfg.RedactedBy, Tests: tests}
}

// take waits for nothing: it has a slot, or there is none. done gives it back.
func (a *API) take() (done func(), err error) {
	select {
	case a.slots <- struct{}{}:
		return func() { <-a.slots }, nil
	default:
		p := problemf(503, "busy: ask again in a second")
		p.retry = 1
		return nil, p
	}
}

// span reads the time that a question is about, and bounds it.
func (a *API) span(q asked) (from, to time.Time, err error) {
	if from, err = a.moment("from", q.text("from")); err != nil {
		return from, to, err
	}
	if to, err = a.moment("to", q.text("to")); err != nil {
		return from, to, err
	}
	end := to
	if end.IsZero() {
		end = time.Now()
	}
	if from.IsZero() { // at the start of a day, so that the same question is the same for a day
		y, m, d := end.In(a.zone).Date()
		from = time.Date(y, m, d-defaultDays, 0, 0, 0, 0, a.zone)
	}
	switch {
	case !to.IsZero() && !from.Before(to):
		return from, to, problemf(422, "from is not before to")
	case end.Sub(from) > a.cfg.MaxRange+24*time.Hour:
		return from, to, problemf(422, "from and to are more than %s apart; ask for less, or raise POSTCALL_API_MAX_RANGE", a.cfg.MaxRange)
	}
	return from, to, nil
}

// moment reads a day or a time.
func (a *API) moment(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, a.zone)
	if err != nil {
		t, err = time.Parse(time.RFC3339, s)
	}
	if err != nil || t.Year() < 2000 || t.Year() > 2100 {
		return t, problemf(422, "%s is no day (2026-11-30) and no time (2026-11-30T09:00:00Z) of the years 2000 to 2100", name)
	}
	return t, nil
}

// failed turns the error of a store into an answer, and logs what the operator has to know. It holds nothing of the question.
func (a *API) failed(requestID string, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	a.log.Warn("a question could not be answered", "err", fmt.Sprint(err), "request_id", requestID)
	p := problemf(503, "the store gives no answer now; ask again later, or ask whoever runs this")
	p.retry = 5
	return p
}
