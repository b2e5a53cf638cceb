package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// cluster is three JetStream servers in this process.
type cluster []*server.Server

func startCluster(dir string) (c cluster, urls string, err error) {
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	var routes []*url.URL
	ports := make([]int, 3)
	for i := range ports {
		addr, err := freeAddr()
		if err != nil {
			return c, "", err
		}
		u := &url.URL{Scheme: "nats-route", Host: addr}
		if ports[i], err = strconv.Atoi(u.Port()); err != nil {
			return c, "", err
		}
		routes = append(routes, u)
	}
	for i, port := range ports {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, SyncAlways: true, StoreDir: filepath.Join(dir, fmt.Sprintf("n%d", i)), MaxPayload: 8 << 20,
			Cluster: server.ClusterOpts{Name: "faults", Host: "127.0.0.1", Port: port}, Routes: routes,
		})
		if err != nil {
			return c, "", fmt.Errorf("configure a JetStream server: %w", err)
		}
		s.Start()
		c = append(c, s)
		if i > 0 {
			urls += ","
		}
		urls += s.ClientURL()
	}
	for limit := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		for _, s := range c {
			if s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == len(c) {
				return c, urls, nil
			}
		}
		if time.Now().After(limit) {
			return c, "", errors.New("three JetStream servers found no leader within a minute")
		}
	}
}

func (c cluster) stop() {
	for _, s := range c {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// leaseless makes every connector of a cluster do everything.
var leaseless = []patch{
	{"connector/lease.go", "mine := !lease.gone && lease.value == l.me", "mine := lease.value != \"-\""},
	{"connector/lease.go", "want := alive && len(owners) > i && owners[i] == l.me", "want := alive && len(owners) > i"},
}

func twoOnACluster(ctx context.Context, r *running) error {
	dir, err := r.program(ctx, r.name, leaseless)
	if err != nil {
		return err
	}
	return r.twoOnACluster(ctx, dir)
}

// twoOnACluster has two postcalls of a build without leases, both taking deliveries, and kills one or the other. Both seal
// every frame: only the fence keeps one of them from it.
func (r *running) twoOnACluster(ctx context.Context, program string) error {
	w, err := r.world(ctx, "POSTCALL_BATCH_MAX_EVENTS=20", "POSTCALL_BATCH_MAX_AGE=10ms")
	if err != nil {
		return err
	}
	c, urls, err := startCluster(filepath.Join(w.dir, "cluster"))
	if err != nil {
		return err
	}
	r.after(func() { w.kill(); c.stop() })
	w.set("POSTCALL_NATS_URL=" + urls)
	w.bin = program
	if _, err = w.twin(); err != nil {
		return err
	}
	both := w.all()
	for _, one := range both {
		if err := one.serve(ctx); err != nil {
			return err
		}
	}
	return w.load(ctx, w.rounds(r.scale.kills, func(ctx context.Context, i int) error {
		if err := sleep(ctx, rand.N(50*time.Millisecond)); err != nil {
			return err
		}
		return both[i%2].killAndServe(ctx)
	}))
}
