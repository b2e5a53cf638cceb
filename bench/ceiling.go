package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// groupFile is the least that makes bodies durable: whatever waits is written and synced together, then answered.
type groupFile struct {
	f     *os.File
	queue chan *pending
	syncs int
}

type pending struct {
	body []byte
	done chan error
}

func newGroupFile(dir string) (*groupFile, error) {
	f, err := os.Create(filepath.Join(dir, "ceiling"))
	if err != nil {
		return nil, err
	}
	g := &groupFile{f: f, queue: make(chan *pending, 1024)}
	go g.run()
	return g, nil
}

// run ends when the queue is closed.
func (g *groupFile) run() {
	var group []*pending
	var buf []byte
	for p := range g.queue {
		group, buf = append(group[:0], p), append(buf[:0], p.body...)
	gather:
		for len(group) < 256 {
			select {
			case p, ok := <-g.queue:
				if !ok {
					break gather
				}
				group, buf = append(group, p), append(buf, p.body...)
			default:
				break gather
			}
		}
		err := writeAll(g.f, buf)
		if err == nil {
			err = syscall.Fdatasync(int(g.f.Fd()))
		}
		g.syncs++
		for _, p := range group {
			p.done <- err
		}
	}
}

func (g *groupFile) store(body []byte) error {
	p := &pending{body: body, done: make(chan error, 1)}
	g.queue <- p
	return <-p.done
}

func (g *groupFile) close() {
	close(g.queue)
	_ = g.f.Close() // it is thrown away
	_ = os.Remove(g.f.Name())
}

// ceilingFile stores p.Events deliveries by function calls from p.Senders producers.
func ceilingFile(dir string, c *calls, p plan) (result, error) {
	g, err := newGroupFile(dir)
	if err != nil {
		return result{}, err
	}
	defer g.close()
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		all   = make([]time.Duration, p.Events)
		first atomic.Pointer[error]
		start = time.Now()
		cpu   = ownCPU()
	)
	for range p.Senders {
		wg.Go(func() {
			var body []byte
			for {
				n := int(next.Add(1)) - 1
				if n >= p.Events {
					return
				}
				body = c.appendCall(body[:0], n)
				t := time.Now()
				if err := g.store(body); err != nil {
					first.CompareAndSwap(nil, &err)
					return
				}
				all[n] = time.Since(t)
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		return result{}, *err
	}
	r := result{Name: ceilingName, Plan: p}
	r.Load = loadResult{Accepted: p.Events, Seconds: time.Since(start).Seconds()}
	r.Load.P50, r.Load.P99, r.Load.Max = percentiles(all)
	r.CPU = (ownCPU() - cpu) / float64(p.Events) * 1000
	r.Syncs, r.SyncsFrom = float64(g.syncs)/float64(p.Events), "counted"
	return r, nil
}

// ceilingHTTP is the same behind net/http, with the senders of every other run.
func ceilingHTTP(ctx context.Context, dir string, c *calls, p plan) (result, error) {
	g, err := newGroupFile(dir)
	if err != nil {
		return result{}, err
	}
	defer g.close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return result{}, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil || g.store(body) != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "{}\n")
	})}
	go func() { _ = srv.Serve(l) }() // until Close
	defer srv.Close()
	var n atomic.Int64
	r := result{Name: "ceiling: file behind net/http", Plan: p}
	r.Load, err = load(ctx, l.Addr().String(), "/", "x", c, p, &n)
	r.Syncs, r.SyncsFrom = float64(g.syncs)/float64(p.Events), "counted"
	return r, err
}

// ownCPU returns the CPU seconds of this process.
func ownCPU() float64 {
	s, _ := cpuSeconds(os.Getpid())
	return s
}
