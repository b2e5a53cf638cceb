// Package topics gives calls their topics by rules: words, aliases and patterns that are looked for in the texts of a
// call. It also reads the spellings of senders ("Caller hung up") as the words of a vocabulary (caller_hangup). It is a
// plain library: strings in, names out.
//
//	m, err := topics.Parse("topics.yaml", data) // or topics.Default()
//	m.Match(topics.Call{Summary: "asked for a refund of the last invoice"}) // Billing/Refund, 0.7, any "refund*" in summary
//	m.Vocabularies().EndedReason.Read("Caller hung up")                     // caller_hangup
//
// # Rules
//
// A file of rules is YAML; docs/topics.md explains it at length:
//
//	extends: built-in          # the built-in taxonomy comes behind the own rules; without it they stand alone
//	other: other               # the topic of calls that no rule matches; this is the default
//	min_confidence: 0          # topics below it are left out; this is the default
//	topics:
//	  - name: Billing
//	    aliases: [invoice question]                     # the sender's own topic, as a whole
//	    any: [invoice, "payment method", charg*]        # phrases
//	    patterns: ['\binv-\d{4,}\b']                    # RE2, in topic, purpose and summary
//	    none: ["free of charge"]                        # what takes the topic away
//	    fields: [summary, topic]
//	    priority: 5
//	    topics:
//	      - {name: Refund, any: [refund*]}              # Billing/Refund
//	vocabularies:
//	  sentiment: {negative: [grumpy]}
//	  ended_reason: {queue_full: [no agent free]}
//
// A topic is given when an alias, a phrase of any or a pattern is found, and no phrase of none is; an alias outweighs
// none. A call has every topic that is given, without those of which it has a part, and other when it has none.
//
// A phrase is a row of words. Case, punctuation and white space make no difference; a word matches whole words only,
// and with a star at its end every word that begins with it. Letters and digits make words, in every script; an
// apostrophe inside a word belongs to it, and is left out.
//
// Fields are topic, purpose, summary, keyPoints, actionItems, followUpReason, user and agent (what each of them said),
// and transcript (everything said). Without fields a rule looks at topic, purpose, summary, keyPoints and user. What
// the agent says is left out by default: its menus and offers name topics that the call is not about.
//
// # Confidence
//
// A match is worth 1 as an alias, 0.9 in topic, 0.8 in purpose, 0.7 in summary, 0.6 in keyPoints, 0.5 in actionItems and
// followUpReason, 0.4 in user and 0.3 in agent; matches in several fields are one less the product of what each lacks. It
// orders topics and tells a sure one from a guess; it is no probability that somebody has measured.
//
// # How
//
// All phrases of all rules are one trie of words, so that a call is read once, however many rules there are. Aliases are
// looked up in a map. Patterns are tried one after the other, so there can be 200, each anchored.
package topics
