// Package clickhouse loads call metrics into ClickHouse.
//
//	Loader    one attempt to insert a sealed batch; Check tells the sink whether the store is usable
//	Migrator  plan, apply and status of the embedded migrations
//	Metrics   the catalogue: each a view, a row of docs/metrics.md, and a question that can be asked with a grouping and a time
//
// The path of a batch: Load checks every event (check.go), leaves out those that no column can hold, and appends the
// others column by column (columns.go) to one native block, which is sent as one INSERT under a deduplication token.
// No row is ever sent that the driver could refuse half-way, since a failed append poisons a batch.
//
// # Nothing twice
//
// Three layers, each enough for the cases below it:
//
//   - The token. The same batch with the same token is dropped by the server, whatever the connection, the process or the
//     server was in between. deduplicate_insert is sent too where the server knows it (26): a profile with it off
//     overrides insert_deduplicate, and the same token then went in twice. A token needs a window on the table (see the migration), which Check demands: a MergeTree without
//     it ignores tokens silently. A window that has moved on is no harm, because of the next layer.
//   - ReplacingMergeTree(version, is_deleted) ORDER BY (tenant, call_id): the highest version of a call wins, so that a
//     repeated, corrected or stale delivery, and a batch loaded twice, are one call in the views.
//   - The views read FINAL, so that this holds before any merge.
//
// When some events of a batch are left out, the rest is loaded under a token made of the batch's token, its index range
// and a hash of the indices left out (DELIVERY.md, rule 17): the same on each attempt, and another one when a new release
// leaves out others.
//
// # The table, decided 2026-11
//
// These can't be changed without writing the table anew:
//
//   - ORDER BY (tenant, call_id), nothing mutable: with a time in it, a corrected start leaves two calls, under FINAL too.
//     Rejected: (tenant, call_started, call_id), though it would serve time filters better. They have a minmax index,
//     and can have a projection.
//   - No PARTITION BY. A correction across two partitions is never replaced, a batch of an import would span many
//     partitions (error 252), and tokens are kept per partition. Rejected: toYYYYMM(call_started).
//   - is_deleted from the start, since the engine's arguments can't be altered. Forgetting a call inserts a row with a
//     higher version and is_deleted = 1 that holds only the key: the call is gone from the views at once, and a late
//     delivery of an older version can't bring it back. The old row's data is then deleted physically by a mutation.
//     Rejected: mutations alone, which a redelivery undoes.
//   - version is UInt64 microseconds, the sealer's; received_at stands beside it, since for imports they differ.
//
// And these are choices:
//
//   - fsync_after_insert, since an answered insert is taken off the buffer: a power cut must not undo it. With
//     fsync_part_directory it costs 31 % of an insert of 1,000 rows (39 to 51 ms); parts of this size are compact, one file.
//   - No transcript: texts are Elasticsearch's. turn_roles and turn_words keep each turn's role and length, from which the
//     view call_turns is made. Rejected: a table of turns, which would need a second insert and a token of its own.
//   - Empty strings, not NULL, where a text is not known; NULL where a number, a time or a yes-or-no is not known, since
//     0, 1970 and "no" are answers.
//   - The normalized value has Phonely's plain name (ai_success, follow_up, sentiment), the sender's own string ends in
//     _raw.
//   - No aggregating materialized view on calls_raw: one redelivery makes its sums wrong (DELIVERY.md, rule 5).
//   - Views with their definer's rights, so that analysts get no grant on calls_raw.
//
// # What metrics read, decided 2026-11-27
//
// Metrics read call_facts: a copy of each row of calls_raw with what metrics need, in a ReplacingMergeTree of its own whose
// only key is a hash of tenant and call_id. A materialized view copies the rows as they are inserted, under the same token.
// It aggregates nothing: versions and erasures are copied too, so that a redelivery, a correction (of the start as well), a
// stale delivery and an erasure come out as they do in calls_raw, at once, and rule 5 of DELIVERY.md holds.
//
// Measured with 10.3 million rows (10 million calls of a year, 3 % delivered again or corrected) on two virtual cores which
// others used too (load average 5 to 12), hence CPU seconds; two quiet cores take about half of them. A daily count with
// percentiles, and first-call resolution (FCR), a window over all calls of each caller:
//
//	read                                              30 days   all    FCR, all
//	calls_raw FINAL, 10 parts                             4.0   3.5        15.6
//	a copy ORDER BY (tenant, hash of call_id), 10 parts   2.3   2.5         6.0
//	a copy ORDER BY hash of both, 10 parts                1.4   1.7         5.4
//	the same, one large part and 5 of 5,000 rows          0.7   0.8
//	the same, one part                                    0.2   0.4
//
// So merging the key is what FINAL costs: two strings of which one has 32 bytes, for which one number does. 30 days cost as
// much as all, since call ids are random and every granule has calls of every day (EXPLAIN indexes = 1: the minmax index on
// call_started keeps 1,277 of 1,277 granules). Of two calls with the same 64-bit hash one would not be counted; with ten
// million calls the odds of one such pair are 1 to 370,000. Rejected:
//
//   - Skip indexes under FINAL, and PREWHERE after FINAL (apply_prewhere_after_final): 2.7 to 3.5 s, nothing is skipped.
//   - query_plan_optimize_lazy_final: it gives up, or forced (min_filtered_ratio_for_lazy_final = 0) takes 16 to 20 CPU s.
//   - A projection by day: FINAL uses none. A partition by the key with do_not_merge_across_partitions_select_final: as many
//     parts an insert as partitions, for two cores that are busy without.
//   - A refreshable view over FINAL by (tenant, day): as fast as one merged part, but metrics are as old as the last refresh,
//     an erased call counts until the next, each refresh reads and writes everything (some 30 CPU s for 10 million calls), and
//     into a replicated table it needs a Replicated database. Worth it from about 100 million calls on.
//   - Sums and states in an aggregating view: made wrong by one redelivery; corrected by nothing that moves a call's day.
//
// Since one large part is what makes FINAL cheap, all parts older than a day become one (min_age_to_force_merge_seconds); that
// takes 10 s a day for ten million calls.
//
// The copy costs an insert 6 to 8 ms, on an idle machine, however many rows it has, since it is a second part that is synced;
// what that is of a batch is in docs/scale.md. optimize_on_insert = 0 gives back about as much: in a batch each call is there
// once, and FINAL would find two.
//
// It has transforms too, since the API counts calls that a redaction went through alone, which is a condition in each of its
// questions. They are 45 KiB of a million calls. Before, such a question read calls; a million calls of a year in 5 and 10 parts,
// ms at p50, calls and call_facts: calls by day of a month 436 and 133, handle_time by agent 523 and 246, unanswered_questions 478
// and 259, first_call_resolution 3,290 and 2,657.
//
// Metrics of callers (first_call_resolution, repeat_callers) need a window over all calls of each caller. It sorts and parts by
// one number, and asks for the nearest call: 6 CPU seconds where PARTITION BY tenant, caller and a count of the calls in each
// window took 14. A filter on the day can't pass a window, so that for 30 days these views take as long as for all; their
// views *_since take the bound as a parameter, which is within, and answer in a quarter of the time. Rejected: a refreshable
// table of each call's neighbours, for the reasons above.
//
// # Migrations
//
// An embedded runner of some two hundred lines with templated database, cluster and engine. Rejected in 2026-11:
// golang-migrate (no ON CLUSTER, and a dirty state after a failed statement) and goose (an own store would be as long).
// ClickHouse has no transactional DDL, so every statement can be repeated (IF NOT EXISTS, OR REPLACE), which also makes
// two at once harmless.
//
// migrations/*.sql are applied once each, in order, and never change; whatever holds data is theirs. Views hold none:
// views/*.sql and the metrics are made again whenever their text changes. To change a view, edit its text.
//
// day is a column with a default, made of call_started and weekday: a local date is at most a day from the one in UTC,
// so the weekday says which one it is. Rejected in 2026-11: a field of the event, which old rows would lack and every
// plugin would have to carry.
package clickhouse
