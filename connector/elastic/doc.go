// Package elastic loads calls into Elasticsearch, one document a call.
//
//	sealed batch ─ Load ─ payload (NDJSON, at most ~5 MiB) ─ _bulk ─ answer, item by item ─ nil | PartialError | Paused ...
//
// loader.go makes the attempt, payload.go and encode.go write the bytes, answer.go reads what came of each event,
// check.go and setup.go look at and create what the loader needs, kibana*.go make what people look at.
//
// # Nothing twice
//
// A document's _id is made of tenant and callId (id.go), its version is the event's, and version_type is external_gte:
// a repeated batch rewrites the same bytes, a correction replaces, and a stale delivery gets a 409, which is success.
// Requests carry require_alias, so that a missing alias never makes Elasticsearch create an index with guessed types.
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
//   - A reason of a refused document holds the type of the error and, where it is one of ours, the field: Elasticsearch's
//     own text quotes the value, which can be anything a caller said.
//   - Monthly indices (POSTCALL_ELASTICSEARCH_INDEX_BY=month, DELIVERY.md rule 10) are not there yet; Open says so.
package elastic
