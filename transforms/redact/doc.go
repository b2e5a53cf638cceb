// Package redact finds personal data in a phone call and replaces it by the type of what was there: [PERSON_1],
// [PHONE_1], [CARD_2]. It is a plain library: strings in, strings out, no model, no network, no regular expression.
//
//	eng, err := redact.New(redact.Options{})
//	out := eng.Redact(redact.Call{Turns: []redact.Turn{
//		{Role: "agent", Content: "what's a good number to reach you"},
//		{Role: "user", Content: "uh it's four one five triple five oh one double four"},
//	}})
//	// out.Turns[1].Content == "uh it's [PHONE_1]"
//
// # How
//
// A text is cut into tokens once. A lexicon (one hash table of number words, cues, names and English words) says what
// each of them is. From then on everything works on tokens:
//
//   - A run is a row of numbers, spelled letters and months, un-spoken: "double four", "eighty six", "m as in mary" and
//     "to" between two digits are characters, each of which knows the tokens it comes from. So a number that was checked
//     (Luhn, modulo 97, number plan, calendar) is redacted exactly as it was said.
//   - A cue is a phrase that a value follows. In an agent's turn it asks, and types what the caller answers.
//   - The dialog remembers what was asked for and not yet given, and a value that was given in part: what goes on with it
//     over acknowledgements, echoes, mishearings and corrections is the same value.
//   - What was found, and the structured fields, are known values, which are looked for in the whole call in any form.
//
// A call is searched in rounds. What a round finds becomes a tag token, the very token that a tag in a text is read as,
// and the call is searched again until nothing more is found. So redacting a redacted call changes nothing: its first
// round sees what the last round of the first run saw. (2026-11; the other way, one pass with proofs for each detector,
// was given up as soon as detectors began to look at other turns.)
//
// Every detector walks over tokens from left to right and looks a bounded number of them ahead, so the time is linear in
// the length of the call. Runs of a number longer than a few hundred tokens are read in pieces.
//
// Everything outside the spans stays byte for byte as it was.
//
// # Languages
//
// data/en.txt holds how numbers, letters and dates are said and what words tell of values; another language is another
// file. data/README.md has the sources and licences of the word lists.
//
// # Hashes
//
// Hash makes the keyed hash that stands for a structured value, so that two calls of one person can be joined without
// the value; the mode "hash" of a Policy writes the same one for a value in a text. It is spelled in letters only: no
// later scan for digits mistakes it for a number.
package redact
