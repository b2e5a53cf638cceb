// Package connector is postcall's engine: it takes post-call events, makes them durable, normalizes and transforms
// them, and brings them to the stores.
//
//	POST /phonely/webhook
//	  webhook*.go   authenticate (source/), bound and check the body (reading.go)     -> 4xx problem+json
//	  intake.go     all bodies waiting become one frame (frame.go), one fsync         -> 2xx
//	  ── stream POSTCALL_INTAKE, subjects postcall.intake.<p> ──
//	  seal.go       normalize and transform (seal_transform.go, normalize.go, chain.go), one sealed batch (sealed.go); its header is the position
//	  ── stream POSTCALL_BATCHES, subjects postcall.batches.<p> ──
//	  sink.go       one durable consumer per store: retry, pause (sink_pause.go), bisect, dead-letter (dead.go)
//	  ── Loader: connector/clickhouse, connector/elastic ──
//
// Around it: tracing.go (from the webhook to the stores), position.go (where a partition stands), retain.go, guard.go,
// disk.go, drain.go, erase.go (what must reach no store), reseal.go and shred.go (what must leave the streams), split.go
// (how a batch is cut), and for the operator control.go, status.go, audit.go, dead_tools.go, alone.go, forget.go, running.go
// (for the console). RULES.md says where each way to lose or double something is barred, and by which test.
//
// Many connectors on one cluster: cluster.go (its streams), lease.go and assign.go (who seals what), rollback.go (what a
// cluster lost), repartition.go (another number of partitions), cluster_status.go (what can be seen of it).
//
// # The promise
//
// A 2xx means that the body is on disk. Every accepted event is delivered to each sink or held back with a reason; none
// is loaded twice; sinks don't wait for each other; one bad event is held back alone; where redaction can't run, events
// wait; everything is bounded, and at a bound the sender is told to come back.
//
// # From main to the INSERT
//
//  1. cmd/postcall/serve.go opens the loaders and calls [Connector.Run].
//  2. connector.go, startSinks: each sink consumes sealed batches, sink.go: handle.
//  3. sink.go, flush: one batch, one attempt at a time, decides what follows.
//  4. connector/clickhouse/loader.go, Load: the INSERT.
//
// # Imports
//
// connector imports connector/source, which knows who may send and what a body means, and nothing of the engine.
// cmd imports connector/clickhouse, connector/elastic and connector/console, they import connector, and that imports transforms. Nothing
// points the other way; transforms imports no driver.
//
// # Choices (2026-11)
//
// JetStream is the buffer since it is one machine's file and a replicated cluster by the same code; a plain file with
// group commit was faster by half and is neither. Frames, since a message per event costs a sync per event. The
// position lives in the output, since a position of its own could disagree with it after a crash.
//
// What is stored is the body as it was sent, and a mapping is run when it is checked and again when it is sealed: storing
// the mapped event would have halved that cost, and made a wrong mapping's loss final. A mapping's time is bounded in
// steps, not seconds: a busy machine must not refuse at sealing what was answered 2xx.
package connector
