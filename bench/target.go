package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// stores is where a program under test delivers to.
type stores interface {
	// env is how postcall finds them.
	env() []string
	// begin starts to count the events of a run.
	begin(ctx context.Context, run string, events int) error
	// counts returns the events of the run in each store, and the rows that are one too many.
	counts(ctx context.Context) (clickhouse, elastic, twice int, err error)
}

// standIns are both stand-ins.
type standIns struct {
	ch *clickhouseStandIn
	es *elasticStandIn
}

func newStandIns() (*standIns, error) {
	ch, err := newClickHouseStandIn()
	if err != nil {
		return nil, err
	}
	es, err := newElasticStandIn()
	return &standIns{ch, es}, err
}

func (s *standIns) env() []string {
	return []string{"POSTCALL_CLICKHOUSE_ADDR=" + s.ch.addr, "POSTCALL_ELASTICSEARCH_URL=http://" + s.es.addr}
}

// setDown takes both away, or brings them back.
func (s *standIns) setDown(down bool) {
	s.ch.down.Store(down)
	s.es.down.Store(down)
}

func (s *standIns) begin(_ context.Context, run string, events int) error {
	s.ch.reset(run, events)
	s.es.reset(run, events)
	return nil
}

func (s *standIns) counts(context.Context) (ch, es, twice int, err error) {
	ch, twice = s.ch.counts()
	es, esTwice := s.es.counts()
	return ch, es, twice + esTwice, nil
}

// engines are a real ClickHouse and a real Elasticsearch, as `bin/local up` puts them into the environment.
type engines struct {
	run         string
	chURL, user string
	password    string
	esURL       string
	native      string
}

// newEngines returns nil where the environment names none.
func newEngines() *engines {
	e := &engines{
		chURL: os.Getenv("POSTCALL_TEST_CLICKHOUSE_HTTP"), native: os.Getenv("POSTCALL_CLICKHOUSE_ADDR"),
		user: os.Getenv("POSTCALL_CLICKHOUSE_USERNAME"), password: os.Getenv("POSTCALL_CLICKHOUSE_PASSWORD"),
		esURL: os.Getenv("POSTCALL_ELASTICSEARCH_URL"),
	}
	if e.chURL == "" || e.native == "" || e.esURL == "" {
		return nil
	}
	return e
}

func (e *engines) env() []string {
	return []string{
		"POSTCALL_CLICKHOUSE_ADDR=" + e.native, "POSTCALL_CLICKHOUSE_USERNAME=" + e.user,
		"POSTCALL_CLICKHOUSE_PASSWORD=" + e.password, "POSTCALL_ELASTICSEARCH_URL=" + e.esURL,
	}
}

func (e *engines) begin(_ context.Context, run string, _ int) error {
	e.run = run
	return nil
}

func (e *engines) counts(ctx context.Context) (ch, es, twice int, err error) {
	q := "SELECT uniqExact(call_id), count() FROM postcall.calls_raw WHERE startsWith(call_id, '" + e.run + "') FORMAT TSV"
	out, err := e.get(ctx, e.chURL+"/?query="+url.QueryEscape(q))
	if err != nil {
		return 0, 0, 0, err
	}
	var rows int
	if _, err := fmt.Sscan(string(out), &ch, &rows); err != nil {
		return 0, 0, 0, fmt.Errorf("count the rows in ClickHouse: %w", err)
	}
	if _, err := e.get(ctx, e.esURL+"/call-transcripts/_refresh"); err != nil {
		return 0, 0, 0, err
	}
	out, err = e.get(ctx, e.esURL+"/call-transcripts/_count?q="+url.QueryEscape("call_id:"+e.run+"*"))
	if err != nil {
		return 0, 0, 0, err
	}
	var c struct{ Count int }
	err = json.Unmarshal(out, &c)
	return ch, c.Count, rows - ch, err
}

