package connector

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// startNATS runs JetStream servers that form a cluster, or one alone, until the test ends.
func startNATS(t *testing.T, servers int) (list []*server.Server, urls string) {
	t.Helper()
	var routes []*url.URL
	for range servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: l.Addr().String()})
		_ = l.Close()
	}
	for i := range servers {
		o := &server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, SyncAlways: true, StoreDir: t.TempDir(),
		}
		if servers > 1 {
			o.Cluster.Name, o.Cluster.Host, o.Routes = "test", "127.0.0.1", routes
			o.Cluster.Port, _ = strconv.Atoi(routes[i].Port())
		}
		s, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		list = append(list, s)
	}
	for _, s := range list {
		if !s.ReadyForConnections(30 * time.Second) {
			t.Fatal("JetStream server not ready within 30 s")
		}
		urls += "," + s.ClientURL()
	}
	for limit := time.Now().Add(time.Minute); servers > 1; time.Sleep(20 * time.Millisecond) {
		for _, s := range list {
			if s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == servers {
				return list, urls[1:]
			}
		}
		if time.Now().After(limit) {
			t.Fatal("the JetStream servers found no leader within a minute")
		}
	}
	return list, urls[1:]
}

// clusterConfig is that of one of several connectors on a single server.
func clusterConfig(t *testing.T, urls string) Config {
	t.Helper()
	cfg := testConfig(t.TempDir())
	cfg.NATS = NATSConfig{URL: urls, Replicas: 1}
	cfg.Partitions = 4
	return cfg
}

func connectStreams(t *testing.T, cfg Config) *streams {
	t.Helper()
	st, err := openStreams(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.close)
	return st
}

// Two connectors take deliveries of the same calls, one of them stops, and everything is loaded once.
func TestConnectorsShareAClusterWithoutDoubles(t *testing.T) {
	_, urls := startNATS(t, 1)
	s := newStore()
	cfgs := []Config{clusterConfig(t, urls), clusterConfig(t, urls)}
	both := make([]*running, 2)
	for i, cfg := range cfgs {
		both[i] = start(t, Connector{Config: cfg, Sinks: []Sink{{"clickhouse", s, 2}}})
	}
	a, b := both[0], both[1]
	a.eventually("both seal", func() bool {
		return a.metric("postcall_cluster_tasks") != "0" && b.metric("postcall_cluster_tasks") != "0"
	})
	for i := range 60 {
		both[i%2].deliver(fmt.Sprintf("c%d", i))
	}
	a.stop()
	b.eventually("the one that is left seals everything", func() bool { return b.metric("postcall_cluster_tasks") == "5" })
	b.deliver(ids("d", 20)...)
	b.eventually("everything is loaded", func() bool { return s.calls() == 80 })
	if twice := s.twice(); len(twice) > 0 {
		t.Errorf("loaded twice: %v", twice)
	}
	cfg := cfgs[1]
	cfg.Sinks = []string{"clickhouse"}
	o := operator(t, cfg, "clickhouse")
	b.eventually("the status adds up", func() bool {
		st, err := o.Status(t.Context())
		return err == nil && st.Counts.Received == 80 && st.Counts.Kept == 80 && st.Sinks[0].Delivered == 80
	})
	res, err := o.Audit(t.Context(), Sink{"clickhouse", s, 1}, nil)
	if err != nil || res.Events != 80 || len(res.Missing) != 0 {
		t.Errorf("audit: %+v (%v)", res, err)
	}
	used := map[int]bool{}
	for p := range 4 {
		if _, seq, err := o.st.lastSealed(t.Context(), p); err == nil && seq > 0 {
			used[p] = true
		}
	}
	if len(used) != 4 {
		t.Errorf("only partitions %v were sealed", used)
	}
}

