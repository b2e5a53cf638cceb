// Package redact finds personal data in a phone call and replaces it by the type of what was there: [PERSON], [PHONE],
// [EMAIL], [CARD]. It is a plain library: strings in, strings out, no model, no network, no regular expression.
//
//	eng, err := redact.New(redact.Options{})
//	out := eng.Redact(redact.Call{
//		CallerName: "Maria Hernandez",
//		Phone:      "+14155557777",
//		Turns:      []redact.Turn{{Role: "user", Content: "it's Maria, four one five 555 7777"}},
//	})
//	// out.Turns[0].Content == "it's [PERSON], [PHONE]"
//
// # What it finds
//
// The values the caller is known by, in any form they are likely to be written or said in: the name and its parts, the
// e-mail address ("maria dot h at example dot com") and the phone number (+1..., national, grouped in any way, digit by
// digit, in pairs). Besides, without knowing them: e-mail addresses, phone numbers, card numbers (Luhn), social security
// numbers, IBANs (mod 97), IP addresses, and URLs that carry a credential or a token.
//
// Names of people who are not in the structured fields, addresses, dates of birth, and values that are split over turns
// are not found yet.
//
// # How
//
// A redaction is a function over the whole conversation, not over a line, because what identifies a value is often said
// in another turn. Find returns spans (text, byte offsets, type); Redact puts the tokens in.
//
// A text is cut into pieces at tokens that are already in it, and every detector sees one piece at a time. What a
// detector finds cuts the piece again, and the pieces left are searched until nothing more is found. So redacting a
// text twice is the same as redacting it once, by construction: the second run sees exactly the pieces of the last
// round. (2026-11; the other way, one pass with lookahead over tokens, needed a proof per detector.)
//
// Everything outside the spans stays byte for byte as it was.
//
// # Hashes
//
// Hash makes the keyed hash that stands for a structured value, so that two calls of one person can be joined without
// the value. It is spelled in letters only: no later scan for digits mistakes it for a number.
package redact
