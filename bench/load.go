package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// plan is what the senders do.
type plan struct {
	Size    int           `json:"size"`    // bytes of a delivery, about
	Events  int           `json:"events"`  // deliveries
	Senders int           `json:"senders"` // connections, each with one delivery under way
	Rate    float64       `json:"rate"`    // deliveries a second, at even distances; 0 is a closed loop
	Frozen  bool          `json:"frozen"`  // the plugins, until the last delivery is answered
	Outage  bool          `json:"outage"`  // of both stores, until the last delivery is answered
	Stages  bool          `json:"stages"`  // profiles are taken
	Env     []string      `json:"env,omitempty"`
	Timeout time.Duration `json:"-"` // of one delivery

	deliver func(context.Context, *target, *atomic.Int64) (loadResult, error) // nil is load
}

// loadResult is what the senders saw.
type loadResult struct {
	Accepted int     `json:"accepted"`
	Retried  int     `json:"retried"` // 503 and 429
	Seconds  float64 `json:"seconds"` // from the first delivery to the last answer
	P50      float64 `json:"p50_ms"`  // in an open loop from the moment the delivery was due
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

// sender is one connection. net/http's client would take about as much CPU as the server under test: this one writes a
// finished request and reads the answer.
type sender struct {
	addr, path, secret string
	conn               net.Conn
	r                  *bufio.Reader
	buf, body          []byte
}

// load delivers p.Events calls and returns once each is answered with 2xx. accepted is counted up as it goes.
func load(ctx context.Context, addr, path, secret string, c *calls, p plan, accepted *atomic.Int64) (loadResult, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		next    atomic.Int64
		retried atomic.Int64
		all     = make([]time.Duration, p.Events)
		wg      sync.WaitGroup
		start   = time.Now()
	)
	for range p.Senders {
		wg.Go(func() {
			s := &sender{addr: addr, path: path, secret: secret}
			defer s.close()
			for {
				n := int(next.Add(1)) - 1
				if n >= p.Events || ctx.Err() != nil {
					return
				}
				due := time.Now()
				if p.Rate > 0 {
					due = start.Add(time.Duration(float64(n) / p.Rate * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				s.body = c.appendCall(s.body[:0], n)
				for {
					again, err := s.deliver(p.Timeout)
					if err != nil {
						cancel(fmt.Errorf("delivery %d: %w", n, err))
						return
					}
					if again == 0 {
						break
					}
					retried.Add(1)
					select {
					case <-time.After(again):
					case <-ctx.Done():
						return
					}
				}
				all[n] = time.Since(due)
				accepted.Add(1)
			}
		})
	}
	wg.Wait()
	r := loadResult{Accepted: int(accepted.Load()), Retried: int(retried.Load()), Seconds: time.Since(start).Seconds()}
	r.P50, r.P99, r.Max = percentiles(all)
	return r, context.Cause(ctx)
}

// percentiles returns p50, p99 and the maximum in milliseconds.
func percentiles(all []time.Duration) (p50, p99, top float64) {
	if len(all) == 0 {
		return 0, 0, 0
	}
	slices.Sort(all)
	ms := func(q float64) float64 {
		return float64(all[min(int(q*float64(len(all))), len(all)-1)].Microseconds()) / 1000
	}
	return ms(0.50), ms(0.99), ms(1)
}

// deliver posts s.body. A positive duration asks for another attempt after it.
func (s *sender) deliver(timeout time.Duration) (again time.Duration, err error) {
	if s.conn == nil {
		if s.conn, err = net.Dial("tcp", s.addr); err != nil {
			return 0, err
		}
		s.r = bufio.NewReader(s.conn)
	}
	s.buf = fmt.Appendf(s.buf[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
		s.path, s.addr, s.secret, len(s.body))
	s.buf = append(s.buf, s.body...)
	if err := errors.Join(s.conn.SetDeadline(time.Now().Add(timeout)), writeAll(s.conn, s.buf)); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(s.r, nil)
	if err != nil {
		return 0, err
	}
	answer, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // read to its end
	if err != nil {
		return 0, err
	}
	if res.Close {
		s.close()
	}
	switch {
	case res.StatusCode/100 == 2:
		return 0, nil
	case res.StatusCode == http.StatusServiceUnavailable, res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusRequestTimeout:
		secs, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return time.Duration(max(secs, 1)) * time.Second, nil
	}
	return 0, fmt.Errorf("answered %s: %s", res.Status, answer)
}

func writeAll(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

func (s *sender) close() {
	if s.conn != nil {
		_ = s.conn.Close() // nothing is left to read or write
		s.conn = nil
	}
}
