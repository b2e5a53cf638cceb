// Package elastic loads calls into Elasticsearch, one document a call.
//
//	sealed batch ─ Load ─ payload (NDJSON, at most ~5 MiB) ─ _bulk ─ answer, item by item ─ nil | PartialError | Paused ...
//	                └ by month: members of the alias ─ _mget of each call in each ─ the index of each event, created if missing
//
// loader.go makes the attempt, months.go and places.go choose the index, payload.go and encode.go write the bytes, answer.go
// reads what came of each event, check.go, setup.go and plan*.go look at and create what the loader needs, language.go and
// synonyms.go say how words are found, retention.go and lifecycle.go remove what is old, kibana*.go make what people look at.
//
// # Nothing twice
//
// A document's _id is made of tenant and callId (id.go), its version is the event's, and version_type is external_gte:
// a repeated batch rewrites the same bytes, a correction replaces, and a stale delivery gets a 409, which is success.
// Requests carry require_alias, so that a missing alias never makes Elasticsearch create an index with guessed types.
//
// # By month
//
// An _id is unique in one index only, so with monthly indices a corrected start would leave two documents. The first index
// wins (DELIVERY.md, rule 10): before a bulk, a realtime _mget asks every index behind the alias for every call of the
// batch, and only a call that is nowhere goes to its own month. This holds while nobody writes between the look and the bulk.
// Loads of one process take turns; the loader is Exclusive, so the sink has one batch at a time over all pods, and tools
// that load stop the sink meanwhile.
//
//   - All indices, at each batch, and no cache of them: a call's first delivery can be of any age, and another process can
//     have made a month since. Nothing says that a month can't have a call, short of asking it. On a busy two-core
//     machine, 2,000 calls in 48 months took 0.7 to 2 s, where loading as many calls of 8 KiB took 4 to 10 s.
//   - An index that can't answer (closed, blocked, no shard) is an error, never a "no".
//   - A month is created by the template, which holds the alias: creating one with its alias would take the privilege
//     manage. The request names an analyzer of the template, so that without the template nothing is created; the new
//     index is looked at before it is written. Bulk requests can't carry require_alias then, since they name indices.
//   - Rejected: an index that says where each call is. Its documents would be claimed atomically, without taking turns, but
//     it is a second truth beside the documents, to be erased, kept and repaired with them.
//   - Rejected: deleting the other document. A tombstone lives 60 s, and a stale delivery after that brings it back.
//
// # Choices (2026-11)
//
//   - An index behind an alias, not a data stream: data streams take only create and dedupe only inside their newest
//     backing index, so corrections would be lost or doubled.
//   - elastictransport and esapi of go-elasticsearch, not its root client: the same requests with 210 packages linked
//     instead of 1072, and no check of the product. Retries are off: the sink owns the only retry loop.
//     esutil.BulkIndexer was rejected: it has no retry per item, and no deadline for a flush.
//   - A hand-written appending encoder, not encoding/json: a call's text stands in the document three times (its turns,
//     one side's text, the whole), and is escaped once. The benchmark in bench_test.go holds the figures.
//   - Request bodies are not compressed: beside the engine, gzip costs more than the bytes.
//   - user_text, agent_text and transcript_text repeat the nested turns, since Kibana can neither aggregate nor highlight
//     nested fields; the nested turns stay because inner_hits name the very turn. copy_to was rejected: highlighting needs
//     the text in _source, and it can't choose by role.
//   - extra is one JSON string in a keyword field without index and doc values: it lives in _source alone, at any size.
//     An object with enabled:false was rejected: Elasticsearch still parses it, so a sender's repeated key, or nesting
//     deeper than its parser allows, would refuse the whole call.
//   - Every keyword has ignore_above: a longer value stays in _source and is not indexed; without it a value over 32766
//     bytes is refused. Numbers are double, not float: 1e300 is nonsense as a duration, but no reason to lose a call.
//   - mapping.nested_objects.limit is 100000 (default 10000) and highlight.max_analyzed_offset 20 MB (default 1 MB): both
//     are below what a body of the default size limit can hold.
//   - Synonyms are in the index's settings, not a synonyms set: that API is beta in 8.12, and an index whose set is missing,
//     or holds a bad rule, can't be opened. So a change closes the index for a moment; rules are tried on Elasticsearch first,
//     and are lenient in the index. They follow a language's own chain of filters, which a test compares with the built-in.
//   - An index keeps its language: a changed analyzer would look for other words than those that are stored.
//   - The weights of fields are in index.query.default_field, so that Kibana's search box has them too.
//   - Retention goes by queries and whole months, also where there is ILM: ILM counts from when an index was made, and knows
//     nothing of parts of a document. An erased document's version rises by one, so a stale delivery doesn't bring its text back.
//   - A reason of a refused document holds the type of the error and, where it is one of ours, the field: Elasticsearch's
//     own text quotes the value, which can be anything a caller said.
package elastic
