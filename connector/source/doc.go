// Package source says who may deliver, and what a delivery means: the senders of POSTCALL_SOURCES with the route, the
// proof of identity and the mapping of each.
//
//	parse*.go           the YAML file; every mistake at once, by line and key, with its cure
//	auth.go             the proofs: secrets, addresses, certificates; hmac.go: signatures, both sides
//	secrets.go          secrets out of files, read again when they change
//	mapping.go          a jq program from a body to an event in Phonely's field names; mappings/ has the shipped ones
//	body.go             one event or several out of a body, within bounds
//
// It imports neither connector nor transforms: connector serves what it finds here, and `postcall send` signs with it.
//
// # Rules
//
// All proofs of a source must hold, unless it says auth_needs: any; the address list always must. Secrets are compared
// in constant time, all of them whatever the first ones say. What a sender learns of a refusal is its status; the reason
// is for the operator's log. A signature covers the body as it came over the wire, before it is decompressed.
//
// A mapping is a pure function of the body: it is run when the body is checked, and once more when it is sealed, so the
// body is what is stored. One that makes nothing (`empty`) says that the body is no call.
//
// JSON is read by one rule for all senders: UTF-8 without half surrogate pairs, no name twice in an object, at most
// [MaxDepth] levels, [MaxValues] values, and numbers of [MaxNumber] characters that a 64-bit float can hold.
package source
