package connector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The embedded server opens no port. So that `postcall dead`, `status` and the like reach the streams of a running
// connector, it passes connections to a socket in its data directory on to the server: who may read that directory may
// use it, and nobody else.
const controlSocket = "control.sock"

// ErrNoStreams says that a tool found no streams where it looks for them: they are on another machine, or nowhere.
var ErrNoStreams = errors.New("there are no streams")

// listenControl opens the socket. A failure is no reason not to run.
func listenControl(ctx context.Context, dir string, log *slog.Logger) (net.Listener, error) {
	path := filepath.Join(dir, controlSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // a killed process leaves it; the lock is ours
		return nil, fmt.Errorf("remove the old control socket: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		log.Warn("postcall dead, status and audit can't reach this process; a shorter POSTCALL_DATA_DIR may help", "err", err)
		return nil, nil
	}
	return l, nil
}

// serveControl passes connections on until ctx ends.
func (s *streams) serveControl(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil { // too many open files, for example: it passes
			if sleep(ctx, time.Second) != nil {
				return nil
			}
			continue
		}
		wg.Go(func() { s.pass(ctx, c) })
	}
}

// pass copies both ways until one side ends.
func (s *streams) pass(ctx context.Context, client net.Conn) {
	inner, err := s.srv.InProcessConn()
	if err != nil {
		_ = client.Close()
		return
	}
	end := sync.OnceFunc(func() { _ = client.Close(); _ = inner.Close() })
	defer context.AfterFunc(ctx, end)()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(inner, client); end() })
	wg.Go(func() { _, _ = io.Copy(client, inner); end() })
	wg.Wait()
}

// socketConn connects to a running connector through its control socket.
type socketConn string

func (p socketConn) InProcessConn() (net.Conn, error) { return net.Dial("unix", string(p)) }

// Operator is what the tools of the person on call work with: the streams of a running connector, of a cluster, or, where
// nothing runs, of the data directory.
type Operator struct {
	st     *streams
	cipher *bodyCipher
	cfg    Config
	dead   *deadLetters
	erased *erasures
	step   func(string) // see resealer; nil outside tests
	here   *admin       // of the connector of this process; nil in a tool
}

// OpenOperator finds the streams. The caller closes it.
func OpenOperator(ctx context.Context, cfg Config, log *slog.Logger) (*Operator, error) {
	cipher, err := newBodyCipher(cfg.RedactKeys())
	if err != nil {
		return nil, err
	}
	st, err := findStreams(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	if st.srv != nil {
		if err := st.alignIntake(ctx, log, newMetrics(buildInfo{})); err != nil {
			st.close()
			return nil, err
		}
	}
	o := &Operator{st: st, cipher: cipher, cfg: cfg, dead: &deadLetters{js: st.js, cipher: cipher, log: log, m: newMetrics(buildInfo{})}, erased: newErasures(cfg.RedactKeys())}
	if err := o.erased.load(ctx, st); err != nil {
		st.close()
		return nil, err
	}
	return o, nil
}

// Close ends the connection, and the embedded server where it was started for it.
func (o *Operator) Close() { o.st.close() }

func findStreams(ctx context.Context, cfg Config, log *slog.Logger) (*streams, error) {
	path := filepath.Join(cfg.DataDir, controlSocket)
	if cfg.NATS.URL != "" { // a tool may be configured otherwise than the connectors: it makes and resizes no stream
		return attachStreams(ctx, "", cfg.NATS.URL, clusterOptions(cfg.NATS, log)...)
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, markerName)); err != nil {
		return nil, fmt.Errorf("%w in %s: set POSTCALL_DATA_DIR to that of `postcall serve`", ErrNoStreams, cfg.DataDir)
	}
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return attachStreams(ctx, cfg.DataDir, "", nats.InProcessServer(socketConn(path)))
	}
	return openStreams(ctx, cfg, log)
}

// attachStreams uses the streams of a running connector or of a cluster and changes nothing about them.
func attachStreams(ctx context.Context, dir, url string, opts ...nats.Option) (_ *streams, err error) {
	s := &streams{dir: dir}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.connect(url, opts...); err != nil {
		return nil, err
	}
	for _, name := range append(slices.Clone(callStreams), streamErased) {
		st, err := s.js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("open stream %s (`postcall serve` makes it at its first start): %w", name, err)
		}
		if err := s.use(st); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// reader makes a consumer for the moment, which drop takes away. JetStream would keep it for five minutes, and no stream
// takes more than a thousand.
func (s *streams) reader(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig) (c jetstream.Consumer, drop func(), err error) {
	if c, err = s.js.OrderedConsumer(ctx, stream, cfg); err != nil {
		return nil, nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return c, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if info := c.CachedInfo(); info != nil {
			_ = s.js.DeleteConsumer(ctx, stream, info.Name) // it goes by itself otherwise
		}
	}, nil
}

// each calls f for every message of a stream that is there now, from a sequence on, oldest first. Only headers are read
// where headers is set.
func (s *streams) each(ctx context.Context, stream string, from uint64, headers bool, f func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("open stream %s: %w", stream, err)
	}
	last := st.CachedInfo().State.LastSeq
	if st.CachedInfo().State.Msgs == 0 || from > last {
		return nil
	}
	c, drop, err := s.reader(ctx, stream, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1), HeadersOnly: headers,
	})
	if err != nil {
		return err
	}
	defer drop()
	if info, err := c.Info(ctx); err != nil || info.NumPending == 0 {
		return err
	}
	n := 16
	if headers {
		n = 1000
	}
	it, err := c.Messages(jetstream.PullMaxMessages(n))
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	defer it.Stop()
	defer context.AfterFunc(ctx, it.Stop)()
	for {
		msg, err := it.Next(jetstream.NextMaxWait(2 * time.Second))
		if errors.Is(err, nats.ErrTimeout) && ctx.Err() == nil { // what was still to come may have been removed meanwhile
			info, err := c.Info(ctx)
			if err != nil {
				return fmt.Errorf("read stream %s: %w", stream, err)
			}
			if info.NumPending == 0 {
				return nil
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read stream %s: %w", stream, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if err := f(msg, meta); err != nil {
			return err
		}
		if meta.NumPending == 0 || meta.Sequence.Stream >= last {
			return nil
		}
	}
}
