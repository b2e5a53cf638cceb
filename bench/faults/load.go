package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const senders = 64

// load delivers every call of the ledger while fault is at work, and returns when both are done.
func (w *world) load(ctx context.Context, fault func(context.Context) error) error {
	return w.during(ctx, fault, func(ctx context.Context, c *http.Client, s int) error {
		var later []int // calls to be delivered once more, somewhat later
		for i := s; i < len(w.calls); i += senders {
			if err := w.deliver(ctx, c, i, 1); err != nil {
				return err
			}
			if yes, _ := w.again(i); yes && !w.poison(i) {
				later = append(later, i)
			}
			if len(later) > 0 && rand.IntN(8) == 0 {
				if err := w.deliverAgain(ctx, c, later[0]); err != nil {
					return err
				}
				later = later[1:]
			}
		}
		for _, i := range later {
			if err := w.deliverAgain(ctx, c, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// lasting spreads the deliveries to come over about d, for a fault that would outlast them.
func (w *world) lasting(d time.Duration) {
	w.pause = d / time.Duration(max(1, w.planned()/senders))
}

// correct delivers the next serial of the first n calls.
func (w *world) correct(ctx context.Context, n int) error {
	w.extra += n
	return w.during(ctx, nil, func(ctx context.Context, c *http.Client, s int) error {
		for i := s; i < n; i += senders {
			if err := w.deliver(ctx, c, i, w.calls[i].tried+1); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) deliverAgain(ctx context.Context, c *http.Client, i int) error {
	serial := w.calls[i].tried
	if _, corrected := w.again(i); corrected {
		serial++
	}
	return w.deliver(ctx, c, i, serial)
}

// during runs one send per sender beside fault.
func (w *world) during(ctx context.Context, fault func(context.Context) error, send func(context.Context, *http.Client, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := w.show(ctx)
	defer stop()
	tr := &http.Transport{MaxIdleConnsPerHost: senders, MaxConnsPerHost: senders}
	defer tr.CloseIdleConnections()
	// An attempt outlives every deadline of postcall's own, so that no forgotten one is stored behind its repetition.
	c := &http.Client{Transport: tr, Timeout: time.Minute}
	var wg sync.WaitGroup
	run := func(f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				cancel(err)
			}
		})
	}
	for s := range senders {
		run(func() error { return send(ctx, c, s) })
	}
	if fault != nil {
		run(func() error { return fault(ctx) })
	}
	watching, stopWatching := context.WithCancel(ctx)
	go func() { // ends with this function
		if err := w.stalled(watching); err != nil {
			cancel(err)
		}
	}()
	wg.Wait()
	stopWatching()
	return context.Cause(ctx)
}

// stalled returns an error when nothing was acknowledged for too long.
func (w *world) stalled(ctx context.Context) error {
	const limit = 2 * time.Minute
	last, at := int64(-1), time.Now()
	for sleep(ctx, time.Second) == nil {
		if n := w.acked.Load() + w.denied.Load(); n != last {
			last, at = n, time.Now()
		}
		if time.Since(at) > limit && last < int64(w.planned()) {
			return fmt.Errorf("no delivery was acknowledged for %s, after %d of %d", limit, last, w.planned())
		}
	}
	return nil
}

// deliver sends one delivery until it is answered 2xx or 4xx.
func (w *world) deliver(ctx context.Context, c *http.Client, i, serial int) error {
	if w.pause > 0 {
		if err := sleep(ctx, rand.N(2*w.pause)); err != nil {
			return err
		}
	}
	body := w.request(i, serial)
	w.sent.Add(1)
	begun := time.Now()
	e := &w.calls[i]
	for {
		e.attempts++
		e.tried = max(e.tried, serial)
		attempt := time.Now()
		to := w
		if n := (e.attempts + i) % (len(w.more) + 1); n > 0 {
			to = w.more[n-1]
		}
		status, err := w.post(ctx, c, to.http, body)
		switch {
		case err == nil && status < 300:
			e.acked, e.at = max(e.acked, serial), time.Now()
			w.acked.Add(1)
			w.latency(time.Since(begun), time.Since(attempt))
			return nil
		case err == nil && status < 500:
			e.denied = true
			w.denied.Add(1)
			return nil
		case err == nil && status != http.StatusServiceUnavailable:
			return fmt.Errorf("a delivery was answered %d", status)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if p := to.process(); p != nil && p.ended() && !p.expected.Load() {
			return fmt.Errorf("postcall ended by itself (%w): %s", p.err, lastLine(to.log()))
		}
		select {
		case <-time.After(20*time.Millisecond + rand.N(80*time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *world) post(ctx context.Context, c *http.Client, addr string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/phonely/webhook", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+secret)
	res, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode == http.StatusServiceUnavailable {
		w.busy.Add(1)
		if res.Header.Get("Retry-After") == "" {
			w.bare.Add(1)
		}
	}
	if err != nil { // the answer's first line counts: it says that the body is stored
		return res.StatusCode, nil //nolint:nilerr // as above
	}
	return res.StatusCode, nil
}

func (l *ledger) latency(total, attempt time.Duration) {
	for {
		old := l.worst.Load()
		is := [2]time.Duration{total, attempt}
		if old != nil {
			is = [2]time.Duration{max(old[0], total), max(old[1], attempt)}
		}
		if l.worst.CompareAndSwap(old, &is) {
			return
		}
	}
}

// until waits for a condition.
func until(ctx context.Context, what string, limit time.Duration, ok func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s: %s", limit, what))
	defer cancel()
	for !ok() {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// untilAcked waits until a share of all deliveries is acknowledged. It waits as long as that takes.
func (w *world) untilAcked(ctx context.Context, share float64) error {
	want := int64(share * float64(w.planned()))
	for w.acked.Load()+w.denied.Load() < want {
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
