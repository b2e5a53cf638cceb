package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

//go:embed calls.sql
var callsSQL string

// server is ClickHouse's HTTP port, as `bin/local up` puts it into the environment.
type server struct{ url, user, password string }

// openServer takes the database that `postcall migrate` makes by default.
func openServer() (*server, error) {
	s := &server{os.Getenv("POSTCALL_TEST_CLICKHOUSE_HTTP"), os.Getenv("POSTCALL_CLICKHOUSE_USERNAME"), os.Getenv("POSTCALL_CLICKHOUSE_PASSWORD")}
	if s.url == "" {
		return nil, errors.New("no ClickHouse in the environment: run it as bin/local up --bench -- bin/scale")
	}
	return s, nil
}

// query runs a statement with settings and parameters and returns its answer.
func (s *server) query(ctx context.Context, sql string, set url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/?"+set.Encode(), strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(s.user, s.password)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, b)
	}
	return strings.TrimSpace(string(b)), err
}

func (s *server) number(ctx context.Context, sql string) (float64, error) {
	text, err := s.query(ctx, sql, nil)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

// took is what a statement needs: the least of several repeats of each.
type took struct{ seconds, cpu float64 }

func (t *took) least(o took) {
	t.seconds, t.cpu = min(cmp.Or(t.seconds, o.seconds), o.seconds), min(cmp.Or(t.cpu, o.cpu), o.cpu)
}

const cpuSQL = "SELECT value / 1e6 FROM system.events WHERE event = 'OSCPUVirtualTimeMicroseconds'"

// time runs a statement once.
func (s *server) time(ctx context.Context, sql string, set url.Values) (took, error) {
	return s.timed(ctx, func() error {
		_, err := s.query(ctx, sql, set)
		return err
	})
}

// timed calls f. The CPU seconds are all that the server used meanwhile.
func (s *server) timed(ctx context.Context, f func() error) (t took, err error) {
	before, err := s.number(ctx, cpuSQL)
	if err != nil {
		return t, err
	}
	start := time.Now()
	if err := f(); err != nil {
		return t, err
	}
	t.seconds = time.Since(start).Seconds()
	after, err := s.number(ctx, cpuSQL)
	t.cpu = after - before
	return t, err
}

// clickhouse fills the database and measures it.
func clickhouse(ctx context.Context, o options, w io.Writer) error {
	s, err := openServer()
	if err != nil {
		return err
	}
	version, err := s.query(ctx, "SELECT version()", nil)
	if err != nil {
		return err
	}
	if !o.there {
		if err := s.fill(ctx, o.calls); err != nil {
			return err
		}
	}
	calls, err := s.number(ctx, "SELECT count() FROM postcall.call_facts")
	if err != nil {
		return err
	}
	size, err := s.query(ctx, "SELECT concat(toString(sum(rows)), ' rows in ', toString(count()), ' parts, ', formatReadableSize(sum(bytes_on_disk)), ' of which ', "+
		"formatReadableSize(sumIf(bytes_on_disk, table = 'call_facts_raw')), ' are what metrics read') FROM system.parts WHERE active AND database = 'postcall'", nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n## ClickHouse %s, %.0f calls\n\n%s.\n", version, calls, size)
	missed := s.views(ctx, o.repeats, w)
	if o.there {
		return missed
	}
	if missed != nil && !errors.Is(missed, errMissed) {
		return missed
	}
	if err := s.inserts(ctx, o.repeats, w); err != nil && (missed == nil || !errors.Is(err, errMissed)) {
		return err
	}
	return missed
}

// fill writes the calls in inserts of half a million, then what is delivered again and what is erased, and waits for merges. What
// metrics read becomes one part, as a day later (migration 6). At the end come twenty small inserts, as a server has them that
// is loaded all the time.
func (s *server) fill(ctx context.Context, calls int) error {
	const at = 500_000
	b := newBar("Writing calls", calls)
	set := url.Values{
		"min_insert_block_size_rows": {strconv.Itoa(at)}, "min_insert_block_size_bytes": {"0"}, "max_insert_threads": {"1"},
		"param_end": {time.Now().UTC().Format("2006-01-02 00:00:00")}, "param_callers": {strconv.Itoa(max(calls*3/5, 1))},
	}
	insert := func(from, count int, again string) error {
		set.Set("param_from", strconv.Itoa(from))
		set.Set("param_count", strconv.Itoa(count))
		set.Set("param_again", again)
		_, err := s.query(ctx, callsSQL, set)
		return err
	}
	for from := 0; from < calls; from += at {
		if err := insert(from, min(at, calls-from), "0"); err != nil {
			return err
		}
		b.at(min(from+at, calls))
	}
	for from := 0; from < calls; from += 4 * at {
		if err := insert(from, min(4*at, calls-from), "1"); err != nil {
			return err
		}
	}
	erase := fmt.Sprintf("INSERT INTO postcall.calls_raw (tenant, call_id, version, is_deleted) "+
		"SELECT 'default', lower(hex(sipHash128(number))), toUInt64(now64(6)) * 1000000, 1 FROM numbers(%d) WHERE number %% 1000 = 7", calls)
	if _, err := s.query(ctx, erase, nil); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	if _, err := s.query(ctx, "OPTIMIZE TABLE postcall.call_facts_raw FINAL", nil); err != nil {
		return err
	}
	for i := range 20 {
		if err := insert(calls+i*2000, 2000, "0"); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until nothing is merged any more.
func (s *server) settle(ctx context.Context) error {
	b := newBar("Waiting for merges", 1)
	for quiet := 0; quiet < 5; {
		n, err := s.number(ctx, "SELECT count() FROM system.merges")
		if err != nil {
			return err
		}
		if quiet++; n > 0 {
			quiet = 0
		}
		b.at(0)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.at(1)
	return nil
}
