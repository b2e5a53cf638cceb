// Package transforms is what an author of a plugin needs, and what postcall needs to run one.
//
//	connector: normalize ──▶ Plugin ──▶ Plugin ──▶ seal ──▶ sinks
//	                          │    ▲
//	         Configure, once  │    │  wire.Events over gRPC: AutoMTLS on a private Unix socket
//	                          ▼    │
//	                  a process: Serve ──▶ your Transformer
//
// A whole plugin:
//
//	type dropShort struct {
//		Seconds float64 `json:"seconds"` // a setting
//	}
//
//	func (d dropShort) Transform(_ context.Context, batch []transforms.Event) ([]transforms.Event, error) {
//		for i := range batch {
//			if s := batch[i].Duration; s != nil && *s < d.Seconds {
//				batch[i].Drop("too short")
//			}
//		}
//		return batch, nil
//	}
//
//	func main() {
//		transforms.Serve("drop-short", "1.0.0", func(_ context.Context, d dropShort) (transforms.Transformer, error) { return d, nil })
//	}
//
// Build it into POSTCALL_PLUGIN_DIR under the name that POSTCALL_TRANSFORMS gives it. `postcall plugin new` makes a project
// of it (docs/plugins-go.md). Plugins in Python have an SDK of their own (plugins/python), in other languages they follow
// wire/transform.proto.
//
// What an author has: Event.Drop, Reject, Split and Clone, Event.SetExtra and ReadExtra for fields that an Event doesn't
// have, and settings that are read into a struct and checked (DecodeSettings). Examples are beside each.
//
// # The contract
//
//   - One entry per event, in order. Also what is dropped or rejected comes back, with its reason. The children of a
//     split follow their parent at once, see Transformer; what they leave empty of tenant, source, version, received time
//     and keys they inherit.
//   - CallID, ParentCallID, Tenant, Source, Version, ReceivedAt, CustomerKey and EmailKey stay as they are. postcall
//     itself keeps Transforms.
//   - A transform owns its batch and every slice in it: it may change them in place, keep them, and return them. What it
//     returns belongs to postcall, so no slice of it may be one that the transform keeps for other events or calls;
//     Event.Clone copies. The texts of a batch share memory: strings.Clone what is to live long.
//   - It is safe to repeat: after an error, a crash or a deadline the same batch comes again. The result of an event does
//     not depend on its neighbours: a batch that fails is halved until the event that is at fault is alone.
//   - Several calls can be under way at once.
//   - It ends soon when ctx does. A plugin that misses the deadline of a batch is killed.
//   - Permanent marks an error that the batch itself causes. A panic counts as one. No error, reason or log line holds what
//     a caller said.
//   - Text stays valid UTF-8, Extra a JSON object or empty.
//
// Package transformtest checks all this in a test of one line, `postcall plugin test` on any plugin's process, and Plugin
// what it can at every batch.
//
// # What a plugin sees
//
// Its environment holds PATH, TZ, LANG and what Spec.Env lists: none of the host's secrets. Its settings arrive once, by
// Configure over the encrypted channel. It works in an empty folder of its own and in a process group of its own, stdin
// tells it the end of the host, and stdout and stderr are logged under its name: lines of JSON with their level and fields,
// others as they are, 20 a second after a burst of 200, warnings and errors apart.
//
// This keeps secrets from leaking by accident. It is no sandbox: a plugin runs as postcall's user and can read what that
// user can.
//
// # Supervision
//
//	Plugin: picks the least busy of its workers; checks the answer (group in contract.go)
//	└─ worker: one process at a time; starts the next at once after a success, later and later otherwise
//	   └─ process: go-plugin's client, the watch of its memory (memory.go)
//	      └─ execRunner: the process group, its pipes and its log
//
// A process is killed, with its group, when it misses the deadline of a batch or has more memory than Spec.Memory. Of
// memory, the resident size of all processes of its group counts, looked at every 100 ms (what a process starts is seen
// after 2 s, on a machine with thousands of processes later); above the bound shared pages count by their share (PSS). An
// answer may have 8 MiB more than four times its batch. A grandchild that left the group and holds stdout delays nothing.
// Whoever calls (connector/chain.go) tries again, halves the batch, and knows by canaries whether the plugin itself is at
// fault.
//
// # What is started
//
// A plugin on disk is DIR/NAME, an executable file, or the folder DIR/NAME with an executable DIR/NAME/NAME. Where DIR
// holds plugins.lock (LockFile), only plugins with the checksum it lists are started, and it is checked again each time a
// process is. A lock keeps an accident and an unnoticed change out, not somebody who may write to DIR while postcall
// starts: keep DIR as safe as the binary.
//
// # Choices
//
// Imports: this package imports neither the connector nor a database driver (TestImports), so that a plugin is small.
//
// 2026-11: events cross as protobuf, read and written by hand on the plain struct. Generated code and a copy cost at least twice
// the time and 50 times the allocations (BenchmarkCodec). The bytes are the same (TestCodecEqualsGenerated), so the
// generated code in package wire stays the reference and other languages use theirs.
//
// 2026-11: AutoMTLS stays on. Without it a hop is a third cheaper, but then the folder's permissions alone would keep
// another process of the same user from reading transcripts. The host's key is ours, on P-256 (clientTLS): go-plugin's is
// on P-521, which a plugin in Python refuses.
//
// 2026-11: memory is watched and not limited by a cgroup, since a container mostly may not make one; a bound that holds
// everywhere was worth more than one that is exact somewhere. What it costs: a plugin can pass the bound for 100 ms.
//
// 2026-11: an answer's bytes go on to the next plugin and into the sealed batch (Encoded), unless they hold more than the
// event says. Encoding again took 2.5 µs a hop and 4.6 µs for the batch with 8 KiB, copying and checking the length 0.6
// (BenchmarkHandOn); reading stays, since everything is checked.
//
// 2026-11: go-plugin starts the process through a runner of ours (execRunner says why).
package transforms
