package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// nodes are three JetStream servers, each a process of its own. Where their links are to be cut, each has a network
// namespace of its own as well, joined by a bridge.
type nodes struct {
	program string
	dir     string
	net     string // begins the names of the bridge, links and namespaces; empty has the servers on loopback
	list    [3]node
}

type node struct {
	host          string
	port, cluster string
	p             *process
}

// bridged is the network of the servers and, with the address 254, of everybody else.
const bridged = "10.213.77."

func (r *running) startNodes(ctx context.Context, dir string, cuttable bool) (n *nodes, err error) {
	n = &nodes{program: filepath.Join(r.dir, "build-natsnode"), dir: dir}
	r.after(n.close)
	if _, err := os.Stat(n.program); err != nil {
		if err := r.goBuild(ctx, filepath.Join(r.harness.root, "bench"), "-o", n.program, "./natsnode"); err != nil {
			return n, err
		}
	}
	if cuttable {
		n.net = fmt.Sprintf("pc%04x", rand.Uint32()&0xffff)
		if err := n.wire(); err != nil {
			return n, err
		}
	}
	for i := range n.list {
		one := node{host: "127.0.0.1", port: "4222", cluster: "6222"}
		if cuttable {
			one.host = fmt.Sprint(bridged, i+1)
		} else {
			for _, port := range []*string{&one.port, &one.cluster} {
				addr, err := freeAddr()
				if err != nil {
					return n, err
				}
				_, *port, _ = net.SplitHostPort(addr)
			}
		}
		n.list[i] = one
	}
	for i := range n.list {
		if err := n.start(i); err != nil {
			return n, err
		}
	}
	return n, n.ready(ctx)
}

// urls are the addresses for the connectors.
func (n *nodes) urls() string {
	var list []string
	for i := range n.list {
		list = append(list, "nats://"+net.JoinHostPort(n.list[i].host, n.list[i].port))
	}
	return strings.Join(list, ",")
}

func (n *nodes) start(i int) error {
	var peers []string
	for j := range n.list {
		if j != i {
			peers = append(peers, net.JoinHostPort(n.list[j].host, n.list[j].cluster))
		}
	}
	me := &n.list[i]
	name := fmt.Sprint("n", i+1)
	dir := filepath.Join(n.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	argv := []string{
		n.program, "-name", name, "-dir", dir, "-host", me.host, "-port", me.port, "-cluster-port", me.cluster,
		"-peers", strings.Join(peers, ","), "-log", filepath.Join(dir, "log"),
	}
	if n.net != "" {
		argv = append([]string{"ip", "netns", "exec", n.space(i)}, argv...) // which becomes the program
	}
	p, err := start(exec.Command(argv[0], argv[1:]...))
	if err != nil {
		return fmt.Errorf("start NATS server %s: %w", name, err)
	}
	me.p = p
	return nil
}

// ready waits until every server takes connections.
func (n *nodes) ready(ctx context.Context) error {
	for i := range n.list {
		me := &n.list[i]
		err := until(ctx, "NATS server "+me.host+" takes connections", time.Minute, func() bool {
			c, err := net.DialTimeout("tcp", net.JoinHostPort(me.host, me.port), time.Second)
			if err == nil {
				_ = c.Close()
			}
			return err == nil || me.p.ended()
		})
		if err != nil {
			return err
		}
		if me.p.ended() {
			return fmt.Errorf("NATS server %d ended: %s", i+1, lastLine(filepath.Join(n.dir, fmt.Sprint("n", i+1), "log")))
		}
	}
	return nil
}

// kill is kill -9 of a server.
func (n *nodes) kill(i int) {
	if p := n.list[i].p; p != nil {
		p.kill()
	}
}

func (n *nodes) space(i int) string { return fmt.Sprint(n.net, "-", i+1) }

// wire makes the network.
func (n *nodes) wire() error {
	err := ip("link", "add", n.net, "type", "bridge")
	err = errors.Join(err, ip("addr", "add", bridged+"254/24", "dev", n.net), ip("link", "set", n.net, "up"))
	for i := range n.list {
		outer, inner := n.link(i), fmt.Sprint(n.net, "i", i+1)
		in := func(args ...string) error { return ip(append([]string{"-n", n.space(i)}, args...)...) }
		err = errors.Join(err, ip("netns", "add", n.space(i)), ip("link", "add", outer, "type", "veth", "peer", "name", inner),
			ip("link", "set", inner, "netns", n.space(i)), ip("link", "set", outer, "master", n.net), ip("link", "set", outer, "up"),
			in("addr", "add", fmt.Sprint(bridged, i+1, "/24"), "dev", inner), in("link", "set", inner, "up"), in("link", "set", "lo", "up"))
	}
	return err
}

func (n *nodes) link(i int) string { return fmt.Sprint(n.net, "o", i+1) }

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// cutPeers keeps a server from the other two. Who is connected to it stays connected.
func (n *nodes) cutPeers(i int, cut bool) (err error) {
	verb := map[bool]string{true: "add", false: "del"}[cut]
	for j := range n.list {
		if j != i {
			err = errors.Join(err, ip("-n", n.space(i), "route", verb, "blackhole", fmt.Sprint(bridged, j+1, "/32")))
		}
	}
	return err
}

// cutOff keeps a server from everybody.
func (n *nodes) cutOff(i int, cut bool) error {
	return ip("link", "set", n.link(i), map[bool]string{true: "down", false: "up"}[cut])
}

func (n *nodes) close() {
	for i := range n.list {
		n.kill(i)
	}
	if n.net == "" {
		return
	}
	for i := range n.list {
		_ = ip("link", "del", n.link(i))
		_ = ip("netns", "del", n.space(i))
	}
	_ = ip("link", "del", n.net)
}
