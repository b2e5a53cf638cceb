package connector

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The streams and their subjects. The last token of the first two is the partition; that of the dead letters is the
// entry's id, so that writing one a second time is refused by its subject.
const (
	streamIntake  = "POSTCALL_INTAKE"
	streamBatches = "POSTCALL_BATCHES"
	streamDead    = "POSTCALL_DEAD"
	// streamRefused holds bodies answered 4xx, apart from the dead letters: a sender that keeps delivering nonsense must
	// not take their room. Its oldest entries go when it is full (DELIVERY.md, rules 16 and 19).
	streamRefused = "POSTCALL_REFUSED"

	subjectRefused = "postcall.refused."
	subjectIntake  = "postcall.intake."
	subjectBatches = "postcall.batches."
	subjectDead    = "postcall.dead."
)

// callStreams are the streams that hold calls. The erasure list holds hashes.
var callStreams = []string{streamIntake, streamBatches, streamDead, streamRefused}

const (
	// embeddedMaxPayload is the largest message of the embedded server.
	embeddedMaxPayload = 8 << 20
	// maxSealed bounds the messages that are sealed into POSTCALL_BATCHES, so that ClickHouse's deduplication window (100,000 in our
	// migrations) covers every sealed message that can exist and the parts of bisected ones (DELIVERY.md, rule 5).
	maxSealed = 90_000
	// resealMsgs and resealRoom are the part of POSTCALL_BATCHES that no sealer takes, see there.
	resealMsgs = 1_000
	// embeddedPartitions is P on one machine; the sealer of one partition keeps up with the intake there.
	embeddedPartitions = 1

	metaID         = "postcall-id"
	metaPartitions = "postcall-partitions"
	metaEver       = "postcall-partitions-ever" // the most there have been, where that is more
)

// resealRoom is what POSTCALL_BATCHES has beyond POSTCALL_BATCH_MAX_BYTES: a message is sealed again before the one it
// replaces goes, also while the stream is as full as it may be. It holds two messages of the largest size, and what the
// sealers of all partitions, at least two, may take at once (DELIVERY.md, rule 13).
func resealRoom(partitions int) int64 { return int64(max(partitions, 2)+2) * embeddedMaxPayload }

// streams is the connection to JetStream, embedded or not, with the streams open.
type streams struct {
	srv        *server.Server // nil with an external cluster
	lock       *dirLock       // likewise
	marks      *highWater     // likewise
	dir        string         // where the streams' files are; empty with an external cluster
	nc         *nats.Conn
	js         jetstream.JetStream
	intake     jetstream.Stream
	batches    jetstream.Stream
	dead       jetstream.Stream
	refused    jetstream.Stream
	erased     jetstream.Stream
	intakeID   string // identity of the intake stream: positions of another one mean nothing
	partitions int
	ever       int // the most partitions there have been: batches of those that are gone may be kept
	maxPayload int
	opened     opener
	high       atomic.Uint64 // highest sequence of the intake that this process has seen, on a cluster
}