// DELIVERY.md, rule 14: P is the streams'; rule 15: fewer replicas than asked for are refused.
func TestClusterRefusesWhatDoesNotFitItsStreams(t *testing.T) {
	_, urls := startNATS(t, 1)
	cfg := clusterConfig(t, urls)
	open := func(change func(*Config)) error {
		c := cfg
		change(&c)
		st, err := openStreams(t.Context(), c, discard())
		if err == nil {
			st.close()
		}
		return err
	}
	refused := func(what string, change func(*Config), says ...string) {
		t.Helper()
		begun, err := time.Now(), open(change)
		for _, text := range says {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, which does not say %q", what, err, text)
			}
		}
		if time.Since(begun) > 20*time.Second {
			t.Errorf("%s: refused after %s only", what, time.Since(begun))
		}
	}
	refused("three replicas on one server", func(c *Config) { c.NATS.Replicas = 3 }, "POSTCALL_NATS_REPLICAS", "POSTCALL_NATS_URL")
	connectStreams(t, cfg)
	refused("another P", func(c *Config) { c.Partitions = 5 }, "POSTCALL_PARTITIONS is 5", "made with 4", "postcall drain --partitions 5")
	refused("too few replicas", func(c *Config) { c.NATS.Replicas = 3 }, "has 1 replicas", "--replicas 3", "POSTCALL_NATS_REPLICAS")
	if err := open(func(c *Config) { c.Partitions = 0 }); err != nil {
		t.Errorf("the streams' own P is refused: %v", err)
	}
	st := connectStreams(t, cfg)
	if st.partitions != 4 {
		t.Errorf("%d partitions, want 4", st.partitions)
	}
	if _, err := st.js.Publish(t.Context(), subject(subjectIntake, 4), nil); err == nil {
		t.Error("a frame of a partition that nobody seals is taken")
	}
	if err := open(func(c *Config) { c.Intake.MaxBytes = 80 << 20 }); err != nil {
		t.Errorf("resize: %v", err)
	}
	if info, err := st.intake.Info(t.Context()); err != nil || info.Config.MaxBytes != 80<<20 {
		t.Errorf("the intake is not resized: %+v (%v)", info, err)
	}
}

