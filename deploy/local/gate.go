package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

const (
	helloTimeout = 10 * time.Second
	helloLimit   = 64 << 10 // bytes
	textLimit    = 4 << 10  // bytes of one text in a hello
)

// gate stands in front of ClickHouse's native port. It reads the hello of a connection, answers a wrong one (unknown
// user, wrong password, unknown database, not the protocol at all) as a server would, and passes a right one on with
// everything that follows. Without it, the first wrong login would abort the engine.
type gate struct {
	listener net.Listener
	upstream string // the engine's own native port
	web      string // the engine's HTTP address, to ask for databases
	password string
}

// hello is the part of the client's first packet that can be refused.
type hello struct{ database, user, password string }

// refusal is an exception packet of the native protocol.
type refusal struct {
	code int32
	text string
}

func (r *refusal) Error() string { return r.text }

func newGate(port int, upstream, web, password string) (*gate, error) {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	return &gate{listener: l, upstream: upstream, web: web, password: password}, nil
}

func (g *gate) close() { _ = g.listener.Close() }

func (g *gate) serve() {
	for {
		c, err := g.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go g.pass(c.(*net.TCPConn))
		}
	}
}

// pass joins one connection with the engine, if its hello is right.
func (g *gate) pass(client *net.TCPConn) {
	defer client.Close()
	_ = client.SetReadDeadline(time.Now().Add(helloTimeout))
	var seen bytes.Buffer
	h, err := readHello(bufio.NewReader(io.TeeReader(io.LimitReader(client, helloLimit), &seen)))
	if err != nil {
		return // not the protocol, or gone: the engine never hears of it
	}
	var no *refusal
	if err := g.check(h); errors.As(err, &no) {
		_, _ = client.Write(no.packet())
		return
	} else if err != nil {
		return
	}
	conn, err := net.Dial("tcp4", g.upstream)
	if err != nil {
		return
	}
	engine := conn.(*net.TCPConn)
	defer engine.Close()
	_ = client.SetReadDeadline(time.Time{})
	if _, err := engine.Write(seen.Bytes()); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(client, engine)
		_ = client.Close()
		close(done)
	}()
	_, _ = io.Copy(engine, client)
	_ = engine.CloseWrite()
	<-done
}

// check compares the hello with what the engine would accept.
func (g *gate) check(h hello) error {
	if h.user != clickhouseUser || subtle.ConstantTimeCompare([]byte(h.password), []byte(g.password)) != 1 {
		return &refusal{516, h.user + ": Authentication failed: password is incorrect, or there is no user with such name."}
	}
	if h.database == "" || h.database == "default" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), helloTimeout)
	defer cancel()
	out, err := queryClickHouse(ctx, g.web, g.password, "SELECT count() FROM system.databases WHERE name = {db:String}",
		url.Values{"param_db": {h.database}})
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(out)) == "0" {
		return &refusal{81, fmt.Sprintf("Database %s does not exist", h.database)}
	}
	return nil
}

// packet is the refusal as the server would send it: code, name, text, stack trace, nothing nested.
func (r *refusal) packet() []byte {
	b := binary.LittleEndian.AppendUint32([]byte{2}, uint32(r.code))
	for _, s := range []string{"DB::Exception", "DB::Exception: " + r.text, ""} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return append(b, 0)
}

// readHello reads: packet type 0, client name, three version numbers, database, user, password.
func readHello(r *bufio.Reader) (hello, error) {
	var h hello
	kind, err := r.ReadByte()
	if err != nil || kind != 0 {
		return h, errors.New("no hello")
	}
	var client string
	if err := readText(r, &client); err != nil {
		return h, err
	}
	for range 3 {
		if _, err := binary.ReadUvarint(r); err != nil {
			return h, err
		}
	}
	return h, errors.Join(readText(r, &h.database), readText(r, &h.user), readText(r, &h.password))
}

func readText(r *bufio.Reader, to *string) error {
	n, err := binary.ReadUvarint(r)
	if err != nil || n > textLimit {
		return errors.New("bad text in a hello")
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	*to = string(b)
	return err
}
