// Command bench measures postcall as it is shipped: it starts the built program as a process, delivers generated calls
// over HTTP, waits until every one of them is in both stores, and prints what that took.
//
//	make bench                        stand-ins and real engines, about two minutes
//	bin/bench -backlog 5              5 GiB that wait for both stores, and their loading: memory by phase
//	bin/bench -flat                   the cost of an event from 1,000 to 1,000,000 of them
//	bin/bench -stages                 where the CPU seconds and allocations go, by stage of the pipeline
//	bin/bench -import 1000000         postcall import against send, and a million calls imported with two interruptions
//	bin/bench -help                   the rest: sizes, rates, numbers of events
//
// # What is measured
//
// Accepted events a second and the latency of the answer, as the senders see them; events a second until both stores
// have all; CPU seconds (user and system) of the program and of every process it started, from the first delivery until
// the last event is in both stores; the peak of their resident memory together; bytes they had written to disk; and, in
// a run of its own under strace, their fsyncs. A run that loses an event, or stores one twice, fails.
//
// -stages takes CPU profiles of the running program one after the other, and its allocations before and after. A sample
// counts for the innermost function that belongs to a stage; the shares are of the CPU seconds that the kernel counted.
// Profiling itself takes a few per cent. Plugins have a row each, by the kernel's count alone.
//
// # What it is measured against
//
// The ceiling is a plain file that takes the same bodies by group commit (write, fdatasync, answer) from as many
// producers, in the same run on the same disk: once by function calls, and once behind Go's own HTTP server, which is what
// a webhook that does nothing else would reach with these senders on this machine.
//
// Stand-ins replace the stores where their speed is not the question: clickhouse.go speaks the native protocol and
// elastic.go _bulk. They read everything and keep nothing but which events they saw. Senders and stand-ins run in this
// process, on the same CPUs as the program: figures of two machines, or of two runs at different times, don't compare.
// Ratios within one run do.
package main
