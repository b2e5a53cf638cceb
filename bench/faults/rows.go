package main

import "context"

// allRows are the faults, in the order of the table.
func allRows() []row {
	return []row{
		{name: "no fault", about: "nothing happens", run: noFault},
		{name: "kill -9 at random", about: "postcall, at any moment", kills: true, run: killAtRandom},
		{name: "kill -9 while sealing", about: "postcall, right behind a sealed batch", kills: true, run: killWhileSealing},
		{name: "kill -9 between insert and ack", about: "postcall, while a frozen store has its rows", kills: true, run: killBeforeAck},
		{name: "kill -9 of ClickHouse", about: "the store, under load", kills: true, run: killClickHouse},
		{name: "kill -9 of Elasticsearch", about: "the store, under load", kills: true, run: killElasticsearch},
		{name: "ClickHouse frozen", about: "SIGSTOP: its connections stay open and nothing answers", run: freezeClickHouse},
		{name: "Elasticsearch frozen", about: "likewise", run: freezeElasticsearch},
		{name: "Elasticsearch down", about: "for the whole run: ClickHouse keeps its pace, Elasticsearch catches up", run: elasticsearchDown},
		{name: "SIGTERM after acks", about: "what was acknowledged is loaded after the next start", run: terminate},
		{name: "poison at the webhook", about: "one delivery in 50 is answered 4xx, and kept", run: poisonWebhook},
		{name: "poison: plugin error", about: "one event in 50", run: poisonPlugin("poison-error")},
		{name: "poison: plugin crash", about: "one event in 50", run: poisonPlugin("poison-crash")},
		{name: "poison: plugin panic", about: "one event in 50, in a goroutine that nobody guards", run: poisonPlugin("poison-panic")},
		{name: "poison: plugin exit", about: "one event in 50", run: poisonPlugin("poison-exit")},
		{name: "poison: plugin hang", about: "one event in 50", run: poisonPlugin("poison-hang")},
		{name: "poison: plugin memory", about: "one event in 50 takes more than the bound", run: poisonPlugin("poison-hog")},
		{name: "poison: answer of 100 MB", about: "one event in 50", run: poisonPlugin("poison-answer")},
		{name: "poison: wrong ids", about: "one event in 50 comes back as another", run: poisonPlugin("poison-rename")},
		{name: "plugin: garbage on stdout", about: "100 MiB without a line break at one event in 50", run: garbage},
		{name: "plugin: slow leak", about: "a MiB of every event, to the bound and again", run: slowLeak},
		{name: "plugin: child holds stdio", about: "a process outside its group, at kills and at an orderly stop", run: childHoldsStdio},
		{name: "plugin: frozen", about: "SIGSTOP of its process", run: freezePlugin},
		{name: "plugin: swapped", about: "another binary in its place, against the lock file, until it is put back", run: swapPlugin},
		{name: "poison: ClickHouse can't parse", about: "one event in 50, refused by the server", run: poisonParse},
		{name: "poison: ClickHouse constraint", about: "one event in 50 violates a CHECK that the operator added", run: poisonConstraint},
		{name: "poison: Elasticsearch mapping", about: "one event in 50 does not fit a field", run: poisonMapping},
		{name: "intake full", about: "the stores are frozen until the sender gets 503", run: intakeFull},
		{name: "disk full", about: "a tmpfs, until it has room again", root: true, run: diskFull},
		{name: "power loss", about: "an ext4 loses what was not synced", kills: true, root: true, run: powerLoss},
		{name: "intake: torn tail", about: "the newest file of the stream is cut", run: damageIntake(tear)},
		{name: "intake: flipped bit", about: "in the middle of a file", run: damageIntake(flip)},
		{name: "batches: torn tail", about: "the newest file of the stream is cut", run: damageBatches(tear)},
		{name: "batches: flipped bit", about: "in the middle of a file", run: damageBatches(flip)},
		{name: "clock set back", about: "by an hour between a delivery and its correction", run: clockBack},
		{name: "two on one data directory", about: "the second refuses to start", run: twoOnOne},
		{name: "two on a cluster", about: "of a build without leases: both seal everything and are killed in turns", kills: true, run: twoOnACluster},
		{name: "cluster: connectors killed", about: "one of four every 5 s", kills: true, apart: true, run: clusterKills},
		{name: "cluster: servers killed", about: "one of three NATS servers, again and again", kills: true, apart: true, run: clusterServers},
		{name: "cluster: network cut", about: "a NATS server from its peers, and from everybody", kills: true, root: true, apart: true, run: clusterCuts},
		{name: "cluster: all at once", about: "connectors and a NATS server killed, another cut off", kills: true, root: true, apart: true, run: clusterAll},
		{name: "cluster: pace", about: "throughput and memory of 1, 2 and 4 connectors", apart: true, run: clusterPace},
		{name: "without the token", about: "the checks see a build whose inserts have no stable token", run: withoutToken, shows: func(t *tally) bool { return t.twice > 0 }},
		{name: "without the fence", about: "the checks see a build whose sealers overwrite each other", run: withoutFence, shows: func(t *tally) bool { return t.twice > 0 }},
		{name: "without the fsync", about: "the checks see a build that acknowledges before the disk has it", root: true, run: withoutFsync, shows: func(t *tally) bool { return t.lost+t.stale > 0 }},
	}
}

// begin makes the world of the table and starts its postcall.
func (r *running) begin(ctx context.Context, env ...string) (*world, error) {
	w, err := r.world(ctx, env...)
	if err != nil {
		return nil, err
	}
	return w, w.serve(ctx)
}

// world is begin without the start.
func (r *running) world(ctx context.Context, env ...string) (*world, error) {
	w, err := r.newWorld(ctx, r.events, env...)
	if err != nil {
		return nil, err
	}
	r.w = w
	return w, nil
}

func noFault(ctx context.Context, r *running) error {
	w, err := r.begin(ctx)
	if err != nil {
		return err
	}
	return w.load(ctx, nil)
}