func (e *engines) get(ctx context.Context, u string) ([]byte, error) {
	login := ""
	if strings.HasPrefix(u, e.chURL) {
		login = e.user
	}
	return get(ctx, u, login, e.password)
}

// get returns the body of an answer, which has to be a 200. The login is left out where the user is empty.
func get(ctx context.Context, url, user, password string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", req.URL.Path, res.Status, b)
	}
	return b, err
}

// target is a running program under test.
type target struct {
	*process
	addr, path string
	admin      string // address of postcall's admin port, with the scheme
	data       string // folder
	metrics    func(ctx context.Context) (map[string]float64, error)
}

const secret = "bench-secret-of-no-one"

// startPostcall starts the built program on a new data folder, with variables of the run's own.
func startPostcall(ctx context.Context, bin, dir string, st stores, own []string, wrap ...string) (*target, error) {
	env := append(append(st.env(), own...),
		"POSTCALL_DATA_DIR="+filepath.Join(dir, "data"), "POSTCALL_WEBHOOK_SECRET="+secret, "POSTCALL_REDACT_KEY=bench-redact-key-of-no-one-at-all",
		"POSTCALL_TRANSFORMS="+strings.Join(transforms(bin), ","), "POSTCALL_LOG_LEVEL=warn")
	program := filepath.Join(bin, "postcall")
	if err := migrate(ctx, program, env, st, dir); err != nil {
		return nil, err
	}
	hook, admin := freeAddr(), freeAddr()
	env = append(env, "POSTCALL_HTTP_ADDR="+hook, "POSTCALL_ADMIN_ADDR="+admin)
	p, err := start(append(wrap, program, "serve"), env, filepath.Join(dir, "postcall.log"))
	if err != nil {
		return nil, err
	}
	admin = "http://" + admin
	t := &target{process: p, data: filepath.Join(dir, "data"), addr: hook, admin: admin, path: "/phonely/webhook", metrics: func(ctx context.Context) (map[string]float64, error) {
		return scrape(ctx, admin+"/metrics")
	}}
	return t, t.ready(ctx, admin+"/readyz")
}

// transforms are the plugins that are built, in the order of the default configuration.
func transforms(bin string) []string {
	var names []string
	for _, n := range []string{"redact-pii", "map-topics"} {
		if _, err := os.Stat(filepath.Join(bin, "plugins", n)); err == nil {
			names = append(names, n)
		}
	}
	return names
}

// migrate makes the tables. The stand-in for Elasticsearch needs none.
func migrate(ctx context.Context, program string, env []string, st stores, dir string) error {
	if _, ok := st.(*standIns); ok {
		env = append(env, "POSTCALL_SINKS=clickhouse")
	}
	p, err := start([]string{program, "migrate", "apply"}, env, filepath.Join(dir, "migrate.log"))
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.stop())
	}
	if p.err != nil {
		return fmt.Errorf("migrate: %w\n%s", p.err, tail(p.log))
	}
	return nil
}

// ready waits until url answers 200, or until the address takes connections where url is empty.
func (t *target) ready(ctx context.Context, url string) error {
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if err := t.failure(); err != nil {
			return err
		}
		if url == "" {
			if c, err := net.Dial("tcp", t.addr); err == nil {
				return c.Close()
			}
		} else if res, err := http.Get(url); err == nil {
			_ = res.Body.Close() // only the status counts
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.Join(ctx.Err(), t.stop(), errors.New("the program was not ready within a minute; the end of its log:\n"+tail(t.log)))
}

// scrape reads Prometheus' text format: a line is a name with labels, and a value.
func scrape(ctx context.Context, url string) (map[string]float64, error) {
	b, err := get(ctx, url, "", "")
	if err != nil {
		return nil, err
	}
	m := map[string]float64{}
	for line := range strings.SplitSeq(string(b), "\n") {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
				m[line[:i]] = v
			}
		}
	}
	return m, nil
}

// freeAddr returns a loopback address nobody listens on.
func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // no free port at all
	}
	defer l.Close()
	return l.Addr().String()
}