// openStreams locks the data directory, starts the embedded server (or connects to the cluster) and opens the streams.
// It creates them only in an empty directory: a missing or exchanged stream is an error, never a new stream
// (DELIVERY.md, rule 1).
func openStreams(ctx context.Context, cfg Config, log *slog.Logger) (_ *streams, err error) {
	s := &streams{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var mark *marker
	if cfg.NATS.URL == "" {
		if s.lock, err = lockDir(cfg.DataDir); err != nil {
			return nil, err
		}
		if mark, err = readMarker(cfg.DataDir, cfg.EncryptionKeys()); err != nil {
			return nil, err
		}
		if s.marks, err = openHighWater(cfg.DataDir); err != nil {
			return nil, err
		}
		if err = finishShredding(cfg.DataDir, mark.Key != keyNone, log); err != nil {
			return nil, err
		}
		s.dir = cfg.DataDir
		if s.srv, err = startServer(cfg, mark.serverKey(), log); err != nil {
			return nil, err
		}
		err = s.connect("", nats.InProcessServer(s.srv))
	} else {
		err = s.connect(cfg.NATS.URL, clusterOptions(cfg.NATS, log)...)
	}
	if err != nil {
		return nil, err
	}
	if s.srv == nil {
		return s, s.patiently(ctx, log, "open the streams", func() error { return s.openCluster(ctx, cfg, log) })
	}
	if err := s.open(ctx, cfg, mark); err != nil {
		return nil, err
	}
	return s, nil
}

// options are what the cluster asks of a client.
func (c NATSConfig) options() (opts []nats.Option) {
	if c.CredsPath != "" {
		opts = append(opts, nats.UserCredentials(c.CredsPath))
	}
	if c.CAPath != "" {
		opts = append(opts, nats.RootCAs(c.CAPath))
	}
	return opts
}

func (s *streams) connect(url string, opts ...nats.Option) (err error) {
	if s.nc, err = nats.Connect(url, append(opts, nats.Name("postcall"), nats.MaxReconnects(-1))...); err != nil {
		return fmt.Errorf("connect to JetStream: %w", err)
	}
	s.maxPayload = int(s.nc.MaxPayload())
	s.js, err = jetstream.New(s.nc)
	return err
}

// open opens the streams of the data directory.
func (s *streams) open(ctx context.Context, cfg Config, mark *marker) error {
	create := !mark.Complete
	created := map[string]time.Time{}
	for _, sc := range streamConfigs(cfg, rand.Text(), false) {
		st, err := s.js.Stream(ctx, sc.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) && create {
			st, err = s.js.CreateStream(ctx, sc)
		}
		if err != nil {
			return fmt.Errorf("open stream %s (if its files were lost, restore %s from a backup, or start with an empty POSTCALL_DATA_DIR): %w",
				sc.Name, cfg.DataDir, err)
		}
		info := st.CachedInfo()
		created[sc.Name] = info.Created
		if mark.Complete {
			if at, ok := mark.Streams[sc.Name]; !ok || !at.Equal(info.Created) {
				return fmt.Errorf("stream %s was made %s, but %s recorded %s: the data directory was exchanged; restore it, or start with an empty POSTCALL_DATA_DIR",
					sc.Name, info.Created.Format(time.RFC3339), markerName, at.Format(time.RFC3339))
			}
			if st, err = s.resize(ctx, st, &sc); err != nil {
				return err
			}
		}
		if err := s.use(st); err != nil {
			return err
		}
	}
	if create {
		mark.Complete, mark.Streams = true, created
		return writeMarker(cfg.DataDir, *mark)
	}
	return nil
}

// resize gives a stream the bounds of sc: sizes are the operator's to change.
func (s *streams) resize(ctx context.Context, st jetstream.Stream, sc *jetstream.StreamConfig) (jetstream.Stream, error) {
	c := st.CachedInfo().Config
	if sc.MaxBytes == c.MaxBytes && sc.MaxMsgs == c.MaxMsgs {
		return st, nil
	}
	c.MaxBytes, c.MaxMsgs = sc.MaxBytes, sc.MaxMsgs
	st, err := s.js.UpdateStream(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("resize stream %s: %w", sc.Name, err)
	}
	return st, nil
}

// sealedLimits are what sealers keep POSTCALL_BATCHES within.
func sealedLimits(c *jetstream.StreamConfig) (bytes, msgs int64) {
	partitions, _ := strconv.Atoi(c.Metadata[metaPartitions])
	return max(c.MaxBytes-resealRoom(partitions), 0), max(c.MaxMsgs-resealMsgs, 0)
}

// errSealedFull says that a sealed message does not fit beside those that are kept.
var errSealedFull = errors.New("the stream of sealed batches is full")

// room looks whether POSTCALL_BATCHES has room for one more sealed message.
func (s *streams) room(ctx context.Context, msg *nats.Msg) error {
	info, err := s.batches.Info(ctx)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", streamBatches, err)
	}
	bytes, msgs := sealedLimits(&info.Config)
	if int64(info.State.Bytes)+int64(msg.Size()) > bytes || int64(info.State.Msgs) >= msgs {
		return errSealedFull
	}
	return nil
}

// use takes a stream into s.
func (s *streams) use(st jetstream.Stream) error {
	info := st.CachedInfo()
	switch info.Config.Name {
	case streamIntake:
		s.intake = st
		s.intakeID = info.Config.Metadata[metaID] + "@" + info.Created.UTC().Format(time.RFC3339Nano)
		p, err := strconv.Atoi(info.Config.Metadata[metaPartitions])
		if err != nil || p < 1 {
			return fmt.Errorf("stream %s names no partitions: it was not made by postcall", streamIntake)
		}
		ever, _ := strconv.Atoi(info.Config.Metadata[metaEver])
		s.partitions, s.ever = p, max(p, ever)
	case streamBatches:
		s.batches = st
	case streamDead:
		s.dead = st
	case streamRefused:
		s.refused = st
	case streamErased:
		s.erased = st
	}
	return nil
}