// A pod that died while it made the streams is followed by one that completes them; batches without their intake are not.
func TestHalfMadeStreamsAreCompleted(t *testing.T) {
	_, urls := startNATS(t, 1)
	cfg := clusterConfig(t, urls)
	first := &streams{}
	if err := first.connect(urls); err != nil {
		t.Fatal(err)
	}
	defer first.close()
	half := streamConfigs(cfg, "died", true)[:2]
	for _, sc := range half {
		if _, err := first.js.CreateStream(t.Context(), sc); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	made := make([]*streams, 4)
	for i := range made { // and several at once complete them
		wg.Go(func() {
			st, err := openStreams(t.Context(), cfg, discard())
			if err != nil {
				t.Errorf("complete the streams: %v", err)
				return
			}
			t.Cleanup(st.close)
			made[i] = st
		})
	}
	wg.Wait()
	for _, st := range made {
		if st == nil || st.intakeID != made[0].intakeID || st.partitions != 4 {
			t.Fatalf("%+v and %+v are not the same streams", st, made[0])
		}
	}
	s := &sealer{st: made[0], cfg: cfg, m: newMetrics(buildInfo{}), log: discard(), at: sealed{Intake: made[0].intakeID, Position: position{Seq: 1}}}
	if err := s.publish(t.Context(), s.begin(), newPayload(nil)); err != nil {
		t.Fatal(err)
	}
	if err := first.js.DeleteStream(t.Context(), streamIntake); err != nil {
		t.Fatal(err)
	}
	if _, err := openStreams(t.Context(), cfg, discard()); err == nil || !strings.Contains(err.Error(), streamIntake+" is missing") {
		t.Errorf("an intake is made beside batches: %v", err)
	}
	if _, err := first.js.Stream(t.Context(), streamIntake); err == nil {
		t.Error("the intake was made anew")
	}
}

// A partition that stands still keeps its newest message, and not those of the others.
func TestIdlePartitionHoldsNoOtherBack(t *testing.T) {
	_, urls := startNATS(t, 1)
	cfg := clusterConfig(t, urls)
	st := connectStreams(t, cfg)
	publish := func(p, n int) {
		t.Helper()
		at, seq, err := st.lastSealed(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		s := &sealer{st: st, cfg: cfg, partition: p, m: newMetrics(buildInfo{}), log: discard(), at: *at, seq: seq}
		for range n {
			if err := s.publish(t.Context(), s.begin(), newPayload(nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(3, 1)
	publish(0, 40)
	if err := st.batches.Purge(t.Context(), jetstream.WithPurgeSubject(subject(subjectBatches, 0)), jetstream.WithPurgeSequence(30)); err != nil {
		t.Fatal(err)
	}
	ret := &retention{st: st, retain: time.Hour, log: discard()}
	if err := ret.sweep(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if info, _ := st.batches.Info(t.Context()); info.State.Msgs != 13 {
		t.Fatalf("%d messages are left of a stream that is neither full nor old, want 13", info.State.Msgs)
	}
	first, _, err := ret.first(t.Context(), &st.batches.CachedInfo().State, []uint64{41, 0, 0, 1})
	if err != nil || first != 30 {
		t.Errorf("the oldest that may go is %d (%v), want 30", first, err)
	}
	if err := ret.sweep(t.Context(), farFuture()); err != nil {
		t.Fatal(err)
	}
	if info, _ := st.batches.Info(t.Context()); info.State.Msgs != 2 {
		t.Errorf("%d messages are left, want the newest of two partitions", info.State.Msgs)
	}
}

// Of several partitions a missing message shows in the counts of its own.
func TestHoleAmongPartitionsIsFound(t *testing.T) {
	_, urls := startNATS(t, 1)
	st := connectStreams(t, clusterConfig(t, urls))
	var seqs []uint64
	kept := [2]uint64{}
	for i := range 10 {
		p := i % 2
		kept[p] += 3
		msg := sealMessage(subject(subjectBatches, p), &sealed{Intake: st.intakeID, Position: position{Seq: uint64(i) + 2}, Counts: counts{Kept: kept[p]}}, newPayload(nil), nil)
		msg.Header.Set(headerEvents, "3")
		ack, err := st.js.PublishMsg(t.Context(), msg)
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, ack.Sequence)
	}
	if batches, events, err := st.holes(t.Context()); batches != 0 || events != 0 || err != nil {
		t.Errorf("nothing is missing, and holes finds %d batches of %d events (%v)", batches, events, err)
	}
	for _, i := range []int{0, 5} { // the first is what retention does
		if err := st.batches.DeleteMsg(t.Context(), seqs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if batches, events, err := st.holes(t.Context()); batches != 1 || events != 3 || err != nil {
		t.Errorf("holes finds %d batches of %d events (%v), want 1 of 3", batches, events, err)
	}
}

// DELIVERY.md, rule 14: P changes by a drain alone, which refuses while anybody works on the streams or anything waits.
func TestDrainChangesPartitions(t *testing.T) {
	_, urls := startNATS(t, 1)
	cfg := clusterConfig(t, urls)
	s := newStore()
	sinks := []Sink{{"clickhouse", s, 1}}
	r := start(t, Connector{Config: cfg, Sinks: sinks})
	o := operator(t, cfg, "clickhouse")
	r.eventually("everything is sealed here", func() bool { return r.metric("postcall_cluster_tasks") == "5" })
	if err := o.Drain(t.Context(), 6); err == nil || !strings.Contains(err.Error(), "connectors run") {
		t.Errorf("a drain beside a connector: %v", err)
	}
	r.deliver(ids("c", 40)...)
	r.stop()
	st := connectStreams(t, cfg)
	frame := sealFrame(appendDelivery(newFrame(nil), &delivery{Received: time.Now(), Tenant: "default", Source: "phonely", Body: []byte(`{"callId":"late"}`)}), nil)
	if _, err := st.js.PublishMsg(t.Context(), msgWith(subject(subjectIntake, 1), frame, "1")); err != nil {
		t.Fatal(err)
	}
	if err := o.Drain(t.Context(), 6); err == nil || !strings.Contains(err.Error(), "frames wait") {
		t.Errorf("a drain before everything is sealed: %v", err)
	}
	start(t, Connector{Config: cfg, Sinks: sinks}).stop() // and it is not in the way of a connector, which seals the rest
	high := int64(0)
	for p := range 4 {
		at, _, err := st.lastSealed(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		high = max(high, at.Version)
	}
	for _, n := range []int{6, 3} {
		if err := o.Drain(t.Context(), n); err != nil {
			t.Fatalf("drain to %d partitions: %v", n, err)
		}
		c := cfg
		if _, err := openStreams(t.Context(), c, discard()); err == nil {
			t.Error("the old P is taken for the new one")
		}
		c.Partitions = n
		now := connectStreams(t, c)
		for p := range n {
			if at, _, err := now.lastSealed(t.Context(), p); err != nil || at.Version < high {
				t.Errorf("partition %d of %d goes on with version %d (%v), below %d", p, n, at.Version, err, high)
			}
		}
		if bytes, _ := sealedLimits(&now.batches.CachedInfo().Config); bytes != int64(cfg.Batch.MaxBytes) {
			t.Errorf("with %d partitions sealers have %d bytes, want %d", n, bytes, cfg.Batch.MaxBytes)
		}
		r = start(t, Connector{Config: c, Sinks: sinks})
		r.deliver(ids(fmt.Sprintf("n%d-", n), 20)...)
		r.deliver("c000") // a correction, which may come by another partition than the call did
		r.stop()
	}
	if s.calls() != 40+1+2*20 || len(s.twice()) > 0 {
		t.Errorf("%d calls, twice %v", s.calls(), s.twice())
	}
	if st, err := o.Status(t.Context()); err != nil || st.Counts.Received != 83 || st.Counts.Kept != 83 || st.Counts.Waiting != 0 {
		t.Errorf("the counts of the partitions that are gone are lost: %+v (%v)", st, err)
	}
}

// The promise on three servers: one goes, and deliveries, loads and tools go on; a caller is forgotten in all partitions.
func TestThreeServersLoseOne(t *testing.T) {
	servers, urls := startNATS(t, 3)
	cfg := clusterConfig(t, urls)
	cfg.NATS.Replicas = 0 // as many as the rules say
	s := newStore()
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"clickhouse", s, 2}}})
	r.within(time.Minute, "everything is sealed here", func() bool { return r.metric("postcall_cluster_tasks") == "5" })
	insist := func(id string) {
		t.Helper()
		r.within(time.Minute, "delivered "+id, func() bool {
			code := r.post(fmt.Sprintf(`{"callId":%q,"transcript":[{"role":"user","content":"hello"}]}`, id))
			if code != 200 && code != 503 {
				t.Fatalf("answered %d", code)
			}
			return code == 200
		})
	}
	for _, id := range ids("a", 12) {
		insist(id)
	}
	leader := servers[0]
	o := operator(t, cfg, "clickhouse")
	var c *ClusterStatus
	var err error
	r.within(time.Minute, "no server is behind any more", func() bool {
		c, err = o.Cluster(t.Context())
		return err == nil && len(c.Behind) == 0
	})
	if c.Replicas != 3 || c.Sealers[3] == "" || c.House == "" || c.MaxPayload != 1<<20 {
		t.Fatalf("cluster: %+v", c)
	}
	if advice := strings.Join(c.Advice(), ";"); !strings.Contains(advice, "sync_interval: always") || !strings.Contains(advice, "max_payload is 1048576") || !strings.Contains(advice, "POSTCALL_BATCH_MAX_AGE") {
		t.Errorf("advice: %s", advice)
	}
	for _, srv := range servers {
		if strings.HasSuffix(c.Leaders[0], ": "+srv.Name()) {
			leader = srv
		}
	}
	leader.Shutdown()
	for _, id := range ids("b", 12) {
		insist(id)
	}
	r.within(time.Minute, "all is loaded with two servers", func() bool { return s.calls() == 24 })
	var rep *ErasureReport
	r.within(time.Minute, "forgotten with two servers", func() bool {
		rep, err = o.Forget(t.Context(), Erasure{CallID: "a005"})
		return err == nil
	})
	if rep.Resealed != 1 || rep.Events < 1 {
		t.Errorf("report %+v", rep)
	}
	r.within(time.Minute, "the report of a server that is away", func() bool {
		c, err := o.Cluster(t.Context())
		return err == nil && len(c.Behind) == 1 && c.Behind[0] == leader.Name() && strings.Contains(strings.Join(c.Advice(), ";"), leader.Name())
	})
	for key, n := range s.events {
		if n > 1 && !strings.Contains(key, "b") { // a delivery that was answered 503 and sent again is two versions of one call
			t.Errorf("%s is loaded %d times", key, n)
		}
	}
}
