// Command faults runs the built postcall against a real ClickHouse and a real Elasticsearch while it, they or the disk
// fail, and compares what was acknowledged with what the stores hold.
//
//	make faults                       every row with 20,000 deliveries
//	make faults FAULTS=short          500 deliveries a row
//	make faults FAULTS=long           the rows that kill: 100,000 deliveries and 50 kills each
//	make faults RUN=cluster:          the rows with four connectors and three NATS servers, which run only where they are named
//	go run -C bench ./faults -list    the rows
//	go run -C bench ./faults -run 'kill -9'
//
// # A row
//
// A row has a data directory, a database and an index of its own. 64 senders deliver calls with ids of their own; about
// 5 % of the deliveries are a repetition or a correction of one before. A correction carries the next serial of its call.
// A sender repeats a delivery until it is answered 2xx, so one delivery can arrive more than once; deliveries of one call
// never overtake each other. When all are acknowledged and the stores have come to rest, the row is checked:
//
//	acked    deliveries answered 2xx, of all that were sent
//	lost     calls that were acknowledged, are in no dead letter, and are missing in a store
//	stale    calls whose content is not that of the last acknowledged delivery
//	twice    rows of calls_raw, without FINAL and with merges stopped, whose tenant, call id and version an earlier row has,
//	         or that exceed the attempts made to deliver the call
//	dead     dead letters, which have to be those that the row made
//
// A row is off when a number is, or when something else that it looks at is; see each row's comment. The program exits 1
// when a row is off.
//
// # The checks are checked
//
// The rows "without the token", "without the fence" and "without the fsync" run a build that lacks it, and fail unless
// the table shows it. They are built with go build -overlay: no file of the tree is touched. The same way the row with
// the clock set back builds a program whose clock can be set.
//
// kill -9 leaves what was written in the page cache, so no kill shows a missing fsync. The row "power loss" does: its data
// directory is an ext4 of its own that is shut down without its journal being flushed, and mounted again. postcall is
// stopped before it: an fsync that is under way while an ext4 goes down may report success for what is not on the device,
// and after a real power cut nobody is left to hear it.
//
// The fence matters between two connectors only, and leases keep two from sealing the same, so its row runs two of a build
// without leases on a JetStream cluster of three servers, which this program starts in itself.
//
// # The rows of a cluster
//
// They have up to four connectors, which take turns with the deliveries, and three NATS servers (bench/natsnode), each a
// process with every write synced. Where links are cut, each server has a network namespace on a bridge, and is cut off in
// turns from its peers alone, so that connectors stay connected to a server without a quorum, and from everybody.
//
// Rows that mount or cut networks need root and are skipped, by name, without it.
package main