func streamConfigs(cfg Config, id string, cluster bool) []jetstream.StreamConfig {
	base := jetstream.StreamConfig{
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, Replicas: 1,
	}
	partitions := embeddedPartitions
	if cluster { // its promise is that of a quorum (DELIVERY.md, rule 15)
		base.Replicas, partitions = cmp.Or(cfg.NATS.Replicas, defaultReplicas), cmp.Or(cfg.Partitions, clusterPartitions)
	}
	base.Metadata = map[string]string{metaID: id, metaPartitions: strconv.Itoa(partitions)}
	intake, batches, dead, refused, erased := base, base, base, base, base
	intake.Name, intake.Subjects, intake.MaxBytes = streamIntake, []string{subjectIntake + "*"}, int64(cfg.Intake.MaxBytes)
	if cluster {
		intake.Subjects = intakeSubjects(partitions)
	}
	batches.Name, batches.Subjects, batches.MaxBytes = streamBatches, []string{subjectBatches + "*"}, int64(cfg.Batch.MaxBytes)+resealRoom(partitions)
	batches.MaxMsgs = maxSealed + resealMsgs
	// The refused bodies have an eighth of the room for dead letters, and can't take more.
	share := max(int64(cfg.Batch.DeadBytes)/8, 512<<10)
	dead.Name, dead.Subjects, dead.MaxBytes = streamDead, []string{subjectDead + ">"}, int64(cfg.Batch.DeadBytes)-share
	dead.MaxMsgsPerSubject = 1
	refused.Name, refused.Subjects, refused.MaxBytes = streamRefused, []string{subjectRefused + "*"}, share
	refused.Discard, refused.MaxMsgsPerSubject = jetstream.DiscardOld, 1
	erased.Name, erased.Subjects, erased.MaxBytes, erased.MaxMsgsPerSubject = streamErased, []string{subjectErased + "*"}, 64<<20, 1
	return []jetstream.StreamConfig{batches, dead, refused, erased, intake} // on a cluster, the last one says that all were made
}

// startServer runs JetStream in this process. It opens no port; every write is synced before its ack.
func startServer(cfg Config, key string, log *slog.Logger) (*server.Server, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName: "postcall", DontListen: true, NoSigs: true,
		JetStream: true, SyncAlways: true, StoreDir: filepath.Join(cfg.DataDir, "jetstream"),
		MaxPayload: embeddedMaxPayload, JetStreamMaxStore: math.MaxInt64 / 2, JetStreamMaxMemory: 64 << 20,
		JetStreamKey: key, JetStreamCipher: server.AES,
	})
	if err != nil {
		return nil, fmt.Errorf("configure the embedded JetStream: %w", err)
	}
	srv.SetLoggerV2(serverLog{log}, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(60 * time.Second) {
		srv.Shutdown()
		return nil, errors.New("the embedded JetStream was not ready within 60 s; see the log lines before this one")
	}
	return srv, nil
}

func (s *streams) close() {
	if s.nc != nil {
		s.nc.Close()
	}
	if s.srv != nil {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
	}
	s.marks.close()
	if s.lock != nil {
		s.lock.release()
	}
}

// partition is the partition of a call. It never changes for a stream: P is fixed when the streams are made.
func partition(tenant, callID string, partitions int) int {
	if partitions == 1 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(tenant))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(callID))
	return int(h.Sum64() % uint64(partitions))
}

func subject(prefix string, partition int) string { return prefix + strconv.Itoa(partition) }

// apiCode is the JetStream error code of err, 0 where it has none.
func apiCode(err error) jetstream.ErrorCode {
	var e jetstream.JetStreamError
	if errors.As(err, &e) && e.APIError() != nil {
		return e.APIError().ErrorCode
	}
	if a, ok := errors.AsType[*jetstream.APIError](err); ok {
		return a.ErrorCode
	}
	return 0
}

// Codes that jetstream does not name.
const (
	codeStoreFull = 10077 // "maximum bytes exceeded" and its kin, under DiscardNew
)

func isStale(err error) bool {
	c := apiCode(err)
	return c == jetstream.JSErrCodeStreamWrongLastSequence || c == jetstream.JSErrCodeStreamWrongLastSequenceConstant
}

// serverLog passes the embedded server's warnings and errors on.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(f string, v ...any) {
	l.log.Debug("jetstream", "says", fmt.Sprintf(f, v...))
}

func (l serverLog) Warnf(f string, v ...any) { l.log.Warn("jetstream", "says", fmt.Sprintf(f, v...)) }

func (l serverLog) Fatalf(f string, v ...any) { l.log.Error("jetstream", "says", fmt.Sprintf(f, v...)) }

func (l serverLog) Errorf(f string, v ...any) { l.log.Error("jetstream", "says", fmt.Sprintf(f, v...)) }
func (l serverLog) Debugf(string, ...any)     {}
func (l serverLog) Tracef(string, ...any)     {}
